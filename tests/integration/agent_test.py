"""dnsd-agent with the real caches and the real HAProxy: with TTLs of five minutes, what is dead leaves their
answers within a fraction of a second."""

import contextlib
import http.client
import pathlib
import time

import pytest

from agents import EMPTIED, Agent, DrivenHaProxy, Load, LongScene
from clients import Client, Scene
from harness import NAMESPACE, Backend, make_service, until
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
        with Load(haproxy.get) as load:
            for name in ("web-2", "web-3"):
                scene.set_health(name, "healthy")
            becomes_ready(haproxy, WEB)
            scene.set_health("web-1", "unhealthy")
            until(lambda: set(haproxy.servers()) == {"web-2", "web-3"}, "the first is gone")
            backends["web-1"].kill()
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
