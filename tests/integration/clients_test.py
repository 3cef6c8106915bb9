"""Which stock clients work with dnsd, and how soon each follows: what docs/clients.md says, measured.

Each client, in namespaces of its own, finds the instances of a service, loses one that dies, finds a name
that was absent, reads sixty instances, and outlives dnsd. The seconds go into a table."""

import os
import pathlib
import re
import time

import pytest

from clients import CLIENTS, DOCUMENT, SIZES, Client, Program, Scene
from harness import ROOT, until
from namespaces import in_namespaces

TABLE = pathlib.Path(os.environ.get("DNSD_CLIENTS_TABLE", ROOT / "build/clients.md"))
BEGIN, END = "<!-- table written by tests/integration/clients_test.py -->\n", "<!-- end -->\n"
HEADS = ["client", "A", "SRV", "death seen after (s)", "what bounds it", f"of {SIZES['many']} instances sees",
         "negative answer lapses after (s)", "after a restart resolves within (s)"]

# What a slow machine may add to a client's own clock.
SLACK = 5.0
WEB = {"web-1", "web-2", "web-3"}
DEAD = "web-2"


@pytest.mark.parametrize("title", CLIENTS)
@in_namespaces
def test_a_stock_client_follows_what_is_published(title, make_dnsd, tmp_path, request):
    scene = Scene(make_dnsd, tmp_path)
    client = CLIENTS[title](scene)
    try:
        client.start()
        write_row(client, measured(scene, client))
    except BaseException:
        log = tmp_path / "client.log"
        print(log.read_text(errors="replace")[-4000:] if log.exists() else "")
        raise
    finally:
        client.stop()


def measured(scene: Scene, client: Client) -> list[str]:
    """The cells of its row, after the first."""
    def uses(service: str, expected: set[str], rr_type: str):
        return lambda: client.uses(service, rr_type) == expected

    for rr_type in client.rr_types:
        until(uses("web", WEB, rr_type), f"{rr_type} has all three")
    if isinstance(client, Program):
        assert sorted(client.ask("A", "web")) == sorted(client.look("A", "web")), "the search list"
    for rr_type in client.rr_types:
        assert client.uses("late", rr_type) == set()

    scene.register("late")
    scene.set_health(DEAD, "unhealthy")
    # A name is kept by each client on its own: both questions are asked in turns.
    seen = seconds_until(
        {("death", rr_type): uses("web", WEB - {DEAD}, rr_type) for rr_type in client.rr_types}
        | {("negative", rr_type): uses("late", {"late-1"}, rr_type) for rr_type in client.rr_types},
        max(client.seconds_max, client.negative_seconds_max) + SLACK)
    for (what, rr_type), seconds in seen.items():
        most = client.seconds_max if what == "death" else client.negative_seconds_max
        assert seconds <= most + SLACK, (what, rr_type, seconds)

    many = [seen_of_many(client, rr_type) for rr_type in client.rr_types]
    for rr_type in client.rr_types:
        assert client.uses("web", rr_type) == WEB - {DEAD}, "what is dead stays out"
    restart = seconds_after_a_restart(scene, client)
    assert restart <= client.restart_seconds_max + SLACK

    def of_each(what: str) -> str:
        return " / ".join(rounded(seen[what, rr_type]) for rr_type in client.rr_types)

    return [str(len(WEB)) if rr_type in client.rr_types else "-" for rr_type in ("A", "SRV")] + [
        of_each("death"), client.clock, " / ".join(map(str, many)), of_each("negative"), rounded(restart)]


def seen_of_many(client: Client, rr_type: str) -> int:
    def number() -> int:
        return len(client.uses("many", rr_type))

    until(lambda: number() in client.sees, f"of sixty it uses one of {client.sees}")
    return number()


def rounded(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 0.1 else "<0.1"


def seconds_until(conditions: dict, patience: float) -> dict:
    """From now until each condition held for the first time."""
    begin, seen = time.monotonic(), {}

    def all_held() -> bool:
        for what, holds in conditions.items():
            if what not in seen and holds():
                seen[what] = time.monotonic() - begin
        return len(seen) == len(conditions)

    until(all_held, f"all of {list(conditions)} hold", patience)
    return seen


def seconds_after_a_restart(scene: Scene, client: Client) -> float:
    """dnsd is killed; one who looks when asked is asked for a name that it never saw, while nobody answers.
    Then dnsd is back with what it had, and one who watches must see what changes."""
    scene.dnsd.kill()
    if not client.watches:
        assert client.uses("again") == set()
    scene.dnsd.start()
    if client.watches:
        scene.set_health(DEAD, "healthy")
    service, expected = ("web", WEB) if client.watches else ("again", {"again-1"})
    patience = client.restart_seconds_max + SLACK
    return seconds_until({"again": lambda: client.uses(service) == expected}, patience)["again"]


def write_row(client: Client, cells: list[str]) -> None:
    """Into the table, which keeps its other rows and the order of CLIENTS."""
    rows = rows_of(TABLE) if TABLE.exists() else {}
    rows[client.title] = [f"{client.title} ({client.package} {client.version()})", *cells]
    lines = [HEADS, ["---"] * len(HEADS), *(rows[title] for title in CLIENTS if title in rows)]
    table = BEGIN + "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n" + END
    if TABLE.exists() and BEGIN in (text := TABLE.read_text()):
        table = text[:text.index(BEGIN)] + table + text[text.index(END) + len(END):]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table)


def rows_of(path: pathlib.Path) -> dict[str, list[str]]:
    """The cells of the table's rows, by the client's title."""
    text = path.read_text()
    if BEGIN not in text:
        return {}
    lines = text[text.index(BEGIN):text.index(END)].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0].partition(" (")[0]: row for row in rows[2:]}


def test_the_document_names_exactly_these_clients():
    assert list(rows_of(DOCUMENT)) == list(CLIENTS)
    sections = re.findall(r"^### (.*)$", DOCUMENT.read_text(), re.M)
    assert sorted(sections) == sorted(CLIENTS)
