import pathlib

import pytest

from harness import Backend, Daemon
from name_servers import NameServer, Zone


@pytest.fixture
def make_dnsd(tmp_path):
    """Makes daemons, not yet started; those that still run are stopped after the test, and all
    must have been free of sanitizer reports."""
    made: list[Daemon] = []

    def make(name="dnsd", **options) -> Daemon:
        daemon = Daemon(pathlib.Path(tmp_path) / name, **options)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.stop()
        if daemon.stderr_path.exists():
            daemon.check_reports()


@pytest.fixture
def dnsd(make_dnsd) -> Daemon:
    """A running dnsd with an empty store."""
    return make_dnsd().start()


@pytest.fixture
def make_backend():
    """Starts HTTP servers, killed after the test."""
    made: list[Backend] = []

    def make(name: str, **options) -> Backend:
        backend = Backend(name, **options)
        made.append(backend)
        return backend.start()

    yield make
    for backend in made:
        backend.kill()


@pytest.fixture
def make_name_server(tmp_path):
    """Makes name servers of others, not yet started; those that still run are stopped after the test. If it fails,
    pytest shows what they said."""
    made: list[NameServer] = []

    def make(kind: type[NameServer], *zones: Zone, name="") -> NameServer:
        server = kind(pathlib.Path(tmp_path) / (name or f"{kind.__name__.lower()}-{len(made)}"), *zones)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
        print(f"--- {server} said, at last:\n{server.log[-6000:]}")
