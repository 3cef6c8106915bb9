"""dnsd-agent with the real caches and the real HAProxy: with TTLs of five minutes, what is dead leaves their
answers within a fraction of a second."""

import contextlib
import hashlib
import http.client
import json
import pathlib
import random
import subprocess
import threading
import time

import pytest

from agents import (EMPTIED, Agent, Centre, ControlSocket, DrivenHaProxy, EmptiedUnbound, Load, LongScene, Relay)
from clients import SERVER, Client, Scene
from harness import DNSD_AGENT, ROOT, Backend, make_service, until
from harness import WEB as WEB_PATH
from namespaces import in_namespaces

WEB = {"web-1", "web-2", "web-3"}
DEAD = "web-2"

# Well under a second where the machine is free; sanitizers and a busy machine may add to it.
SOON = 2.0


@contextlib.contextmanager
def following(scene: LongScene, folder: pathlib.Path, settings=None, **options):
    agent = Agent(folder, scene.dnsd.url, settings, **options)
    try:
        yield agent.start()
    except BaseException:
        print(agent.log[-6000:])
        raise
    finally:
        agent.stop()


@contextlib.contextmanager
def running_cache(scene: LongScene, title: str):
    cache = EMPTIED[title](scene)
    try:
        cache.start()
        cache.wait_until_ready()
        yield cache
    except BaseException:
        log = scene.folder / "client.log"
        print(log.read_text(errors="replace")[-3000:] if log.exists() else "")
        raise
    finally:
        cache.stop()


def ask_all(cache: Client) -> list[set[str]]:
    """What it answers now, and from now on keeps."""
    return [cache.uses("web", rr_type) for rr_type in cache.rr_types]


def all_become(cache: Client, expected: set[str]) -> float:
    """Seconds until all its answers are these."""
    begin = time.monotonic()
    until(lambda: all(uses == expected for uses in ask_all(cache)), f"{cache.title} answers {expected}")
    return time.monotonic() - begin


@pytest.mark.parametrize("title", EMPTIED)
@in_namespaces
def test_a_cache_forgets_what_has_changed(title, make_dnsd, tmp_path, request):
    scene = LongScene(make_dnsd, tmp_path)
    with running_cache(scene, title) as cache:
        assert all(uses == WEB for uses in ask_all(cache))
        scene.set_health(DEAD, "unhealthy")
        assert all(uses == WEB for uses in ask_all(cache)), "without the agent it keeps the old answer"

        with following(scene, tmp_path, {"caches": [cache.setting]}) as agent:
            all_become(cache, WEB - {DEAD})  # a first start empties everything
            scene.set_health(DEAD, "healthy")
            assert all_become(cache, WEB) < SOON
            scene.set_health(DEAD, "unhealthy")
            assert all_become(cache, WEB - {DEAD}) < SOON
            assert cache.uses("late") == set()
            scene.register("late")
            until(lambda: cache.uses("late") == {"late-1"}, "an absent name appears", SOON)

            agent.wait_until_saved(scene.dnsd)
            agent.stop()
            ask_all(cache)
            scene.set_health(DEAD, "healthy")
            assert all(uses == WEB - {DEAD} for uses in ask_all(cache))
            agent.start()
            assert all_become(cache, WEB) < SOON
            assert agent.status()["snapshots"] == "0", "it knew where it was"

            scene.dnsd.kill()
            scene.dnsd.start()
            agent.wait_for("following ", 3)
            scene.set_health(DEAD, "unhealthy")
            assert all_become(cache, WEB - {DEAD}) < SOON

            cache.restart()
            ask_all(cache)
            scene.set_health(DEAD, "healthy")
            assert all_become(cache, WEB) < SOON


@contextlib.contextmanager
def driven(scene: Scene, folder: pathlib.Path, **settings):
    """HAProxy and the agent that drives it; the agent comes first, for HAProxy starts from its file."""
    haproxy = DrivenHaProxy(scene)
    with following(scene, folder, haproxy.settings(scene, **settings)) as agent:
        try:
            haproxy.start()
            yield haproxy, agent
        except BaseException:
            print((scene.folder / "client.log").read_text(errors="replace")[-3000:])
            raise
        finally:
            haproxy.stop()


def becomes_ready(haproxy: DrivenHaProxy, expected: set[str]) -> None:
    until(lambda: haproxy.ready() == expected, f"HAProxy uses {expected}", SOON)


