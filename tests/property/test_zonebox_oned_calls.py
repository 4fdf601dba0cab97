"""Whatever callers send to oned is answered in words, and leaves every pool readable and the scheduler at work."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

import pytest

from tests.zonebox_model_support import StillZone

_KEYS: Final = (
    *("CPU", "MEMORY", "VCPU", "DISK", "NIC", "NIC_ALIAS", "CONTEXT", "OS", "IMAGE_ID", "NETWORK_ID", "NETWORK"),
    *("IMAGE", "SIZE", "TYPE", "FORMAT", "IP", "IP6", "MAC", "AR", "AR_ID", "PCI", "VMGROUP", "VMGROUP_ID", "ROLE"),
    *("POLICY", "RULE", "PROTOCOL", "RULE_TYPE", "RANGE", "SCHED_REQUIREMENTS", "SECURITY_GROUPS", "PATH", "VN_MAD"),
    *("BRIDGE", "VM", "DATASTORE", "RUNNING_VMS", "LEASES", "ID", "AFFINED", "HOST_AFFINED", "TARGET", "RESERVED_CPU"),
    *("GLOBAL_PREFIX", "BOOT", "TOKEN", "PARENT", "VLAN_ID"),
)
_VALUES: Final = ("", "x", "0", "1", "-1", "nan", "inf", "1,2", "é", "²", "10.0.0.1", "YES", "9" * 12, "[", "(" * 9)
_GOOD: Final = (
    'DISK=[IMAGE_ID="0"]',
    'NIC=[NETWORK_ID="0"]',
    'CONTEXT=[NETWORK="YES",TOKEN="YES"]',
    'ROLE=[NAME="a"]',
    'AR=[TYPE="IP4",IP="10.1.0.1",SIZE="3"]',
    'RULE=[PROTOCOL="TCP",RULE_TYPE="INBOUND"]',
    'VMGROUP=[VMGROUP_ID="0",ROLE="a"]',
)
_BASE: Final = 'CPU="0.1"\nMEMORY="16"\nVN_MAD="dummy"\nBRIDGE="b"\nTYPE="DATABLOCK"\nSIZE="1"\n'
_NUMBERS: Final = (0, 0, 0, 1, 1, 2, 3, -1, -2, 5, 100, 10**6)
_POOLS: Final = (
    "vm",
    "vn",
    "image",
    "template",
    "datastore",
    "secgroup",
    "vmgroup",
    "vntemplate",
    "market",
    "marketapp",
)
_NOT: Final = {f"one.user.{name}" for name in ("delete", "passwd", "enable", "chauth", "rename", "chgrp", "delgroup")}
"""They would lock the test out."""
_CALLS: Final = 120


def template(dice: random.Random) -> str:
    """A template of an object, right or wrong."""
    lines = [f'NAME="n{dice.randrange(1000)}"', dice.choice([_BASE, _BASE, ""])]
    lines += [dice.choice(_GOOD) for _ in range(dice.randrange(3))]
    for _ in range(dice.randrange(3)):
        inner = ",".join(f'{dice.choice(_KEYS)}="{dice.choice(_VALUES)}"' for _ in range(dice.randrange(4)))
        lines.append(f"{dice.choice(_KEYS)}=" + dice.choice([f"[{inner}]", f'"{dice.choice(_VALUES)}"']))
    return "\n".join(lines)


def arguments(zone: StillZone, method: str, dice: random.Random) -> list[Any]:
    """Parameters of the kinds that a method has."""
    made: list[Any] = []
    for param in zone.zone.registry._methods[method].params:
        if param.kind is int:
            made.append(dice.choice(_NUMBERS))
        elif param.kind is bool:
            made.append(dice.random() < 0.5)
        elif param.kind is list:
            made.append([1])
        else:
            made.append(dice.choice([template(dice), template(dice), "terminate", "x", ""]))
    return made


@pytest.mark.parametrize("seed", range(8))
async def test_no_call_is_an_internal_error_nor_makes_a_pool_unreadable(tmp_path: Path, seed: int) -> None:
    dice, zone = random.Random(seed), StillZone(tmp_path)
    methods = sorted(set(zone.zone.registry.names()) - _NOT)
    zone.network()
    await zone.pass_time(0.2)
    for _ in range(_CALLS):
        method = dice.choice(methods)
        given = arguments(zone, method, dice)
        answer = zone.root.raw(method.removeprefix("one."), *given)
        assert "Internal error of zonebox" not in str(answer[1]), (method, given)
    await zone.pass_time(0.2)
    for pool in _POOLS:
        zone.root(f"{pool}pool.info", -2, -1, -1, *((-2,) if pool == "vm" else ()))
    for pool in ("host", "cluster", "user", "group"):
        zone.root(f"{pool}pool.info")
    await zone.zone.work.stop()
