#!/usr/bin/python3
"""dnsd as a container's name server, beside unbound and dnsmasq in the same run: what a cached answer
and a miss cost, what 100,000 names take in memory, and what each does with the same TTLs.

All three have one thread that answers, pinned to core 0 (dnsd's thread that talks to upstreams too),
and forward to the same authoritative server on core 1, where dnsperf asks from. The CPU is what
/proc says the process used, user and system, divided by the answers that dnsperf counted.

usage: tools/install test bench && tools/build release && DNSD=build/release/dnsd tests/bench/resolver_bench.py
"""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import dns.message  # noqa: E402
import dns.query  # noqa: E402

from harness import DNSD, PATIENCE, Daemon, until  # noqa: E402
from upstream import Upstream  # noqa: E402

NAMES = 100_000
POPULAR = 1_000  # names that the cached answers are for
ROUNDS = 5
SECONDS = 4
TTL = 86_400
TICKS = os.sysconf("SC_CLK_TCK")
PORTS = {"dnsd": 5301, "unbound": 5302, "dnsmasq": 5303}


def pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)]


class Resolver:
    """One of the three, as a process on core 0."""

    def __init__(self, name: str, upstream: str, folder: pathlib.Path):
        self.name, self.port = name, PORTS[name]
        address, port = upstream.rsplit(":", 1)
        log = (folder / f"{name}.log").open("w")
        self.process = subprocess.Popen([*pinned(0), *getattr(self, name)(address, port, folder)],
                                        stdout=log, stderr=log)
        until(self.answers, f"{name} answers")

    def dnsd(self, address: str, port: str, folder: pathlib.Path) -> list[str]:
        settings = {"dns.listen": [f"127.0.0.1:{self.port}"], "dns.workers": 1, "api.listen": ["127.0.0.1:0"],
                    "store.path": str(folder / "resolver.db"), "forward.upstreams": [f"{address}:{port}"],
                    "cache.octets_max": 1 << 30}
        return [DNSD, *(part for name, value in settings.items() for part in ("--set", f"{name}={json.dumps(value)}"))]

    def unbound(self, address: str, port: str, folder: pathlib.Path) -> list[str]:
        config = folder / "unbound.conf"
        config.write_text(f"""
server:
    interface: 127.0.0.1@{self.port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    num-threads: 1
    module-config: "iterator"
    do-not-query-localhost: no
    qname-minimisation: no
    msg-cache-size: 512m
    rrset-cache-size: 512m
    outgoing-range: 4096
    num-queries-per-thread: 2048
    prefetch: yes
    serve-expired: yes
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: {address}@{port}
""")
        return ["unbound", "-c", str(config), "-d"]

    def dnsmasq(self, address: str, port: str, folder: pathlib.Path) -> list[str]:
        return ["dnsmasq", "-k", "-C", "/dev/null", "-a", "127.0.0.1", "-z", "-p", str(self.port), "-R", "-h",
                "--user=", "--pid-file=", f"--server={address}#{port}", f"--cache-size={NAMES + POPULAR}",
                "--dns-forward-max=2000"]

    def answers(self) -> bool:
        assert self.process.poll() is None, f"{self.name} ended"
        try:
            dns.query.udp(dns.message.make_query("up.bench.internal", "A"), "127.0.0.1", 0.5, self.port)
            return True
        except (dns.exception.Timeout, OSError):
            return False

    def cpu(self) -> float:
        """Seconds, user and system, all threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self) -> int:
        """Octets of its own memory."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return 1024 * int(re.search(r"^Private_Dirty: +(\d+) kB", text, re.M)[1])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def dnsperf(port: int, queries: pathlib.Path, *arguments: str) -> dict:
    done = subprocess.run([*pinned(1), "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries), "-c", "8",
                           "-t", "2", *arguments], capture_output=True, text=True, check=True)
    found = {key: float(value) for key, value in re.findall(r"^ *(Queries [a-z ]+|Average Latency \(s\)): +([\d.]+)",
                                                            done.stdout, re.M)}
    codes = re.search(r"Response codes: +(.*)", done.stdout)
    return {"completed": found["Queries completed"], "lost": found["Queries lost"],
            "rate": found["Queries per second"], "codes": codes[1] if codes else ""}


