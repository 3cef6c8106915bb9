#!/usr/bin/python3
"""A zone file of a million records in dnsd, beside Knot and NSD with the same file in the same run: how long until it
is answered from, how long a restart takes, what it takes in memory and on disk.

dnsd takes the file over REST (dnsctl zone import) and keeps it in SQLite; Knot and NSD read it where it lies, at every
start. The clock runs from the command until a sample of names is answered from the zone, the last name in the file
among them; the samples of all three are compared. Each server has one thread that answers. Rounds are interleaved.

usage: tools/install test && tools/build release dnsd dnsctl && tests/bench/import_bench.py [--records N] [--rounds N]
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("DNSD", str(ROOT / "build/release/dnsd"))
os.environ.setdefault("DNSCTL", str(ROOT / "build/release/dnsctl"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import dns.exception  # noqa: E402
import dns.flags  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rdatatype  # noqa: E402

import processes  # noqa: E402
from harness import DNSCTL, Daemon  # noqa: E402
from name_servers import Knot, Nsd, Zone  # noqa: E402

ORIGIN = "import.example"
SAMPLE = 200
PATIENCE = 300  # seconds for a million records on a slow machine

# What ten records of the file are, about as in a zone of hosts and services.
TEN = """\
h{0} A 10.{1}.{2}.1
h{0} A 10.{1}.{2}.2
h{0} AAAA 2001:db8:{1:x}::{2:x}
m{0} A 10.{1}.{2}.3
_http._tcp.s{0} SRV 0 5 8080 h{0}
t{0} TXT "v=1; host={0}; rack=r{2}"
c{0} CNAME h{0}
x{0} MX 10 m{0}
d{0} NS ns.d{0}
ns.d{0} A 10.{1}.{2}.4
"""


def zone_text(records: int) -> str:
    head = (f"$ORIGIN {ORIGIN}.\n$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\n"
            "ns1 A 192.0.2.53\n")
    return head + "".join(TEN.format(i, i >> 8 & 255, i & 255) for i in range((records - 3) // 10 + 1))


def sample_of(records: int) -> list[tuple[str, str]]:
    last = (records - 3) // 10
    numbers = [last, *(random.Random(7).randrange(last) for _ in range(SAMPLE // 8))]
    return [(f"{name.format(i)}.{ORIGIN}", rr_type) for i in numbers
            for name, rr_type in (("h{}", "A"), ("h{}", "AAAA"), ("_http._tcp.s{}", "SRV"), ("t{}", "TXT"),
                                  ("c{}", "A"), ("x{}", "MX"), ("d{}", "A"), ("none-{}", "A"))]


def ask(at: tuple[str, int], name: str, rr_type: str) -> dns.message.Message | None:
    query = dns.message.make_query(name, rr_type)
    query.flags &= ~dns.flags.RD
    with contextlib.suppress(dns.exception.DNSException, OSError):
        return dns.query.udp(query, at[0], 1, at[1])
    return None


def said(at: tuple[str, int], name: str, rr_type: str) -> tuple:
    """What is the same whoever answers: rcode and records of answer and authority, but for the SOA's serial."""
    reply = ask(at, name, rr_type)
    records = sorted(f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} "
                     + (rdata.to_text() if rrset.rdtype != dns.rdatatype.SOA else "")
                     for section in (reply.answer, reply.authority) for rrset in section for rdata in rrset
                     if rrset.name != dns.name.from_text(ORIGIN) or rrset.rdtype != dns.rdatatype.NS)
    return reply.rcode(), *records


class Server:
    """One of the three: `first_start` and `restart` return once the zone is answered from."""

    def __init__(self, folder: pathlib.Path, records: int, text: str):
        self.folder, self.sample = folder, sample_of(records)
        self.prepare(text)

    def timed(self, act) -> float:
        started = time.monotonic()
        act()
        name, rr_type = self.sample[0]
        while not ((reply := ask(self.at, name, rr_type)) and reply.answer):
            assert time.monotonic() - started < PATIENCE, f"{self.name} does not answer"
            time.sleep(0.01)
        return time.monotonic() - started

    def measure(self) -> dict:
        figures = {"import": self.timed(self.first_start)}
        figures["memory after import"] = self.memory()
        figures["import peak"] = max(self.peak(), figures["memory after import"])
        self.stop()
        figures["restart"] = self.timed(self.restart)
        figures["memory"] = self.memory()
        figures["disk"] = sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()
                              and "log" not in file.name and file.name != "stderr")
        self.answers = [said(self.at, *question) for question in self.sample]
        return figures

    def memory(self) -> int:
        return processes.memory(processes.of_session(self.pid()))

    def peak(self) -> int:
        """The most that one of the processes ever had: what they share would count twice in a sum."""
        return max(processes.octets(processes.of_session(self.pid()), "status", "VmHWM"))


