"""Does what the model leaves for later: copies files, starts and stops guests through the driver. It decides no state:
it asks lifecycle.py before and tells it after, each in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from zonebox import files
from zonebox.drivers.base import DiskSpec, Driver, DriverError, GuestSpec, GuestState
from zonebox.drivers.nics import nics_of
from zonebox.model import context, history
from zonebox.model.images import ERROR as IMAGE_ERROR
from zonebox.model.lifecycle import DELETE_RECREATE
from zonebox.model.states import HOTPLUGGED, UNDER_WAY, Vm, state_name
from zonebox.model.zone_model import Model
from zonebox.phases import Phases
from zonebox.trees import Tree, flag, text, vectors
from zonebox.work import Work

_log = logging.getLogger("zonebox.executor")
_FIRST_ERROR_LINE = 500
# What a VM found in one of these states after a restart was about to become: "action:state:keeps host".
_INTERRUPTED = {
    "SHUTDOWN": f"vm_stop-hard|{int(Vm.DONE)}:0",
    "CLEANUP_DELETE": f"vm_stop-hard|{int(Vm.DONE)}:0",
    "SHUTDOWN_POWEROFF": f"vm_stop-hard|{int(Vm.POWEROFF)}:1",
    "SAVE_SUSPEND": f"vm_stop-hard|{int(Vm.SUSPENDED)}:1",
    "SAVE_STOP": f"vm_stop-hard|{int(Vm.STOPPED)}:0",
    "SHUTDOWN_UNDEPLOY": f"vm_stop-hard|{int(Vm.UNDEPLOYED)}:0",
}


class Executor:
    """Runs work items.

    Args:
        model: the zone's objects.
        driver: what runs VMs.
        work: the queue.
        state: the zone's folder.
        phases: lets each phase of a VM begin, or fail.
    """

    def __init__(self, model: Model, driver: Driver, work: Work, state: Path, phases: Phases) -> None:
        self.phases = phases
        self.model = model
        self.driver = driver
        self.work = work
        self.state = state
        self._stops: dict[int, int] = {}
        self._asked: set[int] = set()
        work.due = self._hurry
        model.file_removed = lambda path: files.remove(path, state)
        model.vm_forgotten = self._remove_folder

    async def handle(self, kind: str, object_id: int) -> None:
        """Run one item. Raises ValueError: a kind that is none."""
        name, _, rest = kind.partition("|")
        if name == "schedule":
            with self.model.store.transaction():
                self.model.lifecycle.place_waiting()
        elif name == "vnet_ready":
            with self.model.store.transaction():
                self.model.vnets.ready(object_id)
        elif name == "vnet_gone":
            with self.model.store.transaction():
                self.model.vnets.gone(object_id)
        elif name == "image_ready":
            await self._register(object_id)
        elif name == "vm_boot":
            await self._boot(object_id)
        elif name in {"vm_stop", "vm_stop-hard"}:
            state, keeps_host = rest.split(":")
            await self._stop(object_id, hard=name == "vm_stop-hard", ends=Vm(int(state)), keeps_host=keeps_host == "1")
        elif name in {"vm_reboot", "vm_reboot-hard"}:
            await self._reboot(object_id, hard=name == "vm_reboot-hard")
        elif name == "vm_hotplug":
            await self._hotplug(object_id)
        elif name == "vm_exited":
            if rest and int(rest) != self._stops.get(object_id, 0):
                return
            with self.model.store.transaction():
                self.model.lifecycle.exited(object_id)
        else:
            raise ValueError(f"unknown work item {kind}")

    # -- images ----------------------------------------------------------------------------------------------------

    async def _register(self, id_: int) -> None:
        image = self.model.store.get("image", id_)
        if image is None:
            return
        goal = files.target(self.state, int(image["DATASTORE_ID"]), id_)
        error = ""
        try:
            sha1 = text(image["TEMPLATE"], "SHA1")
            await asyncio.to_thread(files.bring_in, image["PATH"], int(image["SIZE"]), goal, sha1=sha1)
        except files.FileError as problem:
            error = str(problem)
        with self.model.store.transaction():
            self.model.images.registered(id_, str(goal), error)
        if self.model.store.view("image", id_) is None:
            goal.unlink(missing_ok=True)

    # -- VMs -------------------------------------------------------------------------------------------------------

    def spec(self, vm: Tree) -> GuestSpec:
        """What the driver needs to know of a VM."""
        tree, id_ = vm["TEMPLATE"], int(vm["ID"])
        made = next(iter(vectors(tree, "CONTEXT")), {})
        has_token = flag(made, "TOKEN")
        nic = next((item for item in vectors(tree, "NIC") if text(item, "IP")), {})
        disks = [disk for disk in _booted_first(tree) if text(disk, "IMAGE_ID")]
        return GuestSpec(
            vm_id=id_,
            zone=self.model.settings.name,
            uuid=text(tree["OS"], "UUID"),
            name=vm["NAME"],
            folder=self.folder(id_),
            context={key: str(value) for key, value in made.items()},
            token=self._token(vm) if has_token else None,
            address=text(nic, "IP") or None,
            images=tuple(Path(text(disk, "SOURCE")) for disk in disks),
            disks=tuple(
                DiskSpec(
                    disk_id=int(text(disk, "DISK_ID")),
                    image_id=int(text(disk, "IMAGE_ID")),
                    image=Path(text(disk, "SOURCE")),
                    target=text(disk, "TARGET"),
                    persistent=text(disk, "PERSISTENT") == "YES",
                    readonly=text(disk, "READONLY") == "YES",
                )
                for disk in disks
            ),
            firmware=text(tree["OS"], "FIRMWARE"),
            root_mb=int(text(disks[0], "SIZE")) if disks else None,
            shares=self.model.settings.shares,
            nics=nics_of(made, vectors(tree, "NIC"), vectors(tree, "SECURITY_GROUP_RULE")),
            memory_mb=int(text(tree, "MEMORY") or 1024),
            vcpus=int(text(tree, "VCPU") or max(1, round(float(text(tree, "CPU") or 1)))),
        )

    def _token(self, vm: Tree) -> str | None:
        """Content of token.txt: with the token password of who made the VM, which may differ from its owner now.

        None where that user was deleted: OneGate would believe no token of its.
        """
        maker = int(text(vm["TEMPLATE"], "CREATED_BY") or vm["UID"])
        if self.model.store.view("user", maker) is None:
            return None
        return context.token(self.model.users.token_password(maker), int(vm["ID"]), vm["STIME"])

    def folder(self, vm_id: int) -> Path:
        """A VM's own folder."""
        return self.state / "vms" / str(vm_id)

    def _remove_folder(self, vm_id: int) -> None:
        shutil.rmtree(self.folder(vm_id), ignore_errors=True)

    def guest_exited(self, vm_id: int) -> None:
        """A guest is no more, and nobody asked for that."""
        self.work.add("vm_exited", vm_id, 0.0)

    def _on_exit(self, vm_id: int) -> Callable[[int], None]:
        """The driver's callback for a guest that ends by itself; once it was stopped, its end is not the next one's."""
        stops = self._stops.get(vm_id, 0)
        return lambda ended: self.work.add(f"vm_exited|{stops}", ended, 0.0)

    def _missing_image(self, vm: Tree) -> str:
        """Which image of a VM could not be brought in while it waited for it; "" where none."""
        for disk in vectors(vm["TEMPLATE"], "DISK"):
            image = self.model.store.view("image", int(text(disk, "IMAGE_ID") or -1))
            if image is not None and image["STATE"] == str(IMAGE_ERROR):
                return (
                    f"image {image['ID']} ({image['NAME']}) could not be registered; ERROR of its template says why. "
                    "Delete the VM and the image, and register it again"
                )
        return ""

    async def _boot(self, id_: int) -> None:
        before = self.model.vms.peek(id_)
        if state_name(before) == "PROLOG":
            reason = await self.phases.enter("prolog", before["NAME"]) or self._missing_image(before)
            if reason:
                with self.model.store.transaction():
                    self.model.lifecycle.prolog_failed(id_, reason)
                return
        with self.model.store.transaction():
            vm = self.model.lifecycle.booting(id_)
        if vm is None:
            return
        await self.model.clock.sleep(self.model.settings.delays.boot_s)
        try:
            if reason := await self.phases.enter("boot", vm["NAME"]):
                raise DriverError(reason)
            await self.driver.start(self.spec(vm), self._on_exit(id_))
        except Exception as error:
            with self.model.store.transaction():
                self.model.lifecycle.boot_failed(id_, _words(error, id_))
            return
        with self.model.store.transaction():
            self.model.lifecycle.booted(id_)

    async def _stop(self, id_: int, *, hard: bool, ends: Vm, keeps_host: bool) -> None:
        vm = self.model.vms.peek(id_)
        if state_name(vm) not in UNDER_WAY[ends]:
            return
        reason = await self._end_guest(vm, hard=hard)
        state = state_name(self.model.vms.peek(id_))
        if state not in UNDER_WAY[ends]:
            # Another action took over meanwhile (terminate-hard of a VM that is being powered off): its turn is next.
            return
        with self.model.store.transaction():
            # `recover --delete` cleans up also where the guest does not answer.
            if reason and state != "CLEANUP_DELETE":
                self.model.lifecycle.stop_failed(id_, reason)
            else:
                self.model.lifecycle.stopped(id_, ends, keeps_host=keeps_host)

    async def _end_guest(self, vm: Tree, *, hard: bool) -> str:
        """Stop a guest; the reason why that failed, or ""."""
        id_ = int(vm["ID"])
        if reason := await self.phases.enter("stop", vm["NAME"]):
            return reason[:_FIRST_ERROR_LINE]
        try:
            self._asked |= set() if hard else {id_}
            await self.driver.stop(id_, hard=hard)
        except Exception as error:
            return _words(error, id_)
        finally:
            self._asked.discard(id_)
        self._stops[id_] = self._stops.get(id_, 0) + 1
        return ""

    def _hurry(self, kind: str, vm_id: int) -> None:
        """What is to end hard does not wait until a guest that was asked to end has made up its mind."""
        kill = getattr(self.driver, "kill", None)
        if kind.startswith("vm_stop-hard|") and vm_id in self._asked and kill is not None:
            kill(vm_id)

    async def _hotplug(self, id_: int) -> None:
        """Change the devices and show the CONTEXT of a VM that runs."""
        vm = self.model.vms.peek(id_)
        if state_name(vm) not in HOTPLUGGED:
            return
        reason = (await self.phases.enter("hotplug", vm["NAME"]))[:_FIRST_ERROR_LINE]
        with self.model.store.transaction():
            self.model.devices.bring_to_an_end(id_, reason)
        after = self.model.vms.peek(id_)
        if state_name(after) in HOTPLUGGED:
            try:
                await self.driver.renew_context(self.spec(after))
            except Exception as error:
                reason = reason or _words(error, id_)
        with self.model.store.transaction():
            self.model.lifecycle.hotplugged(id_, reason)

    async def _reboot(self, id_: int, *, hard: bool) -> None:
        if state_name(self.model.vms.peek(id_)) != "RUNNING":
            return
        try:
            await self.driver.stop(id_, hard=hard)
        except Exception as error:
            with self.model.store.transaction():
                self.model.lifecycle.stop_failed(id_, _words(error, id_))
            return
        self._stops[id_] = self._stops.get(id_, 0) + 1
        try:
            await self.driver.start(self.spec(self.model.vms.peek(id_)), self._on_exit(id_))
        except Exception as error:
            _log.warning("VM %s did not come back from its reboot: %s", id_, _words(error, id_))
            self.guest_exited(id_)

    # -- after a restart -------------------------------------------------------------------------------------------

    async def resume(self) -> None:
        """Take up what the last process left: half-made images and networks, VMs in between, guests that run."""
        for image in self.model.images.everything():
            if image["STATE"] in {"4", "9", "10"}:
                self.work.add("image_ready", int(image["ID"]), 0.0)
        for network in self.model.vnets.everything():
            if network["STATE"] in {"2", "3"}:
                kind = "vnet_ready" if network["STATE"] == "2" else "vnet_gone"
                self.work.add(kind, int(network["ID"]), 0.0)
        await asyncio.to_thread(self._remove_leftovers)
        active = [int(vm["ID"]) for vm in self.model.vms.everything() if vm["STATE"] == str(int(Vm.ACTIVE))]
        await asyncio.gather(*(self._resume_vm(vm_id) for vm_id in active))
        self.model.wake_scheduler()

    def _remove_leftovers(self) -> None:
        """Delete what the last process had no time to: folders of VMs that are done, and files of images that are gone.

        CONTEXT's secrets are in such folders.
        """
        for folder in (self.state / "vms").glob("[0-9]*"):
            vm = self.model.store.view("vm", int(folder.name)) if folder.name.isdecimal() else None
            if folder.name.isdecimal() and (vm is None or vm["STATE"] == str(int(Vm.DONE))):
                shutil.rmtree(folder, ignore_errors=True)
        for file in (self.state / "datastores").glob("*/image-*"):
            number = file.name.removeprefix("image-").removesuffix(".partial")
            if number.isdecimal() and self.model.store.view("image", int(number)) is None:
                file.unlink(missing_ok=True)

    async def _resume_vm(self, id_: int) -> None:
        # The zone answers already: what is asked of this VM meanwhile waits until its guest is found.
        async with self.work.alone("vm", id_):
            vm = self.model.vms.peek(id_)
            name = state_name(vm)
            if name in _INTERRUPTED:
                await self._find_guest(vm)
                last = history.last(vm)
                if name == "CLEANUP_DELETE" and last is not None and last["ACTION"] == str(DELETE_RECREATE):
                    self.work.add(f"vm_stop-hard|{int(Vm.PENDING)}:0", id_, 0.0)
                else:
                    self.work.add(_INTERRUPTED[name], id_, 0.0)
            elif name in {"PROLOG", "BOOT", "BOOT_POWEROFF"}:
                self.work.add("vm_boot", id_, 0.0)
            elif name in {"RUNNING", "UNKNOWN", *HOTPLUGGED}:
                found = await self._find_guest(vm)
                with self.model.store.transaction():
                    if found == GuestState.STOPPED:
                        self.model.lifecycle.exited(id_)
                    elif found == GuestState.LOST:
                        self.model.lifecycle.lost(id_)
                    else:
                        self.model.lifecycle.found(id_)
                if found == GuestState.RUNNING and name in HOTPLUGGED:
                    self.work.add("vm_hotplug", id_, 0.0)

    async def _find_guest(self, vm: Tree) -> GuestState:
        """Have the driver find a guest again, and show it its CONTEXT; one that it cannot look for is lost.

        A zone with one guest that makes trouble starts all the same.
        """
        id_, found = int(vm["ID"]), GuestState.LOST
        try:
            found = await self.driver.reattach(self.spec(vm), self._on_exit(id_))
            # The last process may have stored a new CONTEXT and died before the guest was shown it.
            await self.driver.renew_context(self.spec(vm))
        except Exception as error:
            _log.warning("the guest of VM %s is %s: %s", id_, found.value, _words(error, id_))
        return found


def _words(error: Exception, vm_id: int) -> str:
    """Why a driver failed, for a VM's ERROR. What is no DriverError, such as a full disk, is in the log whole, too."""
    if not isinstance(error, DriverError):
        _log.error("the driver failed for VM %s", vm_id, exc_info=error)
        return f"{type(error).__name__}: {error}; the zone's log has the rest"[:_FIRST_ERROR_LINE]
    return str(error)[:_FIRST_ERROR_LINE]


def _booted_first(tree: Tree) -> list[Tree]:
    """A VM's disks, those that OS/BOOT names in its order and before the others."""
    boot = text(tree["OS"], "BOOT").split(",")
    ranks = {device: index for index, device in enumerate(boot) if device.startswith("disk")}
    return sorted(vectors(tree, "DISK"), key=lambda disk: ranks.get(f"disk{text(disk, 'DISK_ID')}", len(boot)))
