"""Laws of the tls plugin's pure parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulumi_resource_tls.changes import changes
from pulumi_resource_tls.names import SUBJECT_FIELDS, alternative_names
from pulumi_resource_tls.properties import Property, Type, check_shape, with_defaults
from pulumi_resource_tls.provider import KINDS
from pulumi_resource_tls.renewal import instant, instant_text, is_due
from pulumi_resource_tls.usages import EXTENDED_KEY_USAGES, KEY_USAGES, check_uses, extended_key_usage, key_usage
from pulumi_resource_tls.values import UNKNOWN, Plain, any_unknown, plain, wrap
from tests.tls_support import NOON

scalars: st.SearchStrategy[Plain] = (
    st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53) | st.just(UNKNOWN)
)
values: st.SearchStrategy[Plain] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
instants = st.datetimes(datetime(1970, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC))
uses = st.lists(st.sampled_from([*KEY_USAGES, *EXTENDED_KEY_USAGES]))

OF_TYPE: dict[Type, st.SearchStrategy[Plain]] = {
    Type.TEXT: st.text(),
    Type.WHOLE: st.integers(0, 1000),
    Type.FLAG: st.booleans(),
    Type.TEXTS: st.lists(st.text(), max_size=3),
    Type.SUBJECT: st.dictionaries(st.sampled_from(sorted(SUBJECT_FIELDS)), st.text(), max_size=3),
}


def inputs_of(properties: tuple[Property, ...]) -> st.SearchStrategy[dict[str, Plain]]:
    served = [prop for prop in properties if not prop.refused]
    return st.fixed_dictionaries(
        {prop.name: OF_TYPE[prop.type] for prop in served if prop.required},
        optional={prop.name: OF_TYPE[prop.type] for prop in served if not prop.required},
    )


kinds_with_two_inputs = st.sampled_from(sorted(KINDS)).flatmap(
    lambda token: st.tuples(
        st.just(KINDS[token]), inputs_of(KINDS[token].properties), inputs_of(KINDS[token].properties)
    )
)


@given(values)
def test_a_value_survives_the_way_to_the_engine_and_back(value: Plain) -> None:
    assert plain("x", wrap(value)) == value
    assert plain("x", wrap(value, secret=True)) == value


@given(values)
def test_a_value_survives_marshalling_by_the_sdk(value: Plain) -> None:
    wrapped = wrap(value, secret=True)
    back = type(wrapped).unmarshal(wrapped.marshal())
    assert back.is_secret
    assert plain("x", back) == value


@given(st.lists(values))
def test_an_unknown_is_found_at_any_depth(items: list[Plain]) -> None:
    assert any_unknown([*items, {"a": [UNKNOWN]}])


@given(kinds_with_two_inputs)
def test_inputs_of_the_right_shape_pass_and_differ_from_themselves_in_nothing(case: tuple) -> None:
    kind, inputs, _ = case
    assert check_shape(kind.properties, inputs) == []
    state = with_defaults(kind.properties, inputs)
    assert changes(kind, state=state, inputs=inputs, now=NOON) == []


@given(kinds_with_two_inputs)
def test_a_difference_is_seen_from_both_sides_and_only_where_there_is_one(case: tuple) -> None:
    kind, one, other = case
    keeps = {prop.name for prop in kind.properties if prop.keeps}
    forth = {c.name for c in changes(kind, state=one, inputs=other, now=NOON)} - keeps
    back = {c.name for c in changes(kind, state=other, inputs=one, now=NOON)} - keeps
    assert forth == back
    assert all(one.get(name) != other.get(name) for name in forth)


@given(kinds_with_two_inputs, st.sampled_from([prop.name for kind in KINDS.values() for prop in kind.properties]))
def test_an_unknown_input_is_always_a_change_and_never_a_refusal(case: tuple, name: str) -> None:
    kind, inputs, _ = case
    if name not in {prop.name for prop in kind.properties if not prop.refused}:
        name = kind.properties[0].name
    unknown = {**inputs, name: UNKNOWN}
    assert check_shape(kind.properties, unknown) == []
    assert name in {change.name for change in changes(kind, state=inputs, inputs=unknown, now=NOON)}


@given(instants)
def test_an_instant_survives_its_text_to_the_second(moment: datetime) -> None:
    assert instant("x", instant_text(moment)) == moment.replace(microsecond=0)


@given(instants, st.integers(0, 10_000), st.timedeltas(timedelta(days=-900), timedelta(days=900)))
def test_a_certificate_is_due_exactly_from_its_early_renewal_on(end: datetime, early: int, offset: timedelta) -> None:
    end = end.replace(microsecond=0)
    now = end - timedelta(hours=early) + offset
    due = is_due({"validityEndTime": instant_text(end)}, early_renewal_hours=early, now=now)
    assert due is (offset >= timedelta(0))


@given(uses)
def test_known_uses_become_the_bits_and_identifiers_asked_for(words: list[str]) -> None:
    if check_uses(words):
        assert {"encipher_only", "decipher_only"} & set(words)
        assert "key_agreement" not in words
        return
    usage, extended = key_usage(words), extended_key_usage(words)
    assert (usage is not None) is any(word in KEY_USAGES for word in words)
    asked = list(dict.fromkeys(EXTENDED_KEY_USAGES[word] for word in words if word in EXTENDED_KEY_USAGES))
    assert ([] if extended is None else list(extended)) == asked


@given(st.lists(st.ip_addresses().map(str), max_size=5), st.lists(st.from_regex(r"[a-z0-9.-]+", fullmatch=True)))
def test_every_name_and_address_ends_up_in_the_certificate_in_order(addresses: list[str], names: list[str]) -> None:
    found = alternative_names({"ipAddresses": [*addresses], "dnsNames": [*names]})
    assert [str(name.value) for name in found] == [*names, *addresses]
