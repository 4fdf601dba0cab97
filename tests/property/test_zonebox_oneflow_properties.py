"""Properties of OneFlow's and OneGate's pure parts: expressions, merging, scaling, time, quoting, tokens."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zonebox.drivers.guest_folder import render_context
from zonebox.oneflow.expression import ExpressionError, parse, rounded
from zonebox.oneflow.recurrence import Recurrence
from zonebox.oneflow.render import pretty
from zonebox.oneflow.scale import wanted_cardinality
from zonebox.oneflow.service import Role
from zonebox.oneflow.substitution import substitute
from zonebox.oneflow.templates import deep_merge
from zonebox.onegate import attributes, token

NAMES = st.sampled_from(["A", "B", "LOAD", "FL_NEED"])
LOOKUPS = st.dictionaries(NAMES, st.floats(-9, 9, allow_nan=False).map(rounded))
OPERANDS = st.one_of(NAMES, st.integers(-9, 9).map(str), st.floats(-9, 9, allow_nan=False).map(lambda x: f"{x:.2f}"))
COMPARISONS = st.builds(
    " ".join, st.tuples(OPERANDS, st.sampled_from(["==", "=", "!=", "<>", ">=", ">", "<=", "<"]), OPERANDS)
)
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"!{text}"),
        st.builds(lambda a, op, b: f"({a}) {op} {b}", inner, st.sampled_from(["&", "&&", "|", "||"]), inner),
    ),
    max_leaves=8,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abcde"), JSON)


@given(EXPRESSIONS, LOOKUPS)
def test_blanks_do_not_matter_and_the_text_shown_is_an_expression_of_the_same_shape(
    source: str, values: dict[str, float]
) -> None:
    outcome, text = parse(source).evaluate(values.get)
    assert parse(source.replace(" ", "   ")).evaluate(values.get) == (outcome, text)
    shown = text
    for name in ("A", "B", "LOAD", "FL_NEED"):
        shown = shown.replace(f"{name}[{values.get(name, '--')}]", name)
    assert parse(shown).evaluate(values.get) == (outcome, text)


@given(EXPRESSIONS, LOOKUPS)
def test_negating_twice_changes_nothing(source: str, values: dict[str, float]) -> None:
    assert parse(f"!(!({source}))").evaluate(values.get)[0] is parse(source).evaluate(values.get)[0]


@given(COMPARISONS)
def test_a_comparison_with_an_attribute_that_nobody_has_is_false(source: str) -> None:
    has_attribute = any(part.isidentifier() for part in source.split())
    assert not (has_attribute and parse(source).evaluate(lambda _: None)[0])


@given(st.text(alphabet="AB1 ><=!&|()-.\"'", max_size=20))
def test_any_text_is_an_expression_or_is_refused(source: str) -> None:
    try:
        parse(source).evaluate({"A": 1.0}.get)
    except ExpressionError as error:
        assert "column" in str(error)


@given(DOCUMENTS, DOCUMENTS)
def test_merging_keeps_the_places_of_known_keys_and_adds_new_ones_last(
    base: dict[str, Any], update: dict[str, Any]
) -> None:
    before = json.dumps([base, update])
    merged = deep_merge(base, update)
    assert list(merged) == [*base, *(key for key in update if key not in base)]
    assert json.dumps([base, update]) == before
    for key in set(base) - set(update):
        assert merged[key] == base[key]
    for key, value in update.items():
        if not isinstance(value, dict | list) or key not in base:
            assert merged[key] == value


@given(DOCUMENTS)
def test_merging_with_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert deep_merge(base, {}) == base
    assert deep_merge({}, base) == base


POLICIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["CHANGE", "PERCENTAGE_CHANGE", "CARDINALITY", "change"]),
        "adjust": st.integers(-200, 200),
    },
    optional={"min_adjust_step": st.integers(1, 10)},
)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), POLICIES)
def test_a_policy_never_leaves_the_limits_further_behind(
    cardinality: int, low: int, high: int, policy: dict[str, Any]
) -> None:
    low, high = sorted((low, high))
    wanted = wanted_cardinality(Role({"cardinality": cardinality, "min_vms": low, "max_vms": high}), policy)
    if policy["adjust"] > 0:
        assert wanted <= max(cardinality, high)
    elif policy["adjust"] < 0:
        assert wanted >= low
    if policy["type"].upper() != "CARDINALITY" and low <= cardinality <= high:
        assert low <= wanted <= high or policy["adjust"] == 0
    if policy["type"].upper() == "CHANGE" and low <= cardinality + policy["adjust"] <= high:
        assert wanted == cardinality + policy["adjust"]


@given(st.integers(1, 50), st.integers(1, 100), st.integers(1, 10))
def test_a_percentage_moves_by_at_least_its_step(cardinality: int, percent: int, step: int) -> None:
    role = Role({"cardinality": cardinality, "max_vms": 1000})
    policy = {"type": "PERCENTAGE_CHANGE", "adjust": percent, "min_adjust_step": step}
    assert wanted_cardinality(role, policy) - cardinality == max(step, cardinality * percent // 100)


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "5,35", "10-20"]),
    st.sampled_from(["*", "3", "*/5", "8-18"]),
    st.sampled_from(["*", "1", "15-20", "31"]),
    st.sampled_from(["*", "2", "jan-jun", "12"]),
    st.sampled_from(["*", "0", "mon-fri", "7"]),
)


@given(FIELDS.filter(lambda fields: (fields[2], fields[3]) != ("31", "2")), st.integers(0, 2_000_000_000))
def test_the_next_time_is_later_and_meets_the_fields_and_nothing_before_it_does(
    fields: tuple[str, ...], after_s: int
) -> None:
    schedule = Recurrence.parse(" ".join(fields))
    due_s = schedule.next_after_s(after_s)
    moment = datetime.fromtimestamp(due_s, UTC)
    assert due_s > after_s
    assert due_s % 60 == 0
    assert (moment.minute in schedule.minutes, moment.hour in schedule.hours) == (True, True)
    assert moment.month in schedule.months
    assert schedule.next_after_s(due_s - 1) == due_s


@given(JSON)
def test_what_is_printed_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(pretty(value)) == value


@given(JSON)
def test_a_template_without_references_is_left_alone(value: Any) -> None:
    if "${" not in json.dumps(value):
        assert substitute(value, lambda _: None) == value


PLAIN = st.text(
    alphabet=st.characters(codec="ascii", exclude_characters='=",[]\\#\n\r\t ', categories=["L", "N", "P"]), min_size=1
)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True), PLAIN, min_size=1))
def test_simple_values_reach_the_zone_as_the_vm_sent_them(values: dict[str, str]) -> None:
    text = "\n".join(f"{key}={value}" for key, value in values.items())
    assert attributes.parse(attributes.quoted(text)) == values


@given(st.integers(0, 10**6), st.integers(0, 2**31), st.text(alphabet="0123456789abcdef", min_size=32, max_size=64))
def test_a_token_proves_its_own_vm_only(vm_id: int, start_time_s: int, password: str) -> None:
    issued = token.issue(vm_id, start_time_s, password)
    assert token.proves(issued, vm_id, start_time_s, password)
    assert not token.proves(issued, vm_id + 1, start_time_s, password)
    assert not token.proves(issued, vm_id, start_time_s + 1, password)


@given(st.text())
def test_no_text_is_a_token_by_accident(text: str) -> None:
    assert not token.proves(text, 1, 1, "0" * 32)


SHELL_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), SHELL_TEXT))
def test_every_context_value_survives_a_shell(values: dict[str, str]) -> None:
    words = shlex.split(render_context(values), comments=True)
    assert words == [f"{key}={value}" for key, value in values.items()]
