"""What every kind of object has: ids, names, owners, locks, a template, lists. No kind's own rules are here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import Locked, NotAuthorized, NotFound, OneError, Refused
from zonebox.model import permissions
from zonebox.model.acl import Subject
from zonebox.ports import Caller
from zonebox.trees import Tree, clone, ids

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

MINE, EVERYONES, MY_GROUPS, PRIMARY_GROUP = -3, -2, -1, -4
"""Filter flags of the pool methods: -3 mine, -2 all that I may use, -1 mine and my groups', -4 my primary group's."""
_LOCK_LEVELS = {"USE": 1, "MANAGE": 2, "ADMIN": 3}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Names of a kind of object."""

    key: str
    """The store's, and the XML-RPC method's middle part."""
    tag: str
    pool_tag: str
    noun: str
    """As in "Error getting NOUN [3]."."""
    acl: str
    """As in "Not authorized to perform USE ACL [3]."."""
    taken: str
    """As in "NAME is already taken by TAKEN 3."."""
    first_id: int = 0
    unique: str = "owner"
    """Where a name may be used once: "owner", "zone" or "" for anywhere."""


class Pool:
    """Objects of one kind.

    Args:
        model: the zone's objects.
        kind: its names.
    """

    def __init__(self, model: Model, kind: Kind) -> None:
        self.model = model
        self.store = model.store
        self.kind = kind

    # -- reading ---------------------------------------------------------------------------------------------------

    def find(self, id_: int) -> Tree:
        """A copy of an object, whoever owns it. Raises NotFound."""
        found = self.store.get(self.kind.key, id_)
        if found is None:
            raise NotFound(self.kind.noun, id_)
        return found

    def peek(self, id_: int) -> Tree:
        """The object for reading only. Raises NotFound."""
        found = self.store.view(self.kind.key, id_)
        if found is None:
            raise NotFound(self.kind.noun, id_)
        return found

    def save(self, tree: Tree) -> None:
        """Store an object under its own id."""
        self.store.put(self.kind.key, int(tree["ID"]), tree)

    def everything(self) -> list[Tree]:
        """All objects by id, for reading only."""
        return self.store.all(self.kind.key)

    def allowed(self, caller: Caller, tree: Tree, right: str) -> bool:
        """Whether the caller has USE, MANAGE or ADMIN on an object: administrators, bits, rules."""
        groups = self.model.groups_of(caller)
        if caller.uid == 0 or 0 in groups:
            return True
        if permissions.grants(tree, caller.uid, groups, right):
            return True
        subject = Subject(
            resource=self.kind.acl,
            object_id=int(tree["ID"]),
            gid=int(tree.get("GID", -1)),
            clusters=tuple(ids(tree.get("CLUSTERS", {}))),
        )
        return self.model.acl.allows(caller.uid, groups, subject, right)

    def require(self, caller: Caller, tree: Tree, right: str) -> None:
        """Raise NotAuthorized or Locked unless the caller may."""
        if not self.allowed(caller, tree, right):
            raise NotAuthorized(
                f"User [{caller.uid}] : Not authorized to perform {right} {self.kind.acl} [{tree['ID']}]."
            )
        lock = tree.get("LOCK")
        if isinstance(lock, dict) and right in _LOCK_LEVELS:
            level = int(lock["LOCKED"])
            if level <= _LOCK_LEVELS[right] or level == 4:
                raise Locked(
                    f"The {self.kind.noun} [{tree['ID']}] is locked for {right} operations, unlock it first.",
                    int(tree["ID"]),
                )

    def require_create(self, caller: Caller) -> None:
        """Raise NotAuthorized unless the caller may create objects of this kind."""
        groups = self.model.groups_of(caller)
        if caller.uid == 0 or 0 in groups:
            return
        if not self.model.acl.allows(caller.uid, groups, Subject(resource=self.kind.acl), "CREATE"):
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform CREATE {self.kind.acl} [-1].")

    def get(self, caller: Caller, id_: int, right: str) -> Tree:
        """A copy of an object on which the caller has a right."""
        tree = self.find(id_)
        self.require(caller, tree, right)
        return tree

    def info(self, caller: Caller, id_: int) -> Tree:
        """The object as its info method shows it. A lock never hides it. Raises NotFound, NotAuthorized."""
        tree = self.peek(id_)
        if not self.allowed(caller, tree, "USE"):
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform USE {self.kind.acl} [{id_}].")
        return self.shown(tree)

    def shown(self, tree: Tree) -> Tree:
        """What clients see of a stored object; kinds add what they derive."""
        return tree

    def listed(self, tree: Tree) -> Tree:
        """What clients see of a stored object in its pool."""
        return self.shown(tree)

    def select(
        self,
        caller: Caller,
        who: int = EVERYONES,
        start: int = -1,
        end: int = -1,
        *,
        where: Callable[[Tree], bool] | None = None,
    ) -> list[Tree]:
        """Stored objects that a pool method lists, newest first as oned does.

        Args:
            caller: who asks.
            who: a filter flag, or a user's id.
            start: lowest id, or how many to skip where `end` is below -1; -1 for none.
            end: highest id; -1 for none; below -1 its absolute value is a page's size.
            where: what else must be true of them; pages are made of what is left, so that each but the last is full.
        """
        groups = self.model.groups_of(caller)
        chosen = [
            tree
            for tree in self.everything()
            if (where is None or where(tree)) and self._matches(caller, groups, tree, who)
        ]
        chosen.reverse()
        if end < -1:
            return chosen[max(start, 0) : max(start, 0) - end]
        return [
            tree for tree in chosen if (start < 0 or int(tree["ID"]) >= start) and (end < 0 or int(tree["ID"]) <= end)
        ]

    def _matches(self, caller: Caller, groups: frozenset[int], tree: Tree, who: int) -> bool:
        uid, gid = int(tree.get("UID", -1)), int(tree.get("GID", -1))
        if who == MINE:
            return uid == caller.uid
        if who == PRIMARY_GROUP:
            return gid == caller.gid
        if (who >= 0 and uid != who) or (who == MY_GROUPS and uid != caller.uid and gid not in groups):
            return False
        # As in oned: one's own are listed whatever their bits; of others', also of one's groups', what one may use.
        return uid == caller.uid or self.allowed(caller, tree, "USE")

    # -- changing --------------------------------------------------------------------------------------------------

    def free_name(
        self, name: str, uid: int, *, but: int = -1, error: type[OneError] = Refused, prefix: str = ""
    ) -> None:
        """Raise unless a new object may take this name."""
        if not name:
            raise error(f"{prefix}Invalid NAME, it cannot be empty")
        if len(name) > 128:
            raise error(f"{prefix}Invalid NAME, max length is 128 chars.")
        if not self.kind.unique:
            return
        for other in self.everything():
            same_owner = self.kind.unique == "zone" or int(other.get("UID", -1)) == uid
            if other["NAME"] == name and same_owner and int(other["ID"]) != but:
                raise error(f"{prefix}NAME is already taken by {self.kind.taken} {other['ID']}.")

    def rename(self, caller: Caller, id_: int, name: str) -> None:
        """Change an object's name."""
        tree = self.get(caller, id_, "MANAGE")
        self.free_name(name, int(tree.get("UID", -1)), but=id_)
        tree["NAME"] = name
        self.save(tree)

    def chmod(self, caller: Caller, id_: int, bits: Sequence[int]) -> None:
        """Change an object's permission bits; -1 keeps one."""
        tree = self.get(caller, id_, "MANAGE")
        tree["PERMISSIONS"] = permissions.changed(tree["PERMISSIONS"], bits)
        self.save(tree)

    def chown(self, caller: Caller, id_: int, uid: int, gid: int) -> None:
        """Change owner and group; -1 keeps one. Only administrators give objects away. Raises NotAuthorized."""
        tree = self.get(caller, id_, "MANAGE")
        groups = self.model.groups_of(caller)
        administers = caller.uid == 0 or 0 in groups
        if not administers and uid not in {-1, caller.uid}:
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform MANAGE USER [{uid}].")
        if not administers and gid != -1 and gid not in groups:
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform USE GROUP [{gid}].")
        if uid != -1:
            user = self.model.users.peek(uid)
            self.free_name(tree["NAME"], uid, but=id_)
            tree["UID"], tree["UNAME"] = str(uid), user["NAME"]
        if gid != -1:
            tree["GID"], tree["GNAME"] = str(gid), self.model.groups.peek(gid)["NAME"]
        self.save(tree)

    def lock(self, caller: Caller, id_: int, level: int, *, test: bool = False) -> None:
        """Lock an object: 1 use, 2 manage, 3 admin, 4 all. `test` keeps an existing lock. Raises OneError."""
        if level not in {1, 2, 3, 4}:
            raise Refused(f"Wrong lock level {level}: 1 (use), 2 (manage), 3 (admin) or 4 (all) is expected.")
        tree = self.find(id_)
        if not self.allowed(caller, tree, "MANAGE"):
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform MANAGE {self.kind.acl} [{id_}].")
        if test and "LOCK" in tree:
            raise Locked(f"The {self.kind.noun} [{id_}] is already locked.", id_)
        lock = {
            "LOCKED": str(level),
            "OWNER": str(caller.uid),
            "TIME": str(self.model.now()),
            "REQ_ID": str(self.model.request_id()),
        }
        shown: Tree = {}
        for key, value in tree.items():
            if key != "LOCK":
                shown[key] = value
            if key == "NAME":
                shown["LOCK"] = lock
        self.save(shown)

    def unlock(self, caller: Caller, id_: int) -> None:
        """Take an object's lock away: its owner's or an administrator's right. Raises NotAuthorized."""
        tree = self.find(id_)
        if not self.allowed(caller, tree, "MANAGE"):
            raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform MANAGE {self.kind.acl} [{id_}].")
        tree.pop("LOCK", None)
        self.save(tree)

    def update(self, caller: Caller, id_: int, source: str, append: int) -> None:
        """Replace (0) or extend (1) an object's template."""
        tree = self.get(caller, id_, "MANAGE")
        new = template.parse(source)
        self.update_template(tree, template.merge(tree["TEMPLATE"], new) if append == 1 else new)
        self.save(tree)

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Put a new TEMPLATE into an object; kinds keep what may not change."""
        new.pop("NAME", None)
        tree["TEMPLATE"] = new

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove an object."""
        self.get(caller, id_, "MANAGE")
        self.store.drop(self.kind.key, id_)

    def find_by_name(self, name: str, uid: int | None = None) -> Tree:
        """A copy of the object with this name, of an owner where given. Raises Refused."""
        for tree in self.everything():
            if tree["NAME"] == name and (uid is None or int(tree["UID"]) == uid):
                copy: Tree = clone(tree)
                return copy
        raise Refused(f"User {uid if uid is not None else -1} does not own a {self.kind.noun} with name: {name}.")


def pool_tree(pool: Pool, trees: Iterable[Tree]) -> Tree:
    """The pool document of these objects."""
    return {pool.kind.tag: [pool.listed(tree) for tree in trees]}
