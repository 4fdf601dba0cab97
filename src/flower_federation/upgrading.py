"""Brings the VMs of one OneFlow role to the image that their VM template names, a few at a time.

Each is powered off, gets the new image in place of the old one, and is resumed; the next is touched when it is READY
again, and online where it was. One that does not get READY goes back to its old image, and nothing else is begun.
Interrupted, the next run goes on where it was: each VM carries a mark while it is on its way.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from flower_federation import upgrade_facts as facts
from flower_federation.errors import InputError, ToolError
from flower_federation.imaging.catalog import VERSION
from flower_federation.upgrade_facts import MARK, Origin, Target, Vm
from pulumi_opennebula.errors import CloudError, OpenNebulaError, WaitedTooLongError
from pulumi_opennebula.provider.resources.machine_states import Phase, phase_of, state_of
from pulumi_opennebula.provider.templates import Vector, children, render, text_at
from pulumi_opennebula.provider.waiting import Object
from pulumi_opennebula.provider.zone import Zone

READY_TIMEOUT_S = 600.0
"""Longest wait for a VM to be READY on its new image: a boot takes a minute, a database's migration some more."""
STEP_TIMEOUT_S = 180.0
"""Longest wait for one step of OpenNebula's: power off, detach, attach, start."""
MERGE = 1
"""Last argument of `one.vm.update` and `one.vm.updateconf`: keep what is not named."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is upgraded, and how."""

    service_id: int
    role: str
    max_unavailable: int = 1
    """How many VMs are away at the same time."""
    ready_timeout_s: float = READY_TIMEOUT_S
    step_timeout_s: float = STEP_TIMEOUT_S


@dataclass(kw_only=True)
class Report:
    """What came of it."""

    target: Target
    done: list[str] = field(default_factory=list)
    """Names of VMs that have the image now."""
    unchanged: list[str] = field(default_factory=list)
    rolled_back: dict[str, str] = field(default_factory=dict)
    """Name -> why it went back to its old image."""

    @property
    def summary(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "image": self.target.name,
            "flower_version": self.target.version,
            "upgraded": self.done,
            "unchanged": self.unchanged,
            "rolled_back": self.rolled_back,
        }


