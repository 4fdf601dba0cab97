"""The CONTEXT vector and the token on the CONTEXT disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zonebox_support import settings_for
from zonebox.clock import ManualClock
from zonebox.model import context
from zonebox.zone import Zone


def test_the_token_is_the_recorded_one_for_the_recorded_password_and_vm() -> None:
    # The first VM of the recordings: its owner's TOKEN_PASSWORD, its STIME, and the X-ONEGATE-TOKEN it was read with.
    password = "c98e2e746c36e1ec0eff56fbdfd429d51fb474813202752fe5b5415dc9840dc4"
    assert context.token(password, 0, "1795492735") == "9lcFW8ABzXkhcPXTuknr6w=="


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(settings_for(tmp_path, onegate_host="gate.example"), clock=ManualClock())


def _context(zone: Zone, source: str) -> dict[str, str]:
    root = zone.users.by_id(0)
    vm_id = zone.model.vms.allocate(root, f'NAME="web"\nCPU="1"\nMEMORY="64"\nFL_X="7"\n{source}', hold=True)
    made: dict[str, str] = zone.machines.info(vm_id)["TEMPLATE"]["CONTEXT"]
    return made


def test_variables_are_replaced_and_braces_are_left_for_oneflow(zone: Zone) -> None:
    made = _context(zone, 'CONTEXT=[A="$NAME-$VMID",B="$FL_X",C="$NOTHING",D="${role.IP}",E="$USER[TOKEN_PASSWORD]"]')
    assert (made["A"], made["B"], made["C"], made["D"]) == ("web-0", "7", "", "${role.IP}")
    assert made["E"] == zone.machines.token_password(0)


def test_token_yes_adds_the_vm_id_and_onegates_url_and_nothing_else_does(zone: Zone) -> None:
    with_token = _context(zone, 'CONTEXT=[TOKEN="YES"]')
    assert with_token["ONEGATE_ENDPOINT"] == "http://gate.example:5030"
    assert with_token["VMID"] == "0"
    without = _context(zone, 'CONTEXT=[A="1"]')
    assert set(without) == {"A", "DISK_ID", "TARGET"}


def test_a_caller_cannot_set_what_oned_makes(zone: Zone) -> None:
    made = _context(zone, 'CONTEXT=[TOKEN="YES",ONEGATE_ENDPOINT="http://evil",VMID="99",ETH0_MAC="x"]')
    assert (made["ONEGATE_ENDPOINT"], made["VMID"]) == ("http://gate.example:5030", "0")
    assert "ETH0_MAC" not in made
