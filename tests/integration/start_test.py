"""What dnsd refuses to start with, and how it says so: one sentence, and nothing is changed."""

import pathlib
import re
import socket
import sqlite3
import subprocess

import pytest

from harness import DNSD, ROOT, WEB, Refused, make_service
from namespaces import in_namespaces


def refusal(daemon) -> str:
    with pytest.raises(Refused) as refused:
        daemon.start()
    daemon.process = None
    assert refused.value.status in (1, 2)
    return refused.value.stderr


def filled_store(make_dnsd) -> pathlib.Path:
    dnsd = make_dnsd("filler").start()
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    dnsd.stop()
    return pathlib.Path(dnsd.settings["store.path"])


def test_a_second_dnsd_on_the_same_dns_port_is_refused(make_dnsd, dnsd):
    host, port = dnsd.dns[0]
    other = make_dnsd("other", settings={"dns.listen": [f"{host}:{port}"]})
    assert f"{host}:{port}" in refusal(other) and "in use" in other.stderr
    assert dnsd.query("demo.internal", "SOA") is not None


def test_a_second_dnsd_on_the_same_api_port_is_refused(make_dnsd, dnsd):
    host, port = dnsd.apis[0]
    other = make_dnsd("other", settings={"api.listen": [f"{host}:{port}"]})
    assert f"{host}:{port}" in refusal(other) and "in use" in other.stderr


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_dns_port_that_another_program_has_is_refused(make_dnsd, kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        assert "in use" in refusal(make_dnsd(settings={"dns.listen": [f"127.0.0.1:{port}"]}))


def test_a_second_dnsd_on_the_same_store_is_refused(make_dnsd, dnsd):
    path = dnsd.settings["store.path"]
    assert path in refusal(make_dnsd("other", settings={"store.path": path}))
    make_service(dnsd.api)


def damage_by_truncation(path: pathlib.Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 1)


def replace_by_noise(path: pathlib.Path) -> None:
    path.write_bytes(b"This is no database, but a letter to a friend.\n" * 1000)


def replace_by_foreign(path: pathlib.Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE friends (name TEXT)")
        database.execute("INSERT INTO friends VALUES ('Ada')")


def make_newer(path: pathlib.Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 9999")


@pytest.mark.parametrize("damage", [damage_by_truncation, replace_by_noise, replace_by_foreign,
                                    make_newer])
def test_a_database_that_is_not_ours_to_use_is_refused_and_not_touched(make_dnsd, damage):
    path = filled_store(make_dnsd)
    damage(path)
    before = path.read_bytes()
    sentence = refusal(make_dnsd("dnsd", settings={"store.path": str(path)}))
    assert str(path) in sentence
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(make_dnsd, tmp_path):
    path = str(tmp_path / "nowhere" / "dnsd.db")
    assert path in refusal(make_dnsd(settings={"store.path": path}))


@in_namespaces
def test_a_read_only_data_directory_is_refused(make_dnsd, tmp_path, request):
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], check=True)
    path = str(folder / "dnsd.db")
    assert path in refusal(make_dnsd(settings={"store.path": path}))


@in_namespaces
def test_a_full_disk_turns_writes_into_503_while_answers_go_on(make_dnsd, tmp_path, request):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)
    dnsd = make_dnsd(settings={"store.path": str(folder / "dnsd.db")}).start()
    make_service(dnsd.api)
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass
    refused = None
    for number in range(2, 2000):
        body = {"ipv4": "192.0.2.2", "port": 80, "attributes": {"filler": "x" * 1000}}
        reply = dnsd.api.request("PUT", f"{WEB}/instances/i-{number}", body)
        if reply.status != 201:
            refused = reply
            break
    assert refused is not None and refused.status == 503
    assert f"i-{number}" not in [i["id"] for i in dnsd.api.get(f"{WEB}/instances?limit=2000")["instances"]]
    assert "192.0.2.1" in dnsd.addresses("i-1.web.demo.internal")
    assert dnsd.api.request("GET", "/healthz").status == 200
    assert dnsd.api.request("GET", "/readyz").status == 503
    (folder / "ballast").unlink()
    dnsd.api.put(f"{WEB}/instances/i-{number}", {"ipv4": "192.0.2.2", "port": 80})
    assert dnsd.addresses(f"i-{number}.web.demo.internal") == ["192.0.2.2"]
    assert dnsd.api.request("GET", "/readyz").status == 200


