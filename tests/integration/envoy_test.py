"""The real Envoy, told by dnsd alone: what its admin page shows and how it routes, before and after
each change."""

import concurrent.futures
import hashlib
import json
import random
import signal
import socket
import time

import pytest

from envoy import API, BOOTSTRAP, Traffic, discover, metric, running_envoy
from harness import NAMESPACE, PATIENCE, ROOT, WEB, Api, make_service, texts, until
from namespaces import in_namespaces

CHECKED = {"failure_policy": "fail_closed", "check": {"type": "custom"}}
CLUSTER = "web.demo.internal"
LOAD_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def register(dnsd, backend, path=WEB, **fields) -> None:
    dnsd.api.put(f"{path}/instances/{backend.name}", {"ipv4": backend.address, "port": backend.port} | fields)


def report(dnsd, instance: str, status: str, path=WEB) -> None:
    dnsd.api.put(f"{path}/instances/{instance}/health", {"status": status})


def three_backends(make_backend) -> list:
    return [make_backend(f"i-{n}", address=f"127.0.0.1{n}", port=8080) for n in (1, 2, 3)]


def polled_cluster() -> dict:
    """The same endpoints, asked for once in a minute or two: what Envoy has without push."""
    source = {"resource_api_version": "V3", "api_config_source": {
        "api_type": "REST", "transport_api_version": "V3", "cluster_names": ["dnsd"],
        "refresh_delay": "60s", "request_timeout": "30s"}}
    return {"static_resources": {"clusters": [{
        "name": "polled", "type": "EDS", "connect_timeout": "1s",
        "eds_cluster_config": {"service_name": CLUSTER, "eds_config": source}}]}}


# What Envoy does


@in_namespaces
def test_a_dead_instance_leaves_at_once_where_polling_would_have_kept_it(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api, CHECKED)
    backends = three_backends(make_backend)
    for backend in backends[:2]:
        register(dnsd, backend)
        report(dnsd, backend.name, "healthy")
    with running_envoy(tmp_path, overrides=polled_cluster()) as envoy:
        until(envoy.routes, "requests are routed")
        both = {"127.0.0.11:8080", "127.0.0.12:8080"}
        assert envoy.hosts() == both and envoy.hosts("polled") == both
        with Traffic(envoy) as traffic, Traffic(envoy, method="POST") as writes:
            assert {name for _, name in traffic.next(20)} == {"i-1", "i-2"}
            backends[1].kill()
            assert envoy.hosts() == both  # nobody has said so
            report(dnsd, "i-2", "unhealthy")
            until(lambda: envoy.hosts() == {"127.0.0.11:8080"}, "the dead one has left", patience=2)
            assert set(traffic.next()) == {(200, "i-1")}
            # The backend knows no POST; that it says so is an answer.
            assert {status for status, _ in writes.next()} == {501}
            assert envoy.hosts("polled") == both  # still, and for a minute to come

            register(dnsd, backends[2])
            report(dnsd, "i-3", "healthy")
            until(lambda: envoy.hosts() == {"127.0.0.11:8080", "127.0.0.13:8080"}, "the new one is there", patience=2)
            assert set(traffic.next()) == {(200, "i-1"), (200, "i-3")}
        assert envoy.hosts("polled") == both


@in_namespaces
def test_who_deregisters_gets_no_request_once_envoy_knows_and_none_is_lost(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api)
    backends = three_backends(make_backend)
    for backend in backends:
        register(dnsd, backend)
    with running_envoy(tmp_path) as envoy:
        until(envoy.routes, "requests are routed")
        with Traffic(envoy) as traffic:
            for backend in backends[:2]:
                dnsd.api.delete(f"{WEB}/instances/{backend.name}")
                until(lambda: f"{backend.address}:8080" not in envoy.hosts(), "it has left", patience=2)
                assert backend.name not in {name for _, name in traffic.next()}
        assert {status for status, _ in traffic.replies} == {200}


