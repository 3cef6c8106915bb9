"""Checks against real endpoints, from the outside."""

import contextlib
import os
import pathlib
import pwd
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import WEB, instances, make_service, status_of, until
from namespaces import in_namespaces

FAST = {"interval": 0.1, "timeout": 0.09, "rise": 1, "fall": 2}
NAME = "web.demo.internal"


def register(dnsd, backend, **fields) -> None:
    dnsd.api.put(f"{WEB}/instances/{backend.name}", {"ipv4": backend.address, "port": backend.port} | fields)


def reaches(dnsd, status: str, instance="i-1") -> None:
    until(lambda: status_of(dnsd.api, instance) == status, f"{instance} is {status}")


def outcomes(dnsd) -> list[str]:
    return [probe["outcome"] for event in dnsd.api.get("/v1/events")["events"]
            for probe in event.get("probes", [])]


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_a_backend_that_dies_and_returns(dnsd, make_backend, kind):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": FAST | {"type": kind, "path": "/health"}})
    backend = make_backend("i-1")
    register(dnsd, backend)
    until(lambda: dnsd.addresses(NAME) == ["127.0.0.1"], "it is answered")
    backend.kill()
    until(lambda: dnsd.addresses(NAME) == [], "it is gone")
    assert "connection refused" in outcomes(dnsd)
    backend.start()
    until(lambda: dnsd.addresses(NAME) == ["127.0.0.1"], "it is back")


def test_a_bad_status_is_unhealthy_and_its_number_is_told(dnsd, make_backend):
    make_service(dnsd.api, {"check": FAST | {"type": "http", "path": "/health", "expected_status": "200-299"}})
    backend = make_backend("i-1")
    register(dnsd, backend)
    reaches(dnsd, "healthy")
    backend.answer(503)
    reaches(dnsd, "unhealthy")
    assert "status 503" in outcomes(dnsd)


def test_a_body_that_lacks_what_is_wanted_is_unhealthy(dnsd, make_backend):
    make_service(dnsd.api, {"check": FAST | {"type": "http", "path": "/", "body_substring": "i-2"}})
    for name in ("i-1", "i-2"):  # a backend answers its name
        register(dnsd, make_backend(name))
    reaches(dnsd, "unhealthy", "i-1")
    reaches(dnsd, "healthy", "i-2")


def test_the_last_ones_are_answered_when_all_fail_unless_told_otherwise(dnsd, make_backend):
    make_service(dnsd.api, {"ttl": 0, "check": FAST | {"type": "tcp"}})
    backend = make_backend("i-1")
    register(dnsd, backend)
    reaches(dnsd, "healthy")
    backend.kill()
    reaches(dnsd, "unhealthy")
    assert dnsd.addresses(NAME) == ["127.0.0.1"]  # fail_open, as Route 53 does
    dnsd.api.put(WEB, {"ttl": 0, "failure_policy": "fail_closed", "check": FAST | {"type": "tcp"}})
    assert dnsd.addresses(NAME) == []


def test_a_disabled_instance_is_probed_and_never_answered(dnsd, make_backend):
    make_service(dnsd.api, {"check": FAST | {"type": "tcp"}})
    register(dnsd, make_backend("i-1"), disabled=True)
    reaches(dnsd, "healthy")
    assert dnsd.addresses(NAME) == []


def test_a_lease_lives_by_its_heartbeats(dnsd):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": {"type": "lease", "lease_ttl": 0.5}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    assert dnsd.addresses(NAME) == []
    dnsd.api.post(f"{WEB}/instances/i-1/heartbeat")
    until(lambda: dnsd.addresses(NAME) == ["192.0.2.1"], "it is answered")
    until(lambda: dnsd.addresses(NAME) == [], "its lease ends")
    assert "no heartbeat for 0.5 s" in outcomes(dnsd)
    assert dnsd.api.request("POST", f"{WEB}/instances/i-1/reconfirm").status == 409


def test_a_custom_status_is_set_and_refused_where_probes_decide(dnsd):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": {"type": "custom", "initial_status": "healthy"}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    assert dnsd.addresses(NAME) == ["192.0.2.1"]
    dnsd.api.put(f"{WEB}/instances/i-1/health", {"status": "unhealthy"})
    assert dnsd.addresses(NAME) == []
    dnsd.api.put(WEB, {"check": {"type": "tcp"}})
    assert dnsd.api.request("PUT", f"{WEB}/instances/i-1/health", {"status": "healthy"}).status == 409


