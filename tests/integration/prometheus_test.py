"""Prometheus finds instances: the list that it asks for, and the real Prometheus with the
configuration that docs/api.md shows."""

import hashlib
import json
import re
import subprocess
import urllib.request

from harness import NAMESPACE, PATIENCE, ROOT, WEB, Api, make_service, until
from namespaces import in_namespaces
from programs import running

SD = "/v1/prometheus/sd"
GOOD = {"ipv4": "192.0.2.1", "port": 80}


def targets(api: Api, query="") -> dict[str, dict]:
    """The labels of each target."""
    return {group["targets"][0]: group["labels"] for group in api.get(f"{SD}{query}")}


def test_a_target_is_an_address_a_port_and_what_is_known_of_the_instance(dnsd):
    make_service(dnsd.api, {"check": {"type": "custom"}})
    dnsd.api.put(f"{WEB}/instances/i-1", GOOD | {"attributes": {"az": "a", "team.name": "x", "team-name": "y"}})
    dnsd.api.put(f"{WEB}/instances/i-2", {"ipv6": "2001:db8::2", "port": 80, "disabled": True})
    dnsd.api.put(f"{WEB}/instances/i-3", {"ipv4": "192.0.2.3", "ipv6": "2001:db8::3", "port": 80})
    dnsd.api.put(f"{WEB}/instances/no-port", {"ipv4": "192.0.2.4"})
    dnsd.api.put(f"{WEB}/instances/i-1/health", {"status": "unhealthy"})
    reply = dnsd.api.request("GET", SD)
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    found = targets(dnsd.api)
    assert set(found) == {"192.0.2.1:80", "[2001:db8::2]:80", "192.0.2.3:80"}
    assert found["192.0.2.1:80"] == {
        "__meta_dnsd_namespace": "demo.internal", "__meta_dnsd_service": "web", "__meta_dnsd_instance": "i-1",
        "__meta_dnsd_status": "unhealthy", "__meta_dnsd_attribute_az": "a", "__meta_dnsd_attribute_team_name": "y"}
    assert found["192.0.2.3:80"]["__meta_dnsd_status"] == "unknown"
    dnsd.api.delete(f"{WEB}/instances/i-1")
    assert "192.0.2.1:80" not in targets(dnsd.api)


def test_namespace_and_service_filter_and_what_is_not_there_is_an_empty_list(dnsd):
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", GOOD)
    make_service(dnsd.api, name="db")
    dnsd.api.put(f"{NAMESPACE}/services/db/instances/i-1", GOOD | {"port": 5432})
    assert len(targets(dnsd.api)) == 2 and len(targets(dnsd.api, "?namespace=demo.internal")) == 2
    assert set(targets(dnsd.api, "?namespace=Demo.Internal&service=DB")) == {"192.0.2.1:5432"}
    assert targets(dnsd.api, "?namespace=demo.internal&service=none") == {}
    assert targets(dnsd.api, "?namespace=other.internal") == {}
    assert dnsd.api.request("GET", f"{SD}?service=web").status == 400
    assert dnsd.api.request("GET", f"{SD}?limit=1").status == 400


def test_the_list_is_whole_however_long_it_is(dnsd):
    make_service(dnsd.api)
    make_service(dnsd.api, name="web2")
    for name in ("web", "web2"):
        dnsd.api.put(f"{NAMESPACE}/services/{name}/instances", {"instances": [
            {"id": f"i-{n}", "ipv4": f"192.0.2.{n % 250}", "port": 1 + n} for n in range(5500)]})
    assert len(dnsd.api.get(SD)) == 11000
    assert dnsd.api.request("HEAD", SD).status == 200


def test_a_token_that_may_read_is_wanted(make_dnsd, tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"{hashlib.sha256(b'reader').hexdigest()} read demo.internal\n")
    dnsd = make_dnsd(settings={"api.tokens": str(path)}).start()
    reader = Api(*dnsd.apis[0], token="reader")
    assert dnsd.api.request("GET", SD).status == 401
    assert reader.request("GET", SD).status == 403
    assert reader.request("GET", f"{SD}?namespace=demo.internal").json == []


def configuration_of_the_docs() -> str:
    return re.search(r"```yaml\n(scrape_configs:.*?)```", (ROOT / "docs/api.md").read_text(), re.S)[1]


class Prometheus:
    url = "http://127.0.0.1:9090/api/v1/targets?state=active"

    def targets(self) -> dict[str, dict]:
        """By instance; nothing before it listens."""
        try:
            with urllib.request.urlopen(self.url, timeout=PATIENCE) as reply:
                active = json.load(reply)["data"]["activeTargets"]
        except OSError:
            return {}
        return {target["discoveredLabels"]["__meta_dnsd_instance"]: target for target in active}

    def shows(self, instance: str, status: str, health: str) -> dict | None:
        target = self.targets().get(instance)
        is_so = (target and target["health"] == health
                 and target["discoveredLabels"]["__meta_dnsd_status"] == status)
        return target if is_so else None


@in_namespaces
def test_prometheus_scrapes_whom_dnsd_knows_sees_the_dead_and_loses_who_left(
        make_dnsd, make_backend, tmp_path, request):
    dnsd = make_dnsd(settings={"api.listen": ["127.0.0.1:8053"]}).start()
    make_service(dnsd.api, {"check": {"type": "http", "path": "/health", "interval": 0.5}})
    # A backend answers its name, which is a metric.
    backends = {f"i-{n}": make_backend("demo_requests 1", address=f"127.0.0.1{n}", port=8080) for n in (1, 2)}
    for instance, backend in backends.items():
        dnsd.api.put(f"{WEB}/instances/{instance}", {
            "ipv4": backend.address, "port": backend.port, "attributes": {"az": "a", "metrics_path": "/stats"}})
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(configuration_of_the_docs())
    subprocess.run(["promtool", "check", "config", configuration], check=True, capture_output=True)
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path}/tsdb",
               "--web.listen-address=127.0.0.1:9090"]
    prometheus = Prometheus()
    with running(command, tmp_path / "prometheus.log"):
        for instance in backends:
            target = until(lambda: prometheus.shows(instance, "healthy", "up"), f"{instance} is scraped", 2 * PATIENCE)
            assert target["scrapeUrl"] == f"http://{backends[instance].address}:8080/stats"
            assert target["labels"] == {
                "job": "dnsd", "namespace": "demo.internal", "service": "web", "instance": instance,
                "az": "a", "metrics_path": "/stats"}
        backends["i-2"].kill()
        until(lambda: prometheus.shows("i-2", "unhealthy", "down"), "the dead one is seen", 2 * PATIENCE)
        dnsd.api.delete(f"{WEB}/instances/i-2")
        until(lambda: set(prometheus.targets()) == {"i-1"}, "who left is gone", 2 * PATIENCE)
        dnsd.api.delete(f"{WEB}/instances/i-1")
        # An empty list is taken at its word too.
        until(lambda: prometheus.targets() == {}, "nobody is left", 2 * PATIENCE)
