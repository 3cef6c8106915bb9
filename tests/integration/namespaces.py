"""Tests that need a network and mounts of their own: each runs again as the only test of a pytest
inside `unshare`, as root or in a user namespace."""

import functools
import os
import subprocess
import sys

import pytest

INSIDE = "DNSD_TEST_INSIDE_NAMESPACES"


def in_namespaces(test):
    """Runs the test in fresh network and mount namespaces, with the loopback interface up."""

    @functools.wraps(test)
    def outside(request, *arguments, **fixtures):
        if os.environ.get(INSIDE):
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            return test(*arguments, request=request, **fixtures)
        unshare = working_unshare()
        if unshare is None:
            if request.node.name in os.environ.get("DNSD_ALLOW_SKIPS", "").split(","):
                pytest.skip("no namespaces here, and --allow-skips names this test")
            pytest.fail("no namespaces here: run as root, or allow user namespaces; or name this "
                        f"test: tools/test --allow-skips {request.node.name}")
        pytest_again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                        f"{request.path}::{request.node.name}"]
        done = subprocess.run([*unshare, *pytest_again], env=os.environ | {INSIDE: "1"},
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"inside the namespaces:\n{done.stdout}\n{done.stderr}", pytrace=False)
        return None

    return outside


@functools.cache
def working_unshare() -> list[str] | None:
    candidates = [["unshare", "-Urnm"]]
    if os.geteuid() == 0:
        candidates.insert(0, ["unshare", "-nm"])
    for candidate in candidates:
        # A mount too: some containers allow the namespaces and refuse what they are for.
        trial = [*candidate, "sh", "-c", "ip link set lo up && mount -t tmpfs none /mnt"]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return candidate
    return None
