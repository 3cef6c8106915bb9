"""The API's manners: problem documents, preconditions, waiting, watching, tokens, its own description."""

import concurrent.futures
import hashlib
import http.client
import json
import resource
import socket
import threading
import time

import pytest

from harness import NAMESPACE, WEB, Api, instances, make_service, server_sent_events, until

I1 = f"{WEB}/instances/i-1"
GOOD = {"ipv4": "192.0.2.1", "port": 80}


def test_preconditions_hold_and_etags_are_revisions(dnsd):
    make_service(dnsd.api)
    created = dnsd.api.request("PUT", I1, GOOD)
    assert created.headers["ETag"] == f'"{created.json["revision"]}"'
    assert dnsd.api.request("PUT", I1, GOOD | {"weight": 2}, headers={"If-Match": '"1"'}).status == 412
    assert dnsd.api.request("PUT", I1, GOOD, headers={"If-None-Match": "*"}).status == 412
    assert dnsd.api.request("DELETE", I1, headers={"If-Match": '"1"'}).status == 412
    assert dnsd.api.request("PUT", I1, GOOD, headers={"If-Match": "nonsense"}).status == 400
    changed = dnsd.api.request("PUT", I1, GOOD | {"weight": 2}, headers={"If-Match": created.headers["ETag"]})
    assert changed.status == 200 and changed.json["weight"] == 2
    assert dnsd.api.request("DELETE", I1, headers={"If-Match": changed.headers["ETag"]}).status == 200


def test_what_a_resource_shows_can_be_put_back(dnsd):
    make_service(dnsd.api, {"ttl": {"A": 1}, "check": {"type": "https", "host": "web.example.org", "port": 443}})
    dnsd.api.put(I1, GOOD | {"attributes": {"az": "a"}})
    for path in (NAMESPACE, WEB, I1):
        shown = dnsd.api.request("GET", path)
        again = dnsd.api.request("PUT", path, shown.json)
        assert again.status == 200 and again.json == shown.json, path


def test_a_blocking_read_returns_on_a_change_or_at_the_end(dnsd):
    make_service(dnsd.api)
    index = dnsd.api.get(f"{WEB}/instances")["index"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(dnsd.api.get, f"{WEB}/instances?wait=30&after={index}")
        until(lambda: dnsd.api.get("/v1/status")["waiting"] == 1, "it waits")
        dnsd.api.put(f"{NAMESPACE}/services/other", {})
        assert not waiting.done()
        dnsd.api.put(I1, GOOD)
        page = waiting.result(10)
    assert page["index"] > index and [i["id"] for i in page["instances"]] == ["i-1"]
    assert dnsd.api.get(f"{WEB}/instances?wait=0.05")["index"] == page["index"]
    assert dnsd.api.get(f"{WEB}/instances?wait=30&after=0")["index"] == page["index"]
    ahead = dnsd.api.get(f"{WEB}/instances?wait=30&after=999999")
    assert ahead["reset"] is True and ahead["index"] == page["index"]
    assert dnsd.api.request("GET", f"{WEB}/instances?wait=61").status == 400


def test_a_blocking_read_ends_when_its_service_goes(dnsd):
    make_service(dnsd.api)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(dnsd.api.request, "GET", f"{WEB}/instances?wait=30")
        until(lambda: dnsd.api.get("/v1/status")["waiting"] == 1, "it waits")
        dnsd.api.delete(WEB)
        assert waiting.result(10).status == 404


def test_10000_clients_that_left_are_gone_within_20_seconds(dnsd):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    make_service(dnsd.api)
    request = f"GET {WEB}/instances?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    clients = []
    for _ in range(count):
        client = socket.create_connection(dnsd.apis[0])
        client.sendall(request)
        clients.append(client)
    until(lambda: dnsd.api.get("/v1/status")["waiting"] == count, "all wait")
    for client in clients:
        client.close()
    left = time.monotonic()
    until(lambda: dnsd.api.get("/v1/status")["waiting"] == 0, "all are gone")
    assert time.monotonic() - left < 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_watch_stream_tells_a_snapshot_then_every_revision(dnsd):
    make_service(dnsd.api)
    dnsd.api.put(I1, GOOD)
    with dnsd.api.watch("?namespace=demo.internal&service=web") as events:
        snapshot = next(events)
        assert snapshot.event == "snapshot"
        (service,) = snapshot.data["services"]
        assert [i["id"] for i in service["instances"]] == ["i-1"] and int(snapshot.id) == snapshot.data["revision"]
        dnsd.api.put(f"{NAMESPACE}/services/other", {})
        answer = dnsd.api.put(f"{WEB}/instances/i-2", GOOD | {"ipv4": "192.0.2.2"})
        change = next(events)
        assert (change.event, int(change.id)) == ("change", answer["revision"])
        data = change.data
        assert data["cause"] == "registered" and data["namespace"] == "demo.internal" and data["service"] == "web"
        assert data["instances"] == [{"id": "i-2", "status": "unknown", "was": "none"}]
        assert set(data["dns_names"]) == {"web.demo.internal", "_web._tcp.demo.internal", "i-2.web.demo.internal"}
        assert data["serial"] == dnsd.query("demo.internal", "SOA").answer[0][0].serial
        times = data["times"]
        assert times["submitted"] <= times["committed"] <= times["published"] and times["detected"] is None


def test_a_stream_resumes_without_a_gap_also_over_a_restart(dnsd):
    make_service(dnsd.api)
    with dnsd.api.watch() as events:
        last = next(events).id
    revisions = [dnsd.api.put(f"{WEB}/instances/i-{n}", GOOD)["revision"] for n in range(1, 6)]
    for _ in range(2):
        with dnsd.api.watch(headers={"Last-Event-ID": last}) as events:
            assert [int(next(events).id) for _ in revisions] == revisions
        dnsd.restart()


def test_history_that_is_gone_is_a_reset_and_a_snapshot(make_dnsd):
    dnsd = make_dnsd(settings={"events.keep": 5}).start()
    make_service(dnsd.api)
    for number in range(20):
        dnsd.api.put(f"{WEB}/instances/i-{number}", GOOD)
    for seen in ("3", "99999"):
        with dnsd.api.watch(headers={"Last-Event-ID": seen}) as events:
            assert next(events).event == "reset"
            snapshot = next(events)
            assert snapshot.event == "snapshot" and len(snapshot.data["services"][0]["instances"]) == 20


def test_a_client_that_does_not_read_gets_a_snapshot_not_a_gap(dnsd):
    """More than its buffers hold happens meanwhile."""
    make_service(dnsd.api)
    host, port = dnsd.apis[0]
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, port))
        slow.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: dnsd.api.get("/v1/status")["watching"] == 1, "it watches")
        for turn in range(32):
            body = {"instances": [{"id": f"i-{n}-{'x' * 40}", "ipv4": "192.0.2.1", "port": 1 + turn}
                                  for n in range(5000)]}
            dnsd.api.put(f"{WEB}/instances", body)
        last = dnsd.api.get(WEB)["revision"]
        reply = http.client.HTTPResponse(slow)
        slow.settimeout(30)
        reply.begin()
        seen = []
        for event in server_sent_events(reply):
            seen.append(event.event)
            if event.event != "reset" and int(event.id) >= last:
                break
    assert seen[0] == "snapshot" and "reset" in seen
    assert seen[seen.index("reset") + 1] == "snapshot"


