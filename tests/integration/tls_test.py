"""The API over TLS: certificates of a root made here, clients that trust it, and those that do not."""

import concurrent.futures
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from agents import Agent
from harness import DNSCTL, NAMESPACE, PATIENCE, WEB, Refused, instances, make_service, raw_tcp, until

I1 = f"{WEB}/instances/i-1"
GOOD = {"ipv4": "192.0.2.1", "port": 80}


def openssl(*arguments) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    """A root and the certificates that it signs; each is two files."""

    def __init__(self, folder: pathlib.Path, name="root"):
        self.folder = folder
        self.root, self.root_key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", *self._fresh_key(self.root_key), "-days", 2, "-subj", f"/CN={name}",
                "-out", self.root)

    def sign(self, name: str, alternative="IP:127.0.0.1", days=2) -> tuple[pathlib.Path, pathlib.Path]:
        certificate, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        openssl("req", *self._fresh_key(key), "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.root_key, "-CAcreateserial",
                "-copy_extensions", "copy", "-days", days, "-out", certificate)
        return certificate, key

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.root)

    @staticmethod
    def _fresh_key(path: pathlib.Path) -> list:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.sign("dnsd")


def settings_of(pair) -> dict:
    return {"api.tls_cert": str(pair[0]), "api.tls_key": str(pair[1])}


@pytest.fixture
def make_tls(make_dnsd, authority, pair):
    def make(name="dnsd", settings=None, **options):
        daemon = make_dnsd(name, settings=settings_of(pair) | (settings or {}), **options)
        daemon.tls = authority.context()
        return daemon

    return make


@pytest.fixture
def tls(make_tls):
    return make_tls().start()


def dnsctl(*arguments, status=0) -> str:
    done = subprocess.run([DNSCTL, *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=PATIENCE)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stderr if status == 1 else done.stdout


def shown_certificate(daemon) -> bytes:
    with socket.create_connection(daemon.apis[0], PATIENCE) as plain:
        with daemon.tls.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
            return wrapped.getpeercert(binary_form=True)


def replace_pair(pair, by) -> None:
    """As who renews certificates does: whole files, moved into place."""
    for old, new in zip(pair, by):
        shutil.copy(new, f"{old}.new")
        os.replace(f"{old}.new", old)


def seconds_of_cpu(daemon) -> float:
    fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_all_of_the_api_is_there(tls):
    make_service(tls.api)
    index = tls.api.get(f"{WEB}/instances")["index"]
    with tls.api.watch("?namespace=demo.internal&service=web") as events, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        assert next(events).event == "snapshot"
        waiting = pool.submit(tls.api.get, f"{WEB}/instances?wait=30&after={index}")
        until(lambda: tls.api.get("/v1/status")["waiting"] == 1, "it waits")
        tls.api.put(I1, GOOD)
        assert [i["id"] for i in waiting.result(10)["instances"]] == ["i-1"]
        assert next(events).data["instances"] == [{"id": "i-1", "status": "unknown", "was": "none"}]
    assert tls.addresses("web.demo.internal") == ["192.0.2.1"]
    assert tls.api.get("/v1/status")["tls"] is True
    until(lambda: tls.api.get("/v1/status")["watching"] == 0, "the watcher is missed")


def test_one_connection_serves_many_requests_and_long_bodies(tls):
    make_service(tls.api)
    many = {"instances": [{"id": f"i-{n}", "ipv4": "192.0.2.1", "port": 80, "attributes": {"text": "x" * 900}}
                          for n in range(3000)]}
    connection = tls.api.connect()
    for body in (many, {"instances": many["instances"][:10]}, many):
        connection.request("PUT", f"{WEB}/instances", json.dumps(body))
        assert connection.getresponse().read().startswith(b"{")
        connection.request("GET", f"{WEB}/instances?limit=10000&status=unknown")
        assert len(json.loads(connection.getresponse().read())["instances"]) == len(body["instances"])
    connection.request("PUT", f"{WEB}/instances", b"x" * (4 * 1024 * 1024 + 1))
    reply = connection.getresponse()
    assert reply.status == 413 and reply.read()
    connection.close()


@pytest.mark.parametrize("octets_of_a_record", [1, 100, 5000, 16384])
def test_what_comes_in_many_records_at_once_is_read_to_its_end(tls, octets_of_a_record):
    """The socket becomes readable once for all of them, and TLS hands out one at a time."""
    make_service(tls.api)
    body = json.dumps(GOOD | {"attributes": {"text": "x" * 900}})
    put = f"PUT {I1} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    requests = (put + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode()
    inwards, outwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.tls.wrap_bio(inwards, outwards, server_hostname="127.0.0.1")
    with socket.create_connection(tls.apis[0], PATIENCE) as connection:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outwards.read())
                inwards.write(connection.recv(65536))
        for start in range(0, len(requests), octets_of_a_record):
            session.write(requests[start : start + octets_of_a_record])
        connection.sendall(outwards.read())
        while octets := connection.recv(65536):
            inwards.write(octets)
    answers = b""
    with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
        while octets := session.read(65536):
            answers += octets
    assert answers.startswith(b"HTTP/1.1 201") and answers.endswith(b'{"alive":true}'), answers


