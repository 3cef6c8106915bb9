"""Ready, reload, stop; health of the daemon itself."""

import signal
import threading

from harness import WEB, make_service, until


def test_the_ready_file_says_what_stdout_says(make_dnsd, tmp_path):
    ready = tmp_path / "ready"
    dnsd = make_dnsd(arguments=["--ready-file", str(ready)]).start()
    dns = ",".join(f"{host}:{port}" for host, port in dnsd.dns)
    assert ready.read_text().startswith(f"ready dns={dns} api=")


def test_udp_and_tcp_of_every_worker_share_the_port_that_was_free(make_dnsd):
    dnsd = make_dnsd(settings={"dns.workers": 4}).start()
    make_service(dnsd.api)
    for _ in range(50):
        for tcp in (False, True):
            assert dnsd.query("demo.internal", "SOA", tcp=tcp).answer


def test_sigterm_finishes_what_was_acknowledged_and_wakes_who_waits(dnsd):
    make_service(dnsd.api)
    waiting = threading.Thread(
        target=lambda: dnsd.api.request("GET", f"{WEB}/instances?wait=30&after=999999"))
    waiting.start()
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    dnsd.stop()
    dnsd.start()
    assert dnsd.addresses("web.demo.internal") == ["192.0.2.1"]


def test_sigint_stops_it_too(dnsd):
    dnsd.signal(signal.SIGINT)
    until(lambda: not dnsd.is_running(), "it stopped")


def test_sighup_reloads_and_a_bad_file_is_refused_whole(make_dnsd, tmp_path):
    config = tmp_path / "dnsd.toml"
    config.write_text("[log]\nlevel = 'error'\n")
    dnsd = make_dnsd(arguments=["--config", str(config)]).start()
    make_service(dnsd.api)

    config.write_text("[log]\nlevel = 'debug'\n[dns]\nworkers = 'many'\n")
    dnsd.signal(signal.SIGHUP)
    until(lambda: "dns.workers" in dnsd.stderr, "the refusal is logged")
    assert dnsd.is_running() and dnsd.query("demo.internal", "SOA").answer
    said = len(dnsd.stderr)

    config.write_text("[log]\nlevel = 'info'\n")
    dnsd.signal(signal.SIGHUP)
    until(lambda: len(dnsd.stderr) > said, "the reload is logged")
    assert dnsd.query("demo.internal", "SOA").answer


def test_alive_and_ready_have_their_paths_without_a_token(dnsd):
    for path in ("/healthz", "/readyz"):
        assert dnsd.api.request("GET", path).status == 200
    metrics = dnsd.api.request("GET", "/metrics")
    assert metrics.status == 200 and b"\ndnsd_" in metrics.body
    status = dnsd.api.get("/v1/status")
    assert "revision" in status
    assert dnsd.api.get("/openapi.json")["openapi"].startswith("3.")


def test_what_happens_by_itself_is_a_line_of_the_log_and_ttl_0_is_warned_of_once(dnsd):
    make_service(dnsd.api, {"ttl": 0, "check": {"type": "tcp", "interval": 0.1, "fall": 1}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": 1})
    until(lambda: "health namespace=demo.internal service=web" in dnsd.stderr, "it is logged")
    (line,) = [line for line in dnsd.stderr.splitlines() if " health namespace=" in line]
    assert 'instance=i-1 was=unknown status=unhealthy outcome="connection refused"' in line
    dnsd.api.put(f"{WEB}2", {"ttl": 0})
    assert dnsd.stderr.count("ttl 0 asked for") == 1


def test_the_query_log_is_off_and_sampled_when_asked_for(make_dnsd):
    quiet = make_dnsd("quiet").start()
    quiet.query("demo.internal", "SOA")
    assert "query client=" not in quiet.stderr
    talking = make_dnsd("talking", settings={"dns.query_log_sample": 10, "dns.workers": 1}).start()
    make_service(talking.api)
    for number in range(100):
        talking.query("web.demo.internal", "A", tcp=number % 2 == 0)
    lines = [line for line in talking.stderr.splitlines() if "query client=127.0.0.1" in line]
    assert len(lines) == 10
    assert all("name=web.demo.internal type=A rcode=NOERROR" in line for line in lines)
