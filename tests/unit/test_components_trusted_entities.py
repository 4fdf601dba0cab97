"""Whose signature an app needs: what a zone may list, and how it gets from its stack file to the SuperNode's flag."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from components.errors import RefusalError, SeveralRefusalsError
from components.trusted_entities import TrustedEntity, check_trusted, encode_trusted
from flower_appliance.trusted import parse_trusted, render_trusted
from infra.central_settings import CentralSettings
from infra.zone_settings import ZoneSettings
from tests.components_support import LIVE, TEMPLATE, RecordingCloud, node_key
from tests.infra_support import centre, load_stack, run_central, run_zone

MADRID = "organization/flower-federation/madrid-central"


def key(number: int = 1) -> str:
    """An OpenSSH line; the same for the same number."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_a_comment_behind_a_key_is_left_out_and_the_order_is_kept() -> None:
    listed = [TrustedEntity(id="b", key=f"{key(1)} review board"), TrustedEntity(id="a", key=key(2))]
    assert check_trusted(listed) == (TrustedEntity(id="b", key=key(1)), TrustedEntity(id="a", key=key(2)))


@pytest.mark.parametrize(
    ("entities", "value", "remedy"),
    [
        ([], "an empty list", "leave trustedEntities out"),
        ([("", key())], "trustedEntities.id: ''", "under which the hub shows this key"),
        ([("two words", key())], "'two words'", "under which the hub shows this key"),
        ([("valid_license", key())], "'valid_license'", "under which the hub shows this key"),
        ([("board", key()), ("board", key(2))], "'board'", "remove one of them"),
        ([("board", node_key())], "ecdsa-sha2-nistp384", "ssh-keygen -t ed25519"),
        ([("board", "ssh-ed25519 AAAA")], "ssh-ed25519 AAAA", "ssh-keygen -t ed25519"),
        ([("board", "ssh-ed25519 é")], "é", "ssh-keygen -t ed25519"),
    ],
)
def test_a_list_that_would_let_in_the_wrong_apps_or_none_is_refused(
    entities: list[tuple[str, str]], value: str, remedy: str
) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_trusted([TrustedEntity(id=name, key=line) for name, line in entities])
    assert value in refusal.value.value
    assert remedy in refusal.value.remedy


def test_the_appliance_reads_what_the_stack_wrote_and_the_file_is_the_same_mapping() -> None:
    variable = encode_trusted([TrustedEntity(id="board:2026", key=key()), TrustedEntity(id="@lab/review", key=key(2))])
    found = parse_trusted(base64.b64decode(variable))
    assert found == {"@lab/review": key(2), "board:2026": key()}
    assert json.loads(render_trusted(found)) == found


@pytest.mark.parametrize("raw", ["{}", "[]", "null", '{"a": 1}', '{"": "x"}', '{"a": "ssh-ed25519 AAAA"}', "no JSON"])
def test_the_appliance_takes_nothing_that_flower_would_take_for_no_demand_at_all(raw: str) -> None:
    with pytest.raises(ValueError):
        parse_trusted(raw.encode())


def test_a_zones_demand_reaches_the_vms_to_come_and_those_that_run(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path, trustedEntities=[{"id": "board", "key": key()}])

    for context in (cloud.one(TEMPLATE).inputs["context"], cloud.one(LIVE).inputs["variables"]):
        assert json.loads(base64.b64decode(context["FL_TRUSTED_ENTITIES"])) == {"board": key()}


def test_a_zone_that_demands_nothing_says_nothing(tmp_path: Path) -> None:
    cloud = RecordingCloud(stacks={MADRID: centre()})
    run_zone(cloud, tmp_path)
    assert "FL_TRUSTED_ENTITIES" not in cloud.one(TEMPLATE).inputs["context"]
    settings = load_stack("berlin-hospital", tmp_path)
    assert isinstance(settings, ZoneSettings) and settings.trusted is None


def test_an_empty_demand_in_a_stack_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeveralRefusalsError, match="an empty list"):
        load_stack("berlin-hospital", tmp_path, trustedEntities=[])


def test_the_centre_tells_its_superlink_where_the_hub_is(tmp_path: Path) -> None:
    superlink = {"address": "127.10.1.10", "appHub": "https://hub.example:8443/v1/"}
    cloud = RecordingCloud()
    run_central(cloud, tmp_path, superlink=superlink)
    assert cloud.one(TEMPLATE).inputs["context"]["FL_APP_HUB"] == "https://hub.example:8443/v1"
    settings = load_stack("madrid-central", tmp_path)
    assert isinstance(settings, CentralSettings) and settings.superlink.app_hub is None


@pytest.mark.parametrize("url", ["hub.example/v1", "ftp://hub.example", "https://hub.example/v1?key=1", "https://a b"])
def test_a_hub_that_is_no_plain_url_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SeveralRefusalsError) as refusal:
        load_stack("madrid-central", tmp_path, superlink={"address": "127.10.1.10", "appHub": url})
    assert url in str(refusal.value)
    assert "superlink.appHub" in str(refusal.value)