async def upgrade_role(zone: Zone, request: Request, say: Callable[[str], None]) -> Report:
    """Upgrade a role; the report also where a VM went back.

    Raises:
        InputError: There is no such role, its template names no image, a VM has none, or a VM's mark is no upgrade's.
        ToolError: A VM could be brought neither to the new image nor back.
        OpenNebulaError: The zone does not answer.
    """
    check_unavailable(request.max_unavailable)
    numbers, target = await _role(zone, request)
    vms = [facts.vm_of(body) for body in [await zone.object("vm", number) for number in numbers] if body is not None]
    vms = [vm for vm in vms if vm.phase is not Phase.GONE]
    _check_images(vms)
    left = facts.order(vms, target)
    report = Report(target=target, unchanged=sorted(vm.name for vm in vms if vm not in left))
    turn, stop = asyncio.Semaphore(request.max_unavailable), asyncio.Event()

    async def one(vm: Vm) -> None:
        async with turn:
            if stop.is_set():
                return
            try:
                why = await _Machine(zone, request, vm.id, vm.name, say).upgrade(target)
            except BaseException:
                stop.set()
                raise
            if why:
                stop.set()
                report.rolled_back[vm.name] = why
            else:
                report.done.append(vm.name)

    results = await asyncio.gather(*(one(vm) for vm in left), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return report


def check_unavailable(count: int) -> None:
    """See that VMs may be away at all.

    Raises:
        InputError: None may.
    """
    if count < 1:
        raise InputError(
            given=f"--max-unavailable {count}",
            rule="it is at least 1",
            reason="a VM that is upgraded is away for a minute",
            remedy="give how many nodes a run can do without, or leave it out for one at a time",
        )


def _check_images(vms: list[Vm]) -> None:
    if bare := facts.without_image(vms):
        raise InputError(
            given=f"VM {', '.join(f'{vm.id} ({vm.name})' for vm in bare)}: no disk with an image",
            rule="every VM of the role has one",
            reason="an upgrade puts the new image in its place, and has nothing to go back to without it",
            remedy="have OneFlow make the VM anew from its template: scale the pool down and up",
        )


async def _role(zone: Zone, request: Request) -> tuple[tuple[int, ...], Target]:
    document = await zone.document(f"/service/{request.service_id}")
    roles = [] if document is None else list(children(document, "TEMPLATE", "BODY", "roles"))
    role = next((item for item in roles if item.get("name") == request.role), None)
    if role is None:
        raise InputError(
            given=f"service {request.service_id}, role {request.role!r}",
            rule=f"it is a role of a service that runs; this one has {', '.join(r['name'] for r in roles) or 'none'}",
            reason="its VMs and their template are found through it",
            remedy="bring the stack up first (federation up), or correct the numbers",
        )
    template = await zone.object("template", int(role["template_id"]))
    disk: object = next(children(template, "TEMPLATE", "DISK"), None)
    number = disk.get("IMAGE_ID", "") if isinstance(disk, dict) else ""
    image = await zone.object("image", int(number)) if str(number).isdigit() else None
    if image is None:
        raise InputError(
            given=f"VM template {role['template_id']} of the role {request.role!r}: its first disk names no image",
            rule="the first disk is the appliance's image, by its id",
            reason="that is the image which the VMs are brought to",
            remedy="set image.name in the stack's file, and bring the stack up",
        )
    numbers = tuple(int(node["deploy_id"]) for node in role.get("nodes") or [] if "deploy_id" in node)
    return numbers, Target(
        image_id=int(number), name=text_at(image, "NAME"), version=text_at(image, "TEMPLATE", VERSION)
    )


class _Machine:
    """One VM on its way."""

    def __init__(self, zone: Zone, request: Request, number: int, name: str, say: Callable[[str], None]) -> None:
        self._zone = zone
        self._request = request
        self._number = number
        self._name = name
        self._say = say

    async def upgrade(self, target: Target) -> str:
        """Bring the VM to the target; empty, or why it is back on its old image."""
        before = await self._facts()
        # Where the last run was interrupted, the VM itself says little of how it was.
        origin = before.origin
        online = before.state == "online" or (origin is not None and origin.online)
        try:
            await self._exchange(target.image_id, target.version)
            self._say(f"{self._name}: {target.name}; waiting until it is READY{' and online' if online else ''}")
            await self._ready(online=online)
        except CloudError as error:
            why = await self._told(error)
            self._say(f"{self._name}: goes back to its old image: {why}")
            await self._back(origin, before.version, why, online=online)
            return why
        await self._forget()
        self._say(f"{self._name}: upgraded")
        return ""

    async def _back(self, origin: Origin | None, version: str, why: str, *, online: bool) -> None:
        try:
            if origin is None:
                raise ToolError(
                    given=f"VM {self._number} ({self._name}) without the image that it had",
                    rule="an upgrade that fails is undone",
                    reason=why,
                    remedy="attach the image that it shall have and resume it by hand",
                )
            await self._exchange(origin.image_id, version if origin.version is None else origin.version)
            await self._ready(online=online, at_least_s=READY_TIMEOUT_S)
        except OpenNebulaError as error:
            raise ToolError(
                given=f"VM {self._number} ({self._name}): {why}",
                rule="an upgrade that fails is undone",
                reason=f"going back failed, too: {error}",
                remedy="look at the VM's console and log in its zone; run the command again to go on from here",
            ) from error
        await self._forget()

    async def _exchange(self, image: int, version: str) -> None:
        """Power off, exchange the image's disk, resume; each step only where it is left to do."""
        vm = await self._settled()
        if vm.image_id == image and vm.phase is Phase.RUNNING and vm.came_from is not None:
            return
        if vm.came_from is None and vm.origin is not None:
            await self._attributes({MARK: facts.mark_of(vm.origin)})
        if vm.phase is not Phase.OFF:
            self._say(f"{self._name}: powering off")
            await self._off()
        await self._swap(image)
        if version:
            await self._configure([("CONTEXT", {"FL_FLOWER_VERSION": version})])
        # What it said before it was powered off says nothing of the new image.
        await self._attributes({"READY": "NO", "FL_READY": "NO", "FL_STATE": "starting", "FL_ERROR": ""})
        await self._zone.oned.call("vm.action", "resume", self._number)
        await self._until(lambda found: phase_of(found) is Phase.RUNNING, "starting")

    async def _settled(self) -> Vm:
        """The VM, once what an interrupted run began is over: OpenNebula refuses a step in the middle of another."""
        vm = await self._facts()
        if vm.phase is Phase.BUSY:
            # A host that does not answer, for instance, is no reason to wait for longer, nor one to give up.
            with contextlib.suppress(WaitedTooLongError):
                await self._until(lambda found: phase_of(found) is not Phase.BUSY, "coming to rest")
            vm = await self._facts()
        return vm

    async def _off(self) -> None:
        await self._zone.oned.call("vm.action", "poweroff", self._number)
        try:
            await self._until(lambda found: phase_of(found) is Phase.OFF, "powering off")
        except CloudError:
            # The guest did not listen; its services have had their time.
            await self._zone.oned.call("vm.action", "poweroff-hard", self._number)
            await self._until(lambda found: phase_of(found) is Phase.OFF, "powering off")

    async def _swap(self, image: int) -> None:
        """Have the image in the old one's place, and booted; each step only where it is left to do."""
        vm = await self._facts()
        if vm.image_id != image and vm.origin is not None:
            if vm.disk_id is not None:
                await self._zone.oned.call("vm.detach", self._number, vm.disk_id)
                await self._until(_settled_without(image=vm.image_id), "detaching the old image")
            vector: Vector = facts.attach_attributes(image, vm.origin)
            await self._zone.oned.call("vm.attach", self._number, render([("DISK", vector)]))
            await self._until(_settled_with(image=image), "attaching the new image")
            vm = await self._facts()
        if vm.disk_id is not None:
            boot = facts.boot_order(vm.boot, vm.disk_ids, vm.disk_id)
            if boot != vm.boot:
                await self._configure([("OS", {"BOOT": boot})])

    async def _ready(self, *, online: bool, at_least_s: float = 0.0) -> None:
        def decide(found: Object | None) -> bool:
            ready = text_at(found or {}, "USER_TEMPLATE", "READY") == "YES"
            return ready and (not online or text_at(found or {}, "USER_TEMPLATE", "FL_STATE") == "online")

        # The old image is all that is left: it has its time also where the new one was given little.
        timeout_s = max(self._request.ready_timeout_s, at_least_s)
        await self._until(decide, "getting READY", timeout_s=timeout_s)

    async def _until(self, decide: Callable[[Object | None], bool], what: str, *, timeout_s: float = 0.0) -> None:
        await self._zone.machines.until(
            str(self._number),
            decide,
            what=f"VM {self._number} ({self._name}), {what},",
            timeout_s=timeout_s or self._request.step_timeout_s,
            describe=state_of,
        )

    async def _facts(self) -> Vm:
        body = await self._zone.object("vm", self._number)
        if body is None:
            raise ToolError(
                given=f"VM {self._number} ({self._name}) is gone",
                rule="a VM stays while it is upgraded",
                reason="somebody terminated it, or its service scaled down",
                remedy="run the command again for the VMs that are left",
            )
        return facts.vm_of(body)

    async def _attributes(self, values: dict[str, str]) -> None:
        await self._zone.oned.call("vm.update", self._number, render(list(values.items())), MERGE)

    async def _configure(self, values: list[tuple[str, str | Vector]]) -> None:
        await self._zone.oned.call("vm.updateconf", self._number, render(values), MERGE)

    async def _forget(self) -> None:
        """Take the mark away: merging an empty value leaves an empty attribute, which says the same."""
        await self._attributes({MARK: ""})

    async def _told(self, error: CloudError) -> str:
        """What went wrong: what the guest said of itself, else what was waited for."""
        vm = await self._facts()
        try:
            said = base64.b64decode(vm.error, validate=True).decode(errors="replace").strip()
        except (binascii.Error, ValueError):
            said = ""
        return f"it says: {said}" if said else f"{error.value}"


def _settled_without(*, image: int | None) -> Callable[[Object | None], bool]:
    return lambda found: phase_of(found) is Phase.OFF and str(image) not in _images(found)


def _settled_with(*, image: int) -> Callable[[Object | None], bool]:
    return lambda found: phase_of(found) is Phase.OFF and str(image) in _images(found)


def _images(found: Object | None) -> set[str]:
    disks = children(found, "TEMPLATE", "DISK")
    return {str(disk.get("IMAGE_ID")) for disk in disks if isinstance(disk, dict)}
