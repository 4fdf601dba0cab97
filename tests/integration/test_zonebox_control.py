"""The control API of a running zone, used through its client and the fixtures of the pytest plugin."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyone
import pytest
import requests

from tests.patience import PATIENCE_S, wait_for
from tests.zonebox_support import client, zone_process
from zonebox.control import Control
from zonebox.embedded import EmbeddedZone
from zonebox.errors import ControlError

VM = 'NAME="{}"\nCPU="0.1"\nMEMORY="8"'


def one_of(zone: EmbeddedZone) -> Any:
    return pyone.OneServer(zone.endpoints.oned, session=zone.session, https_verify=str(zone.ca_file))


def vm_state(one: Any, vm_id: int) -> tuple[int, int]:
    vm = one.vm.info(vm_id)
    return int(vm.STATE), int(vm.LCM_STATE)


def becomes(one: Any, vm_id: int, *state: int) -> None:
    wait_for(lambda: vm_state(one, vm_id) == state, f"VM {vm_id} in state {state}")


def flow(zone: EmbeddedZone, path: str = "/service", **more: Any) -> requests.Response:
    credentials = (zone.username, zone.password)
    return requests.get(
        zone.endpoints.oneflow + path, auth=credentials, verify=str(zone.ca_file), timeout=PATIENCE_S, **more
    )


def test_a_method_fails_twice_and_then_succeeds(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    fault = zonebox.control.fail("one.vm.*", times=2, text="the database is locked")
    for _ in range(2):
        with pytest.raises(pyone.OneInternalException, match=r"\[one.vm.allocate\] the database is locked"):
            one.vm.allocate(VM.format("a"))
    assert one.vm.allocate(VM.format("a")) == 0
    (report,) = zonebox.control.faults()
    assert (report.id, report.seen, report.met, report.spent) == (fault, 2, 2, True)


def test_a_method_fails_with_the_code_that_the_test_wants(zonebox: EmbeddedZone) -> None:
    zonebox.control.fail("one.vm.allocate", code=512, times=1)
    with pytest.raises(pyone.OneAuthorizationException):
        one_of(zonebox).vm.allocate(VM.format("a"))
    zonebox.control.fail("one.*", code=502, times=1)
    answer = requests.post(zonebox.endpoints.oned, data="<x/>", verify=str(zonebox.ca_file), timeout=PATIENCE_S)
    assert answer.status_code == 200, "what is no method is met by no fault"
    with pytest.raises(xmlrpc.client.ProtocolError, match="502"):
        one_of(zonebox).system.version()


def test_a_lost_answer_is_of_a_call_that_was_made_and_a_dropped_one_of_a_call_that_was_not(
    zonebox: EmbeddedZone,
) -> None:
    one = one_of(zonebox)
    zonebox.control.lose("one.vm.allocate", times=1)
    with pytest.raises(requests.ConnectionError):
        one.vm.allocate(VM.format("lost"))
    zonebox.control.drop("one.vm.allocate", times=1)
    with pytest.raises(requests.ConnectionError):
        one.vm.allocate(VM.format("dropped"))
    assert [vm.NAME for vm in one.vmpool.info(-2, -1, -1, -1).VM] == ["lost"]


def test_oneflow_and_onegate_fail_by_route(zonebox: EmbeddedZone) -> None:
    zonebox.control.fail("oneflow GET /service", times=1, text="try later")
    failed = flow(zonebox)
    assert (failed.status_code, failed.text) == (503, "try later")
    assert flow(zonebox).status_code == 200
    zonebox.control.fail("onegate *", code=500)
    gate = requests.get(f"{zonebox.endpoints.onegate}/vm", verify=str(zonebox.ca_file), timeout=PATIENCE_S)
    assert gate.status_code == 500
    assert flow(zonebox).status_code == 200, "only OneGate is down"
    zonebox.control.fail("oneflow *", code=256)
    assert flow(zonebox).status_code == 503, "oned's code is no status of HTTP"


def test_onegate_that_does_not_answer_answers_when_the_fault_is_cleared(zonebox: EmbeddedZone) -> None:
    fault = zonebox.control.hang("onegate *")
    statuses: list[int] = []

    def ask() -> None:
        url = f"{zonebox.endpoints.onegate}/vm"
        statuses.append(requests.get(url, verify=str(zonebox.ca_file), timeout=PATIENCE_S).status_code)

    with pytest.raises(requests.Timeout):
        requests.get(f"{zonebox.endpoints.onegate}/vm", verify=str(zonebox.ca_file), timeout=0.2)
    # One who hangs up early may not have been heard.
    heard = zonebox.control.faults()[0].met
    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: zonebox.control.faults()[0].met > heard, "the second request")
    assert statuses == []
    zonebox.control.clear(fault)
    asking.join(PATIENCE_S)
    assert statuses == [401]


def test_a_zone_with_requests_that_hang_stops_all_the_same(zonebox_factory: Callable[..., EmbeddedZone]) -> None:
    zone = zonebox_factory()
    zone.control.hang("oneflow *")
    with pytest.raises(requests.Timeout):
        requests.get(zone.endpoints.oneflow, verify=str(zone.ca_file), timeout=0.2)


@pytest.mark.parametrize(("phase", "lcm_state"), [("prolog", 39), ("boot", 36)])
def test_a_vm_whose_phase_fails_says_why_and_runs_after_a_retry(
    zonebox: EmbeddedZone, phase: str, lcm_state: int
) -> None:
    one = one_of(zonebox)
    zonebox.control.fail(f"{phase} web_*", times=1, text="no space on the host")
    web, other = one.vm.allocate(VM.format("web_0")), one.vm.allocate(VM.format("db_0"))
    becomes(one, web, 3, lcm_state)
    becomes(one, other, 3, 3)
    assert "no space on the host" in one.vm.info(web).USER_TEMPLATE["ERROR"]
    one.vm.recover(web, 2)
    becomes(one, web, 3, 3)
    assert "ERROR" not in one.vm.info(web).USER_TEMPLATE


def test_a_vm_that_cannot_be_stopped_runs_on_and_stops_when_it_is_told_again(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    vm_id = one.vm.allocate(VM.format("web_0"))
    becomes(one, vm_id, 3, 3)
    zonebox.control.fail("stop web_0", times=1, text="the guest does not react")
    one.vm.action("poweroff", vm_id)
    wait_for(lambda: "ERROR" in one.vm.info(vm_id).USER_TEMPLATE, "the failure")
    assert vm_state(one, vm_id) == (3, 3)
    one.vm.action("poweroff", vm_id)
    becomes(one, vm_id, 8, 0)


def test_a_vm_that_was_deleted_is_gone_even_where_it_could_not_be_stopped(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    vm_id = one.vm.allocate(VM.format("web_0"))
    becomes(one, vm_id, 3, 3)
    zonebox.control.fail("stop web_0")
    one.vm.recover(vm_id, 3)
    becomes(one, vm_id, 6, 0)


def test_a_killed_guest_is_a_vm_that_is_powered_off(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    vm_id = one.vm.allocate(VM.format("web_0"))
    becomes(one, vm_id, 3, 3)
    zonebox.control.freeze(vm_id)
    zonebox.control.thaw(vm_id)
    zonebox.control.kill(vm_id)
    becomes(one, vm_id, 8, 0)
    with pytest.raises(ControlError, match="the VM is POWEROFF"):
        zonebox.control.kill(vm_id)


def test_a_full_datastore_refuses_images_until_it_is_empty_again(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    image = 'NAME="a"\nTYPE="DATABLOCK"\nSIZE="16"'
    before = int(one.datastore.info(1).FREE_MB)
    zonebox.control.fill(1, free_mb=15)
    with pytest.raises(pyone.OneInternalException, match="Not enough space in datastore"):
        one.image.allocate(image, 1)
    assert int(one.datastore.info(1).FREE_MB) == 15
    zonebox.control.empty(1)
    one.image.allocate(image, 1)
    assert int(one.datastore.info(1).FREE_MB) == before - 16


def test_a_manual_clock_stands_still_until_it_is_advanced(zonebox_factory: Callable[..., EmbeddedZone]) -> None:
    zone = zonebox_factory(clock="manual")
    one = one_of(zone)
    now = zone.control.now()
    one.vn.allocate('NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"', -1)
    assert (int(one.vn.info(0).STATE), zone.control.now()) == (2, now)
    assert zone.control.advance(5) == now + 5
    assert int(one.vn.info(0).STATE) == 1


def test_a_delay_of_an_hour_is_over_when_the_clock_is_moved(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    zonebox.control.delay("boot *", 3600, times=1)
    vm_id = one.vm.allocate(VM.format("late"))
    wait_for(lambda: zonebox.control.faults()[0].met == 1, "the boot")
    assert vm_state(one, vm_id) == (3, 2)
    zonebox.control.advance(3601)
    becomes(one, vm_id, 3, 3)


def test_requests_are_counted_by_name(zonebox: EmbeddedZone) -> None:
    one = one_of(zonebox)
    zonebox.control.reset_counts()
    for _ in range(3):
        one.system.version()
    flow(zonebox, "/service/77")
    assert zonebox.control.counts() == {"one.system.version": 3, "oneflow GET /service/ID": 1}
    assert zonebox.control.busiest_second() >= 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda control: control.fill(1, free_mb=10**9), "must be 0 to"),
        (lambda control: control.fill(9), "datastore 9: it must be one of 0, 1, 2"),
        (lambda control: control.freeze(9), "VM 9: it must exist"),
        (lambda control: control.advance(0), "must be more than 0"),
        (lambda control: control.advance(math.inf), "must be a number"),
        (lambda control: control.advance(1e12), "at most 3155760000"),
        (lambda control: control.fail(""), "a pattern names something"),
        (lambda control: control.clear(9), "fault 9: it must be one of none"),
    ],
)
def test_what_cannot_be_done_is_refused_with_rule_and_remedy(
    zonebox: EmbeddedZone, ask: Callable[[Control], object], said: str
) -> None:
    with pytest.raises(ControlError, match=said) as caught:
        ask(zonebox.control)
    assert caught.value.remedy.endswith(".")


def test_without_being_asked_for_there_is_no_control_api(tmp_path: Path) -> None:
    with zone_process(tmp_path) as zone:
        assert not (zone.settings.state / "control.sock").exists()
        with pytest.raises(ControlError, match="zonebox up --control"):
            Control(zone.settings.state).faults()


def _zonebox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zonebox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_the_command_breaks_a_zone_whose_folder_has_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    with zone_process(folder, control=True, plain_http=False) as zone:
        where = ("--state", str(zone.settings.state))
        assert (zone.settings.state / "control.sock").stat().st_mode & 0o777 == 0o600
        assert _zonebox("fault", "add", *where, "one.system.version", "--count", "1").stdout == "1\n"
        with pytest.raises(pyone.OneInternalException, match="fault injected"):
            client(zone).system.version()
        assert "fail   one.system.version  met 1 of 1" in _zonebox("fault", "list", *where).stdout
        assert _zonebox("fault", "clear", *where).stdout == "1 cleared\n"
        assert "1  one.system.version" in _zonebox("counts", *where).stdout
        assert float(_zonebox("clock", *where, "--advance", "60").stdout) > 60
        refused = _zonebox("fault", "fill", *where, "9")
        assert (refused.returncode, "Correct the number" in refused.stderr) == (2, True)


def test_a_clock_that_nobody_could_move_is_refused(tmp_path: Path) -> None:
    done = _zonebox("serve", "--state", str(tmp_path), "--name", "t", "--address", "127.0.0.1", "--clock", "manual")
    assert done.returncode == 2
    assert "add --control" in done.stderr
