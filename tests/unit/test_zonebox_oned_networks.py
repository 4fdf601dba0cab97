"""Virtual networks: leases, holds, reservations, what keeps a network from being deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zonebox_model_support import StillZone


@pytest.fixture
async def zone(tmp_path: Path) -> StillZone:
    still = StillZone(tmp_path)
    still.network(size=4)
    await still.pass_time()
    return still


VM = 'NAME="v"\nCPU="0.1"\nMEMORY="32"\nNIC=[NETWORK_ID="0"{}]'


def _leases(zone: StillZone) -> list[str]:
    leases = zone.root("vn.info", 0)["AR_POOL"]["AR"]["LEASES"]
    rows = leases["LEASE"] if leases else []
    return [row["IP"] for row in (rows if isinstance(rows, list) else [rows])]


async def test_a_network_is_locked_first_and_its_range_is_still_in_the_template(tmp_path: Path) -> None:
    still = StillZone(tmp_path)
    still.network()
    network = still.root("vn.info", 0)
    assert (network["STATE"], network["AR_POOL"]) == ("2", "")
    assert network["TEMPLATE"]["AR"]["IP"] == "10.0.0.1"


async def test_the_lowest_free_address_is_leased_and_comes_back_when_the_vm_is_done(zone: StillZone) -> None:
    first, second = (zone.root("vm.allocate", VM.format("")) for _ in range(2))
    assert _leases(zone) == ["10.0.0.1", "10.0.0.2"]
    zone.root("vm.action", "terminate", first)
    await zone.pass_time()
    assert _leases(zone) == ["10.0.0.2"]
    zone.root("vm.allocate", VM.format(""))
    assert _leases(zone) == ["10.0.0.1", "10.0.0.2"]
    assert zone.vm(second)["TEMPLATE"]["NIC"]["MAC"] == "02:00:0a:00:00:02"


async def test_a_requested_address_is_given_once(zone: StillZone) -> None:
    zone.root("vm.allocate", VM.format(',IP="10.0.0.3"'))
    assert _leases(zone) == ["10.0.0.3"]
    code, text = zone.root.refused("vm.allocate", VM.format(',IP="10.0.0.3"'))
    assert (code, text) == (8192, "[one.vm.allocate] Cannot get IP/MAC lease from virtual network 0.")


async def test_a_refused_vm_leaves_no_lease_behind(zone: StillZone) -> None:
    two_nics = VM.format("") + '\nNIC=[NETWORK_ID="0",IP="10.9.9.9"]'
    zone.root.refused("vm.allocate", two_nics)
    assert _leases(zone) == []
    assert zone.root("vmpool.info", -2, -1, -1, -1) == {}


async def test_a_held_address_is_not_leased_until_it_is_released(zone: StillZone) -> None:
    zone.root("vn.hold", 0, 'LEASES=[IP="10.0.0.1"]')
    zone.root("vm.allocate", VM.format(""))
    assert _leases(zone) == ["10.0.0.1", "10.0.0.2"]
    zone.root("vn.release", 0, 'LEASES=[IP="10.0.0.1"]')
    assert _leases(zone) == ["10.0.0.2"]
    code, text = zone.root.refused("vn.hold", 0, 'LEASES=[IP="10.0.0.2"]')
    assert code == 8192
    assert "10.0.0.2 is already in use" in text


async def test_a_reservation_takes_addresses_and_gives_them_back(zone: StillZone) -> None:
    child = zone.root("vn.reserve", 0, 'NAME="mine"\nSIZE="2"')
    assert _leases(zone) == ["10.0.0.1", "10.0.0.2"]
    reserved = zone.root("vn.info", child)
    assert (reserved["PARENT_NETWORK_ID"], reserved["AR_POOL"]["AR"]["SIZE"]) == ("0", "2")
    zone.root("vm.allocate", f'CPU="1"\nMEMORY="32"\nNIC=[NETWORK_ID="{child}"]')
    code, text = zone.root.refused("vn.delete", child)
    assert (code, "leases in use" in text) == (2048, True)
    zone.root("vm.action", "terminate", 0)
    await zone.pass_time()
    zone.root("vn.delete", child)
    await zone.pass_time()
    assert _leases(zone) == []


async def test_too_large_a_reservation_changes_nothing(zone: StillZone) -> None:
    code, text = zone.root.refused("vn.reserve", 0, 'NAME="mine"\nSIZE="5"')
    assert (code, "Not enough free addresses" in text) == (8192, True)
    assert _leases(zone) == []


async def test_a_range_may_shrink_only_to_where_no_lease_falls_out(zone: StillZone) -> None:
    zone.root("vm.allocate", VM.format(',IP="10.0.0.4"'))
    _, text = zone.root.refused("vn.update_ar", 0, 'AR=[AR_ID="0",SIZE="3"]')
    assert "used leases that would fall outside" in text
    zone.root("vn.update_ar", 0, 'AR=[AR_ID="0",SIZE="9"]')
    assert zone.root("vn.info", 0)["AR_POOL"]["AR"]["IP_END"] == "10.0.0.9"


@pytest.mark.parametrize(
    ("ar", "text"),
    [
        ('TYPE="IP4",SIZE="2"', "Wrong or empty IP attribute"),
        ('TYPE="IP4",IP="10.0.0.1"', "Wrong SIZE for address range"),
        ('TYPE="IP5",IP="10.0.0.1",SIZE="1"', "Unknown or missing address range TYPE."),
        ('TYPE="IP4",IP="10.0.0.1",SIZE="1",MAC="zz"', "Wrong format for MAC attribute"),
        ('TYPE="IP4",IP="255.255.255.255",SIZE="2"', "Wrong SIZE for address range"),
    ],
)
async def test_a_wrong_range_is_refused(zone: StillZone, ar: str, text: str) -> None:
    assert zone.root.refused("vn.add_ar", 0, f"AR=[{ar}]") == (8192, f"[one.vn.add_ar] {text}")
