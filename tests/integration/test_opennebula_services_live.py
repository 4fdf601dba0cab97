"""Services of the provider on a zonebox: networks of their own, roles that scale by themselves, VMs that end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulumi_opennebula.provider.values import plain
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Json, Program, Ref, SmallEngine
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        yield running


@pytest.fixture
def engine(zone: InProcess) -> Iterator[SmallEngine]:
    found = SmallEngine(zone.connect)
    yield found
    zone.zone.control.clear()
    asyncio.run(found.destroy())
    assert zone.flow("GET", "/service") == {"DOCUMENT_POOL": {}}
    assert zone.zone.call(zone.zone.zone.model.vms.alive) == []


def program(role: dict[str, Any], body: dict[str, Any] | None = None, extra: dict[str, Any] | None = None) -> Program:
    network = {"name": "net", "type": "dummy", "bridge": "br0"}
    addresses = {"virtualNetworkId": Ref("network"), "arType": "IP4", "ip4": "10.66.0.10", "size": 40}
    machine = {"name": "machine", "cpu": 0.1, "memory": 16}
    roles = [{"name": "node", "cardinality": 1, "template_id": Ref("machine"), "cooldown": 1, **role}]
    template = Json({"deployment": "straight", **(body or {}), "roles": roles})
    service: dict[str, Any] = {"name": "service", "templateId": Ref("blueprint")}
    if extra:
        service["extraTemplate"] = Json(extra)
    return {
        "network": Declared(kind="virtualNetwork", inputs=network),
        "addresses": Declared(kind="virtualNetworkAddressRange", inputs=addresses),
        "machine": Declared(kind="template", inputs=machine),
        "blueprint": Declared(kind="serviceTemplate", inputs={"name": "blueprint", "template": template}),
        "service": Declared(kind="service", inputs=service, after=("addresses",)),
    }


def outputs(engine: SmallEngine) -> dict[str, Any]:
    return plain(engine.state["service"].outputs)[0]


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what


def networks(zone: InProcess) -> dict[str, dict[str, Any]]:
    return {tree["NAME"]: tree for tree in zone.zone.call(zone.zone.zone.model.vnets.everything)}


def test_a_service_reserves_a_network_of_its_own_shows_its_id_and_gives_it_back(
    zone: InProcess, engine: SmallEngine
) -> None:
    contents = {"template_contents": {"NIC": [{"NETWORK_ID": "$fl"}]}}
    asked = {"networks": {"fl": "M|network|FL network||reserve_from:"}}
    values = {"networks_values": [{"fl": {"reserve_from": Ref("network"), "extra": "SIZE=5"}}]}
    wanted = program({**contents, "cardinality": 2}, asked, values)
    asyncio.run(engine.up(wanted))
    own = networks(zone)[f"fl-{engine.state['service'].id}"]
    assert outputs(engine)["networks"] == {"fl": int(own["ID"])}
    assert own["PARENT_NETWORK_ID"] == engine.state["network"].id
    (role,) = outputs(engine)["roles"]
    for number in role["nodes"]:
        assert f"<NETWORK_ID><![CDATA[{own['ID']}]]></NETWORK_ID>" in zone.oned("vm.info", number)
    assert set(asyncio.run(engine.preview(wanted)).values()) == {"same"}
    asyncio.run(engine.destroy())
    assert networks(zone) == {}


def test_a_size_that_a_policy_chose_is_no_drift_and_one_that_somebody_chose_by_hand_is(
    zone: InProcess, engine: SmallEngine
) -> None:
    policy = {"type": "CHANGE", "adjust": 1, "expression": "LOAD > 5", "period": 1, "period_number": 2, "cooldown": 1}
    elastic = {"min_vms": 1, "max_vms": 3, "elasticity_policies": [policy]}
    wanted = program(elastic)
    asyncio.run(engine.up(wanted))
    (node,) = outputs(engine)["roles"][0]["nodes"]
    zone.oned("vm.update", node, 'LOAD="9"', 1)

    def nodes() -> int:
        asyncio.run(engine.refresh())
        return len(outputs(engine)["roles"][0]["nodes"])

    eventually(lambda: nodes() == 3, "the role grows to its maximum")
    zone.oned("vm.update", node, 'LOAD="0"', 1)
    eventually(lambda: nodes() == 3 and outputs(engine)["state"] == 2, "the service rests")
    assert set(asyncio.run(engine.preview(wanted)).values()) == {"same"}

    asyncio.run(engine.destroy())
    fixed = program({"cardinality": 2}, extra={"roles": [{"name": "node", "cardinality": 2}]})
    asyncio.run(engine.up(fixed))
    size = {"role_name": "node", "cardinality": 1, "force": False}
    zone.flow("POST", f"/service/{engine.state['service'].id}/scale", size)
    eventually(lambda: nodes() == 1 and outputs(engine)["state"] == 2, "somebody scales by hand")
    assert asyncio.run(engine.preview(fixed))["service"] == "update"
    asyncio.run(engine.up(fixed))
    assert nodes() == 2


def test_a_service_in_warning_says_which_vm_does_not_run_and_goes_on_when_it_does(
    zone: InProcess, engine: SmallEngine
) -> None:
    wanted = program({"cardinality": 2})
    asyncio.run(engine.up(wanted))
    number = outputs(engine)["roles"][0]["nodes"][1]
    zone.zone.control.kill(number)
    eventually(lambda: _state(zone, engine) == 4, "WARNING")
    asyncio.run(engine.refresh())
    assert asyncio.run(engine.preview(wanted))["service"] == "update"
    with pytest.raises(
        EngineError, match=r"is WARNING.*OneFlow logged.*VM 'node_1_\(service_\d+\)' is POWEROFF"
    ) as said:
        asyncio.run(engine.up(wanted))
    assert "Resume or remove the VM that is not running" in str(said.value)
    zone.oned("vm.action", "resume", number)
    eventually(lambda: _state(zone, engine) == 2, "RUNNING")
    assert asyncio.run(engine.up(wanted))["service"] == "update"
    assert set(asyncio.run(engine.preview(wanted)).values()) == {"same"}


@pytest.mark.parametrize("then", ["destroy", "up"])
def test_a_service_whose_network_could_not_be_removed_is_removed_by_the_next_destroy_and_replaced_by_up(
    zone: InProcess, engine: SmallEngine, then: str
) -> None:
    extra = {"networks_values": [{"fl": {"reserve_from": Ref("network"), "extra": "SIZE=5"}}]}
    wanted = program({}, {"networks": {"fl": "M|network|||reserve_from:"}}, extra)
    asyncio.run(engine.up(wanted))
    own = networks(zone)[f"fl-{engine.state['service'].id}"]
    # Somebody holds an address of the service's own network, which cannot be deleted then.
    zone.oned("vn.hold", int(own["ID"]), 'LEASES=[IP="10.66.0.12"]')
    with pytest.raises(EngineError, match=r"FAILED_UNDEPLOYING_NETS.*leases in use"):
        asyncio.run(engine.destroy())
    half_gone = engine.state["service"].id
    zone.oned("vn.release", int(own["ID"]), 'LEASES=[IP="10.66.0.12"]')
    if then == "destroy":
        asyncio.run(engine.destroy())
        assert networks(zone) == {}
        return
    asyncio.run(engine.refresh())
    assert asyncio.run(engine.preview(wanted))["service"] == "replace"
    asyncio.run(engine.up(wanted))
    assert engine.state["service"].id != half_gone
    # A network whose deletion was asked for is gone a moment later, as OpenNebula's own.
    wanted_now = {f"fl-{engine.state['service'].id}", "net"}
    eventually(lambda: networks(zone).keys() == wanted_now, "the old service's network is gone")


def test_a_service_on_hold_is_made_waits_for_its_release_and_is_no_drift_after_it(
    zone: InProcess, engine: SmallEngine
) -> None:
    wanted = program({"cardinality": 2}, {"on_hold": True})
    assert asyncio.run(engine.up(wanted))["service"] == "create"
    assert _state(zone, engine) == 15
    assert set(asyncio.run(engine.preview(wanted)).values()) == {"same"}
    release = {"action": {"perform": "release"}}
    zone.flow("POST", f"/service/{engine.state['service'].id}/action", release)
    eventually(lambda: _state(zone, engine) == 2, "RUNNING")
    asyncio.run(engine.refresh())
    assert set(asyncio.run(engine.preview(wanted)).values()) == {"same"}


def test_progress_says_how_many_vms_of_each_role_run(zone: InProcess, engine: SmallEngine) -> None:
    first_two = zone.zone.control.hang("boot node_[01]*")
    last = zone.zone.control.hang("boot node_2*")
    zone.zone.control.fail("one.vmpool.info", times=1, skip=1)
    wanted = program({"cardinality": 3})

    async def up() -> None:
        going = asyncio.create_task(engine.up(wanted))
        for told, then in (("0 of 3", first_two), ("2 of 3", last)):
            end = time.monotonic() + PATIENCE_S
            while not any(f"role node: {told} running" in line for line in zone.lines):
                assert time.monotonic() < end and not going.done(), zone.lines
                await asyncio.sleep(0.01)
            await asyncio.to_thread(zone.zone.control.clear, then)
        await going

    zone.lines.clear()
    asyncio.run(up())
    lines = [line for line in zone.lines if "role node" in line]
    assert lines[0].endswith("role node: 0 of 3 running")
    assert lines[-1] == "RUNNING: role node: 3 of 3 running"


def _state(zone: InProcess, engine: SmallEngine) -> int:
    body = zone.flow("GET", f"/service/{engine.state['service'].id}")["DOCUMENT"]["TEMPLATE"]["BODY"]
    return int(body["state"])
