"""Laws of FederationPKI's pure rules."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from components.errors import RefusalError
from components.pki_rules import MAX_LEAF_VALIDITY, ServerIdentities, lifetimes, server_identities

labels = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
dns_names = st.lists(labels, min_size=1, max_size=4).map(".".join)
addresses = st.ip_addresses().map(str)
spans = st.integers(-5, 200 * 24).map(lambda hours: timedelta(hours=hours)) | st.timedeltas(
    timedelta(days=-1), timedelta(days=200)
)


def identities(names: list[str], numbers: list[str]) -> ServerIdentities | None:
    try:
        return server_identities(names, numbers)
    except RefusalError:
        return None


@given(st.lists(dns_names), st.lists(addresses))
def test_every_good_name_and_address_is_vouched_for_once_and_loopback_always(
    names: list[str], numbers: list[str]
) -> None:
    found = identities(names, numbers)
    if found is None:
        assert set(names) <= {"localhost"}
        assert set(numbers) <= {"127.0.0.1"}
        return
    assert set(found.dns_names) == {*names, "localhost"}
    assert {ip_address(each) for each in found.addresses} == {ip_address(each) for each in (*numbers, "127.0.0.1")}
    assert len(found.dns_names) == len(set(found.dns_names))
    assert len(found.addresses) == len(set(found.addresses))


@given(st.lists(dns_names, min_size=1), st.lists(addresses))
def test_what_the_rules_return_they_accept_unchanged(names: list[str], numbers: list[str]) -> None:
    found = identities(names, numbers)
    if found is not None:
        assert identities(list(found.dns_names), list(found.addresses)) == found


@given(st.text())
def test_no_text_makes_the_rules_fail_in_another_way_than_by_refusing(name: str) -> None:
    found = identities([name], ["192.0.2.1"])
    assert found is None or all(each.isascii() and each == each.lower() for each in found.dns_names)


@given(spans, spans, spans)
def test_accepted_lifetimes_never_let_a_leaf_outlive_its_ca_or_renew_at_once(
    ca: timedelta, leaf: timedelta, early: timedelta
) -> None:
    try:
        found = lifetimes(ca_validity=ca, leaf_validity=leaf, early_renewal=early)
    except RefusalError as refusal:
        assert refusal.value.startswith(("ca_validity", "leaf_validity", "early_renewal"))
        return
    assert timedelta(hours=found.leaf_hours) == leaf <= MAX_LEAF_VALIDITY
    assert timedelta(hours=found.ca_hours) == ca
    assert 0 < found.leaf_early_renewal_hours < found.leaf_hours
    # A leaf is only ever signed by a CA that is not due yet, so its rest is longer than the leaf's life.
    assert found.leaf_hours <= found.ca_early_renewal_hours < found.ca_hours


@given(st.integers(2, 90 * 24), st.integers(1, 1000), st.data())
def test_sensible_lifetimes_are_accepted(leaf: int, longer: int, data: st.DataObject) -> None:
    early = data.draw(st.integers(1, leaf - 1))
    found = lifetimes(
        ca_validity=timedelta(hours=leaf + longer),
        leaf_validity=timedelta(hours=leaf),
        early_renewal=timedelta(hours=early),
    )
    assert (found.leaf_hours, found.leaf_early_renewal_hours) == (leaf, early)
