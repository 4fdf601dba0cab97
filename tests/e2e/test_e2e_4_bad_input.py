"""Bad input through the real engine: refused at preview with value, rule, reason and remedy, and nothing is changed.

Each case is an operator's edit of berlin's stack file, previewed beside a federation that is up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, Ended, Project

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

Settings = dict[str, Any]
NEW_STACK = "berlin-second"
"""A stack without any resource, for what an operator gets wrong before the first `up`."""


@pytest.fixture(scope="module")
def everything(federation: Project) -> Callable[[], dict[str, Any]]:
    """Looks at all that must not change: every zone's objects and every stack's state."""
    federation.add_stack(NEW_STACK, like=BERLIN)

    def look() -> dict[str, Any]:
        zones: dict[str, Any] = {name: ZoneView(zone).content() for name, zone in federation.zones.items()}
        folder = federation.layout.backend / ".pulumi" / "stacks"
        return {**zones, **{str(path): path.read_bytes() for path in sorted(folder.rglob("*.json"))}}

    return look


def preview(federation: Project, stack: str, changes: Mapping[str, Any], **extra: str) -> Ended:
    """Preview a stack whose file is changed; None removes a key."""
    document = yaml.safe_load(federation.stack_file(stack).read_text())
    for name, value in changes.items():
        section = document["config"]
        *parents, key = f"flower-federation:{name}".split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = value
        if value is None:
            del section[key]
    file = federation.folder / f"edited.{stack}.yaml"
    file.write_text(yaml.safe_dump(document))
    argv = (federation.layout.bin / "pulumi", "preview", "--non-interactive", "--color", "never")
    return federation.command(*argv, "-s", stack, "--config-file", file, stack=stack, **extra)


def assert_refused(ended: Ended, *, value: str, rule: str, remedy: str) -> None:
    """The preview failed with one message of four parts."""
    assert ended.returncode != 0, ended.text
    text = re.sub(r"\s+", " ", ended.text)
    assert value in text, ended.text
    assert rule in text, ended.text
    assert remedy in text, ended.text
    assert "Traceback" not in ended.text


CASES: dict[str, tuple[Settings, str, str, str]] = {
    "an unknown stack kind": (
        {"kind": "hospital"},
        "kind: 'hospital'",
        "rule: kind is one of central, zone",
        f"remedy: correct flower-federation:kind in stacks/Pulumi.{NEW_STACK}.yaml",
    ),
    "missing zone credentials": (
        {"oneAuthFile": None},
        "zone credentials: none found",
        "rule: each stack has a user of its own zone",
        f"or oneAuthFile, in stacks/Pulumi.{NEW_STACK}.yaml",
    ),
    "a CIDR that does not hold the pool": (
        {"network.size": 250},
        "with 250 addresses from",
        "rule: the CIDR holds the pool",
        "let network.first and network.size end at",
    ),
    "a pool of nobody": (
        {"supernodes": 0},
        "supernodes: 0",
        "rule: a pool has 1 to 20 SuperNodes",
        "remedy: change supernodes in the stack file",
    ),
    "a pool above the network's addresses": (
        {"supernodes": 21},
        "supernodes: 21",
        "rule: a pool has 1 to 20 SuperNodes",
        "remedy: change supernodes in the stack file, or network.size and network.cidr",
    ),
    "a Flower version that is not supported": (
        {"flowerVersion": "1.40.0"},
        "flowerVersion: 1.40.0",
        "rule: the Flower version is one of 1.41.0",
        "remedy: set flowerVersion to 1.41.0",
    ),
    "a CA that does not match its fingerprint": (
        {"central.caFingerprint": "ab" * 32},
        f"central.caFingerprint: {'ab' * 32}",
        "rule: the centre's CA has the pinned fingerprint, but stack organization/flower-federation/madrid-central",
        "remedy: ask the centre's operator by telephone",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_program_refuses_it_at_preview_and_nothing_changes(
    federation: Project, everything: Callable[[], dict[str, Any]], case: str
) -> None:
    changes, value, rule, remedy = CASES[case]
    before = everything()

    ended = preview(federation, NEW_STACK, changes)

    assert_refused(ended, value=value, rule=rule, remedy=remedy)
    assert "reason: " in ended.text
    assert everything() == before


def test_an_endpoint_that_does_not_answer_is_refused_at_preview_and_nothing_changes(
    federation: Project, everything: Callable[[], dict[str, Any]]
) -> None:
    address = str(federation.zones["berlin"].address)
    silent = f"https://{address.removesuffix('1')}9:2633/RPC2"
    before = everything()

    ended = preview(federation, NEW_STACK, {"endpoint": silent})

    assert_refused(
        ended, value=f"endpoint {silent}", rule="it must answer", remedy="Check the URL, the network and that the zone"
    )
    assert everything() == before


def test_a_wrong_password_is_refused_at_preview_is_not_shown_and_nothing_changes(
    federation: Project, everything: Callable[[], dict[str, Any]]
) -> None:
    wrong = federation.folder / "wrong_auth"
    wrong.touch(mode=0o600)
    wrong.write_text("oneadmin:certainly-not-the-password\n")
    before = everything()

    ended = preview(federation, NEW_STACK, {"oneAuthFile": str(wrong)})

    assert_refused(
        ended,
        value=f"user 'oneadmin' at https://{federation.zones['berlin'].address}:2633/RPC2",
        rule="user and password must be those of a user of the zone",
        remedy=f"Correct the file that oneAuthFile in stacks/Pulumi.{NEW_STACK}.yaml names",
    )
    assert "certainly-not" not in ended.text
    assert everything() == before


def test_a_stack_that_is_up_is_refused_as_well_and_all_its_mistakes_at_once(
    federation: Project, everything: Callable[[], dict[str, Any]]
) -> None:
    before = everything()

    ended = preview(federation, BERLIN, {"supernodes": 0, "flowerVersion": "1.40.0", "partitionBase": -1})

    assert_refused(ended, value="3 values are refused, nothing was changed", rule="supernodes: 0", remedy="remedy: ")
    assert "flowerVersion: 1.40.0" in ended.text
    assert "partitionBase: -1" in ended.text
    assert everything() == before
