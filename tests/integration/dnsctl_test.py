"""dnsctl against the real server, as a person types it."""

import json
import socket
import subprocess

import pytest

from harness import DNSCTL, ROOT, WEB, instances, make_service, until


@pytest.fixture
def dnsctl(dnsd):
    def run(*arguments, status=0, server=dnsd.url) -> str:
        done = subprocess.run([DNSCTL, "--server", server, *arguments], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stderr if status == 1 else done.stdout

    return run


def test_namespace_service_instance_from_creation_to_deletion(dnsd, dnsctl):
    dnsctl("namespace", "create", "demo.internal", "ttl=0")
    dnsctl("service", "create", "demo.internal", "web", "ttl=0", "check.type=custom", 'record_types=["A"]')
    dnsctl("register", "demo.internal", "web", "i-1", "--ipv4", "192.0.2.1", "--port", "80",
           "--attribute", "az=a", "--weight", "3")
    shown = instances(dnsd.api)["i-1"]
    assert (shown["ipv4"], shown["weight"], shown["attributes"]) == ("192.0.2.1", 3, {"az": "a"})
    dnsctl("health", "demo.internal", "web", "i-1", "healthy")
    assert "healthy" in dnsctl("instance", "list", "demo.internal", "web")
    assert json.loads(dnsctl("--json", "instance", "get", "demo.internal", "web", "i-1"))["status"] == "healthy"
    assert "demo.internal" in dnsctl("namespace", "list") and "web" in dnsctl("service", "list", "demo.internal")
    assert "custom_health" in dnsctl("events")
    dnsctl("deregister", "demo.internal", "web", "i-1", "--wait")
    until(lambda: "i-1" not in instances(dnsd.api), "the drain ends")
    dnsctl("service", "delete", "demo.internal", "web")
    dnsctl("namespace", "delete", "demo.internal")
    assert json.loads(dnsctl("--json", "status"))["namespaces"] == 0


def test_reports_of_a_script_have_an_instance_probed(dnsd, dnsctl):
    make_service(dnsd.api, {"check": {"type": "tcp", "interval": 3600, "timeout": 1, "initial_status": "healthy"}})
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "127.0.0.1", "port": nobody_listens.getsockname()[1]})
        report = ["--json", "report", "demo.internal", "web", "i-1", "--error", "connection refused"]
        assert json.loads(dnsctl(*report))["failures_in_window"] == 1
        assert json.loads(dnsctl(*report, "--success"))["failures_in_window"] == 0
        told = json.loads(dnsctl(*report, "--count", "3", "--wait"))
        assert told == {"failures_in_window": 3, "threshold": 3, "reconfirm": True, "status": "unhealthy"}
    assert "no instance" in dnsctl("report", "demo.internal", "web", "nobody", status=1)


def test_lookup_shows_answers_as_they_are(dnsd, dnsctl):
    make_service(dnsd.api)
    for number in range(1, 60):
        dnsd.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80})
    address = "%s:%d" % dnsd.dns[0]
    answer = dnsctl("lookup", "i-1.web.demo.internal")
    assert answer.splitlines()[0] == "NOERROR aa"
    assert "answer     i-1.web.demo.internal 5 A 192.0.2.1" in answer
    srv = dnsctl("lookup", "web.demo.internal", "SRV", "--dns", address, "--tcp")
    assert srv.count("answer ") == 59 and " SRV 0 1 80 i-1.web.demo.internal." in srv
    assert dnsctl("lookup", "nothing.demo.internal", "--dns", address).startswith("NXDOMAIN aa")


def test_errors_are_sentences_with_the_field(dnsd, dnsctl):
    make_service(dnsd.api)
    said = dnsctl("register", "demo.internal", "web", "i-1", "--ipv4", "nonsense", "--port", "99999", status=1)
    assert "/ipv4" in said and "/port" in said
    assert "no service" in dnsctl("service", "get", "demo.internal", "none", status=1)
    assert "127.0.0.1:1" in dnsctl("status", status=1, server="http://127.0.0.1:1")
    dnsctl("nonsense", status=2)
    dnsctl("service", "create", "demo.internal", "x", "no-equals-sign", status=1)


