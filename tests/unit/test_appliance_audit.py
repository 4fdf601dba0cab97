"""The audit across restarts, crashes and rotations: nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flower_appliance.audit import AuditService, may_stop, read_question, response
from flower_appliance.audit_chain import Head, check_chain
from flower_appliance.audit_file import AuditFile
from flower_appliance.audit_tail import LogTail, PlaceLostError
from tests.patience import PATIENCE_S
from tests.unit.test_appliance_audit_facts import body, request_line

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOST, PORT = f"127.98.{os.getpid() // 256 % 256}.{os.getpid() % 256}", 9095
"""Of this process alone."""


class Machine:
    """One SuperLink's folder, on which the audit service can be started again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log, self.chain, self.head = folder / "gateway.log", folder / "audit.jsonl", folder / "head"
        self.shown: list[str] = []
        self._numbers = itertools.count()

    def boot(self) -> AuditService:
        file = AuditFile(self.chain, head_path=self.head, now=lambda: NOW)
        return AuditService(
            file,
            federation="hospitals",
            gateway_log=self.log,
            events_log=self.folder / "events.log",
            now=lambda: NOW,
            show=self.shown.append,
        )

    def request(self, uri: str = "", **more: str) -> str:
        """The gateway logs a request; its route."""
        route = uri or f"/v1/control/call-{next(self._numbers)}"
        with self.log.open("ab") as stream:
            stream.write(request_line(route, **more) + b"\n")  # type: ignore[arg-type]
        return route

    def rotate(self, name: str) -> None:
        self.log.rename(self.folder / f"gateway-{name}.log")

    def routes(self) -> list[str]:
        return [json.loads(line)["route"] for line in self.lines()]

    def lines(self) -> list[str]:
        return self.chain.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_every_request_becomes_one_line_that_is_shown_too_and_the_head_is_published(machine: Machine) -> None:
    service = machine.boot()
    wanted = [machine.request() for _ in range(3)]
    service.catch_up()
    service.catch_up()

    assert machine.routes() == wanted
    assert machine.shown == machine.lines()
    verdict = check_chain(machine.lines(), published=Head.parse(machine.head.read_text()))
    assert verdict.intact


def test_a_restart_at_any_point_loses_nothing_and_repeats_nothing(machine: Machine) -> None:
    wanted = []
    for _ in range(5):
        wanted.append(machine.request())
        machine.boot().catch_up()
        wanted.append(machine.request())
        wanted.append(machine.request())
    machine.boot().catch_up()

    assert machine.routes() == wanted
    assert check_chain(machine.lines()).intact


def test_requests_while_the_audit_was_away_are_taken_up_across_rotations(machine: Machine) -> None:
    wanted = [machine.request()]
    machine.boot().catch_up()
    wanted.append(machine.request())
    machine.rotate("2026-11-24T01")
    wanted.append(machine.request())
    machine.rotate("2026-11-24T02")
    wanted.append(machine.request())
    machine.boot().catch_up()

    assert machine.routes() == wanted


def test_a_rotation_under_a_running_audit_loses_nothing(machine: Machine) -> None:
    service = machine.boot()
    wanted = []
    for number in range(4):
        wanted.append(machine.request())
        service.catch_up()
        wanted.append(machine.request())
        machine.rotate(f"2026-11-24T0{number}")
        wanted.append(machine.request())
        service.catch_up()

    assert machine.routes() == wanted


def test_half_a_line_waits_for_its_end(machine: Machine) -> None:
    service = machine.boot()
    line = request_line("/v1/control/list-runs")
    with machine.log.open("ab") as stream:
        stream.write(line[:40])
        stream.flush()
        service.catch_up()
        assert machine.lines() == []
        stream.write(line[40:] + b"\n")
    service.catch_up()

    assert machine.routes() == ["/v1/control/list-runs"]


def test_a_log_that_was_rotated_away_unread_leaves_a_line_that_says_so(machine: Machine) -> None:
    machine.request()
    machine.boot().catch_up()
    machine.log.unlink()
    after = machine.request()
    machine.boot().catch_up()

    actions = [json.loads(line)["action"] for line in machine.lines()]
    assert actions[1] == "gap"
    assert machine.routes()[2] == after


def test_a_line_that_a_crash_cut_off_is_written_again_from_the_log(machine: Machine) -> None:
    wanted = [machine.request(), machine.request()]
    machine.boot().catch_up()
    whole = machine.chain.read_bytes()
    machine.chain.write_bytes(whole[:-30])

    machine.boot().catch_up()

    assert machine.chain.read_bytes() == whole
    assert machine.routes() == wanted


def test_a_chain_that_does_not_hold_is_kept_aside_and_a_new_one_begins_with_what_the_logs_hold(
    machine: Machine,
) -> None:
    wanted = [machine.request(), machine.request()]
    machine.boot().catch_up()
    tampered = machine.chain.read_text().replace("Ada", "Eve", 1)
    machine.chain.write_text(tampered)

    machine.boot().catch_up()

    first, *rest = (json.loads(line) for line in machine.lines())
    assert first["action"] == "restart-chain"
    assert "line 1" in first["reason"]
    assert [line["route"] for line in rest] == wanted
    (aside,) = machine.folder.glob("audit.jsonl.broken-*")
    assert aside.read_text() == tampered
    assert check_chain(machine.lines()).intact


