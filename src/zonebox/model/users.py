"""Users: passwords, groups, token passwords, limits. It opens no session: each call carries its credentials."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zonebox.errors import ActionRefused, NotAuthorized, Refused
from zonebox.model import quotas
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, ids, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

USER = Kind(
    key="user", tag="USER", pool_tag="USER_POOL", noun="user", acl="USER", taken="USER", first_id=0, unique="zone"
)


def digest(password: str) -> str:
    """How the core driver of OpenNebula 7.0 stores a password: SHA-256, hexadecimal (recorded)."""
    return hashlib.sha256(password.encode()).hexdigest()


class UserPool(Pool):
    """The zone's users; implements ports.Users."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, USER)

    def create(self, name: str, password_digest: str, driver: str, groups: Sequence[int]) -> int:
        """Store a user; the first group is the primary one."""
        self.free_name(name, -1)
        primary = groups[0] if groups else 1
        id_ = self.store.next_id(USER.key, USER.first_id)
        self.save(
            {
                "ID": str(id_),
                "GID": str(primary),
                "GROUPS": id_set(sorted({primary, *groups})),
                "GNAME": self.model.groups.peek(primary)["NAME"],
                "NAME": name,
                "PASSWORD": password_digest,
                "AUTH_DRIVER": driver or "core",
                "ENABLED": "1",
                "TEMPLATE": {"TOKEN_PASSWORD": self.model.random_hex(32)},
                **quotas.empty(),
            }
        )
        return id_

    def allocate(self, caller: Caller, name: str, password: str, driver: str, groups: Sequence[int]) -> int:
        """one.user.allocate: administrators only. Raises OneError."""
        self.require_create(caller)
        if not password:
            raise Refused("Error allocating a new user. Invalid PASSWORD, it cannot be empty")
        return self.create(name, digest(password), driver, groups)

    def authenticate(self, username: str, password: str) -> Caller | None:
        """The caller, or None where the credentials are wrong."""
        for user in self.everything():
            if user["NAME"] == username and user["ENABLED"] == "1" and user["AUTH_DRIVER"] == "core":
                if hmac.compare_digest(user["PASSWORD"], digest(password)):
                    return self.caller(user)
                return None
        return None

    def caller(self, user: Tree) -> Caller:
        """The caller that a user is."""
        return Caller(uid=int(user["ID"]), gid=int(user["GID"]), uname=user["NAME"], gname=user["GNAME"])

    def by_id(self, uid: int) -> Caller:
        """The caller that the user with this id is."""
        return self.caller(self.peek(uid))

    def allowed(self, caller: Caller, tree: Tree, right: str) -> bool:
        """A user may use and manage itself; administrators everyone."""
        if int(tree["ID"]) == caller.uid and right != "ADMIN":
            return True
        return super().allowed(caller, tree, right)

    def info(self, caller: Caller, id_: int) -> Tree:
        """The user, with limits; -1 is the caller."""
        tree = super().info(caller, caller.uid if id_ == -1 else id_)
        return {**tree, "DEFAULT_USER_QUOTAS": quotas.empty()}

    def shown(self, tree: Tree) -> Tree:
        """The user with its usage counted."""
        return quotas.shown(self.model, "user", tree)

    def passwd(self, caller: Caller, id_: int, password: str) -> None:
        """Change a password. Raises Refused: an empty one."""
        tree = self.get(caller, id_, "MANAGE")
        if not password:
            raise Refused("Invalid password, it cannot be empty")
        tree["PASSWORD"] = digest(password)
        self.save(tree)

    def chgrp(self, caller: Caller, id_: int, gid: int) -> None:
        """Make a group the primary one; the old one is left."""
        self._administrators_only(caller, id_)
        tree = self.find(id_)
        group = self.model.groups.peek(gid)
        members = [number for number in ids(tree["GROUPS"]) if number != int(tree["GID"])]
        tree["GID"], tree["GNAME"] = str(gid), group["NAME"]
        tree["GROUPS"] = id_set(sorted({gid, *members}))
        self.save(tree)

    def membership(self, caller: Caller, id_: int, gid: int, *, member: bool) -> None:
        """Add a secondary group, or take one away. Raises ActionRefused: it is the primary group."""
        self._administrators_only(caller, id_)
        tree = self.find(id_)
        self.model.groups.peek(gid)
        if not member and int(tree["GID"]) == gid:
            raise ActionRefused("Cannot remove user from the primary group, change it first.")
        members = set(ids(tree["GROUPS"]))
        tree["GROUPS"] = id_set(sorted(members | {gid} if member else members - {gid}))
        self.save(tree)

    def quota(self, caller: Caller, id_: int, source: str) -> None:
        """Set limits: administrators only."""
        self._administrators_only(caller, id_)
        tree = self.find(id_)
        quotas.changed(tree, source)
        self.save(tree)

    def enable(self, caller: Caller, id_: int, enabled: bool) -> None:
        """Let a user in, or keep it out."""
        self._administrators_only(caller, id_)
        tree = self.find(id_)
        tree["ENABLED"] = "1" if enabled else "0"
        self.save(tree)

    def chauth(self, caller: Caller, id_: int, driver: str, password: str) -> None:
        """Change the authentication driver, and the password where one is given."""
        self._administrators_only(caller, id_)
        tree = self.find(id_)
        tree["AUTH_DRIVER"] = driver
        if password:
            tree["PASSWORD"] = digest(password)
        self.save(tree)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove a user; what it owns stays. Raises ActionRefused: oneadmin."""
        self._administrators_only(caller, id_)
        if id_ == 0:
            raise ActionRefused("Cannot delete user. oneadmin cannot be deleted.")
        self.peek(id_)
        self.store.drop(USER.key, id_)

    def update_template(self, tree: Tree, new: Tree) -> None:
        """TOKEN_PASSWORD survives a replacement that does not name it: VMs' tokens depend on it."""
        token = text(tree["TEMPLATE"], "TOKEN_PASSWORD")
        super().update_template(tree, new)
        if token and "TOKEN_PASSWORD" not in new:
            tree["TEMPLATE"] = dict(sorted({**new, "TOKEN_PASSWORD": token}.items()))

    def token_password(self, uid: int) -> str:
        """TOKEN_PASSWORD of a user."""
        return text(self.peek(uid)["TEMPLATE"], "TOKEN_PASSWORD")

    def _administrators_only(self, caller: Caller, id_: int) -> None:
        tree = self.peek(id_)
        if not super().allowed(caller, tree, "ADMIN"):
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform ADMIN USER [{id_}].")
