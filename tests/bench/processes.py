"""What /proc says of a server, all of its processes together."""

import contextlib
import pathlib
import re


def of_session(leader: int) -> list[int]:
    """The process and those of its session: what it forked, if it leads one."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            session = int(entry.read_text().rpartition(")")[2].split()[3])
            if leader in (int(entry.parent.name), session):
                found.append(int(entry.parent.name))
    return found


def octets(processes: list[int], file: str, key: str) -> list[int]:
    """A line of each one's /proc/PID/`file`, such as "Pss" of smaps_rollup."""
    return [1024 * int(re.search(rf"^{key}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/{file}").read_text(), re.M)[1])
            for pid in processes]


def memory(processes: list[int]) -> int:
    """What they share counts once."""
    return sum(octets(processes, "smaps_rollup", "Pss"))
