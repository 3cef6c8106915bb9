"""Stock resolvers, caches and proxies of Debian 12, each behind the same two questions: which addresses
of a service, and which SRV targets, does it use at this moment?

A scene is a network and mount namespace in which dnsd serves demo.internal on 192.0.2.53. The clients'
configuration is what docs/clients.md shows: it is read from there."""

import glob
import http.server
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

from harness import NAMESPACE, PATIENCE, ROOT, Api, Response, make_service, until

PROGRAMS = pathlib.Path(__file__).with_name("programs")
UNPACKED = ROOT / "build/unpacked"
DOCUMENT = ROOT / "docs/clients.md"

SERVER = "192.0.2.53"
CACHE = "127.0.0.53"
ZONE = "demo.internal"
TTL, NEGATIVE_TTL = 2, 2

# What is registered before a client starts. `late` is not: its name does not exist yet.
SIZES = {"web": 3, "many": 60, "again": 1}
SERVICES = [*SIZES, "late"]
ADDRESSES = {f"{service}-{n}": f"127.0.{number}.{n}"
             for number, service in enumerate(SERVICES, 1) for n in range(1, SIZES.get(service, 1) + 1)}
INSTANCES = {address: instance for instance, address in ADDRESSES.items()}
PORT = 8080

# Debian's programs, not what else PATH may name first, and none of the variables that change them.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def documented(path: str) -> str:
    """The configuration file of that path, as docs/clients.md shows it."""
    shown = re.search(rf"^`{re.escape(path)}`:\n\n```\n(.*?)^```$", DOCUMENT.read_text(), re.S | re.M)
    assert shown, f"docs/clients.md does not show {path}"
    return shown[1]


class Scene:
    """Namespaces with dnsd in them, and folders of our own where clients want fixed ones."""

    ttl, negative_ttl = TTL, NEGATIVE_TTL

    def __init__(self, make_dnsd, folder: pathlib.Path):
        self.folder = folder
        for own in ("/run", "/var/cache"):
            mount_empty(own)
        # A link and an address of its own for dnsd: where there is only loopback, some clients see no network.
        for arguments in ("link add dnsd0 type veth peer name dnsd1", "link set dnsd0 up", "link set dnsd1 up",
                          f"address add {SERVER}/24 dev dnsd0", f"address add {CACHE}/8 dev lo"):
            subprocess.run(["ip", *arguments.split()], check=True)
        self.mount_file("/etc/resolv.conf", documented("/etc/resolv.conf"))
        self.mount_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        self.mount_file("/etc/hosts", "127.0.0.1 localhost\n")
        self.dnsd = make_dnsd(settings={"dns.listen": [f"{SERVER}:53"]}).start()
        for service in SIZES:
            self.register(service)
        self.pages = http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Page)
        threading.Thread(target=self.pages.serve_forever, daemon=True).start()

    def register(self, service: str) -> None:
        path = make_service(self.dnsd.api, {
            "failure_policy": "fail_closed", "max_answers": 100,
            "check": {"type": "custom", "initial_status": "healthy"}},
            name=service, namespace={"ttl": self.ttl, "negative_ttl": self.negative_ttl})
        self.dnsd.api.put(f"{path}/instances", {"instances": [
            {"id": instance, "ipv4": address, "port": PORT}
            for instance, address in ADDRESSES.items() if instance.startswith(f"{service}-")]})

    def set_health(self, instance: str, status: str) -> None:
        service = instance.partition("-")[0]
        self.dnsd.api.put(f"{NAMESPACE}/services/{service}/instances/{instance}/health", {"status": status})

    def mount_file(self, path: str, text: str) -> None:
        """Puts a file of ours over that one."""
        # Where the machine runs systemd-resolved, /etc/resolv.conf is a link into /run.
        target = pathlib.Path(path).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
        ours = self.folder / target.name
        ours.write_text(text)
        subprocess.run(["mount", "--bind", ours, target], check=True)

    def run(self, *command, **options) -> str:
        """What it prints, whatever its exit status says."""
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE,
                              env=ENVIRONMENT | {"HOME": str(self.folder)}, **options).stdout


def mount_empty(path: str) -> None:
    """A folder of the machine is an empty one of ours."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", path], check=True)


class Page(http.server.BaseHTTPRequestHandler):
    """Every instance's server: all of 127.0.0.0/8 is ours, and each page is the address that was called."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.connection.getsockname()[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments) -> None:
        pass


