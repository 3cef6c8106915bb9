#!/usr/bin/python3
"""What a change costs: registrations acknowledged a second with 1, 16 and 256 clients, and how long until an answer shows
one. dnsd beside etcd, PowerDNS (SQLite), and Knot and BIND by nsupdate, in the same run, all durable as they come; then
dnsd's HTTP front without a store, and SQLite alone (bench_register), a hundred thousand health transitions at once
(bench_transitions), and twice as many questions as it can answer.

etcd, PowerDNS and dnsd are changed over HTTP by the same program (bench_http_load), one request under way a client;
Knot and BIND by as many nsupdate. Servers and load share the machine's cores. Visible: from the sending of
the change to the first UDP answer that shows it, asked over and over.

usage: tools/bench changes, or tests/bench/change_bench.py --help
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("DNSD", str(ROOT / "build/release/dnsd"))
PROGRAMS = pathlib.Path(os.environ.get("DNSD_BENCHES", ROOT / "build/bench"))
sys.path.insert(0, str(ROOT / "tests/integration"))
sys.path.insert(0, str(ROOT / "tests/bench"))

import dns.message  # noqa: E402
import dns.update  # noqa: E402

import nameserver_bench  # noqa: E402
from harness import Daemon, until  # noqa: E402
from name_servers import Bind, Key, Knot, Zone  # noqa: E402

ZONE = "bench.internal"
ZONE_TEXT = f"$ORIGIN {ZONE}.\n@ 5 SOA ns1 hostmaster 1 7200 900 1209600 5\n@ 5 NS ns1\nns1 5 A 192.0.2.53\n"
CLIENTS = (1, 16, 256)
SCRATCH = "/var/tmp"  # a disk, where /tmp may be memory


class Changed:
    """Something that changes are made in. `http`: method, path, body and headers of one."""

    name = ""
    http: tuple | None = None
    changes_max = 1_000_000  # whose delays are taken

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.refused: dict[int, float] = {}  # by clients: the share of the last measurement
        folder.mkdir()
        self.start()

    def rate(self, clients: int, seconds: float) -> float:
        method, path, body, *headers = self.http
        done = subprocess.run([PROGRAMS / "bench_http_load", "127.0.0.1", str(self.api), str(clients), str(seconds),
                               method, path, body, *headers], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-1000:]
        result = json.loads(done.stdout)
        if result["refused"]:
            self.refused[clients] = result["refused"] / (result["refused"] + result["acknowledged"])
        return result["rate"]

    def change(self, number: int) -> tuple[socket.socket, bytes]:
        """A connected socket, and the octets whose sending is the change of v.<zone> to address_of(number)."""
        method, path, body, *headers = self.visible_http(number)
        connection = socket.create_connection(("127.0.0.1", self.api))
        text = "".join(f"{header}\r\n" for header in ("Host: bench", *headers, "Content-Type: application/json",
                                                     f"Content-Length: {len(body)}"))
        return connection, f"{method} {path} HTTP/1.1\r\n{text}\r\n{body}".encode()

    def visible_after(self, number: int) -> float:
        """Seconds."""
        connection, octets = self.change(number)
        query = dns.message.make_query(f"v.{ZONE}", "A", use_edns=0).to_wire()
        wanted = socket.inet_aton(address_of(number))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, connection:
            asking.connect(self.at)
            asking.settimeout(1)
            started = time.perf_counter()
            connection.send(octets)
            while time.perf_counter() - started < 60:
                asking.send(query)
                if wanted in asking.recv(4096):
                    took = time.perf_counter() - started
                    connection.settimeout(10)
                    connection.recv(65536)  # one change is over before the next begins
                    return took
        raise AssertionError(f"{self.name} does not show the change")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def address_of(number: int) -> str:
    return f"10.77.{number >> 8}.{number & 255}"


def spawned(folder: pathlib.Path, *command: str) -> subprocess.Popen:
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Dnsd(Changed):
    name = "dnsd"
    http = ("PUT", f"/v1/namespaces/{ZONE}/services/web/instances/i-{{client}}", '{"ipv4":"192.0.2.1","port":{count}}')

    def start(self) -> None:
        self.daemon = Daemon(self.folder / "state", settings={"dns.workers": 1}).start()
        api = self.daemon.api
        api.put(f"/v1/namespaces/{ZONE}", {"ttl": 5})
        for service in ("web", "v"):
            api.put(f"/v1/namespaces/{ZONE}/services/{service}", {})
        self.api, self.at = int(self.daemon.url.rpartition(":")[2]), self.daemon.dns[0]

    def visible_http(self, number: int) -> tuple:
        return "PUT", f"/v1/namespaces/{ZONE}/services/v/instances/one", json.dumps({"ipv4": address_of(number)})

    def stop(self) -> None:
        self.daemon.stop()


class Etcd(Changed):
    name = "etcd"
    http = ("POST", "/v3/kv/put", '{"key":"{base64}","value":"MTkyLjAuMi4x"}')
    api = 2479

    def start(self) -> None:
        self.process = spawned(self.folder, "etcd", "--data-dir", str(self.folder / "data"),
                               "--listen-client-urls", f"http://127.0.0.1:{self.api}",
                               "--advertise-client-urls", f"http://127.0.0.1:{self.api}",
                               "--listen-peer-urls", "http://127.0.0.1:2480", "--log-level", "error",
                               "--initial-advertise-peer-urls", "http://127.0.0.1:2480",
                               "--initial-cluster", "default=http://127.0.0.1:2480")
        until(lambda: listens(self.api), "etcd listens")
        time.sleep(1)  # it elects itself

    visible_after = None  # it answers no DNS by itself


class PowerDns(Changed):
    name = "PowerDNS"
    changes_max = 20  # asked while a change is under way, it keeps the old answer for its cache's 20 s
    api = 8471
    http = ("PATCH", f"/api/v1/servers/localhost/zones/{ZONE}.",
            json.dumps({"rrsets": [{"name": f"i-{{client}}.{ZONE}.", "type": "A", "ttl": "@", "changetype": "REPLACE",
                                    "records": [{"content": "192.0.2.1", "disabled": False}]}]}
                       ).replace('"@"', "{count}"), "X-API-Key: bench")
    at = ("127.0.0.1", 5471)

    def start(self) -> None:
        database = self.folder / "pdns.db"
        schema = pathlib.Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read_text()
        subprocess.run(["sqlite3", database], input="PRAGMA journal_mode=WAL;\n" + schema, text=True, check=True,
                       stdout=subprocess.DEVNULL)
        (self.folder / "pdns.conf").write_text(f"""
