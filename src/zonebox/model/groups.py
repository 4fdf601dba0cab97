"""Groups: who is in them, who administers them, their limits. Membership itself is kept with the users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox.errors import ActionRefused
from zonebox.model import quotas
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, ids

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

GROUP = Kind(
    key="group",
    tag="GROUP",
    pool_tag="GROUP_POOL",
    noun="group",
    acl="GROUP",
    taken="GROUP",
    first_id=100,
    unique="zone",
)
_USERS_VIEWS = {
    "SUNSTONE": {
        "DEFAULT_VIEW": "cloud",
        "GROUP_ADMIN_DEFAULT_VIEW": "groupadmin",
        "GROUP_ADMIN_VIEWS": "groupadmin,cloud",
        "VIEWS": "cloud",
    }
}


class GroupPool(Pool):
    """The zone's groups."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, GROUP)

    def create_first(self) -> None:
        """The two groups of a new zone."""
        for id_, name, tree in ((0, "oneadmin", {}), (1, "users", _USERS_VIEWS)):
            self._store_group(id_, name, dict(tree))

    def allocate(self, caller: Caller, name: str) -> int:
        """one.group.allocate: administrators only."""
        self.require_create(caller)
        self.free_name(name, -1)
        id_ = self.store.next_id(GROUP.key, GROUP.first_id)
        self._store_group(id_, name, {})
        self.model.acl.add_group(id_)
        return id_

    def _store_group(self, id_: int, name: str, tree: Tree) -> None:
        self.save({"ID": str(id_), "NAME": name, "TEMPLATE": tree, "USERS": {}, "ADMINS": {}, **quotas.empty()})

    def allowed(self, caller: Caller, tree: Tree, right: str) -> bool:
        """Members may see their groups."""
        if right == "USE" and int(tree["ID"]) in self.model.groups_of(caller):
            return True
        return super().allowed(caller, tree, right)

    def members(self, id_: int) -> list[int]:
        """Ids of the users in a group."""
        return [int(user["ID"]) for user in self.model.users.everything() if id_ in ids(user["GROUPS"])]

    def info(self, caller: Caller, id_: int) -> Tree:
        """The group, with limits; -1 is the caller's."""
        tree = super().info(caller, caller.gid if id_ == -1 else id_)
        return {**tree, "DEFAULT_GROUP_QUOTAS": quotas.empty()}

    def shown(self, tree: Tree) -> Tree:
        """The group with its members, and its usage counted."""
        full = quotas.shown(self.model, "group", tree)
        everyone = {int(user["ID"]) for user in self.model.users.everything()}
        full["ADMINS"] = id_set(number for number in ids(tree["ADMINS"]) if number in everyone)
        full["USERS"] = id_set(self.members(int(tree["ID"])))
        return full

    def administrator(self, caller: Caller, id_: int, uid: int, *, member: bool) -> None:
        """Name an administrator of a group, or take one away."""
        tree = self.get(caller, id_, "ADMIN")
        self.model.users.peek(uid)
        admins = set(ids(tree["ADMINS"]))
        tree["ADMINS"] = id_set(sorted(admins | {uid} if member else admins - {uid}))
        self.save(tree)

    def quota(self, caller: Caller, id_: int, source: str) -> None:
        """Set limits."""
        tree = self.get(caller, id_, "ADMIN")
        quotas.changed(tree, source)
        self.save(tree)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove an empty group. Raises ActionRefused: it is the zone's own, or has users."""
        self.get(caller, id_, "ADMIN")
        if id_ < GROUP.first_id:
            raise ActionRefused("Cannot delete group. System Groups (ID < 100) cannot be deleted.")
        count = len(self.members(id_))
        if count:
            raise ActionRefused(f"Cannot delete group. Group {id_} is not empty, it contains {count} users.")
        self.store.drop(GROUP.key, id_)
        self.model.acl.delete_group(id_)
