#!/usr/bin/python3
"""A thousand replicas lose their centre: how they come back, measured at the centre.

Each replica is a connection that follows /v1/changes as dnsd's follower does, with its jitter and its
resumption; the centre is a real dnsd that is killed and started again.

usage: tools/build release && DNSD=build/release/dnsd tests/bench/herd_bench.py
"""

import asyncio
import os
import pathlib
import platform
import random
import re
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import DNSD, WEB, Daemon, make_service  # noqa: E402

REPLICAS = 1000
INSTANCES = 1000
DOWN_SECONDS = 3.0
FIRST, MOST = 0.2, 10.0  # as dnsd/replica/follower.h
TICKS = os.sysconf("SC_CLK_TCK")


class Replica:
    def __init__(self, address):
        self.address = address
        self.revision, self.identity, self.attempts = None, "", 0
        self.caught_up_at = None
        self.octets = 0

    async def follow(self) -> None:
        failures = 0
        while True:
            try:
                await self.connection()
                failures = 0
            except (OSError, asyncio.IncompleteReadError, ValueError):
                pass
            self.caught_up_at = None
            await asyncio.sleep(random.uniform(0, min(MOST, FIRST * 2 ** failures)))
            failures += 1

    async def connection(self) -> None:
        self.attempts += 1
        reader, writer = await asyncio.open_connection(*self.address, limit=1 << 24)
        try:
            path = "/v1/changes?heartbeat=1" + (f"&identity={self.identity}" if self.identity else "")
            seen = f"Last-Event-ID: {self.revision}\r\n" if self.revision is not None else ""
            writer.write(f"GET {path} HTTP/1.1\r\nHost: centre\r\n{seen}\r\n".encode())
            kind = ""
            while line := await reader.readline():
                self.octets += len(line)
                if line.startswith(b"event: "):
                    kind = line[7:].strip().decode()
                elif line.startswith(b"id: "):
                    self.revision = int(line[4:])
                elif found := re.search(rb'"identity":"(\w+)"', line):
                    self.identity = found[1].decode()
                if kind in ("end", "heartbeat", "change") and self.caught_up_at is None:
                    self.caught_up_at = time.monotonic()
        finally:
            writer.close()


def cpu(process) -> float:
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(process) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


async def all_caught_up(replicas) -> float:
    while any(one.caught_up_at is None for one in replicas):
        await asyncio.sleep(0.01)
    return max(one.caught_up_at for one in replicas)


async def measure(centre: Daemon) -> None:
    replicas = [Replica(centre.apis[0]) for _ in range(REPLICAS)]
    began = time.monotonic()
    used = cpu(centre.process)
    tasks = [asyncio.create_task(one.follow()) for one in replicas]
    first = await all_caught_up(replicas)
    print(f"{REPLICAS} snapshots of {INSTANCES} instances at once: all there after {first - began:.1f} s, "
          f"{cpu(centre.process) - used:.1f} s of CPU, {sum(one.octets for one in replicas) / 1e6:.0f} MB sent, "
          f"{resident(centre.process):.0f} MB resident")
    used, began = cpu(centre.process), time.monotonic()
    await asyncio.sleep(5)
    print(f"quiet, a heartbeat each second: {100 * (cpu(centre.process) - used) / 5:.1f} % of a core")
    delays = []
    for number in range(20):
        seen = [one.revision for one in replicas]
        await asyncio.to_thread(centre.api.put, f"{WEB}/instances/i-0", {"ipv4": f"192.0.2.{number}", "port": 80})
        told = time.monotonic()
        while any(one.revision == was for one, was in zip(replicas, seen)):
            await asyncio.sleep(0.001)
        delays.append(time.monotonic() - told)
    print(f"a change has reached the last of them {1000 * statistics.median(delays):.0f} ms after its acknowledgement "
          f"(median of 20, most {1000 * max(delays):.0f} ms)")
    for one in replicas:
        one.attempts = one.octets = 0
    await asyncio.to_thread(centre.kill)
    await asyncio.sleep(DOWN_SECONDS)
    await asyncio.to_thread(centre.start)
    up = time.monotonic()
    await all_caught_up(replicas)
    back = sorted(one.caught_up_at - up for one in replicas)
    busiest = max(sum(start <= at < start + 0.1 for at in back) for start in (n / 10 for n in range(200)))
    print(f"down for {DOWN_SECONDS:.0f} s: half are back {back[len(back) // 2]:.1f} s after the start, all after {back[-1]:.1f} s; "
          f"at most {busiest} in a tenth of a second; {sum(one.attempts for one in replicas) / REPLICAS:.1f} attempts each; "
          f"{cpu(centre.process):.1f} s of CPU at the centre, {sum(one.octets for one in replicas) / 1e6:.1f} MB sent")
    for task in tasks:
        task.cancel()


def main() -> None:
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores, {DNSD}")
    with tempfile.TemporaryDirectory() as folder:
        centre = Daemon(pathlib.Path(folder)).start()
        make_service(centre.api)
        centre.api.put(f"{WEB}/instances", {"instances": [
            {"id": f"i-{n}", "ipv4": f"10.0.{n // 256}.{n % 256}", "port": 80} for n in range(INSTANCES)]})
        asyncio.run(measure(centre))
        centre.stop()


if __name__ == "__main__":
    main()
