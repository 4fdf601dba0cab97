"""Methods of hosts, clusters, datastores, security groups, images, networks, VM groups, documents and markets."""
# ruff: noqa: PLR0917 - a method's parameters are positional in XML-RPC, and as many as OpenNebula gives it

from __future__ import annotations

from typing import Any

from zonebox import template
from zonebox.model.zone_model import Model
from zonebox.ports import Caller
from zonebox.rpc import common
from zonebox.rpc.registry import BOOL, INT, STR, Registry, optional

_OWNED = ("info", "rename", "update", "chmod", "chown", "delete")


def add(registry: Registry) -> None:
    """Put this module's methods into the table."""
    _hosts(registry)
    _clusters(registry)
    _datastores(registry)
    _secgroups(registry)
    _images(registry)
    _networks(registry)
    _network_templates(registry)
    _vm_groups(registry)
    _documents(registry)
    _markets(registry)


def _hosts(registry: Registry) -> None:
    common.add(registry, "host", lambda model: model.hosts, "info", "rename", "update", "delete")
    common.add_pool(registry, "host", lambda model: model.hosts, filtered=False)
    registry.add(
        "one.host.allocate",
        lambda model, caller, name, im, vmm, cluster: model.hosts.allocate(caller, name, im, vmm, cluster),
        STR,
        STR,
        STR,
        optional(int, -1),
    )
    registry.add(
        "one.host.status", lambda model, caller, id_, status: model.hosts.status(caller, id_, status), INT, INT
    )


def _clusters(registry: Registry) -> None:
    common.add(registry, "cluster", lambda model: model.clusters, "info", "rename", "update", "delete")
    common.add_pool(registry, "cluster", lambda model: model.clusters, filtered=False)
    registry.add("one.cluster.allocate", lambda model, caller, name: model.clusters.allocate(caller, name), STR)
    registry.add("one.cluster.addhost", lambda m, caller, id_, host: m.clusters.add_host(caller, id_, host), INT, INT)
    registry.add("one.cluster.delhost", lambda m, caller, id_, host: m.clusters.del_host(caller, id_, host), INT, INT)
    for name, member in (("add", True), ("del", False)):
        registry.add(f"one.cluster.{name}vnet", _cluster_member("vnets", member), INT, INT)
        registry.add(f"one.cluster.{name}datastore", _cluster_member("datastores", member), INT, INT)


def _cluster_member(pool: str, member: bool) -> Any:
    def change(model: Model, caller: Caller, id_: int, other: int) -> None:
        model.clusters.member(caller, id_, getattr(model, pool), other, member=member)

    return change


def _datastores(registry: Registry) -> None:
    common.add(registry, "datastore", lambda model: model.datastores, *_OWNED)
    common.add_pool(registry, "datastore", lambda model: model.datastores)
    registry.add(
        "one.datastore.allocate",
        lambda model, caller, text, cluster: model.datastores.allocate(caller, text, cluster),
        STR,
        optional(int, -1),
    )
    registry.add("one.datastore.enable", lambda m, caller, id_, on: m.datastores.enable(caller, id_, on), INT, BOOL)


def _secgroups(registry: Registry) -> None:
    common.add(registry, "secgroup", lambda model: model.secgroups, *_OWNED)
    common.add_pool(registry, "secgroup", lambda model: model.secgroups)
    registry.add("one.secgroup.allocate", lambda model, caller, text: model.secgroups.allocate(caller, text), STR)
    registry.add("one.secgroup.clone", lambda m, caller, id_, name: m.secgroups.clone(caller, id_, name), INT, STR)
    registry.add("one.secgroup.commit", _commit, INT, optional(bool, False))


def _commit(model: Model, caller: Caller, id_: int, _recover: bool) -> None:
    """Rules apply at once in zonebox, so there is nothing to push to VMs; the right is checked all the same."""
    model.secgroups.get(caller, id_, "MANAGE")


def _images(registry: Registry) -> None:
    common.add(registry, "image", lambda model: model.images, *_OWNED, "lock", "unlock")
    common.add_pool(registry, "image", lambda model: model.images)
    registry.add(
        "one.image.allocate",
        lambda model, caller, text, datastore, _check: model.images.allocate(caller, text, datastore),
        STR,
        INT,
        optional(bool, False),
    )
    registry.add(
        "one.image.clone",
        lambda model, caller, id_, name, datastore: model.images.clone(caller, id_, name, datastore),
        INT,
        STR,
        optional(int, -1),
    )
    registry.add("one.image.persistent", lambda m, caller, id_, on: m.images.persistent(caller, id_, on), INT, BOOL)
    registry.add("one.image.enable", lambda m, caller, id_, on: m.images.enable(caller, id_, on), INT, BOOL)
    registry.add("one.image.chtype", lambda m, caller, id_, kind: m.images.chtype(caller, id_, kind), INT, STR)