@in_namespaces
def test_haproxy_has_the_servers_of_the_service(make_dnsd, tmp_path, request):
    scene = Scene(make_dnsd, tmp_path)
    api = scene.dnsd.api
    with driven(scene, tmp_path) as (haproxy, agent):
        becomes_ready(haproxy, WEB)
        assert haproxy.get().status == 200
        scene.set_health(DEAD, "unhealthy")
        becomes_ready(haproxy, WEB - {DEAD})
        until(lambda: DEAD not in haproxy.servers(), "it is deleted")
        scene.set_health(DEAD, "healthy")
        becomes_ready(haproxy, WEB)

        api.put(f"{WEB_PATH}/instances/a%2Fb", {"ipv6": "::1", "port": 8080, "weight": 1000})
        api.put(f"{WEB_PATH}/instances/a%2Fb/health", {"status": "healthy"})
        until(lambda: len(haproxy.ready()) == 4, "a new one arrives", SOON)
        odd = next(iter(haproxy.ready() - WEB))
        assert odd.startswith("a_b.") and haproxy.servers()[odd]["srv_addr"] == "::1"
        weights = {name: server["srv_uweight"] for name, server in haproxy.servers().items()}
        assert weights == {odd: "256"} | dict.fromkeys(WEB, "1"), "in proportion"
        api.put(f"{WEB_PATH}/instances/web-1", {"ipv4": "127.0.1.9", "port": 8081, "weight": 1000})
        until(lambda: (haproxy.servers()["web-1"]["srv_addr"], haproxy.servers()["web-1"]["srv_port"],
                       haproxy.servers()["web-1"]["srv_uweight"]) == ("127.0.1.9", "8081", "256"), "it moves", SOON)

        haproxy.ask("set server web/web-3 state maint")
        haproxy.ask("del server web/web-3")
        haproxy.ask("add server web/stranger 192.0.2.99:80")
        until(lambda: set(haproxy.servers()) == WEB | {odd}, "what a person did is mended", SOON)
        haproxy.restart()
        assert haproxy.ready() == WEB | {odd}, "it starts from the file"

        agent.stop()
        scene.set_health(DEAD, "unhealthy")
        assert haproxy.ready() == WEB | {odd}
        agent.start()
        becomes_ready(haproxy, (WEB | {odd}) - {DEAD})
        scene.dnsd.kill()
        scene.dnsd.start()
        scene.set_health(DEAD, "healthy")
        becomes_ready(haproxy, WEB | {odd})


@contextlib.contextmanager
def long_request(server: str, haproxy: DrivenHaProxy):
    """A request that is under way at that server, and does not end by itself."""
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    connection.send(b"ab")
    until(lambda: f"be=web srv={server} " in haproxy.ask("show sess"), "the request is there")
    yield connection
    connection.close()


@in_namespaces
def test_sessions_end_with_their_server_and_outlive_a_drain(make_dnsd, tmp_path, request):
    scene = Scene(make_dnsd, tmp_path)
    with driven(scene, tmp_path) as (haproxy, _agent):
        scene.set_health("web-2", "unhealthy")
        scene.set_health("web-3", "unhealthy")
        becomes_ready(haproxy, {"web-1"})
        with long_request("web-1", haproxy) as cut:
            scene.set_health("web-2", "healthy")
            becomes_ready(haproxy, {"web-1", "web-2"})
            scene.set_health("web-1", "unhealthy")
            begin = time.monotonic()
            with contextlib.suppress(http.client.HTTPException, OSError):
                assert cut.getresponse().status >= 500
            assert time.monotonic() - begin < SOON, "its session is ended"
            until(lambda: set(haproxy.servers()) == {"web-2"}, "it is deleted", SOON)

        with long_request("web-2", haproxy) as kept:
            scene.set_health("web-3", "healthy")
            becomes_ready(haproxy, {"web-2", "web-3"})
            assert scene.dnsd.addresses("web.demo.internal")  # handed out: it drains for the TTL
            scene.dnsd.api.delete(f"{WEB_PATH}/instances/web-2")
            until(lambda: haproxy.servers()["web-2"]["srv_admin_state"] == "8", "it drains", SOON)
            until(lambda: haproxy.servers()["web-2"]["srv_admin_state"] == "1", "its drain is over")
            kept.send(b"cd")
            assert kept.getresponse().status == 501, "the server itself answered"
        until(lambda: set(haproxy.servers()) == {"web-3"}, "without connections it is deleted")


