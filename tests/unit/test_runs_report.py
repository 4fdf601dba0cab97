"""How rounds are read from a log, and what the table shows."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from flower_federation.runs_report import (
    LineReader,
    Refusal,
    Round,
    RunResult,
    parse_refusal,
    parse_round,
    rounds_table,
)

LINE = '{"round": 2, "loss": 0.125, "accuracy": 0.98, "nodes": 3, "examples": 57, "seconds": 12.5}'
REFUSED = '{"round": 1, "failed": 1, "asked": 3, "code": 7, "reason": "The FAB could not be verified."}'
REFUSAL = Refusal(number=1, nodes=1, asked=3, code=7, reason="The FAB could not be verified.")
ROUND = Round(number=2, loss=0.125, accuracy=0.98, nodes=3, examples=57, seconds=12.5)


def test_a_json_line_of_a_round_is_read_with_its_surrounding_space() -> None:
    assert parse_round(f"  {LINE}\r") == ROUND


@pytest.mark.parametrize(
    "line",
    [
        "",
        "INFO : aggregate_evaluate: Received 3 results and 0 failures",
        f"INFO : {LINE}",
        "{}",
        '{"round": 2}',
        "[1, 2]",
        '{"round": "two", "loss": 0, "accuracy": 0, "nodes": 3, "examples": 57, "seconds": 1}',
        '{"round": null, "loss": 0, "accuracy": 0, "nodes": 3, "examples": 57, "seconds": 1}',
        "{not json}",
    ],
)
def test_any_other_line_is_no_round(line: str) -> None:
    assert parse_round(line) is None


@pytest.mark.parametrize("part", sorted(json.loads(LINE)))
def test_a_line_without_one_part_is_no_round(part: str) -> None:
    assert parse_round(json.dumps({name: value for name, value in json.loads(LINE).items() if name != part})) is None


def test_nodes_that_refused_are_read_and_told_in_words_that_name_the_setting() -> None:
    assert parse_refusal(f"  {REFUSED}\r") == REFUSAL
    assert parse_round(REFUSED) is None
    assert parse_refusal(LINE) is None
    assert str(REFUSAL).startswith("1 of 3 nodes sent no result: The FAB could not be verified. (code 7)")
    assert "trustedEntities" in str(REFUSAL)


def test_an_error_of_an_app_is_no_question_of_signatures() -> None:
    crashed = parse_refusal(REFUSED.replace("7", "2").replace("The FAB could not be verified.", "KeyError: 'a'"))
    assert str(crashed) == "1 of 3 nodes sent no result: KeyError: 'a' (code 2)"


@pytest.mark.parametrize("part", sorted(json.loads(REFUSED)))
def test_a_line_without_one_part_is_no_refusal(part: str) -> None:
    assert (
        parse_refusal(json.dumps({name: value for name, value in json.loads(REFUSED).items() if name != part})) is None
    )


def test_a_line_that_pieces_cut_in_two_is_put_together() -> None:
    reader = LineReader()
    assert reader.feed("a\n{") == ["a"]
    assert reader.feed("}") == []
    assert reader.feed("\nend") == ["{}"]
    assert reader.close() == ["end"]
    assert reader.close() == []


def test_the_table_shows_every_round_and_the_whole_run_id() -> None:
    result = RunResult(run_id=str(2**64 - 59), status="finished:completed", rounds=(ROUND,), seconds=44.6)
    output = io.StringIO()
    Console(file=output, width=100).print(rounds_table(result))
    text = output.getvalue()
    assert "run 18446744073709551557: finished:completed in 45 s" in text
    for cell in ("2", "0.1250", "0.9800", "3", "57", "12.5"):
        assert f" {cell} " in text
