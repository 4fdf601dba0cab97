"""Files between organisations: however one is changed on its way, it is refused in four parts, or says the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import join_bundle, zone_answer
from components.errors import RefusalError
from tests.join_support import answer_text, bundle_text


@cache
def sent(kind: str) -> str:
    return bundle_text() if kind == "bundle" else answer_text()


def read(kind: str, text: str) -> Any:
    """What a file says, or None where it is refused, with nothing missing from the refusal."""
    try:
        if kind == "bundle":
            return join_bundle.read(text).facts
        answer = zone_answer.read(text)
        return answer, zone_answer_roll(answer)
    except RefusalError as refusal:
        assert all((refusal.value, refusal.rule, refusal.reason, refusal.remedy))
        return None


def zone_answer_roll(answer: zone_answer.ZoneAnswer) -> Any:
    return zone_answer.judge(
        answer,
        zone=answer.zone,
        federation=answer.federation,
        flower_version=answer.flower_version,
        max_nodes=5,
        ca_fingerprint=None,
        what="answer",
    )


KINDS = pytest.mark.parametrize("kind", ["bundle", "answer"])


@KINDS
@given(data=st.data())
def test_a_changed_character_is_refused_or_means_the_same(kind: str, data: st.DataObject) -> None:
    text = sent(kind)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8"))
    assert read(kind, text[:at] + other + text[at + 1 :]) in (None, read(kind, text))


@KINDS
@given(data=st.data())
def test_a_part_that_is_missing_or_doubled_is_refused_or_means_the_same(kind: str, data: st.DataObject) -> None:
    text = sent(kind)
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    for changed in (text[:first] + text[second:], text[:second] + text[first:]):
        assert read(kind, changed) in (None, read(kind, text))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places of everything that is no object and no list."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, inner in pairs for place in leaves(inner, (*path, key))]
    return found or [path]


def replaced(document: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy with one leaf changed."""
    if not path:
        return change(document)
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = replaced(document[path[0]], path[1:], change)
    return copy


ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2))


@KINDS
@given(data=st.data(), value=ODD)
def test_no_value_of_any_kind_takes_the_place_of_another(kind: str, data: st.DataObject, value: Any) -> None:
    document = json.loads(sent(kind))
    path = data.draw(st.sampled_from(leaves(document)))
    changed = json.dumps(replaced(document, path, lambda _: value))
    assert read(kind, changed) in (None, read(kind, sent(kind)))


@given(st.text())
def test_no_text_makes_reading_fail_in_another_way_than_by_refusing(text: str) -> None:
    assert read("bundle", text) is read("answer", text) is None