class Ours(Server):
    name = "dnsd"

    def prepare(self, text: str) -> None:
        self.file = self.folder / "zone-to-import"
        self.file.write_text(text)
        self.daemon = Daemon(self.folder / "state", settings={"dns.workers": 1, "api.zone_octets_max": 1 << 30})
        self.daemon.start()
        self.at = self.daemon.dns[0]

    def first_start(self) -> None:
        subprocess.run([DNSCTL, "--server", self.daemon.url, "zone", "import", ORIGIN, str(self.file)], check=True,
                       stdout=subprocess.DEVNULL)
        self.file.unlink()  # it is not ours to keep

    def restart(self) -> None:
        self.daemon.start()

    def stop(self) -> None:
        self.daemon.stop()

    def pid(self) -> int:
        return self.daemon.process.pid


class Theirs(Server):
    def prepare(self, text: str) -> None:
        self.server = self.kind(self.folder / "state", Zone(ORIGIN, text))
        self.at = self.server.at

    def first_start(self) -> None:
        self.server.start()

    restart = first_start

    def stop(self) -> None:
        self.server.stop()

    def pid(self) -> int:
        return self.server.process.pid


class PlainKnot(Knot):
    """Without the journal that its tests need."""

    def configuration(self) -> str:
        return super().configuration().replace("zonefile-load: difference", "zonefile-load: whole")


class KnotServer(Theirs):
    name, kind = "Knot", PlainKnot


class NsdServer(Theirs):
    name, kind = "NSD", Nsd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures of every round there")
    arguments = parser.parse_args()
    versions = [subprocess.run(command, capture_output=True, text=True, check=False) for command in
                (["/usr/sbin/knotd", "--version"], ["/usr/sbin/nsd", "-v"])]
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores; "
          + "; ".join((v.stdout + v.stderr).splitlines()[0] for v in versions)
          + f"; {arguments.rounds} rounds of {arguments.records:,} records", flush=True)
    text = zone_text(arguments.records)
    kinds = (Ours, KnotServer, NsdServer)
    rounds: dict[str, list[dict]] = {kind.name: [] for kind in kinds}
    for number in range(arguments.rounds):
        answers = {}
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                server = kind(pathlib.Path(folder), arguments.records, text)
                try:
                    rounds[kind.name].append(server.measure())
                finally:
                    server.stop()
                answers[kind.name] = server.answers
            print(f"round {number + 1}, {kind.name}: {rounds[kind.name][-1]}", file=sys.stderr, flush=True)
        for name, theirs in answers.items():
            assert theirs == answers["dnsd"], [pair for pair in zip(theirs, answers["dnsd"]) if pair[0] != pair[1]][:3]
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1))

    def cell(name: str, key: str, unit: float, form: str) -> str:
        values = [one[key] / unit for one in rounds[name]]
        return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"

    print(f"\n| {arguments.records:,} records, {len(text) / 1e6:.0f} MB | import | restart | memory at most, importing "
          "| after import | after restart | disk |\n|---|---|---|---|---|---|---|")
    for name in rounds:
        print(f"| {name} | {cell(name, 'import', 1, '.2f')} s | {cell(name, 'restart', 1, '.2f')} s "
              f"| {cell(name, 'import peak', 1e6, '.0f')} MB | {cell(name, 'memory after import', 1e6, '.0f')} MB "
              f"| {cell(name, 'memory', 1e6, '.0f')} MB | {cell(name, 'disk', 1e6, '.0f')} MB |")


if __name__ == "__main__":
    main()
