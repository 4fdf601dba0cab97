"""get_host: the one host that matches; none or several are an error.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = ["GetHostResult", "get_host", "get_host_output"]


@outputs
class GetHostResult(dict[str, Any]):
    """What `get_host` finds."""

    id: int | None = pulumi.property("id", default=None)
    """Number of the object."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the object."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that the object's template must have."""


def get_host(
    *,
    id: int | None = None,
    name: str | None = None,
    tags: dict[str, str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetHostResult:
    """The one host that matches; none or several are an error.

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
    return call("opennebula:index/getHost:getHost", values, opts, GetHostResult)


def get_host_output(
    *,
    id: pulumi.Input[int] | None = None,
    name: pulumi.Input[str] | None = None,
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetHostResult]:
    """As `get_host`, for arguments that are outputs of other resources."""
    values = {
        "id": id,
        "name": name,
        "tags": tags,
    }
    return call_output("opennebula:index/getHost:getHost", values, opts, GetHostResult)