launch=gsqlite3
gsqlite3-database={database}
gsqlite3-pragma-synchronous=2
local-address=127.0.0.1
local-port={self.at[1]}
socket-dir={self.folder}
daemon=no
guardian=no
api=yes
api-key=bench
webserver=yes
webserver-port={self.api}
security-poll-suffix=
""")
        self.process = spawned(self.folder, "/usr/sbin/pdns_server", f"--config-dir={self.folder}")
        until(lambda: listens(self.api), "PowerDNS listens")
        body = {"name": f"{ZONE}.", "kind": "Native", "nameservers": [f"ns1.{ZONE}."]}
        urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{self.api}/api/v1/servers/localhost/zones", json.dumps(body).encode(),
            {"X-API-Key": "bench", "Content-Type": "application/json"}))

    def visible_http(self, number: int) -> tuple:
        rrset = {"name": f"v.{ZONE}.", "type": "A", "ttl": 5, "changetype": "REPLACE",
                 "records": [{"content": address_of(number), "disabled": False}]}
        return (*self.http[:2], json.dumps({"rrsets": [rrset]}), "X-API-Key: bench", "Connection: close")


class Updated(Changed):
    """Changed by nsupdate with TSIG."""

    def start(self) -> None:
        self.key = Key(f"up.{ZONE}")
        self.server = self.kind(self.folder / "state", Zone(ZONE, ZONE_TEXT, updater=self.key)).start()
        self.at = self.server.at

    def rate(self, clients: int, seconds: float) -> float:
        """A fixed number of updates: as many as go in about so many seconds."""
        few = self.run(clients, 4)
        return self.run(clients, max(4, round(seconds * few / clients)))

    def run(self, clients: int, each: int) -> float:
        scripts = []
        for client in range(clients):
            script = self.folder / f"updates-{client}"
            script.write_text(f"server {self.at[0]} {self.at[1]}\nzone {ZONE}\n" + "".join(
                f"update delete i-{client}.{ZONE}. A\nupdate add i-{client}.{ZONE}. {count + 1} A 192.0.2.1\nsend\n"
                for count in range(each)))
            scripts.append(script)
        started = time.perf_counter()
        running = [subprocess.Popen(["nsupdate", "-t", "60", "-y", self.key.option, script],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for script in scripts]
        for process in running:
            _, complaint = process.communicate()
            assert process.returncode == 0, complaint
        return clients * each / (time.perf_counter() - started)

    def change(self, number: int) -> tuple[socket.socket, bytes]:
        message = dns.update.Update(ZONE, **self.key.signing)
        message.replace("v", 5, "A", address_of(number))
        connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        connection.connect(self.at)
        return connection, message.to_wire()

    def stop(self) -> None:
        self.server.stop()


class KnotUpdated(Updated):
    name, kind = "Knot", Knot


class BindUpdated(Updated):
    name, kind = "BIND", Bind


def rates_and_delays(arguments, folder: pathlib.Path) -> dict:
    kinds = [kind for kind in (Dnsd, Etcd, PowerDns, KnotUpdated, BindUpdated)
             if kind is not Etcd or shutil.which("etcd")]
    things = [kind(folder / kind.name) for kind in kinds]
    figures = {thing.name: {"rates": {clients: [] for clients in CLIENTS}, "visible_ms": []} for thing in things}
    number = 0
    try:
        for turn in range(arguments.rounds):
            for thing in things:
                one = figures[thing.name]
                for _ in range(min(arguments.changes, thing.changes_max) if thing.visible_after else 0):
                    number += 1
                    one["visible_ms"].append(1000 * thing.visible_after(number % 60_000))
                for clients in CLIENTS:
                    one["rates"][clients].append(thing.rate(clients, arguments.seconds))
                one["refused"] = thing.refused
                print(f"round {turn + 1}: {thing.name} " + ", ".join(
                    f"{clients}: {values[-1]:,.0f}/s" for clients, values in one["rates"].items()),
                    file=sys.stderr, flush=True)
    finally:
        for thing in things:
            thing.stop()
    return figures


def overload(arguments, folder: pathlib.Path) -> dict:
    """SRV questions alone, which cost most, twice as many as are answered, while the API is used and checks run."""
    zone = nameserver_bench.registered(1000)
    queries = folder / "srv"
    nameserver_bench.write_queries([(f"s-{number}.{ZONE}", "SRV") for number in range(1000)], queries)
    server = nameserver_bench.Dnsd(folder / "overload", 5390, zone, 1000)
    url = None
    for _ in range(100):
        found = re.search(r"ready dns=\S+ api=(\S+)", (server.folder / "log").read_text())
        if found:
            url = found[1]
            break
        time.sleep(0.05)
    host, port = url.rsplit(":", 1)

    def call(method: str, path: str, body=None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        reply = connection.getresponse()
        return reply.status, reply.read()

    def metric(name: str) -> float:
        text = call("GET", "/metrics")[1].decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    backend = subprocess.Popen([sys.executable, "-m", "http.server", "5391", "--bind", "127.0.0.1"], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: listens(5391), "the backend listens")
    check = {"type": "tcp", "interval": 1, "timeout": 0.5}
    assert call("PUT", f"/v1/namespaces/{ZONE}/services/checked", {"check": check})[0] == 201
    assert call("PUT", f"/v1/namespaces/{ZONE}/services/checked/instances/one",
                {"ipv4": "127.0.0.1", "port": 5391})[0] == 201

    def writes(seconds: float) -> list[float]:
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            started = time.perf_counter()
            call("PUT", f"/v1/namespaces/{ZONE}/services/s-1/instances/extra", {"ipv4": "10.9.9.9", "port": len(times) + 1})
            times.append(1000 * (time.perf_counter() - started))
        return times

    figures = {"possible": 0.0, "states": {}}
    try:
        most = nameserver_bench.load(5390, queries, arguments.seconds, "closed", nameserver_bench.UNDER_WAY)
        figures["possible"] = most["answered"] / most["seconds"]
        for state, rate in (("quiet", 1000), ("twice", round(2 * figures["possible"]))):
            result: dict = {}
            before = metric("dnsd_dns_receive_dropped_total"), metric("dnsd_check_probes_total"), server.memory()
            thread = threading.Thread(target=lambda result=result, rate=rate: result.update(
                nameserver_bench.load(5390, queries, 4 * arguments.seconds, "open", rate)))
            thread.start()
            times = writes(3.5 * arguments.seconds)
            thread.join()
            figures["states"][state] = {
                "asked_rate": rate, "answered_rate": result["answered"] / result["seconds"],
                "dropped": metric("dnsd_dns_receive_dropped_total") - before[0],
                "probes": metric("dnsd_check_probes_total") - before[1], "seconds": result["seconds"],
                "memory_before": before[2], "memory_after": server.memory(),
                "api_p50_ms": statistics.median(times), "api_p99_ms": sorted(times)[int(0.99 * (len(times) - 1))]}
    finally:
        backend.terminate()
        backend.wait()
        server.stop()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement (%(default)s)")
    parser.add_argument("--changes", type=int, default=100, help="whose delay is taken, a round (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of a second")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.changes = 1, 1, 20
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores; {arguments.rounds} rounds of "
          f"{arguments.seconds:g} s, in {SCRATCH}", flush=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        figures = rates_and_delays(arguments, pathlib.Path(folder))
        print("\n| changes acknowledged a second | 1 client | 16 | 256 | visible, p50 | p99 |\n|---|---|---|---|---|---|")
        for name, one in figures.items():
            seen = sorted(one["visible_ms"])
            print(f"| {name} | " + " | ".join(
                f"{statistics.median(one['rates'][clients]):,.0f}"
                + (f" ({one['refused'][clients]:.0%} refused)" if clients in one["refused"] else "") for clients in CLIENTS)
                  + (f" | {statistics.median(seen):.2f} ms | {seen[int(0.99 * (len(seen) - 1))]:.2f} ms |" if seen else " | | |"))
        print(flush=True)
        for program in ("bench_register", "bench_transitions"):
            print(subprocess.run([PROGRAMS / program, SCRATCH], capture_output=True, text=True, check=True).stdout, flush=True)
        over = overload(arguments, pathlib.Path(folder))
        print(f"SRV questions, {over['possible']:,.0f} a second can be answered\n\n"
              "| asked a second | answered | dropped, counted | probes a second | memory before, after | a PUT, p50 | p99 |\n"
              "|---|---|---|---|---|---|---|")
        for one in over["states"].values():
            print(f"| {one['asked_rate']:,} | {one['answered_rate']:,.0f} | {one['dropped']:,.0f} "
                  f"| {one['probes'] / one['seconds']:.2f} | {one['memory_before'] / 1e6:.0f} MB, "
                  f"{one['memory_after'] / 1e6:.0f} MB | {one['api_p50_ms']:.2f} ms | {one['api_p99_ms']:.2f} ms |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"changes": figures, "overload": over}, indent=1))


if __name__ == "__main__":
    main()
