"""The real Envoy with conf/envoy.yaml, for tests inside namespaces of their own: its ports are the
bootstrap's. And requests as it sends them, without it."""

import contextlib
import functools
import http.client
import json
import pathlib
import subprocess
import threading
import urllib.request

from harness import PATIENCE, ROOT, Api, until
from programs import running

API = {"api.listen": ["127.0.0.1:8053"]}
BOOTSTRAP = ROOT / "conf/envoy.yaml"
HTTP, ADMIN = ("127.0.0.1", 15001), "http://127.0.0.1:9901"


@functools.cache
def binary() -> str:
    return subprocess.run([ROOT / "tools/envoy"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Envoy:
    """What its admin page and its listeners say."""

    def __init__(self, process):
        self.process = process

    def admin(self, path: str) -> str:
        with urllib.request.urlopen(ADMIN + path, timeout=PATIENCE) as reply:
            return reply.read().decode()

    def clusters(self) -> dict[str, dict[str, int]]:
        """Each cluster's endpoints, as /clusters shows them: "address:port" and its weight."""
        shown = {}
        for cluster in json.loads(self.admin("/clusters?format=json")).get("cluster_statuses", []):
            hosts = shown[cluster["name"]] = {}
            for host in cluster.get("host_statuses", []):
                address = host["address"]["socket_address"]
                hosts[f"{address['address']}:{address['port_value']}"] = host["weight"]
        del shown["dnsd"]
        return shown

    def hosts(self, cluster="web.demo.internal") -> set[str]:
        return set(self.clusters().get(cluster, {}))

    def stat(self, name: str) -> int:
        for line in self.admin("/stats").splitlines():
            known, _, value = line.partition(": ")
            if known == name:
                return int(value)
        return 0

    def get(self, host="web.demo.internal", method="GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection(*HTTP, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, "/", headers={"Host": host})
            reply = connection.getresponse()
            return reply.status, reply.read().decode().strip()

    def routes(self, host="web.demo.internal") -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(host)[0] == 200
        return False


@contextlib.contextmanager
def running_envoy(folder: pathlib.Path, *, metadata=None, overrides=None, bootstrap=BOOTSTRAP):
    """Until the block ends. `overrides` are laid over the bootstrap, as Envoy merges them."""
    laid_over = {"node": {"metadata": metadata or {}}} | (overrides or {})
    command = [binary(), "-c", str(bootstrap), "--config-yaml", json.dumps(laid_over), "--concurrency", "1",
               "--disable-hot-restart", "--use-dynamic-base-id", "--log-level", "warning"]
    with running(command, folder / "envoy.log") as process:
        envoy = Envoy(process)

        def listens() -> bool:
            with contextlib.suppress(OSError):
                return "LIVE" in envoy.admin("/ready")
            return False

        until(listens, "Envoy is there")
        yield envoy


class Traffic:
    """One client that asks Envoy again and again, each time on a connection of its own."""

    def __init__(self, envoy: Envoy, host="web.demo.internal", method="GET"):
        self.envoy, self.host, self.method = envoy, host, method
        self.replies: list[tuple[int, str]] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.replies.append(self.envoy.get(self.host, self.method))
            except (OSError, http.client.HTTPException) as error:  # the latter: it died in the middle
                self.replies.append((0, str(error)))

    def next(self, count=50) -> list[tuple[int, str]]:
        """So many replies to requests that were all sent after this call."""
        start = len(self.replies) + 1  # one may be under way
        until(lambda: len(self.replies) >= start + count, "requests are answered")
        return self.replies[start:start + count]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def discover(api: Api, what: str, body=None, timeout=PATIENCE, **fields):
    """A request as Envoy sends it."""
    body = fields if body is None else body
    return api.request("POST", f"/v3/discovery:{what}", body, {"Content-Type": "application/json"}, timeout)


def metric(api: Api, name: str) -> float:
    page = api.request("GET", "/metrics").body.decode()
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(name + " "))