def test_apply_is_idempotent_says_what_it_changed_and_prunes_when_told(dnsd, dnsctl, tmp_path):
    example = str(ROOT / "conf/example-apply.toml")
    assert "would create" in dnsctl("apply", example, "--dry-run", status=2)
    assert dnsd.api.get("/v1/status")["namespaces"] == 0
    created = dnsctl("apply", example, status=2).splitlines()
    assert created[0] == "created namespace demo.internal" and len(created) == 7
    assert dnsctl("apply", example) == "" and dnsctl("apply", example, "--dry-run") == ""
    assert dnsd.addresses("db.demo.internal") == ["127.0.0.21"]

    dnsd.api.put(f"{WEB}/instances/stranger", {"ipv4": "127.0.0.99", "port": 1})
    changed = tmp_path / "changed.toml"
    changed.write_text((ROOT / "conf/example-apply.toml").read_text().replace("5432", "5433"))
    assert "would change instance primary of db" in dnsctl("apply", str(changed), "--dry-run", status=2)
    assert "changed instance primary of db" in dnsctl("apply", str(changed), status=2)
    assert "stranger" in instances(dnsd.api)
    assert "deregistered instance stranger of web" in dnsctl("apply", str(changed), "--prune", status=2)
    assert instances(dnsd.api)["stranger"]["status"] == "draining"

    broken = tmp_path / "broken.toml"
    broken.write_text("[[namespace]]\nname = \n")
    assert f"{broken}:2" in dnsctl("apply", str(broken), status=1)
    before = dnsd.api.get(WEB)["revision"]
    assert "'id'" in dnsctl("apply", str(write(tmp_path, """
[[namespace]]
name = "demo.internal"
[[namespace.service]]
name = "web"
[[namespace.service.instance]]
ipv4 = "192.0.2.1"
""")), status=1)
    assert dnsd.api.get(WEB)["revision"] == before


def test_what_compose_registers_can_be_applied(dnsd, dnsctl):
    assert "created service web in demo.internal" in dnsctl("apply", str(ROOT / "conf/compose-apply.toml"), status=2)
    assert instances(dnsd.api)["web-1"]["ipv4"] == "172.30.53.11"


def write(folder, text):
    path = folder / "file.toml"
    path.write_text(text)
    return path


