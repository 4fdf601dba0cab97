"""Access control rules: who has which right on which resources, as four hexadecimal numbers. It stores and evaluates
rules; it does not know owners and permission bits.

The bits are those of OpenNebula's XML-RPC reference, checked against the recorded rules and their STRINGs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zonebox.errors import NotFound, Refused
from zonebox.store import Store
from zonebox.trees import Tree

ONE, GROUP, ALL, CLUSTER = 0x100000000, 0x200000000, 0x400000000, 0x800000000
RESOURCES = {
    "VM": 0x1000000000,
    "HOST": 0x2000000000,
    "NET": 0x4000000000,
    "IMAGE": 0x8000000000,
    "USER": 0x10000000000,
    "TEMPLATE": 0x20000000000,
    "GROUP": 0x40000000000,
    "DATASTORE": 0x100000000000,
    "CLUSTER": 0x200000000000,
    "DOCUMENT": 0x400000000000,
    "ZONE": 0x800000000000,
    "SECGROUP": 0x1000000000000,
    "VDC": 0x2000000000000,
    "VROUTER": 0x4000000000000,
    "MARKETPLACE": 0x8000000000000,
    "MARKETPLACEAPP": 0x10000000000000,
    "VMGROUP": 0x20000000000000,
    "VNTEMPLATE": 0x40000000000000,
    "BACKUPJOB": 0x100000000000000,
}
RIGHTS = {"USE": 1, "MANAGE": 2, "ADMIN": 4, "CREATE": 8}
_KIND = "acl"
# The rules that a fresh 7.0 zone has (recorded): users create what is theirs, use hosts, networks and datastores.
_FIRST_RULES = (
    ("200000001", "121429400000000", "8", "400000000"),
    ("400000000", "800400000000", "1", "400000000"),
    ("400000000", "18000400000000", "1", "400000000"),
    ("200000001", "2400000000", "2", "100000000"),
    ("200000001", "4400000000", "1", "100000000"),
    ("200000001", "100400000000", "1", "100000000"),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a rule is matched against: a resource type, and one object of it unless it is being created."""

    resource: str
    object_id: int = -1
    gid: int = -1
    clusters: tuple[int, ...] = ()


class Acl:
    """The zone's rules."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create_first(self) -> None:
        """The rules of a new zone."""
        for user, resource, rights, zone in _FIRST_RULES:
            self.add(user, resource, rights, zone)

    def add(self, user: str, resource: str, rights: str, zone: str) -> int:
        """Store a rule given as hexadecimal numbers; its id. Raises Refused: not hexadecimal."""
        try:
            numbers = [int(number, 16) for number in (user, resource, rights, zone)]
        except ValueError as error:
            raise Refused(f"Error allocating a new ACL rule. Wrong hexadecimal number: {error}") from error
        id_ = self._store.next_id(_KIND)
        self._store.put(
            _KIND,
            id_,
            {
                "ID": str(id_),
                "USER": user,
                "RESOURCE": resource,
                "RIGHTS": rights,
                "ZONE": zone,
                "STRING": _sentence(*numbers),
            },
        )
        return id_

    def add_group(self, gid: int) -> None:
        """The rules that a new group gets through the default virtual data centre: hosts, networks, datastores."""
        for _, resource, rights, zone in _FIRST_RULES[-3:]:
            self.add(f"{GROUP | gid:x}", resource, rights, zone)

    def delete_group(self, gid: int) -> None:
        """Remove every rule of a group."""
        for rule in self._store.all(_KIND):
            if int(rule["USER"], 16) == GROUP | gid:
                self._store.drop(_KIND, int(rule["ID"]))

    def delete(self, id_: int) -> None:
        """Remove a rule. Raises NotFound."""
        if self._store.view(_KIND, id_) is None:
            raise NotFound("ACL rule", id_)
        self._store.drop(_KIND, id_)

    def rules(self) -> list[Tree]:
        """All rules, in the order oned lists them: by user component, then id."""
        return sorted(self._store.all(_KIND), key=lambda rule: (int(rule["USER"], 16), int(rule["ID"])))

    def allows(self, uid: int, groups: Iterable[int], subject: Subject, right: str) -> bool:
        """Whether any rule gives a user this right."""
        users = {ALL, ONE | uid, *(GROUP | gid for gid in groups)}
        wanted = RIGHTS[right]
        kind = RESOURCES[subject.resource]
        places = {ALL}
        if subject.object_id >= 0:
            places |= {ONE | subject.object_id, GROUP | subject.gid}
        places |= {CLUSTER | cluster for cluster in subject.clusters}
        for rule in self._store.all(_KIND):
            resource = int(rule["RESOURCE"], 16)
            if (
                int(rule["USER"], 16) in users
                and resource & kind
                and resource & 0xFFFFFFFFF in places
                and int(rule["RIGHTS"], 16) & wanted
            ):
                return True
        return False


def _who(number: int) -> str:
    if number & ALL:
        return "*"
    mark = "#" if number & ONE else "@" if number & GROUP else "%"
    return f"{mark}{number & 0xFFFFFFFF}"


def _sentence(user: int, resource: int, rights: int, zone: int) -> str:
    kinds = "+".join(name for name, bit in RESOURCES.items() if resource & bit)
    verbs = "+".join(name for name, bit in RIGHTS.items() if rights & bit)
    return f"{_who(user)} {kinds}/{_who(resource)} {verbs} {_who(zone)}"
