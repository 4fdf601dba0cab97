"""From a VM template's CONTEXT to what VMs that run have to learn of it. Pure but for Pulumi's outputs.

A VM template is for VMs to come. What changes in it reaches those that run through a ServiceContext, and counts as
done only once each guest has written the revision back: that it works with this CONTEXT, not only that it has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pulumi

import pulumi_opennebula as opennebula

REVISION = "FL_CONTEXT_REVISION"
_SECRET = frozenset({"FL_SERVER_KEY"})
"""Left out of the revision, which anybody may read. A server certificate names its key anyway."""
_OF_THE_VM = frozenset({"NETWORK", "TOKEN", "FL_FLOWER_VERSION"})
"""Switches of oned's that a VM keeps for life; and the version of its image, which changes with the image alone
(`federation upgrade`): told of another one, a VM that runs would refuse its CONTEXT."""

Variables = Mapping[str, pulumi.Input[str]]


def with_revision(variables: Variables) -> dict[str, pulumi.Input[str]]:
    """The variables, and a name for their content.

    Args:
        variables: CONTEXT of a VM template.
    """
    public = {name: value for name, value in variables.items() if name not in _SECRET}
    return {**variables, REVISION: pulumi.Output.all(**public).apply(revision_of)}


def revision_of(variables: Mapping[str, Any]) -> str:
    """A short name of a CONTEXT's content: the same for the same values, whatever their order."""
    text = "\n".join(f"{name}={variables[name]}" for name in sorted(variables))
    return sha256(text.encode()).hexdigest()[:16]


def live_context(
    name: str,
    *,
    service: opennebula.Service,
    role: str,
    variables: Variables,
    vms: int,
    opts: pulumi.ResourceOptions,
) -> opennebula.ServiceContext:
    """Bring a template's CONTEXT to the VMs of a role that run, a few at a time.

    Args:
        name: The resource's name.
        service: The service whose VMs they are.
        role: The role.
        variables: From `with_revision`.
        vms: How many VMs the role has. One in 25 changes at a time, and at least one: each is away for a few seconds.
            How many it may have would let a small pool in a wide network change all at once. Below 50 it is always one,
            so that scaling there is one update.
        opts: Parent and provider.
    """
    return opennebula.ServiceContext(
        name,
        service_id=service.id.apply(int),
        role=role,
        variables={key: value for key, value in variables.items() if key not in _OF_THE_VM},
        acknowledgement=REVISION,
        at_once=max(1, vms // 25),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="10m", update="30m"))
        ),
    )