@in_namespaces
def test_services_that_come_later_are_routed_without_a_503_or_a_restart(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api)
    backend = make_backend("i-1", address="127.0.0.11", port=8080)
    with running_envoy(tmp_path) as envoy:
        for number in range(5):
            name = f"late-{number}"
            with Traffic(envoy, host=f"{name}.demo.internal") as traffic:
                traffic.next(5)
                # The first verdict takes its time: until then there is nothing to route to.
                path = make_service(dnsd.api, {"check": {"type": "http", "path": "/health", "interval": 0.2}}, name)
                register(dnsd, backend, path)
                until(lambda: traffic.next(1)[0][0] == 200, "it is routed")
                traffic.next(20)
            statuses = [status for status, _ in traffic.replies]
            first = statuses.index(200)
            assert set(statuses[:first]) == {404} and set(statuses[first:]) == {200}, statuses
        assert envoy.get("late-0.demo.internal:8443")[0] == 200 and envoy.get("LATE-0.demo.internal")[0] == 200


@in_namespaces
def test_a_deleted_service_is_a_name_that_nobody_knows(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api, {"ttl": 0})
    register(dnsd, make_backend("i-1", address="127.0.0.11", port=8080))
    with running_envoy(tmp_path) as envoy:
        until(envoy.routes, "requests are routed")
        dnsd.api.delete(f"{WEB}/instances/i-1")
        until(lambda: envoy.hosts() == set(), "it has no endpoint")
        assert envoy.get()[0] in (503, 404)
        until(lambda: not dnsd.api.get(f"{WEB}/instances")["instances"], "it has drained")
        dnsd.api.delete(WEB)
        until(lambda: CLUSTER not in envoy.clusters(), "the cluster is gone")
        until(lambda: envoy.get()[0] == 404, "so is the route")


@in_namespaces
def test_a_port_of_the_node_leads_to_a_tcp_service(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api)
    backend = make_backend("db-1", address="127.0.0.11", port=8080)

    def answer() -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", 15432), timeout=PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return connection.makefile("rb").read()
        except OSError:
            return b""

    with running_envoy(tmp_path, metadata={"tcp": {"15432": "DB.demo.internal."}}) as envoy:
        assert answer() == b""  # the listener is there before the service
        register(dnsd, backend, make_service(dnsd.api, name="db"))
        until(lambda: answer().endswith(b"db-1\n"), "the service is reached")
        assert "outbound_tcp_15432" in envoy.admin("/listeners")


@in_namespaces
def test_two_changes_within_refresh_delay_both_arrive(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api)
    with running_envoy(tmp_path) as envoy:
        register(dnsd, make_backend("i-1", address="127.0.0.11", port=8080))
        until(envoy.routes, "requests are routed")
        for number in range(10):
            dnsd.api.put(f"{WEB}/instances/i-2", {"ipv4": "127.0.0.12", "port": 9000 + number})
            dnsd.api.put(f"{WEB}/instances/i-3", {"ipv4": "127.0.0.13", "port": 9000 + number})
            wanted = {"127.0.0.11:8080", f"127.0.0.12:{9000 + number}", f"127.0.0.13:{9000 + number}"}
            until(lambda: envoy.hosts() == wanted, "both changes arrived", patience=5)


@in_namespaces
def test_a_restart_with_its_store_changes_nothing_and_what_changed_meanwhile_arrives(
        make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api, CHECKED)
    backends = three_backends(make_backend)
    for backend in backends:
        register(dnsd, backend)
        report(dnsd, backend.name, "healthy")
    with running_envoy(tmp_path) as envoy:
        until(envoy.routes, "requests are routed")
        applied = envoy.stat("cluster_manager.cluster_modified")
        with Traffic(envoy) as traffic:
            dnsd.kill()
            all_three = envoy.hosts()
            assert set(traffic.next()) == {(200, f"i-{n}") for n in (1, 2, 3)}  # nobody has to be there
            dnsd.start()
            until(lambda: metric(dnsd.api, "dnsd_xds_held") == 4, "Envoy is back")
            assert envoy.hosts() == all_three
            dnsd.stop()
            dnsd.start()
            report(dnsd, "i-1", "unhealthy")
            until(lambda: envoy.hosts() == all_three - {"127.0.0.11:8080"}, "the change arrived")
        assert {status for status, _ in traffic.replies} == {200}
        assert envoy.stat("cluster_manager.cluster_modified") == applied  # the same version: nothing was taken again
        assert envoy.stat("cluster_manager.cluster_removed") == 0


