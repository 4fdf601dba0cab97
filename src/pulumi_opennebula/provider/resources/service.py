"""Service: instantiate, wait, scale by role name, recover, undeploy. OneFlow does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from pulumi_opennebula.definitions.service import SERVICE
from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change, Kind
from pulumi_opennebula.provider.resources import documents, shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import children, text_at
from pulumi_opennebula.provider.values import IMPORTED, UNKNOWN, Values, is_unknown
from pulumi_opennebula.provider.waiting import Object

STATES: Final = (
    "PENDING",
    "DEPLOYING",
    "RUNNING",
    "UNDEPLOYING",
    "WARNING",
    "DONE",
    "FAILED_UNDEPLOYING",
    "FAILED_DEPLOYING",
    "SCALING",
    "FAILED_SCALING",
    "COOLDOWN",
    "DEPLOYING_NETS",
    "UNDEPLOYING_NETS",
    "FAILED_DEPLOYING_NETS",
    "FAILED_UNDEPLOYING_NETS",
    "HOLD",
)
"""Service states by number: OpenNebula 7.0's OneFlow manual; 1 to 4, 7, 8, 10 and 11 are in the recordings."""
RUNNING: Final = 2
FAILED: Final = frozenset({6, 7, 9, 13, 14})
RECOVERABLE: Final = frozenset({7, 9, 13})
"""Failed states from which `recover` leads to RUNNING (7: recorded); the undeploying ones lead to the end instead."""
UNDEPLOY_FAILED: Final = frozenset({6, 14})
WARNING: Final = 4
SHOWN_LOG_LINES: Final = 5
RECOVERY_LOOKS: Final = 30
"""How often a failed service may look unchanged after `recover`, about a minute: it keeps its state until the retry has
come to an end (recorded on 7.0.1: 7, then 2)."""


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
        broken = old.get("state") in FAILED or old.get("state") == WARNING
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
        if document is None or state_of(document) == "DONE":
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
        if _state(document) in RECOVERABLE:
            call.progress(f"service {id_}: recovering from {STATES[_state(document)]}")
            await call.zone.flow.action(_path(id_), "recover")
        await self._running(call, id_, timeout_s, before=document)
        document = await call.zone.document(_path(id_)) or {}
        seen = role_sizes(document)
        for name, wanted in _cardinalities(new.get("extraTemplate")).items():
            if seen.get(name) == wanted:
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
        for _ in range(5):
            try:
                await call.zone.flow.send("DELETE", _path(id_))
                break
            except NotFoundError:
                return
            except RefusedError as err:
                # "Service cannot be undeployed in state: SCALING" (500, recorded on 7.0.1).
                if "undeployed in state" not in err.answer:
                    raise
            document = await call.zone.document(_path(id_))
            if document is not None and _state(document) in UNDEPLOY_FAILED:
                await call.zone.flow.action(_path(id_), "recover", delete=True)
                break
            call.progress(f"service {id_}: busy, it will be undeployed when it is not")
            await watch.until(
                id_,
                lambda found: found is None or _state(found) not in {1, 3, 8, 11, 12},
                what=f"service {id_}",
                timeout_s=timeout_s,
                describe=state_of,
            )
        await watch.until(
            id_, is_gone, what=f"the undeployment of service {id_}", timeout_s=timeout_s, describe=state_of
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
        await call.zone.services.until(
            id_,
            running(call.progress, role=role, size=size, before=before),
            what=f"service {id_}",
            timeout_s=timeout_s,
            describe=progress_or_gone,
        )


def properties(document: dict[str, Any], old: Values | None) -> Values:
    """Properties of a service's document."""
    body = document["TEMPLATE"]["BODY"]
    before = old or {}
    found = shared.owner_outputs(document) | {
        "serviceId": text_at(document, "ID"),
        "state": _state(document),
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
    body = _body(document)
    names = [role.get("name") for role in body.get("roles") or []]
    found = [
        int(text_at(item, "ID"))
        for item in templates
        if _body(item).get("registration_time") == body.get("registration_time")
        and [role.get("name") for role in _body(item).get("roles") or []] == names
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


def role_sizes(document: Object) -> dict[str, int]:
    """Role name -> cardinality."""
    return {role["name"]: int(role.get("cardinality", 0)) for role in _body(document).get("roles") or []}


def running(
    progress: Callable[[str], None],
    *,
    role: str | None = None,
    size: int | None = None,
    before: Object | None = None,
) -> Callable[[Object | None], bool]:
    """Judge whether a service runs (and a role has its size), reporting each change of its roles.

    Args:
        progress: Shows a line.
        role: The role that must have a size.
        size: How many VMs.
        before: The service before `recover`, whose failure it may show for a while still.

    Raises (when called):
        FailedObjectError: it failed, is in WARNING or is gone, with what OneFlow logged.
    """
    shown: list[str] = []
    looks = 0

    def decide(found: Object | None) -> bool:
        nonlocal looks
        if found is None:
            raise _failed(found, "somebody deleted it, or OneFlow gave it up")
        state = _state(found)
        line = progress_line(found)
        if line not in shown[-1:]:
            shown.append(line)
            progress(line)
        if before is not None and state in RECOVERABLE and _same_failure(before, found) and looks < RECOVERY_LOOKS:
            looks += 1
            return False
        if state == WARNING or state in FAILED:
            raise _failed(found, log_of(found))
        return state == RUNNING and (role is None or role_sizes(found).get(role) == size)

    return decide


def progress_line(document: Object) -> str:
    """`DEPLOYING: role superlink running, 1 of 1 VMs; role supernode deploying, 2 of 3 VMs`."""
    parts = []
    for role in _body(document).get("roles") or []:
        state = _state_name(int(role.get("state", 0))).lower()
        count = len(role.get("nodes") or [])
        parts.append(f"role {role.get('name')} {state}, {count} of {role.get('cardinality', 0)} VMs")
    return f"{state_of(document)}: {'; '.join(parts)}"


def log_of(document: Object) -> str:
    """The last lines of a service's own log."""
    lines = [f"{item.get('severity', 'I')}: {item.get('message', '')}" for item in _body(document).get("log") or []]
    return "OneFlow logged: " + ("; ".join(lines[-SHOWN_LOG_LINES:]) or "nothing")


def state_of(document: Object | None) -> str:
    """A service's state in words."""
    return "gone" if document is None else _state_name(_state(document))


def progress_or_gone(document: Object | None) -> str:
    """A service's state and its roles, for the message when it did not get ready in time."""
    return "gone" if document is None else progress_line(document)


def is_gone(found: Object | None) -> bool:
    """Whether a service is undeployed; raises where OneFlow could not."""
    if found is not None and _state(found) in UNDEPLOY_FAILED:
        raise _failed(found, log_of(found))
    return found is None or state_of(found) == "DONE"


def _same_failure(before: Object, found: Object) -> bool:
    """Whether a failed service is where it was: nothing was logged since."""
    return _state(before) == _state(found) and len(_body(before).get("log") or []) == len(_body(found).get("log") or [])


def _failed(found: Object | None, reason: str) -> FailedObjectError:
    name = text_at(found or {}, "NAME")
    remedy = (
        "Resume or remove the VM that is not running and run `pulumi up` again"
        if found is not None and _state(found) == WARNING
        else "Repair the cause; the next `pulumi up` recovers the service, `pulumi destroy` removes it"
    )
    return FailedObjectError(
        f"service {name!r} is {state_of(found)}", "it must be RUNNING (or gone, when it is deleted)", reason, remedy
    )


def _refine_imported(changes: list[Change], old: Values, after: Any) -> list[Change]:
    """What differs for an imported service: nobody knows which extra template made it, only its roles' sizes."""
    sizes = {role.get("name"): role.get("cardinality") for role in old.get("roles") or []}
    unchanged = is_unknown(after) or all(sizes.get(name) == size for name, size in _cardinalities(after).items())
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


def _body(document: Object) -> Values:
    template = document.get("TEMPLATE")
    body = template.get("BODY") if isinstance(template, dict) else None
    return body if isinstance(body, dict) else {}


def _state(document: Object) -> int:
    return int(_body(document).get("state", -1))


def _state_name(state: int) -> str:
    return STATES[state] if 0 <= state < len(STATES) else str(state)


def _path(id_: str) -> str:
    return f"/service/{id_}"
