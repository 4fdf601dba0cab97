"""Properties of the appliance's pure parts."""

from __future__ import annotations

import tomllib

from hypothesis import assume, given
from hypothesis import strategies as st

from flower_appliance.errors import ContextError
from flower_appliance.liveness import Liveness
from flower_appliance.logfile import LineSplitter
from flower_appliance.plan import render_node_config
from flower_appliance.publisher import difference
from flower_appliance.redaction import REDACTED, Redactor
from flower_appliance.shellvars import parse_assignments, render_assignments
from flower_appliance.unit import read_environment, render_environment

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ATTRIBUTES = st.dictionaries(NAMES, st.sampled_from(["", "YES", "NO", "online"]), max_size=6)


@given(st.dictionaries(NAMES, TEXTS))
def test_a_context_file_gives_back_what_was_written(values: dict[str, str]) -> None:
    assert parse_assignments(render_assignments(values)) == values


@given(TEXTS)
def test_any_text_is_either_assignments_or_refused(text: str) -> None:
    try:
        values = parse_assignments(text)
    except ContextError as error:
        assert "context.sh" in str(error)
    else:
        assert parse_assignments(render_assignments(values)) == values


@given(st.dictionaries(NAMES, TEXTS))
def test_an_environment_file_gives_back_what_was_written(values: dict[str, str]) -> None:
    assert read_environment(render_environment(values)) == values


@given(st.from_regex(r"/[A-Za-z0-9._/+@ -]{0,40}", fullmatch=True), st.integers(0, 2**31 - 1))
def test_flower_reads_the_node_configuration_as_it_was_meant(path: str, partition: int) -> None:
    words = render_node_config({"partition-id": partition, "data-path": path}).split(" ", 1)

    assert tomllib.loads("\n".join(words)) == {"partition-id": partition, "data-path": path}


@given(st.binary(max_size=200), st.integers(1, 20))
def test_how_output_is_chunked_does_not_matter(raw: bytes, size: int) -> None:
    whole, pieces = LineSplitter(), LineSplitter()
    expected = whole.feed(raw) + whole.close()
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]

    assert [line for chunk in chunks for line in pieces.feed(chunk)] + pieces.close() == expected


@given(st.text(min_size=8, max_size=30), st.lists(TEXTS, max_size=5))
def test_a_known_secret_never_passes(secret: str, around: list[str]) -> None:
    assume(secret not in REDACTED)
    redactor = Redactor([secret])

    assert all(secret not in redactor.line(secret.join([*around[:2], text])) for text in around if secret not in text)


@given(ATTRIBUTES, ATTRIBUTES)
def test_after_writing_and_withdrawing_nothing_is_left_to_do(wanted: dict[str, str], present: dict[str, str]) -> None:
    present = {key: value for key, value in present.items() if value}
    write, withdraw = difference(wanted, present)
    after = {key: value for key, value in {**present, **write}.items() if key not in withdraw}

    assert difference(wanted, after) == ({}, ())
    assert {key: value for key, value in after.items() if key not in wanted} == {
        key: value for key, value in present.items() if key not in wanted
    }


EVENTS = st.sampled_from(
    ["start", "exit", "turned away", "SuperNode ID: 5", "Connection attempt failed, retrying in 1", "[code: 2004]"]
)


@given(st.lists(EVENTS))
def test_a_node_is_online_only_while_a_process_runs_that_has_an_id(events: list[str]) -> None:
    state = Liveness()
    for event in events:
        match event:
            case "start":
                state = state.started()
            case "exit":
                state = state.exited()
            case "turned away":
                state = state.turned_away()
            case line if state.running:
                state = state.said(line)
        assert state.state != "online" or (state.running and state.node_id)