@in_namespaces
def test_with_an_empty_or_a_foreign_store_envoy_keeps_what_it_has_until_the_store_says_something(
        make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    make_service(dnsd.api)
    for backend in three_backends(make_backend):
        register(dnsd, backend)
    with running_envoy(tmp_path) as envoy, Traffic(envoy) as traffic:
        until(envoy.routes, "requests are routed")
        traffic.replies.clear()
        dnsd.stop()
        dnsd.settings["store.path"] = str(tmp_path / "lost.db")
        dnsd.start()
        until(lambda: metric(dnsd.api, "dnsd_xds_held") == 4, "Envoy has asked the lost store")
        assert len(envoy.hosts()) == 3
        assert {status for status, _ in traffic.next()} == {200}
        assert metric(dnsd.api, "dnsd_xds_answers_total") == 0

        # Somebody writes into it: now it is taken at its word.
        register(dnsd, make_backend("f-1", address="127.0.0.21", port=8080), make_service(dnsd.api, name="foreign"))
        until(lambda: set(envoy.clusters()) == {"foreign.demo.internal"}, "the foreign store rules")
        until(lambda: envoy.routes("foreign.demo.internal"), "what it says is routed")
        assert 503 not in {status for status, _ in traffic.replies}

        dnsd.stop()
        dnsd.settings["store.path"] = str(tmp_path / "dnsd" / "dnsd.db")
        dnsd.start()
        until(lambda: len(envoy.hosts()) == 3, "its own store is back")
        until(lambda: traffic.next(1)[0][0] == 200, "and routed")


@in_namespaces
def test_envoy_starts_before_dnsd_and_is_told_when_it_comes(make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings=API)
    with running_envoy(tmp_path) as envoy:
        dnsd.start()
        make_service(dnsd.api)
        register(dnsd, make_backend("i-1", address="127.0.0.11", port=8080))
        until(envoy.routes, "requests are routed")


def answerable(dnsd, service: str) -> dict[str, int]:
    """What DNS says of the service: "address:port" and weight of each that SRV holds; of the failover
    service, `groups`, those alone whose address A holds too."""
    name = f"{service}.demo.internal"
    reply = dnsd.query(f"_{service}._tcp.demo.internal", "SRV", tcp=True)
    addresses = {str(rrset.name).rstrip("."): str(rrset[0]) for rrset in reply.additional}
    active = dnsd.addresses(name, tcp=True) if service == "groups" else addresses.values()
    found = {}
    for record in texts(reply, "SRV"):
        _, weight, port, target = record.split()
        if (address := addresses[target.rstrip(".")]) in active:
            found[f"{address}:{port}"] = int(weight)
    if any(found.values()):
        found = {address: weight for address, weight in found.items() if weight}
    return {address: max(weight, 1) for address, weight in found.items()}


@in_namespaces
def test_after_changes_at_random_envoy_shows_whom_dnsd_answers(make_dnsd, tmp_path, request):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    dnsd = make_dnsd(settings=API).start()
    services = {
        "all": CHECKED, "open": CHECKED | {"failure_policy": "fail_open"},
        "known": CHECKED | {"failure_policy": "last_known_good"},
        "groups": CHECKED | {"routing_policy": "failover", "failure_policy": "fail_open"},
        "weighted": CHECKED | {"routing_policy": "weighted"}}

    def change(service: str) -> None:
        path = f"{NAMESPACE}/services/{service}/instances/i-{rng.randrange(6)}"
        number = path[-1]
        match rng.randrange(8):
            case 0:
                dnsd.api.delete(f"{path}?if_exists=true")
            case 1 | 2 | 3:
                dnsd.api.put(path, {
                    "ipv4": f"127.0.1.{1 + int(number)}", "port": rng.choice([80, 81]), "weight": rng.choice([0, 1, 5]),
                    "priority": rng.randrange(3), "disabled": rng.random() < 0.1})
            case _:
                status = rng.choice(["healthy", "healthy", "unhealthy"])
                dnsd.api.request("PUT", f"{path}/health", {"status": status})

    with running_envoy(tmp_path) as envoy:
        for service, specification in services.items():
            make_service(dnsd.api, specification, service)
        changes, begun = 0, time.monotonic()
        while changes < 1000 and (changes < 200 or time.monotonic() - begun < 25):
            for _ in range(rng.randrange(1, 30)):
                change(rng.choice(list(services)))
                changes += 1
            for service in services:
                wanted = answerable(dnsd, service)
                until(lambda: envoy.clusters().get(f"{service}.demo.internal", {}) == wanted,
                      f"{service} is {wanted}, after {changes} changes with seed {seed}")
        print(changes, "changes")
        assert metric(dnsd.api, "dnsd_xds_refused_total") == 0
        for updates in ("cluster_manager.cds", "listener_manager.lds", "http.outbound_http.rds.outbound_http"):
            assert envoy.stat(f"{updates}.update_rejected") == 0


@in_namespaces
def test_a_bound_token_is_injected_narrows_and_is_let_go_when_revoked(make_dnsd, make_backend, tmp_path, request):
    tokens = tmp_path / "tokens"
    line = f"{hashlib.sha256(b'secret').hexdigest()} read demo.internal\n"
    writer = f"{hashlib.sha256(b'writer').hexdigest()} write\n"
    tokens.write_text(line + writer)
    dnsd = make_dnsd(settings=API | {"api.tokens": str(tokens)}).start()
    dnsd.token = "writer"
    make_service(dnsd.api)
    register(dnsd, make_backend("i-1", address="127.0.0.11", port=8080))
    dnsd.api.put("/v1/namespaces/other.internal", {})
    dnsd.api.put("/v1/namespaces/other.internal/services/web", {})
    dnsd.api.put("/v1/namespaces/other.internal/services/web/instances/i", {"ipv4": "192.0.2.1", "port": 80})
    secret = tmp_path / "token.yaml"
    secret.write_text((ROOT / "conf/envoy-token.yaml").read_text().replace("TOKEN", "wrong"))
    bootstrap = tmp_path / "envoy.yaml"
    bootstrap.write_text(BOOTSTRAP.read_text().replace("/etc/envoy/dnsd-token.yaml", str(secret)).replace("      #  ", "        ")
                         .replace("      #typed", "      typed"))
    with running_envoy(tmp_path, bootstrap=bootstrap) as envoy:
        until(lambda: envoy.stat("cluster.dnsd.upstream_rq_401") > 0, "the wrong token is refused")
        right = tmp_path / "right.yaml"
        right.write_text(secret.read_text().replace("wrong", "secret"))
        right.replace(secret)
        until(envoy.routes, "the right token is accepted")
        assert set(envoy.clusters()) == {CLUSTER}
        until(lambda: metric(dnsd.api, "dnsd_xds_held") == 4, "it holds")
        tokens.write_text(writer)
        refused = envoy.stat("cluster.dnsd.upstream_rq_401")
        dnsd.signal(signal.SIGHUP)
        until(lambda: envoy.stat("cluster.dnsd.upstream_rq_401") > refused, "the revoked token is refused")
        register(dnsd, make_backend("i-2", address="127.0.0.12", port=8080))
        assert envoy.hosts() == {"127.0.0.11:8080"}  # what it knew stays
        assert envoy.get() == (200, "i-1")


@in_namespaces
def test_an_update_that_envoy_refuses_is_offered_once_a_second_and_counted(make_dnsd, tmp_path, request):
    dnsd = make_dnsd(settings=API).start()
    # Its own admin page has that port already.
    with running_envoy(tmp_path, metadata={"tcp": {"9901": CLUSTER}}) as envoy:
        until(lambda: envoy.stat("listener_manager.lds.update_rejected") >= 3, "Envoy has refused it three times")
        answers = metric(dnsd.api, "dnsd_xds_answers_total")
        began = time.monotonic()
        until(lambda: envoy.stat("listener_manager.lds.update_rejected") >= 6, "and three times more")
        assert time.monotonic() - began > 2
        assert metric(dnsd.api, "dnsd_xds_answers_total") - answers <= 4
        assert metric(dnsd.api, "dnsd_xds_refused_total") >= 5


# What dnsd says, without Envoy


def test_a_request_is_held_until_its_resources_change_and_no_longer(dnsd):
    make_service(dnsd.api)
    make_service(dnsd.api, name="other")
    first = discover(dnsd.api, "endpoints", resource_names=[CLUSTER]).json
    assert first["type_url"] == LOAD_ASSIGNMENT and first["resources"] == [
        {"@type": LOAD_ASSIGNMENT, "cluster_name": CLUSTER, "endpoints": []}]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(discover, dnsd.api, "endpoints", resource_names=[CLUSTER], version_info=first["version_info"])
        until(lambda: metric(dnsd.api, "dnsd_xds_held") == 1, "it is held")
        dnsd.api.put(f"{NAMESPACE}/services/other/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
        dnsd.api.put(f"{WEB}/instances/no-port", {"ipv4": "192.0.2.9"})
        assert not held.done()
        dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "port": 80, "weight": 3})
        second = held.result(PATIENCE).json
    endpoint = {"address": {"socket_address": {"address": "192.0.2.1", "port_value": 80}}}
    assert second["resources"][0]["endpoints"] == [
        {"lb_endpoints": [{"endpoint": endpoint, "load_balancing_weight": 3}]}]
    assert second["version_info"] != first["version_info"]
    assert metric(dnsd.api, "dnsd_xds_endpoints_without_port_total") > 0


