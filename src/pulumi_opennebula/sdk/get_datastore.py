"""get_datastore: the one datastore that matches; none or several are an error.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = ["GetDatastoreResult", "get_datastore", "get_datastore_output"]


@outputs
class GetDatastoreResult(dict[str, Any]):
    """What `get_datastore` finds."""

    id: int | None = pulumi.property("id", default=None)
    """Number of the object."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the object."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that the object's template must have."""


def get_datastore(
    *,
    id: int | None = None,
    name: str | None = None,
    tags: dict[str, str] | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetDatastoreResult:
    """The one datastore that matches; none or several are an error.

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
    return call("opennebula:index/getDatastore:getDatastore", values, opts, GetDatastoreResult)


def get_datastore_output(
    *,
    id: pulumi.Input[int] | None = None,
    name: pulumi.Input[str] | None = None,
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetDatastoreResult]:
    """As `get_datastore`, for arguments that are outputs of other resources."""
    values = {
        "id": id,
        "name": name,
        "tags": tags,
    }
    return call_output("opennebula:index/getDatastore:getDatastore", values, opts, GetDatastoreResult)
