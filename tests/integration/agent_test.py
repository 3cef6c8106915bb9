"""dnsd-agent with the real caches and the real HAProxy: with TTLs of five minutes, what is dead leaves their
answers within a fraction of a second."""

import contextlib
import pathlib
import time

import pytest

from agents import EMPTIED, Agent, LongScene
from clients import Client
from harness import NAMESPACE, until
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