class Client:
    title: str
    package: str
    rr_types: tuple[str, ...] = ("A", "SRV")
    # How many of the sixty instances it uses: fewer than all if it does not ask again over TCP.
    sees = range(SIZES["many"], SIZES["many"] + 1)
    # Its own clocks as documented, for the death of an instance and for the name that was absent.
    clock = "none: asks each time"
    seconds_max, negative_seconds_max, restart_seconds_max = 0.0, 0.0, 0.0
    # Does it look at the names that it is configured with by itself? Others look when they are asked.
    watches = False
    # Its configuration files, all shown in docs/clients.md, and the folders it insists on.
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def __init__(self, scene: Scene):
        self.scene = scene
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        for folder in {str(pathlib.Path(path).parent) for path in self.files} | set(self.folders):
            mount_empty(folder)
        for path in self.files:
            pathlib.Path(path).write_text(self.configuration(path))
        if self.command:
            self.launch(*self.command)

    def configuration(self, path: str) -> str:
        return documented(path)

    def launch(self, *command, **options) -> None:
        with (self.scene.folder / "client.log").open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self.scene.folder, stderr=log, env=ENVIRONMENT | {"HOME": str(self.scene.folder)},
                start_new_session=True, **({"stdin": subprocess.DEVNULL, "stdout": log} | options))

    def stop(self) -> None:
        if self.process is not None:
            # Its children too: nginx's workers outlive a master that is killed.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()

    def uses(self, service: str, rr_type="A") -> set[str]:
        """The ids of the instances that it uses now; none where it finds none."""
        assert self.process is None or self.process.poll() is None, f"{self.title} has ended"
        return {INSTANCES.get(text) or text.partition(".")[0] for text in self.look(rr_type, service)}

    def look(self, rr_type: str, service: str) -> list[str]:
        """Addresses, or SRV targets."""
        raise NotImplementedError

    @staticmethod
    def name(rr_type: str, service: str) -> str:
        return f"_{service}._tcp.{ZONE}" if rr_type == "SRV" else f"{service}.{ZONE}"

    def version(self) -> str:
        if (archive := UNPACKED / f"{self.package}.deb").exists():
            return self.scene.run("dpkg-deb", "--field", archive, "Version").strip()
        return self.scene.run("dpkg-query", "--show", "--showformat=${Version}", self.package)


# Resolvers inside a program


class Glibc(Client):
    title, package = "glibc", "libc6"
    rr_types = ("A",)

    def look(self, rr_type: str, service: str) -> list[str]:
        name = self.name(rr_type, service)
        found = addresses_by_getent(self.scene, name)
        called = self.scene.run("curl", "--silent", f"http://{name}:{PORT}/")
        assert called in found if found else not called, "curl calls one of them"
        return found


def addresses_by_getent(scene: Scene, name: str) -> list[str]:
    return [line.split()[0] for line in scene.run("getent", "ahosts", name).splitlines()]


