"""A VM's life: what each event changes in the zone's objects. Starting and stopping guests is the executor's business;
it asks here before and tells here after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import history, nics, placement, quotas
from zonebox.model.states import HOTPLUGGED, Lcm, Step, Vm, refuse_unless, state_name, step_for
from zonebox.ports import Caller
from zonebox.trees import Tree, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

FAILURE, SUCCESS, RETRY, DELETE, RECREATE = range(5)
"""Operations of one.vm.recover."""
DELETE_RECREATE = 26
"""Action of a history record: a VM that is cleaned up to be made anew (as in OpenNebula's schema of VMs)."""
_HYPERVISOR_DEPLOYED = "dummy"


class Lifecycle:
    """Transitions of the zone's VMs.

    Args:
        model: the zone's objects.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    # -- placement -------------------------------------------------------------------------------------------------

    def place_waiting(self) -> None:
        """Give every pending VM a host, or a SCHED_MESSAGE that says why not."""
        vms = self.model.vms
        host_of = {int(vm["ID"]): host for vm in vms.alive() if (host := history.host_of(vm)) is not None}
        groups = self.model.vmgroups.everything()
        for waiting in placement.waiting(vms.everything()):
            if self._images_not_ready(waiting):
                continue
            near = placement.neighbours(waiting, groups, host_of)
            choice = placement.choose(waiting, self.model.hosts.everything(), near)
            vm = vms.find(int(waiting["ID"]))
            if isinstance(choice, str):
                # A message per attempt would grow nothing but the database: it is kept until its text changes.
                if not text(vm["USER_TEMPLATE"], "SCHED_MESSAGE").endswith(choice):
                    message = f"{self.model.time_text()}: {choice}"
                    vm["USER_TEMPLATE"] = template.merge(vm["USER_TEMPLATE"], {"SCHED_MESSAGE": message})
                    vms.save(vm)
                continue
            self._deploy(vm, choice)
            host_of[int(vm["ID"])] = choice.host_id

    def deploy(self, caller: Caller, id_: int, host_id: int) -> None:
        """one.vm.deploy: an operator chooses the host, whatever runs there. Raises OneError."""
        self.model.hosts.get(caller, host_id, "ADMIN")
        vm = self.model.vms.get(caller, id_, "ADMIN")
        refuse_unless(vm, "deploy", ("PENDING", "HOLD"))
        devices = placement.pick_devices(vm["TEMPLATE"], self.model.hosts.peek(host_id))
        if devices is None:
            raise Refused(f"Cannot deploy VM. Host {host_id} has no free PCI device that the VM asks for.")
        self._deploy(vm, placement.Choice(host_id=host_id, pci=devices))

    def _images_not_ready(self, vm: Tree) -> bool:
        images = [text(disk, "IMAGE_ID") for disk in vectors(vm["TEMPLATE"], "DISK")]
        found = [self.model.store.view("image", int(number)) for number in images if number]
        return any(image is not None and image["STATE"] in {"4", "9", "10"} for image in found)

    def _deploy(self, vm: Tree, choice: placement.Choice) -> None:
        id_ = int(vm["ID"])
        host = self.model.hosts.peek(choice.host_id)
        tree = vm["TEMPLATE"]
        self.model.hosts.occupy(choice.host_id, id_, placement.cpu_of(tree), placement.memory_kb_of(tree), choice.pci)
        devices = {d["SHORT_ADDRESS"]: d for d in vectors(host["HOST_SHARE"]["PCI_DEVICES"], "PCI")}
        for number, (wanted, address) in enumerate(zip(vectors(tree, "PCI"), choice.pci, strict=True)):
            keys = (
                "ADDRESS",
                "BUS",
                "CLASS",
                "DEVICE",
                "DOMAIN",
                "FUNCTION",
                "NUMA_NODE",
                "SHORT_ADDRESS",
                "SLOT",
                "VENDOR",
            )
            found = {key: devices[address][key] for key in keys}
            made = dict(sorted({**wanted, **found, "PCI_ID": str(number)}.items()))
            wanted.clear()
            wanted.update(made)
        self._bring_disks_up_to_date(tree)
        for graphics in vectors(tree, "GRAPHICS"):
            graphics.setdefault("PORT", str(5900 + id_ % 59635))
            tree["GRAPHICS"] = dict(sorted(graphics.items()))
        tree["TM_MAD_SYSTEM"] = self.model.tm_mad
        vm["TEMPLATE"] = dict(sorted(tree.items()))
        vm["USER_TEMPLATE"].pop("SCHED_MESSAGE", None)
        fresh = not vectors(vm["HISTORY_RECORDS"], "HISTORY")
        history.placed(
            vm, {**host, "TM_MAD": self.model.tm_mad}, self.model.now(), with_prolog=fresh or vm["STATE"] == "1"
        )
        self.set_state(vm, Vm.ACTIVE, Lcm.PROLOG)
        self.model.vms.save(vm)
        self.model.later("vm_boot", id_, self.model.settings.delays.prolog_s)

    def _bring_disks_up_to_date(self, tree: Tree) -> None:
        """An image that was still being copied when the VM was made has its SOURCE now."""
        for disk in vectors(tree, "DISK"):
            image = self.model.store.view("image", int(text(disk, "IMAGE_ID") or -1))
            if image is not None:
                disk["SOURCE"] = image["SOURCE"]
                disk["FORMAT"] = image["FORMAT"] or disk["FORMAT"]
                disk["IMAGE_STATE"] = image["STATE"]

    @staticmethod
    def set_state(vm: Tree, state: Vm, lcm: Lcm = Lcm.LCM_INIT) -> None:
        """Set STATE and LCM_STATE; oned shows the same as PREV_* (as recorded)."""
        vm["STATE"] = vm["PREV_STATE"] = str(int(state))
        vm["LCM_STATE"] = vm["PREV_LCM_STATE"] = str(int(lcm))

    # -- what the executor tells -----------------------------------------------------------------------------------

    def booting(self, id_: int) -> Tree | None:
        """The VM goes from PROLOG to BOOT; None where it is no longer to be booted."""
        vm = self.model.vms.find(id_)
        if state_name(vm) not in {"PROLOG", "BOOT", "BOOT_POWEROFF"}:
            return None
        if state_name(vm) == "PROLOG":
            self.set_state(vm, Vm.ACTIVE, Lcm.BOOT)
            self.model.vms.save(vm)
        return vm

    def booted(self, id_: int) -> None:
        """The guest runs."""
        vm = self.model.vms.find(id_)
        if state_name(vm) not in {"BOOT", "BOOT_POWEROFF"}:
            return
        self.set_state(vm, Vm.ACTIVE, Lcm.RUNNING)
        vm["DEPLOY_ID"] = f"{_HYPERVISOR_DEPLOYED}:{vm['NAME']}:{self.model.tm_mad}"
        self.model.vms.save(vm)

    def boot_failed(self, id_: int, reason: str) -> None:
        """The guest could not be started: BOOT_FAILURE with ERROR in the user template (as recorded)."""
        vm = self.model.vms.find(id_)
        if state_name(vm) not in {"BOOT", "BOOT_POWEROFF"}:
            return
        self._fail(vm, Lcm.BOOT_FAILURE, f"DEPLOY: {reason}")

    def prolog_failed(self, id_: int, reason: str) -> None:
        """The VM's disks could not be brought in: PROLOG_FAILURE with ERROR in the user template."""
        vm = self.model.vms.find(id_)
        if state_name(vm) == "PROLOG":
            self._fail(vm, Lcm.PROLOG_FAILURE, f"PROLOG: {reason}")

    def stop_failed(self, id_: int, reason: str) -> None:
        """The guest could not be stopped: the VM runs on, with ERROR in the user template (as OpenNebula does it)."""
        vm = self.model.vms.find(id_)
        if vm["STATE"] == str(int(Vm.ACTIVE)):
            self._fail(vm, Lcm.RUNNING, f"SHUTDOWN: {reason}")

    def _fail(self, vm: Tree, lcm: Lcm, error: str) -> None:
        self.set_state(vm, Vm.ACTIVE, lcm)
        if lcm != Lcm.RUNNING:
            history.stopped(vm, self.model.now())
        vm["USER_TEMPLATE"] = template.merge(vm["USER_TEMPLATE"], {"ERROR": f"{self.model.time_text()}: {error}"})
        self.model.vms.save(vm)

    def hotplugged(self, id_: int, reason: str) -> None:
        """Devices and CONTEXT of a running VM are as they are to be, or could not be changed: it is RUNNING again."""
        vm = self.model.vms.find(id_)
        if state_name(vm) not in HOTPLUGGED:
            return
        if reason:
            self._fail(vm, Lcm.RUNNING, f"{state_name(vm)}: {reason}")
            return
        self.set_state(vm, Vm.ACTIVE, Lcm.RUNNING)
        self.model.vms.save(vm)

    def exited(self, id_: int) -> None:
        """The guest ended by itself: the VM is POWEROFF."""
        self.model.devices.bring_to_an_end(id_, "")
        vm = self.model.vms.find(id_)
        if state_name(vm) in {"RUNNING", "UNKNOWN", "BOOT", "BOOT_POWEROFF", *HOTPLUGGED}:
            self.set_state(vm, Vm.POWEROFF)
            history.stopped(vm, self.model.now())
            self.model.vms.save(vm)

    def lost(self, id_: int) -> None:
        """After a restart of the zone the guest cannot be found: UNKNOWN."""
        self.model.devices.bring_to_an_end(id_, "")
        vm = self.model.vms.find(id_)
        if state_name(vm) in {"RUNNING", "UNKNOWN", *HOTPLUGGED}:
            self.set_state(vm, Vm.ACTIVE, Lcm.UNKNOWN)
            self.model.vms.save(vm)

    def found(self, id_: int) -> None:
        """A guest that was UNKNOWN runs."""
        vm = self.model.vms.find(id_)
        if state_name(vm) == "UNKNOWN":
            self.set_state(vm, Vm.ACTIVE, Lcm.RUNNING)
            self.model.vms.save(vm)

    def stopped(self, id_: int, ends: Vm, *, keeps_host: bool) -> None:
        """The guest was stopped by an action: the VM is where the action ends."""
        vm = self.model.vms.find(id_)
        self._end(vm, ends, keeps_host=keeps_host)

    # -- actions ---------------------------------------------------------------------------------------------------

    def act(self, caller: Caller, id_: int, action: str) -> None:
        """one.vm.action.

        Raises:
            ActionRefused: the state forbids it, in oned's words.
            NotAuthorized: the caller may not, or a limit of what runs is reached.
        """
        right = "ADMIN" if action in {"resched", "unresched"} else "MANAGE"
        vm = self.model.vms.get(caller, id_, right)
        step = step_for(vm, action)
        if action in {"resched", "unresched"}:
            vm["RESCHED"] = "1" if action == "resched" else "0"
            self.model.vms.save(vm)
            return
        history.acted(vm, step.history_action, caller.uid, caller.gid, self.model.request_id())
        if action == "resume":
            if vm["STATE"] != str(int(Vm.ACTIVE)):
                demands = [quotas.of_running(vm["TEMPLATE"])]
                quotas.check(self.model, int(vm["UID"]), int(vm["GID"]), demands)
            self._resume(vm)
        elif not step.job or (history.host_of(vm) is None and step.ends == Vm.DONE):
            self._end(vm, step.ends, keeps_host=step.keeps_host)
        else:
            self._begin(vm, step)

    def _resume(self, vm: Tree) -> None:
        if vm["STATE"] in {str(int(Vm.STOPPED)), str(int(Vm.UNDEPLOYED))}:
            self.set_state(vm, Vm.PENDING)
            self.model.vms.save(vm)
            self.model.wake_scheduler()
            return
        host_id = history.host_of(vm)
        host = self.model.hosts.peek(host_id if host_id is not None else -1)
        history.placed(vm, {**host, "TM_MAD": self.model.tm_mad}, self.model.now(), with_prolog=False)
        self.set_state(vm, Vm.ACTIVE, Lcm.BOOT_POWEROFF)
        self.model.vms.save(vm)
        self.model.later("vm_boot", int(vm["ID"]), 0.0)

    def _begin(self, vm: Tree, step: Step) -> None:
        self.set_state(vm, Vm.ACTIVE, step.lcm)
        self.model.vms.save(vm)
        ends = f"{int(step.ends)}:{int(step.keeps_host)}"
        self.model.later(f"vm_{step.job}|{ends}", int(vm["ID"]), self.model.settings.delays.stop_s)

    def _end(self, vm: Tree, ends: Vm, *, keeps_host: bool) -> None:
        id_, now = int(vm["ID"]), self.model.now()
        host_id = history.host_of(vm)
        self.set_state(vm, ends)
        if host_id is not None and ends in {Vm.POWEROFF, Vm.SUSPENDED}:
            history.stopped(vm, now)
        if host_id is not None and not keeps_host:
            history.left(vm, now)
        if ends == Vm.DONE:
            vm["ETIME"] = str(now)
            for graphics in vectors(vm["TEMPLATE"], "GRAPHICS"):
                graphics.pop("PORT", None)
        self.model.vms.save(vm)
        if host_id is not None and not keeps_host:
            tree = vm["TEMPLATE"]
            self.model.hosts.release(host_id, id_, placement.cpu_of(tree), placement.memory_kb_of(tree))
        if ends == Vm.DONE:
            self._give_back(vm)
        if ends == Vm.PENDING:
            self.model.wake_scheduler()

    def _give_back(self, vm: Tree) -> None:
        """Return what a VM holds: addresses, images, its place in VM groups. Its dict keeps showing them, as oned's."""
        id_ = int(vm["ID"])
        left = nics.all_of(vm["TEMPLATE"])
        while left:
            nic = left.pop()
            nics.release(self.model, id_, nic, left)
        for image_id in {text(disk, "IMAGE_ID") for disk in vectors(vm["TEMPLATE"], "DISK")} - {""}:
            self.model.images.release(int(image_id), id_)
        for group in vectors(vm["TEMPLATE"], "VMGROUP"):
            self.model.vmgroups.leave(int(text(group, "VMGROUP_ID") or -1), id_)
        self.model.forget_folder(id_)

    def recover(self, caller: Caller, id_: int, operation: int) -> None:
        """one.vm.recover: 0 failure, 1 success, 2 retry, 3 delete, 4 delete and recreate.

        Raises:
            ActionRefused: the state forbids it.
        """
        vm = self.model.vms.get(caller, id_, "ADMIN" if operation in {DELETE, RECREATE} else "MANAGE")
        name = state_name(vm)
        if operation == DELETE:
            if name == "DONE":
                raise ActionRefused("Could not recover VM. VM is in DONE state")
            if history.host_of(vm) is None:
                self._end(vm, Vm.DONE, keeps_host=False)
            else:
                self._begin(vm, Step(lcm=Lcm.CLEANUP_DELETE, job="stop-hard", ends=Vm.DONE, keeps_host=False))
        elif operation == RECREATE and name != "DONE":
            history.acted(vm, DELETE_RECREATE, caller.uid, caller.gid, self.model.request_id())
            if history.host_of(vm) is None:
                self._end(vm, Vm.PENDING, keeps_host=False)
            else:
                self._begin(vm, Step(lcm=Lcm.CLEANUP_DELETE, job="stop-hard", ends=Vm.PENDING, keeps_host=False))
        elif operation == RETRY and name == "PROLOG_FAILURE":
            vm["USER_TEMPLATE"].pop("ERROR", None)
            self.set_state(vm, Vm.ACTIVE, Lcm.PROLOG)
            self.model.vms.save(vm)
            self.model.later("vm_boot", id_, 0.0)
        elif operation == RETRY and name in {"BOOT_FAILURE", "BOOT", "PROLOG", "UNKNOWN"}:
            vm["USER_TEMPLATE"].pop("ERROR", None)
            self.set_state(vm, Vm.ACTIVE, Lcm.BOOT)
            self.model.vms.save(vm)
            self.model.later("vm_boot", id_, 0.0)
        elif operation == FAILURE and name in {"BOOT", "PROLOG"}:
            self.set_state(vm, Vm.ACTIVE, Lcm.BOOT)
            self.model.vms.save(vm)
            self.boot_failed(id_, "recovered as failure")
        elif operation == SUCCESS and name in {"BOOT", "BOOT_FAILURE"}:
            self.set_state(vm, Vm.ACTIVE, Lcm.BOOT)
            self.model.vms.save(vm)
            self.booted(id_)
        else:
            raise ActionRefused(
                f"Could not recover VM. Recover operation {operation} is not available for state {name}"
            )
