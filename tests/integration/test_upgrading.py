"""A rolling upgrade of a role in a zone whose guests say READY, or fail, as their image has it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyone
import pytest
import requests

from flower_federation.errors import InputError, ToolError
from flower_federation.upgrade_facts import MARK
from flower_federation.upgrading import Report, Request, upgrade_role
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone
from tests.patience import PATIENCE_S, wait_for
from zonebox.drivers.base import GuestSpec
from zonebox.drivers.fake import FakeDriver
from zonebox.embedded import EmbeddedZone

CHANGES = frozenset({"vm.update", "vm.updateconf", "vm.action", "vm.attach", "vm.detach"})
"""Calls that change a VM."""


class Killed(BaseException):
    """The command ends here, as by a signal that cannot be caught: nothing else of it runs."""


class Guests(FakeDriver):
    """Guests that boot from their first image: `good` gets READY and online, `waiting` READY, `broken` says why not."""

    def __init__(self) -> None:
        super().__init__()
        self.endpoint: Callable[[], Any] | None = None
        self.most_away = 0
        self.away: set[int] = set()
        self.boots_once_away = 0
        """How many must be away before the first may boot again."""
        self.hold = threading.Event()
        self.hold.set()
        self._booting: list[threading.Thread] = []

    async def start(self, spec: GuestSpec, on_exit: Callable[[int], None]) -> None:
        await super().start(spec, on_exit)
        if spec.images[0].read_text().startswith("broken"):
            # Said before the zone says RUNNING: how long anybody waits from then on does not matter.
            await asyncio.to_thread(self._boot, spec)
            return
        thread = threading.Thread(target=self._boot, args=(spec,))
        self._booting.append(thread)
        thread.start()

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        self.away.add(vm_id)
        self.most_away = max(self.most_away, len(self.away))
        if len(self.away) >= self.boots_once_away:
            self.hold.set()
        await super().stop(vm_id, hard=hard)

    def _boot(self, spec: GuestSpec) -> None:
        self.hold.wait(PATIENCE_S)
        assert self.endpoint is not None
        content = spec.images[0].read_text()
        said = {"READY": "YES", "FL_READY": "YES", "FL_STATE": "online"}
        if content.startswith("broken"):
            said = {"FL_READY": "NO", "FL_ERROR": base64.b64encode(b"the database cannot be migrated").decode()}
        elif spec.context.get("FL_FLOWER_VERSION") != content.split()[-1]:
            said = {"FL_READY": "NO", "FL_ERROR": base64.b64encode(b"another version").decode()}
        elif content.startswith("waiting"):
            said["FL_STATE"] = "waiting"
        if "READY" in said:
            # Before anybody can know, so that the next one to go is not counted beside it.
            self.away.discard(spec.vm_id)
        self.endpoint().vm.update(spec.vm_id, "\n".join(f'{name}="{value}"' for name, value in said.items()), 1)

    def join(self) -> None:
        for thread in self._booting:
            thread.join(PATIENCE_S)


def disks_of(vm: Any) -> list[Any]:
    found = vm.TEMPLATE["DISK"]
    return found if isinstance(found, list) else [found]


class Lab:
    """A service of SuperNodes whose second disk holds their state."""

    def __init__(self, zone: EmbeddedZone, guests: Guests, folder: Path, *, cardinality: int = 3) -> None:
        self.zone, self.guests, self.folder = zone, guests, folder
        self.one = self._client()
        guests.endpoint = self._client
        self.old = self.image("good 1.41.0", "1.41.0")
        state = self.image("state", "")
        self.template = self.one.template.allocate(
            f'NAME="node"\nCPU="0.1"\nMEMORY="8"\nDISK=[IMAGE_ID="{self.old}", TARGET="vda", CACHE="none"]\n'
            f'DISK=[IMAGE_ID="{state}"]\nOS=[BOOT="disk0,disk1"]\nCONTEXT=[FL_FLOWER_VERSION="1.41.0"]'
        )
        role = {"name": "supernode", "type": "vm", "template_id": self.template, "cardinality": cardinality}
        document = {"name": "pool", "deployment": "straight", "ready_status_gate": True, "roles": [role]}
        made = self.flow("POST", "/service_template", document)["DOCUMENT"]["ID"]
        action = {"action": {"perform": "instantiate", "params": {}}}
        self.service = int(self.flow("POST", f"/service_template/{made}/action", action)["DOCUMENT"]["ID"])
        wait_for(lambda: self.state() == 2, "the service")

    def _client(self) -> Any:
        return pyone.OneServer(self.zone.endpoints.oned, session=self.zone.session, https_verify=str(self.zone.ca_file))

    def image(self, content: str, version: str) -> int:
        path = self.folder / f"{content.replace(' ', '-')}.img"
        path.write_text(content)
        tag = f'FL_FLOWER_VERSION="{version}"' if version else ""
        number: int = self.one.image.allocate(f'NAME="{path.stem}"\nTYPE="OS"\nPATH="{path}"\n{tag}', 1)
        wait_for(lambda: self.one.image.info(number).STATE == 1, "the image")
        return number

    def name_image(self, number: int) -> None:
        """What `pulumi up` does with a new image.name: new VMs have it, those that run don't."""
        disks = self.one.template.info(self.template).TEMPLATE["DISK"]
        lines = [f'DISK=[IMAGE_ID="{number}", TARGET="vda", CACHE="none"]', f'DISK=[IMAGE_ID="{disks[1]["IMAGE_ID"]}"]']
        self.one.template.update(self.template, "\n".join(lines), 1)

    def flow(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method,
            self.zone.endpoints.oneflow + path,
            json=body,
            auth=(self.zone.username, self.zone.password),
            verify=str(self.zone.ca_file),
            timeout=PATIENCE_S,
        )
        assert answer.ok, answer.text
        return answer.json()

    def state(self) -> int:
        return int(self.flow("GET", f"/service/{self.service}")["DOCUMENT"]["TEMPLATE"]["BODY"]["state"])

    def vms(self) -> list[Any]:
        return sorted((self.one.vm.info(vm.ID) for vm in self.one.vmpool.info(-2, -1, -1, -1).VM), key=lambda vm: vm.ID)

    def images(self) -> list[list[str]]:
        return [sorted(disk["IMAGE"] for disk in disks_of(vm)) for vm in self.vms()]

    def upgrade(
        self,
        *,
        at_once: int = 1,
        ready_timeout_s: float = PATIENCE_S,
        role: str = "supernode",
        killed_after: Callable[[str, int], bool] = lambda _method, _count: False,
    ) -> Report:
        """Run the command; `killed_after` gets each call that changed a VM, and how many these were."""
        settings = ZoneSettings(
            endpoint=self.zone.endpoints.oned,
            flow_endpoint=self.zone.endpoints.oneflow,
            username=self.zone.username,
            password=self.zone.password,
            ca_file=str(self.zone.ca_file),
        )
        request = Request(
            service_id=self.service, role=role, max_unavailable=at_once, ready_timeout_s=ready_timeout_s,
            step_timeout_s=PATIENCE_S,
        )  # fmt: skip
        lines: list[str] = []
        zone = Zone(settings)
        call, count = zone.oned.call, itertools.count(1)

        async def watched(method: str, *arguments: Any) -> Any:
            answer = await call(method, *arguments)
            if method in CHANGES and killed_after(method, next(count)):
                raise Killed
            return answer

        zone.oned.call = watched  # type: ignore[method-assign]
        return asyncio.run(upgrade_role(zone, request, lines.append))