def _networks(registry: Registry) -> None:
    common.add(registry, "vn", lambda model: model.vnets, *_OWNED, "lock", "unlock")
    registry.add(
        "one.vn.allocate",
        lambda model, caller, text, cluster: model.vnets.allocate(caller, text, cluster),
        STR,
        optional(int, -1),
    )
    common.add_pool(registry, "vn", lambda model: model.vnets)
    for name in ("add_ar", "update_ar", "hold", "release"):
        registry.add(f"one.vn.{name}", _network_call(name), INT, STR)
    registry.add("one.vn.reserve", lambda model, caller, id_, text: model.vnets.reserve(caller, id_, text), INT, STR)
    registry.add("one.vn.free_ar", lambda model, caller, id_, ar: model.vnets.free_ar(caller, id_, ar), INT, INT)
    registry.add(
        "one.vn.rm_ar",
        lambda model, caller, id_, ar, force: model.vnets.free_ar(caller, id_, ar, force=force),
        INT,
        INT,
        optional(bool, False),
    )


def _network_call(name: str) -> Any:
    return lambda model, caller, id_, text: getattr(model.vnets, name)(caller, id_, text)


def _network_templates(registry: Registry) -> None:
    common.add(registry, "vntemplate", lambda model: model.vntemplates, *_OWNED, "lock", "unlock")
    common.add_pool(registry, "vntemplate", lambda model: model.vntemplates)
    registry.add("one.vntemplate.allocate", lambda m, caller, text: m.vntemplates.allocate(caller, text), STR)
    registry.add("one.vntemplate.clone", lambda m, caller, id_, name: m.vntemplates.clone(caller, id_, name), INT, STR)
    registry.add("one.vntemplate.instantiate", _instantiate_network, INT, optional(str, ""), optional(str, ""))


def _instantiate_network(model: Model, caller: Caller, id_: int, name: str, extra: str) -> int:
    return model.vntemplates.instantiate_network(caller, id_, name, template.parse(extra))


def _vm_groups(registry: Registry) -> None:
    common.add(registry, "vmgroup", lambda model: model.vmgroups, *_OWNED, "lock", "unlock")
    common.add_pool(registry, "vmgroup", lambda model: model.vmgroups)
    registry.add("one.vmgroup.allocate", lambda model, caller, text: model.vmgroups.allocate(caller, text), STR)
    registry.add("one.vmgroup.roleadd", lambda m, caller, id_, text: m.vmgroups.add_role(caller, id_, text), INT, STR)
    registry.add(
        "one.vmgroup.roledelete", lambda m, caller, id_, role: m.vmgroups.delete_role(caller, id_, role), INT, INT
    )
    registry.add(
        "one.vmgroup.roleupdate",
        lambda model, caller, id_, role, text: model.vmgroups.update_role(caller, id_, role, text),
        INT,
        INT,
        STR,
    )


def _documents(registry: Registry) -> None:
    common.add(registry, "document", lambda model: model.documents, *_OWNED, "lock", "unlock")
    registry.add(
        "one.document.allocate", lambda m, caller, text, kind: m.documents.allocate(caller, text, kind), STR, INT
    )
    registry.add("one.document.clone", lambda m, caller, id_, name: m.documents.clone(caller, id_, name), INT, STR)
    registry.add("one.documentpool.info", _document_pool, INT, optional(int, -1), optional(int, -1), optional(int, 100))


def _document_pool(model: Model, caller: Caller, who: int, start: int, end: int, kind: int) -> str:
    pool = model.documents
    return common.pool_xml(pool, pool.select(caller, who, start, end, where=lambda tree: tree["TYPE"] == str(kind)))


def _markets(registry: Registry) -> None:
    common.add(registry, "market", lambda model: model.markets, *_OWNED)
    common.add_pool(registry, "market", lambda model: model.markets)
    registry.add("one.market.allocate", lambda model, caller, text: model.markets.allocate(caller, text), STR)
    registry.add("one.market.enable", lambda m, caller, id_, on: m.markets.enable(caller, id_, on), INT, BOOL)
    common.add(registry, "marketapp", lambda model: model.apps, *_OWNED, "lock", "unlock")
    common.add_pool(registry, "marketapp", lambda model: model.apps)
    registry.add(
        "one.marketapp.allocate",
        lambda model, caller, text, market: model.apps.allocate(caller, text, market),
        STR,
        INT,
    )
    registry.add("one.marketapp.enable", lambda m, caller, id_, on: m.apps.enable(caller, id_, on), INT, BOOL)