def test_watch_follows_and_comes_back(dnsd):
    make_service(dnsd.api)
    command = [DNSCTL, "--server", dnsd.url, "watch", "demo.internal", "web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
        try:
            assert watch.stdout.readline().startswith("snapshot")
            dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
            assert "i-1: none -> unknown" in watch.stdout.readline()
            dnsd.restart()
            dnsd.api.put(f"{WEB}/instances/i-2", {"ipv4": "192.0.2.2", "port": 80})
            assert "i-2: none -> unknown" in watch.stdout.readline()
        finally:
            watch.kill()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_names_commands_and_options(shell):
    script = subprocess.run([DNSCTL, "completion", shell], capture_output=True, text=True, check=True).stdout
    assert "deregister" in script and "--token-file" in script
    if shell == "bash":
        probe = script + 'COMP_WORDS=(dnsctl namespace cr); COMP_CWORD=2; _dnsctl; echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "create"
        assert "zone') words='list show create import export check delete refresh" in script


ZONE_FILE = """$TTL 300
@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www 60 A 192.0.2.1
"""


def test_zones_come_and_go_as_files(dnsd, dnsctl, tmp_path):
    file = write(tmp_path, ZONE_FILE)
    assert "would create the zone" in dnsctl("zone", "check", "example.org", str(file))
    assert dnsctl("zone", "list").splitlines() == ["NAME  SERIAL  RECORD_SETS  SERVICES  PRIMARIES  REVISION"]
    assert "serial        7" in dnsctl("zone", "import", "example.org", str(file))
    assert "example.org  7       4" in dnsctl("zone", "list")
    exported = dnsctl("zone", "export", "example.org")
    assert "www.example.org. 60 IN A 192.0.2.1\n" in exported
    again = subprocess.run([DNSCTL, "--server", dnsd.url, "zone", "check", "example.org", "-"], input=exported,
                           capture_output=True, text=True, check=True)
    assert again.stdout == "stdin: no errors; to import it would change nothing\n"
    assert json.loads(dnsctl("--json", "zone", "show", "example.org"))["record_sets"] == 4
    make_service(dnsd.api)
    dnsctl("register", "demo.internal", "web", "i-1", "--ipv4", "192.0.2.1", "--port", "80")
    assert "i-1.web" in dnsctl("zone", "export", "demo.internal", "--served")
    assert "i-1.web" not in dnsctl("zone", "export", "demo.internal")
    assert "no primaries" in dnsctl("zone", "refresh", "example.org", status=1)
    dnsctl("zone", "delete", "example.org")
    assert "no zone example.org" in dnsctl("zone", "export", "example.org", status=1)
    dnsctl("zone", "create", ".", "negative_ttl=9")
    assert json.loads(dnsctl("--json", "zone", "show", "."))["negative_ttl"] == 9


def test_problems_of_zone_files_are_told_as_compilers_do(dnsd, tmp_path):
    def run(command, text):
        file = write(tmp_path, text)
        done = subprocess.run([DNSCTL, "--server", dnsd.url, "zone", command, "example.org", str(file)],
                              capture_output=True, text=True, check=False)
        return done.returncode, [line.removeprefix(str(file)) for line in done.stderr.splitlines()]

    status, lines = run("check", ZONE_FILE + "www A 192.0.2.256\nmail MX nonsense\n")
    assert status == 1 and [line.split(": ")[:2] for line in lines] == [
        [lines[0].split(": ")[0], "error"], [lines[1].split(": ")[0], "error"]]
    assert lines[0].startswith(":6:") and lines[1].startswith(":7:")
    assert run("import", ZONE_FILE + "www A 192.0.2.256\n")[0] == 1
    assert dnsd.api.get("/v1/zones")["zones"] == []
    status, lines = run("import", ZONE_FILE + "www 30 A 192.0.2.2\n")
    assert status == 0 and lines[0].startswith(":6:") and ": warning: " in lines[0]
    status, lines = run("check", "")
    assert status == 1 and lines[0].startswith(": error: ")
    missing = subprocess.run([DNSCTL, "--server", dnsd.url, "zone", "check", "example.org", str(tmp_path / "none")],
                             capture_output=True, text=True, check=False)
    assert missing.returncode == 1 and "No such file" in missing.stderr


def test_record_sets_by_hand(dnsd, dnsctl, tmp_path):
    dnsctl("zone", "import", "example.org", str(write(tmp_path, ZONE_FILE)))
    assert "mail" in dnsctl("record", "set", "example.org", "mail", "A", "192.0.2.7", "192.0.2.8", "--ttl", "60")
    assert dnsd.addresses("mail.example.org") == ["192.0.2.7", "192.0.2.8"]
    dnsctl("record", "set", "example.org", "@", "MX", "10 mail")
    dnsctl("record", "set", "example.org", "*", "TXT", '"hello world"')
    assert dnsctl("record", "get", "example.org", "@", "MX").splitlines() == [
        "NAME  TTL  TYPE  DATA", "@     5    MX    10 mail.example.org."]
    rows = [line.split(maxsplit=3) for line in dnsctl("record", "list", "example.org").splitlines()[1:]]
    assert ["*", "5", "TXT", '"hello world"'] in rows and ["mail", "60", "A", "192.0.2.8"] in rows
    assert "192.0.2.7" not in dnsctl("record", "list", "example.org", "--name", "@")
    assert "ns1" not in dnsctl("record", "list", "example.org", "--type", "TXT")
    assert "/records/0" in dnsctl("record", "set", "example.org", "mail", "A", "nonsense", status=1)
    dnsctl("record", "delete", "example.org", "mail", "A")
    assert "no record set mail A" in dnsctl("record", "delete", "example.org", "mail", "A", status=1)
    dnsctl("record", "set", "example.org", "mail", "A", status=2)


def test_keys_by_hand(dnsd, dnsctl, tmp_path):
    drawn = json.loads(dnsctl("--json", "key", "add", "xfr.example.org", "--algorithm", "hmac-sha512"))
    assert len(drawn["secret"]) == 88
    secret = write(tmp_path, "MDEyMzQ1Njc4OWFiY2RlZg==\n")
    assert "MDEy" not in dnsctl("key", "add", "own", "--secret-file", str(secret))
    listed = dnsctl("key", "list")
    assert "xfr.example.org  hmac-sha512" in listed and drawn["secret"] not in listed
    dnsctl("zone", "create", "example.org", 'transfer=["key own"]')
    assert "example.org" in dnsctl("key", "delete", "own", status=1)
    dnsctl("key", "delete", "xfr.example.org")
    assert "xfr" not in dnsctl("key", "list")
