"""Which number a node has: from the VM's name, as OneFlow gives it, or from the CONTEXT. It asks nobody.

OneFlow names a VM `<role>_<n>_(service_<id>)` and never uses an n again within a service, so that ids stay stable under
scaling. Observed on OpenNebula 7.0.1, 2026-11-24.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flower_appliance.context import SuperNodeContext
from flower_appliance.errors import PlanError, Problem
from flower_appliance.fields import INT_MAX

_ONEFLOW_NAME = re.compile(r"(?P<role>\w+)_(?P<n>\d+)_\(service_\d+\)")


@dataclass(frozen=True, kw_only=True)
class NodeIdentity:
    """What this node is called in the federation, and its number."""

    name: str
    """`<zone>/<role>-<n>`, or `<zone>/<VM name>` outside of a OneFlow service."""
    partition_id: int


def node_identity(context: SuperNodeContext, vm_name: str) -> NodeIdentity:
    """The node's name and partition id.

    Args:
        vm_name: the VM's name as OneGate gives it; empty where it is not known.

    Raises:
        PlanError: the name carries no number and FL_PARTITION_ID is absent, or the number is too large.
    """
    found = _ONEFLOW_NAME.fullmatch(vm_name)
    name = f"{context.zone}/{found['role']}-{int(found['n'])}" if found else f"{context.zone}/{_plain(vm_name)}"
    if context.partition_id is not None:
        return NodeIdentity(name=name, partition_id=context.partition_id)
    if found is None:
        raise PlanError(
            [
                Problem(
                    given=f"the VM's name is {vm_name!r} and FL_PARTITION_ID is absent",
                    rule="one of them must give this node its number",
                    reason="two nodes with one partition id would train on the same rows",
                    remedy="Start the VM through OneFlow (role_<n>_(service_<id>)), or set FL_PARTITION_ID",
                )
            ]
        )
    partition_id = context.partition_base + int(found["n"])
    if partition_id > INT_MAX:
        raise PlanError(
            [
                Problem(
                    given=f"FL_PARTITION_BASE {context.partition_base} plus {found['n']} is {partition_id}",
                    rule=f"a partition id must be at most {INT_MAX}",
                    reason="apps read it as a 32-bit integer",
                    remedy="Lower FL_PARTITION_BASE in the zone's stack",
                )
            ]
        )
    return NodeIdentity(name=name, partition_id=partition_id)


def _plain(vm_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", vm_name).strip("-") or "node"
