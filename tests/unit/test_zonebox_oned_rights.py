"""Users, groups, permission bits, locks and limits: who may do what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.patience import eventually
from tests.zonebox_model_support import Caller, StillZone

TEMPLATE = 'NAME="t"\nCPU="1"\nMEMORY="64"'


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    return StillZone(tmp_path)


async def test_a_users_object_is_its_own_until_its_bits_say_otherwise(zone: StillZone) -> None:
    ann, ben = zone.user("ann"), zone.user("ben")
    number = ann("template.allocate", TEMPLATE)
    code, text = ben.refused("template.info", number)
    assert (code, text) == (512, f"[one.template.info] User [3] : Not authorized to perform USE TEMPLATE [{number}].")
    ann("template.chmod", number, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    assert ben("template.info", number)["UNAME"] == "ann"
    code, text = ben.refused("template.delete", number)
    assert (code, "perform MANAGE TEMPLATE" in text) == (512, True)


async def test_pools_show_what_their_filter_asks_for(zone: StillZone) -> None:
    ann, ben = zone.user("ann"), zone.user("ben")
    ann("template.allocate", TEMPLATE)
    ben("template.allocate", TEMPLATE)
    zone.root("template.allocate", TEMPLATE)

    def owners(caller: Caller, who: int) -> list[str]:
        pool = caller("templatepool.info", who, -1, -1)
        found = pool.get("VMTEMPLATE", []) if pool else []
        return [item["UNAME"] for item in (found if isinstance(found, list) else [found])]

    assert owners(zone.root, -2) == ["oneadmin", "ben", "ann"]
    assert owners(ann, -2) == ["ann"]
    assert owners(ann, -3) == ["ann"]
    assert owners(ann, -1) == ["ann"], "what ben keeps to himself is not shown to his group"
    assert owners(zone.root, 2) == ["ann"]


@pytest.mark.parametrize(
    "call",
    [
        ("vn.allocate", 'NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"', -1),
        ("host.allocate", "h", "dummy", "dummy", -1),
        ("cluster.allocate", "c"),
        ("user.allocate", "eve", "x", "core", []),
        ("acl.addrule", "400000000", "402000000000", "8", "400000000"),
        ("user.quota", 2, 'VM=[VMS="9"]'),
    ],
)
async def test_an_ordinary_user_may_not_do_what_belongs_to_operators(zone: StillZone, call: tuple[object, ...]) -> None:
    ann = zone.user("ann")
    code, text = ann.refused(*call)  # type: ignore[arg-type]
    assert (code, "Not authorized to perform" in text) == (512, True)


async def test_a_rule_gives_a_group_what_bits_do_not(zone: StillZone) -> None:
    ann = zone.user("ann")
    zone.root("acl.addrule", "200000001", "4400000000", "8", "400000000")
    assert ann("vn.allocate", 'NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"', -1) == 0


async def test_a_lock_refuses_even_its_owner_until_it_is_taken_away(zone: StillZone) -> None:
    number = zone.root("template.allocate", TEMPLATE)
    zone.root("template.lock", number, 2)
    assert zone.root("template.info", number)["LOCK"]["LOCKED"] == "2"
    code, text = zone.root.refused("template.delete", number)
    assert (code, "is locked for MANAGE operations" in text) == (32768, True)
    assert zone.root("template.instantiate", number, "vm") == 0
    zone.root("template.unlock", number)
    zone.root("template.delete", number)


async def test_a_changed_password_counts_at_once(zone: StillZone) -> None:
    ann = zone.user("ann")
    ann("user.passwd", 2, "other")
    assert ann.refused("system.version")[0] == 256
    assert Caller(zone.zone, "ann:other")("system.version") == "7.0.1"


async def test_limits_stop_a_user_and_not_the_administrator(zone: StillZone) -> None:
    ann = zone.user("ann")
    zone.root("user.quota", 2, 'VM=[VMS="1",CPU="4",MEMORY="-1"]\nDATASTORE=[ID="1",IMAGES="1",SIZE="100"]')
    first = ann("vm.allocate", 'CPU="1"\nMEMORY="64"')
    code, text = ann.refused("vm.allocate", 'CPU="1"\nMEMORY="64"')
    assert (code, "limit of 1 reached for VMS" in text) == (512, True)
    assert ann("user.info", -1)["VM_QUOTA"]["VM"]["VMS_USED"] == "1"
    ann("vm.action", "terminate", first)
    ann("vm.allocate", 'CPU="3"\nMEMORY="64"')
    ann("image.allocate", 'NAME="a"\nTYPE="DATABLOCK"\nSIZE="60"', 1)
    code, text = ann.refused("image.allocate", 'NAME="b"\nTYPE="DATABLOCK"\nSIZE="60"', 1)
    assert (code, "quota in DATASTORE [1]" in text) == (512, True)
    zone.root("vm.allocate", 'CPU="9"\nMEMORY="64"')


@pytest.mark.parametrize("owner", ["user", "group"])
@pytest.mark.parametrize(
    ("quota", "fits", "too_much"),
    [
        ('NETWORK=[ID="0",LEASES="2"]', 'NIC=[NETWORK_ID="0"]', 'NIC=[NETWORK_ID="0"]\nNIC=[NETWORK_ID="0"]'),
        ('IMAGE=[ID="0",RVMS="2"]', 'DISK=[IMAGE_ID="0"]', 'DISK=[IMAGE_ID="0"]\nDISK=[IMAGE_ID="0"]'),
        ('VM=[SYSTEM_DISK_SIZE="20"]', 'DISK=[TYPE="fs",SIZE="10"]', 'DISK=[TYPE="fs",SIZE="15"]'),
        ('VM=[MEMORY="100"]', "", 'MEMORY="64"'),
    ],
    ids=["leases", "images in use", "disks of the system", "memory"],
)
async def test_every_kind_of_limit_counts_what_there_is_and_what_is_wanted_together(
    zone: StillZone, owner: str, quota: str, fits: str, too_much: str
) -> None:
    ann = zone.user("ann")
    zone.network()
    zone.root("image.allocate", 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    zone.root("image.chmod", 0, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    await zone.pass_time()
    await eventually(lambda: zone.root("image.info", 0)["STATE"] == "1", "the image")
    zone.root(f"{owner}.quota", 2 if owner == "user" else 1, quota)
    ann("vm.allocate", f'CPU="1"\nMEMORY="50"\n{fits}')
    memory = "" if "MEMORY" in too_much else 'MEMORY="50"\n'
    code, text = ann.refused("vm.allocate", f'CPU="1"\n{memory}{too_much}')
    assert (code, f"{owner} [" in text, "limit of" in text) == (512, True, True)
    assert zone.root("vn.info", 0)["USED_LEASES"] == ("1" if "NIC" in fits else "0"), (
        "nothing is kept of what is refused"
    )
    zone.root("vm.allocate", f'CPU="1"\n{memory}{too_much}')


async def test_limits_count_for_devices_that_come_later(zone: StillZone) -> None:
    ann = zone.user("ann")
    zone.network()
    await zone.pass_time()
    zone.root("user.quota", 2, 'NETWORK=[ID="0",LEASES="1"]\nVM=[SYSTEM_DISK_SIZE="10"]')
    vm_id = ann("vm.allocate", 'CPU="1"\nMEMORY="50"')
    for method, device in (("attachnic", 'NIC=[NETWORK_ID="0"]'), ("attach", 'DISK=[TYPE="fs",SIZE="6"]')):
        ann(f"vm.{method}", vm_id, device)
        await zone.pass_time()
        code, text = ann.refused(f"vm.{method}", vm_id, device)
        assert (code, "limit of" in text) == (512, True)
    assert "limit of 10 reached for SYSTEM_DISK_SIZE" in ann.refused("vm.diskresize", vm_id, 0, "11")[1]


async def test_the_administrators_limits_are_none_and_oneadmin_stays(zone: StillZone) -> None:
    assert zone.root.refused("user.delete", 0)[0] == 2048
    assert zone.root.refused("group.delete", 1)[0] == 2048


async def test_an_unknown_method_is_answered_with_its_name(zone: StillZone) -> None:
    code, text = zone.root.refused("backupjob.allocate", "x")
    assert code == 4096
    assert text.startswith("[one.backupjob.allocate] Method one.backupjob.allocate is not supported")


@pytest.mark.parametrize("params", [(), ("x",), ([],)])
async def test_wrong_parameters_are_refused_with_their_place(zone: StillZone, params: tuple[object, ...]) -> None:
    code, text = zone.root.refused("vm.info", *params)
    assert code == 4096
    assert "Parameter 1" in text