def test_a_reconfirmation_finds_the_dead_long_before_the_next_tick(dnsd, make_backend):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed",
                            "check": {"type": "tcp", "interval": 3600, "timeout": 1, "fall": 3}})
    backend = make_backend("i-1")
    register(dnsd, backend)
    reaches(dnsd, "healthy")  # probed at once when it was registered
    assert dnsd.api.post(f"{WEB}/instances/i-1/reconfirm?wait=1") == {"status": "healthy"}
    backend.kill()
    assert dnsd.api.post(f"{WEB}/instances/i-1/reconfirm?wait=1") == {"status": "unhealthy"}
    assert dnsd.addresses(NAME) == []
    assert dnsd.api.request("POST", f"{WEB}/instances/i-1/reconfirm").status == 202


SLOW = {"type": "http", "path": "/health", "interval": 30, "timeout": 1}


def test_reports_of_those_who_call_it_remove_the_dead_long_before_the_next_tick(dnsd, make_backend):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed", "check": SLOW})
    backend = make_backend("i-1")
    register(dnsd, backend)
    reaches(dnsd, "healthy")
    backend.kill()
    report = f"{WEB}/instances/i-1/report"
    said = dnsd.api.request("POST", report, {"outcome": "failure", "count": 2, "error": "refused"})
    assert said.status == 202 and said.json == {"failures_in_window": 2, "threshold": 3, "reconfirm": False}
    assert dnsd.addresses(NAME) == ["127.0.0.1"]
    said = dnsd.api.request("POST", report, {"outcome": "failure"})
    assert said.status == 202 and said.json == {"failures_in_window": 3, "threshold": 3, "reconfirm": True}
    until(lambda: dnsd.addresses(NAME) == [], "it is gone", patience=10)  # the next tick is 30 s away


def test_a_liar_causes_few_probes_and_no_verdict(dnsd):
    """The backend is a socket that counts."""
    probes = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    probes.append(time.monotonic())
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            make_service(dnsd.api, {"check": {"type": "tcp", "interval": 3600, "timeout": 1}})
            dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": listener.getsockname()[1]})
            reaches(dnsd, "healthy")
            before, began = len(probes), time.monotonic()
            for _ in range(1000):
                dnsd.api.post(f"{WEB}/instances/i-1/report", {"outcome": "failure", "count": 1000})
            # One a second, and what is on its way has come once a last one, asked for by name, is answered.
            seconds = time.monotonic() - began
            until(lambda: dnsd.api.request("POST", f"{WEB}/instances/i-1/reconfirm?wait=1").status == 200, "it is probed")
            assert status_of(dnsd.api, "i-1") == "healthy"
            assert 1 <= len(probes) - before <= seconds + 2
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    causes = [event["cause"] for event in dnsd.api.get("/v1/events")["events"]]
    assert causes.count("health") == 1  # the first verdict alone
    metrics = dnsd.api.request("GET", "/metrics").body.decode()
    results = dict(re.findall(r'^dnsd_health_reports_total{result="(\w+)"} (\d+)', metrics, re.M))
    assert sum(map(int, results.values())) == 1000 and int(results["limited"]) > 900


def test_reports_are_refused_where_nothing_could_come_of_them(dnsd):
    make_service(dnsd.api, {"check": {"type": "custom"}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})

    def refused(body, instance="i-1"):
        reply = dnsd.api.request("POST", f"{WEB}/instances/{instance}/report", body)
        return reply.status, [error["pointer"] for error in reply.json["errors"]]

    assert refused({"outcome": "failure"}) == (409, [])
    assert refused({"outcome": "failure"}, "nobody") == (404, [])
    assert refused({}) == (422, ["/outcome"])
    assert refused({"outcome": "dead", "count": 0, "colour": 1}) == (422, ["/outcome", "/count", "/colour"])
    assert refused({"outcome": "failure", "error": "x" * 1025}) == (422, ["/error"])
    assert refused("nonsense") == (400, [])