def test_a_hold_ends_after_20_seconds_and_with_the_daemon(dnsd):
    make_service(dnsd.api)
    version = discover(dnsd.api, "clusters").json["version_info"]
    began = time.monotonic()
    assert discover(dnsd.api, "clusters", version_info=version).status == 304
    assert 14 < time.monotonic() - began < 25
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(discover, dnsd.api, "clusters", version_info=version)
        until(lambda: metric(dnsd.api, "dnsd_xds_held") == 1, "it is held")
        dnsd.stop()
        assert held.result(PATIENCE).status == 304


def test_the_same_answer_goes_to_a_node_that_refuses_it_once_a_second(dnsd):
    make_service(dnsd.api)
    request = {"node": {"id": "n-1"}, "version_info": "an older one"}
    first = discover(dnsd.api, "routes", request).json
    for _ in range(2):
        began = time.monotonic()
        assert discover(dnsd.api, "routes", request).json == first
        assert 0.5 < time.monotonic() - began < 5
    assert metric(dnsd.api, "dnsd_xds_refused_total") == 2
    # Another node, and another answer, need not wait.
    assert discover(dnsd.api, "routes", request | {"node": {"id": "n-2"}}).json == first
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(discover, dnsd.api, "routes", request)
        make_service(dnsd.api, name="other")
        assert held.result(PATIENCE).json != first