@pytest.mark.parametrize("text, line, hint", [
    ("[dns]\nworkers = 'many'\n", 2, "dns.workers"),
    ("[dns]\nworkers = 1000\n", 2, "256"),
    ("[dns]\n\nlisten = 53\n", 3, "dns.listen"),
    ("profile = 'slow'\n", 1, "fast"),
    ("[dns]\nlissten = []\n", 2, "lissten"),
    ("[dns\n", 1, ""),
])
def test_a_bad_configuration_file_names_file_line_and_what_is_allowed(tmp_path, text, line, hint):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    for check in ([], ["--check-config"]):
        done = subprocess.run([DNSD, "--config", path, *check], capture_output=True, text=True,
                              check=False, timeout=30)
        assert done.returncode == 2 and done.stdout == ""
        assert re.search(rf"{re.escape(str(path))}:{line}\b", done.stderr), done.stderr
        assert hint in done.stderr


@pytest.mark.parametrize("assignment", ["dns.workers=no", "nothing.here=1", "dns.workers",
                                        "dns.listen=['somewhere']", "api.listen=[]"])
def test_a_bad_option_on_the_command_line_is_refused(assignment):
    done = subprocess.run([DNSD, "--set", assignment], capture_output=True, text=True, check=False,
                          timeout=30)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("dnsd: ")


def test_off_loopback_the_api_wants_tokens(make_dnsd):
    assert "api.tokens" in refusal(make_dnsd(settings={"api.listen": ["0.0.0.0:0"]}))


def test_the_shipped_configuration_is_the_generated_one():
    # Every option at its default, but for the user that root becomes.
    printed = subprocess.run([DNSD, "--set", "user=dnsd", "--print-config"], capture_output=True, text=True, check=True)
    assert (ROOT / "conf/dnsd.toml").read_text() == printed.stdout


@pytest.mark.parametrize("name", ["container.toml", "dnsd.toml", "quickstart.toml"])
def test_shipped_configurations_pass_their_own_check(name):
    subprocess.run([DNSD, "--config", ROOT / "conf" / name, "--check-config"], check=True,
                   capture_output=True, cwd=ROOT)


def test_the_image_has_the_libraries_of_the_programs():
    """The Dockerfile installs the group `image`: each library that the programs link must be in it, or
    come with one that is."""
    groups = {}
    for line in (ROOT / "tools/packages").read_text().splitlines():
        if line and not line.startswith("#"):
            group, package = line.split()[:2]
            groups.setdefault(group, set()).add(package)
    linked = subprocess.run(["objdump", "-p", DNSD], capture_output=True, text=True, check=True).stdout
    multiarch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True,
                               check=True).stdout.strip()
    for soname in re.findall(r"NEEDED +(\S+)", linked):
        if re.match(r"lib(asan|ubsan|tsan|c|m|gcc_s|pthread)\.so", soname):
            continue
        path = subprocess.run(["readlink", "-f", f"/usr/lib/{multiarch}/{soname}"],
                              capture_output=True, text=True, check=True).stdout.strip()
        owner = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=True).stdout
        assert owner.split(":")[0] in groups["image"], soname


def test_the_units_syntax_is_systemds(tmp_path):
    keys = set()
    for line in (ROOT / "conf/dnsd.service").read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, separator, value = line.partition("=")
            assert separator and key.isidentifier() and value, line
            keys.add(key)
    assert {"ExecStart", "Type", "User", "NoNewPrivileges", "ProtectSystem"} <= keys
    started = re.search(r"^ExecStart=\S+ (.*)$", (ROOT / "conf/dnsd.service").read_text(), re.M)[1]
    assert started == "--config /etc/dnsd/dnsd.toml"
