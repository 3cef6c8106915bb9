"""Name servers of others: BIND, Knot and NSD in the foreground, each at a loopback address of its own; and
zone transfers as dnspython reads them, which shares no code with anybody here."""

import base64
import contextlib
import dataclasses
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from harness import PATIENCE, until

PORT = 5300  # below the ports that the kernel hands out: nobody takes it by chance
_numbers = itertools.count(1)


def _own_address() -> str:
    """All of 127.0.0.0/8 is this machine. Tests that run at the same time are other processes."""
    return f"127.{64 + os.getpid() // 256 % 128}.{os.getpid() % 256}.{next(_numbers)}"


def _free_port() -> int:
    """Of 127.0.0.1, and again one that the kernel does not hand out."""
    while True:
        port = random.randrange(10_000, 32_000)
        with (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
              socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, contextlib.suppress(OSError)):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            return port


@dataclasses.dataclass(frozen=True)
class Key:
    """A TSIG key."""

    name: str
    algorithm: str = "hmac-sha256"
    secret: str = base64.b64encode(b"not much of a secret, 32 octets.").decode()

    def register(self, dnsd) -> "Key":
        dnsd.api.put(f"/v1/keys/{self.name}", {"algorithm": self.algorithm, "secret": self.secret})
        return self

    @property
    def signing(self) -> dict:
        """How dnspython's functions are told of it."""
        name = dns.name.from_text(self.name)
        return {"keyring": {name: dns.tsig.Key(name, self.secret, self.algorithm)}, "keyname": name}

    @property
    def option(self) -> str:
        """What follows -y of dig, kdig, nsupdate and knsupdate."""
        return f"{self.algorithm}:{self.name}:{self.secret}"


@dataclasses.dataclass
class Zone:
    """What a name server is told of a zone: `text`, a master file, or `primaries` to follow."""

    name: str
    text: str = ""
    primaries: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    notify: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    key: Key | None = None      # of transfers and NOTIFY, in both directions
    updater: Key | None = None  # who may update it
    has_ixfr: bool = True       # false: only whole zones go out


class NameServer:
    """Restarted, it keeps address and data."""

    def __init__(self, folder: pathlib.Path, *zones: Zone):
        self.folder, self.zones = folder, list(zones)
        folder.mkdir(parents=True, exist_ok=True)
        self.source = _own_address()  # of the transfers that it asks for
        self.address, self.port = self.source, PORT
        self.log_path = folder / "log"
        self.process: subprocess.Popen | None = None
        for zone in self.zones:
            if zone.text:
                self.file_of(zone.name).write_text(zone.text)

    # What each of them is

    def configuration(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    # Life

    def start(self) -> "NameServer":
        self.config_path.write_text(self.configuration())
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True)
        until(self._answers, f"{self} answers")
        return self

    def stop(self) -> None:
        """SIGTERM; what it forked ends with it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def rewrite(self, zone: str, text: str) -> None:
        """Another zone file, read at once or at the next start."""
        file = self.file_of(zone)
        before = file.stat().st_mtime
        file.write_text(text)
        os.utime(file, (before + 5, before + 5))  # they look at whole seconds
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"{self} has ended: {self.log}"
        question = dns.message.make_query("version.server", "TXT", "CH")
        with contextlib.suppress(dns.exception.DNSException, OSError):
            dns.query.tcp(question, self.address, PATIENCE, self.port)
            return True
        return False

    # Talk

    @property
    def at(self) -> tuple[str, int]:
        return self.address, self.port

    @property
    def peer(self) -> str:
        """As dnsd writes it."""
        return f"{self.address}:{self.port}"

    @property
    def config_path(self) -> pathlib.Path:
        return self.folder / "config"

    def file_of(self, zone: str) -> pathlib.Path:
        return self.folder / f"{zone}.zone"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def keys(self) -> set[Key]:
        return {key for zone in self.zones for key in (zone.key, zone.updater) if key}

    def __str__(self) -> str:
        return f"{type(self).__name__} at {self.peer}"


class Bind(NameServer):
    def __init__(self, folder: pathlib.Path, *zones: Zone):
        super().__init__(folder, *zones)
        # It listens at addresses that an interface is said to have, and at no others.
        self.address, self.port = "127.0.0.1", _free_port()

    def command(self) -> list[str]:
        return ["/usr/sbin/named", "-g", "-n", "1", "-c", str(self.config_path)]

    def configuration(self) -> str:
        text = f"""
            options {{
                directory "{self.folder}"; pid-file none; session-keyfile none; managed-keys-directory "{self.folder}";
                listen-on port {self.port} {{ {self.address}; }}; listen-on-v6 {{ none; }};
                transfer-source {self.source};
                recursion no; dnssec-validation no; minimal-responses no; allow-transfer {{ 127.0.0.0/8; }};
                notify explicit; notify-delay 0; notify-rate 1000; startup-notify-rate 1000; serial-query-rate 1000;
                provide-ixfr {"yes" if all(zone.has_ixfr for zone in self.zones) else "no"};
            }};
            controls {{ }};
            """
        for key in self.keys():
            text += f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};\n'
        return text + "".join(map(self._zone, self.zones))

    def _zone(self, zone: Zone) -> str:
        signed = f" key {zone.key.name}" if zone.key else ""

        def peers(addresses) -> str:
            return "".join(f"{address} port {port}{signed}; " for address, port in addresses)

        text = f'zone "{zone.name}" {{ file "{self.file_of(zone.name)}"; also-notify {{ {peers(zone.notify)} }};\n'
        if zone.primaries:
            return text + f"type secondary; primaries {{ {peers(zone.primaries)} }}; }};\n"
        text += "type primary;\n"
        if zone.updater:
            text += f"allow-update {{ key {zone.updater.name}; }};\n"
        else:
            text += "ixfr-from-differences yes;\n"
        if zone.key:
            text += f"allow-transfer {{ key {zone.key.name}; }};\n"
        return text + "};\n"


class Knot(NameServer):
    def __init__(self, folder: pathlib.Path, *zones: Zone):
        super().__init__(folder, *zones)
        (folder / "database").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        return ["/usr/sbin/knotd", "-c", str(self.config_path)]

    def configuration(self) -> str:
        text = f"""