class Program(Client):
    """A long-lived process of ours around a language's resolver: questions on stdin, answers on stdout."""

    def prepare(self) -> list[str]:
        """Compiles it where need be; returns the command."""
        raise NotImplementedError

    def start(self) -> None:
        self.launch(*self.prepare(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, rr_type: str, service: str) -> list[str]:
        return self.ask(rr_type, self.name(rr_type, service))

    def ask(self, rr_type: str, name: str) -> list[str]:
        self.process.stdin.write(f"{rr_type} {name}\n")
        self.process.stdin.flush()
        outcome, *found = self.process.stdout.readline().split()
        assert outcome in ("ok", "failed")
        return found if outcome == "ok" else []

    def compiled(self, *command) -> list[str]:
        program = str(self.scene.folder / "client")
        done = subprocess.run([*command, "-o", program], capture_output=True, text=True, check=False,
                              env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        return [program]


class Musl(Program):
    title, package = "musl", "musl-tools"
    rr_types = ("A",)
    sees = range(1, SIZES["many"])

    def prepare(self) -> list[str]:
        return self.compiled("musl-gcc", "-static", PROGRAMS / "lookup.c")


class CAres(Program):
    title, package = "c-ares", "libc-ares-dev"

    def prepare(self) -> list[str]:
        return self.compiled("gcc", PROGRAMS / "cares.c", "-lcares")


class Node(Program):
    title, package = "Node.js", "nodejs"

    def prepare(self) -> list[str]:
        return ["/usr/bin/node", PROGRAMS / "lookup.js"]


class Python(Program):
    title, package = "Python", "python3"

    def prepare(self) -> list[str]:
        return ["/usr/bin/python3", PROGRAMS / "lookup.py"]


class Java(Program):
    title, package = "OpenJDK", "openjdk-17-jdk-headless"
    clock = "its own 30 s, absent names 10 s; JNDI: none"
    seconds_max, negative_seconds_max, restart_seconds_max = 30.0, 10.0, 10.0

    def prepare(self) -> list[str]:
        return [glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java")[0], PROGRAMS / "Lookup.java"]


class Go(Program):
    title, package = "Go", "golang-go"

    def prepare(self) -> list[str]:
        program = self.scene.folder / "client"
        environment = ENVIRONMENT | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GO111MODULE": "off",
                                     "HOME": str(self.scene.folder)}
        subprocess.run(["/usr/bin/go", "build", "-o", program, PROGRAMS / "lookup.go"], check=True,
                       env=environment)
        return [program]


# Caches before dnsd


class Nscd(Client):
    title, package = "nscd", "nscd"
    rr_types = ("A",)
    clock = f"TTL, {TTL} s; absent names 20 s; lapsed ones are dropped every 15 s"
    seconds_max, negative_seconds_max, restart_seconds_max = TTL + 15.0, 35.0, 35.0

    def start(self) -> None:
        for folder in ("/run/nscd", "/var/cache/nscd"):
            pathlib.Path(folder).mkdir()
        self.launch(UNPACKED / "nscd/usr/sbin/nscd", "--foreground", "--config-file",
                    UNPACKED / "nscd/etc/nscd.conf")
        until(pathlib.Path("/run/nscd/socket").exists, "glibc finds it")

    def look(self, rr_type: str, service: str) -> list[str]:
        return addresses_by_getent(self.scene, self.name(rr_type, service))


class Cache(Client):
    """A server on 127.0.0.53, asked for addresses by glibc and for SRV by dig."""

    clock = f"TTL, {TTL} s"
    seconds_max, negative_seconds_max, restart_seconds_max = TTL, NEGATIVE_TTL, 5.0

    def start(self) -> None:
        self.scene.mount_file("/etc/resolv.conf", documented("/etc/resolv.conf").replace(SERVER, CACHE))
        super().start()

    def look(self, rr_type: str, service: str) -> list[str]:
        name = self.name(rr_type, service)
        if rr_type == "A":
            return addresses_by_getent(self.scene, name)
        lines = self.scene.run("dig", "+short", "+time=1", "+tries=1", f"@{CACHE}", name, rr_type).splitlines()
        return [line.split()[3] for line in lines if not line.startswith(";")]


class Dnsmasq(Cache):
    title, package = "dnsmasq", "dnsmasq-base"

    def start(self) -> None:
        super().start()
        file = self.scene.folder / "dnsmasq.conf"
        file.write_text(documented("/etc/dnsmasq.d/dnsd.conf"))
        self.launch("dnsmasq", "--no-daemon", f"--conf-file={file}")


class Unbound(Cache):
    title, package = "unbound", "unbound"
    files = ("/etc/unbound/unbound.conf",)
    command = ("unbound", "-d")


class Bind(Cache):
    title, package = "BIND", "bind9"
    files = ("/etc/bind/named.conf",)
    command = ("named", "-g", "-c", "/etc/bind/named.conf")

    def start(self) -> None:
        pathlib.Path("/var/cache/bind").mkdir()
        super().start()


class KnotResolver(Cache):
    title, package = "Knot Resolver", "knot-resolver"
    clock = "`cache.min_ttl`, 5 s by default"
    seconds_max, negative_seconds_max, restart_seconds_max = 5.0, 5.0, 5.0
    files = ("/etc/knot-resolver/kresd.conf",)

    def start(self) -> None:
        super().start()
        self.launch("kresd", "--noninteractive", "--config=/etc/knot-resolver/kresd.conf", self.scene.folder)


class SystemdResolved(Cache):
    title, package = "systemd-resolved", "systemd-resolved"

    def start(self) -> None:
        # It becomes this user, which its package makes. Here that is root.
        for path, entry in (("/etc/passwd", "systemd-resolve:x:0:0::/:/bin/false\n"),
                            ("/etc/group", "systemd-resolve:x:0:\n")):
            self.scene.mount_file(path, pathlib.Path(path).read_text() + entry)
        super().start()
        folder = pathlib.Path("/run/systemd/resolved.conf.d")  # read like that in /etc
        folder.mkdir(parents=True)
        (folder / "dnsd.conf").write_text(documented("/etc/systemd/resolved.conf.d/dnsd.conf"))
        self.launch(UNPACKED / "systemd-resolved/lib/systemd/systemd-resolved")


# Proxies and a scraper, which find servers by DNS


class HaProxy(Client):
    title, package = "HAProxy", "haproxy"
    clock = "`timeout resolve`, 1 s by default"
    seconds_max, negative_seconds_max, restart_seconds_max = 1.0, 1.0, 1.0
    watches = True
    files = ("/etc/haproxy/haproxy.cfg",)
    command = ("haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
    admin_socket = "/run/haproxy.sock"

    def start(self) -> None:
        super().start()
        until(pathlib.Path(self.admin_socket).exists, "the statistics' socket is there")

    def configuration(self, path: str) -> str:
        """As documented, with the backends of `web` for the other services too."""
        general, backends = re.fullmatch(r"(.*?)(^backend .*)", documented(path), re.S | re.M).groups()
        return general + "\n".join(re.sub(r"\bweb\b|(?<=_)web", service, backends) for service in SERVICES)

    def look(self, rr_type: str, service: str) -> list[str]:
        servers = servers_of_haproxy(self.admin_socket, f"{service}-by-{rr_type.lower()}")
        # Running, and not in maintenance since its name does not resolve (bit 5).
        return [server["srv_addr"] for server in servers
                if server["srv_op_state"] == "2" and not int(server["srv_admin_state"]) & 0x20]


class HaProxyOverUdp(HaProxy):
    title = "HAProxy over UDP"
    sees = range(SIZES["many"])

    def configuration(self, path: str) -> str:
        """As HAProxy does where only a name server's address is given."""
        bare = re.sub("^.*accepted_payload_size.*\n", "", super().configuration(path), flags=re.M)
        return bare.replace("tcp@", "")


class Nginx(Client):
    title, package = "nginx", "nginx-light"
    rr_types = ("A",)
    clock = f"TTL, {TTL} s"
    seconds_max, negative_seconds_max, restart_seconds_max = TTL, NEGATIVE_TTL, 5.0
    files = ("/etc/nginx/nginx.conf",)
    folders = ("/var/lib/nginx", "/var/log/nginx")
    command = ("nginx", "-g", "daemon off;")

    def look(self, rr_type: str, service: str) -> list[str]:
        """It is refused by one after the other, and names all that it tried."""
        headers = page("127.0.0.1", 8000, f"/{service}").headers
        return re.findall(r"([\d.]+):\d+", headers.get("Tried", ""))


class Caddy(Client):
    title, package = "Caddy", "caddy"
    clock = "`refresh`, here 1 s, by default 60 s"
    seconds_max, negative_seconds_max, restart_seconds_max = 1.0, 1.0, 1.0
    files = ("/etc/caddy/Caddyfile",)
    command = ("caddy", "run", "--config", "/etc/caddy/Caddyfile")

    def look(self, rr_type: str, service: str) -> list[str]:
        """Whom it reaches in turns; each page is the address."""
        found = []
        for _ in range(3 * SIZES.get(service, 1)):
            reply = page("127.0.0.1", 8000, f"/{rr_type.lower()}/{service}")
            found += [reply.body.decode()] if reply.status == 200 else []
        return found


class Prometheus(Client):
    title, package = "Prometheus", "prometheus"
    clock = "`refresh_interval`, here 1 s, by default 30 s; and 5 s between updates"
    seconds_max, negative_seconds_max, restart_seconds_max = 6.0, 6.0, 6.0
    watches = True
    files = ("/etc/prometheus/prometheus.yml",)
    command = ("prometheus", "--config.file=/etc/prometheus/prometheus.yml",
               "--web.listen-address=127.0.0.1:9090", "--storage.tsdb.path=data")

    def look(self, rr_type: str, service: str) -> list[str]:
        reply = page("127.0.0.1", 9090, "/api/v1/targets?state=active")
        targets = reply.json["data"]["activeTargets"] if reply.status == 200 else []
        return [target["labels"]["instance"].rpartition(":")[0] for target in targets
                if target["discoveredLabels"]["__meta_dns_name"] == self.name(rr_type, service)]


def ask_haproxy(admin_socket: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(PATIENCE)
        admin.connect(admin_socket)
        admin.sendall(f"{command}\n".encode())
        return b"".join(iter(lambda: admin.recv(65536), b"")).decode()


def servers_of_haproxy(admin_socket: str, backend: str) -> list[dict[str, str]]:
    """The rows of `show servers state`, by the heads of its columns."""
    table = ask_haproxy(admin_socket, f"show servers state {backend}")
    heads, *rows = [line.removeprefix("# ").split() for line in table.splitlines()[1:] if line]
    return [dict(zip(heads, row)) for row in rows]


def page(host: str, port: int, path: str) -> Response:
    """An empty answer, status 503, as long as nobody listens."""
    try:
        return Api(host, port).request("GET", path)
    except ConnectionRefusedError:
        return Response(503, {}, b"")


CLIENTS = {client.title: client for client in (
    Glibc, Musl, CAres, Node, Python, Java, Go, Nscd, SystemdResolved, Dnsmasq, Unbound, Bind, KnotResolver,
    HaProxy, HaProxyOverUdp, Nginx, Caddy, Prometheus)}
