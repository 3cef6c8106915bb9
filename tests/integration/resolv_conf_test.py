"""`dnsctl resolv-conf`: docs/resolv-conf.md shows exactly what it prints, and what it prints works. In
a network and mount namespace of its own, where dnsd has the address that the page names."""

import configparser
import json
import pathlib
import re
import shlex
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from harness import DNSCTL, PATIENCE, ROOT, WEB, make_service, texts, until
from namespaces import in_namespaces
from programs import running

ADDRESS = "172.30.53.53"
NAME = "web.demo.internal"
BACKEND = "10.53.0.1"  # private: what protects against rebinding would hide it
RESOLVED = ROOT / "build/unpacked/systemd-resolved/lib/systemd/systemd-resolved"


def shown() -> dict[str, tuple[list[str], str]]:
    """By section of the page: a command, and what it prints."""
    page = (ROOT / "docs/resolv-conf.md").read_text()
    sections = re.findall(r"\n## (.+?)\n.*?```sh\n(dnsctl .*?)\n```\n\n```\w*\n(.*?)```", page, re.S)
    return {title: (shlex.split(command)[1:], printed) for title, command, printed in sections}


def block(title: str) -> str:
    return shown()[title][1]


def dnsctl(*arguments: str, status=0) -> subprocess.CompletedProcess:
    done = subprocess.run([DNSCTL, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == status, (arguments, done)
    return done


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


@pytest.fixture
def house(make_dnsd):
    """A dnsd as the page has it. Two ends of a cable, since systemd-resolved wants a link that is up."""

    def start(**settings):
        run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
        run("ip", "address", "add", f"{ADDRESS}/24", "dev", "here")
        for end in ("here", "there"):
            run("ip", "link", "set", end, "up")
        dnsd = make_dnsd(settings={"dns.listen": [f"{ADDRESS}:53"], "api.listen": ["127.0.0.1:8053"]} | settings)
        dnsd.start()
        make_service(dnsd.api, {"ttl": 1})
        dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": BACKEND, "port": 8080})
        return dnsd

    return start


@in_namespaces
def test_the_page_shows_what_is_printed(house, request):
    house()
    assert set(shown()) == {"resolv.conf", "systemd-resolved", "unbound", "dnsmasq", "NetworkManager", "Docker"}
    for title, (command, printed) in shown().items():
        done = dnsctl(*command)
        assert done.stdout == printed and done.stderr == "", title


# Files that libc reads


def use(resolv_conf: str, folder: pathlib.Path) -> None:
    path = folder / "resolv.conf"
    path.write_text(resolv_conf)
    run("mount", "--bind", str(path), "/etc/resolv.conf")


def check_stub_resolvers(*names: str) -> None:
    for name in names:
        assert run("getent", "ahostsv4", name).split()[0] == BACKEND
    assert run("dig", "+short", NAME) == f"{BACKEND}\n"
    assert run("dig", "+short", "+search", "web") == f"{BACKEND}\n"


@in_namespaces
def test_resolv_conf(house, tmp_path, request):
    house()
    use(block("resolv.conf"), tmp_path)
    check_stub_resolvers(NAME, "web")
    # This is what ndots is for.
    assert run("dig", "+short", "+search", "_web._tcp", "SRV") == f"0 1 8080 i-1.{NAME}.\n"


@in_namespaces
def test_what_docker_makes_of_daemon_json(house, tmp_path, request):
    house()
    daemon = json.loads(block("Docker"))
    assert set(daemon) == {"dns", "dns-search", "dns-opts"}
    use("".join(f"nameserver {server}\n" for server in daemon["dns"])
        + f"search {' '.join(daemon['dns-search'])}\noptions {' '.join(daemon['dns-opts'])}\n", tmp_path)
    check_stub_resolvers(NAME, "web")


@in_namespaces
def test_what_networkmanager_makes_of_global_dns(house, tmp_path, request):
    house()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block("NetworkManager"))
    assert parser.sections() == ["global-dns", "global-dns-domain-*"]
    use(f"search {parser['global-dns']['searches'].replace(',', ' ')}\n"
        + "".join(f"nameserver {server}\n" for server in parser["global-dns-domain-*"]["servers"].split(",")), tmp_path)
    check_stub_resolvers(NAME, "web")


# Programs that stand between


def ask(name: str, server: str, port: int) -> dns.message.Message | None:
    try:
        return dns.query.udp(dns.message.make_query(name, "A"), server, PATIENCE / 10, port)
    except (OSError, dns.exception.Timeout):
        return None


def check_resolver(server: str, port: int) -> None:
    def answered() -> bool:
        reply = ask(NAME, server, port)
        return reply is not None and texts(reply, "A") == [BACKEND]

    until(answered, "it answers with what dnsd says")
    nothing = ask(f"nothing.{NAME}", server, port)
    assert nothing is not None and nothing.rcode() == dns.rcode.NXDOMAIN


# What makes life hard for private zones is on: a trust anchor for the root, which must be validated up to,
# and addresses that must come from no stranger.
UNBOUND = """
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: 127.0.0.1@5353
    module-config: "validator iterator"
    trust-anchor: ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
    private-address: 10.0.0.0/8
include: "{folder}/dnsd.conf"
"""


def unbound(configuration: str, folder: pathlib.Path):
    (folder / "dnsd.conf").write_text(configuration)
    (folder / "unbound.conf").write_text(UNBOUND.format(folder=folder))
    run("unbound-checkconf", str(folder / "unbound.conf"))
    return running(["unbound", "-d", "-c", str(folder / "unbound.conf")], folder / "unbound.log")


@in_namespaces
def test_unbound(house, tmp_path, request):
    house()
    with unbound(block("unbound"), tmp_path):
        check_resolver("127.0.0.1", 5353)


HOME_NAME = "web.demo.home.arpa"


@pytest.fixture
def house_with_home_arpa(house):
    """On a loopback port, with a namespace where unbound has a zone of its own: all that needs a line."""

    def start():
        dnsd = house(**{"dns.listen": ["127.0.0.1:5300"]})
        dnsd.api.put("/v1/namespaces/demo.home.arpa", {"ttl": 1})
        dnsd.api.put("/v1/namespaces/demo.home.arpa/services/web")
        dnsd.api.put("/v1/namespaces/demo.home.arpa/services/web/instances/i-1", {"ipv4": BACKEND, "port": 80})
        return dnsctl("resolv-conf", "--for", "unbound").stdout

    return start


@in_namespaces
def test_unbound_asks_a_loopback_port_and_below_names_of_its_own(house_with_home_arpa, tmp_path, request):
    with unbound(house_with_home_arpa(), tmp_path):
        check_resolver("127.0.0.1", 5353)
        assert texts(ask(HOME_NAME, "127.0.0.1", 5353), "A") == [BACKEND]


@in_namespaces
@pytest.mark.parametrize("line, name", [
    ("domain-insecure", NAME), ("private-domain", NAME), ("local-zone", HOME_NAME), ("do-not-query-localhost", NAME)])
def test_unbound_does_not_answer_without_each_of_these_lines(house_with_home_arpa, tmp_path, request, line, name):
    whole = house_with_home_arpa().splitlines(keepends=True)
    without = [row for row in whole if line not in row]
    assert len(without) < len(whole)
    with unbound("".join(without), tmp_path):
        until(lambda: ask("localhost", "127.0.0.1", 5353), "it runs")  # which it answers itself
        reply = until(lambda: ask(name, "127.0.0.1", 5353), "it has an answer")
        assert texts(reply, "A") == []


def dnsmasq(configuration: str, folder: pathlib.Path):
    path = folder / "dnsmasq.conf"
    path.write_text(f"port=5353\nlisten-address=127.0.0.1\nbind-interfaces\nno-hosts\nstop-dns-rebind\nuser=root\n"
                    f"pid-file=\n{configuration}")
    return running(["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={path}"],
                   folder / "dnsmasq.log")


@in_namespaces
def test_dnsmasq(house, tmp_path, request):
    house()
    with dnsmasq(block("dnsmasq"), tmp_path):
        check_resolver("127.0.0.1", 5353)


@in_namespaces
@pytest.mark.parametrize("arguments", [[], ["--everything"]])
def test_dnsmasq_asks_a_loopback_port(house, tmp_path, request, arguments):
    house(**{"dns.listen": ["127.0.0.1:5300"]})
    with dnsmasq(dnsctl("resolv-conf", "--for", "dnsmasq", *arguments).stdout, tmp_path):
        check_resolver("127.0.0.1", 5353)


def systemd_resolved(configuration: str, folder: pathlib.Path):
    """It wants a user of that name, to whom it drops; the only one in a user namespace is root."""
    users = folder / "passwd"
    users.write_text(pathlib.Path("/etc/passwd").read_text() + "systemd-resolve:x:0:0::/:/usr/sbin/nologin\n")
    run("mount", "--bind", str(users), "/etc/passwd")
    for place in ("/run", "/etc/systemd"):
        run("mount", "-t", "tmpfs", "none", place)
    pathlib.Path("/run/systemd").mkdir()
    drop_ins = pathlib.Path("/etc/systemd/resolved.conf.d")
    drop_ins.mkdir()
    (drop_ins / "dnsd.conf").write_text(configuration)
    return running([str(RESOLVED)], folder / "resolved.log")


def test_systemd_resolveds_drop_in_is_one_section():
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(block("systemd-resolved"))
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        "Resolve": {"DNS": ADDRESS, "Domains": "~demo.internal"}}




