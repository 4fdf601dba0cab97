"""VirtualMachine: its calls, in the order that OpenNebula takes them. What they say is `machine_values`' affair, which
devices they are about `machine_devices`', and what a state means `machine_states`'.

A VM is changed where it is: it is stopped only for CPU and memory, and replaced only where OpenNebula cannot change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_opennebula.definitions.virtual_machine import VIRTUAL_MACHINE
from pulumi_opennebula.errors import CloudError, InputError, NotFoundError, NotRunningError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change, Kind, changes
from pulumi_opennebula.provider.resources import machine_devices as devices
from pulumi_opennebula.provider.resources import machine_states as states
from pulumi_opennebula.provider.resources import machine_values as values
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.machine_states import Phase
from pulumi_opennebula.provider.templates import Body, render, text_at
from pulumi_opennebula.provider.values import FAILED, Unknown, Values, is_unknown
from pulumi_opennebula.provider.vectors import all_tags

RECOVER_RETRY: Final = 2
RECOVER_DELETE: Final = 3
"""Operations of `one.vm.recover` (OpenNebula 7.0's XML-RPC reference)."""
METHODS: Final = {
    "nics": ("attachnic", "detachnic"),
    "nicAliases": ("attachnic", "detachnic"),
    "disks": ("attach", "detach"),
}
FROM_TEMPLATE: Final = ("templateNics", "templateNicAliases", "templateDisks", "templateTags", "templateSectionNames")
"""Outputs that say what the VM's template brought: the template may be changed or gone by now."""


class VirtualMachineHandler(Handler):
    """The resource type VirtualMachine."""

    definition = VIRTUAL_MACHINE
    owned = values.OWNED
    replaced_where_failed = True
    settled_later = ("state", "lcmstate")
    carried = FROM_TEMPLATE

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse what no VM could be made from."""
        shared.check_common(inputs, findings, values.OWNED)
        _check_capacity(inputs, findings)
        for name in ("nics", "nicAliases"):
            for index, card in enumerate(inputs.get(name) or []):
                if isinstance(card, dict) and card.get("network") is not None and card.get("networkId") is not None:
                    findings.refuse(
                        (name, index, "network"),
                        card["network"],
                        "it excludes networkId",
                        "a card is on one network",
                        "Remove one of the two",
                    )
        for index, disk in enumerate(inputs.get("disks") or []):
            if isinstance(disk, dict):
                _check_disk(index, disk, findings)

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """Which changes replace, and what refreshing found that the next `up` has to mend.

        Raises:
            InputError: a disk would have to shrink.
        """
        for index, size, before in devices.shrunk_disks(old, new):
            raise InputError(
                f"disks[{index}].size",
                f"disks[{index}].size is {size} and the disk has {before} MB",
                "a disk cannot shrink",
                "OpenNebula only grows disks",
                f"Give size {before} or more; for a new and smaller disk give it another target",
            )
        recreate = str(new.get("onDiskChange") or "").upper() == "RECREATE"
        disks_replace = recreate and (is_unknown(new.get("disks")) or bool(devices.lost_disks(old, new)))
        replacing = {
            "disks": disks_replace,
            "pending": bool(new.get("pending")) and not old.get("pending"),
            # "Virtual machine does not have context, cannot add a new one" (one.vm.updateconf). Of a VM made from a
            # template only the zone knows whether it has one.
            "context": not old.get("context") and old.get("templateId") is None,
        }
        found = [change.replacing() if replacing.get(str(change.path[0])) else change for change in changes]
        if not old.get(FAILED) and _is_broken(old):
            found.append(Change(path=("lcmstate",), kind=Kind.UPDATE))
        return found

    def adopted(self, old: Values, new: Values) -> Values:
        """An imported VM as far as the program speaks of it: nobody can read what made it."""
        seen = dict(old)
        for name in ("description", "schedRequirements", "schedDsRequirements", "vmgroup", *values.CONFIG):
            if new.get(name) is None:
                seen.pop(name, None)
        if isinstance(old.get("context"), Mapping) and not isinstance(new.get("context"), Unknown):
            seen["context"] = values.shown_context(dict(old["context"]), new)
        for kind in devices.KINDS:
            _adopt_devices(kind, seen, new)
        return seen

    async def create(self, call: Call, inputs: Values) -> str:
        """Make the VM, from its template or from the inputs alone."""
        held = bool(inputs.get("pending"))
        tags = call.zone.settings.default_tags
        number = inputs.get("templateId")
        if number is None:
            text = render([("NAME", inputs["name"]), *values.creation(inputs, tags, None)])
            return str(await call.zone.oned.call("vm.allocate", text, held))
        source = await call.zone.object("template", int(number))
        if source is None:
            raise InputError(
                "templateId",
                f"templateId is {number}",
                "it must be the number of a VM template",
                "the zone has none of that number that the user may see",
                "Give the id of a Template resource",
            )
        text = render(values.creation(inputs, tags, source))
        return str(await call.zone.oned.call("template.instantiate", int(number), inputs["name"], held, text, False))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Wait until it runs (or is on hold), then set owner and lock."""
        await call.zone.machines.until(
            id_,
            states.comes_up(call.progress, held=bool(inputs.get("pending"))),
            what=f"VM {id_}",
            timeout_s=call.timeout_of(inputs),
            describe=states.described,
        )
        await shared.set_owner(call, "vm", int(id_), {}, inputs)
        await shared.lock(call, "vm", int(id_), inputs)

    async def has_failed(self, call: Call, id_: str) -> bool:
        """Whether it still does not run, nor waits to be released."""
        return states.phase_of(await call.zone.object("vm", int(id_))) not in {Phase.RUNNING, Phase.HELD}

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The VM's properties. One that is DONE is gone, although oned still answers for it."""
        body = await call.zone.object("vm", int(id_))
        if states.phase_of(body) is Phase.GONE or body is None:
            return None
        number = text_at(body, "TEMPLATE", "TEMPLATE_ID")
        known = (old or {}).get("templateTags") is not None
        source = await call.zone.object("template", int(number)) if number.isdigit() and not known else None
        return values.properties(body, old, call.zone.settings.default_tags, source)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Bring the VM to the new inputs, one kind of change after the other."""
        number = int(id_)
        await shared.unlock(call, "vm", number, old)
        await shared.rename(call, "vm", number, old, new)
        changed = frozenset(str(change.path[0]) for change in changes(self.definition.record, old, new))
        # Before the wait: a VM that no host takes waits for other requirements.
        await self._update_user(call, number, old, new, changed)
        await self._come_to_rest(call, id_, new)
        if changed & {"context", *values.CONFIG}:
            text, extend = values.conf_change(await self._body(call, number), old, new, changed)
            if text:
                await call.zone.oned.call("vm.updateconf", number, render(text), int(extend))
                await self._rest(call, id_, new)
        if changed & set(values.CAPACITY):
            await self._resize(call, id_, new)
        for kind in devices.KINDS:
            if {kind.name, devices.NICS.name} & changed if kind is devices.ALIASES else kind.name in changed:
                await self._change_devices(call, kind, id_, old, new)
        await shared.set_owner(call, "vm", number, old, new)
        await shared.lock(call, "vm", number, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Terminate the VM and wait until it is; a state that cannot be left otherwise is cleaned up."""
        number = int(id_)
        body = await call.zone.object("vm", number)
        if states.phase_of(body) is Phase.GONE:
            return
        if not await self._terminated(call, id_, old):
            if states.state_of(await call.zone.object("vm", number)) in states.CHANGING:
                # Somebody changes a device: that is over in a moment, and no reason not to ask the guest to stop.
                await self._rest(call, id_, old)
            if not await self._terminated(call, id_, old):
                await self._give_up(call, number)
        await call.zone.machines.until(
            id_,
            states.goes(call.progress),
            what=f"the termination of VM {id_}",
            timeout_s=call.timeout_of(old),
            describe=states.described,
        )

    async def _terminated(self, call: Call, id_: str, old: Values) -> bool:
        """Whether a VM is on its way out, or gone; False where its state forbids it."""
        try:
            await shared.unlock(call, "vm", int(id_), old)
            await call.zone.oned.call(
                "vm.action", "terminate-hard" if old.get("hardShutdown") else "terminate", int(id_)
            )
        except NotFoundError:
            return True
        except RefusedError as err:
            if "not available for state" not in err.answer:
                raise
            return False
        return True

    async def _give_up(self, call: Call, number: int) -> None:
        """Remove a VM from a state in which it cannot be terminated; one that is going already is only waited for."""
        if states.state_of(await call.zone.object("vm", number)) in {"SHUTDOWN", "EPILOG", "CLEANUP_DELETE", "DONE"}:
            return
        try:
            await call.zone.oned.call("vm.recover", number, RECOVER_DELETE)
        except NotFoundError:
            return

    async def _come_to_rest(self, call: Call, id_: str, new: Values) -> None:
        """Bring a VM to a state in which it can be changed: recover it from a failure, release it from hold."""
        body = await self._body(call, int(id_))
        if states.phase_of(body) is Phase.FAILED:
            call.progress(f"VM {id_}: recovering from {states.state_of(body)}")
            await call.zone.oned.call("vm.recover", int(id_), RECOVER_RETRY)
        if states.phase_of(body) is Phase.HELD and not new.get("pending"):
            await call.zone.oned.call("vm.action", "release", int(id_))
            await self._rest(call, id_, new, "RUNNING")
            return
        await self._rest(call, id_, new)

    async def _update_user(self, call: Call, number: int, old: Values, new: Values, changed: frozenset[str]) -> None:
        tags = call.zone.settings.default_tags
        differs = changed & {*values.USER, "tags", "templateSections"}
        if not differs and all_tags(new, tags) == (old.get("tagsAll") or {}):
            return
        text, extend = values.user_change(await self._body(call, number), old, new, tags)
        await call.zone.oned.call("vm.update", number, render(text), int(extend))

    async def _resize(self, call: Call, id_: str, new: Values) -> None:
        """Change CPU and memory. A VM that runs is powered off for it, and on again whatever happens."""
        number = int(id_)
        body = await self._body(call, number)
        wanted = values.capacity_of(body) | {k: new[k] for k in values.CAPACITY if new.get(k) is not None}
        runs = states.state_of(body) not in states.RESIZABLE
        if runs:
            call.progress(f"VM {id_}: powering off to change its capacity")
            await call.zone.oned.call("vm.action", "poweroff-hard" if new.get("hardShutdown") else "poweroff", number)
            await self._rest(call, id_, new, "POWEROFF")
        try:
            text = render(values.capacity_attributes(wanted))
            # True: a host that is too small refuses, instead of being overcommitted.
            await call.zone.oned.call("vm.resize", number, text, True)
        finally:
            if runs:
                await call.zone.oned.call("vm.action", "resume", number)
                await self._rest(call, id_, new, "RUNNING")

    async def _change_devices(self, call: Call, kind: devices.Kind, id_: str, old: Values, new: Values) -> None:
        number = int(id_)
        body = await self._body(call, number)
        in_order = kind is devices.NICS and bool(new.get("keepNicOrder"))
        plan = devices.plan(kind, body.get("TEMPLATE"), old, new, in_order=in_order)
        attach, detach = METHODS[kind.name]
        for device in plan.detach:
            await call.zone.oned.call(f"vm.{detach}", number, device)
            await self._rest(call, id_, new)
        for device, size_mb in plan.grow:
            await call.zone.oned.call("vm.diskresize", number, device, str(size_mb))
            await self._rest(call, id_, new)
        for vector in plan.attach:
            count = len(devices.seen_devices(kind, (await self._body(call, number)).get("TEMPLATE")))
            await call.zone.oned.call(f"vm.{attach}", number, render([(kind.vector, vector)]))
            await self._rest(call, id_, new)
            after = await self._body(call, number)
            if len(devices.seen_devices(kind, after.get("TEMPLATE"))) <= count:
                raise _not_attached(kind, vector, after)

    async def _rest(self, call: Call, id_: str, new: Values, *names: str) -> None:
        await call.zone.machines.until(
            id_,
            states.comes_to_rest(call.progress, *names),
            what=f"VM {id_}",
            timeout_s=call.timeout_of(new),
            describe=states.described,
        )

    async def _body(self, call: Call, number: int) -> Body:
        body = await call.zone.object("vm", number)
        if body is None or states.phase_of(body) is Phase.GONE:
            raise NotRunningError(
                f"VM {number}",
                "it must be there to be changed",
                "somebody terminated it",
                "Run `pulumi refresh`, then `pulumi up`, which makes it again",
            )
        return body


def _check_capacity(inputs: Values, findings: Findings) -> None:
    for name in values.CAPACITY:
        value = inputs.get(name)
        if isinstance(value, int | float) and value <= 0:
            findings.refuse((name,), value, "it must be more than 0", "a VM needs some of it", f"Correct {name}")
        if value is None and name != "vcpu" and inputs.get("templateId") is None:
            findings.refuse(
                (name,),
                "missing",
                "it is required without templateId",
                "nothing else says how large the VM is",
                f"Give {name}, or template_id",
            )


def _check_disk(index: int, disk: Values, findings: Findings) -> None:
    if disk.get("imageId") is not None:
        for name in ("volatileType", "volatileFormat"):
            if disk.get(name) is not None:
                findings.refuse(
                    ("disks", index, name),
                    disk[name],
                    "it excludes imageId",
                    "a disk is a copy of an image, or volatile",
                    "Remove one of the two",
                )
    elif disk.get("volatileType") is None or disk.get("size") is None:
        name = "size" if disk.get("size") is None else "volatileType"
        findings.refuse(
            ("disks", index, name),
            "missing",
            "a disk without imageId needs volatileType and size",
            "OpenNebula makes it empty and must know what and how large",
            f"Give {name}, or image_id",
        )


def _adopt_devices(kind: devices.Kind, seen: Values, new: Values) -> None:
    """What an import took for the template's may be the program's, and the other way round."""
    own = list(seen.get(kind.name) or [])
    brought = list(seen.get(kind.template_name) or [])
    given = new.get(kind.name)
    if isinstance(given, Unknown):
        return
    if given is None:
        if seen.get("templateId") is not None:
            seen[kind.template_name] = [*brought, *own]
            seen.pop(kind.name, None)
        return
    every = [*own, *brought]
    wanted = [entry if isinstance(entry, Mapping) else {} for entry in given]
    described = [{} if is_unknown(entry) else dict(entry) for entry in wanted]
    pairs = devices.paired(kind, described, devices.from_state(kind, every))
    taken = [
        {name: value for name, value in every[pairs[index]].items() if name in entry or name == kind.number}
        | dict(entry)
        for index, entry in enumerate(wanted)
        if index in pairs
    ]
    rest = [entry for index, entry in enumerate(every) if index not in pairs.values()]
    seen[kind.name] = taken + [entry for entry in rest if entry in own]
    seen[kind.template_name] = [entry for entry in rest if entry in brought]


def _is_broken(old: Values) -> bool:
    body: dict[str, Any] = {"STATE": str(old.get("state", "")), "LCM_STATE": str(old.get("lcmstate", ""))}
    return old.get("state") is not None and states.phase_of(body) is Phase.FAILED


def _not_attached(kind: devices.Kind, vector: Mapping[str, str], body: Body) -> CloudError:
    shown = ", ".join(f"{key}={value}" for key, value in vector.items())
    return NotRunningError(
        f"{kind.vector} [{shown}] of VM {text_at(body, 'NAME')!r}",
        "it must be attached",
        text_at(body, "USER_TEMPLATE", "ERROR") or "the hypervisor did not take it and oned gave no reason",
        f"Correct {kind.name}, or see the VM's log on the front-end; the next `pulumi up` tries again",
    )
