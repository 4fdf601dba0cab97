"""Random programs of every resource type, and what somebody else may do to their objects. It runs nothing.

A program is made of slots: a slot has a name and a kind, and needs other slots. What running VMs use keeps what cannot
change then (OpenNebula would refuse, and rightly); each kind has a slot of its own that is free to change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.opennebula_small_engine import Declared, Json, Program, Ref

Inputs = dict[str, Any]
TEXT = st.sampled_from(["plain", 'with "quotes"', "ünïcode", "a = [ b ]", "x,y"])
TAGS = st.dictionaries(st.sampled_from(["owner", "Project", "COST"]), TEXT, max_size=2)
PERMISSIONS = st.sampled_from(["600", "640", "660"])
COMMON = {"description": TEXT, "tags": TAGS, "permissions": PERMISSIONS}
GROUP = st.sampled_from(["oneadmin", "users"])
LOCK = st.sampled_from(["USE", "MANAGE", "ALL", "UNLOCK"])
RULES = st.lists(
    st.sampled_from(
        [
            {"protocol": "ALL", "ruleType": "OUTBOUND"},
            {"protocol": "TCP", "ruleType": "INBOUND", "range": "22,9092:9093"},
            {"protocol": "ICMP", "ruleType": "INBOUND", "icmpType": "8"},
            {"protocol": "UDP", "ruleType": "INBOUND", "ip": "10.0.0.0", "size": "255"},
        ]
    ),
    min_size=1,
    max_size=3,
)
CONTEXT = st.dictionaries(st.sampled_from(["NETWORK", "token", "FL_ROLE"]), st.sampled_from(["YES", "a b"]), min_size=1)
SECTIONS = st.lists(
    st.sampled_from(
        [
            {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.0"}},
            {"name": "PCI", "elements": {"SHORT_ADDRESS": "01:00.1"}},
            {"name": "HUGEPAGES", "elements": {"SIZE": "2"}},
        ]
    ),
    max_size=3,
)
LINK = {"networkId": Ref("network"), "model": "virtio"}
POLICIES = st.sampled_from(["NONE", "AFFINED", "ANTI_AFFINED"])


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place for a resource."""

    kind: str
    draw: st.SearchStrategy[Inputs]
    after: tuple[str, ...] = ()
    always: bool = False
    """Part of every program."""


def _fixed(required: Inputs, **optional: Any) -> st.SearchStrategy[Inputs]:
    fixed = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in required.items()}
    return st.fixed_dictionaries(fixed, optional=optional)


def _roles(cardinality: int, most: int, cooldown: int) -> list[Inputs]:
    machine = {"template_id": Ref("machine"), "template_contents": {"NIC": [{"NETWORK_ID": Ref("network")}]}}
    return [
        {"name": "front", "cardinality": 1, **machine},
        {
            "name": "node",
            "cardinality": cardinality,
            "min_vms": 0,
            "max_vms": most,
            "cooldown": cooldown,
            "parents": ["front"],
            **machine,
        },
    ]


