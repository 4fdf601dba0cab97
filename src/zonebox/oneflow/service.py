"""Views on a service document: its states, log and roles. They read and write one dict; they act on no VM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from zonebox.oneflow.states import RoleState, ServiceState
from zonebox.ports import Body, Caller
from zonebox.trees import clone

MAX_LOG_ENTRIES: Final = 50
"""Older entries are dropped (OneFlow 7.0.1)."""

PRIVATE_KEY: Final = "_zonebox"
"""Where a service keeps what OneFlow holds in memory; replies never show it."""

NODE_FIELDS: Final = ("ID", "UID", "GID", "UNAME", "GNAME", "NAME")
"""What a role remembers of a VM."""


@dataclass(frozen=True, kw_only=True)
class FlowSettings:
    """What `oneflow-server.conf` sets on a real front-end."""

    default_cooldown_s: int = 5
    """Cooldown of a role that sets none. The recorded front-end had 5; OpenNebula ships 300."""
    autoscaler_interval_s: float = 2.0
    """How often elasticity policies are looked at. The recorded front-end had 10; OpenNebula ships 90."""
    shutdown_action: str = "terminate"
    """How VMs end where neither role nor service say it."""
    action_period_s: int = 60
    """Distance of scheduled actions on the VMs of a role."""
    action_number: int = 1
    """VMs that are acted on at a time by scheduled actions."""


class Role:
    """One role of a service.

    Args:
        body: the role's part of the document; changed in place.
    """

    def __init__(self, body: Body) -> None:
        self.body = body

    @property
    def name(self) -> str:
        """The role's name."""
        return str(self.body["name"])

    @property
    def state(self) -> RoleState:
        """The role's state."""
        return RoleState(int(self.body.get("state", 0)))

    @state.setter
    def state(self, state: RoleState) -> None:
        self.body["state"] = int(state)
        if state is RoleState.SCALING:
            for policy in self.body.get("elasticity_policies") or []:
                policy.pop("true_evals", None)

    @property
    def parents(self) -> list[str]:
        """Roles that must run first."""
        return list(self.body.get("parents") or [])

    @property
    def cardinality(self) -> int:
        """How many VMs the role should have."""
        return int(self.body.get("cardinality") or 0)

    @property
    def nodes(self) -> list[Body]:
        """The role's VMs, oldest first."""
        nodes: list[Body] = self.body.setdefault("nodes", [])
        return nodes

    @property
    def node_ids(self) -> list[int]:
        """Ids of the role's VMs, oldest first."""
        return [int(node["deploy_id"]) for node in self.nodes]

    @property
    def on_hold(self) -> bool:
        """Whether the role's VMs are made on hold."""
        return bool(self.body.get("on_hold"))

    @on_hold.setter
    def on_hold(self, on_hold: bool) -> None:
        self.body["on_hold"] = on_hold

    @property
    def cooldown_s(self) -> int:
        """Seconds of COOLDOWN after scaling."""
        return int(self.body.get("cooldown") or 0)

    @property
    def surplus_ids(self) -> list[int]:
        """The VMs that go when the role shrinks to its cardinality: the oldest (observed on 7.0.1)."""
        return self.node_ids[: max(0, len(self.nodes) - self.cardinality)]

    def add_node(self, vm: Body) -> None:
        """Remember a VM that was made for the role."""
        seen = {key: vm[key] for key in NODE_FIELDS if key in vm}
        self.nodes.append({"deploy_id": int(vm["ID"]), "vm_info": {"VM": seen}})

    def drop_nodes(self, vm_ids: Iterable[int]) -> None:
        """Forget VMs."""
        gone = set(vm_ids)
        self.body["nodes"] = [node for node in self.nodes if int(node["deploy_id"]) not in gone]

    def take_vm_number(self) -> int:
        """The next number for a VM's name; never given twice within a service."""
        number = int(self.body.setdefault("last_vmname", 0))
        self.body["last_vmname"] = number + 1
        return number