@in_namespaces
def test_systemd_resolved(house, tmp_path, request):
    house()
    with systemd_resolved(block("systemd-resolved"), tmp_path):
        check_resolver("127.0.0.53", 53)


@in_namespaces
def test_systemd_resolved_asks_a_loopback_port_and_searches(house, tmp_path, request):
    house(**{"dns.listen": ["127.0.0.1:5300"]})
    printed = dnsctl("resolv-conf", "--for", "systemd-resolved", "--search", "demo.internal").stdout
    with systemd_resolved(printed, tmp_path):
        check_resolver("127.0.0.53", 53)
        use(pathlib.Path("/run/systemd/resolve/stub-resolv.conf").read_text(), tmp_path)
        check_stub_resolvers(NAME, "web")


# What it refuses


def test_addresses_come_from_the_server_unless_they_are_no_use(make_dnsd):
    dnsd = make_dnsd(settings={"dns.listen": ["0.0.0.0:0"]}).start()
    server = ("--server", dnsd.url)
    assert "--dns" in dnsctl(*server, "resolv-conf", status=1).stderr
    unbound_for = (*server, "resolv-conf", "--for", "unbound", "--dns", "192.0.2.1:5300")
    assert "--zone" in dnsctl(*unbound_for, status=1).stderr
    dnsd.api.put("/v1/namespaces/http.internal", {"dns": False})
    dnsd.api.put("/v1/namespaces/b.internal")
    dnsd.api.put("/v1/namespaces/a.internal")
    printed = dnsctl(*unbound_for).stdout
    assert re.findall(r'name: "(.*)"', printed) == ["a.internal", "b.internal"]
    assert "is not on port 53" in dnsctl(*server, "resolv-conf", "--dns", "192.0.2.1:5300", status=1).stderr
    assert "no address" in dnsctl(*server, "resolv-conf", "--dns", "ns.example.org", status=1).stderr
    dnsctl("resolv-conf", "--for", "bind", status=2)


def test_docker_is_warned_of_loopback_and_needs_no_server_for_what_is_given():
    done = dnsctl("--server", "http://127.0.0.1:1", "resolv-conf", "--for", "docker", "--dns", "127.0.0.1")
    assert json.loads(done.stdout) == {"dns": ["127.0.0.1"]}
    assert "loopback" in done.stderr and "--dns" in done.stderr
