"""Two CAs instead of one: fingerprints as people give them, pins, and the stages of a rollover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.authorities import CaPlan, check_fingerprints, check_plan, covers
from components.errors import RefusalError

HEX = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)


@given(HEX, HEX)
def test_fingerprints_are_taken_with_colons_in_capitals_and_in_groups(first: str, second: str) -> None:
    colons = ":".join(first[at : at + 2] for at in range(0, 64, 2)).upper()
    groups = " ".join(second[at : at + 4] for at in range(0, 64, 4))
    assert check_fingerprints(colons, where="pin") == first
    assert check_fingerprints(groups, where="pin") == second
    assert check_fingerprints(f"{colons} {groups}", where="pin") == f"{first} {second}"


@pytest.mark.parametrize("text", ["", " ", "ab", "z" * 64, "a" * 63, "a" * 192])
def test_what_is_no_fingerprint_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_fingerprints(text, where="central.caFingerprint")
    assert refusal.value.value.startswith("central.caFingerprint: ")
    assert "64 hexadecimal digits" in refusal.value.rule


def test_a_pin_covers_what_is_presented_and_may_name_more_but_not_less() -> None:
    old, new = "a" * 64, "b" * 64
    assert covers(f"{old} {new}", old)
    assert covers(f"{new} {old}", f"{old} {new}")
    assert not covers(old, f"{old} {new}")
    assert not covers(old, new)


def test_a_rollover_never_distrusts_the_signer_nor_what_it_signed_before() -> None:
    plan = CaPlan()
    for _ in range(7):
        following = plan.next()
        assert plan.signer in plan.trusted
        assert plan.signer in following.trusted, "certificates that are served now are good in the next stage"
        assert following.signer in plan.trusted or following.signer == plan.signer, "nobody signs who is not known yet"
        plan = following
    assert plan.generation == 3


def test_the_stages_are_trust_both_switch_and_the_new_one_alone() -> None:
    first = CaPlan().next()
    assert (first.trusted, first.signer) == ((1, 2), 1)
    second = first.next()
    assert (second.trusted, second.signer) == ((1, 2), 2)
    assert second.next() == CaPlan(generation=2)


@pytest.mark.parametrize(("generation", "stage"), [(0, "steady"), (1, "retire"), (1, "")])
def test_a_stage_that_does_not_exist_is_refused(generation: int, stage: str) -> None:
    with pytest.raises(RefusalError, match="trust-both"):
        check_plan(generation, stage, where="caRollover")
