"""A zone as pyone sees it: the life of the objects that a deployment needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyone
import pytest

from tests.patience import eventually
from tests.zonebox_support import call, client, running_zone

NETWORK = """
NAME="net"
VN_MAD="dummy"
BRIDGE="br0"
AR=[TYPE="IP4",IP="10.10.0.10",SIZE="2"]
NETWORK_ADDRESS="10.10.0.0"
NETWORK_MASK="255.255.255.0"
"""
TEMPLATE = """
NAME="tpl"
CPU="0.1"
MEMORY="64"
DISK=[IMAGE_ID="0"]
NIC=[NETWORK_ID="0"]
CONTEXT=[TOKEN="YES",NETWORK="YES",SET_HOSTNAME="$NAME"]
"""


async def _state(one: Any, vm_id: int) -> tuple[int, int]:
    vm = await call(one.vm.info, vm_id)
    return vm.STATE, vm.LCM_STATE


async def _deployed(one: Any, folder: Path) -> int:
    image = folder / "disk.img"
    image.write_bytes(b"disk")
    await call(one.vn.allocate, NETWORK, -1)
    await call(one.image.allocate, f'NAME="img"\nPATH="{image}"', 1)
    await call(one.template.allocate, TEMPLATE)

    async def ready() -> bool:
        return int((await call(one.vn.info, 0)).STATE) == 1

    await eventually(ready, "the network READY")
    vm_id: int = await call(one.template.instantiate, 0, "vm")
    return vm_id


async def _reaches(one: Any, vm_id: int, wanted: tuple[int, int]) -> None:
    async def there() -> bool:
        return await _state(one, vm_id) == wanted

    await eventually(there, f"VM {vm_id} in state {wanted}")


async def test_a_vm_runs_with_lease_image_and_context_and_gives_them_back(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        one = client(zone)
        vm_id = await _deployed(one, tmp_path)
        assert await _state(one, vm_id) in {(1, 0), (3, 1), (3, 2), (3, 3)}
        await _reaches(one, vm_id, (3, 3))
        vm = await call(one.vm.info, vm_id)
        context = vm.TEMPLATE["CONTEXT"]
        assert (context["ETH0_IP"], context["SET_HOSTNAME"]) == ("10.10.0.10", "vm")
        assert vm.TEMPLATE["NIC"]["MAC"] == "02:00:0a:0a:00:0a"
        assert (await call(one.image.info, 0)).STATE == 2
        assert (await call(one.vn.info, 0)).USED_LEASES == 1
        with pytest.raises(pyone.OneActionException, match=r"There are 1 VMs using it"):
            await call(one.image.delete, 0)

        await call(one.vm.action, "terminate-hard", vm_id)
        await _reaches(one, vm_id, (6, 0))
        assert (await call(one.vmpool.info, -2, -1, -1, -1)).VM == []
        assert (await call(one.image.info, 0)).STATE == 1
        assert (await call(one.vn.info, 0)).USED_LEASES == 0


async def test_poweroff_and_resume_keep_the_lease(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        one = client(zone)
        vm_id = await _deployed(one, tmp_path)
        await _reaches(one, vm_id, (3, 3))
        await call(one.vm.action, "poweroff", vm_id)
        await _reaches(one, vm_id, (8, 0))
        with pytest.raises(pyone.OneActionException, match="This action is not available for state POWEROFF"):
            await call(one.vm.action, "poweroff", vm_id)
        await call(one.vm.action, "resume", vm_id)
        await _reaches(one, vm_id, (3, 3))
        assert (await call(one.vn.info, 0)).USED_LEASES == 1


async def test_wrong_credentials_fail_every_call(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        for session in ("oneadmin:wrong", "nobody:x", "oneadmin"):
            with pytest.raises(pyone.OneAuthenticationException, match="couldn't be authenticated"):
                await call(client(zone, session).system.version)


async def test_tls_is_on_by_default_and_verifies_against_the_zones_own_ca(tmp_path: Path) -> None:
    async with running_zone(tmp_path, plain_http=False) as zone:
        assert zone.endpoints.oned.startswith("https://")
        assert await call(client(zone).system.version) == "7.0.1"