def test_a_restart_keeps_statuses_and_probes_at_once(dnsd, make_backend):
    make_service(dnsd.api, {"ttl": 0, "failure_policy": "fail_closed",
                            "check": {"type": "tcp", "interval": 3600, "timeout": 1, "fall": 1}})
    backends = [make_backend("i-1"), make_backend("i-2")]
    for backend in backends:
        register(dnsd, backend)
        reaches(dnsd, "healthy", backend.name)
    dnsd.stop()
    backends[0].kill()
    dnsd.start()
    assert dnsd.addresses(NAME) == ["127.0.0.1"]
    reaches(dnsd, "unhealthy", "i-1")
    assert status_of(dnsd.api, "i-2") == "healthy"


class TlsServer:
    def __init__(self, folder: pathlib.Path):
        self.certificate = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=web.example.org", "-addext", "subjectAltName=DNS:web.example.org",
                        "-keyout", folder / "key.pem", "-out", self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "key.pem")
        self.names: set = set()
        context.sni_callback = lambda _socket, name, _context: self.names.add(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = context
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            try:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                pass


# A proxy of the environment is none of a probe's business.
PROXIES = {name: "http://127.0.0.1:1" for name in ("https_proxy", "http_proxy", "ALL_PROXY")}


def check_by_https(make_dnsd, server: TlsServer, verify: bool):
    dnsd = make_dnsd(env=PROXIES).start()
    make_service(dnsd.api, {"check": {"type": "https", "interval": 1, "timeout": 0.9, "host": "web.example.org",
                                      "verify_tls": verify, "body_substring": "ok"}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": server.port})
    return dnsd


@pytest.mark.parametrize("verify, status", [(False, "healthy"), (True, "unhealthy")])
def test_https_verifies_the_certificate_when_asked_to(make_dnsd, tmp_path, verify, status):
    server = TlsServer(tmp_path)
    reaches(check_by_https(make_dnsd, server, verify), status)
    assert server.names == {"web.example.org"}


@in_namespaces
def test_https_takes_a_certificate_that_the_machine_trusts(make_dnsd, tmp_path, request):
    server = TlsServer(tmp_path)
    subprocess.run(["mount", "--bind", server.certificate, "/etc/ssl/certs/ca-certificates.crt"], check=True)
    reaches(check_by_https(make_dnsd, server, True), "healthy")


@in_namespaces
def test_probes_leave_no_time_wait_behind(make_dnsd, make_backend, request):
    dnsd = make_dnsd().start()
    make_service(dnsd.api, {"check": FAST | {"type": "tcp"}})
    make_service(dnsd.api, {"check": FAST | {"type": "http", "path": "/health"}}, name="http")
    backend = make_backend("i-1")
    register(dnsd, backend)
    dnsd.api.put("/v1/namespaces/demo.internal/services/http/instances/i-1", {"ipv4": "127.0.0.1", "port": backend.port})
    metric = re.compile(r'^dnsd_check_probes_total\{outcome="success"\} (\d+)', re.M)
    until(lambda: int(metric.search(dnsd.api.request("GET", "/metrics").body.decode())[1]) > 20, "some are done")
    waiting = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    to_backend = [f for f in waiting if f[3] == "06" and int(f[2].split(":")[1], 16) == backend.port]
    assert to_backend == []


def test_root_becomes_the_user_that_is_named(make_dnsd, tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    data = tmp_path / "data"
    data.mkdir()
    settings = {"user": "nobody", "store.path": str(data / "dnsd.db")}
    nobody = pwd.getpwnam("nobody")
    if os.geteuid() != 0:  # nobody but root can: it stays who it is, and says so
        dnsd = make_dnsd(settings=settings).start()
        assert "not root" in dnsd.stderr
        return
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    dnsd = make_dnsd(settings=settings).start()
    status = pathlib.Path(f"/proc/{dnsd.process.pid}/status").read_text()
    assert re.search(rf"^Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}$", status, re.M)
    for thread in pathlib.Path(f"/proc/{dnsd.process.pid}/task").iterdir():
        assert f"Uid:\t{nobody.pw_uid}\t" in (thread / "status").read_text()
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    assert {path.stat().st_uid for path in data.iterdir()} == {nobody.pw_uid}
    dnsd.restart()
    assert list(instances(dnsd.api)) == ["i-1"]