SLOTS: dict[str, Slot] = {
    "group": Slot(kind="securityGroup", draw=_fixed({"rules": RULES}, **COMMON, commit=st.booleans())),
    "network": Slot(
        kind="virtualNetwork",
        draw=_fixed(
            {"type": "dummy", "bridge": "br0"},
            **COMMON,
            mtu=st.sampled_from([1400, 1500]),
            dns=st.sampled_from(["10.66.0.1", "10.66.0.1 10.66.0.2"]),
            gateway=st.just("10.66.0.1"),
        ),
        always=True,
    ),
    "range": Slot(
        kind="virtualNetworkAddressRange",
        draw=_fixed(
            {"virtualNetworkId": Ref("network"), "arType": "IP4", "ip4": "10.66.0.10"} | {"size": st.integers(40, 42)},
            holdIps=st.lists(st.sampled_from(["10.66.0.48", "10.66.0.49"]), unique=True),
        ),
        always=True,
    ),
    "island": Slot(
        kind="virtualNetwork",
        draw=_fixed(
            {"type": "dummy", "bridge": st.sampled_from(["br1", "br2"])},
            **COMMON,
            group=GROUP,
            ars=st.lists(
                st.sampled_from(
                    [
                        {"arType": "IP4", "ip4": "10.1.0.1", "size": 4},
                        {"arType": "IP4", "ip4": "10.1.0.1", "size": 8},
                        {"arType": "ETHER", "size": 3},
                    ]
                ),
                max_size=2,
            ),
            securityGroups=st.just([0]),
        ),
    ),
    "shore": Slot(kind="virtualNetwork", draw=_fixed({"type": "dummy", "bridge": "br3"}, **COMMON)),
    "shore_range": Slot(
        kind="virtualNetworkAddressRange",
        draw=_fixed(
            {
                "virtualNetworkId": Ref("shore"),
                "arType": "IP4",
                "ip4": st.sampled_from(["10.9.0.1", "10.9.1.1"]),
                "size": st.integers(1, 3),
            }
        ),
    ),
    "disk": Slot(
        kind="image",
        draw=_fixed({"datastoreId": 1, "type": "DATABLOCK", "size": 8, "persistent": False}, **COMMON),
        always=True,
    ),
    "data": Slot(
        kind="image",
        draw=_fixed(
            {"datastoreId": 1, "type": "DATABLOCK", "size": st.sampled_from([8, 16])},
            **COMMON,
            persistent=st.booleans(),
            devPrefix=st.sampled_from(["sd", "vd"]),
            group=GROUP,
            lock=LOCK,
        ),
    ),
    "machine": Slot(
        kind="template",
        draw=_fixed(
            {"cpu": 0.1, "memory": st.sampled_from([64, 96]), "disks": [{"imageId": Ref("disk")}], "context": CONTEXT},
            **COMMON,
        ),
        always=True,
    ),
    "blank": Slot(
        kind="template",
        draw=_fixed(
            {"cpu": 1, "memory": 64},
            **COMMON,
            context=CONTEXT,
            nics=st.lists(st.just(LINK), max_size=2),
            templateSections=SECTIONS,
            group=GROUP,
            lock=LOCK,
        ),
    ),
    "blueprint": Slot(
        kind="serviceTemplate",
        draw=st.builds(
            lambda size, most, cooldown, deployment: {
                "template": Json({"deployment": deployment, "roles": _roles(size, most, cooldown)})
            },
            st.integers(0, 2),
            st.integers(4, 5),
            st.just(1),
            st.sampled_from(["straight", "none"]),
        ),
    ),
    "service": Slot(
        kind="service",
        draw=st.builds(
            lambda size: {
                "templateId": Ref("blueprint"),
                "extraTemplate": Json({"roles": [{"name": "node", "cardinality": size}]}),
            },
            st.integers(0, 3),
        ),
        after=("range", "machine"),
    ),
    "words": Slot(
        kind="serviceContext",
        draw=_fixed(
            {
                "serviceId": Ref("service"),
                "role": "front",
                "variables": st.dictionaries(st.sampled_from(["FL_A", "FL_B"]), TEXT, min_size=1),
            }
        ),
    ),
    "affinity": Slot(
        kind="virtualMachineGroup",
        draw=_fixed(
            {
                "roles": st.lists(
                    st.builds(lambda name, policy: {"name": name, "policy": policy}, st.sampled_from("xyz"), POLICIES),
                    min_size=1,
                    max_size=3,
                    unique_by=lambda role: role["name"],
                )
            },
            tags=TAGS,
            permissions=PERMISSIONS,
        ),
    ),
    "single": Slot(
        kind="virtualMachine",
        draw=_fixed(
            {"cpu": 0.1, "memory": st.sampled_from([64, 96]), "hardShutdown": True},
            **COMMON,
            context=CONTEXT,
            nics=st.lists(st.just(LINK), max_size=2),
            disks=st.lists(st.just({"imageId": Ref("disk")}), max_size=1),
        ),
        after=("range",),
    ),
    "copied": Slot(
        kind="virtualMachine",
        draw=_fixed({"templateId": Ref("machine"), "hardShutdown": True}, **COMMON, context=CONTEXT),
        after=("range",),
    ),
    "market": Slot(
        kind="marketplace",
        draw=_fixed(
            {
                "https": st.sampled_from(["a", "b"]).map(
                    lambda name: [{"endpointUrl": f"http://{name}.example.org", "path": f"/srv/{name}"}]
                )
            },
            **COMMON,
            disabled=st.booleans(),
        ),
    ),
    "appliance": Slot(
        kind="marketplaceAppliance",
        draw=_fixed(
            {"marketId": Ref("market"), "type": st.sampled_from(["VMTEMPLATE", "SERVICE_TEMPLATE"])},
            **COMMON,
            version=st.sampled_from(["1", "2"]),
            disabled=st.booleans(),
            lock=LOCK,
        ),
    ),
}
NAMELESS = frozenset({"virtualNetworkAddressRange", "serviceContext"})


