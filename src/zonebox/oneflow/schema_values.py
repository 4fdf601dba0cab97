"""Rules between the fields of roles: limits, policies, repeated names. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zonebox.oneflow import expression, recurrence
from zonebox.oneflow.errors import BadRequest

RoleBody = Mapping[str, Any]


def check_values(roles: Sequence[RoleBody]) -> None:
    """Check what the schema of single fields cannot.

    Raises:
        BadRequest: with OneFlow's text.
    """
    for index, role in enumerate(roles):
        if any(other["name"] == role["name"] for other in roles[index + 1 :]):
            raise BadRequest(f"Role name '{role['name']}' is repeated")
        _check_limits(role)
        for number, policy in enumerate(role.get("elasticity_policies") or []):
            _check_elastic(role, number, policy)
        for number, policy in enumerate(role.get("scheduled_policies") or []):
            _check_scheduled(role, number, policy)


def _check_limits(role: RoleBody) -> None:
    low, high, cardinality = role.get("min_vms"), role.get("max_vms"), int(role.get("cardinality") or 0)
    if low is not None and int(low) > cardinality:
        raise BadRequest(f"Role '{role['name']}' 'cardinality' must be greater than or equal to 'min_vms'")
    if high is not None and int(high) < cardinality:
        raise BadRequest(f"Role '{role['name']}' 'cardinality' must be lower than or equal to 'max_vms'")
    if (role.get("elasticity_policies") or role.get("scheduled_policies")) and (low is None or high is None):
        # The two blanks, and the missing one, are OneFlow's own.
        raise BadRequest(
            f"Role '{role['name']}' with  'elasticity_policies' or 'scheduled_policies'must define both 'min_vms' and "
            "'max_vms'"
        )


def _check_elastic(role: RoleBody, number: int, policy: RoleBody) -> None:
    subject = f"Role '{role['name']}', elasticity policy #{number} 'expression'"
    if not policy["expression"]:
        raise BadRequest(f"{subject} cannot be empty")
    try:
        expression.parse(policy["expression"])
    except expression.ExpressionError as error:
        raise BadRequest(f"{subject} parse error: {error}") from None


def _check_scheduled(role: RoleBody, number: int, policy: RoleBody) -> None:
    subject = f"Role '{role['name']}', scheduled policy #{number}"
    start, recurring = policy.get("start_time"), policy.get("recurrence")
    if start is not None and recurring is not None:
        raise BadRequest(f"{subject} must define 'start_time' or 'recurrence', but not both")
    if start is not None:
        try:
            recurrence.instant_s(start)
        except ValueError:
            raise BadRequest(
                f"{subject} 'start_time' is not a valid Time. Try with YYYY-MM-DD hh:mm:ss or 0YYY-MM-DDThh:mm:ssZ"
            ) from None
    elif recurring is not None:
        try:
            recurrence.Recurrence.parse(recurring).next_after_s(0)
        except ValueError:
            raise BadRequest(f"{subject} 'recurrence' is not a valid cron expression") from None
    else:
        raise BadRequest(f"{subject} needs to define either 'start_time' or 'recurrence'")
