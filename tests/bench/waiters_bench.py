#!/usr/bin/python3
"""10,000 clients wait for changes. How long until a change that concerns 100 of them, and one that
concerns all, has reached them; and are registrations acknowledged meanwhile?

usage: tools/build release && DNSD=build/release/dnsd tests/bench/waiters_bench.py
"""

import pathlib
import platform
import resource
import select
import socket
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import DNSD, NAMESPACE, Daemon, make_service, until  # noqa: E402

FEW, ALL, ROUNDS = 100, 10_000, 5


class Waiters:
    """Sockets that each wait for one service, and the moments at which their replies begin."""

    def __init__(self, dnsd, counts: dict[str, int]):
        self.dnsd, self.epoll, self.sockets = dnsd, select.epoll(), {}
        for service, count in counts.items():
            for _ in range(count):
                client = socket.create_connection(dnsd.apis[0])
                self.sockets[client.fileno()] = (client, service)
                self.epoll.register(client, select.EPOLLIN)
        for client, service in self.sockets.values():
            self.ask(client, service)

    def ask(self, client, service) -> None:
        client.sendall(f"GET {NAMESPACE}/services/{service}/instances?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def all_wait(self) -> None:
        until(lambda: self.dnsd.api.get("/v1/status")["waiting"] == len(self.sockets), "all wait")

    def replies(self, count: int) -> list[float]:
        """When each of the next replies came; then those clients wait again."""
        moments, answered = [], []
        while len(moments) < count:
            for descriptor, _ in self.epoll.poll():
                moments.append(time.monotonic())
                answered.append(self.sockets[descriptor])
                answered[-1][0].recv(65536)
        for client, service in answered:
            self.ask(client, service)
        return moments


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {DNSD}, {ALL} waiting clients")
    with tempfile.TemporaryDirectory() as folder:
        dnsd = Daemon(pathlib.Path(folder)).start()
        for name in ("few", "many", "other"):
            make_service(dnsd.api, name=name)
        waiters = Waiters(dnsd, {"few": FEW, "many": ALL - FEW})
        registered, stop = [], threading.Event()

        def register() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                began = time.monotonic()
                dnsd.api.put(f"{NAMESPACE}/services/other/instances/i", {"ipv4": "192.0.2.1", "port": number % 60000 + 1})
                registered.append((began, time.monotonic() - began))

        writer = threading.Thread(target=register)
        writer.start()
        print(f"{'concerned':>10} {'reached first':>14} {'p50':>10} {'last':>10}   (ms after the request was sent)")
        for service, count in (("few", FEW), ("many", ALL - FEW)):
            firsts, middles, lasts = [], [], []
            for turn in range(ROUNDS):
                waiters.all_wait()
                sent = time.monotonic()
                change = threading.Thread(target=dnsd.api.put, args=(
                    f"{NAMESPACE}/services/{service}/instances/i", {"ipv4": "192.0.2.1", "port": turn + 1}))
                change.start()
                moments = [1000 * (moment - sent) for moment in waiters.replies(count)]
                change.join()
                firsts.append(moments[0])
                middles.append(statistics.median(moments))
                lasts.append(moments[-1])
            print(f"{count:>10} {statistics.median(firsts):>14.1f} {statistics.median(middles):>10.1f} "
                  f"{statistics.median(lasts):>10.1f}   worst {max(lasts):.1f}")
        stop.set()
        writer.join()
        took = sorted(1000 * duration for _, duration in registered)
        print(f"registrations meanwhile, one client: {len(took)}, p50 {took[len(took) // 2]:.1f} ms, "
              f"p99 {took[len(took) * 99 // 100]:.1f} ms, max {took[-1]:.1f} ms")
        dnsd.kill()


if __name__ == "__main__":
    main()
