"""What the README, tools/start and the manual of zones print is typed as it stands."""

import os
import pathlib
import re
import subprocess

from harness import DNSCTL, DNSD, PATIENCE, ROOT
from namespaces import in_namespaces


def commands_of(document: str) -> str:
    return "".join(re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), re.S))


def commands_of_start() -> str:
    printed = re.search(r"cat <<END\n.*?(  # Something to find.*?)\nEND\n", (ROOT / "tools/start").read_text(), re.S)[1]
    variables = {"$api": "http://127.0.0.1:8053", "$dig": "dig +norec @127.0.0.1 -p 5300"}
    for name, value in variables.items():
        printed = re.sub(rf"(?<!\\){re.escape(name)}\b", lambda _, value=value: value, printed)
    return printed.replace("\\$", "$").replace("\\\\", "\\")


def run_beside_the_quick_start(commands: str, folder: pathlib.Path) -> str:
    """In a network of its own, with the ports that quickstart.toml names."""
    ready = folder / "ready"
    daemon = subprocess.Popen([DNSD, "--config", ROOT / "conf/quickstart.toml", "--ready-file", ready,
                               "--set", f"store.path={folder}/dnsd.db"], stdout=subprocess.PIPE)
    try:
        assert daemon.stdout.readline() == b"ready dns=127.0.0.1:5300 api=127.0.0.1:8053\n"
        done = subprocess.run(["bash", "-c", commands.replace("build/release/dnsctl", DNSCTL)], cwd=folder,
                              env=os.environ, capture_output=True, text=True, check=False, timeout=4 * PATIENCE)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout
    finally:
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0


@in_namespaces
def test_the_commands_of_the_readme_register_resolve_and_fail_over(tmp_path, request):
    printed = run_beside_the_quick_start(commands_of("README.md"), tmp_path)
    assert "127.0.0.11\n0 1 8080 i-1.web.demo.internal.\n" in printed, printed
    last = printed[printed.index("i-1.web.demo.internal.\n"):]
    assert "status: NOERROR" in last and "ANSWER: 0" in last
    assert "i-1: healthy -> unhealthy" in last


@in_namespaces
def test_the_commands_that_start_prints_work_as_printed(tmp_path, request):
    printed = run_beside_the_quick_start(commands_of_start(), tmp_path)
    assert "A\t127.0.0.11" in printed and "8080 i-1.web.demo.internal." in printed, printed
    assert "i-1: healthy -> unhealthy" in printed and "ANSWER: 0" in printed


@in_namespaces
def test_the_commands_of_the_manual_of_zones_work_as_written(tmp_path, request):
    check = "dig +norec +short @127.0.0.1 -p 5300 new.example.org A\n"
    printed = run_beside_the_quick_start(commands_of("docs/zones.md") + check, tmp_path)
    assert "no errors" in printed and "www.example.org.\n192.0.2.1\n192.0.2.2\n" in printed, printed
    assert "$ORIGIN example.org." in printed and "mail   3600  MX     10 mx1.example.org." in printed
    assert '"primaries":["192.0.2.53:53 key xfr.example.org"]' in printed
    assert printed.endswith("192.0.2.9\n")
