#!/usr/bin/python3
"""How long from a commit in dnsd to the last old answer of a cache, or the last server of HAProxy, that
dnsd-agent keeps up to date, and what a change costs the agent? TTLs are five minutes.

usage: tools/build release && tests/bench/agent_bench.py [CHANGES]     (100, an even number, unless given; root, or user namespaces)
"""

import os
import pathlib
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
for variable, program in (("DNSD", "dnsd"), ("DNSD_AGENT", "dnsd-agent")):
    os.environ.setdefault(variable, str(ROOT / "build/release" / program))

from agents import EMPTIED, Agent, DrivenHaProxy, LongScene  # noqa: E402
from harness import DNSD_AGENT, Daemon, until, wall_time  # noqa: E402
from namespaces import working_unshare  # noqa: E402

DEAD = "web-2"
QUIET = 0.6  # seconds after the last change: flush_repeat is over
SPACINGS = ("1 s apart", "at random, 0.3 s apart on average")


def cpu_seconds(process: int) -> float:
    """Of the process, and of the programs that it ran."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(title: str, changes: int) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = pathlib.Path(tempfile.mkdtemp())
    made = []

    def make_dnsd(settings) -> Daemon:
        made.append(Daemon(folder / "dnsd", settings))
        return made[0]

    scene = LongScene(make_dnsd, folder)
    if title == DrivenHaProxy.title:
        software = DrivenHaProxy(scene)
        settings = software.settings(scene)
        uses_dead = lambda: DEAD in software.ready()  # noqa: E731
    else:
        software = EMPTIED[title](scene)
        settings = {"caches": [software.setting]}
        uses_dead = lambda: DEAD in software.uses("web")  # noqa: E731
        software.start()
        software.wait_until_ready()
    agent = Agent(folder, scene.dnsd.url, settings | {"log.level": "info"}).start()
    if title == DrivenHaProxy.title:
        software.start()
    until(uses_dead, "all are used")
    for spacing in SPACINGS:
        samples: list[tuple[float, bool]] = []  # when it was asked, and whether the dead one is used
        before, orders_before = cpu_seconds(agent.process.pid), orders(agent)
        changer = threading.Thread(target=change, args=(scene, changes, spacing))
        changer.start()
        while changer.is_alive():
            asked = time.time()
            samples.append((asked, uses_dead()))
            time.sleep(0.001)
        cost = 1000 * (cpu_seconds(agent.process.pid) - before) / changes
        events = scene.dnsd.api.get(f"/v1/events?limit={changes}")["events"][::-1]
        commits = [wall_time(event["times"]["committed"]) for event in events]
        lasts = sorted(last_old(samples, commits, n) for n in range(changes))
        print(f"| {title} | {spacing} | {statistics.median(lasts):.1f} "
              f"| {lasts[min(changes - 1, changes * 99 // 100)]:.1f} | {cost:.1f} "
              f"| {(orders(agent) - orders_before) / changes:.1f} |", flush=True)
    agent.stop()
    software.stop()
    made[0].stop()


def orders(agent: Agent) -> int:
    """How often it has emptied the cache, or told HAProxy something."""
    agent.status()
    until(lambda: re.search(r"(flushes|commands)=\d+ failures=\d+$", agent.log.rstrip()), "it tells all of its status")
    return int(re.findall(r"(?:flushes|commands)=(\d+)", agent.log)[-1])


def change(scene: LongScene, changes: int, spacing: str) -> None:
    """An instance dies and comes back, at times drawn beforehand."""
    dice, at = random.Random(7), time.time() + 1
    for n in range(changes):
        time.sleep(max(0.0, at - time.time()))
        scene.set_health(DEAD, "unhealthy" if n % 2 == 0 else "healthy")
        at += 1.0 if spacing == SPACINGS[0] else dice.expovariate(1 / 0.3)
    time.sleep(QUIET)


def last_old(samples: list[tuple[float, bool]], commits: list[float], n: int) -> float:
    """Milliseconds from a commit to the last answer that did not know it, before the next commit."""
    end = commits[n + 1] if n + 1 < len(commits) else float("inf")
    old = [asked for asked, used in samples if commits[n] <= asked < end and used == (n % 2 == 0)]
    return 1000 * (max(old) - commits[n]) if old else 0.0


def main() -> None:
    if len(sys.argv) > 2:
        measure(sys.argv[2], int(sys.argv[1]))
        return
    changes = sys.argv[1] if len(sys.argv) > 1 else "100"
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {DNSD_AGENT}, {changes} changes each\n\n"
          "| software | changes | last old answer after the commit, median (ms) | p99 (ms) | CPU of the agent per change (ms) "
          "| flushes, or commands, per change |\n|---|---|---|---|---|---|", flush=True)
    for title in (*EMPTIED, DrivenHaProxy.title):
        subprocess.run([*working_unshare(), sys.executable, __file__, changes, title], check=True)


if __name__ == "__main__":
    main()
