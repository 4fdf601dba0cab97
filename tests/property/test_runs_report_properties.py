"""Properties of reading a run's log."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from flower_federation.runs_cli import read_run_id
from flower_federation.runs_report import LineReader, Round, parse_refusal, parse_round

finite = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(min_value=0, max_value=10**6)


@given(st.text(), st.lists(st.integers(min_value=0), max_size=8))
def test_however_a_log_is_cut_its_lines_are_the_same(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    reader = LineReader()
    lines = [line for start, end in itertools.pairwise(edges) for line in reader.feed(text[start:end])]
    assert "\n".join(lines + reader.close()) == text.removesuffix("\n")


@given(st.builds(Round, number=count, loss=finite, accuracy=finite, nodes=count, examples=count, seconds=finite))
def test_what_an_app_prints_is_what_is_read(printed: Round) -> None:
    named = {"round" if name == "number" else name: value for name, value in asdict(printed).items()}
    assert parse_round(json.dumps(named)) == printed


@given(st.text())
def test_no_line_whatever_is_an_error(line: str) -> None:
    for parse in (parse_round, parse_refusal):
        parse(line)
        parse("{" + line + "}")


@given(st.integers(min_value=1, max_value=2**64 - 1), st.text(alphabet="abc {}\n", max_size=40))
def test_a_run_id_keeps_every_digit_whatever_is_printed_around_it(run_id: int, noise: str) -> None:
    answer = json.dumps({"success": True, "run-id": str(run_id)}, indent=2)
    assert read_run_id(f"{noise}\n{answer}\n{noise}") == run_id
