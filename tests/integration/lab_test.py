"""The failover lab: its smoke suite on the release build, alone on the machine, and what it says of bad input."""

import csv
import json
import os
import pathlib
import signal
import struct
import subprocess

import pytest

from harness import REPORT_OF_SANITIZER, ROOT, until
from namespaces import working_unshare

LAB = os.environ.get("FAILOVER_LAB", str(ROOT / "build/release/failover-lab"))
CHECKED = os.environ.get("FAILOVER_LAB_CHECKED", str(ROOT / "build/dev/failover-lab"))  # by sanitizers
SMOKE_SECONDS_MAX = 600  # ten times what it takes
AGENT = "way=agent-unbound fault=kill ttl=2"


def lab(*arguments, timeout=SMOKE_SECONDS_MAX) -> subprocess.CompletedProcess:
    return subprocess.run([LAB, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=timeout)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> pathlib.Path:
    if working_unshare() is None:
        pytest.fail("no namespaces here: run as root, or allow user namespaces")
    out = tmp_path_factory.mktemp("lab") / "smoke"
    done = lab("run", "smoke", "--out", out)
    assert done.returncode == 0, done.stderr
    (out / "verdict.txt").write_text(done.stdout)
    return out


def cells_of(out: pathlib.Path) -> dict[str, dict]:
    return {cell["cell"]: cell for cell in json.loads((out / "summary.json").read_text())["cells"]}


def bad_seconds(cells: dict[str, dict], name: str) -> float:
    return cells[name]["bad_seconds"]["mean"]


# What the smoke suite finds


def test_every_cell_ran_and_nothing_was_left_out(smoke):
    summary = json.loads((smoke / "summary.json").read_text())
    assert summary["skipped"] == [] and summary["dropped"] == []
    assert len(summary["cells"]) == 6
    for cell in summary["cells"]:
        assert cell["runs"] - cell["invalid"] >= 2, cell


def test_push_is_no_worse_than_ttl_1_and_ttl_1_better_than_ttl_2(smoke):
    cells = cells_of(smoke)
    ttl_1, ttl_2 = bad_seconds(cells, "way=dns fault=kill"), bad_seconds(cells, "way=dns fault=kill ttl=2")
    assert bad_seconds(cells, "way=replica fault=kill ttl=2") <= ttl_1
    assert bad_seconds(cells, AGENT) <= ttl_1
    assert 0 < ttl_1 < ttl_2


def test_a_cache_that_the_agent_empties_is_better_than_the_same_cache_alone(smoke):
    cells = cells_of(smoke)
    assert bad_seconds(cells, AGENT) < bad_seconds(cells, "way=unbound fault=kill ttl=2")


def test_the_model_predicts_each_cell_to_a_tenth_of_a_second(smoke):
    for name, cell in cells_of(smoke).items():
        assert abs(cell["median_residual_ms"]) <= 100 and not cell["residual_marked"], (name, cell)


def test_unbound_keeps_answers_for_up_to_a_second_more_than_their_ttl(smoke):
    with (smoke / "effective_ttl.csv").open() as file:
        ages = [float(row["age"]) for row in csv.DictReader(file) if row["cache"] == "unbound"]
    assert ages and 1.9 < min(ages) and max(ages) < 3.1


def test_the_report_is_one_file_that_asks_nobody(smoke):
    page = (smoke / "report.html").read_text()
    assert len(page) < 10_000_000
    for marker in ("src=\"http", "href=\"http", "@import", "url(http"):
        assert marker not in page
    assert str(smoke / "report.html") in (smoke / "verdict.txt").read_text()


def test_the_same_folder_again_runs_nothing_and_reports_the_same(smoke):
    before = (smoke / "summary.json").read_text()
    records = {path: path.stat().st_mtime_ns for path in smoke.glob("raw/**/run.json")}
    assert lab("run", "smoke", "--out", smoke).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in smoke.glob("raw/**/run.json")} == records
    assert json.loads((smoke / "summary.json").read_text())["cells"] == json.loads(before)["cells"]


def test_a_log_holds_every_request_of_its_run(smoke):
    for log in smoke.glob("raw/**/requests.bin"):
        octets = log.read_bytes()
        assert octets[:8] == b"dnsdlab1" and (len(octets) - 8) % 16 == 0
        intended = [struct.unpack_from("<I", octets, at)[0] for at in range(8, len(octets), 16)]
        gaps = {round((after - before) / 10_000) for before, after in zip(intended, intended[1:])}
        assert gaps == {1}, "a request every ten milliseconds, whatever became of those before"


