"""get_security_group: the one security group that matches; none or several are an error.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = ["GetSecurityGroupResult", "get_security_group", "get_security_group_output"]


@outputs
class GetSecurityGroupResult(dict[str, Any]):
    """What `get_security_group` finds."""

    id: int | None = pulumi.property("id", default=None)
    """Number of the object."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the object."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that the object's template must have."""


def get_security_group(
    *,
    id: int | None = None,
    name: str | None = None,
    tags: dict[str, str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetSecurityGroupResult:
    """The one security group that matches; none or several are an error.

    Args:
        id: Number of the object.
        name: Name of the object.
        tags: Attributes that the object's template must have.
        opts: Options, such as the provider to ask.
    """
    values = {
        "id": id,
        "name": name,
        "tags": tags,
    }
    return call("opennebula:index/getSecurityGroup:getSecurityGroup", values, opts, GetSecurityGroupResult)


def get_security_group_output(
    *,
    id: pulumi.Input[int] | None = None,
    name: pulumi.Input[str] | None = None,
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetSecurityGroupResult]:
    """As `get_security_group`, for arguments that are outputs of other resources."""
    values = {
        "id": id,
        "name": name,
        "tags": tags,
    }
    return call_output("opennebula:index/getSecurityGroup:getSecurityGroup", values, opts, GetSecurityGroupResult)
