#!/usr/bin/python3
"""dnsd as an authoritative server, beside others with the same zone in the same run, and beside a loop that only
receives and sends: what an answer costs, how many there are a second, how long they take, and what the zone takes.

Every server has one thread that answers and is pinned to core 0; the load comes from core 1, over 16 sockets. The
CPU is what /proc says the server's processes used, divided by the answers: the figure to quote, since the rate is
also that of the load. Rate and CPU are measured with 128 questions under way, times with a fixed number of questions
a second. Rounds are interleaved: what else the machine does meets all alike. The questions: 80 % A of services (8
addresses), 10 % SRV (8 targets), 5 % AAAA (NODATA), 5 % names that do not exist, drawn evenly, all with EDNS.

Services are registered over REST, once, and kept in var/bench; the others get the zone file that dnsd exports, and must
answer a sample as dnsd does. `gdnsd dynamic` answers for services by its multifo plugin, whose addresses are
monitored, as dnsd's are. NSD, alone among them, comes with a limit of answers to a client, which is off here.

--growth asks instead what becomes of dnsd, Knot and NSD from 1,000 to 1,000,000 instances.

usage: tools/bench answers, or tests/bench/nameserver_bench.py --help
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DNSD = os.environ.setdefault("DNSD", str(ROOT / "build/release/dnsd"))
PROGRAMS = pathlib.Path(os.environ.get("DNSD_BENCHES", ROOT / "build/bench"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rcode  # noqa: E402

import processes  # noqa: E402
from harness import Daemon  # noqa: E402

ZONE = "bench.internal"
INSTANCES = 8  # of each service
PORT = 5350
UNDER_WAY = 128
QUESTIONS = 100_000
TICKS = os.sysconf("SC_CLK_TCK")
KEPT = ROOT / "var/bench"
GROWTH = (125, 1_250, 12_500, 125_000)  # services
LOADS_IN = 600  # seconds, for the slowest with the largest zone

# As conf/dnsd.service has it, for all alike.
LARGE_PAGES = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def address_of(number: int, instance: int) -> str:
    return f"10.{number >> 13 & 255}.{number >> 5 & 255}.{(number & 31) * 8 + instance}"


# The servers


class Server:
    """One of them, as a process on core 0."""

    name = ""
    program = ""
    services_max = 10_000_000

    def __init__(self, folder: pathlib.Path, port: int, zone: pathlib.Path, services: int):
        self.folder, self.port, self.zone, self.services = folder, port, zone, services
        folder.mkdir()
        command = self.command()
        started = time.monotonic()
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(["taskset", "-c", "0", *command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=folder, start_new_session=True, env=LARGE_PAGES)
        while not self.answers():
            assert self.process.poll() is None, f"{self.name} ended: {(folder / 'log').read_text()[-2000:]}"
            assert time.monotonic() - started < LOADS_IN, f"{self.name} does not answer"
            time.sleep(0.005)
        self.load_seconds = time.monotonic() - started

    def command(self) -> list[str]:
        raise NotImplementedError

    def write(self, file: str, text: str) -> str:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def ask(self, name: str, rr_type: str, timeout=0.5) -> dns.message.Message | None:
        with contextlib.suppress(dns.exception.DNSException, OSError):
            return dns.query.udp(dns.message.make_query(name, rr_type, use_edns=0, payload=1232), "127.0.0.1", timeout,
                                 self.port)
        return None

    def answers(self) -> bool:
        reply = self.ask(f"s-{self.services - 1}.{ZONE}", "A", 0.02)
        return reply is not None and len(reply.answer) > 0

    def said(self, name: str, rr_type: str) -> tuple:
        reply = self.ask(name, rr_type)
        assert reply is not None, f"{self.name} does not answer {name} {rr_type}"
        return dns.rcode.to_text(reply.rcode()), *sorted(str(rdata) for rrset in reply.answer for rdata in rrset)

    def cpu(self) -> tuple[float, float]:
        """Seconds, user and system."""
        ticks = [pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                 for pid in processes.of_session(self.process.pid)]
        return sum(int(user) for user, _ in ticks) / TICKS, sum(int(system) for _, system in ticks) / TICKS

    def memory(self) -> int:
        return processes.memory(processes.of_session(self.process.pid))

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Dnsd(Server):
    name, program = "dnsd", DNSD

    def command(self) -> list[str]:
        shutil.copy(self.zone.with_name("dnsd.db"), self.folder / "dnsd.db")
        settings = {"dns.listen": [f"127.0.0.1:{self.port}"], "dns.workers": 1, "api.listen": ["127.0.0.1:0"],
                    "store.path": str(self.folder / "dnsd.db"), "forward.resolv_conf": ""}
        return [DNSD, *(part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}"))]


class Knot(Server):
    name, program = "Knot", "/usr/sbin/knotd"

    def command(self) -> list[str]:
        config = self.write("knot.conf", f"""