@pytest.fixture
def laboratory(zonebox_factory: Callable[..., EmbeddedZone], tmp_path: Path) -> Iterator[Callable[[int], Lab]]:
    """Makes a lab with so many nodes."""
    guests = Guests()
    yield lambda nodes: Lab(zonebox_factory(zone_driver=guests), guests, tmp_path, cardinality=nodes)
    guests.hold.set()
    guests.join()


@pytest.fixture
def lab(laboratory: Callable[[int], Lab]) -> Lab:
    return laboratory(3)


@pytest.fixture
def single(laboratory: Callable[[int], Lab]) -> Lab:
    return laboratory(1)


def facts(lab: Lab) -> list[tuple[Any, ...]]:
    """What a node is known by."""
    return [(vm.ID, vm.NAME, vm.USER_TEMPLATE["ROLE_NAME"]) for vm in lab.vms()]


def state_disks(lab: Lab) -> list[str]:
    return [disk["DISK_ID"] for vm in lab.vms() for disk in vm.TEMPLATE["DISK"] if disk["IMAGE"] == "state"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_every_vm_gets_the_new_image_and_version_and_stays_who_it_was(lab: Lab, at_once: int) -> None:
    known, disks = facts(lab), state_disks(lab)
    lab.name_image(lab.image("good 1.42.0", "1.42.0"))
    lab.guests.most_away, lab.guests.boots_once_away = 0, at_once
    lab.guests.hold.clear()
    report = lab.upgrade(at_once=at_once)
    assert len(report.done) == 3 and not report.rolled_back and not report.unchanged
    assert lab.images() == [["good-1.42.0", "state"]] * 3
    assert (facts(lab), state_disks(lab)) == (known, disks)
    assert lab.guests.most_away == at_once
    for vm in lab.vms():
        assert vm.TEMPLATE["CONTEXT"]["FL_FLOWER_VERSION"] == "1.42.0"
        assert vm.USER_TEMPLATE["READY"] == "YES" and not vm.USER_TEMPLATE.get(MARK)
        system = next(disk for disk in vm.TEMPLATE["DISK"] if disk["IMAGE"] != "state")
        assert system["TARGET"] == "vda"
        assert vm.TEMPLATE["OS"]["BOOT"] == f"disk{system['DISK_ID']},disk1"
    wait_for(lambda: lab.state() == 2, "the service to run again")
    assert lab.one.image.info(lab.old).STATE == 1, "nothing uses the old image"


def test_a_second_run_touches_nothing(lab: Lab) -> None:
    report = lab.upgrade()
    assert (report.done, len(report.unchanged)) == ([], 3)
    before = lab.zone.control.counts()
    lab.upgrade()
    changed = {name for name, count in lab.zone.control.counts().items() if count != before.get(name)}
    assert not {name for name in changed if "vm.action" in name or "vm.update" in name or "vm.attach" in name}


def test_a_vm_that_does_not_get_ready_goes_back_and_the_others_are_left_alone(lab: Lab) -> None:
    lab.name_image(lab.image("broken 1.42.0", "1.42.0"))
    report = lab.upgrade(ready_timeout_s=0.5)
    ((name, why),) = report.rolled_back.items()
    assert name == lab.vms()[0].NAME
    assert "the database cannot be migrated" in why
    assert report.done == []
    assert lab.images() == [["good-1.41.0", "state"]] * 3
    first = lab.vms()[0]
    assert first.USER_TEMPLATE["READY"] == "YES" and not first.USER_TEMPLATE.get(MARK)
    assert first.TEMPLATE["CONTEXT"]["FL_FLOWER_VERSION"] == "1.41.0"


def test_an_upgrade_that_was_interrupted_is_finished_by_the_next(lab: Lab) -> None:
    lab.name_image(lab.image("good 1.42.0", "1.42.0"))
    lab.zone.control.drop("one.vm.attach", times=1)
    lab.zone.control.fail("one.vm.attach", times=20, text="the datastore is full")
    with pytest.raises(ToolError, match=r"going back failed, too.*"):
        lab.upgrade()
    assert lab.images()[0] == ["state"]
    assert lab.vms()[0].USER_TEMPLATE[MARK].startswith(f"{lab.old}|vda")
    for fault in lab.zone.control.faults():
        lab.zone.control.clear(fault.id)
    report = lab.upgrade()
    assert len(report.done) == 3
    assert lab.images() == [["good-1.42.0", "state"]] * 3


def one_vm(lab: Lab) -> dict[str, Any]:
    """What an upgrade leaves of the only VM."""
    (vm,) = lab.vms()
    system = next(disk for disk in disks_of(vm) if disk["IMAGE"] != "state")
    return {
        "image": system["IMAGE"],
        "disk": (system["TARGET"], system["CACHE"]),
        "boots": vm.TEMPLATE["OS"]["BOOT"].replace(f"disk{system['DISK_ID']}", "it"),
        "version": vm.TEMPLATE["CONTEXT"]["FL_FLOWER_VERSION"],
        "disks": sorted(disk["IMAGE"] for disk in disks_of(vm))[1:],
        "said": (vm.USER_TEMPLATE["READY"], vm.USER_TEMPLATE["FL_STATE"]),
        "mark": vm.USER_TEMPLATE.get(MARK) or "",
    }


def test_a_run_that_was_killed_after_any_of_its_steps_is_finished_by_the_next(single: Lab) -> None:
    images = [("good-1.41.0", "1.41.0", single.old), ("good-1.42.0", "1.42.0", single.image("good 1.42.0", "1.42.0"))]
    for last in itertools.count(1):
        name, version, number = images[last % 2]
        single.name_image(number)
        steps: list[str] = []

        def kill(method: str, count: int, steps: list[str] = steps, last: int = last) -> bool:
            steps.append(method)
            return count == last

        try:
            single.upgrade(killed_after=kill)
        except Killed:
            assert not single.upgrade().rolled_back, f"killed after {steps}"
        wanted = {"image": name, "disk": ("vda", "none"), "boots": "it,disk1", "version": version}
        assert one_vm(single) == {**wanted, "disks": ["state"], "said": ("YES", "online"), "mark": ""}, (
            f"killed after {steps}"
        )
        if len(steps) < last:
            break
    assert {*steps} == CHANGES


def test_an_image_that_fails_is_undone_whole_also_by_the_run_after_one_that_was_killed(single: Lab) -> None:
    before = one_vm(single)
    single.name_image(single.image("broken 1.42.0", "1.42.0"))
    starts: list[str] = []

    def once_it_started(method: str, _count: int) -> bool:
        starts.extend([method] if method == "vm.action" else [])
        return len(starts) == 2

    with pytest.raises(Killed):
        single.upgrade(killed_after=once_it_started)
    assert one_vm(single)["version"] == "1.42.0"
    ((_, why),) = single.upgrade(ready_timeout_s=0.5).rolled_back.items()
    assert "the database cannot be migrated" in why
    assert one_vm(single) == before


def test_a_node_that_was_online_has_to_be_online_again_also_for_the_run_after_one_that_was_killed(single: Lab) -> None:
    single.name_image(single.image("waiting 1.42.0", "1.42.0"))
    with pytest.raises(Killed):
        single.upgrade(killed_after=lambda method, _count: method == "vm.attach")
    assert list(single.upgrade(ready_timeout_s=0.5).rolled_back) == [single.vms()[0].NAME]
    assert one_vm(single)["image"] == "good-1.41.0"


def test_a_vm_without_an_image_is_refused_before_anything_is_touched(single: Lab) -> None:
    (vm,) = single.vms()
    single.one.vm.action("poweroff-hard", vm.ID)
    wait_for(lambda: single.one.vm.info(vm.ID).STATE == 8, "the VM to be off")
    for disk in disks_of(vm):
        single.one.vm.detach(vm.ID, int(disk["DISK_ID"]))
        wait_for(lambda: single.one.vm.info(vm.ID).STATE == 8, "the disk to be gone")
    single.name_image(single.image("good 1.42.0", "1.42.0"))
    for _ in range(2):
        with pytest.raises(InputError, match=r"no disk with an image[\s\S]*remedy"):
            single.upgrade()
    assert not single.vms()[0].USER_TEMPLATE.get(MARK)


def test_what_cannot_be_upgraded_is_refused_before_anything_is_touched(lab: Lab) -> None:
    with pytest.raises(InputError, match="this one has supernode"):
        lab.upgrade(role="superlink")
    with pytest.raises(InputError, match="at least 1"):
        lab.upgrade(at_once=0)
    lab.one.template.update(lab.template, 'DISK=[TYPE="fs", SIZE="8"]', 1)
    with pytest.raises(InputError, match="names no image"):
        lab.upgrade()
    assert json.dumps(lab.images()) == json.dumps([["good-1.41.0", "state"]] * 3)
