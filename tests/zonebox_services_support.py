"""A zone in memory for tests of OneFlow and OneGate: the ports of `zonebox.ports`, with VMs that tests move by hand."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zonebox.clock import ManualClock
from zonebox.errors import ActionRefused, NotAuthorized, NotFound, OneError
from zonebox.oneflow.lifecycle import Lifecycle
from zonebox.oneflow.schema import validate_service
from zonebox.oneflow.service import FlowSettings, Role, Service
from zonebox.oneflow.service_templates import ServiceTemplates
from zonebox.oneflow.watchdog import Watchdog
from zonebox.ports import Body, Caller
from zonebox.trees import clone

DATA = Path(__file__).parent / "data"
ONEADMIN = Caller(uid=0, gid=0, uname="oneadmin", gname="oneadmin")
ALICE = Caller(uid=2, gid=1, uname="alice", gname="users")
USERS = {0: "oneadmin", 1: "serveradmin", 2: "alice"}
GROUPS = {0: "oneadmin", 1: "users"}
PASSWORD = "opennebula"
TOKEN_PASSWORD = "0123456789abcdef0123456789abcdef-and-more"

PENDING, HOLD, RUNNING, DONE, POWEROFF, BOOT_FAILURE, BOOT = (1, 0), (2, 0), (3, 3), (6, 0), (8, 0), (3, 36), (3, 2)


def recordings(name: str) -> list[dict[str, Any]]:
    """The reduced recordings of `oneflow` or `onegate`."""
    return [json.loads(line) for line in (DATA / name / "recordings.jsonl").read_text().splitlines()]


def basic_auth(user: str, password: str = PASSWORD) -> dict[str, str]:
    """Headers of HTTP basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class FakeDocuments:
    """ports.Documents in a dict; only uid 0 and owners see and change a document."""

    def __init__(self) -> None:
        self.stored: dict[int, Body] = {}
        self.next_id = 0
        self.writes = 0

    def _get(self, caller: Caller, id_: int) -> Body:
        if id_ not in self.stored:
            raise NotFound("document", id_)
        if caller.uid not in {0, int(self.stored[id_]["UID"])}:
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform USE DOCUMENT [{id_}].")
        return self.stored[id_]

    def allocate(self, caller: Caller, type_: int, name: str, body: Body) -> int:
        id_, self.next_id = self.next_id, self.next_id + 1
        bits = {f"{who}_{what}": "0" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA"}
        self.stored[id_] = {
            "ID": str(id_),
            "UID": str(caller.uid),
            "GID": str(caller.gid),
            "UNAME": caller.uname,
            "GNAME": caller.gname,
            "NAME": name,
            "TYPE": str(type_),
            "PERMISSIONS": {**bits, "OWNER_U": "1", "OWNER_M": "1"},
            "TEMPLATE": {"BODY": clone(body)},
        }
        return id_

    def info(self, caller: Caller, id_: int) -> Body:
        return clone(self._get(caller, id_))

    def update(self, caller: Caller, id_: int, body: Body) -> None:
        self._get(caller, id_)["TEMPLATE"]["BODY"] = json.loads(json.dumps(body))
        self.writes += 1

    def rename(self, caller: Caller, id_: int, name: str) -> None:
        self._get(caller, id_)["NAME"] = name

    def chmod(self, caller: Caller, id_: int, octet: str) -> None:
        bits = self._get(caller, id_)["PERMISSIONS"]
        for who, digit in zip(("OWNER", "GROUP", "OTHER"), octet, strict=True):
            for what, bit in zip("UMA", f"{int(digit):03b}", strict=True):
                bits[f"{who}_{what}"] = bit

    def chown(self, caller: Caller, id_: int, uid: int, gid: int) -> None:
        document = self._get(caller, id_)
        if uid != -1:
            document["UID"], document["UNAME"] = str(uid), USERS[uid]
        if gid != -1:
            document["GID"], document["GNAME"] = str(gid), GROUPS[gid]

    def delete(self, caller: Caller, id_: int) -> None:
        self._get(caller, id_)
        del self.stored[id_]

    def list(self, caller: Caller, type_: int) -> list[Body]:
        return [clone(item) for item in self.stored.values() if item["TYPE"] == str(type_)]


class FakeMachines:
    """ports.Machines: VMs change state when a test says so."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.vms: dict[int, Body] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.refuse: dict[str, OneError] = {}
        """Call or action -> what oned says to it."""
        self.fails_to_boot: set[int] = set()
        """VM templates whose VMs fail to boot."""

    def _refuse(self, name: str) -> None:
        if name in self.refuse:
            raise self.refuse[name]

    def instantiate(
        self, caller: Caller, template_id: int, name: str, *, extra_template: Mapping[str, Any], on_hold: bool = False
    ) -> int:
        self._refuse("instantiate")
        vm_id = max(self.vms, default=-1) + 1
        self.calls.append(("instantiate", caller.uid, template_id, name, dict(extra_template), on_hold))
        marks = {key: extra_template[key] for key in ("ROLE_NAME", "SERVICE_ID")}
        template = {key: clone(value) for key, value in extra_template.items() if key not in marks}
        context = {**template.get("CONTEXT", {}), "ETH0_IP": f"127.99.0.{10 + vm_id}", "VMID": str(vm_id)}
        self.vms[vm_id] = {
            "ID": str(vm_id),
            "UID": str(caller.uid),
            "GID": str(caller.gid),
            "UNAME": caller.uname,
            "GNAME": caller.gname,
            "NAME": name,
            "STATE": "0",
            "LCM_STATE": "0",
            "STIME": str(int(self.clock.now())),
            "MONITORING": {},
            "TEMPLATE": {
                **template,
                "CONTEXT": context,
                "TEMPLATE_ID": str(template_id),
                "CREATED_BY": str(caller.uid),
            },
            "USER_TEMPLATE": marks,
        }
        self.put(vm_id, HOLD if on_hold else PENDING)
        return vm_id

    def put(self, vm_id: int, state: tuple[int, int]) -> None:
        """Bring a VM into a state."""
        self.vms[vm_id]["STATE"], self.vms[vm_id]["LCM_STATE"] = (str(number) for number in state)

    def state(self, vm_id: int) -> tuple[int, int]:
        """A VM's STATE and LCM_STATE."""
        return int(self.vms[vm_id]["STATE"]), int(self.vms[vm_id]["LCM_STATE"])

    def settle(self) -> None:
        """Let every VM that is on its way up arrive."""
        for vm_id, vm in self.vms.items():
            if self.state(vm_id) in {PENDING, BOOT}:
                fails = int(vm["TEMPLATE"].get("TEMPLATE_ID", -1)) in self.fails_to_boot
                self.put(vm_id, BOOT_FAILURE if fails else RUNNING)

    def info(self, vm_id: int) -> Body:
        if vm_id not in self.vms:
            raise NotFound("virtual machine", vm_id)
        return clone(self.vms[vm_id])

    def action(self, caller: Caller, vm_id: int, action: str) -> None:
        self.calls.append((action, caller.uid, vm_id))
        self._refuse(action)
        after = {"terminate": DONE, "terminate-hard": DONE, "poweroff": POWEROFF, "resume": RUNNING, "release": PENDING}
        if action not in after:
            raise ActionRefused(f'Wrong state to perform action "{action}"')
        self.put(vm_id, after[action])

    def recover(self, caller: Caller, vm_id: int, operation: int) -> None:
        self.calls.append(("recover", caller.uid, vm_id, operation))
        self._refuse("recover")
        self.put(vm_id, DONE if operation == 3 else BOOT)

    def update_user_template(self, vm_id: int, attributes: Mapping[str, str], *, delete: tuple[str, ...] = ()) -> None:
        user_template = self.vms[vm_id]["USER_TEMPLATE"]
        user_template.update(attributes)
        for key in delete:
            del user_template[key]

    def token_password(self, uid: int) -> str:
        if uid not in USERS:
            raise NotFound("user", uid)
        return TOKEN_PASSWORD

    def shares_service(self, vm_id: int, other_vm_id: int) -> bool:
        first, second = (self.vms[id_]["USER_TEMPLATE"].get("SERVICE_ID") for id_ in (vm_id, other_vm_id))
        return first is not None and first == second


class FakeNetworks:
    """ports.Networks in a dict; networks are ready at once unless a test says otherwise."""

    def __init__(self) -> None:
        self.nets: dict[int, Body] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.refuse: dict[str, OneError] = {}
        self.first_state = "1"

    def _new(self, name: str) -> int:
        id_ = 99 + len(self.calls)
        self.nets[id_] = {"ID": str(id_), "NAME": name, "STATE": self.first_state}
        return id_

    def reserve(self, caller: Caller, parent_id: int, name: str, size: int) -> int:
        self.calls.append(("reserve", parent_id, name, size))
        if "reserve" in self.refuse:
            raise self.refuse["reserve"]
        return self._new(name)

    def instantiate_template(self, caller: Caller, template_id: int, name: str, extra: Mapping[str, Any]) -> int:
        self.calls.append(("instantiate_template", template_id, name, dict(extra)))
        return self._new(name)

    def delete(self, caller: Caller, id_: int) -> None:
        if "delete" in self.refuse:
            raise self.refuse["delete"]
        del self.nets[id_]

    def info(self, caller: Caller, id_: int) -> Body:
        if id_ not in self.nets:
            raise NotFound("virtual network", id_)
        return clone(self.nets[id_])


class FakeUsers:
    """ports.Users: three users, one password."""

    def authenticate(self, username: str, password: str) -> Caller | None:
        known = {caller.uname: caller for caller in (ONEADMIN, ALICE)}
        return known.get(username) if password == PASSWORD else None


class FakeZone:
    """The ports together."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_795_000_000.0)
        self.documents = FakeDocuments()
        self.machines = FakeMachines(self.clock)
        self.networks = FakeNetworks()
        self.users = FakeUsers()


class Bench:
    """A zone, its watchdog and one service, with shorthands."""

    def __init__(self, settings: FlowSettings | None = None) -> None:
        self.zone = FakeZone()
        self.settings = settings or FlowSettings(autoscaler_interval_s=1.0)
        self.watchdog = Watchdog(self.zone, self.settings)
        self.lifecycle = Lifecycle(self.zone, self.settings)
        self.templates = ServiceTemplates(self.lifecycle)
        self.id = -1

    @property
    def vms(self) -> FakeMachines:
        """The zone's VMs."""
        return self.zone.machines

    def create(self, roles: list[Body], *, owner: Caller = ONEADMIN, **service: Any) -> int:
        """Make a service from roles and start it."""
        body = {"name": "s", "deployment": "straight", **service, "roles": roles}
        self.id = int(self.lifecycle.instantiate(owner, validate_service(body))["ID"])
        return self.id

    def service(self) -> Service:
        """The service as stored."""
        return Service(self.zone.documents.info(ONEADMIN, self.id), self.settings)

    def role(self, name: str) -> Role:
        """A role as stored."""
        role = self.service().role(name)
        assert role is not None
        return role

    @property
    def state(self) -> str:
        """The service's state, "gone" where there is none."""
        return self.service().state.name if self.id in self.zone.documents.stored else "gone"

    def states(self) -> dict[str, str]:
        """The roles' states."""
        return {role.name: role.state.name for role in self.service().roles}

    def names(self, role: str) -> list[str]:
        """Names of a role's VMs."""
        return [node["vm_info"]["VM"]["NAME"] for node in self.role(role).nodes]

    def log(self) -> list[str]:
        """The service's log without times."""
        return [f"{entry['severity']} {entry['message']}" for entry in self.service().body.get("log", [])]

    async def step(self, seconds: float = 1.0) -> None:
        """One round, after some time."""
        await self.zone.clock.advance(seconds)
        self.watchdog.step()

    async def until(self, state: str, *, settle: bool = True) -> None:
        """Rounds until the service is in a state."""
        for _ in range(60):
            if self.state == state:
                return
            if settle:
                self.vms.settle()
            await self.step()
        raise AssertionError(f"service is {self.state}, not {state}; log: {self.log()}")

    async def running(self, roles: list[Body], **service: Any) -> None:
        """Make a service and bring it up."""
        self.create(roles, **service)
        await self.until("RUNNING")


def role(name: str, cardinality: int = 1, **more: Any) -> Body:
    """A role of VMs from template 5."""
    return {"name": name, "type": "vm", "template_id": 5, "cardinality": cardinality, **more}
