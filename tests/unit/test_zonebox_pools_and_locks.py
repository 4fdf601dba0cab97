"""What every kind of object has: a pool with filters and ranges, and locks of four levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.zonebox_model_support import Caller, StillZone
from zonebox.trees import listed

MAKE: dict[str, tuple[Any, ...]] = {
    "template": ('NAME="{}"\nCPU="1"\nMEMORY="64"',),
    "image": ('NAME="{}"\nTYPE="DATABLOCK"\nSIZE="1"', 1),
    "vn": ('NAME="{}"\nVN_MAD="dummy"\nBRIDGE="b"', -1),
    "vm": ('NAME="{}"\nCPU="0.1"\nMEMORY="8"', True),
    "secgroup": ('NAME="{}"',),
    "document": ("NAME={}", 100),
    "vmgroup": ('NAME="{}"\nROLE=[NAME="a"]',),
    "vntemplate": ('NAME="{}"\nVN_MAD="dummy"',),
}
"""Kinds of which ordinary users make their own, and arguments of `allocate`."""
POOLS = {"vn": ("vnpool", "VNET"), "vm": ("vmpool", "VM"), "secgroup": ("secgrouppool", "SECURITY_GROUP"),
         "template": ("templatepool", "VMTEMPLATE"), "image": ("imagepool", "IMAGE"),
         "document": ("documentpool", "DOCUMENT"), "vmgroup": ("vmgrouppool", "VM_GROUP"),
         "vntemplate": ("vntemplatepool", "VNTEMPLATE")}  # fmt: skip
LOCKABLE = sorted(set(MAKE) - {"secgroup"})
MINE, USABLE, MINE_AND_MY_GROUPS, MY_PRIMARY_GROUP = -3, -2, -1, -4


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    zone = StillZone(tmp_path)
    # The recorded rules let users make no networks.
    zone.root("acl.addrule", "200000001", "40004400000000", "8", "400000000")
    return zone


def make(caller: Caller, kind: str, name: str) -> int:
    given = [part.format(name) if isinstance(part, str) else part for part in MAKE[kind]]
    number: int = caller("secgroup.allocate" if kind == "secgroup" else f"{kind}.allocate", *given)
    return number


def names(caller: Caller, kind: str, who: int, start: int = -1, end: int = -1) -> list[str]:
    pool, tag = POOLS[kind]
    more = {"vm": (-1,), "document": (100,)}.get(kind, ())
    found = caller(f"{pool}.info", who, start, end, *more)
    return [item["NAME"] for item in listed(found or {}, tag) if item["NAME"] != "default"]


@pytest.mark.parametrize("kind", sorted(MAKE))
async def test_a_pool_shows_what_its_filter_asks_for_and_no_more_than_its_range(zone: StillZone, kind: str) -> None:
    ann, ben = zone.user("ann"), zone.user("ben")
    numbers = [make(who, kind, name) for who, name in ((zone.root, "roots"), (ann, "anns"), (ben, "bens"))]
    assert names(zone.root, kind, USABLE) == ["bens", "anns", "roots"]
    assert names(ann, kind, MINE) == ["anns"]
    # Users may use every network (recorded rule `@1 NET/* USE`).
    assert names(ann, kind, USABLE) == (["bens", "anns", "roots"] if kind == "vn" else ["anns"])
    # What others of a group keep to themselves is no business of its members; -4 is oned's own exception.
    assert names(ann, kind, MINE_AND_MY_GROUPS) == (["bens", "anns"] if kind == "vn" else ["anns"])
    assert names(ann, kind, MY_PRIMARY_GROUP) == ["bens", "anns"]
    ben(f"{kind}.chmod", numbers[2], -1, -1, -1, 1, -1, -1, -1, -1, -1)
    assert names(ann, kind, MINE_AND_MY_GROUPS) == ["bens", "anns"]
    assert names(zone.root, kind, 2) == ["anns"], "those of user 2"
    assert names(zone.root, kind, USABLE, numbers[1], numbers[1]) == ["anns"]
    assert names(zone.root, kind, USABLE, 1, -1) == names(zone.root, kind, USABLE)[: 3 - (numbers[0] < 1)]
    assert names(zone.root, kind, USABLE, 0, -2) == ["bens", "anns"], "the first page of two"
    assert names(zone.root, kind, USABLE, 2, -2)[:1] == ["roots"]


async def test_the_vm_pool_is_filtered_by_state_and_attribute(zone: StillZone) -> None:
    held, gone = make(zone.root, "vm", "held"), make(zone.root, "vm", "gone")
    zone.root("vm.update", held, 'ROLE="front"', 1)
    zone.root("vm.recover", gone, 3)

    def found(state: int, filter_: str = "") -> list[str]:
        return [vm["NAME"] for vm in listed(zone.root("vmpool.infoextended", -2, -1, -1, state, filter_) or {}, "VM")]

    assert (found(-1), found(-2), found(6), found(2), found(3)) == (["held"], ["gone", "held"], ["gone"], ["held"], [])
    assert (found(-1, "ROLE=front"), found(-1, "ROLE=back")) == (["held"], [])


async def test_a_page_is_full_though_objects_between_are_filtered_away(zone: StillZone) -> None:
    numbers = [make(zone.root, "vm", f"vm-{number}") for number in range(4)]
    zone.root("vm.recover", numbers[2], 3)
    assert names(zone.root, "vm", USABLE, 0, -2) == ["vm-3", "vm-1"]
    assert names(zone.root, "vm", USABLE, 2, -2) == ["vm-0"]
    for number, type_ in enumerate((100, 101, 100)):
        zone.root("document.allocate", f"NAME=document-{number}", type_)
    assert names(zone.root, "document", USABLE, 0, -2) == ["document-2", "document-0"]


async def test_ones_own_objects_are_listed_whatever_their_bits(zone: StillZone) -> None:
    ann = zone.user("ann")
    number = make(ann, "template", "anns")
    ann("template.chmod", number, 0, -1, -1, -1, -1, -1, -1, -1, -1)
    assert names(ann, "template", USABLE) == names(ann, "template", MINE) == ["anns"]


@pytest.mark.parametrize("kind", LOCKABLE)
@pytest.mark.parametrize(("level", "renames"), [(1, False), (2, False), (3, True), (4, False)])
async def test_a_lock_forbids_its_level_and_above_until_it_is_taken_away(
    zone: StillZone, kind: str, level: int, renames: bool
) -> None:
    number = make(zone.root, kind, "it")
    await zone.pass_time(0.2)
    zone.root(f"{kind}.lock", number, level)
    assert zone.root(f"{kind}.info", number)["LOCK"]["LOCKED"] == str(level)
    if renames:
        zone.root(f"{kind}.rename", number, "renamed")
    else:
        code, text = zone.root.refused(f"{kind}.rename", number, "renamed")
        assert (code, f"[{number}] is locked for MANAGE operations, unlock it first" in text) == (32768, True)
    code, text = zone.root.refused(f"{kind}.lock", number, 9)
    assert "Wrong lock level 9" in text
    zone.root(f"{kind}.unlock", number)
    assert "LOCK" not in zone.root(f"{kind}.info", number)
    zone.root(f"{kind}.rename", number, "free")


@pytest.mark.parametrize("kind", LOCKABLE)
async def test_a_lock_can_be_asked_for_only_where_there_is_none(zone: StillZone, kind: str) -> None:
    number = make(zone.root, kind, "it")
    zone.root(f"{kind}.lock", number, 2, True)
    code, text = zone.root.refused(f"{kind}.lock", number, 3, True)
    assert (code, "is already locked" in text) == (32768, True)