def test_metadata_narrows_and_only_tcp_services_have_a_route(dnsd):
    make_service(dnsd.api)
    make_service(dnsd.api, {"protocol": "udp"}, "ntp")
    dnsd.api.put("/v1/namespaces/other.internal", {})
    dnsd.api.put("/v1/namespaces/other.internal/services/api", {})
    for path in (WEB, f"{NAMESPACE}/services/ntp", "/v1/namespaces/other.internal/services/api"):
        dnsd.api.put(f"{path}/instances/i", {"ipv4": "192.0.2.1", "port": 80})

    def named(what: str, **metadata) -> set[str]:
        resources = discover(dnsd.api, what, node={"metadata": metadata}).json["resources"]
        if what == "routes":
            return {name for host in resources[0]["virtual_hosts"] for name in host["domains"]}
        return {resource.get("name") or resource["cluster_name"] for resource in resources}

    assert named("clusters") == {CLUSTER, "ntp.demo.internal", "api.other.internal"} == named("endpoints")
    assert named("routes") == {CLUSTER, f"{CLUSTER}:*", "api.other.internal", "api.other.internal:*"}
    assert named("clusters", namespaces=["Other.internal."]) == {"api.other.internal"}
    assert named("clusters", services=["web", "ntp.demo.internal"]) == {CLUSTER, "ntp.demo.internal"}
    assert named("clusters", services=[]) == set()
    assert named("listeners", tcp={"5432": "x"}) == {"outbound_http", "outbound_tcp_5432"}
    listener, = discover(dnsd.api, "listeners", node={"metadata": {"listener": "[::1]:80"}}).json["resources"]
    assert listener["address"]["socket_address"] == {"address": "::1", "port_value": 80}


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"x"', b"3", b"\xff", b'{"version_info": 3}', b'{"resource_names": "web"}', b'{"resource_names": [{}]}',
    b'{"node": []}', b'{"node": {"metadata": {"tcp": {"0": "x"}}}}', b'{"node": {"metadata": {"tcp": {"x": "x"}}}}',
    b'{"node": {"metadata": {"tcp": {"15001": "x"}}}}', b'{"node": {"metadata": {"listener": "localhost"}}}',
    b'{"type_url": "type.googleapis.com/envoy.config.listener.v3.Listener"}', b"[" * 100_000,
    json.dumps({"resource_names": ["x"] * 1001}).encode(), json.dumps({"version_info": "x" * 2000}).encode()])