def inputs_of(name: str) -> st.SearchStrategy[Inputs]:
    """Inputs for a slot, with a name that is sometimes another one where the kind has names."""
    slot = SLOTS[name]
    if slot.kind in NAMELESS:
        return slot.draw
    return st.builds(lambda inputs, mark: inputs | {"name": f"{name}-{mark}"}, slot.draw, st.sampled_from("ab"))


def needs_of(name: str) -> frozenset[str]:
    """Slots that a slot needs, whatever its inputs."""
    known = {"shore_range": {"shore"}, "words": {"service"}, "service": {"blueprint"}, "appliance": {"market"}}
    return frozenset({*SLOTS[name].after, *known.get(name, ())})


def program_of(chosen: dict[str, Inputs]) -> Program:
    """The program with these slots filled, each after what it needs."""
    return {
        name: Declared(kind=slot.kind, inputs=chosen[name], after=slot.after)
        for name, slot in SLOTS.items()
        if name in chosen
    }


Oned = Callable[..., Any]
Flow = Callable[..., Any]


def change_behind_the_back(kind: str, id_: str, known: Mapping[str, Any], oned: Oned, flow: Flow) -> None:
    """What somebody else does to an object: a change that the provider must find.

    Args:
        kind: the resource's kind.
        id_: its id.
        known: its inputs.
        oned: calls `one.<method>`.
        flow: sends OneFlow a request: method, path, JSON.
    """
    pools = {
        "securityGroup": "secgroup",
        "image": "image",
        "virtualNetwork": "vn",
        "marketplace": "market",
        "marketplaceAppliance": "marketapp",
    }
    if kind in pools:
        oned(f"{pools[kind]}.update", int(id_), 'DESCRIPTION="somebody else"', 1)
    elif kind == "template":
        oned("template.update", int(id_), 'MEMORY="4096"', 1)
    elif kind in {"virtualMachineGroup", "virtualMachine"}:
        oned("vmgroup.rename" if kind == "virtualMachineGroup" else "vm.rename", int(id_), f"somebody-elses-{id_}")
    elif kind == "virtualNetworkAddressRange":
        network, range_ = id_.split(":")
        oned("vn.update_ar", int(network), f'AR=[AR_ID="{range_}",SIZE="77"]')
    elif kind == "serviceTemplate":
        body = flow("GET", f"/service_template/{id_}")["DOCUMENT"]["TEMPLATE"]["BODY"]
        body["roles"][1]["max_vms"] = 9
        flow("PUT", f"/service_template/{id_}", body)
    elif kind == "service":
        sizes = _node_sizes(flow, id_)
        wanted = {"role_name": "node", "cardinality": (sizes + 1) % 4, "force": True}
        flow("POST", f"/service/{id_}/scale", wanted)
    else:
        assert kind == "serviceContext", kind
        service, _, role = id_.partition(":")
        roles = flow("GET", f"/service/{service}")["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"]
        name = next(iter(known["variables"]))
        for node in next(item for item in roles if item["name"] == role)["nodes"]:
            oned("vm.updateconf", int(node["deploy_id"]), f'CONTEXT=[{name}="somebody else"]', 1)


def _node_sizes(flow: Flow, id_: str) -> int:
    roles = flow("GET", f"/service/{id_}")["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"]
    return next(int(role["cardinality"]) for role in roles if role["name"] == "node")


def delete_behind_the_back(kind: str, id_: str, oned: Oned, flow: Flow) -> None:
    """Somebody else deletes an object. Args: see `change_behind_the_back`."""
    pools = {
        "securityGroup": "secgroup",
        "image": "image",
        "virtualNetwork": "vn",
        "template": "template",
        "virtualMachineGroup": "vmgroup",
        "marketplace": "market",
        "marketplaceAppliance": "marketapp",
    }
    if kind in pools:
        oned(f"{pools[kind]}.delete", int(id_), *((False,) if kind in {"template", "image"} else ()))
    elif kind == "virtualMachine":
        oned("vm.recover", int(id_), 3)
    elif kind == "virtualNetworkAddressRange":
        oned("vn.rm_ar", *map(int, id_.split(":")))
    else:
        assert kind in {"serviceTemplate", "service"}, kind
        flow("DELETE", "/service_template/" + id_ if kind == "serviceTemplate" else "/service/" + id_)