@in_namespaces
def test_a_reload_under_load_loses_no_request(make_dnsd, make_backend, tmp_path, request):
    scene = Scene(make_dnsd, tmp_path)
    api = scene.dnsd.api
    backends = {f"web-{n}": make_backend(f"web-{n}", address=f"127.0.9.{n}") for n in (1, 2, 3)}

    def put(backend: Backend) -> None:
        api.put(f"{WEB_PATH}/instances/{backend.name}", {"ipv4": backend.address, "port": backend.port})

    for name in WEB:
        put(backends[name])
    scene.set_health("web-2", "unhealthy")
    scene.set_health("web-3", "unhealthy")
    with driven(scene, tmp_path) as (haproxy, agent):
        becomes_ready(haproxy, {"web-1"})  # which is all that this worker started from
        for name in ("web-2", "web-3"):
            scene.set_health(name, "healthy")
        becomes_ready(haproxy, WEB)
        # Before there is load: the sessions of one that died end with it.
        scene.set_health("web-1", "unhealthy")
        until(lambda: set(haproxy.servers()) == {"web-2", "web-3"}, "the first is gone")
        backends["web-1"].kill()
        with Load(haproxy.get) as load:
            for _ in range(3):
                load.wait_for_more()
                haproxy.reload()
                assert haproxy.ready() == {"web-2", "web-3"}
            agent.stop()
            haproxy.reload()
            assert haproxy.ready() == {"web-2", "web-3"}, "without the agent too"
            load.wait_for_more()
        assert not load.failures and load.done > 300, load.failures


@in_namespaces
def test_what_haproxy_sees_down_is_probed_at_once(make_dnsd, make_backend, tmp_path, request):
    scene = Scene(make_dnsd, tmp_path)
    api = scene.dnsd.api
    api.put(WEB_PATH, {"failure_policy": "fail_closed",
                       "check": {"type": "http", "path": "/health", "interval": 60, "rise": 1, "fall": 1}})
    backends = [make_backend(f"web-{n}", address=f"127.0.9.{n}") for n in (1, 2)]
    api.put(f"{WEB_PATH}/instances", {"instances": [
        {"id": one.name, "ipv4": one.address, "port": one.port} for one in backends]})
    for one in backends:
        api.post(f"{WEB_PATH}/instances/{one.name}/reconfirm?wait=1")
    with driven(scene, tmp_path, **{"haproxy.server_options": "check inter 100ms fall 2",
                                    "haproxy.interval": 0.1}) as (haproxy, agent):
        becomes_ready(haproxy, {"web-1", "web-2"})
        backends[1].kill()
        until(lambda: set(haproxy.servers()) == {"web-1"}, "dnsd has taken it out")
        assert api.get(f"{WEB_PATH}/instances/web-2")["status"] == "unhealthy"
        assert agent.count("HAProxy sees it down") >= 1


class UnboundBehindRelay(EmptiedUnbound):
    def configuration(self, path: str) -> str:
        return super().configuration(path).replace(f"stub-addr: {SERVER}", f"stub-addr: {SERVER}@5353")


@pytest.mark.parametrize("repeat", [0, 1])
@in_namespaces
def test_an_old_answer_that_comes_after_the_flush_is_forgotten_by_the_second(repeat, make_dnsd, tmp_path, request):
    scene = LongScene(make_dnsd, tmp_path)
    relay = Relay((SERVER, 5353), (SERVER, 53))
    cache = UnboundBehindRelay(scene)
    cache.start()
    try:
        cache.wait_until_ready()
        assert cache.uses("again") == {"again-1"}  # what it has to know of the zone
        with following(scene, tmp_path, {"caches": [cache.setting], "flush_repeat": repeat}) as agent:
            agent.wait_for("cache emptied", 1 + (repeat > 0))
            before = agent.count("cache emptied")
            relay.open.clear()
            asking = threading.Thread(target=cache.uses, args=("web",))
            asking.start()
            until(lambda: relay.held > 0, "the old answer is on its way")
            scene.set_health(DEAD, "unhealthy")
            agent.wait_for("cache emptied", before + 1)
            relay.open.set()
            asking.join()
            assert cache.uses("web") == WEB, "it came after the flush"
            if repeat:
                until(lambda: cache.uses("web") == WEB - {DEAD}, "the second flush is done", repeat + SOON)
            else:
                agent.wait_until_saved(scene.dnsd)
                assert cache.uses("web") == WEB
    finally:
        relay.open.set()
        cache.stop()


