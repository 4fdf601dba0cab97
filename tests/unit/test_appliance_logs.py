"""What reaches a log, and in what shape."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from flower_appliance.logfile import LevelGate, LineSplitter, RotatingLog
from flower_appliance.redaction import REDACTED, RedactingFilter, Redactor
from tests.appliance_support import TOKEN, make_authority

KEY = make_authority().issue("x")[1]


def test_a_private_key_is_dropped_whole_and_what_follows_is_kept() -> None:
    redactor = Redactor()
    written = [redactor.line(line) for line in ["before", *KEY.splitlines(), "after"]]

    assert written[0] == "before"
    assert written[-1] == "after"
    assert set(written[1:-1]) <= {REDACTED, ""}


def test_a_private_key_within_one_text_is_dropped() -> None:
    assert Redactor().text(f"x {KEY} y").split() == ["x", REDACTED, "y"]


@pytest.mark.parametrize(
    "line",
    [
        f"X-ONEGATE-TOKEN: {TOKEN}",
        f"token={TOKEN}",
        f'"Authorization": "Bearer {TOKEN}"',
        f'{{"Flwr-Signature":["{TOKEN}"],"status":502}}',
        f"flwr-task-token: {TOKEN}",
    ],
)
def test_named_secrets_are_redacted_in_every_notation(line: str) -> None:
    assert TOKEN not in Redactor().line(line)
    assert REDACTED in Redactor().line(line)


def test_known_secrets_are_redacted_wherever_they_stand() -> None:
    assert Redactor([TOKEN]).line(f"oops {TOKEN}!") == f"oops {REDACTED}!"


def test_innocent_text_passes_unchanged() -> None:
    line = "INFO : 3 nodes, public key ecdsa-sha2-nistp384 AAAA, /v1/fleet/push-object 200"

    assert Redactor(["", "x"]).line(line) == line


def test_records_are_redacted_with_their_arguments_and_exceptions() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor([TOKEN])))
    logger = logging.Logger("t")
    logger.addHandler(handler)
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError:
        logger.exception("with %s", TOKEN)

    assert TOKEN not in stream.getvalue()
    assert stream.getvalue().count(REDACTED) == 2


def test_lines_are_put_together_across_chunks_without_colours() -> None:
    splitter = LineSplitter()

    assert splitter.feed(b"\x1b[92mINFO \x1b[0m: on") == []
    assert splitter.feed(b"e\r\ntwo\nthr") == ["INFO : one", "two"]
    assert splitter.close() == ["thr"]
    assert splitter.close() == []


def test_an_endless_line_is_cut_instead_of_filling_memory() -> None:
    splitter = LineSplitter(most_bytes=4)

    assert splitter.feed(b"abcdefghij") == ["abcd", "efgh"]
    assert splitter.close() == ["ij"]


def test_lines_below_the_level_are_dropped_with_their_continuation() -> None:
    gate = LevelGate("WARNING")
    lines = ["INFO :  a", "  more of a", "ERROR :  b", "more of b", "DEBUG : c"]

    assert [line for line in lines if gate.passes(line)] == ["ERROR :  b", "more of b"]


def test_a_log_rotates_by_size_and_keeps_the_youngest(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log", most_bytes=10, keep=2)
    for number in range(5):
        log.write(f"line {number}")
    log.close()

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.log": "line 4\n",
        "x.log.1": "line 3\n",
        "x.log.2": "line 2\n",
    }
    assert (tmp_path / "x.log").stat().st_mode & 0o007 == 0
