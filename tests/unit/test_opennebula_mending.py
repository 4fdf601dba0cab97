"""What the next `up` does about objects that failed, were adopted, or could not be read: found by random sequences."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError, RefusedError
from pulumi_opennebula.provider.diffs import Kind, changes
from pulumi_opennebula.provider.engine import OpenNebulaProvider, PartialError
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.resources import service_states
from pulumi_opennebula.provider.values import FAILED, IMPORTED, UNREAD, plain, wrapped
from tests.unit.test_opennebula_provider import IMAGE_XML, ScriptedOned, configured, create, urn

INPUTS = {"name": "a", "datastoreId": 1, "type": "DATABLOCK", "size": 16, "group": "users"}
GROUPS = "<GROUP_POOL><GROUP><ID>1</ID><NAME>users</NAME></GROUP></GROUP_POOL>"


async def half_made() -> tuple[OpenNebulaProvider, ScriptedOned, PartialError]:
    """An image that was made, and that nobody could read afterwards."""
    refused = FailedObjectError("image 4", "it must answer", "oned is down", "Wait")
    provider, oned, _ = await configured({"image.allocate": 4, "image.info": refused, "grouppool.info": GROUPS})
    with pytest.raises(PartialError) as caught:
        await provider.create(create("Image", INPUTS))
    return provider, oned, caught.value


async def test_an_object_that_could_not_be_read_is_read_before_it_is_mended() -> None:
    provider, oned, half = await half_made()
    state, _ = plain(half.properties)
    assert state[UNREAD] is True
    state.pop(FAILED, None)
    oned.script |= {"image.info": IMAGE_XML.format("1"), "image.chown": 4, "image.update": 4}
    request = sdk.UpdateRequest(
        urn("Image"), "4", wrapped(state, frozenset()), wrapped(INPUTS, frozenset()), 0, [], False
    )
    mended = await provider.update(request)
    assert ("image.chown", 4, -1, 1) in oned.called, "the state said that the group was set, and it was not"
    assert UNREAD not in plain(mended.properties or {})[0]


async def test_a_refresh_takes_the_mark_of_an_unread_object_away() -> None:
    provider, oned, half = await half_made()
    oned.script["image.info"] = IMAGE_XML.format("1")
    seen = await provider.read(sdk.ReadRequest(urn("Image"), "4", half.properties, half.inputs))
    assert UNREAD not in plain(seen.properties)[0]


MACHINE_XML = "<VM><ID>4</ID><NAME>a</NAME><STATE>3</STATE><LCM_STATE>{}</LCM_STATE><TEMPLATE/><USER_TEMPLATE/></VM>"
APPLIANCE_XML = "<MARKETPLACEAPP><ID>4</ID><NAME>a</NAME><STATE>{}</STATE><TEMPLATE/></MARKETPLACEAPP>"


@pytest.mark.parametrize(
    ("kind", "method", "body", "mended"),
    [
        ("Image", "image.info", IMAGE_XML.format(5), False),
        ("Image", "image.info", IMAGE_XML.format(1), True),
        ("Image", "image.info", IMAGE_XML.format(2), True),
        ("VirtualMachine", "vm.info", MACHINE_XML.format(36), False),
        ("VirtualMachine", "vm.info", MACHINE_XML.format(3), True),
        ("MarketplaceAppliance", "marketapp.info", APPLIANCE_XML.format(3), False),
        ("MarketplaceAppliance", "marketapp.info", APPLIANCE_XML.format(1), True),
    ],
)
async def test_an_object_that_somebody_repaired_is_not_replaced_after_a_refresh(
    kind: str, method: str, body: str, mended: bool
) -> None:
    provider, _, _ = await configured({method: body})
    old = wrapped({"name": "a", FAILED: True}, frozenset())
    seen = await provider.read(sdk.ReadRequest(urn(kind), "4", old, wrapped({"name": "a"}, frozenset())))
    assert (FAILED not in plain(seen.properties)[0]) == mended


def document(state: int, *lines: str) -> dict[str, Any]:
    log = [{"severity": "I", "message": line} for line in lines]
    return {"NAME": "s", "TEMPLATE": {"BODY": {"state": state, "roles": [], "log": log}}}


def test_a_service_that_is_recovered_may_show_its_old_failure_for_a_while() -> None:
    before = document(7, "New state: FAILED_DEPLOYING")
    decide = service_states.running(lambda line: None, before=before)
    assert not decide(before)
    assert decide(document(2, "New state: FAILED_DEPLOYING", "New state: RUNNING"))


def test_a_recovery_that_fails_again_is_told_at_once() -> None:
    decide = service_states.running(lambda line: None, before=document(7, "New state: FAILED_DEPLOYING"))
    with pytest.raises(FailedObjectError, match="FAILED_DEPLOYING"):
        decide(document(7, "New state: FAILED_DEPLOYING", "New state: DEPLOYING", "New state: FAILED_DEPLOYING"))


def test_a_recovery_that_changes_nothing_is_given_up() -> None:
    before = document(7, "New state: FAILED_DEPLOYING")
    decide = service_states.running(lambda line: None, before=before)
    looks = 0
    with pytest.raises(FailedObjectError):
        while not decide(before):
            looks += 1
    assert looks == service_states.RECOVERY_LOOKS


@pytest.mark.parametrize(("state", "differs"), [(2, False), (4, True), (7, True), (9, True)])
def test_a_service_that_does_not_run_differs_from_its_program(state: int, differs: bool) -> None:
    found = HANDLERS["opennebula:index/service:Service"].refine([], {"state": state}, {})
    assert [(change.path, change.kind, change.replace) for change in found] == (
        [(("state",), Kind.UPDATE, False)] if differs else []
    )


@pytest.mark.parametrize("state", [6, 14])
def test_a_service_that_is_half_undeployed_is_replaced_because_oneflow_brings_it_only_to_its_end(state: int) -> None:
    found = HANDLERS["opennebula:index/service:Service"].refine([], {"state": state}, {})
    assert [(change.path, change.replace) for change in found] == [(("state",), True)]


def test_a_lock_that_is_not_there_is_as_good_as_unlock() -> None:
    record = HANDLERS["opennebula:index/image:Image"].definition.record
    assert changes(record, {"lock": "UNLOCK"}, {}) == changes(record, {}, {"lock": "UNLOCK"}) == []
    assert changes(record, {"lock": "USE"}, {"lock": "UNLOCK"}) != []


@pytest.mark.parametrize(
    ("old", "replaced"),
    [({}, True), ({"templateId": 3}, False), ({"context": {"B": "1"}}, False)],
)
def test_a_vm_without_context_is_replaced_to_get_one(old: dict[str, Any], replaced: bool) -> None:
    handler = HANDLERS["opennebula:index/virtualMachine:VirtualMachine"]
    new = {**old, "context": {"A": "1"}}
    found = handler.refine(changes(handler.definition.record, old, new), old, new)
    assert any(change.replace for change in found) == replaced


@pytest.mark.parametrize(("marks", "changes"), [({IMPORTED: True}, ["vn.release", "vn.free_ar"]), ({}, ["vn.free_ar"])])
async def test_a_range_releases_holds_that_it_took_over_by_import_and_no_others(
    marks: dict[str, Any], changes: list[str]
) -> None:
    leases = "<LEASES><LEASE><IP>10.0.0.9</IP><VM>-1</VM></LEASE></LEASES>"
    body = f"<VNET><ID>3</ID><AR_POOL><AR><AR_ID>0</AR_ID><SIZE>9</SIZE>{leases}</AR></AR_POOL></VNET>"
    provider, oned, _ = await configured({"vn.info": body, "vn.release": 3, "vn.free_ar": 3})
    state = {"virtualNetworkId": 3, "size": 9, "heldIps": ["10.0.0.9"], **marks}
    await provider.delete(sdk.DeleteRequest(urn("VirtualNetworkAddressRange"), "3:0", wrapped(state, frozenset()), 0))
    assert oned.changed == changes


@pytest.mark.parametrize("network_is_gone", [True, False])
async def test_a_range_whose_network_went_at_the_same_time_is_gone_and_another_refusal_is_told(
    network_is_gone: bool,
) -> None:
    body = "<VNET><ID>3</ID><AR_POOL><AR><AR_ID>0</AR_ID><SIZE>9</SIZE></AR></AR_POOL></VNET>"
    said = "[one.vn.free_ar] Address Range does not exist"
    gone = NotFoundError("one.vn.info", "it must exist", "it does not", "Refresh")
    freed = []

    def free(*_: Any) -> Exception:
        freed.append(True)
        return RefusedError("one.vn.free_ar", "oned must accept the call", said, "Change it", answer=said)

    script = {"vn.info": lambda *_: gone if freed and network_is_gone else body, "vn.free_ar": free}
    provider, _, _ = await configured(script)
    request = sdk.DeleteRequest(urn("VirtualNetworkAddressRange"), "3:0", wrapped({"size": 9}, frozenset()), 0)
    if network_is_gone:
        await provider.delete(request)
    else:
        with pytest.raises(RefusedError):
            await provider.delete(request)
    assert freed


@pytest.mark.parametrize("there", [False, True], ids=["it is new", "it is there already"])
async def test_a_range_is_found_again_however_oned_writes_its_first_address(there: bool) -> None:
    found = "<AR><AR_ID>2</AR_ID><TYPE>IP6_STATIC</TYPE><IP6>fd00::1</IP6><SIZE>4</SIZE></AR>"
    added: list[bool] = [True] if there else []

    def network(*_: Any) -> str:
        return f"<VNET><ID>3</ID><STATE>1</STATE><AR_POOL>{found if added else ''}</AR_POOL></VNET>"

    def add(*_: Any) -> int:
        added.append(True)
        return 3

    provider, oned, _ = await configured({"vn.info": network, "vn.add_ar": add})
    inputs = {"virtualNetworkId": 3, "arType": "IP6_STATIC", "ip6": "FD00::0:1", "prefixLength": "64", "size": 4}
    if there:
        with pytest.raises(InputError, match="`pulumi import` it as 3:2"):
            await provider.create(create("VirtualNetworkAddressRange", inputs))
        assert oned.changed == []
    else:
        assert (await provider.create(create("VirtualNetworkAddressRange", inputs))).resource_id == "3:2"


@pytest.mark.parametrize(("listed", "released"), [([], ["vn.release"]), (["10.0.0.9"], []), (None, [])])
async def test_an_imported_range_releases_what_its_program_stops_listing(
    listed: list[str] | None, released: list[str]
) -> None:
    leases = "<LEASES><LEASE><IP>10.0.0.9</IP><VM>-1</VM></LEASE></LEASES>"
    ranges = f"<AR><AR_ID>0</AR_ID><TYPE>IP4</TYPE><IP>10.0.0.2</IP><SIZE>9</SIZE>{leases}</AR>"
    body = f"<VNET><ID>3</ID><AR_POOL>{ranges}</AR_POOL></VNET>"
    provider, oned, _ = await configured({"vn.info": body, "vn.release": 3, "vn.update_ar": 3})
    new = {"virtualNetworkId": 3, "arType": "IP4", "ip4": "10.0.0.2", "size": 9}
    old = {**new, "holdIps": ["10.0.0.9"], "heldIps": ["10.0.0.9"], IMPORTED: True}
    given = new if listed is None else new | {"holdIps": listed}
    request = sdk.UpdateRequest(
        urn("VirtualNetworkAddressRange"), "3:0", wrapped(old, frozenset()), wrapped(given, frozenset()), 0, [], False
    )
    await provider.update(request)
    assert [name for name in oned.changed if name == "vn.release"] == released
