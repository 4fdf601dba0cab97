"""What OneGate shows of VMs and services. Pure; it decides who may see it nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from zonebox.ports import Body
from zonebox.trees import vectors

_NIC_KEYS: Final = (
    "IP",
    "IP6_LINK",
    "IP6_SITE",
    "IP6_GLOBAL",
    "NETWORK",
    "MAC",
    "NAME",
    "PARENT",
    "EXTERNAL",
    "EXTERNAL_IP",
)
_HIDDEN: Final = frozenset({"SCHED_MESSAGE"})


def vm_view(vm: Body) -> Body:
    """A VM as it sees itself, and as its siblings do."""
    template: Mapping[str, Any] = vm.get("TEMPLATE") or {}
    user_template: Mapping[str, Any] = vm.get("USER_TEMPLATE") or {}
    return {
        "VM": {
            "NAME": vm["NAME"],
            "ID": vm["ID"],
            "STATE": vm["STATE"],
            "LCM_STATE": vm["LCM_STATE"],
            "USER_TEMPLATE": {key: value for key, value in user_template.items() if key not in _HIDDEN},
            "TEMPLATE": {"NIC": _nics(template, "NIC"), "NIC_ALIAS": _nics(template, "NIC_ALIAS")},
        }
    }


def _nics(template: Mapping[str, Any], key: str) -> list[Body]:
    return [{name: value for name, value in nic.items() if name in _NIC_KEYS} for nic in vectors(template, key)]


def service_view(document: Body, whole_vm: Callable[[int], Body] | None) -> Body:
    """A service as its VMs see it.

    Args:
        document: the service.
        whole_vm: gives a VM in full, for the extended view; None for what the service remembers of its VMs.
    """
    body = document["TEMPLATE"]["BODY"]
    return {
        "SERVICE": {
            "name": document["NAME"],
            "id": document["ID"],
            "state": body["state"],
            "roles": [
                {
                    "name": role["name"],
                    "cardinality": role["cardinality"],
                    "state": role["state"],
                    "nodes": [_node(node, whole_vm) for node in role.get("nodes") or []],
                }
                for role in body["roles"]
            ],
        }
    }


def _node(node: Body, whole_vm: Callable[[int], Body] | None) -> Body:
    vm_id = int(node["deploy_id"])
    info = node.get("vm_info") if whole_vm is None else {"VM": whole_vm(vm_id)}
    # `running` is a key of older versions that 7.0 still shows, always as null (recorded).
    return {"deploy_id": vm_id, "running": node.get("running"), "vm_info": info}


def vm_ids(service: Body) -> set[int]:
    """The VMs in a service view."""
    return {node["deploy_id"] for role in service["SERVICE"]["roles"] for node in role["nodes"]}
