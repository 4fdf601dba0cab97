"""Whatever is done to an audit is found, for any audit and any place in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flower_appliance.audit_chain import Head, check_chain, extend, line_hash, render

TEXTS = st.text(max_size=12)
CONTENTS = st.lists(
    st.fixed_dictionaries({"action": TEXTS, "status": st.integers(0, 999), "actor": st.none() | TEXTS}),
    min_size=1,
    max_size=8,
)


def chain_of(contents: list[dict[str, Any]]) -> tuple[list[str], list[Head]]:
    lines: list[str] = []
    heads: list[Head] = []
    head: Head | None = None
    for content in contents:
        line, head = extend(head, content)
        lines.append(line)
        heads.append(head)
    return lines, heads


@given(CONTENTS)
def test_an_untouched_audit_is_intact_and_contains_every_head_that_it_ever_had(contents: list[dict[str, Any]]) -> None:
    lines, heads = chain_of(contents)
    for published in (None, *heads):
        verdict = check_chain(lines, published=published)
        assert verdict.intact
        assert (verdict.lines, verdict.head) == (len(lines), heads[-1])


@given(CONTENTS, st.data())
def test_one_changed_character_anywhere_is_found_in_its_line(contents: list[dict[str, Any]], data: Any) -> None:
    lines, _ = chain_of(contents)
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != lines[number][place]))
    changed = lines[number][:place] + other + lines[number][place + 1 :]

    verdict = check_chain([*lines[:number], changed, *lines[number + 1 :]])

    assert number + 1 in {fault.line for fault in verdict.faults}


@given(CONTENTS, st.data())
def test_a_changed_line_with_a_new_hash_of_its_own_is_found_by_the_line_after_it_or_by_a_published_head(
    contents: list[dict[str, Any]], data: Any
) -> None:
    lines, heads = chain_of(contents)
    number = data.draw(st.integers(0, len(lines) - 1))
    content = {**json.loads(lines[number]), "action": "something else entirely"}
    forged = render({**content, "hash": line_hash(content)})

    changed = [*lines[:number], forged, *lines[number + 1 :]]

    assert not check_chain(changed, published=heads[-1]).intact
    assert check_chain(changed).intact is (number == len(lines) - 1)


@given(CONTENTS, st.data())
def test_a_removed_line_is_found_and_at_the_end_by_a_published_head(contents: list[dict[str, Any]], data: Any) -> None:
    lines, heads = chain_of(contents)
    number = data.draw(st.integers(0, len(lines) - 1))
    rest = [*lines[:number], *lines[number + 1 :]]

    assert not check_chain(rest, published=heads[-1]).intact
    assert check_chain(rest).intact is (number == len(lines) - 1)


@given(CONTENTS, st.data())
def test_any_other_order_is_found(contents: list[dict[str, Any]], data: Any) -> None:
    lines, _ = chain_of(contents)
    other = data.draw(st.permutations(lines))
    assert check_chain(other).intact is (other == lines)


@given(CONTENTS, CONTENTS, st.data())
def test_an_audit_that_was_rewritten_from_some_line_on_is_found_by_a_head_published_after_it(
    contents: list[dict[str, Any]], others: list[dict[str, Any]], data: Any
) -> None:
    lines, heads = chain_of(contents)
    kept = data.draw(st.integers(0, len(lines) - 1))
    rewritten, head = lines[:kept], heads[kept - 1] if kept else None
    for content in (*others, *contents):
        line, head = extend(head, {**content, "rewritten": True})
        rewritten.append(line)

    assert check_chain(rewritten).intact
    assert not check_chain(rewritten, published=heads[-1]).intact
    if kept:
        assert check_chain(rewritten, published=heads[kept - 1]).intact


@given(CONTENTS)
def test_a_head_survives_being_written_and_read(contents: list[dict[str, Any]]) -> None:
    _, heads = chain_of(contents)
    for head in heads:
        assert Head.parse(str(head)) == head
        assert Head.parse(str(replace(head, seq=head.seq + 1))) != head
