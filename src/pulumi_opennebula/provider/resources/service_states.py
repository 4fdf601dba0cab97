"""States of a service: their names, what each means to one who waits, what OneFlow logged. Asks nothing of OneFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pulumi_opennebula.errors import FailedObjectError
from pulumi_opennebula.provider.templates import text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.waiting import Object
from pulumi_opennebula.provider.zone import RUNNING_VMS

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
PENDING: Final = 0
RUNNING: Final = 2
FAILED: Final = frozenset({6, 7, 9, 13, 14})
RECOVERABLE: Final = frozenset({7, 9, 13})
"""Failed states from which `recover` leads to RUNNING (7: recorded); the undeploying ones lead to the end instead."""
BUSY: Final = frozenset({1, 3, 8, 10, 11, 12})
"""States that pass by themselves; a service is not undeployed in them. COOLDOWN is one, for as long as a role says."""
UNDEPLOY_FAILED: Final = frozenset({6, 14})
WARNING: Final = 4
HOLD: Final = 15
SHOWN_LOG_LINES: Final = 5
RECOVERY_LOOKS: Final = 30
"""How often a failed service may look unchanged after `recover`, about a minute: it keeps its state until the retry has
come to an end (recorded on 7.0.1: 7, then 2)."""


def role_sizes(document: Object) -> dict[str, int]:
    """Role name -> cardinality."""
    return {role["name"]: int(role.get("cardinality", 0)) for role in body_of(document).get("roles") or []}


def running(
    progress: Callable[[str], None],
    *,
    role: str | None = None,
    size: int | None = None,
    before: Object | None = None,
) -> Callable[[Object | None], bool]:
    """Judge whether a service runs, or is on hold as it asks for (and a role has its size), reporting its roles.

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
            raise failed(found, "somebody deleted it, or OneFlow gave it up")
        state = state_number(found)
        line = progress_line(found)
        if line not in shown[-1:]:
            shown.append(line)
            progress(line)
        if before is not None and state in RECOVERABLE and _same_failure(before, found) and looks < RECOVERY_LOOKS:
            looks += 1
            return False
        if state == WARNING or state in FAILED:
            raise failed(found, log_of(found))
        # HOLD is what a template with `on_hold` asks for, until somebody releases the service.
        rests = state == RUNNING or (state == HOLD and bool(body_of(found).get("on_hold")))
        return rests and (role is None or role_sizes(found).get(role) == size)

    return decide


def progress_line(document: Object) -> str:
    """`DEPLOYING: role superlink: 1 of 1 running; role supernode: 2 of 3 running`."""
    return f"{state_of(document)}: {'; '.join(map(_role_line, body_of(document).get('roles') or []))}"


def _role_line(role: Values) -> str:
    state, nodes, wanted = int(role.get("state", 0)), len(role.get("nodes") or []), role.get("cardinality", 0)
    running = role.get(RUNNING_VMS, nodes if state == RUNNING else 0 if state == PENDING else None)
    if running is None:
        return f"role {role.get('name')}: {state_name(state).lower()}, {nodes} of {wanted} VMs"
    return f"role {role.get('name')}: {running} of {wanted} running"


def log_of(document: Object) -> str:
    """The last lines of a service's own log."""
    lines = [f"{item.get('severity', 'I')}: {item.get('message', '')}" for item in body_of(document).get("log") or []]
    return "OneFlow logged: " + ("; ".join(lines[-SHOWN_LOG_LINES:]) or "nothing")


def state_of(document: Object | None) -> str:
    """A service's state in words."""
    return "gone" if document is None else state_name(state_number(document))


def progress_or_gone(document: Object | None) -> str:
    """A service's state and its roles, for the message when it did not get ready in time."""
    return "gone" if document is None else progress_line(document)


def is_gone(found: Object | None) -> bool:
    """Whether a service is undeployed; raises where OneFlow could not."""
    if found is not None and state_number(found) in UNDEPLOY_FAILED:
        raise failed(found, log_of(found))
    return found is None or state_of(found) == "DONE"


def _same_failure(before: Object, found: Object) -> bool:
    """Whether a failed service is where it was: nothing was logged since."""
    return state_number(before) == state_number(found) and len(body_of(before).get("log") or []) == len(
        body_of(found).get("log") or []
    )


def failed(found: Object | None, reason: str) -> FailedObjectError:
    """The error of a service that does not run."""
    name = text_at(found or {}, "NAME")
    remedy = (
        "Resume or remove the VM that is not running and run `pulumi up` again"
        if found is not None and state_number(found) == WARNING
        else "Repair the cause; the next `pulumi up` recovers the service, `pulumi destroy` removes it"
    )
    return FailedObjectError(
        f"service {name!r} is {state_of(found)}", "it must be RUNNING (or gone, when it is deleted)", reason, remedy
    )


def body_of(document: Object) -> Values:
    """A service's BODY; empty where it has none."""
    template = document.get("TEMPLATE")
    body = template.get("BODY") if isinstance(template, dict) else None
    return body if isinstance(body, dict) else {}


def state_number(document: Object) -> int:
    """A service's state."""
    return int(body_of(document).get("state", -1))


def state_name(state: int) -> str:
    """The name of a state."""
    return STATES[state] if 0 <= state < len(STATES) else str(state)