def authority(folder: pathlib.Path) -> Daemon:
    """Names by the hundred thousand: the instances of ten services."""
    dnsd = Daemon(folder / "authority", settings={"dns.workers": 1}, wrapper=pinned(1)).start()
    api = dnsd.api
    api.put("/v1/namespaces/bench.internal", {"ttl": TTL, "negative_ttl": 60})
    for number in range(10):
        path = f"/v1/namespaces/bench.internal/services/s{number}"
        api.put(path, {})
        api.put(f"{path}/instances", {"instances": [
            {"id": f"i-{i}", "ipv4": f"10.{number}.{i >> 8}.{i & 255}", "port": 80} for i in range(NAMES // 10)]})
    return dnsd


def costs(folder: pathlib.Path) -> None:
    server = authority(folder)
    upstream = "{}:{}".format(*server.dns[0])
    names = [f"i-{i}.s{number}.bench.internal A" for i in range(NAMES // 10) for number in range(10)]
    all_names, popular = folder / "all", folder / "popular"
    all_names.write_text("\n".join(names) + "\n")
    popular.write_text("\n".join(names[:POPULAR]) + "\n")
    resolvers = [Resolver(name, upstream, folder) for name in PORTS]
    miss, memory, cached, rates = {}, {}, {r.name: [] for r in resolvers}, {r.name: [] for r in resolvers}
    for resolver in resolvers:
        before, used = resolver.resident(), resolver.cpu()
        # Few enough at once that none is lost: each name is asked once.
        result = dnsperf(resolver.port, all_names, "-n", "1", "-q", "50")
        assert result["lost"] <= NAMES / 1000, (resolver.name, result)
        miss[resolver.name] = 1e6 * (resolver.cpu() - used) / result["completed"]
        memory[resolver.name] = (before, resolver.resident())
    for _ in range(ROUNDS):  # interleaved: what else the machine does meets all alike
        for resolver in resolvers:
            used = resolver.cpu()
            result = dnsperf(resolver.port, popular, "-l", str(SECONDS), "-q", "100")
            cached[resolver.name].append(1e6 * (resolver.cpu() - used) / result["completed"])
            rates[resolver.name].append(result["rate"])
    for resolver in resolvers:
        resolver.stop()
    server.stop()
    print(f"\n| {NAMES:,} names | CPU a cached answer | to dnsd | cached answers/s | CPU a miss | to dnsd "
          f"| memory, empty | with {NAMES:,} names |")
    print("|---|---|---|---|---|---|---|---|")
    least = statistics.median(cached["dnsd"])
    for name in PORTS:
        cost = statistics.median(cached[name])
        print(f"| {name} | {cost:.2f} µs ({min(cached[name]):.2f} to {max(cached[name]):.2f}) | {cost / least:.2f} "
              f"| {statistics.median(rates[name]):,.0f} | {miss[name]:.1f} µs | {miss[name] / miss['dnsd']:.2f} "
              f"| {memory[name][0] / 1e6:.0f} MB | {memory[name][1] / 1e6:.0f} MB |")


def behaviour(folder: pathlib.Path) -> None:
    """One question every quarter of a second, for six seconds, then the upstream dies."""
    print("\n| upstream says | | TTLs seen, asked four times a second for 6 s | upstream asked "
          "| after the upstream's death |")
    print("|---|---|---|---|---|")
    for ttl, negative in ((0, False), (1, False), (3, False), (2, True)):
        for name in PORTS:
            upstream = Upstream()
            upstream.ttl, upstream.negative_ttl = ttl, ttl
            question = "none.example.org" if negative else "www.example.org"
            upstream.add("www.example.org", "A", "192.0.2.1")
            resolver = Resolver(name, str(upstream), folder)
            started, seen = time.monotonic(), []
            for tick in range(24):
                time.sleep(max(0, started + tick / 4 - time.monotonic()))
                reply = dns.query.udp(dns.message.make_query(question, "A"), "127.0.0.1", PATIENCE, resolver.port)
                seen += [rrset.ttl for rrset in (reply.authority if negative else reply.answer)] or ["none"]
            asked = upstream.count(question)
            upstream.close()
            time.sleep(ttl + 1)
            try:
                last = dns.query.udp(dns.message.make_query(question, "A", use_edns=0), "127.0.0.1", 12, resolver.port)
                end = dns.rcode.to_text(last.rcode())
                if last.answer:
                    end += f", TTL {last.answer[0].ttl}, EDE {[o.code for o in last.options if o.otype == 15] or 'none'}"
            except dns.exception.Timeout:
                end = "silence"
            resolver.stop()
            what = f"NXDOMAIN, {ttl} s" if negative else f"TTL {ttl}"
            print(f"| {what} | {name} | {runs(seen)} | {asked} times | {end} |", flush=True)


def runs(values: list) -> str:
    """3 3 3 2 -> 3x3 2x1"""
    out = []
    for value in values:
        if out and out[-1][0] == value:
            out[-1][1] += 1
        else:
            out.append([value, 1])
    return " ".join(f"{value}×{count}" for value, count in out)


def main() -> None:
    versions = [subprocess.run([name, flag], capture_output=True, text=True, check=False).stdout.splitlines()[0]
                for name, flag in (("unbound", "-V"), ("dnsmasq", "-v"))]
    print(f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores; {DNSD}; "
          f"{'; '.join(versions)}; {ROUNDS} rounds of {SECONDS} s")
    with tempfile.TemporaryDirectory() as folder:
        behaviour(pathlib.Path(folder))
        costs(pathlib.Path(folder))


if __name__ == "__main__":
    main()
