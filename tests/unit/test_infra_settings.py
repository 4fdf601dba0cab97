"""Settings of a stack: what is read, and how every mistake is refused, all together."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from components.errors import RefusalError, SeveralRefusalsError
from infra.central_settings import CentralSettings
from infra.settings import RawConfig, load, surroundings
from infra.zone_settings import ZoneSettings
from tests.components_support import authority
from tests.infra_support import as_texts, load_stack, machine, stack_values


def refusals(stack: str, folder: Path, **changes: Any) -> tuple[RefusalError, ...]:
    with pytest.raises(SeveralRefusalsError) as several:
        load_stack(stack, folder, **changes)
    return several.value.refusals


def test_the_central_stack_is_read_as_its_file_says(tmp_path: Path) -> None:
    settings = load_stack("madrid-central", tmp_path)

    assert isinstance(settings, CentralSettings)
    assert settings.superlink.address == IPv4Address("127.10.1.10")
    assert [(zone.name, zone.stack) for zone in settings.zones] == [
        ("berlin", "organization/flower-federation/berlin-hospital"),
        ("paris", "organization/flower-federation/paris-lab"),
    ]
    assert settings.cloud.credentials.username == "oneadmin"
    assert settings.site.image.path == tmp_path / ".federation" / "images" / "flower-appliance.json"


@pytest.mark.parametrize(("stack", "nodes", "base"), [("berlin-hospital", 2, 0), ("paris-lab", 1, 1000)])
def test_a_zones_stack_is_read_as_its_file_says(tmp_path: Path, stack: str, nodes: int, base: int) -> None:
    settings = load_stack(stack, tmp_path)

    assert isinstance(settings, ZoneSettings)
    assert (settings.supernodes, settings.partition_base) == (nodes, base)
    assert settings.central.stack == "organization/flower-federation/madrid-central"


def test_the_password_is_in_no_representation_of_the_settings(tmp_path: Path) -> None:
    assert "password of" not in repr(load_stack("madrid-central", tmp_path))


@pytest.mark.parametrize(
    ("stack", "changes", "value", "remedy"),
    [
        ("madrid-central", {"kind": "galaxy"}, "kind: 'galaxy'", "correct flower-federation:kind"),
        ("madrid-central", {"kind": None}, "kind: not set", "set flower-federation:kind"),
        ("madrid-central", {"endpoint": "one.example:2633"}, "one.example:2633", "correct flower-federation:endpoint"),
        ("madrid-central", {"flowerVersion": "1.30.0"}, "flowerVersion: 1.30.0", "set flowerVersion to 1.41.0"),
        ("madrid-central", {"superlink": {"address": "10.9.9.9"}}, "superlink.address: 10.9.9.9", "superlink.address"),
        ("madrid-central", {"superlink": {}}, "superlink.address: not set", "set flower-federation:superlink.address"),
        ("madrid-central", {"adminNetworks": []}, "adminNetworks: []", "correct flower-federation:adminNetworks"),
        ("madrid-central", {"adminNetworks": ["10.0.0.1/8"]}, "10.0.0.1/8", "adminNetworks"),
        ("madrid-central", {"zones": [{"name": "a", "stack": "s"}]}, "zones[0].maxNodes: not set", "zones[0].maxNodes"),
        ("madrid-central", {"zones": "berlin"}, "zones: 'berlin'", "correct flower-federation:zones"),
        ("madrid-central", {"logLevel": "LOUD"}, "logLevel: 'LOUD'", "logLevel"),
        ("madrid-central", {"image": {}}, "path, name or id: []", "image"),
        ("madrid-central", {"oneAuthFile": "nowhere"}, "nowhere", "start the embedded zone"),
        ("madrid-central", {"oneAuthFile": None}, "zone credentials: none found", "OPENNEBULA_USERNAME"),
        ("madrid-central", {"password": "letmein", "username": "u"}, "password: in plain text", "--secret"),
        ("berlin-hospital", {"supernodes": 0}, "supernodes: 0", "change supernodes"),
        ("berlin-hospital", {"supernodes": 21}, "supernodes: 21", "network.size"),
        ("berlin-hospital", {"supernodes": 1.5}, "supernodes: '1.5'", "correct flower-federation:supernodes"),
        ("berlin-hospital", {"partitionBase": 7}, "partitionBase: 7", "multiple of 1000"),
        ("berlin-hospital", {"partitions": 0}, "partitions: 0", "correct flower-federation:partitions"),
        ("berlin-hospital", {"central": {}}, "central.stack: not set", "set flower-federation:central.stack"),
        ("berlin-hospital", {"central": {"stack": "a/b"}}, "stack: 'a/b'", "write the short name"),
        ("berlin-hospital", {"central": {"stack": "c", "caFingerprint": "12"}}, "central.caFingerprint: 12", "openssl"),
        ("berlin-hospital", {"data": {"path": "rel"}}, "data.path: 'rel'", "change data.path in the stack file"),
        ("berlin-hospital", {"supernode": {"gpu": {"profile": "abacus"}}}, "abacus", "components/gpu.py"),
        ("berlin-hospital", {"supernode": {"memoryMb": 8}}, "supernode.memoryMb: 8", "raise supernode.memoryMb"),
        ("berlin-hospital", {"supernodez": "3"}, "supernodez: unknown key", "rename it to supernode"),
        ("berlin-hospital", {"data": {"pth": "/d"}}, "data.pth: unknown key", "rename it to data.path"),
        ("berlin-hospital", {"caFile": "no.crt"}, "caFile: 'no.crt'", "correct flower-federation:caFile"),
        (
            "berlin-hospital",
            {"network": {"cidr": "127.20.1.0/28", "first": "127.20.1.10", "size": 20}},
            "network.cidr: 127.20.1.0/28 with 20 addresses",
            "network.cidr",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_value_and_the_place_to_correct_it(
    tmp_path: Path, stack: str, changes: dict[str, Any], value: str, remedy: str
) -> None:
    found = refusals(stack, tmp_path, **changes)

    matching = [refusal for refusal in found if value in refusal.value]
    assert matching, [refusal.value for refusal in found]
    assert any(remedy in refusal.remedy for refusal in matching), matching[0].remedy


def test_all_mistakes_of_a_stack_are_shown_together(tmp_path: Path) -> None:
    found = refusals(
        "berlin-hospital", tmp_path, supernodes=0, flowerVersion="9", endpoint="x", partitionBase=1, typo="y"
    )

    assert len(found) == 5
    assert all(refusal.rule and refusal.reason and refusal.remedy for refusal in found)


def test_a_refused_network_is_not_reported_a_second_time_as_a_pool_that_does_not_fit(tmp_path: Path) -> None:
    network = {"cidr": "nonsense", "first": "127.20.1.10", "size": 20}

    (only,) = refusals("berlin-hospital", tmp_path, network=network)
    assert "nonsense" in only.value


def test_no_password_is_ever_quoted(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("no colon but secretword")
    for changes in ({"oneAuthFile": "bad"}, {"username": "u", "password": "secretword"}):
        found = refusals("madrid-central", tmp_path, **changes)
        assert all("secretword" not in str(refusal) for refusal in found)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("data", '"https://files.example/rows?sig=secretword"', "data: a secret"),
        ("data", '{"url": 5, "demo": "secretword"}', "data.demo: a secret"),
        ("packages", '{"requirements": ["secretword"]}', "packages.requirements: a secret"),
        ("trustedEntities", '["secretword"]', "trustedEntities: a secret"),
        ("supernodes", "secretword", "supernodes: a secret"),
    ],
)
def test_what_the_configuration_encrypts_is_quoted_by_no_refusal(
    tmp_path: Path, key: str, value: str, named: str
) -> None:
    values = {**as_texts(stack_values("berlin-hospital")), key: value}
    raw = RawConfig(stack="berlin-hospital", values=values, secret_keys=frozenset({key}))
    with pytest.raises(SeveralRefusalsError) as several:
        load(raw, machine(tmp_path, zones=("berlin",)))

    assert any(refusal.value.startswith(named) for refusal in several.value.refusals), str(several.value)
    assert "secretword" not in str(several.value)
    assert "secretword" not in repr(raw)


def test_zones_that_are_listed_twice_are_refused(tmp_path: Path) -> None:
    twice = [{"name": "berlin", "stack": stack, "maxNodes": 1} for stack in ("one", "two")]

    (only,) = refusals("madrid-central", tmp_path, zones=twice)
    assert "berlin" in only.value


def test_guests_verify_onegate_with_the_zones_ca_unless_it_has_one_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other.crt").write_text(authority(1).pem)

    assert load_stack("madrid-central", tmp_path).cloud.onegate_ca == authority().pem
    assert load_stack("madrid-central", tmp_path, onegateCaFile="other.crt").cloud.onegate_ca == authority(1).pem
    assert load_stack("madrid-central", tmp_path, caFile=None).cloud.onegate_ca is None


@pytest.mark.parametrize(
    ("environment", "username", "source"),
    [
        (
            {"OPENNEBULA_USERNAME": "ann", "OPENNEBULA_PASSWORD": "pw"},
            "ann",
            "OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD in the environment",
        ),
        ({"ONE_AUTH": "auth"}, "bob", "the file that the environment's ONE_AUTH names"),
    ],
)
def test_credentials_may_come_from_the_environment_and_say_so(
    tmp_path: Path, environment: dict[str, str], username: str, source: str
) -> None:
    (tmp_path / "auth").write_text("bob:pw:with:colons\n")
    values = {key: value for key, value in stack_values("madrid-central").items() if key != "oneAuthFile"}
    raw = RawConfig(stack="madrid-central", values=as_texts(values), secret_keys=frozenset())

    settings = load(raw, machine(tmp_path, environment, zones=("madrid",)))

    assert settings.cloud.credentials.username == username
    assert settings.cloud.credentials.password.startswith("pw")
    assert settings.cloud.credentials.source == source


def test_encrypted_credentials_of_the_configuration_win(tmp_path: Path) -> None:
    values = as_texts({**stack_values("madrid-central"), "username": "eve", "password": "pw"})
    raw = RawConfig(stack="madrid-central", values=values, secret_keys=frozenset({"password"}))

    here = machine(tmp_path, {"OPENNEBULA_USERNAME": "ann"}, zones=("madrid",))
    found = load(raw, here).cloud.credentials
    assert (found.username, found.source) == (
        "eve",
        "username and (with --secret) password in stacks/Pulumi.madrid-central.yaml",
    )


def test_credentials_of_a_file_name_the_setting_that_names_it(tmp_path: Path) -> None:
    found = load_stack("madrid-central", tmp_path).cloud.credentials
    assert found.source == "the file that oneAuthFile in stacks/Pulumi.madrid-central.yaml names"


def test_a_second_checkout_can_work_on_the_zones_of_the_first(tmp_path: Path) -> None:
    here = surroundings(tmp_path / "second", {"FEDERATION_ROOT": str(tmp_path / "first")})

    assert here.path(".federation/x") == tmp_path / "first" / ".federation" / "x"
    assert surroundings(tmp_path / "second", {}).path("x") == tmp_path / "second" / "x"