server:
    rundir: {self.folder}
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder}
log:
  - target: stderr
    any: warning
zone:
  - domain: {ZONE}
    file: {self.zone}
    zonefile-sync: -1
""")
        return [self.program, "-c", config]


class Nsd(Server):
    name, program = "NSD", "/usr/sbin/nsd"

    def command(self) -> list[str]:
        config = self.write("nsd.conf", f"""
server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    database: ""
    pidfile: "{self.folder}/pid"
    xfrdfile: "{self.folder}/xfrd"
    zonelistfile: "{self.folder}/zones"
    xfrdir: "{self.folder}"
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {ZONE}
    zonefile: {self.zone}
""")
        return [self.program, "-d", "-c", config]


class Bind(Server):
    name, program = "BIND", "/usr/sbin/named"

    def command(self) -> list[str]:
        config = self.write("named.conf", f"""
options {{
    directory "{self.folder}"; pid-file none; session-keyfile none; managed-keys-directory "{self.folder}";
    listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no;
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{self.zone}"; }};
""")
        return [self.program, "-g", "-n", "1", "-c", config]


class PowerDns(Server):
    name, program = "PowerDNS", "/usr/sbin/pdns_server"

    def command(self) -> list[str]:
        zones = self.write("named.conf", f'zone "{ZONE}" {{ type master; file "{self.zone}"; }};\n')
        self.write("pdns.conf", f"""
launch=bind
bind-config={zones}
local-address=127.0.0.1
local-port={self.port}
receiver-threads=1
distributor-threads=1
socket-dir={self.folder}
daemon=no
guardian=no
security-poll-suffix=
""")
        return [self.program, f"--config-dir={self.folder}"]


class Gdnsd(Server):
    name, program = "gdnsd", "/usr/sbin/gdnsd"

    def command(self) -> list[str]:
        (self.folder / "zones").mkdir()
        (self.folder / "zones" / ZONE).symlink_to(self.zone)
        return self.started_with("")

    def started_with(self, plugins: str) -> list[str]:
        self.write("config", f"""
options => {{
    listen => [ 127.0.0.1 ]
    dns_port => {self.port}
    udp_threads => 1
    tcp_threads => 1
    run_dir => "{self.folder}/run"
    state_dir => "{self.folder}/state"
}}
{plugins}
""")
        for folder in ("run", "state"):
            (self.folder / folder).mkdir()
        return [self.program, "-c", str(self.folder), "start"]


class GdnsdDynamic(Gdnsd):
    name = "gdnsd dynamic"
    services_max = 10_000  # it takes nine minutes to read the resources of 100,000

    def command(self) -> list[str]:
        """Services by the plugin, the rest as in the zone file."""
        health = self.write("health", "")
        resources = "".join(f"        s-{number} => {{ " + " ".join(
            f"i-{i} => {address_of(number, i)}" for i in range(INSTANCES)) + " }\n" for number in range(self.services))
        (self.folder / "zones").mkdir()
        with self.zone.open() as full, (self.folder / "zones" / ZONE).open("w") as zone:
            for line in full:
                if not re.match(rf"s-\d+(\.{ZONE}\.)?\s+\d+\s+(IN\s+)?A\s", line):
                    zone.write(line)
            zone.writelines(f"s-{number}.{ZONE}. 5 DYNA multifo!s-{number}\n" for number in range(self.services))
        return self.started_with(f"""
service_types => {{ kept => {{ plugin => "extfile" file => "{health}" direct => false interval => 60 }} }}
plugins => {{
    extfile => {{}}
    multifo => {{
        service_types => kept
        up_thresh => 0.01
{resources}    }}
}}
""")


SERVERS = [Dnsd, Knot, Nsd, Gdnsd, GdnsdDynamic, Bind, PowerDns]


class Floor(Server):
    """Receives and sends."""

    name, program = "floor", str(PROGRAMS / "bench_floor")
    reply_octets = 0  # of all of them

    @classmethod
    def is_here(cls) -> bool:
        return True

    def command(self) -> list[str]:
        return [self.program, str(self.port), str(self.reply_octets)]

    def answers(self) -> bool:
        reply = self.ask(ZONE, "A")
        return reply is None and self.process.poll() is None and self.is_bound()

    def is_bound(self) -> bool:
        return f":{self.port:04X} " in pathlib.Path("/proc/net/udp").read_text()


class UringFloor(Floor):
    """The same by io_uring."""

    name, program = "floor, io_uring", str(PROGRAMS / "bench_uring_floor")

    @classmethod
    def is_here(cls) -> bool:
        disabled = pathlib.Path("/proc/sys/kernel/io_uring_disabled")
        return pathlib.Path(cls.program).exists() and disabled.exists() and disabled.read_text().strip() == "0"


FLOORS = [Floor, UringFloor]

# What they are asked


def questions(services: int) -> list[tuple[str, str]]:
    draw = random.Random(8)
    asked = []
    for _ in range(QUESTIONS):
        kind, number = draw.random(), draw.randrange(services)
        if kind < 0.80:
            asked.append((f"s-{number}.{ZONE}", "A"))
        elif kind < 0.90:
            asked.append((f"s-{number}.{ZONE}", "SRV"))
        elif kind < 0.95:
            asked.append((f"s-{number}.{ZONE}", "AAAA"))
        else:
            asked.append((f"none-{number}.{ZONE}", "A"))
    return asked


def write_queries(asked: list[tuple[str, str]], path: pathlib.Path) -> None:
    with path.open("wb") as file:
        for name, rr_type in asked:
            octets = dns.message.make_query(name, rr_type, use_edns=0, payload=1232).to_wire()
            file.write(len(octets).to_bytes(2, "big") + octets)


def load(port: int, queries: pathlib.Path, seconds: float, manner: str, number: int) -> dict:
    done = subprocess.run(["taskset", "-c", "1", PROGRAMS / "bench_load", "127.0.0.1", str(port), queries,
                           str(seconds), manner, str(number)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# Services


def registered(services: int) -> pathlib.Path:
    """The zone file of so many services, beside the database of the dnsd that it is from."""
    folder = KEPT / f"{services}-services"
    zone = folder / "zone"
    if zone.exists():
        return zone
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"registering {services:,} services of {INSTANCES} instances ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        daemon = Daemon(pathlib.Path(scratch), settings={"dns.workers": 1, "api.body_octets_max": 1 << 24}).start()
        daemon.api.put(f"/v1/namespaces/{ZONE}", {"ttl": 5, "negative_ttl": 5})
        host, port = daemon.url.removeprefix("http://").split(":")

        def register(numbers: range) -> None:
            connection = http.client.HTTPConnection(host, int(port))
            for number in numbers:
                path = f"/v1/namespaces/{ZONE}/services/s-{number}"
                instances = [{"id": f"i-{i}", "ipv4": address_of(number, i), "port": 8080} for i in range(INSTANCES)]
                for target, body in ((path, {}), (f"{path}/instances", {"instances": instances})):
                    connection.request("PUT", target, json.dumps(body), {"Content-Type": "application/json"})
                    reply = connection.getresponse()
                    text = reply.read()
                    assert reply.status in (200, 201), text

        threads = [threading.Thread(target=register, args=(range(first, services, 16),)) for first in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connection = http.client.HTTPConnection(host, int(port), timeout=LOADS_IN)
        connection.request("GET", f"/v1/zones/{ZONE}?view=served", headers={"Accept": "text/dns"})
        reply = connection.getresponse()
        assert reply.status == 200
        text = reply.read()
        daemon.stop()
        shutil.copy(daemon.folder / "dnsd.db", folder / "dnsd.db")
    zone.write_bytes(text)
    return zone


# A size


def measure(services: int, kinds: list[type[Server]], arguments, folder: pathlib.Path) -> dict:
    zone = registered(services)
    asked = questions(services)
    queries = folder / f"queries-{services}"
    write_queries(asked, queries)
    servers: list[Server] = []
    figures: dict[str, dict] = {}
    try:
        for kind in kinds:
            if services > kind.services_max and not arguments.all:
                print(f"{kind.name} is left out at {services:,} services; --all has it too", file=sys.stderr)
                continue
            port = PORT + len(servers)
            server = kind(folder / f"{services}-{kind.name.replace(' ', '-')}", port, zone, services)
            servers.append(server)
            figures[server.name] = {"load_seconds": server.load_seconds, "rounds": []}
            print(f"{services:,} services: {server.name} has loaded in {server.load_seconds:.2f} s", file=sys.stderr,
                  flush=True)
        first = servers[0]
        for question in asked[:200]:
            wanted = first.said(*question)
            for server in servers[1:]:
                assert server.said(*question) == wanted, (question, server.name, server.said(*question), wanted)
        Floor.reply_octets = round(load(first.port, queries, 0.5, "closed", 16)["mean_octets"])
        for floor in [floor for floor in FLOORS if floor.is_here()]:
            servers.append(floor(folder / f"{services}-{len(servers)}-floor", PORT + len(servers), zone, services))
            figures[floor.name] = {"load_seconds": 0, "rounds": []}
        for number in range(arguments.rounds):
            for server in servers:
                user, system = server.cpu()
                result = load(server.port, queries, arguments.seconds, "closed", UNDER_WAY)
                user, system = server.cpu()[0] - user, server.cpu()[1] - system
                timed = load(server.port, queries, arguments.seconds / 2, "open", arguments.rate)
                answered = result["answered"]
                figures[server.name]["rounds"].append({
                    "user_us": 1e6 * user / answered, "system_us": 1e6 * system / answered,
                    "cpu_us": 1e6 * (user + system) / answered, "rate": answered / result["seconds"],
                    "lost": result["lost"], "octets": result["mean_octets"], "truncated": result["truncated"],
                    **{key: timed[key] for key in ("p50_us", "p99_us", "p999_us")}, "lost_open": timed["lost"]})
                print(f"{services:,} services, round {number + 1}: {server.name} "
                      f"{figures[server.name]['rounds'][-1]['cpu_us']:.2f} µs", file=sys.stderr, flush=True)
        for server in servers:
            figures[server.name]["memory"] = server.memory()
    finally:
        for server in servers:
            server.stop()
    return figures


def table(services: int, figures: dict) -> str:
    def middle(name: str, key: str) -> float:
        return statistics.median(one[key] for one in figures[name]["rounds"])

    floor = middle("floor", "cpu_us")
    floors = [floor.name for floor in FLOORS]
    peers = [name for name in figures if name not in floors]
    best = min(middle(name, "cpu_us") for name in peers)
    lines = [f"\n{services:,} services of {INSTANCES} instances\n",
             "| | CPU an answer | user | system | to the best | to the floor | answers/s | p50 | p99 | p99.9 | octets "
             "| memory | an instance | load |", "|" + "---|" * 14]
    for name in sorted(figures, key=lambda one: middle(one, "cpu_us")):
        costs = [one["cpu_us"] for one in figures[name]["rounds"]]
        lines.append(
            f"| {name} | {middle(name, 'cpu_us'):.2f} µs ({min(costs):.2f} to {max(costs):.2f}) "
            f"| {middle(name, 'user_us'):.2f} | {middle(name, 'system_us'):.2f} "
            + (f"| {middle(name, 'cpu_us') / best:.2f} " if name in peers else "| ")
            + f"| {middle(name, 'cpu_us') / floor:.2f} | {middle(name, 'rate'):,.0f} "
            f"| {middle(name, 'p50_us'):.0f} µs | {middle(name, 'p99_us'):.0f} µs | {middle(name, 'p999_us'):.0f} µs "
            f"| {middle(name, 'octets'):.0f} "
            + (f"| {figures[name]['memory'] / 1e6:,.0f} MB | {figures[name]['memory'] / services / INSTANCES:,.0f} B "
               f"| {figures[name]['load_seconds']:.2f} s |" if name in peers else "| | | |"))
    return "\n".join(lines)


def growth_table(results: dict[int, dict]) -> str:
    """An instance's memory is what it takes beyond the smallest zone, whose memory is mostly the program's."""
    smallest = min(results)
    lines = ["\n| | instances | CPU an answer | user | system | to the smallest | memory | an instance more | load |",
             "|" + "---|" * 9]
    for name in results[smallest]:
        before = results[smallest][name]
        for services, figures in results.items():
            one = figures[name]
            cost, user, system, cost_before = (
                statistics.median(each[key] for each in rounds) for rounds, key in (
                    (one["rounds"], "cpu_us"), (one["rounds"], "user_us"), (one["rounds"], "system_us"),
                    (before["rounds"], "cpu_us")))
            line = (f"| {name} | {services * INSTANCES:,} | {cost:.2f} µs | {user:.2f} | {system:.2f} "
                    f"| {cost / cost_before:.2f} ")
            if name in [floor.name for floor in FLOORS]:
                lines.append(line + "| | | |")
                continue
            more = (f"{(one['memory'] - before['memory']) / (services - smallest) / INSTANCES:,.0f} B"
                    if services != smallest else "")
            lines.append(line + f"| {one['memory'] / 1e6:,.0f} MB | {more} | {one['load_seconds']:.2f} s |")
    return "\n".join(lines)


def version_of(kind: type[Server]) -> str:
    flag = {"Knot": "--version", "NSD": "-v", "PowerDNS": "--version", "BIND": "-v",
            "dnsd": "--version"}.get(kind.name)
    if flag is None:
        return ""
    done = subprocess.run([kind.program, flag], capture_output=True, text=True, check=False)
    return re.sub(r".*?(\d+\.\d+\.\d+).*", rf"{kind.name} \1", (done.stdout + done.stderr).splitlines()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", help="numbers of services (1000,100000)")
    parser.add_argument("--servers", help=",".join(kind.name for kind in SERVERS))
    parser.add_argument("--growth", action="store_true",
                        help="dnsd, Knot and NSD with " + ", ".join(f"{n * INSTANCES:,}" for n in GROWTH) + " instances")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (%(default)s)")
    parser.add_argument("--rate", type=int, default=20_000, help="questions a second for the times (%(default)s)")
    parser.add_argument("--all", action="store_true", help="also servers that take minutes to load a size")
    parser.add_argument("--quick", action="store_true", help="without the largest size, one round of two seconds")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    arguments = parser.parse_args()
    sizes, wanted = [1000, 100_000], [kind.name for kind in SERVERS]
    if arguments.growth:
        sizes, wanted = list(GROWTH), [kind.name for kind in (Dnsd, Knot, Nsd)]
    if arguments.quick:
        sizes, arguments.rounds, arguments.seconds = sizes[:-1], 1, 2
    if arguments.sizes:
        sizes = [int(size) for size in arguments.sizes.split(",")]
    if arguments.servers:
        wanted = [name.strip() for name in arguments.servers.split(",")]
    unknown = set(wanted) - {kind.name for kind in SERVERS}
    if unknown:
        parser.error(f"there is no server {', '.join(sorted(unknown))}")
    kinds = [kind for kind in SERVERS if kind.name in wanted]
    for kind in [kind for kind in kinds if not pathlib.Path(kind.program).exists()]:
        print(f"{kind.name} is not installed, and left out", file=sys.stderr)
        kinds.remove(kind)
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores; "
          + ", ".join(filter(None, map(version_of, kinds)))
          + f"; {arguments.rounds} rounds of {arguments.seconds:g} s, times at {arguments.rate:,} questions a second",
          flush=True)
    results = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            results[size] = measure(size, kinds, arguments, pathlib.Path(folder))
        if not arguments.growth:
            print(table(size, results[size]), flush=True)
    if arguments.growth:
        print(growth_table(results), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
