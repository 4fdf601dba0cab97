"""Service: instantiate, wait, scale by role name, recover, undeploy. OneFlow does the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from pulumi_opennebula.definitions.service import SERVICE
from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError, OpenNebulaError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change, Kind
from pulumi_opennebula.provider.resources import documents, machine_states, shared
from pulumi_opennebula.provider.resources import service_states as states
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.machine_states import Phase
from pulumi_opennebula.provider.templates import children, text_at
from pulumi_opennebula.provider.values import IMPORTED, UNKNOWN, Values, is_unknown
from pulumi_opennebula.provider.waiting import Object

DELETE_ATTEMPTS: Final = 5
"""How often a service is asked to go: each time it was busy when it was asked, and waited for until it was not."""
LOOKED_AT_VMS: Final = 5
"""Of how many VMs the error of a failed service tells what is wrong with them."""


class ServiceHandler(Handler):
    """The resource type Service."""

    definition = SERVICE
    needs_flow = True
    settled_later = ("roles", "state", "networks")

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse an extra template that could not be merged."""
        shared.check_common(inputs, findings)
        extra = documents.parsed(inputs.get("extraTemplate"), findings, ("extraTemplate",))
        if extra is not None:
            documents.check_roles(extra, findings, ("extraTemplate",), complete=False)

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """A change of cardinalities scales in place; any other change of the extra template replaces.

        A service that failed differs from one that runs, which is what every program wants: an update mends it.
        """
        found = self._refined(changes, old, new)
        if old.get("state") in states.UNDEPLOY_FAILED:
            # Half of it is gone, and OneFlow brings it only to its end: another one takes its place.
            return [*found, Change(path=("state",), kind=Kind.UPDATE, replace=True)]
        broken = old.get("state") in states.FAILED or old.get("state") == states.WARNING
        return [*found, Change(path=("state",), kind=Kind.UPDATE)] if broken and not found else found

    def _refined(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        before, after = old.get("extraTemplate"), new.get("extraTemplate")
        if old.get(IMPORTED):
            return _refine_imported(changes, old, after)
        if is_unknown(after) or documents.only_scales(before, after):
            if not is_unknown(after) and _cardinalities(before) == _cardinalities(after):
                return [change for change in changes if change.path != ("extraTemplate",)]
            return changes
        return [change.replacing() if change.path == ("extraTemplate",) else change for change in changes]

    async def create(self, call: Call, inputs: Values) -> str:
        """Instantiate the service template."""
        template = await call.zone.document(f"/service_template/{inputs['templateId']}")
        if template is None:
            raise InputError(
                "templateId",
                f"templateId is {inputs['templateId']}",
                "it must be the number of a service template",
                "OneFlow has none of that number that the user may see",
                "Give the id of a ServiceTemplate resource",
            )
        extra = json.loads(inputs.get("extraTemplate") or "{}")
        _require_roles(extra, template)
        path = f"/service_template/{inputs['templateId']}"
        answer = await call.zone.flow.action(path, "instantiate", merge_template={**extra, "name": inputs["name"]})
        return documents.document_id(answer)

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set name and owner, and wait until every role runs."""
        document = await call.zone.document(_path(id_)) or {}
        await documents.set_document_name(call, _path(id_), {"name": text_at(document, "NAME")}, inputs)
        await documents.set_document_owner(call, _path(id_), {}, inputs)
        await self._running(call, id_, call.timeout_of(inputs))

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The service's properties."""
        document = await call.zone.document(_path(id_))
        if document is None or states.state_of(document) == "DONE":
            return None
        found = properties(document, old)
        if found["templateId"] is None:
            pool = await call.zone.flow.get("/service_template")
            found["templateId"] = template_of(document, children(pool, "DOCUMENT_POOL", "DOCUMENT"))
        return found

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Recover a failed service, scale what differs, and wait until it runs."""
        timeout_s = call.timeout_of(new)
        await documents.set_document_name(call, _path(id_), old, new)
        await documents.set_document_owner(call, _path(id_), old, new)
        document = await call.zone.document(_path(id_)) or {}
        if states.state_number(document) in states.RECOVERABLE:
            call.progress(f"service {id_}: recovering from {states.STATES[states.state_number(document)]}")
            await call.zone.flow.action(_path(id_), "recover")
        await self._running(call, id_, timeout_s, before=document)
        document = await call.zone.document(_path(id_)) or {}
        seen, fixed = states.role_sizes(document), fixed_sizes(states.body_of(document))
        before = _cardinalities(old.get("extraTemplate"))
        for name, wanted in _cardinalities(new.get("extraTemplate")).items():
            # What OneFlow scaled by the role's own policies stays, where the program asks for nothing else than before.
            if seen.get(name) == wanted or (name in seen and name not in fixed and before.get(name) == wanted):
                continue
            if name not in seen:
                raise _no_such_role(name, seen)
            call.progress(f"service {id_}: scaling role {name} from {seen[name]} to {wanted}")
            # `force` is part of the request: without it OneFlow 7.0.1 answers 500. False keeps min_vms and max_vms.
            await call.zone.flow.send(
                "POST", f"{_path(id_)}/scale", {"role_name": name, "cardinality": wanted, "force": False}
            )
            await self._running(call, id_, timeout_s, role=name, size=wanted)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Undeploy the service and wait until it is gone; a service that is busy is asked again when it is not."""
        timeout_s = call.timeout_of(old)
        watch = call.zone.services
        for attempt in range(DELETE_ATTEMPTS):
            try:
                await call.zone.flow.send("DELETE", _path(id_))
                break
            except NotFoundError:
                return
            except RefusedError as err:
                # "Service cannot be undeployed in state: SCALING" (500, recorded on 7.0.1).
                if "undeployed in state" not in err.answer or attempt + 1 == DELETE_ATTEMPTS:
                    raise
            document = await call.zone.document(_path(id_))
            if document is not None and states.state_number(document) in states.FAILED:
                # OneFlow undeploys no service that failed, unless it is told to give it up.
                await call.zone.flow.action(_path(id_), "recover", delete=True)
                break
            call.progress(f"service {id_}: busy, it will be undeployed when it is not")
            await watch.until(
                id_,
                lambda found: found is None or states.state_number(found) not in states.BUSY,
                what=f"service {id_}",
                timeout_s=timeout_s,
                describe=states.state_of,
            )
        await watch.until(
            id_,
            states.is_gone,
            what=f"the undeployment of service {id_}",
            timeout_s=timeout_s,
            describe=states.state_of,
        )

    async def _running(
        self,
        call: Call,
        id_: str,
        timeout_s: float,
        *,
        role: str | None = None,
        size: int | None = None,
        before: Object | None = None,
    ) -> None:
        try:
            await call.zone.services.until(
                id_,
                states.running(call.progress, role=role, size=size, before=before),
                what=f"service {id_}",
                timeout_s=timeout_s,
                describe=states.progress_or_gone,
            )
        except FailedObjectError as err:
            said = await self._vms_say(call, id_)
            if not said:
                raise
            raise FailedObjectError(err.value, err.rule, f"{err.reason}; {said}", err.remedy) from err

    async def _vms_say(self, call: Call, id_: str) -> str:
        """What oned says of the VMs that keep a service from running: OneFlow logs that it failed, not why."""
        try:
            document = await call.zone.document(_path(id_)) or {}
            roles = [
                role for role in states.body_of(document).get("roles") or [] if role.get("state") != states.RUNNING
            ]
            nodes = [node for role in roles for node in role.get("nodes") or [] if "deploy_id" in node]
            numbers = [int(node["deploy_id"]) for node in nodes]
            # The first few say it: where one VM of a role cannot boot, the others mostly cannot for the same reason.
            bodies = [await call.zone.object("vm", number) for number in numbers[:LOOKED_AT_VMS]]
        except OpenNebulaError:
            return ""
        return "; ".join(
            f"VM {text_at(body, 'NAME')!r} is {machine_states.state_of(body)}: {machine_states.error_of(body)}"
            for body in bodies
            if body is not None and machine_states.phase_of(body) in {Phase.FAILED, Phase.OFF}
        )


def properties(document: dict[str, Any], old: Values | None) -> Values:
    """Properties of a service's document."""
    body = document["TEMPLATE"]["BODY"]
    before = old or {}
    found = shared.owner_outputs(document) | {
        "serviceId": text_at(document, "ID"),
        "state": states.state_number(document),
        "networks": networks_of(body),
        "roles": [
            {
                "name": role.get("name"),
                "cardinality": role.get("cardinality"),
                "nodes": [int(node["deploy_id"]) for node in role.get("nodes") or [] if "deploy_id" in node],
                "state": int(role.get("state", 0)),
            }
            for role in body.get("roles") or []
        ],
        "templateId": before.get("templateId"),
        "extraTemplate": before.get("extraTemplate"),
    }
    extra = before.get("extraTemplate")
    if isinstance(extra, str):
        found["extraTemplate"] = documents.with_cardinalities(extra, fixed_sizes(body))
    return found


def template_of(document: Object, templates: Iterable[Object]) -> int | None:
    """The service template that a service was made from, or None where that cannot be told.

    A service's document does not say; but it keeps the template's registration time and roles (recorded on 7.0.1).
    """
    body = states.body_of(document)
    names = [role.get("name") for role in body.get("roles") or []]
    found = [
        int(text_at(item, "ID"))
        for item in templates
        if states.body_of(item).get("registration_time") == body.get("registration_time")
        and [role.get("name") for role in states.body_of(item).get("roles") or []] == names
    ]
    return found[0] if len(found) == 1 else None


def networks_of(body: Values) -> dict[str, int]:
    """Ids of a service's networks by name, as `networks_values` has them."""
    found: dict[str, int] = {}
    for entry in body.get("networks_values") or []:
        for name, value in entry.items() if isinstance(entry, dict) else ():
            number = value.get("id") if isinstance(value, dict) else None
            if number is not None and str(number).isdigit():
                found[name] = int(number)
    return found


def fixed_sizes(body: Values) -> dict[str, int]:
    """Cardinality of the roles that OneFlow does not scale by itself: there, another number is a change by hand."""
    return {
        role["name"]: int(role["cardinality"])
        for role in body.get("roles") or []
        if not role.get("elasticity_policies") and not role.get("scheduled_policies") and "cardinality" in role
    }


def _refine_imported(changes: list[Change], old: Values, after: Any) -> list[Change]:
    """What differs for an imported service: nobody knows which extra template made it, only its roles' sizes."""
    sizes = {role.get("name"): role.get("cardinality") for role in old.get("roles") or []}
    unchanged = not is_unknown(after) and all(sizes.get(name) == size for name, size in _cardinalities(after).items())
    return [
        change
        for change in changes
        if not (change.path == ("extraTemplate",) and unchanged)
        and not (change.path == ("templateId",) and old.get("templateId") is None)
    ]


def _require_roles(extra: Values, template: dict[str, Any]) -> None:
    """Refuse roles that the service template has not: OneFlow would add or mix them up instead of saying so."""
    names = {role.get("name"): 0 for role in template["TEMPLATE"]["BODY"].get("roles") or []}
    for role in extra.get("roles") or []:
        if role.get("name") not in names:
            raise _no_such_role(str(role.get("name")), names)


def _no_such_role(name: str, names: dict[Any, int]) -> InputError:
    return InputError(
        "extraTemplate",
        f"extraTemplate names role {name!r}",
        "it must be a role of the service template",
        f"that has {', '.join(str(item) for item in names)}, and an unknown role stops OneFlow's watch of a service",
        "Correct the role's name in extra_template",
    )


def _cardinalities(text: Any) -> dict[str, int]:
    if text is None or text is UNKNOWN:
        return {}
    return documents.cardinalities(json.loads(text))


def _path(id_: str) -> str:
    return f"/service/{id_}"
