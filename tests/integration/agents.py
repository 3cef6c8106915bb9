"""dnsd-agent, and the stock caches that it empties: as clients.py runs them, and with a way in."""

import contextlib
import http.client
import http.server
import json
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import threading

import dns.exception
import dns.message
import dns.query

from clients import (CACHE, UNPACKED, Bind, Client, Dnsmasq, Nscd, Scene, SystemdResolved, Unbound, ask_haproxy,
                     page, servers_of_haproxy)
from harness import DNSD_AGENT, PATIENCE, REPORT_OF_SANITIZER, texts, until


class Agent:
    """One dnsd-agent. Restarted, it keeps its state."""

    def __init__(self, folder: pathlib.Path, follow: str, settings=None, wrapper=()):
        self.folder, self.wrapper = folder, list(wrapper)
        self.settings = {"follow": [follow], "state_file": str(folder / "agent.json"), "log.level": "debug",
                         "reconnect_max": 0.2} | (settings or {})
        self.log_path = folder / "agent.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> "Agent":
        """Returns once it follows."""
        command = [*self.wrapper, DNSD_AGENT]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        before = self.count("following ")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: self.count("following ") > before or self.process.poll() is not None, "the agent follows")
        assert self.process.poll() is None, self.log
        return self

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process = None
        assert not REPORT_OF_SANITIZER.search(self.log), self.log
        assert status == 0, self.log

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def count(self, text: str) -> int:
        return self.log.count(text)

    def wait_for(self, text: str, times=1) -> None:
        until(lambda: self.count(text) >= times, f"the agent says {text!r} {times} times")

    def wait_until_saved(self, dnsd) -> None:
        """All that dnsd has done is done here, and kept."""
        newest = dnsd.api.get("/v1/events?limit=1")["events"][0]["revision"]
        state = pathlib.Path(self.settings["state_file"])
        until(lambda: state.exists() and json.loads(state.read_text())["revision"] == newest, "the state is saved")

    def status(self) -> dict[str, str]:
        """What SIGUSR1 has it say of itself, in the first line."""
        before = self.count("status revision=")
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: self.count("status revision=") > before, "it tells its status")
        line = [line for line in self.log.splitlines() if "status revision=" in line][-1]
        return dict(re.findall(r"(\w+)=(\S+)", line))


class LongScene(Scene):
    """TTLs that nobody could wait for."""

    ttl, negative_ttl = 300, 300


class Emptied:
    """What the agent needs to empty a cache, beside how it runs."""

    rr_types = ("A", "SRV")
    setting: str  # of the agent's `caches`

    def ask(self, rr_type: str, service: str) -> list[str]:
        name = self.name(rr_type, service)
        reply = dns.query.udp(dns.message.make_query(name, rr_type), CACHE, PATIENCE)
        return [text.split()[-1] for text in texts(reply, rr_type)]

    def look(self, rr_type: str, service: str) -> list[str]:
        return self.ask(rr_type, service)

    def restart(self) -> None:
        self.stop()
        self.launch(*self.process.args)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        def answers() -> bool:
            question = dns.message.make_query("localhost", "A")
            try:
                dns.query.udp(question, CACHE, 0.1)
            except (OSError, dns.exception.Timeout):
                return False
            return True

        until(answers, f"{self.title} answers")


class EmptiedUnbound(Emptied, Unbound):
    setting = "unbound=/run/unbound.ctl"
    CONTROL = "remote-control:\n    control-enable: yes\n    control-interface: /run/unbound.ctl\n" \
              "    control-use-cert: no\n"

    def configuration(self, path: str) -> str:
        return super().configuration(path) + self.CONTROL


class EmptiedBind(Emptied, Bind):
    setting = "bind=rndc -s 127.0.0.1 -p 953 -k /etc/bind/rndc.key"

    def configuration(self, path: str) -> str:
        return super().configuration(path) + (
            'include "/etc/bind/rndc.key";\n'
            'controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { "rndc-key"; }; };\n')

    def launch(self, *command, **options) -> None:
        key = pathlib.Path("/etc/bind/rndc.key")
        if not key.exists():
            secret = self.scene.run("rndc-confgen", "-k", "rndc-key")
            key.write_text(re.search(r"^key .*?^};\n", secret, re.S | re.M)[0])
        super().launch(*command, **options)


class EmptiedDnsmasq(Emptied, Dnsmasq):
    setting = "dnsmasq=/run/dnsmasq.pid"

    def launch(self, *command, **options) -> None:
        """--no-daemon writes no file with its id."""
        words = [word for word in command if word != "--no-daemon"]
        super().launch(*dict.fromkeys([*words, "--keep-in-foreground", "--pid-file=/run/dnsmasq.pid"]), **options)


class EmptiedResolved(Emptied, SystemdResolved):
    setting = "systemd-resolved=/run/resolved.pid"

    def launch(self, *command, **options) -> None:
        super().launch(*command, **options)
        pathlib.Path("/run/resolved.pid").write_text(str(self.process.pid))


