"""Programs of others that are told to use dnsd."""

import contextlib
import pathlib
import subprocess

from harness import PATIENCE


@contextlib.contextmanager
def running(command: list, output: pathlib.Path):
    """Runs it in the foreground until the block ends; what it says is in `output`."""
    with output.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process
        assert process.poll() is None, (command, output.read_text())
    except AssertionError as failure:
        raise AssertionError(f"{failure}\n{command[0]} said:\n{output.read_text(errors='replace')}") from failure
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