def test_a_cache_that_hangs_does_not_stop_the_others_and_gets_what_it_missed(dnsd, tmp_path):
    make_service(dnsd.api)
    hung = ControlSocket(tmp_path / "hung", reply=None)
    good = ControlSocket(tmp_path / "good")
    agent = Agent(tmp_path, dnsd.url, {"flush_timeout": 0.3, "caches": [f"unbound={hung.path}", f"unbound={good.path}"]})
    try:
        agent.start()
        for n in range(3):
            begin = time.monotonic()
            dnsd.api.put(f"{WEB_PATH}/instances/i-{n}", {"ipv4": "192.0.2.1", "port": 80})
            until(lambda: f"UBCT1 flush i-{n}.web.demo.internal" in good.lines, f"change {n}")
            assert time.monotonic() - begin < SOON
        agent.wait_for("cache is not emptied")
        assert agent.count("cache is not emptied") == 1, "it is said once"
        hung.hung.close()
        hung.path.unlink()
        mended = ControlSocket(hung.path)
        agent.wait_for("cache is emptied again")
        assert mended.lines, "what it owes is not forgotten"
    finally:
        agent.stop()


def test_no_right_to_the_socket_is_said_once(dnsd, tmp_path):
    make_service(dnsd.api)
    control = ControlSocket(tmp_path / "control")
    control.path.chmod(0)
    agent = Agent(tmp_path, dnsd.url, {"caches": [f"unbound={control.path}"]},
                  wrapper=["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"])
    try:
        agent.start()
        agent.wait_for('cache is not emptied cache=unbound')
        assert "Permission denied" in agent.log
        for n in range(3):
            dnsd.api.put(f"{WEB_PATH}/instances/i-{n}", {"ipv4": "192.0.2.1", "port": 80})
        agent.wait_for("change revision=5")
        control.path.chmod(0o600)
        agent.wait_for("cache is emptied again")
        assert agent.count("cache is not emptied") == 1
    finally:
        agent.stop()


def change(revision: int, name="web.demo.internal", **more) -> tuple:
    return ("change", revision, {"revision": revision, "cause": "health", "namespace": "demo.internal",
                                 "service": "web", "dns_names": [name]} | more)


SNAPSHOT = ("snapshot", 5, {"revision": 5, "services": [{"namespace": "demo.internal", "service": "web"}]})


@pytest.mark.parametrize("lie", [
    [change(6), change(6)], [change(6), change(8)], [change(4)], [change(6, name="a b")],
    [("change", 6, "no JSON")], [("change", 6, {})], [("snapshot", 6, "[]")],
], ids=["repeat", "skip", "back", "no name", "no JSON", "no change", "no snapshot"])
def test_a_stream_that_contradicts_itself_empties_everything(lie, tmp_path):
    centre = Centre([SNAPSHOT, *lie], [SNAPSHOT, change(6, name="true.demo.internal")])
    control = ControlSocket(tmp_path / "control")
    agent = Agent(tmp_path, centre.url, {"caches": [f"unbound={control.path}"], "flush_repeat": 0,
                                         "flush_interval": 0})
    try:
        agent.start()
        agent.wait_for("stream is not believed")
        until(lambda: "UBCT1 flush true.demo.internal" in control.lines, "it goes on with a snapshot")
        assert centre.resumed == [None, None], "it does not resume where it was lied to"
        assert control.lines.count("UBCT1 flush_zone demo.internal") >= 2
    finally:
        centre.ended.set()
        agent.stop()


def test_who_is_lost_is_followed_by_the_next_and_resumed(tmp_path):
    first, second = Centre([SNAPSHOT, change(6)]), Centre([change(7, name="next.demo.internal")])
    control = ControlSocket(tmp_path / "control")
    agent = Agent(tmp_path, first.url, {"follow": [first.url, second.url], "caches": [f"unbound={control.path}"]})
    try:
        agent.start()
        agent.wait_for("change revision=6")
        first.server.shutdown()
        first.ended.set()
        until(lambda: "UBCT1 flush next.demo.internal" in control.lines, "the second is followed")
        assert second.resumed == ["6"]
    finally:
        second.ended.set()
        agent.stop()


