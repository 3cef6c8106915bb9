#!/usr/bin/python3
"""A backend is killed. How long from the verdict (the end of the probe that decided) to the first
answer without it, and from the kill?

usage: tools/build release && DNSD=build/release/dnsd tests/bench/verdict_bench.py
"""

import pathlib
import platform
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import DNSD, WEB, Backend, Daemon, make_service, until, wall_time  # noqa: E402

ROUNDS = 30
CHECK = {"type": "http", "path": "/health", "interval": 0.5, "timeout": 0.4, "rise": 1, "fall": 2}


def main() -> None:
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {DNSD}, {ROUNDS} kills, "
          f"checks every {CHECK['interval']} s, fall {CHECK['fall']}")
    with tempfile.TemporaryDirectory() as folder:
        dnsd = Daemon(pathlib.Path(folder)).start()
        make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": CHECK})
        backend = Backend("i-1").start()
        dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": backend.port})
        from_verdict, from_kill = [], []
        for turn in range(ROUNDS):
            until(lambda: dnsd.addresses("web.demo.internal"), "it is answered")
            time.sleep(0.5 * (turn % 10) / 10)  # kills fall anywhere between two ticks
            killed = time.time()
            backend.kill()
            while dnsd.addresses("web.demo.internal"):
                pass
            gone = time.time()
            event = until(lambda: next((e for e in dnsd.api.get("/v1/events?limit=5")["events"]
                                        if e["cause"] == "health"), None), "the event")
            from_verdict.append(1000 * (gone - wall_time(event["times"]["detected"])))
            from_kill.append(1000 * (gone - killed))
            backend.start()
        for what, values in (("verdict", from_verdict), ("kill", from_kill)):
            values.sort()
            print(f"{what:>8} -> first answer without it: median {statistics.median(values):.1f} ms, "
                  f"p90 {values[len(values) * 9 // 10]:.1f} ms, max {values[-1]:.1f} ms")
        backend.kill()
        dnsd.kill()


if __name__ == "__main__":
    main()
