#!/usr/bin/python3
"""How long from a commit in dnsd to the last old answer of a cache, or the last server of HAProxy, that
dnsd-agent keeps up to date, and what a change costs the agent? TTLs are five minutes.

usage: tools/build release && tests/bench/agent_bench.py [CHANGES]     (50 unless given; root, or user namespaces)
"""

import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
for variable, program in (("DNSD", "dnsd"), ("DNSD_AGENT", "dnsd-agent")):
    os.environ.setdefault(variable, str(ROOT / "build/release" / program))

from agents import EMPTIED, Agent, DrivenHaProxy, LongScene  # noqa: E402
from harness import DNSD_AGENT, Daemon, until, wall_time  # noqa: E402
from namespaces import working_unshare  # noqa: E402

DEAD = "web-2"
QUIET = 0.4  # after flush_repeat, nothing moves any more


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
    time.sleep(1)
    before, lasts = cpu_seconds(agent.process.pid), []
    for n in range(changes):
        becomes_dead = n % 2 == 0
        scene.set_health(DEAD, "unhealthy" if becomes_dead else "healthy")
        last_old = seen_new = 0.0
        while not seen_new or time.time() < max(seen_new, last_old) + QUIET:
            asked = time.time()
            if uses_dead() == becomes_dead:
                last_old = asked
            else:
                seen_new = seen_new or asked
        times = scene.dnsd.api.get("/v1/events?limit=1")["events"][0]["times"]
        lasts.append(max(0.0, 1000 * (last_old - wall_time(times["committed"]))))
    cost = 1000 * (cpu_seconds(agent.process.pid) - before) / changes
    lasts.sort()
    print(f"| {title} | {statistics.median(lasts):.1f} | {lasts[min(len(lasts) - 1, len(lasts) * 99 // 100)]:.1f} "
          f"| {cost:.1f} |", flush=True)
    agent.stop()
    software.stop()
    made[0].stop()


def main() -> None:
    if len(sys.argv) > 2:
        measure(sys.argv[2], int(sys.argv[1]))
        return
    changes = sys.argv[1] if len(sys.argv) > 1 else "50"
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {DNSD_AGENT}, {changes} changes each\n\n"
          "| software | last old answer after the commit, median (ms) | p99 (ms) | CPU of the agent per change (ms) |\n"
          "|---|---|---|---|", flush=True)
    for title in (*EMPTIED, DrivenHaProxy.title):
        subprocess.run([*working_unshare(), sys.executable, __file__, changes, title], check=True)


if __name__ == "__main__":
    main()
