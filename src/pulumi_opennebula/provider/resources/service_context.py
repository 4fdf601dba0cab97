"""ServiceContext: CONTEXT of VMs that run, changed in place. It starts, stops and restarts no VM.

`one.vm.updateconf` merges the variables into each VM's CONTEXT; oned makes the CONTEXT disk anew and shows it to the
running guest (OpenNebula 7.0; `onevm updateconf` says that in state running CONTEXT takes effect immediately). What the
guest makes of it is its own affair, which is why it may be asked for an acknowledgement.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pulumi_opennebula.definitions.service_context import SERVICE_CONTEXT
from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.resources import machine_states
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import children, render, text_at, unrenderable
from pulumi_opennebula.provider.values import UNKNOWN, Values, is_unknown
from pulumi_opennebula.provider.waiting import Object

ACTIVE, DONE = 3, 6
RUNNING: Final = 3
"""LCM_STATE; STATE numbers above. Both from OpenNebula's list of VM states."""
MERGE: Final = 1
"""Third parameter of one.vm.updateconf: keep what is not named."""
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_OF_ONED: Final = re.compile(r"DISK_ID|TARGET|VMID|ONEGATE_ENDPOINT|ETH\d+_\w+")


class ServiceContextHandler(Handler):
    """The resource type ServiceContext."""

    definition = SERVICE_CONTEXT
    needs_flow = True
    settled_later = ("vmIds",)

    def check_id(self, id_: str) -> None:
        """Refuse what is not the number of a service and the name of a role."""
        service, _, role = id_.partition(":")
        if not (service.isdecimal() and role):
            raise self.no_id(id_)

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse variables that oned makes itself or could not take, and an acknowledgement that is none of them."""
        variables = inputs.get("variables")
        if not isinstance(variables, Mapping):
            return
        for name, value in variables.items():
            _check_variable(str(name), value, findings)
        wanted = inputs.get("acknowledgement")
        if wanted is not None and not is_unknown(wanted) and wanted not in variables:
            findings.refuse(
                ("acknowledgement",),
                wanted,
                "it must be one of `variables`",
                "the guest writes back the value that it was given under this name",
                "Name a variable, or leave it out",
            )
        at_once = inputs.get("atOnce")
        if isinstance(at_once, int) and at_once < 1:
            findings.refuse(
                ("atOnce",),
                at_once,
                "it must be at least 1",
                "otherwise no VM would ever get the change",
                "Correct it, or leave it out",
            )

    def adopted(self, old: Values, new: Values) -> Values:
        """An imported one has the whole CONTEXT: which variables of it are meant, only the program says."""
        named = new.get("variables")
        if not isinstance(named, Mapping) or not isinstance(old.get("variables"), Mapping):
            return old
        return {**old, "variables": {name: value for name, value in old["variables"].items() if name in named}}

    async def create(self, call: Call, inputs: Values) -> str:
        """Bring every VM of the role to the variables; those that were started with them are left alone."""
        id_ = f"{inputs['serviceId']}:{inputs['role']}"
        await self._apply(call, inputs, gone=())
        return id_

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The variables as the VMs have them: a VM that differs shows its own value."""
        service, _, role = id_.partition(":")
        numbers = await role_vms(call, int(service), role)
        if numbers is None:
            return None
        found = dict((old or {}).get("variables") or {})
        for number in numbers:
            body = await call.zone.object("vm", number)
            if body is None or is_gone(body):
                continue
            if old is None:
                found = {name: text for name, text in context_of(body).items() if not _OF_ONED.fullmatch(name)} | found
            found |= differing(context_of(body), found)
        return {
            "serviceContextId": id_,
            "serviceId": int(service),
            "role": role,
            "variables": found,
            "vmIds": list(numbers),
        }

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Bring every VM of the role to the new variables; one that is no longer named becomes empty."""
        before, after = old.get("variables") or {}, new["variables"]
        await self._apply(call, new, gone=[name for name in before if name not in after])

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Leave the VMs as they are: a CONTEXT cannot be taken back without a guess at what was there before."""

    async def _apply(self, call: Call, inputs: Values, *, gone: Sequence[str]) -> None:
        service, role = int(inputs["serviceId"]), str(inputs["role"])
        numbers = await role_vms(call, service, role)
        if numbers is None:
            raise InputError(
                "serviceId",
                f"serviceId is {service} and role {role!r}",
                "they must be a service that runs, and one of its roles",
                "OneFlow has no such service, or it has no such role",
                "Give the id of a Service resource and the name of a role of its template",
            )
        wanted = {**dict.fromkeys(gone, ""), **inputs["variables"]}
        turn = asyncio.Semaphore(int(inputs.get("atOnce") or 1))
        deadline_s = call.timeout_of(inputs)

        async def one(number: int) -> None:
            async with turn:
                await self._renew(call, number, wanted, inputs.get("acknowledgement"), deadline_s)

        # All must have ended before the engine goes on, also where one fails.
        results = await asyncio.gather(*(one(number) for number in numbers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _renew(
        self, call: Call, number: int, wanted: Mapping[str, str], acknowledgement: str | None, timeout_s: float
    ) -> None:
        what = f"VM {number}"
        machines = call.zone.machines
        await machines.until(str(number), is_settled, what=what, timeout_s=timeout_s, describe=state_of)
        body = await call.zone.object("vm", number)
        if body is None or is_gone(body):
            return
        changes = {name: wanted[name] for name in differing(context_of(body), wanted)}
        if changes:
            # Names only: values may be secrets.
            call.progress(f"{what}: {', '.join(sorted(changes))} changed in its CONTEXT")
            try:
                await call.zone.oned.call("vm.updateconf", number, render([("CONTEXT", changes)]), MERGE)
            except NotFoundError:
                return
            await machines.until(str(number), is_settled, what=what, timeout_s=timeout_s, describe=state_of)
            _require_taken(number, await call.zone.object("vm", number), changes)
        if acknowledgement is not None and is_running(await call.zone.object("vm", number)):
            value = wanted[acknowledgement]
            await machines.until(
                str(number),
                lambda found: has_acknowledged(found, acknowledgement, value),
                what=f"{what} (which has its new CONTEXT)",
                timeout_s=timeout_s,
                describe=lambda found: described_acknowledgement(found, acknowledgement),
            )


async def role_vms(call: Call, service: int, role: str) -> tuple[int, ...] | None:
    """Numbers of a role's VMs; None where there is no such service or role."""
    document = await call.zone.document(f"/service/{service}")
    if document is None:
        return None
    for item in children(document, "TEMPLATE", "BODY", "roles"):
        if item.get("name") == role:
            return tuple(int(node["deploy_id"]) for node in item.get("nodes") or [] if "deploy_id" in node)
    return None


def context_of(body: Object) -> dict[str, str]:
    """A VM's CONTEXT."""
    found: Any = next(children(body, "TEMPLATE", "CONTEXT"), {})
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def differing(context: Mapping[str, str], wanted: Mapping[str, Any]) -> dict[str, str]:
    """What a CONTEXT has under the names whose value is another one; an absent variable is as good as an empty one."""
    return {
        name: context.get(name, "")
        for name, value in wanted.items()
        if value is not UNKNOWN and context.get(name, "") != str(value)
    }


def is_gone(body: Object | None) -> bool:
    """Whether a VM is no more."""
    return body is None or int(text_at(body, "STATE") or DONE) == DONE


def is_running(body: Object | None) -> bool:
    """Whether a VM runs, so that its guest can answer."""
    return body is not None and (text_at(body, "STATE"), text_at(body, "LCM_STATE")) == (str(ACTIVE), str(RUNNING))


def is_settled(body: Object | None) -> bool:
    """Whether oned takes a new configuration now: the VM runs, or is not active at all."""
    return is_gone(body) or is_running(body) or text_at(body or {}, "STATE") != str(ACTIVE)


def state_of(body: Object | None) -> str:
    """A VM's state, for messages."""
    if body is None:
        return "gone"
    return f"in STATE {text_at(body, 'STATE')}, LCM_STATE {text_at(body, 'LCM_STATE')}"


def has_acknowledged(body: Object | None, name: str, value: str) -> bool:
    """Whether the guest has written the value back; a VM that is gone or no longer runs is not waited for."""
    if machine_states.state_of(body) in machine_states.CHANGING:
        return False
    return not is_running(body) or text_at(body or {}, "USER_TEMPLATE", name) == value


def described_acknowledgement(body: Object | None, name: str) -> str:
    """What the guest has written so far."""
    found = text_at(body or {}, "USER_TEMPLATE", name)
    return f"without {name}" if not found else f"at {name} {found[:16]}"


def _require_taken(number: int, body: Object | None, changes: Mapping[str, str]) -> None:
    left = {} if body is None or is_gone(body) else differing(context_of(body), changes)
    if left:
        raise FailedObjectError(
            f"VM {number}",
            "its CONTEXT must have the new variables",
            f"oned accepted them, and the VM shows other values of {', '.join(sorted(left))}",
            f"Look at ERROR in the user template of VM {number} and at its host's log, then run `pulumi up` again",
        )


def _check_variable(name: str, value: Any, findings: Findings) -> None:
    path = ("variables", name)
    if _NAME.fullmatch(name) is None or _OF_ONED.fullmatch(name):
        findings.refuse(
            path,
            f"named {name}",
            "a name has capitals, digits and underscores, and is none of those that oned sets",
            "oned keeps names in upper case, and makes ETH*, VMID, ONEGATE_ENDPOINT, DISK_ID and TARGET itself",
            "Rename it, or leave it out",
        )
    if not isinstance(value, str):
        return
    problem = unrenderable(value) or ("oned replaces `$NAME` in it" if "$" in value else None)
    if problem:
        findings.refuse(
            path,
            f"{len(value)} characters, not shown",
            "it must arrive in the guest as it is",
            problem,
            "Encode the value, in base64 for example",
        )
