"""The page that says which refusals of zonebox nobody ever heard from a real OpenNebula."""

from __future__ import annotations

from tests.zonebox_refusals import PAGE, Refusal, observed, page, refusals


def test_the_page_is_what_the_source_and_the_recordings_make() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.zonebox_refusals"


def test_a_text_counts_as_observed_only_where_all_its_fixed_parts_were_recorded() -> None:
    texts = {"oned": ["[one.vm.action] Error performing action: not available for state RUNNING"]}
    assert observed(Refusal("oned", "ActionRefused", "not available for state ..."), texts)
    assert not observed(Refusal("oned", "ActionRefused", "not available for state ... of ..."), texts)


def test_no_refusal_is_without_words_of_its_own() -> None:
    assert len(refusals()) > 150
    assert all(any(part.isalpha() for part in refusal.text.split()) for refusal in refusals())
