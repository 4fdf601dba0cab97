"""VirtualMachineGroup: roles to template text and back, and its calls. Places no VM: OpenNebula's scheduler does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_opennebula.definitions.virtual_machine_group import NO_POLICY, ROLE, VIRTUAL_MACHINE_GROUP
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.resources import shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, Vector, children, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import OwnedTemplate, record_of, tag_attributes, vector_of

OWNED = OwnedTemplate(scalars=(), vectors=("ROLE",), foreign=("NAME",))


@dataclass(frozen=True, kw_only=True)
class RoleChange:
    """One call that changes a role."""

    method: str
    """roledelete, roleupdate or roleadd."""
    role_id: int | None
    """Number of the role; a new one has none yet."""
    role: Vector | None
    """The role as it shall be; None where it goes."""

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Arguments of the call, after the group's number."""
        text = () if self.role is None else (render([("ROLE", self.role)]),)
        return (() if self.role_id is None else (self.role_id,)) + text


class VirtualMachineGroupHandler(Handler):
    """The resource type VirtualMachineGroup."""

    definition = VIRTUAL_MACHINE_GROUP
    owned = OWNED

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse roles that OpenNebula would refuse, or not tell apart."""
        shared.check_common(inputs, findings, OWNED)
        seen: set[str] = set()
        for index, role in enumerate(inputs.get("roles") or []):
            name = role.get("name") if isinstance(role, dict) else None
            if not isinstance(name, str):
                continue
            if name in seen:
                findings.refuse(
                    ("roles", index, "name"),
                    name,
                    "each role needs a name of its own",
                    "VMs name the role that they belong to",
                    "Rename one of the two roles",
                )
            seen.add(name)
            both = set(_hosts(role, "hostAffineds")) & set(_hosts(role, "hostAntiAffineds"))
            if both:
                findings.refuse(
                    ("roles", index, "hostAntiAffineds"),
                    sorted(both),
                    "a host cannot be in hostAffineds and in hostAntiAffineds",
                    "no VM of the role could ever be placed there and nowhere else",
                    "Remove the host from one of the two",
                )

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the group with its roles."""
        text = render([("NAME", inputs["name"]), *attributes(inputs, call.zone.settings.default_tags)])
        return str(await call.zone.oned.call("vmgroup.allocate", text))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set owner and permissions."""
        await shared.set_owner(call, "vmgroup", int(id_), {}, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The group's properties."""
        body = await call.zone.object("vmgroup", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Change, add and remove roles, and replace what is ours in the template."""
        number = int(id_)
        await shared.rename(call, "vmgroup", number, old, new)
        body = await call.zone.object("vmgroup", number) or {}
        for change in role_changes(body, new):
            await call.zone.oned.call(f"vmgroup.{change.method}", number, *change.arguments)
        kept = [item for item in OWNED.kept(body.get("TEMPLATE"), old) if item[0] != "ROLE"]
        text = render([*kept, *tag_attributes(new, call.zone.settings.default_tags)])
        await call.zone.oned.call("vmgroup.update", number, text, 0)
        await shared.set_owner(call, "vmgroup", number, old, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the group; oned refuses while a role has VMs."""
        await shared.delete_object(call, "vmgroup", int(id_), old)


def attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Template attributes of the inputs."""
    found: list[Attribute] = [("ROLE", role_vector(role)) for role in inputs.get("roles") or []]
    return found + tag_attributes(inputs, default_tags)


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.vmgroup.info` says."""
    found = shared.owner_outputs(body) | OWNED.tags(body.get("TEMPLATE"), old, default_tags)
    return found | {
        "virtualMachineGroupId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "roles": [_role_of(role) for role in children(body, "ROLES", "ROLE") if isinstance(role, dict)],
    }


def role_vector(role: Values) -> Vector:
    """A role as template text has it. oned knows no word for "no policy": the attribute is left out."""
    vector = vector_of(ROLE, {name: value for name, value in role.items() if value is not None})
    if vector.get("POLICY", NO_POLICY).upper() == NO_POLICY:
        vector.pop("POLICY", None)
    else:
        vector["POLICY"] = vector["POLICY"].upper()
    return vector


def role_changes(body: Body, new: Values) -> list[RoleChange]:
    """The calls that bring the roles of a group to what the program says: first what goes, then changes, then more."""
    seen = {text_at(role, "NAME"): role for role in children(body, "ROLES", "ROLE") if isinstance(role, dict)}
    wanted = {str(role["name"]): role for role in new.get("roles") or []}
    gone = [
        RoleChange(method="roledelete", role_id=int(text_at(role, "ID")), role=None)
        for name, role in seen.items()
        if name not in wanted
    ]
    changed = [
        RoleChange(method="roleupdate", role_id=int(text_at(seen[name], "ID")), role=role_vector(role))
        for name, role in wanted.items()
        if name in seen and role_vector(_role_of(seen[name])) != role_vector(role)
    ]
    added = [
        RoleChange(method="roleadd", role_id=None, role=role_vector(role))
        for name, role in wanted.items()
        if name not in seen
    ]
    return [*gone, *changed, *added]


def _role_of(vector: Mapping[str, str]) -> Values:
    role = record_of(ROLE, vector)
    return {**role, "policy": role.get("policy") or NO_POLICY}


def _hosts(role: Mapping[str, Any], name: str) -> Iterator[int]:
    return (host for host in role.get(name) or [] if isinstance(host, int))
