"""Methods of users, groups, ACL rules and the system."""
# ruff: noqa: PLR0917 - a method's parameters are positional in XML-RPC, and as many as OpenNebula gives it

from __future__ import annotations

from typing import Any

from zonebox.errors import NotAuthorized, NotFound, Refused
from zonebox.model import quotas
from zonebox.model.pool import Pool
from zonebox.model.zone_model import Model
from zonebox.ports import Caller
from zonebox.rpc import common
from zonebox.rpc.registry import BOOL, INT, STR, Registry, optional
from zonebox.trees import Tree
from zonebox.xmltree import render


def add(registry: Registry) -> None:
    """Put this module's methods into the table."""
    registry.add("one.system.version", lambda model, caller: model.version())
    registry.add("one.zonepool.info", _zones)
    registry.add("one.zone.info", _zone, INT, optional(bool, False))
    registry.add("one.acl.info", lambda model, caller: render("ACL_POOL", {"ACL": model.acl.rules()}))
    registry.add("one.acl.addrule", _add_rule, STR, STR, STR, optional(str, "400000000"))
    registry.add("one.acl.delrule", _delete_rule, INT)
    _add_users(registry)
    _add_groups(registry)


def _add_users(registry: Registry) -> None:
    common.add(registry, "user", lambda model: model.users, "info", "update", "rename", "delete")
    registry.add("one.user.allocate", _allocate_user, STR, STR, optional(str, "core"), optional(list, []))
    registry.add("one.user.passwd", lambda model, caller, id_, word: model.users.passwd(caller, id_, word), INT, STR)
    registry.add("one.user.chgrp", lambda model, caller, id_, gid: model.users.chgrp(caller, id_, gid), INT, INT)
    registry.add("one.user.addgroup", _membership(True), INT, INT)
    registry.add("one.user.delgroup", _membership(False), INT, INT)
    registry.add("one.user.quota", lambda model, caller, id_, text: model.users.quota(caller, id_, text), INT, STR)
    registry.add("one.user.enable", lambda model, caller, id_, on: model.users.enable(caller, id_, on), INT, BOOL)
    registry.add(
        "one.user.chauth",
        lambda model, caller, id_, driver, word: model.users.chauth(caller, id_, driver, word),
        INT,
        STR,
        optional(str, ""),
    )
    registry.add(
        "one.userpool.info", lambda model, caller: _with_quotas(model, caller, model.users, "DEFAULT_USER_QUOTAS")
    )


def _add_groups(registry: Registry) -> None:
    common.add(registry, "group", lambda model: model.groups, "info", "update", "rename", "delete")
    registry.add("one.group.allocate", lambda model, caller, name: model.groups.allocate(caller, name), STR)
    registry.add("one.group.quota", lambda model, caller, id_, text: model.groups.quota(caller, id_, text), INT, STR)
    registry.add("one.group.addadmin", _administrator(True), INT, INT)
    registry.add("one.group.deladmin", _administrator(False), INT, INT)
    registry.add(
        "one.grouppool.info", lambda model, caller: _with_quotas(model, caller, model.groups, "DEFAULT_GROUP_QUOTAS")
    )


def _allocate_user(model: Model, caller: Caller, name: str, password: str, driver: str, groups: list[Any]) -> int:
    if any(not isinstance(group, int) for group in groups):
        raise Refused("Wrong group ids, an array of numbers is expected.")
    return model.users.allocate(caller, name, password, driver, groups)


def _membership(member: bool) -> Any:
    return lambda model, caller, id_, gid: model.users.membership(caller, id_, gid, member=member)


def _administrator(member: bool) -> Any:
    return lambda model, caller, id_, uid: model.groups.administrator(caller, id_, uid, member=member)


def _with_quotas(model: Model, caller: Caller, pool: Pool, defaults: str) -> str:
    """A pool in which a QUOTAS element follows each object (as recorded)."""
    sections = [f"{section}_QUOTA" for section in quotas.SECTIONS]
    parts = []
    for stored in pool.select(caller):
        tree = pool.shown(stored)
        own: Tree = {key: value for key, value in tree.items() if key not in sections}
        limits = {"ID": tree["ID"], **{key: tree[key] for key in sections}}
        parts.append(render(pool.kind.tag, own) + render("QUOTAS", limits))
    parts.append(render(defaults, quotas.empty()))
    return f"<{pool.kind.pool_tag}>{''.join(parts)}</{pool.kind.pool_tag}>"


def _zone_tree(model: Model) -> Tree:
    settings = model.settings
    endpoint = f"{settings.scheme}://{settings.address}:{settings.ports[0]}/RPC2"
    return {"ID": "0", "NAME": settings.name, "STATE": "0", "TEMPLATE": {"ENDPOINT": endpoint}, "SERVER_POOL": {}}


def _zones(model: Model, caller: Caller) -> str:
    return render("ZONE_POOL", {"ZONE": _zone_tree(model)})


def _zone(model: Model, caller: Caller, id_: int, _decrypt: bool) -> str:
    if id_ != 0:
        raise NotFound("zone", id_)
    return render("ZONE", _zone_tree(model))


def _add_rule(model: Model, caller: Caller, user: str, resource: str, rights: str, zone: str) -> int:
    _administrators_only(model, caller)
    return model.acl.add(user, resource, rights, zone)


def _delete_rule(model: Model, caller: Caller, id_: int) -> None:
    _administrators_only(model, caller)
    model.acl.delete(id_)


def _administrators_only(model: Model, caller: Caller) -> None:
    if caller.uid != 0 and 0 not in model.groups_of(caller):
        raise NotAuthorized(f"User [{caller.uid}] : Not authorized to perform MANAGE ACL [-1].")