class Service:
    """A service document.

    Args:
        document: the DOCUMENT with its BODY; copied.
        settings: defaults of the front-end.
    """

    def __init__(self, document: Body, settings: FlowSettings) -> None:
        self.document: Body = clone(document)
        self.body: Body = self.document["TEMPLATE"]["BODY"]
        self.settings = settings
        self._stored: Body = clone(self.body)
        self.load_roles()

    def load_roles(self) -> None:
        """Give each role what OneFlow adds when it first takes up a service."""
        for role in self.body.get("roles") or []:
            role.setdefault("state", int(RoleState.PENDING))
            if role.get("nodes") is None:
                role["nodes"] = []
            if role.get("on_hold") is None:
                role["on_hold"] = False
            if role.get("cooldown") is None:
                role["cooldown"] = self.settings.default_cooldown_s

    @property
    def id(self) -> int:
        """The document's id."""
        return int(self.document["ID"])

    @property
    def owner(self) -> Caller:
        """The user on whose behalf VMs are made and removed."""
        return Caller(
            uid=int(self.document["UID"]),
            gid=int(self.document["GID"]),
            uname=str(self.document["UNAME"]),
            gname=str(self.document["GNAME"]),
        )

    @property
    def changed(self) -> bool:
        """Whether the body differs from what was read."""
        return self.body != self._stored

    @property
    def state(self) -> ServiceState:
        """The service's state."""
        return ServiceState(int(self.body.get("state", 0)))

    @property
    def straight(self) -> bool:
        """Whether roles wait for their parents."""
        return self.body.get("deployment") == "straight"

    @property
    def ready_gate(self) -> bool:
        """Whether a VM counts as deployed only when it says READY=YES."""
        return bool(self.body.get("ready_status_gate"))

    @property
    def on_hold(self) -> bool:
        """Whether the whole service is made on hold."""
        return bool(self.body.get("on_hold"))

    @property
    def roles(self) -> list[Role]:
        """The roles, in the document's order."""
        return [Role(body) for body in self.body.get("roles") or []]

    def role(self, name: str) -> Role | None:
        """The role of this name."""
        return next((role for role in self.roles if role.name == name), None)

    @property
    def private(self) -> Body:
        """What a real OneFlow would keep in memory: see PRIVATE_KEY."""
        private: Body = self.body.setdefault(PRIVATE_KEY, {})
        return private

    def forget_private(self, *keys: str) -> None:
        """Drop private notes, and their container with the last of them."""
        notes = self.body.get(PRIVATE_KEY)
        if notes is None:
            return
        for key in keys:
            notes.pop(key, None)
        if not notes:
            del self.body[PRIVATE_KEY]

    def note(self, key: str) -> Any:
        """A private note, or None."""
        return (self.body.get(PRIVATE_KEY) or {}).get(key)

    def set_state(self, state: ServiceState, now_s: int) -> None:
        """Enter a state and log it, as OneFlow does also where it is the same."""
        self.body["state"] = int(state)
        self.log("I", f"New state: {state.name}", now_s)

    def set_cardinality(self, role: Role, cardinality: int, now_s: int) -> None:
        """Change how many VMs a role should have, and log it."""
        way = "up" if cardinality > role.cardinality else "down"
        self.log("I", f"Role {role.name} scaling {way} from {role.cardinality} to {cardinality} nodes", now_s)
        role.body["cardinality"] = cardinality

    def log(self, severity: str, message: str, now_s: int) -> None:
        """Add to the service's log.

        Args:
            severity: `I` or `E`.
            message: the text.
            now_s: Unix time.
        """
        entries = [*(self.body.get("log") or []), {"timestamp": now_s, "severity": severity, "message": message}]
        self.body["log"] = entries[-MAX_LOG_ENTRIES:]

    def state_since_s(self) -> int:
        """When the present state was entered, by the log; 0 where it does not tell."""
        wanted = f"New state: {self.state.name}"
        for entry in reversed(self.body.get("log") or []):
            if entry.get("message") == wanted:
                return int(entry["timestamp"])
        return 0
