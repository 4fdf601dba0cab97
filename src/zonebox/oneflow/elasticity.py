"""When a role should grow or shrink by itself: policies over attributes and over time. It scales nothing.

Rules: OneFlow 7.0.1; the recordings show a policy's bookkeeping (`last_eval`, `true_evals`, `expression_evaluated`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zonebox.oneflow import expression, recurrence
from zonebox.oneflow.scale import limit, wanted_cardinality
from zonebox.oneflow.service import Role
from zonebox.oneflow.states import Condition, condition_of
from zonebox.ports import Body

_LEADING_NUMBER = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the policies of a role ask for."""

    difference: int
    """VMs to add; negative to remove; 0 for none."""
    cooldown_s: int | None
    """The cooldown that goes with it; None leaves the role's."""


NO_WISH = Wish(difference=0, cooldown_s=None)


def average(vms: Iterable[Body], name: str) -> float | None:
    """An attribute's average over the running VMs that have it, with two decimals; None where none has it."""
    values = [value for vm in vms if _runs(vm) and (value := _number(vm, name)) is not None]
    return expression.rounded(sum(values) / len(values)) if values else None


def _runs(vm: Body) -> bool:
    return condition_of(int(vm.get("STATE", 0)), int(vm.get("LCM_STATE", 0))) is Condition.RUNNING


def _number(vm: Body, name: str) -> float | None:
    """The attribute where OneFlow looks for it, in its order; text without a leading number counts as 0."""
    for place in (vm.get("USER_TEMPLATE"), vm.get("MONITORING"), vm.get("TEMPLATE"), vm):
        value = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(value, str):
            match = _LEADING_NUMBER.match(value)
            return float(match.group()) if match else 0.0
        if value is not None:
            return None
    return None


def wish(role: Role, vms: Iterable[Body], now_s: int) -> Wish:
    """Look at a role's policies once; their bookkeeping is kept in the role's body.

    The first policy that triggers wins, scheduled ones before elastic ones; those after it are not looked at. Without
    any, a role below its `min_vms` is brought up to it.

    Args:
        role: the role, changed in place.
        vms: the role's VMs, whole.
        now_s: Unix time.
    """
    seen = list(vms)
    for policy in role.body.get("scheduled_policies") or []:
        difference = _scheduled(role, policy, now_s)
        if difference:
            return Wish(difference=difference, cooldown_s=_cooldown(policy))
    for policy in role.body.get("elasticity_policies") or []:
        difference = _elastic(role, policy, seen, now_s)
        if difference:
            cooldown_s = _cooldown(policy)
            return Wish(difference=difference, cooldown_s=role.cooldown_s if cooldown_s is None else cooldown_s)
    missing = (limit(role, "min_vms") or 0) - role.cardinality
    return Wish(difference=missing, cooldown_s=0) if missing > 0 else NO_WISH


def _cooldown(policy: Mapping[str, Any]) -> int | None:
    value = policy.get("cooldown")
    return None if value is None else int(value)


def _scheduled(role: Role, policy: dict[str, Any], now_s: int) -> int:
    """VMs to add by a policy over time. The first look only notes the time: what was due before is not made up for."""
    last_s = int(policy.get("last_eval") or 0)
    policy["last_eval"] = now_s
    if last_s == 0 or policy.get("adjust") is None:
        return 0
    try:
        if policy.get("start_time"):
            due_s = recurrence.instant_s(str(policy["start_time"]))
        else:
            due_s = recurrence.Recurrence.parse(str(policy.get("recurrence") or "")).next_after_s(last_s)
    except ValueError:
        return 0
    return wanted_cardinality(role, policy) - role.cardinality if last_s < due_s <= now_s else 0


def _elastic(role: Role, policy: dict[str, Any], vms: list[Body], now_s: int) -> int:
    """VMs to add by a policy over attributes: its expression must hold `period_number` looks in a row."""
    if now_s < int(policy.get("last_eval") or 0) + int(policy.get("period") or 0):
        return 0
    holds, text = _evaluate(str(policy.get("expression") or ""), vms)
    needed = int(policy.get("period_number") or 0)
    count = min(int(policy.get("true_evals") or 0) + 1, max(needed, 0)) if holds else 0
    policy["last_eval"] = now_s
    policy["true_evals"] = count
    policy["expression_evaluated"] = text
    return wanted_cardinality(role, policy) - role.cardinality if holds and count >= needed else 0


def _evaluate(source: str, vms: list[Body]) -> tuple[bool, str]:
    try:
        return expression.parse(source).evaluate(lambda name: average(vms, name))
    except expression.ExpressionError as error:
        return False, f"Parse error. '{source}': {error}"