class EmptiedNscd(Emptied, Nscd):
    rr_types = ("A",)
    setting = f"nscd={UNPACKED / 'nscd/usr/sbin/nscd'}"

    def look(self, rr_type: str, service: str) -> list[str]:
        return Nscd.look(self, rr_type, service)

    def wait_until_ready(self) -> None:
        def answers() -> bool:
            with socket.socket(socket.AF_UNIX) as control:
                return control.connect_ex("/run/nscd/socket") == 0

        until(answers, "nscd answers")


EMPTIED = {kind.title: kind for kind in (EmptiedUnbound, EmptiedBind, EmptiedDnsmasq, EmptiedResolved, EmptiedNscd)}


class DrivenHaProxy(Client):
    """With a front end on port 8000, and its backend `web` in the file that the agent writes."""

    title, package = "HAProxy", "haproxy"
    SOCKET, SERVERS = "/run/haproxy.sock", "/run/haproxy-servers.cfg"
    CONFIGURATION = f"""
global
    stats socket {SOCKET} level admin expose-fd listeners
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend all
    bind 127.0.0.1:8000
    use_backend web
"""

    def start(self) -> None:
        if not (own := pathlib.Path("/run/haproxy.cfg")).exists():
            own.write_text(self.CONFIGURATION)
        self.launch("haproxy", "-W", "-db", "-f", str(own), "-f", self.SERVERS)
        until(lambda: self.worker() is not None, "HAProxy runs")

    def restart(self) -> None:
        self.stop()
        pathlib.Path(self.SOCKET).unlink()
        self.start()

    def reload(self) -> None:
        """Returns once the new worker is the one that is talked to."""
        before = self.worker()
        for _ in range(5):
            # The master may miss a signal that comes while it executes itself anew.
            self.process.send_signal(signal.SIGUSR2)
            with contextlib.suppress(AssertionError):
                return until(lambda: self.worker() not in (None, before), "a new worker runs", PATIENCE / 5)
        raise AssertionError("no new worker runs")

    def worker(self) -> str | None:
        try:
            return re.search(r"^Pid: (\d+)", self.ask("show info"), re.M)[1]
        except (OSError, TypeError):
            return None

    def ask(self, command: str) -> str:
        return ask_haproxy(self.SOCKET, command)

    def servers(self) -> dict[str, dict[str, str]]:
        return {server["srv_name"]: server for server in servers_of_haproxy(self.SOCKET, "web")}

    def ready(self) -> set[str]:
        """Those that new requests may go to."""
        return {name for name, server in self.servers().items()
                if server["srv_op_state"] == "2" and server["srv_admin_state"] == "0"}

    @staticmethod
    def settings(scene: Scene, **more) -> dict:
        """What the agent is told."""
        return {"haproxy.socket": DrivenHaProxy.SOCKET, "haproxy.file": DrivenHaProxy.SERVERS,
                "haproxy.backends": ["web=demo.internal/web"], "haproxy.interval": 0.5} | more

    @staticmethod
    def get(path="/"):
        return page("127.0.0.1", 8000, path)


class Load:
    """Requests through a proxy, each on a connection of its own, from a few threads until it is stopped."""

    def __init__(self, get, threads=4):
        self.get, self.ended, self.failures, self.done = get, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                status = self.get().status
                if status != 200:
                    self.failures.append(status)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            self.done += 1

    def wait_for_more(self, requests=100) -> None:
        before = self.done
        until(lambda: self.done >= before + requests, f"{requests} more requests are done")


class ControlSocket:
    """A unix socket that answers every line with `reply`, and remembers them; with None it hangs."""

    def __init__(self, path: pathlib.Path, reply: bytes | None = b"ok\n"):
        self.path, self.lines = path, []
        lines = self.lines

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().decode().strip()
                lines.append(line)
                if reply is not None:
                    self.wfile.write(reply)

        if reply is None:
            self.hung = socket.socket(socket.AF_UNIX)
            self.hung.bind(str(path))
            self.hung.listen()
            return
        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Relay:
    """A UDP path to dnsd that can hold the answers back."""

    def __init__(self, listen: tuple[str, int], server: tuple[str, int]):
        self.open, self.held = threading.Event(), 0
        self.open.set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(listen)
        self.server = server
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            query, client = self.socket.recvfrom(65536)
            threading.Thread(target=self.pass_on, args=(query, client), daemon=True).start()

    def pass_on(self, query: bytes, client) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(PATIENCE)
            upstream.sendto(query, self.server)
            answer = upstream.recv(65536)
        if not self.open.is_set():
            self.held += 1
        self.open.wait(PATIENCE)
        self.socket.sendto(answer, client)


class Centre:
    """Says on /v1/watch what a test has it say: for each connection a list of (event, id, data)."""

    def __init__(self, *scripts):
        scripts, self.resumed = list(scripts), []
        centre = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                centre.resumed.append(self.headers.get("Last-Event-ID"))
                self.send_response(200)
                self.end_headers()
                for event, identity, data in scripts.pop(0) if scripts else []:
                    text = data if isinstance(data, str) else json.dumps(data)
                    self.wfile.write(f"event: {event}\nid: {identity}\ndata: {text}\n\n".encode())
                self.wfile.flush()
                centre.ended.wait()

            def log_message(self, *_arguments) -> None:
                pass

        self.ended = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
