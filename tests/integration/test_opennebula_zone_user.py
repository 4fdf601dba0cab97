"""The provider as a user of a zone who may not do everything: what an operator gave, and what he is told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.provider.values import plain
from tests.opennebula_in_process import InProcess, in_process
from tests.opennebula_small_engine import Declared, EngineError, Json, Program, Ref, SmallEngine

ROLE = {"name": "node", "cardinality": 2, "max_vms": 9, "template_id": Ref("machine"), "cooldown": 1}


def program(nodes: int = 2, memory_mb: int = 16) -> Program:
    """What a hospital runs in its part of a zone: its own service, on the operator's network and image."""
    card = {"networkId": 0, "model": "virtio"}
    return {
        "firewall": Declared(
            kind="securityGroup", inputs={"name": "mine", "rules": [{"protocol": "ALL", "ruleType": "OUTBOUND"}]}
        ),
        "machine": Declared(
            kind="template",
            inputs={"name": "mine", "cpu": 0.1, "memory": memory_mb, "nics": [card], "disks": [{"imageId": 0}]},
        ),
        "blueprint": Declared(
            kind="serviceTemplate",
            inputs={"name": "mine", "template": Json({"deployment": "none", "roles": [ROLE]})},
        ),
        "service": Declared(
            kind="service",
            inputs={
                "name": "mine",
                "templateId": Ref("blueprint"),
                "extraTemplate": Json({"roles": [{"name": "node", "cardinality": nodes}]}),
            },
        ),
    }


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[InProcess]:
    """A zone in which an operator has made a user with limits, a network and an image for the user's group."""
    with in_process(tmp_path / "zone") as running:
        oned = running.oned
        group = oned("group.allocate", "hospital")
        # What `onegroup create` adds for its group, as the recorded rule of group 1: VMs, images, templates and so on.
        oned("acl.addrule", f"{0x200000000 + group:x}", "121429400000000", "8", "400000000")
        user = oned("user.allocate", "berlin", "secret", "core", [group])
        oned("vn.allocate", 'NAME="wide"\nVN_MAD="dummy"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="20"]', -1)
        oned("image.allocate", 'NAME="base"\nTYPE="DATABLOCK"\nSIZE="8"', 1)
        for kind in ("vn", "image"):
            oned(f"{kind}.chown", 0, -1, group)
            oned(f"{kind}.chmod", 0, -1, -1, -1, 1, -1, -1, -1, -1, -1)
        oned("user.quota", user, 'VM=[VMS="3",CPU="-1",MEMORY="-1"]')
        running.values |= {"username": "berlin", "password": "secret"}
        yield running


def test_a_user_runs_a_service_on_what_the_operator_gave_and_removes_it_again(zone: InProcess) -> None:
    engine = SmallEngine(zone.connect)
    assert set(asyncio.run(engine.up(program())).values()) == {"create"}
    assert set(asyncio.run(engine.preview(program())).values()) == {"same"}
    outputs = plain(engine.state["service"].outputs)[0]
    assert (outputs["uname"], outputs["gname"]) == ("berlin", "hospital")
    vms = [zone.oned("vm.info", number) for role in outputs["roles"] for number in role["nodes"]]
    assert len(vms) == 2 and all("<UNAME>berlin</UNAME>" in vm for vm in vms)
    asyncio.run(engine.destroy())
    assert "<USED_LEASES>0</USED_LEASES>" in zone.oned("vn.info", 0)


def test_a_limit_of_the_user_is_an_error_that_names_it_and_less_is_done(zone: InProcess) -> None:
    engine = SmallEngine(zone.connect)
    asyncio.run(engine.up(program()))
    with pytest.raises(EngineError, match="limit of 3 reached for VMS"):
        asyncio.run(engine.up(program(4)))
    asyncio.run(engine.destroy())


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (
            Declared(kind="virtualNetwork", inputs={"name": "mine", "type": "dummy", "bridge": "b"}),
            r"Not authorized to perform CREATE (NET|VNET).*Give user 'berlin' the right",
        ),
        (
            Declared(kind="virtualNetworkAddressRange", inputs={"virtualNetworkId": 0, "arType": "ETHER", "size": 3}),
            r"Not authorized to perform (ADMIN|MANAGE) (NET|VNET) \[0\].*Give user 'berlin' the right",
        ),
        (
            Declared(kind="marketplace", inputs={"name": "mine", "ones": [{}]}),
            r"Not authorized to perform CREATE MARKETPLACE.*Give user 'berlin' the right",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Declared) else "",
)
def test_what_a_user_may_not_do_is_an_error_that_says_who_has_to_give_what(
    zone: InProcess, declared: Declared, says: str
) -> None:
    engine = SmallEngine(zone.connect)
    with pytest.raises(EngineError, match=says):
        asyncio.run(engine.up({"it": declared}))
    assert engine.state == {}


def test_a_user_neither_sees_nor_imports_what_belongs_to_others(zone: InProcess) -> None:
    number = zone.oned("template.allocate", 'NAME="theirs"\nCPU="1"\nMEMORY="64"')
    engine = SmallEngine(zone.connect)
    declared = Declared(kind="template", inputs={"name": "theirs", "cpu": 1, "memory": 64})
    with pytest.raises(Exception, match=r"Not authorized to perform USE TEMPLATE"):
        asyncio.run(engine.import_("it", declared, str(number)))

    async def look() -> sdk.InvokeResponse:
        provider = await zone.connect()
        token = "opennebula:index/getTemplates:getTemplates"
        return await provider.invoke(sdk.InvokeRequest(token, {}))

    assert plain(asyncio.run(look()).return_value or {})[0]["templates"] == []
