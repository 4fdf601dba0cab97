"""Whatever callers send to oned is answered in words, and leaves every pool readable and the scheduler at work."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

import pytest

from tests.zonebox_model_support import StillZone

_KEYS: Final = (
    *("A&B", "1A"),
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
    'AR=[TYPE="IP6_STATIC",IP6="::1",SIZE="3",GLOBAL_PREFIX="::1"]',
    'AR=[AR_ID="0",SIZE="3"]',
    'VM=[CPU="-1",VMS="-1"]',
    'VCPU="1"',
    'RULE=[PROTOCOL="TCP",RULE_TYPE="INBOUND"]',
    'VMGROUP=[VMGROUP_ID="0",ROLE="a"]',
)
_BASE: Final = 'CPU="0.1"\nMEMORY="16"\nVN_MAD="dummy"\nBRIDGE="b"\nTYPE="DATABLOCK"\nSIZE="1"\n'
_IN_USE: Final = (
    "0.1",
    "16",
    "dummy",
    "DATABLOCK",
    "1",
    "0",
    "a",
    "IP4",
    "10.1.0.1",
    "3",
    "TCP",
    "INBOUND",
    "-1",
    "::1",
)
"""Values in these templates, to be replaced by others."""
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
_TELLING: Final = (".allocate", ".quota", "update_ar", "add_ar", ".updateconf", ".resize", ".attach", ".attachnic")
"""Methods that take most from their callers."""
_CALLS: Final = 200


def template(dice: random.Random) -> str:
    """A template of an object, right but for a few values of it."""
    lines = [f'NAME="n{dice.randrange(1000)}"', dice.choice([_BASE, _BASE, ""])]
    lines += [dice.choice(_GOOD) for _ in range(dice.randrange(4))]
    text = "\n".join(lines)
    for value in dice.sample(_IN_USE, dice.choice([0, 1, 1, 2])):
        text = text.replace(f'"{value}"', f'"{dice.choice(_VALUES)}"', 1)
    for _ in range(dice.randrange(3)):
        inner = ",".join(f'{dice.choice(_KEYS)}="{dice.choice(_VALUES)}"' for _ in range(dice.randrange(4)))
        text += f"\n{dice.choice(_KEYS)}=" + dice.choice([f"[{inner}]", f'"{dice.choice(_VALUES)}"'])
    return text


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
    telling = [name for name in methods if name.endswith(_TELLING)]
    for _ in range(_CALLS):
        method = dice.choice(telling if dice.random() < 0.8 else methods)
        given = arguments(zone, method, dice)
        answer = zone.root.raw(method.removeprefix("one."), *given)
        assert "Internal error of zonebox" not in str(answer[1]), (method, given)
    await zone.pass_time(0.2)
    for pool in _POOLS:
        zone.root(f"{pool}pool.info", -2, -1, -1, *((-2,) if pool == "vm" else ()))
    for pool in ("host", "cluster", "user", "group"):
        zone.root(f"{pool}pool.info")
    await zone.zone.work.stop()