def test_a_state_that_cannot_be_kept_is_a_warning(dnsd, tmp_path):
    make_service(dnsd.api)
    control = ControlSocket(tmp_path / "control")
    agent = Agent(tmp_path, dnsd.url, {"state_file": "/dev/full/state", "caches": [f"unbound={control.path}"]})
    try:
        agent.start()
        agent.wait_for("state is not saved")
        dnsd.api.put(f"{WEB_PATH}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
        until(lambda: "UBCT1 flush web.demo.internal" in control.lines, "it goes on")
    finally:
        agent.stop()


@in_namespaces
def test_a_full_disk_is_a_warning_and_ends(make_dnsd, tmp_path, request):
    dnsd = make_dnsd().start()
    make_service(dnsd.api)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
    with contextlib.suppress(OSError):
        (disk / "filler").write_bytes(b"x" * 200_000)
    agent = Agent(tmp_path, dnsd.url, {"state_file": str(disk / "state.json"),
                                       "outputs": [f"demo.internal/web json {disk}/web.json"]})
    try:
        agent.start()
        agent.wait_for("state is not saved")
        agent.wait_for("output fails")
        (disk / "filler").unlink()
        until(lambda: (disk / "web.json").exists(), "the output is written")
        dnsd.api.put(f"{WEB_PATH}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
        agent.wait_until_saved(dnsd)
    finally:
        agent.stop()


def test_a_token_that_is_wrong_is_told_and_read_again(make_dnsd, tmp_path):
    tokens, token = tmp_path / "tokens", tmp_path / "token"
    good = "secret"
    tokens.write_text(f"{hashlib.sha256(good.encode()).hexdigest()} write\n")
    token.write_text("wrong\n")
    dnsd = make_dnsd(settings={"api.listen": ["0.0.0.0:0"], "api.tokens": str(tokens), "api.insecure": True}).start()
    dnsd.apis, dnsd.token = [("127.0.0.1", dnsd.apis[0][1])], good
    make_service(dnsd.api)
    agent = Agent(tmp_path, dnsd.url, {"token_file": str(token)})
    starting = threading.Thread(target=agent.start)
    starting.start()
    agent.wait_for("it answered 401")
    token.write_text(f"{good}\n")
    starting.join()
    agent.stop()


def test_files_are_written_and_commands_run(dnsd, tmp_path):
    make_service(dnsd.api)
    template, ran = tmp_path / "template", tmp_path / "ran"
    template.write_text("{{#instances}}\n{{id}} {{endpoint}} {{weight}}\n{{/instances}}\n{{^instances}}\nnobody\n"
                        "{{/instances}}\n")
    files = {name: tmp_path / f"web.{name}" for name in ("json", "nginx", "text")}
    agent = Agent(tmp_path, dnsd.url, {"outputs": [
        f"demo.internal/web json {files['json']}", f"demo.internal/web nginx {files['nginx']}",
        f"demo.internal/web {template} {files['text']} cp {files['text']} {ran}"]})
    try:
        agent.start()
        until(lambda: ran.exists() and ran.read_text() == "nobody\n", "there is nobody")
        dnsd.api.put(f"{WEB_PATH}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80, "weight": 7})
        until(lambda: ran.read_text() == "i-1 192.0.2.1:80 7\n", "the command has run")
        assert json.loads(files["json"].read_text())["instances"] == [
            {"id": "i-1", "address": "192.0.2.1", "port": 80, "weight": 7}]
        assert files["nginx"].read_text() == (
            "upstream demo_internal_web {\n    server 192.0.2.1:80 weight=7;\n}\n")
    finally:
        agent.stop()


@in_namespaces
def test_after_random_changes_all_see_what_dnsd_has(make_dnsd, tmp_path, request):
    scene = LongScene(make_dnsd, tmp_path)
    api, dice = scene.dnsd.api, random.Random(1)
    with running_cache(scene, "unbound") as cache, driven(
            scene, tmp_path, caches=[cache.setting]) as (haproxy, agent):
        for _ in range(1000):
            name = f"web-{dice.randint(1, 6)}"
            path = f"{WEB_PATH}/instances/{name}"
            match dice.randrange(4):
                case 0:
                    api.put(path, {"ipv4": f"127.0.1.{name[-1]}", "port": 8080, "weight": dice.randint(1, 300)})
                case 1:
                    api.request("DELETE", path)
                case _:
                    api.request("PUT", f"{path}/health", {"status": dice.choice(["healthy", "unhealthy"])})
            cache.ask("A", "web")  # what is asked meanwhile is kept, if it is not forgotten
        healthy = {one["id"] for one in api.get(f"{WEB_PATH}/instances")["instances"] if one["status"] == "healthy"}
        addresses = {f"127.0.1.{name[-1]}" for name in healthy}
        until(lambda: haproxy.ready() == healthy, "HAProxy's view is dnsd's", SOON)
        until(lambda: set(cache.ask("A", "web")) == addresses == set(scene.dnsd.addresses("web.demo.internal")),
              "unbound's view is dnsd's", SOON)
        assert agent.status()["doubts"] == "0"


def test_the_shipped_configuration_is_all_defaults(tmp_path):
    printed = subprocess.run([DNSD_AGENT, "--config", ROOT / "conf/dnsd-agent.toml", "--print-config"],
                             capture_output=True, text=True, check=True)
    assert printed.stdout == (ROOT / "conf/dnsd-agent.toml").read_text()
    refused = subprocess.run([DNSD_AGENT, "--set", "caches=kresd"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "known are unbound, bind" in refused.stderr