def test_events_are_listed_newest_first_and_paged(dnsd):
    make_service(dnsd.api)
    for number in range(1, 6):
        dnsd.api.put(f"{WEB}/instances/i-{number}", GOOD)
    seen, token = [], ""
    while True:
        page = dnsd.api.get(f"/v1/events?limit=2{token}")
        seen += [event["revision"] for event in page["events"]]
        if not page["truncated"]:
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == list(range(7, 0, -1))
    assert [e["revision"] for e in dnsd.api.get("/v1/events?after=4&service=web&namespace=demo.internal")["events"]] == [5, 6, 7]


def tokens_file(folder):
    def line(token, rest):
        return f"{hashlib.sha256(token.encode()).hexdigest()} {rest}\n"

    path = folder / "tokens"
    path.write_text("# who may do what\n" + line("reader", "read") + line("reporter", "report")
                    + line("writer", "write") + line("local", "write demo.internal"))
    return path


def test_tokens_have_roles_and_namespaces(make_dnsd, tmp_path):
    dnsd = make_dnsd(settings={"api.tokens": str(tokens_file(tmp_path))}).start()

    def status(token, method, path, body=None):
        return Api(*dnsd.apis[0], token=token).request(method, path, body).status

    assert status(None, "GET", "/v1/namespaces") == 401 and status("nobody", "GET", "/v1/namespaces") == 401
    assert status(None, "GET", "/healthz") == 200 and status(None, "GET", "/readyz") == 200
    assert status(None, "GET", "/metrics") == 401 and status("reader", "GET", "/metrics") == 200
    assert status("reader", "PUT", NAMESPACE, {}) == 403 and status("writer", "PUT", NAMESPACE, {}) == 201
    assert status("local", "PUT", WEB, {"check": {"type": "custom"}}) == 201
    assert status("local", "PUT", "/v1/namespaces/other.internal", {}) == 403
    assert status("local", "GET", "/v1/namespaces") == 403
    assert status("writer", "PUT", I1, GOOD) == 201
    assert status("reporter", "PUT", f"{I1}/health", {"status": "healthy"}) == 200
    assert status("reader", "PUT", f"{I1}/health", {"status": "healthy"}) == 403
    assert status("reader", "POST", f"{I1}/report", {"outcome": "failure"}) == 403
    assert status("reporter", "POST", f"{I1}/report", {"outcome": "failure"}) == 409  # custom: no probes
    assert status("reporter", "DELETE", I1) == 403
    reply = dnsd.api.request("GET", "/v1/namespaces")
    assert reply.headers["WWW-Authenticate"] == "Bearer" and reply.json["status"] == 401


