"""get_zone: the one zone that matches; none or several are an error.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = ["GetZoneResult", "get_zone", "get_zone_output"]


@outputs
class GetZoneResult(dict[str, Any]):
    """What `get_zone` finds."""

    endpoint: str = pulumi.property("endpoint")
    """The zone's own URL of oned."""
    id: int | None = pulumi.property("id", default=None)
    """Number of the object."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the object."""


def get_zone(
    *,
    id: int | None = None,
    name: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetZoneResult:
    """The one zone that matches; none or several are an error.

    Args:
        id: Number of the object.
        name: Name of the object.
        opts: Options, such as the provider to ask.
    """
    values = {
        "id": id,
        "name": name,
    }
    return call("opennebula:index/getZone:getZone", values, opts, GetZoneResult)


def get_zone_output(
    *,
    id: pulumi.Input[int] | None = None,
    name: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetZoneResult]:
    """As `get_zone`, for arguments that are outputs of other resources."""
    values = {
        "id": id,
        "name": name,
    }
    return call_output("opennebula:index/getZone:getZone", values, opts, GetZoneResult)
