"""ZoneLink: which facts of a centre it takes, and which it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.errors import RefusalError, StackReadError
from components.zone_link import CentralFacts, StackFacts, ZoneLink, ZoneLinkArgs, judge
from tests.components_support import RecordingCloud, authority, run_program

STACK = "organization/flower-federation/madrid-central"


def outputs(**changes: Any) -> dict[str, Any]:
    ca = authority()
    return {
        "superlink_fleet_endpoint": "10.65.0.10:9092",
        "ca_certificate": ca.pem,
        "ca_fingerprint": ca.fingerprint,
        "flower_version": "1.41.0",
        "federation": "demo",
        **changes,
    }


def link(stacks: dict[str, dict[str, Any]], **changes: Any) -> ZoneLink:
    args = replace(ZoneLinkArgs(source=StackFacts(stack=STACK), federation="demo", flower_version="1.41.0"), **changes)
    return run_program(RecordingCloud(stacks=stacks), lambda: ZoneLink("demo", args))


def test_the_facts_of_the_centres_stack_are_plain_values() -> None:
    found = link({STACK: outputs()})

    assert found.superlink_fleet_endpoint == "10.65.0.10:9092"
    assert found.ca_fingerprint == authority().fingerprint


def test_a_fingerprint_with_colons_and_capitals_is_the_same_fingerprint() -> None:
    plain = authority().fingerprint
    spelled = ":".join(plain[i : i + 2] for i in range(0, 64, 2)).upper()

    assert link({STACK: outputs()}, ca_fingerprint=spelled).ca_fingerprint == plain


@pytest.mark.parametrize(
    ("stacks", "value", "remedy"),
    [
        ({}, "does not exist", "run pulumi up on the centre's stack first"),
        ({STACK: {}}, "has no outputs", "run pulumi up on the centre's stack first"),
        ({STACK: {"zone": "berlin"}}, "without superlink_fleet_endpoint", "kind central"),
        ({STACK: outputs(federation="other")}, "federation: demo", "central.stack"),
        ({STACK: outputs(flower_version="1.40.0")}, "flowerVersion: 1.41.0", "set flowerVersion to 1.40.0"),
        ({STACK: outputs(superlink_fleet_endpoint="10.65.0.10:9093")}, "10.65.0.10:9093", "correct what the centre"),
        ({STACK: outputs(ca_fingerprint="00" * 32)}, authority().fingerprint, "ask the centre's operator"),
        ({STACK: outputs(ca_certificate=authority(1).pem)}, authority(1).fingerprint, "ask the centre's operator"),
        ({STACK: outputs(ca_fingerprint="abc")}, "abc", "openssl x509"),
    ],
)
def test_a_centre_whose_facts_do_not_hold_is_refused(
    stacks: dict[str, dict[str, Any]], value: str, remedy: str
) -> None:
    with pytest.raises(RefusalError) as refusal:
        link(stacks)

    assert value in refusal.value.value
    assert remedy in refusal.value.remedy


def test_a_ca_that_is_not_the_pinned_one_is_refused_even_if_its_own_fingerprint_fits() -> None:
    other = authority(1)

    with pytest.raises(RefusalError) as refusal:
        link(
            {STACK: outputs(ca_certificate=other.pem, ca_fingerprint=other.fingerprint)},
            ca_fingerprint=authority().fingerprint,
        )

    assert authority().fingerprint in refusal.value.value
    assert other.fingerprint in refusal.value.rule


def test_a_backend_that_fails_is_not_taken_for_a_missing_stack() -> None:
    cloud = RecordingCloud(backend_error="connection refused")
    args = ZoneLinkArgs(source=StackFacts(stack=STACK), federation="demo", flower_version="1.41.0")

    with pytest.raises(StackReadError, match="connection refused"):
        run_program(cloud, lambda: ZoneLink("demo", args))


def test_facts_from_another_source_pass_the_same_checks() -> None:
    facts = CentralFacts(**outputs())

    class Bundle:
        description = "a bundle"

        def read(self) -> CentralFacts:
            return facts

    args = ZoneLinkArgs(source=Bundle(), federation="demo", flower_version="1.41.0")
    assert judge(Bundle().read(), args) == facts