def test_sighup_reads_tokens_again_and_refuses_a_bad_file_whole(make_dnsd, tmp_path):
    path = tokens_file(tmp_path)
    dnsd = make_dnsd(settings={"api.tokens": str(path)}).start()

    def is_known(token):
        return Api(*dnsd.apis[0], token=token).request("GET", "/v1/namespaces").status == 200

    assert is_known("reader") and not is_known("new")
    path.write_text("nonsense\n")
    dnsd.signal(1)
    until(lambda: f"{path}:1" in dnsd.stderr, "it is refused")
    assert is_known("reader")
    path.write_text(f"{hashlib.sha256(b'new').hexdigest()} read\n")
    dnsd.signal(1)
    until(lambda: is_known("new"), "it is read")
    assert not is_known("reader")


def test_metrics_can_be_open(make_dnsd, tmp_path):
    dnsd = make_dnsd(settings={"api.tokens": str(tokens_file(tmp_path)), "api.metrics_open": True}).start()
    text = dnsd.api.request("GET", "/metrics").body.decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert all(name.startswith("dnsd_") for name in names)
    assert {"dnsd_propagation_seconds", "dnsd_check_probes_total", "dnsd_api_requests_total"} <= names


def test_a_page_of_another_site_changes_nothing(dnsd):
    origin = {"Origin": "http://evil.example"}
    assert dnsd.api.request("PUT", NAMESPACE, {}, headers=origin).status == 403
    host = "%s:%d" % dnsd.apis[0]
    assert dnsd.api.request("PUT", NAMESPACE, {}, headers={"Origin": f"http://{host}"}).status == 201


def test_the_description_fits_the_server(dnsd):
    document = dnsd.api.get("/openapi.json")
    assert document["openapi"].startswith("3.")
    make_service(dnsd.api, {"check": {"type": "custom"}})
    dnsd.api.put(I1, GOOD)
    dnsd.api.put("/v1/keys/xfr.example.org")
    names = {"{namespace}": "demo.internal", "{service}": "web", "{instance}": "i-1", "{zone}": "demo.internal",
             "{name}": "@", "{type}": "SOA", "{key}": "xfr.example.org"}
    shown = {"Namespace": NAMESPACE, "Service": WEB, "Instance": I1, "Key": "/v1/keys/xfr.example.org",
             "RecordSet": "/v1/zones/demo.internal/records/@/SOA"}
    for path, operations in document["paths"].items():
        real = path
        for name, value in names.items():
            real = real.replace(name, value)
        if real in ("/v1/watch", "/v1/changes"):  # they have no end
            continue
        for method, operation in operations.items():
            statuses = {int(status) for status in operation["responses"]}
            body = {"not": "known"} if "requestBody" in operation else None
            if method != "delete":
                assert dnsd.api.request(method.upper(), real, body).status in statuses, (method, path)
        unlisted = {"get", "put", "post", "delete"} - set(operations)
        for method in unlisted:
            assert dnsd.api.request(method.upper(), real).status == 405, (method, path)
    for schema, path in shown.items():
        properties = document["components"]["schemas"][schema]["properties"]
        assert set(dnsd.api.get(path)) <= set(properties), schema
    references = set(json.dumps(document).split('"#/components/schemas/')[1:])
    assert {reference.split('"')[0] for reference in references} <= set(document["components"]["schemas"])


def test_many_registrations_at_once_are_all_there(dnsd):
    make_service(dnsd.api)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: dnsd.api.put(f"{WEB}/instances/i-{n}", GOOD), range(500)))
    assert len(instances(dnsd.api)) == 500


@pytest.mark.parametrize("limit, status", [("api.connections_per_client_max", 429), ("api.connections_max", 503)])
def test_connections_beyond_the_limit_are_told_so(make_dnsd, limit, status):
    dnsd = make_dnsd(settings={limit: 3}).start()
    held = [socket.create_connection(dnsd.apis[0]) for _ in range(3)]
    reply = until(lambda: (r := dnsd.api.request("GET", "/healthz")).status != 200 and r, "the limit is met")
    assert reply.status == status and reply.json["status"] == status
    for connection in held:
        connection.close()
    until(lambda: dnsd.api.request("GET", "/healthz").status == 200, "there is room again")


def test_more_names_than_a_thousand_are_told_by_subtrees(dnsd):
    make_service(dnsd.api)
    with dnsd.api.watch() as stream:
        next(stream)
        dnsd.api.put(f"{WEB}/instances", {"instances": [
            {"id": f"i-{n}", "ipv4": f"10.0.{n // 256}.{n % 256}", "port": 80} for n in range(1200)]})
        change = next(stream).data
    assert "dns_names" not in change
    assert set(change["subtrees"]) == {"web.demo.internal", "_web._tcp.demo.internal"}
