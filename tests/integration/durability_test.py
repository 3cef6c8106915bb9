"""Durable, then visible, then acknowledged; and nothing acknowledged is ever lost."""

import random
import re
import threading

from harness import NAMESPACE, WEB, instances, make_service, until


def test_a_restart_restores_everything(dnsd):
    make_service(dnsd.api, {"ttl": 3, "check": {"type": "custom"}}, namespace={"ttl": 9})
    for number in range(1, 6):
        dnsd.api.put(f"{WEB}/instances/i-{number}", {"ipv4": f"192.0.2.{number}", "port": 80,
                                                     "attributes": {"n": str(number)}})
        dnsd.api.put(f"{WEB}/instances/i-{number}/health", {"status": "healthy"})
    dnsd.api.put(f"{WEB}/instances/i-1/health", {"status": "unhealthy"})
    dnsd.addresses("web.demo.internal")
    dnsd.api.put(WEB, {"ttl": 60, "check": {"type": "custom"}})
    dnsd.addresses("web.demo.internal")
    dnsd.api.delete(f"{WEB}/instances/i-2")

    def everything() -> list:
        return [dnsd.api.get(path) for path in (NAMESPACE, WEB, f"{WEB}/instances")] + [
            dnsd.addresses("web.demo.internal"),
            str(dnsd.query("demo.internal", "SOA").answer[0][0].serial)]

    before = everything()
    assert before[3] == ["192.0.2.3", "192.0.2.4", "192.0.2.5"]
    dnsd.restart()
    assert everything() == before
    dnsd.kill()
    dnsd.start()
    assert everything() == before


def test_a_drain_ends_after_a_restart_too(dnsd):
    make_service(dnsd.api, {"ttl": 0})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    dnsd.api.delete(f"{WEB}/instances/i-1")
    dnsd.restart()
    until(lambda: "i-1" not in instances(dnsd.api), "the drain ends")


def test_kill_9_at_random_moments_loses_nothing_acknowledged(dnsd):
    """100 rounds. Each writer notes what was acknowledged; a change under way when dnsd was killed
    may have happened or not."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    make_service(dnsd.api)
    acknowledged: dict[str, int | None] = {}  # id -> port; None: deregistered
    for round_number in range(100):
        under_way: dict[str, int | None] = {}
        stop = threading.Event()

        def write(writer: int) -> None:
            count = 0
            while not stop.is_set():
                identity, port = f"w{writer}-{count % 5}", 1 + round_number * 500 + count % 500
                gone = count % 7 == 6
                count += 1
                under_way[identity] = None if gone else port
                path = f"{WEB}/instances/{identity}"
                try:
                    if gone:
                        reply = dnsd.api.request("DELETE", f"{path}?if_exists=true")
                    else:
                        reply = dnsd.api.request("PUT", path, {"ipv4": "192.0.2.1", "port": port})
                except OSError:
                    return
                except Exception:  # half a reply: http.client has many names for it
                    return
                assert reply.status in (200, 201), reply
                acknowledged[identity] = under_way.pop(identity)

        writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for writer in writers:
            writer.start()
        stop.wait(generator.uniform(0.0, 0.1))
        dnsd.kill()
        stop.set()
        for writer in writers:
            writer.join()
        dnsd.start()
        found = {i["id"]: None if i["status"] == "draining" else i["port"]
                 for i in instances(dnsd.api).values()}
        for identity, port in acknowledged.items():
            allowed = {port} | ({under_way[identity]} if identity in under_way else set())
            assert found.get(identity) in allowed, (seed, round_number, identity)
        # What was under way is settled now, one way or the other.
        for identity in under_way:
            acknowledged[identity] = found.get(identity)


def test_a_reply_leaves_after_the_wal_is_synced(make_dnsd, tmp_path):
    """kill -9 alone would pass without a sync: the kernel keeps what was written. The trace of the
    system calls tells."""
    assert violations(traced_registrations(make_dnsd, tmp_path, "full")) == []


def test_the_trace_would_show_a_missing_sync(make_dnsd, tmp_path):
    assert violations(traced_registrations(make_dnsd, tmp_path, "normal")) != []


def traced_registrations(make_dnsd, folder, synchronous: str) -> str:
    trace = folder / "trace"
    calls = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync"
    dnsd = make_dnsd(settings={"store.synchronous": synchronous},
                     wrapper=["strace", "-D", "-f", "-y", "-s", "5000", "-e", f"trace={calls}",
                              "-o", str(trace)],
                     # A process has one tracer, and LeakSanitizer wants to be it.
                     env={"ASAN_OPTIONS": "detect_leaks=0"})
    dnsd.start()
    make_service(dnsd.api)
    failures = []

    def register(writer: int) -> None:
        for number in range(10):
            try:
                dnsd.api.put(f"{WEB}/instances/{identity(writer, number)}",
                             {"ipv4": "192.0.2.1", "port": 80})
            except Exception as failure:
                failures.append(failure)

    threads = [threading.Thread(target=register, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    dnsd.stop()
    # The tracer, no parent of dnsd's (-D), writes its last line when dnsd has ended.
    until(lambda: "+++ exited with 0 +++" in trace.read_text(errors="replace").splitlines()[-1],
          "the trace is whole")
    return trace.read_text(errors="replace")


def identity(writer: int, number: int) -> str:
    return f"traced-{writer}-{number}-end"


def violations(trace: str) -> list[str]:
    """Identities whose reply began before their transaction was synced.

    A transaction is its frames in the WAL, one write after another by one thread, then one sync.
    For each identity: the first frame that holds it, the sync of the WAL that follows, complete,
    and then the reply that holds it, begun."""
    wal_write = re.compile(r"^\d+ +(?:pwrite64|write|pwritev|writev)\(\d+<[^>]*-wal>")
    wal_sync = re.compile(r"^(\d+) +f(?:data)?sync\(\d+<[^>]*-wal>(.*)")
    sync_resumed = re.compile(r"^(\d+) +<\.\.\. f(?:data)?sync resumed>.*= 0$")
    sent = re.compile(r"^\d+ +(?:sendto|sendmsg|write|writev)\((\d+)<(?:socket|TCP)")
    name = re.compile(r"traced-\d+-\d+-end")

    written: dict[str, int] = {}
    replied: dict[str, int] = {}
    reply_begun: dict[str, int] = {}  # by descriptor: the head may leave before the body
    synced: list[tuple[int, int]] = []  # begun, completed
    pending: dict[str, int] = {}
    for at, line in enumerate(trace.splitlines()):
        if wal_write.match(line):
            for found in name.findall(line):
                written.setdefault(found, at)
        elif match := wal_sync.match(line):
            if "unfinished" in line:
                pending[match[1]] = at
            elif line.endswith("= 0"):
                synced.append((at, at))
        elif (match := sync_resumed.match(line)) and match[1] in pending:
            synced.append((pending.pop(match[1]), at))
        elif match := sent.match(line):
            if "HTTP/1.1 20" in line:
                reply_begun[match[1]] = at
            for found in name.findall(line):
                replied.setdefault(found, reply_begun[match[1]])
    wanted = {identity(writer, number) for writer in range(8) for number in range(10)}
    assert set(written) >= wanted and set(replied) >= wanted, "the trace is not understood"
    return [found for found in sorted(wanted)
            if not any(written[found] < begun and done < replied[found] for begun, done in synced)]