def test_who_started_a_run_is_known_after_a_restart(machine: Machine) -> None:
    machine.request("/v1/control/start-run", answer_body=body(42))
    machine.boot().catch_up()
    file = AuditFile(machine.chain, head_path=machine.head, now=lambda: NOW)
    request = base64.b64decode(body(42))

    assert may_stop(file, "CN=Ada,OU=researcher,O=hospitals", request, federation="hospitals").allowed
    other = may_stop(file, "CN=Grace,OU=researcher,O=hospitals", request, federation="hospitals")
    assert not other.allowed
    assert "you did not start run 42; Ada did" in other.reason


@pytest.mark.parametrize(
    ("subject", "request_"),
    [
        ("CN=Ada,OU=researcher,O=hospitals", base64.b64decode(body(43))),
        ("CN=Ada,OU=researcher,O=hospitals", b""),
        ("CN=Ada,OU=researcher,O=hospitals", b"\xff"),
        ("CN=Ada,OU=researcher,O=others", base64.b64decode(body(42))),
        ("", base64.b64decode(body(42))),
        (r"CN=Grace\,CN=Ada,OU=researcher,O=hospitals", base64.b64decode(body(42))),
    ],
)
def test_in_every_doubt_a_run_is_not_ones_own(machine: Machine, subject: str, request_: bytes) -> None:
    machine.request("/v1/control/start-run", answer_body=body(42))
    machine.boot().catch_up()
    file = AuditFile(machine.chain, head_path=machine.head, now=lambda: NOW)
    assert not may_stop(file, subject, request_, federation="hospitals").allowed


def test_a_refused_start_makes_nobody_the_owner(machine: Machine) -> None:
    machine.request("/v1/control/start-run", refused="no", answer_body=body(42))
    machine.boot().catch_up()
    file = AuditFile(machine.chain, head_path=machine.head, now=lambda: NOW)
    assert file.starter("42") == ""


async def test_a_question_waits_for_the_line_that_says_who_started_the_run(machine: Machine) -> None:
    service = machine.boot()
    asking = asyncio.create_task(service.answer("CN=Ada,OU=researcher,O=hospitals", base64.b64decode(body(42))))
    await asyncio.sleep(0)  # the question is asked before the line is there
    assert not asking.done()
    machine.request("/v1/control/start-run", answer_body=body(42))

    assert (await asking).allowed


async def test_the_service_answers_over_http_what_the_gateway_asks(machine: Machine) -> None:
    machine.request("/v1/control/start-run", answer_body=body(42))
    serving = asyncio.create_task(machine.boot().run(HOST, PORT))
    try:
        for name, status in (("Ada", b"204"), ("José", b"403")):
            reader, writer = await _connected()
            subject = f"CN={name},OU=researcher,O=hospitals"
            question = f"GET /may-stop HTTP/1.1\r\nHost: x\r\nX-Subject: {subject}\r\nX-Request: {body(42)}\r\n\r\n"
            writer.write(question.encode())
            answer = await reader.read()
            writer.close()
            assert answer.split(b" ")[1] == status
        assert b"X-Refused: Your role, researcher, stops your own runs only" in answer
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(int(PATIENCE_S / 0.02)):
        try:
            return await asyncio.open_connection(HOST, PORT)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
    raise AssertionError("the service does not listen")


@pytest.mark.parametrize(
    "raw", [b"POST /may-stop HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX-Subject: x\r\n\r\n", b"\xff\r\n\r\n"]
)
def test_what_is_no_question_names_nobody(raw: bytes) -> None:
    assert read_question(raw) == ("", b"")


def test_a_reason_with_any_name_fits_into_a_header(machine: Machine) -> None:
    file = AuditFile(machine.chain, head_path=machine.head, now=lambda: NOW)
    found = may_stop(file, "CN=Zoë 你,OU=researcher,O=hospitals", b"\x08\x2a", federation="hospitals")
    assert b"\r\nX-Refused: " in response(found)


def test_a_place_that_is_lost_is_told_once_and_reading_goes_on_from_the_oldest_line(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_bytes(b"one\n")
    tail = LogTail(log, None)
    ((_, place),) = tail.read()
    log.write_bytes(b"two\nthree\n")

    again = LogTail(log, place)
    with pytest.raises(PlaceLostError):
        list(again.read())
    assert [line for line, _ in again.read()] == [b"two", b"three"]


def test_a_file_that_begins_with_a_line_of_any_length_is_read_like_any_other(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_bytes(b"x" * (3 << 20) + b"\ntwo\n")

    read = list(LogTail(log, None).read())
    assert [line[:3] for line, _ in read] == [b"xxx", b"two"]
    log.rename(tmp_path / "gateway-2026-11-24T12-00-00.000.log")
    log.write_bytes(b"three\n")
    assert [line for line, _ in LogTail(log, read[0][1]).read()] == [b"two", b"three"]
