"""The main job on real input: in a network and mount namespace of its own, as a container has them,
/etc/resolv.conf names dnsd on port 53, and stock clients find and lose real backends."""

import collections
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from harness import PATIENCE, WEB, instances, make_service, status_of, until, wall_time
from namespaces import in_namespaces

NAME = "web.demo.internal"
PORT = 8080
INTERVAL, FALL = 0.5, 2
CHECK = {"type": "http", "path": "/health", "interval": INTERVAL, "timeout": 0.4, "rise": 1, "fall": FALL}
# Generous: a probe that fails at once has its verdict after one interval.
VERDICT_SECONDS_MAX = 2.0


class Container:
    """Backends i-1 to i-3 on 127.0.0.11 to .13, registered and healthy."""

    def __init__(self, make_dnsd, make_backend, folder: pathlib.Path):
        resolv_conf = folder / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:3\n")
        subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
        self.dnsd = make_dnsd(settings={"dns.listen": ["127.0.0.1:53"]}).start()
        self.api = self.dnsd.api
        make_service(self.api, {"ttl": 1, "failure_policy": "fail_closed", "check": CHECK})
        self.addresses = {f"i-{n}": f"127.0.0.1{n}" for n in (1, 2, 3)}
        self.backends = {}
        for identity, address in self.addresses.items():
            self.backends[identity] = make_backend(identity, address=address, port=PORT)
            self.api.put(f"{WEB}/instances/{identity}", {"ipv4": address, "port": PORT})
        until(lambda: self.answered() == sorted(self.addresses.values()), "all are answered")

    def answered(self) -> list[str]:
        return self.dnsd.addresses(NAME)


@pytest.fixture
def container(make_dnsd, make_backend, tmp_path):
    return lambda: Container(make_dnsd, make_backend, tmp_path)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()


NODE_PAGE = """
require('http').get(process.argv[1], {agent: false}, reply => {
    let body = ''; reply.on('data', part => body += part); reply.on('end', () => console.log(body));
}).on('error', error => { console.error(error); process.exit(1); });
"""
NODE_SRV = """
require('dns').resolveSrv(process.argv[1], (error, records) => {
    if (error) { console.error(error); process.exit(1); }
    console.log(JSON.stringify(records));
});
"""
PYTHON_PAGE = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"


@in_namespaces
def test_stock_clients_reach_every_backend_by_name(container, tmp_path, request):
    here = container()
    url = f"http://{NAME}:{PORT}/"
    static = str(tmp_path / "client")
    run("musl-gcc", "-static", "-O1", "-o", static, str(pathlib.Path(__file__).with_name("client.c")))
    clients = {
        "curl": ["curl", "-sSf", url],
        "musl": [static, NAME, str(PORT)],
        "node": ["node", "-e", NODE_PAGE, url],
        "python": ["/usr/bin/python3", "-c", PYTHON_PAGE, url],
    }
    for client, command in clients.items():
        assert shutil.which(command[0]), client
        seen: collections.Counter = collections.Counter()
        # Which backend comes first is drawn for each query: three of three show soon.
        deadline = time.monotonic() + PATIENCE
        while len(seen) < 3:
            assert time.monotonic() < deadline, (client, seen)
            seen[run(*command).strip()] += 1
        assert set(seen) == set(here.addresses), client
    records = json.loads(run("node", "-e", NODE_SRV, f"_web._tcp.demo.internal"))
    assert {(record["name"], record["port"]) for record in records} == {
        (f"{identity}.{NAME}", PORT) for identity in here.addresses}
    for record in records:
        assert run("curl", "-sSf", f"http://{record['name']}:{record['port']}/") == record["name"].split(".")[0]


@in_namespaces
def test_a_killed_backend_leaves_the_answers_on_the_verdict_and_returns(container, request):
    here = container()
    victim, address = "i-2", here.addresses["i-2"]
    answers: list[tuple[float, list[str]]] = []  # when it was asked, what came
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            asked = time.time()
            answers.append((asked, here.answered()))

    asker = threading.Thread(target=ask)
    asker.start()
    killed = time.time()
    here.backends[victim].kill()
    until(lambda: status_of(here.api, victim) == "unhealthy", "the verdict")

    def verdict() -> dict | None:
        events = here.api.get("/v1/events?limit=10")["events"]
        found = [e for e in events if e["cause"] == "health" and e["times"]["published"]
                 and e["instances"] == [{"id": victim, "status": "unhealthy", "was": "healthy"}]]
        return found[0] if found else None

    event = until(verdict, "the event is written")
    until(lambda: sum(asked > wall_time(event["times"]["published"]) for asked, _ in answers) > 100,
          "enough is asked afterwards")
    stop.set()
    asker.join()

    # The probes that led there failed on their ticks, and the fall-th decided.
    probes = event["probes"]
    assert len(probes) == FALL and not any(probe["success"] for probe in probes)
    ticks = [wall_time(probe["tick"]) for probe in probes]
    for earlier, later in zip(ticks, ticks[1:]):
        assert later - earlier == pytest.approx(INTERVAL, abs=0.01)
    assert ticks[0] - killed <= INTERVAL + 0.01
    times = {name: wall_time(text) for name, text in event["times"].items() if text}
    assert times["detected"] == pytest.approx(wall_time(probes[-1]["ended"]))
    assert times["detected"] <= times["submitted"] <= times["committed"] <= times["published"]
    assert times["published"] - killed < VERDICT_SECONDS_MAX
    # No answer to what was asked after the publication holds it; those before are not all without.
    late = [got for asked, got in answers if asked > times["published"] + 0.001 and address in got]
    assert late == []
    assert any(address in got for _, got in answers)
    assert f"{address}" not in here.answered()

    backend = here.backends[victim]
    backend.start()
    until(lambda: address in here.answered(), "it is back")
    assert status_of(here.api, victim) == "healthy"


@in_namespaces
def test_a_backend_that_stops_at_safe_after_fails_no_request(container, request):
    here = container()
    stop = threading.Event()
    failures, pages = [], collections.Counter()

    def browse() -> None:
        """An honest client: it keeps an address for as long as its TTL, one second, and no longer."""
        while not stop.is_set():
            held_until = time.monotonic() + 1.0
            try:
                address = socket.getaddrinfo(NAME, PORT, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
                while time.monotonic() < held_until and not stop.is_set():
                    with urllib.request.urlopen(f"http://{address}:{PORT}/", timeout=PATIENCE) as page:
                        pages[page.read().decode().strip()] += 1
            except (OSError, http.client.HTTPException) as failure:
                failures.append(failure)

    browsers = [threading.Thread(target=browse) for _ in range(8)]
    for browser in browsers:
        browser.start()
    until(lambda: len(pages) == 3, "every backend is used")
    leaving = "i-3"
    safe_after = wall_time(here.api.delete(f"{WEB}/instances/{leaving}")["safe_after"])
    assert here.addresses[leaving] not in here.answered()
    assert instances(here.api)[leaving]["status"] == "draining"
    assert 0 < safe_after - time.time() <= 1 + 1 + 1 + 0.5
    until(lambda: time.time() >= safe_after, "it is safe")
    here.backends[leaving].kill()
    served = pages.total()
    until(lambda: pages.total() > served + 200, "they go on")
    stop.set()
    for browser in browsers:
        browser.join()
    assert failures == []
