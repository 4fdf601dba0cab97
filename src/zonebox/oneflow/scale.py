"""Arithmetic of scaling: the cardinality that a policy wants, and the limits of a role. It makes no VM.

Rules: OneFlow 7.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zonebox.oneflow.errors import Refused, Unexpected
from zonebox.oneflow.service import Role


def limit(role: Role, key: str) -> int | None:
    """`min_vms` or `max_vms` of a role, None where it sets none."""
    value = role.body.get(key)
    return None if value is None else int(value)


def check_limits(role: Role, cardinality: int) -> None:
    """Hold a wanted cardinality against the role's limits.

    Raises:
        Refused: with the limit.
    """
    low, high = limit(role, "min_vms"), limit(role, "max_vms")
    if cardinality < (low or 0):
        raise Refused(f"Minimum cardinality is {'' if low is None else low}")
    if high is not None and cardinality > high:
        raise Refused(f"Maximum cardinality is {high}")


def read_force(cardinality: int, force: object) -> bool:
    """The `force` of a scale request.

    OneFlow 7.0.1 pastes the value into JSON text and parses that, so that a missing one breaks it (recorded).

    Raises:
        Unexpected: with the parser's complaint.
    """
    if isinstance(force, bool):
        return force
    if isinstance(force, int | float):
        return False
    pasted = "" if force is None else str(force)
    raise Unexpected(f'unexpected token at \'{{ "cardinality" : {cardinality},\n  "force" : {pasted} }}\'')


def wanted_cardinality(role: Role, policy: Mapping[str, Any]) -> int:
    """The cardinality that a triggered policy asks for, kept within the role's limits.

    A role that was forced outside its limits moves towards them by the policy's step; it does not jump.

    Args:
        role: the role.
        policy: `type` (CHANGE, CARDINALITY, PERCENTAGE_CHANGE), `adjust`, and `min_adjust_step` for percentages.
    """
    adjust = int(policy.get("adjust") or 0)
    present = role.cardinality
    kind = str(policy.get("type", "")).upper()
    if kind == "CHANGE":
        wanted = present + adjust
    elif kind == "PERCENTAGE_CHANGE":
        change = present * adjust / 100
        size = max(1, int(abs(change)), int(policy.get("min_adjust_step") or 0))
        # A share of no VMs has no sign of its own: the policy's decides.
        wanted = present + (size if adjust > 0 else -size)
    elif kind == "CARDINALITY":
        wanted = adjust
    else:
        return present
    if adjust > 0:
        return min(wanted, max(present, limit(role, "max_vms") or 0))
    if adjust < 0:
        return max(wanted, limit(role, "min_vms") or 0)
    return wanted