server:
    listen: {self.address}@{self.port}
    rundir: {self.folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
control:
    listen: {self.folder}/control
database:
    storage: {self.folder}/database
    journal-db-max-size: 64M
log:
  - target: stderr
    any: debug
"""
        for section, render in (("key", self._keys), ("remote", self._remotes), ("acl", self._acls),
                                ("zone", self._zones)):
            if items := render():
                text += f"{section}:\n{items}"
        return text

    def _keys(self) -> str:
        return "".join(f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {key.secret}\n"
                       for key in self.keys())

    def _remotes(self) -> str:
        return "".join(f"  - id: {_remote(zone, at)}\n    address: {at[0]}@{at[1]}\n    via: {self.address}\n"
                       + (f"    key: {zone.key.name}\n" if zone.key else "")
                       for zone in self.zones for at in (*zone.primaries, *zone.notify))

    def _acls(self) -> str:
        text = ""
        for zone in self.zones:
            for action in ("notify", "transfer"):
                key = zone.key if action == "notify" or not zone.primaries else None
                text += (f"  - id: {action}-{zone.name}\n    address: 127.0.0.0/8\n    action: {action}\n"
                         + (f"    key: {key.name}\n" if key else ""))
            if zone.updater:
                text += f"  - id: update-{zone.name}\n    key: {zone.updater.name}\n    action: update\n"
        return text

    def _zones(self) -> str:
        text = ""
        for zone in self.zones:
            acls = [f"{action}-{zone.name}" for action in ("notify", "transfer", *(["update"] if zone.updater else []))]
            text += (f"  - domain: {zone.name}\n    file: {self.file_of(zone.name)}\n    acl: [{', '.join(acls)}]\n"
                     f"    zonefile-sync: -1\n    zonefile-load: {'difference' if zone.text else 'none'}\n"
                     f"    journal-content: {'all' if zone.primaries else 'changes'}\n"
                     f"    provide-ixfr: {'on' if zone.has_ixfr else 'off'}\n")
            if zone.primaries:
                text += f"    master: [{', '.join(_remote(zone, at) for at in zone.primaries)}]\n"
            if zone.notify:
                text += f"    notify: [{', '.join(_remote(zone, at) for at in zone.notify)}]\n"
        return text


def _remote(zone: Zone, at: tuple[str, int]) -> str:
    return f"{at[0]}-{at[1]}-{zone.key.name if zone.key else 'unsigned'}"


class Nsd(NameServer):
    def command(self) -> list[str]:
        return ["/usr/sbin/nsd", "-d", "-c", str(self.config_path)]

    def configuration(self) -> str:
        text = f"""
server:
    ip-address: {self.address}@{self.port}
    username: ""
    zonesdir: "{self.folder}"
    database: ""
    pidfile: "{self.folder}/pid"
    xfrdfile: "{self.folder}/xfrd.state"
    zonelistfile: "{self.folder}/zone.list"
    xfrdir: "{self.folder}"
    xfrd-reload-timeout: 0
    zonefiles-write: 1
    server-count: 1
    verbosity: 3
remote-control:
    control-enable: no
"""
        for key in self.keys():
            text += f'key:\n    name: {key.name}\n    algorithm: {key.algorithm}\n    secret: "{key.secret}"\n'
        for zone in self.zones:
            key = zone.key.name if zone.key else "NOKEY"
            provided = "NOKEY" if zone.primaries else key
            text += (f"zone:\n    name: {zone.name}\n    zonefile: {self.file_of(zone.name)}\n"
                     f"    provide-xfr: 127.0.0.0/8 {provided}\n    outgoing-interface: {self.address}\n")
            for address, port in zone.primaries:
                text += f"    request-xfr: {address}@{port} {key}\n    allow-notify: {address} {key}\n"
            for address, port in zone.notify:
                text += f"    notify: {address}@{port} {key}\n"
        return text


class Unbound(NameServer):
    """A resolver that follows zones, and hands them out whole to nobody."""

    def __init__(self, folder: pathlib.Path, *zones: Zone):
        super().__init__(folder, *zones)
        self.source = "127.0.0.1"  # what it asks primaries from

    def command(self) -> list[str]:
        return ["/usr/sbin/unbound", "-d", "-c", str(self.config_path)]

    def configuration(self) -> str:
        text = f"""
server:
    interface: {self.address}@{self.port}
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    directory: "{self.folder}"
    pidfile: ""
    module-config: "iterator"
    do-not-query-localhost: no
    verbosity: 3
remote-control:
    control-enable: no
"""
        for zone in self.zones:
            text += f"auth-zone:\n    name: {zone.name}\n    for-upstream: no\n"
            for address, port in zone.primaries:
                text += f"    primary: {address}@{port}\n    allow-notify: {address}\n"
        return text


# What dnspython sees

def records(at: tuple[str, int], zone: str, key: Key | None = None) -> list[str]:
    """All that an AXFR holds, one text a record, sorted. The SOA is in it once, and comes first."""
    for _ in range(5):
        with contextlib.suppress(ConnectionError, EOFError):  # NSD hangs up when it changes its zones
            return _records(at, zone, key)
    return _records(at, zone, key)


def _records(at: tuple[str, int], zone: str, key: Key | None) -> list[str]:
    soas, others = [], []
    for message in dns.query.xfr(at[0], zone, "AXFR", port=at[1], timeout=PATIENCE, lifetime=PATIENCE,
                                 relativize=False, **(key.signing if key else {})):
        for rrset in message.answer:
            into = soas if rrset.rdtype == dns.rdatatype.SOA else others
            name = rrset.name.canonicalize().to_text()
            into.extend(f"{name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_text()}"
                        for rdata in rrset)
    assert len(soas) == 2 and soas[0] == soas[1], soas
    return [soas[0], *sorted(others)]


def serial_of(at: tuple[str, int], zone: str) -> int | None:
    """None: it has no SOA to tell, yet or any more."""
    question = dns.message.make_query(zone, "SOA")
    with contextlib.suppress(dns.exception.Timeout, OSError, EOFError):
        reply = dns.query.tcp(question, at[0], PATIENCE, at[1])
        if reply.rcode() == dns.rcode.NOERROR and reply.answer:
            return reply.answer[0][0].serial
    return None


def update(at: tuple[str, int], zone: str, key: Key, *changes: tuple) -> dns.message.Message:
    """RFC 2136: each change is a method of dns.update.Update and its arguments."""
    message = dns.update.Update(zone, **key.signing)
    for method, *arguments in changes:
        getattr(message, method)(*arguments)
    return dns.query.tcp(message, at[0], PATIENCE, at[1])


def program(*command: str, stdin: str = "", succeeds: bool | None = True) -> str:
    """Runs it to its end; what it wrote. `succeeds`: whether it must; None: either will do."""
    assert shutil.which(command[0]), f"{command[0]} is not there"
    ended = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=PATIENCE, check=False)
    assert succeeds is None or (ended.returncode == 0) == succeeds, f"{command} ended with {ended.returncode}: {ended.stdout}"
    return ended.stdout
