"""What the tls plugin does to a resource that exists: differences, renewal, update, refresh, import."""

from __future__ import annotations

import pytest
from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.provider import PropertyDiffKind

from pulumi_resource_tls.errors import BrokenStateError, NotServedError
from pulumi_resource_tls.values import UNKNOWN, Plain
from tests.tls_support import (
    CERT_REQUEST,
    LOCALLY_SIGNED,
    PRIVATE_KEY,
    SELF_SIGNED,
    Plugin,
    ca_inputs,
    key_pem,
    leaf_inputs,
    urn,
    wrapped,
)


async def test_nothing_changes_while_the_inputs_stay() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    response = await plugin.diff(LOCALLY_SIGNED, await plugin.made(LOCALLY_SIGNED, inputs), inputs)
    assert response.changes is False
    assert response.detailed_diff == {}


@pytest.mark.parametrize(
    ("change", "name", "kind"),
    [
        ({"validityPeriodHours": 99}, "validityPeriodHours", PropertyDiffKind.UPDATE_REPLACE),
        ({"allowedUses": ["server_auth"]}, "allowedUses", PropertyDiffKind.UPDATE_REPLACE),
        ({"isCaCertificate": True}, "isCaCertificate", PropertyDiffKind.UPDATE_REPLACE),
        ({"maxPathLength": 1}, "maxPathLength", PropertyDiffKind.ADD_REPLACE),
        ({"caCertPem": UNKNOWN}, "caCertPem", PropertyDiffKind.UPDATE_REPLACE),
        ({"earlyRenewalHours": 11}, "earlyRenewalHours", PropertyDiffKind.UPDATE),
        ({"earlyRenewalHours": None}, "earlyRenewalHours", PropertyDiffKind.UPDATE),
    ],
)
async def test_a_difference_names_its_property_and_says_whether_it_replaces(
    change: dict[str, Plain], name: str, kind: PropertyDiffKind
) -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    response = await plugin.diff(LOCALLY_SIGNED, state, {**inputs, **change})
    assert {key: diff.kind for key, diff in response.detailed_diff.items()} == {name: kind}
    assert response.replaces == ([name] if kind is not PropertyDiffKind.UPDATE else [])


async def test_a_removed_name_list_is_shown_as_a_deletion() -> None:
    plugin = Plugin()
    inputs: dict[str, Plain] = {"privateKeyPem": await key_pem(plugin), "dnsNames": ["a.example"]}
    state = await plugin.made(CERT_REQUEST, inputs)
    response = await plugin.diff(CERT_REQUEST, state, {**inputs, "dnsNames": []})
    assert response.detailed_diff["dnsNames"].kind is PropertyDiffKind.DELETE_REPLACE


async def test_a_path_length_that_is_left_out_later_stays_as_it_is() -> None:
    plugin = Plugin()
    inputs = ca_inputs(await key_pem(plugin))
    state = await plugin.made(SELF_SIGNED, {**inputs, "maxPathLength": 1})
    assert (await plugin.diff(SELF_SIGNED, state, inputs)).changes is False
    assert (await plugin.update(SELF_SIGNED, state, inputs))["maxPathLength"] == 1


async def test_a_new_algorithm_replaces_a_key() -> None:
    plugin = Plugin()
    state = await plugin.made(PRIVATE_KEY, {"algorithm": "ECDSA"})
    response = await plugin.diff(PRIVATE_KEY, state, {"algorithm": "ED25519"})
    assert response.replaces == ["algorithm"]


@pytest.mark.parametrize(("hours", "due"), [(89.9, False), (90, True), (5000, True)])
async def test_a_certificate_is_replaced_from_its_early_renewal_on(hours: float, due: bool) -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    plugin.clock.advance(hours=hours, seconds=-0.123456)
    response = await plugin.diff(LOCALLY_SIGNED, state, inputs)
    assert response.replaces == (["readyForRenewal"] if due else [])
    assert response.changes is due


async def test_longer_early_renewal_hours_can_make_a_certificate_due_at_once() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    plugin.clock.advance(hours=60)
    response = await plugin.diff(LOCALLY_SIGNED, state, {**inputs, "earlyRenewalHours": 50})
    assert response.replaces == ["readyForRenewal"]


async def test_an_update_keeps_the_certificate_and_records_the_new_hours() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    updated = await plugin.update(LOCALLY_SIGNED, state, {**inputs, "earlyRenewalHours": 20})
    assert updated == {**state, "earlyRenewalHours": 20}


async def test_a_refresh_tells_a_due_certificate_and_touches_nothing_else() -> None:
    plugin = Plugin()
    state = await plugin.made(LOCALLY_SIGNED, await leaf_inputs(plugin))
    assert await plugin.read(LOCALLY_SIGNED, state) == state
    plugin.clock.advance(hours=95)
    assert await plugin.read(LOCALLY_SIGNED, state) == {**state, "readyForRenewal": True}


async def test_a_state_of_the_official_plugin_shows_no_difference() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    official: dict[str, Plain] = {
        **state,
        "validityEndTime": "2026-11-28T17:00:00.987654321+01:00",
        "__meta": "{}",
    }
    assert (await plugin.diff(LOCALLY_SIGNED, official, inputs)).changes is False
    plugin.clock.advance(hours=91)
    assert (await plugin.diff(LOCALLY_SIGNED, official, inputs)).replaces == ["readyForRenewal"]


async def test_an_unreadable_end_in_the_state_is_reported_with_a_way_out() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = {**await plugin.made(LOCALLY_SIGNED, inputs), "validityEndTime": "next week"}
    with pytest.raises(BrokenStateError, match=r"'next week'.*--replace"):
        await plugin.diff(LOCALLY_SIGNED, state, inputs)


async def test_an_ignored_change_is_no_change() -> None:
    plugin = Plugin()
    inputs = await leaf_inputs(plugin)
    state = await plugin.made(LOCALLY_SIGNED, inputs)
    shorter = {**inputs, "validityPeriodHours": 1}
    assert (await plugin.diff(LOCALLY_SIGNED, state, shorter)).replaces == ["validityPeriodHours"]
    ignoring = engine.DiffRequest(
        urn(LOCALLY_SIGNED),
        "1",
        wrapped(state),
        wrapped(shorter),
        ["validityPeriodHours"],
    )
    assert (await plugin.provider.diff(ignoring)).changes is False


async def test_an_import_is_refused_by_what_the_resources_are() -> None:
    with pytest.raises(NotServedError, match="not imported"):
        await Plugin().read(PRIVATE_KEY, {})


async def test_a_type_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(NotServedError, match="tls:index/sshKey:SshKey"):
        await Plugin().problems("tls:index/sshKey:SshKey", {})


async def test_a_resource_inside_a_component_is_served_by_its_own_type() -> None:
    inside = f"flower:index:FederationPKI${PRIVATE_KEY}"
    assert await Plugin().problems(inside, {"algorithm": "ED25519"}) == {}


async def test_functions_are_refused_by_name() -> None:
    request = engine.InvokeRequest("tls:index/getCertificate:getCertificate", {})
    response = await Plugin().provider.invoke(request)
    assert ["getCertificate" in failure.reason for failure in response.failures] == [True]