def test_garbage_is_refused_with_a_problem_document_and_changes_nothing(dnsd, body):
    revision = dnsd.api.get("/v1/status")["revision"]
    reply = discover(dnsd.api, "endpoints", body)
    assert reply.status == 400 and reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == 400
    assert dnsd.api.get("/v1/status")["revision"] == revision and metric(dnsd.api, "dnsd_xds_held") == 0


def test_unknown_fields_are_passed_over_and_both_spellings_read(dnsd):
    make_service(dnsd.api)
    for spelling in ("resource_names", "resourceNames"):
        reply = discover(dnsd.api, "endpoints", {spelling: [CLUSTER], "new": [{"deep": [[]]}], "node": None})
        assert [resource["cluster_name"] for resource in reply.json["resources"]] == [CLUSTER]


def test_tokens_are_wanted_and_their_namespaces_are_all_that_is_shown(make_dnsd, tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"{hashlib.sha256(b'reader').hexdigest()} read demo.internal\n"
                    f"{hashlib.sha256(b'writer').hexdigest()} write\n")
    dnsd = make_dnsd(settings={"api.tokens": str(path)}).start()
    dnsd.token = "writer"
    for namespace in ("demo.internal", "other.internal"):
        dnsd.api.put(f"/v1/namespaces/{namespace}", {})
        dnsd.api.put(f"/v1/namespaces/{namespace}/services/web", {})
    reader = Api(*dnsd.apis[0], token="reader")
    assert discover(Api(*dnsd.apis[0]), "endpoints").status == 401
    assert discover(Api(*dnsd.apis[0], token="wrong"), "endpoints").status == 401
    assert len(discover(dnsd.api, "endpoints").json["resources"]) == 2
    assert [r["cluster_name"] for r in discover(reader, "endpoints").json["resources"]] == [CLUSTER]
    assert discover(reader, "endpoints", resource_names=["web.other.internal"]).json["resources"] == []
    assert discover(reader, "clusters", node={"metadata": {"namespaces": ["other.internal"]}}).status == 403