CHECKED_SUITE = """
[centre]
runs = 1
[[cell]]
connections = ["keepalive", "maxage"]
client_retries = 1
fault = "stop"
[[cell]]
way = "replica"
stub = ["glibc", "cares"]
reconfirm = true
[[cell]]
way = "agent-unbound"
fault = ["return", "dnsd_down"]
[[cell]]
way = ["secondary-knot", "secondary-unbound"]
ttl = 30
[[cell]]
way = ["haproxy-srv", "poll-1"]
clients = 2
[effective_ttl]
caches = ["cache", "glibc"]
ttls = [1]
[cost]
ways = ["dns"]
"""


def test_sanitizers_find_nothing_in_the_lab_itself(tmp_path):
    suite, out = tmp_path / "own.toml", tmp_path / "out"
    suite.write_text(CHECKED_SUITE)
    done = subprocess.run([CHECKED, "run", suite, "--out", out], capture_output=True, text=True, check=False,
                          timeout=SMOKE_SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    records = [json.loads(path.read_text()) for path in out.glob("raw/*/*/run.json")]
    assert len(records) >= 8 and [record["problem"] for record in records if record["problem"]] == []
    for log in out.glob("**/*.log"):
        assert not REPORT_OF_SANITIZER.search(log.read_text(errors="replace")), log


# What it says of what is wrong


def test_report_passes_over_files_that_are_broken_and_names_them(smoke, tmp_path):
    broken = tmp_path / "broken"
    subprocess.run(["cp", "-r", smoke, broken], check=True)
    records = sorted(broken.glob("raw/*/*/run.json"))
    records[0].write_text("{")
    records[1].unlink()
    log = records[2].with_name("requests.bin")
    log.write_bytes(log.read_bytes()[:-5])
    done = lab("report", broken)
    assert done.returncode == 0, done.stderr
    notes = "\n".join(json.loads((broken / "summary.json").read_text())["notes"])
    assert str(records[0].relative_to(broken)) in notes and str(log.relative_to(broken)) in notes


@pytest.mark.parametrize("text, said", [
    ("[centre]\nway = 'dns'\nttl = -1\n", ":3: ttl"),
    ("[centre]\nway = 'pigeon'\n", ":2: "),
    ("[[cell]]\nspeed = 3\n", ":2: "),
    ("[[cell]]\nway = 'dns'\nproxy_retries = 2\n", ":"),
    ("[centre\n", ":1"),
    ("[[cell]]\nfault = ['kill', 'explode']\n", ":2: "),
    ("[[pair]]\ntitle = 'x'\na = {way = 'dns'}\n", ":1: "),
])
def test_a_suite_with_a_mistake_is_refused_by_file_line_and_what_is_allowed(tmp_path, text, said):
    suite = tmp_path / "own.toml"
    suite.write_text(text)
    done = lab("run", suite, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"own.toml{said}" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_way_that_is_not_installed_is_skipped_by_name(tmp_path):
    suite = tmp_path / "own.toml"
    suite.write_text("[[cell]]\nway = ['nscd', 'replica']\nruns = 1\n")
    done = lab("run", suite, "--out", tmp_path / "out", "--unpacked", tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert any("nscd" in line for line in summary["skipped"])
    assert any(cell["way"] == "replica" and cell["runs"] == 1 for cell in summary["cells"])


def processes_that_name(text: str) -> list[str]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_process_and_goes_on_later(tmp_path, number):
    suite = tmp_path / "own.toml"
    suite.write_text("[[cell]]\nruns = 3\n")
    out = tmp_path / "out"
    command = [LAB, "run", str(suite), "--out", str(out), "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: list(out.glob("raw/*/0/run.json")), "the first run is done", 60)
        process.send_signal(number)
        process.communicate(timeout=30)
    until(lambda: not processes_that_name(str(out)), "all that it started has ended")
    done = lab("run", suite, "--out", out)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert [cell["runs"] for cell in summary["cells"]] == [3] and summary["notes"] == []


def test_doctor_and_list_and_model_say_what_there_is():
    assert "unbound" in lab("doctor").stdout
    listed = lab("list").stdout
    assert "envoy-xds" in listed and "deregister_drained" in listed and "proxy_retries" in listed
    assert "bad" in lab("model", "way=unbound", "ttl=30").stdout
    refused = lab("model", "ttl=-3")
    assert refused.returncode == 1 and "ttl" in refused.stderr and "0 to 86400" in refused.stderr
