#!/usr/bin/python3
"""Envoys that hold their requests: what 200 nodes with 50 services each cost dnsd at rest and per
change, and how long after its commit the real Envoy's admin page shows a change.

usage: tools/build release && DNSD=build/release/dnsd unshare -Urnmp --fork --kill-child --mount-proc tests/bench/xds_bench.py
"""

import json
import os
import pathlib
import platform
import random
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from envoy import API, metric, running_envoy  # noqa: E402
from harness import DNSD, NAMESPACE, WEB, Daemon, make_service, until, wall_time  # noqa: E402

NODES, SERVICES, CHANGES = 200, 50, 100
# As long as Envoy 1.40 describes itself.
EXTENSIONS = [{"name": f"envoy.extension.{n:04}", "category": "envoy.filters.http",
               "type_urls": [f"envoy.extensions.filters.http.some_extension_{n:04}.v3.SomeExtension"]} for n in range(500)]


class Nodes:
    """Sockets that each hold one request: per node its clusters, routes and listeners, and the endpoints
    of every service. Answered, they ask again with the version they got."""

    def __init__(self, address, services: list[str]):
        self.epoll, self.held = select.epoll(), {}
        self.patient = False  # answered with resources, they ask again only when resume() says so
        self.silent = []
        for node in range(NODES):
            wanted = [("endpoints", [service]) for service in services]
            for what, names in [("clusters", []), ("routes", ["outbound_http"]), ("listeners", []), *wanted]:
                connection = socket.create_connection(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.held[connection.fileno()] = [connection, what, names, node, "", b""]
                self.epoll.register(connection, select.EPOLLIN)
        for hold in self.held.values():
            self.ask(hold)
            self.serve(0)

    def ask(self, hold) -> None:
        connection, what, names, node, version, _ = hold
        body = json.dumps({"version_info": version, "resource_names": names,
                           "node": {"id": f"node-{node}", "cluster": "bench", "extensions": EXTENSIONS}}).encode()
        head = (f"POST /v3/discovery:{what} HTTP/1.1\r\nHost: dnsd\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        connection.setblocking(True)
        connection.sendall(head + body)

    def serve(self, timeout) -> list[float]:
        """When each answer that came now was whole, in seconds of the monotonic clock."""
        moments = []
        for descriptor, _ in self.epoll.poll(timeout):
            hold = self.held[descriptor]
            hold[5] += hold[0].recv(1 << 20)
            head, separator, body = hold[5].partition(b"\r\n\r\n")
            if not separator:
                continue
            if head.startswith(b"HTTP/1.1 200"):
                length = next(int(line.split()[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
                if len(body) < length:
                    continue
                hold[4] = json.loads(body)["version_info"]
                moments.append(time.monotonic())
            hold[5] = b""
            if self.patient and head.startswith(b"HTTP/1.1 200"):
                self.silent.append(hold)
            else:
                self.ask(hold)
        return moments

    def resume(self) -> None:
        """Envoy waits 0.2 to 0.4 s; so long nobody does here."""
        for hold in self.silent:
            self.ask(hold)
        self.silent = []


def cpu_seconds(process) -> float:
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(process) -> float:
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def many_nodes(folder: pathlib.Path) -> None:
    dnsd = Daemon(folder).start()
    for number in range(SERVICES):
        path = make_service(dnsd.api, name=f"s-{number}")
        dnsd.api.put(f"{path}/instances", {"instances": [
            {"id": f"i-{n}", "ipv4": f"192.0.2.{n + 1}", "port": 80} for n in range(5)]})
    before = resident_megabytes(dnsd.process)
    began, cpu = time.monotonic(), cpu_seconds(dnsd.process)
    nodes = Nodes(dnsd.apis[0], [f"s-{number}.demo.internal" for number in range(SERVICES)])
    wanted = len(nodes.held)
    while metric(dnsd.api, "dnsd_xds_held") < wanted:
        nodes.serve(0.05)
    print(f"{NODES} nodes x {SERVICES} services: {wanted} requests held, after {time.monotonic() - began:.1f} s and "
          f"{cpu_seconds(dnsd.process) - cpu:.1f} s CPU of dnsd; "
          f"{before:.0f} MB became {resident_megabytes(dnsd.process):.0f} MB")

    began, cpu = time.monotonic(), cpu_seconds(dnsd.process)
    while time.monotonic() - began < 40:
        nodes.serve(0.1)
    at_rest = (cpu_seconds(dnsd.process) - cpu) / (time.monotonic() - began)
    print(f"at rest: {100 * at_rest:.1f} % of a core, "
          f"{resident_megabytes(dnsd.process):.0f} MB")

    lasts, costs = [], []
    nodes.patient = True
    for turn in range(20):
        cpu, sent = cpu_seconds(dnsd.process), time.monotonic()
        change = threading.Thread(target=dnsd.api.put, args=(
            f"{NAMESPACE}/services/s-7/instances/i-0", {"ipv4": "192.0.2.1", "port": 1000 + turn}))
        change.start()
        moments = []
        while len(moments) < NODES:
            moments += nodes.serve(1)
        change.join()
        lasts.append(1000 * (moments[-1] - sent))
        nodes.resume()
        # Some are always between two holds.
        until(lambda: nodes.serve(0) == [] and metric(dnsd.api, "dnsd_xds_held") > 0.995 * wanted, "they wait again")
        costs.append(cpu_seconds(dnsd.process) - cpu - at_rest * (time.monotonic() - sent))
    print(f"a change of one service: the last of {NODES} nodes has it {statistics.median(lasts):.0f} ms after the request "
          f"was sent (worst {max(lasts):.0f}), {1000 * statistics.mean(costs):.0f} ms CPU of dnsd more than at rest")
    dnsd.kill()


def real_envoy(folder: pathlib.Path) -> None:
    dnsd = Daemon(folder / "dnsd", settings=API).start()
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-0", {"ipv4": "127.0.0.9", "port": 80})
    rng = random.Random(1)
    with running_envoy(folder) as envoy:
        until(lambda: envoy.hosts(), "Envoy has an endpoint")
        until(lambda: metric(dnsd.api, "dnsd_xds_held") == 4, "it waits")
        for what, pause in (("1 s apart", lambda: 1.0), ("at random, 0.3 s on average", lambda: rng.expovariate(1 / 0.3))):
            took, due = [], time.monotonic()
            for turn in range(CHANGES):
                due += pause()
                while (left := due - time.monotonic()) > 0:
                    threading.Event().wait(left)
                changed = dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.10", "port": 1000 + turn})
                while f"127.0.0.10:{1000 + turn}" not in envoy.hosts():
                    pass
                shown = time.time()
                event = dnsd.api.get(f"/v1/events?after={changed['revision'] - 1}&limit=1")["events"][0]
                took.append(1000 * (shown - wall_time(event["times"]["committed"])))
            took.sort()
            print(f"{CHANGES} changes {what}: from commit to Envoy's /clusters median {statistics.median(took):.1f} ms, "
                  f"p99 {took[CHANGES * 99 // 100 - 1]:.1f}, max {took[-1]:.1f}")


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores, {DNSD}")
    with tempfile.TemporaryDirectory() as folder:
        real = pathlib.Path(folder) / "real"
        real.mkdir()
        many_nodes(pathlib.Path(folder) / "many")
        real_envoy(real)


if __name__ == "__main__":
    main()
