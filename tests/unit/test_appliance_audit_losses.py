"""What could make the audit lose lines without a word: cut logs, endless lines, full disks, years of lines."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flower_appliance.audit_chain import check_chain, extend
from flower_appliance.audit_facts import DONE, Fact
from flower_appliance.audit_file import AuditFile
from flower_appliance.context import SuperLinkContext, read_context
from flower_appliance.gateway import gateway_config
from flower_appliance.machine import Machine
from tests.appliance_support import NOW, make_authority, superlink_values
from tests.patience import PATIENCE_S
from tests.unit.test_appliance_audit import HOST, PORT
from tests.unit.test_appliance_audit import Machine as Audited
from tests.unit.test_appliance_audit_facts import body

CA = make_authority()


@pytest.fixture
def machine(tmp_path: Path) -> Audited:
    return Audited(tmp_path)


def actions(audited: Audited) -> list[str]:
    return [json.loads(line)["action"] for line in audited.lines()]


def test_lines_that_follow_a_log_that_lost_its_end_are_in_the_audit(machine: Audited) -> None:
    """A machine without power loses what was not on the disk yet; the log grows on beyond where it was read to."""
    machine.request()
    kept = machine.log.read_bytes()
    machine.request()
    machine.boot().catch_up()
    machine.log.write_bytes(kept)
    after = [machine.request() for _ in range(5)]
    machine.boot().catch_up()

    assert machine.routes()[-5:] == after
    assert "gap" in actions(machine)
    assert check_chain(machine.lines()).intact


def test_what_is_cut_off_unread_is_no_gap(machine: Audited) -> None:
    first = machine.request()
    machine.boot().catch_up()
    with machine.log.open("ab") as stream:
        stream.write(b'{"half a line')
    machine.log.write_bytes(machine.log.read_bytes().rpartition(b"\n")[0] + b"\n")
    second = machine.request()
    machine.boot().catch_up()

    assert machine.routes() == [first, second]


def test_an_audit_of_an_earlier_appliance_is_continued(machine: Audited) -> None:
    """Its lines name a place without the line."""
    wanted = [machine.request(), machine.request()]
    machine.boot().catch_up()
    head, older = None, []
    for line in machine.lines():
        content = json.loads(line)
        del content["from"]["line"]
        text, head = extend(head, content)
        older.append(f"{text}\n")
    machine.chain.write_text("".join(older))
    wanted.append(machine.request())
    machine.boot().catch_up()

    assert machine.routes() == wanted
    assert check_chain(machine.lines()).intact


def test_an_endless_first_line_hides_nothing_of_what_follows(machine: Audited) -> None:
    machine.request("/v1/control/" + "x" * (3 << 20))
    second = machine.request()
    machine.boot().catch_up()
    third = machine.request()
    machine.boot().catch_up()

    assert machine.routes()[1:] == [second, third]
    assert len(machine.routes()[0]) <= 300


def test_the_gateway_takes_no_request_that_could_fill_the_log(tmp_path: Path) -> None:
    context = read_context(superlink_values(CA), now=NOW)
    assert isinstance(context, SuperLinkContext)
    vm = Machine(root=tmp_path, loopback="127.0.0.1", address="10.0.0.5", bin_dir=Path("/opt/bin"))
    config = json.loads(gateway_config(context, vm, server_key="/k"))

    servers = config["apps"]["http"]["servers"]
    assert all(1024 < server["max_header_bytes"] < 65_536 for server in servers.values())


class FullDisk:
    """`os.write` on a disk that takes a part of one write and then nothing, until there is room again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._real = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, raw: bytes) -> int:
        if not self.full:
            return self._real(descriptor, raw)
        if len(raw) > 20:
            return self._real(descriptor, raw[:20])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_after_a_write_that_failed_nothing_is_written_behind_it(
    machine: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [machine.request()]
    service = machine.boot()
    service.catch_up()
    wanted.append(machine.request())
    disk = FullDisk(monkeypatch)
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        service.catch_up()
    disk.full = False
    wanted.append(machine.request())
    with pytest.raises(OSError, match="opened anew"):
        service.catch_up()
    machine.boot().catch_up()

    assert machine.routes() == wanted
    assert check_chain(machine.lines()).intact


async def test_a_disk_that_is_full_during_a_question_ends_the_service_which_is_then_started_anew(
    machine: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = machine.boot()
    serving = asyncio.create_task(service.run(HOST, PORT))
    while not serving.done():
        try:
            reader, writer = await asyncio.open_connection(HOST, PORT)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
    monkeypatch.setattr(service, "catch_up", lambda: None)  # the loop finds nothing: the question must end it
    wanted = machine.request("/v1/control/start-run", answer_body=body(42))

    async def failing(subject: str, request: bytes) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(service, "answer", failing)
    writer.write(f"GET /may-stop HTTP/1.1\r\nX-Subject: x\r\nX-Request: {body(42)}\r\n\r\n".encode())
    assert await reader.read() == b""  # no answer is no
    with pytest.raises(OSError, match="No space left"):
        await asyncio.wait_for(serving, PATIENCE_S)
    machine.boot().catch_up()
    assert machine.routes() == [wanted]


MEASURE = """
import resource, sys
from pathlib import Path
from flower_appliance.audit_file import AuditFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Path(sys.argv[1])
AuditFile(folder / "audit.jsonl", head_path=folder / "head", now=lambda: datetime.now(UTC)).close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_opening_the_audit_takes_little_memory_however_long_it_is(tmp_path: Path) -> None:
    """The service has 256 MB; what it needs must not grow with the years."""
    file = AuditFile(tmp_path / "audit.jsonl", head_path=tmp_path / "head", now=lambda: NOW, most_bytes=4 << 20)
    long = Fact(time=NOW, action="x", outcome=DONE, reason="r" * 20_000)
    for _ in range(8):
        file.append([(long, None)] * 150)
    file.close()
    size_kb = sum(path.stat().st_size for path in tmp_path.glob("audit*.jsonl")) // 1024
    assert size_kb > 20_000

    done = subprocess.run((sys.executable, "-c", MEASURE, str(tmp_path)), capture_output=True, text=True, check=True)
    assert int(done.stdout) < size_kb // 2