def test_a_request_that_is_none_is_answered_and_closed(tls):
    for octets in (b"nonsense\r\n\r\n", b"GET /healthz HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection(tls.apis[0], 10) as plain, \
                tls.tls.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=True) as session:
            session.sendall(octets)
            with contextlib.suppress(ConnectionResetError):
                answer = session.recv(65536)
                assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4")), answer


def test_waiting_clients_that_left_are_missed(tls):
    make_service(tls.api)
    clients = []
    for _ in range(100):
        connection = tls.api.connect()
        connection.request("GET", f"{WEB}/instances?wait=60")
        clients.append(connection)
    until(lambda: tls.api.get("/v1/status")["waiting"] == 100, "all wait")
    for connection in clients:
        connection.sock.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            connection.sock.unwrap()  # says goodbye, in a record that nobody reads
        connection.close()
    until(lambda: tls.api.get("/v1/status")["waiting"] == 0, "all are gone", 20)


def test_dnsctl_with_the_root_and_a_token(make_tls, authority, tmp_path):
    (tmp_path / "tokens").write_text(hashlib.sha256(b"secret").hexdigest() + " write\n")
    (tmp_path / "token").write_text("secret\n")
    tls = make_tls(settings={"api.tokens": str(tmp_path / "tokens")}).start()
    us = ["--server", tls.url, "--ca", authority.root]
    assert "token" in dnsctl(*us, "namespace", "create", "demo.internal", status=1)
    us += ["--token-file", tmp_path / "token"]
    dnsctl(*us, "namespace", "create", "demo.internal")
    dnsctl(*us, "service", "create", "demo.internal", "web")
    dnsctl(*us, "register", "demo.internal", "web", "i-1", "--ipv4", "192.0.2.1", "--port", "80")
    assert tls.addresses("web.demo.internal") == ["192.0.2.1"]
    command = [DNSCTL, *map(str, us), "watch", "demo.internal", "web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        try:
            assert watch.stdout.readline().startswith("snapshot")
            assert "i-1" in watch.stdout.readline()
            dnsctl(*us, "deregister", "demo.internal", "web", "i-1")
            assert "i-1: unknown -> draining" in watch.stdout.readline()
        finally:
            watch.kill()


def test_certificates_that_prove_nothing_are_refused_with_a_sentence(tls, make_tls, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    host = tls.url.removeprefix("https://")
    said = dnsctl("--server", tls.url, "--ca", stranger.root, "status", status=1)
    assert said == (f"dnsctl: {tls.url}: the certificate of {host} is not signed by any of those in {stranger.root}; "
                    "--ca names a file of roots\n")
    said = dnsctl("--server", tls.url, "status", status=1)
    assert "is not signed by any of the system's roots; --ca names a file of roots" in said
    said = dnsctl("--server", tls.url, "--ca", authority.root_key, "status", status=1)
    assert f"no certificates of roots can be read from {authority.root_key}" in said
    other = make_tls("other", settings=settings_of(authority.sign("other", "DNS:dnsd.example.org"))).start()
    said = dnsctl("--server", other.url, "--ca", authority.root, "status", status=1)
    assert f"the certificate of {other.url.removeprefix('https://')} is refused: " in said and "127.0.0.1" in said


def test_plain_http_to_the_tls_port_is_told_so(tls):
    answer = raw_tcp(tls.apis[0], f"PUT {I1} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    assert answer.startswith(b"HTTP/1.1 400 ") and b"this port speaks TLS" in answer
    plain = tls.url.replace("https://", "http://")
    assert "this port speaks TLS; its address begins with https://" in dnsctl("--server", plain, "status", status=1)


def test_tls_to_a_plain_port_ends_at_once(dnsd, authority):
    with socket.create_connection(dnsd.apis[0], 5) as plain, pytest.raises(ssl.SSLError):
        authority.context().wrap_socket(plain, server_hostname="127.0.0.1")
    said = dnsctl("--server", dnsd.url.replace("http://", "https://"), "status", status=1)
    assert "does not speak TLS with us" in said
    assert dnsd.api.get("/v1/status")["tls"] is False


@pytest.mark.parametrize("version,is_taken", [
    (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)])
def test_tls_is_1_2_or_1_3(tls, version, is_taken):
    tls.tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.tls.minimum_version = tls.tls.maximum_version = version
    if is_taken:
        assert tls.api.get("/healthz")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            tls.api.get("/healthz")


def test_sighup_shows_the_new_certificate_to_new_connections(make_tls, authority, tmp_path):
    ours = [tmp_path / "dnsd.pem", tmp_path / "dnsd.key"]
    replace_pair(ours, authority.sign("first"))
    tls = make_tls(settings=settings_of(ours)).start()
    make_service(tls.api)
    first = shown_certificate(tls)
    kept = tls.api.connect()
    with tls.api.watch() as events:
        assert next(events).event == "snapshot"
        kept.request("GET", "/healthz")
        assert kept.getresponse().read()
        replace_pair(ours, authority.sign("second"))
        assert shown_certificate(tls) == first  # until it is told
        tls.signal(signal.SIGHUP)
        until(lambda: shown_certificate(tls) != first, "it shows the new one")
        assert shown_certificate(tls) == ssl.PEM_cert_to_DER_cert(ours[0].read_text())
        tls.api.put(I1, GOOD)
        assert next(events).data["instances"][0]["id"] == "i-1"
        kept.request("GET", I1)
        assert kept.getresponse().status == 200
        assert kept.sock.getpeercert(binary_form=True) == first
        kept.close()


def test_sighup_with_a_pair_that_is_none_changes_nothing(make_tls, authority, tmp_path):
    ours = [tmp_path / "dnsd.pem", tmp_path / "dnsd.key"]
    replace_pair(ours, authority.sign("first"))
    tokens = tmp_path / "tokens"
    tokens.write_text(hashlib.sha256(b"secret").hexdigest() + " write\n")
    tls = make_tls(settings=settings_of(ours) | {"api.tokens": str(tokens)}).start()
    tls.token = "secret"
    first = shown_certificate(tls)
    tokens.write_text("")  # good by itself, and refused with the pair
    for broken in ("", "nonsense", authority.sign("second")[1].read_text()):
        ours[1].write_text(broken)
        refusals = tls.stderr.count("reload refused")
        tls.signal(signal.SIGHUP)
        until(lambda: tls.stderr.count("reload refused") > refusals, "the refusal is logged")
        assert shown_certificate(tls) == first and tls.api.get("/v1/namespaces")
    assert "is not the key of the first certificate" in tls.stderr


def test_whether_tls_is_spoken_wants_a_restart(make_dnsd, pair, tmp_path):
    file = tmp_path / "dnsd.toml"
    file.write_text("")
    dnsd = make_dnsd(arguments=["--config", str(file)]).start()
    file.write_text(f"[api]\ntls_cert = '{pair[0]}'\ntls_key = '{pair[1]}'\n")
    dnsd.signal(signal.SIGHUP)
    until(lambda: "restart needed option=api.tls_cert" in dnsd.stderr, "it says so")
    assert dnsd.api.get("/v1/status")["tls"] is False


def test_a_pair_that_is_none_is_refused_at_the_start(make_dnsd, authority, pair, tmp_path):
    (tmp_path / "empty").write_text("")
    other = authority.sign("other")
    for number, (certificate, key, said) in enumerate([
            (tmp_path / "none.pem", pair[1], "api.tls_cert: {}: No such file or directory"),
            (pair[0], tmp_path / "none.key", "api.tls_key: {}: No such file or directory"),
            (tmp_path, pair[1], "api.tls_cert: {}: Is a directory"),
            (tmp_path / "empty", pair[1], "api.tls_cert: {}: it is empty"),
            (pair[1], pair[1], "api.tls_cert: {}: it holds no certificate in PEM"),
            (pair[0], pair[0], "api.tls_key: {}: it holds no key in PEM without a password"),
            (pair[0], other[1], "api.tls_key: {}: it is not the key of the first certificate in"),
            (authority.sign("expired", days=0)[0], authority.folder / "expired.key",
             "api.tls_cert: {}: it expired at ")]):
        dnsd = make_dnsd(f"dnsd-{number}", settings=settings_of((certificate, key)))
        with pytest.raises(Refused) as refused:
            dnsd.start()
        dnsd.process = None
        assert refused.value.status == 1
        wrong = certificate if said.startswith("api.tls_cert") else key
        assert said.format(wrong) in refused.value.stderr, refused.value.stderr


def test_half_a_handshake_costs_no_time_and_ends(make_tls):
    """Each would keep a core busy if it were asked again and again whether it goes on."""
    tls = make_tls(settings={"api.idle_timeout": 5}).start()
    begun = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.tls.wrap_bio(ssl.MemoryBIO(), begun, server_hostname="127.0.0.1").do_handshake()
    hello = begun.read()
    clients = []
    for octets in (b"", hello[:1], hello[:100], hello) * 10:
        client = socket.create_connection(tls.apis[0], PATIENCE)
        client.sendall(octets)
        clients.append(client)
    for client in clients[3::4]:
        assert client.recv(1)  # it was answered, and the client's end is missing
    before = seconds_of_cpu(tls)
    time.sleep(1)  # what is measured is an interval
    assert seconds_of_cpu(tls) - before < 0.3
    for client in clients:
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
        client.close()
    assert tls.api.get("/healthz")
    failed = f"dnsd_api_handshakes_failed_total {len(clients)}\n".encode()
    assert failed in tls.api.request("GET", "/metrics").body


def test_garbage_instead_of_a_handshake_ends_and_harms_nobody(tls):
    draw = random.Random(20260101)
    begun = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.tls.wrap_bio(ssl.MemoryBIO(), begun, server_hostname="127.0.0.1").do_handshake()
    hello = bytearray(begun.read())
    for number in range(300):
        octets = bytearray(hello) if number % 2 else bytearray(draw.randbytes(draw.randrange(1, 5000)))
        if number % 2:
            for _ in range(draw.randrange(1, 8)):
                octets[draw.randrange(len(octets))] = draw.randrange(256)
        try:
            raw_tcp(tls.apis[0], bytes(octets))
        except OSError as error:
            assert error.errno == errno.ENOTCONN  # it was closed before we were done
        if number % 50 == 0:
            assert tls.api.get("/healthz")
    make_service(tls.api)
    tls.api.put(I1, GOOD)
    assert list(instances(tls.api)) == ["i-1"] and tls.addresses("web.demo.internal") == ["192.0.2.1"]


def test_it_stops_with_streams_waits_and_handshakes_under_way(tls):
    make_service(tls.api)
    idle = [socket.create_connection(tls.apis[0], PATIENCE) for _ in range(5)]
    waiting = [tls.api.connect() for _ in range(5)]
    for connection in waiting:
        connection.request("GET", f"{WEB}/instances?wait=60")
    with tls.api.watch(f"?namespace={NAMESPACE.rpartition('/')[2]}") as events:
        next(events)
        until(lambda: tls.api.get("/v1/status")["waiting"] == 5, "all wait")
        tls.stop()
    for client in idle:
        client.close()
    for connection in waiting:
        assert connection.getresponse().status in (200, 503)
        connection.close()


def test_a_replica_follows_over_tls_and_believes_its_own_roots_alone(make_tls, make_dnsd, authority):
    centre = make_tls("centre").start()
    make_service(centre.api)
    centre.api.put(I1, GOOD)
    replica = make_dnsd("replica", settings={"replica.follow": [centre.url]}).start()
    trouble = until(lambda: replica.api.get("/v1/status")["replica"]["trouble"], "it is told")
    assert "certificate" in trouble and "replica.ca_file" in trouble
    replica.stop()
    replica.settings["replica.ca_file"] = str(authority.root)
    replica.start()
    until(lambda: replica.addresses("web.demo.internal") == [GOOD["ipv4"]], "it follows")


def test_an_agent_follows_over_tls(make_tls, authority, tmp_path):
    centre = make_tls("centre").start()
    make_service(centre.api)
    written = tmp_path / "web.json"
    agent = Agent(tmp_path, centre.url, {"ca_file": str(authority.root),
                                         "outputs": [f"demo.internal/web json {written}"]})
    try:
        agent.start()
        centre.api.put(I1, GOOD)
        until(lambda: written.exists() and GOOD["ipv4"] in written.read_text(), "it has been told")
    finally:
        agent.stop()
