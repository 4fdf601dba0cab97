"""Clusters: which hosts, datastores and networks belong together. Membership is kept with the members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, ids

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

CLUSTER = Kind(
    key="cluster",
    tag="CLUSTER",
    pool_tag="CLUSTER_POOL",
    noun="cluster",
    acl="CLUSTER",
    taken="CLUSTER",
    first_id=100,
    unique="zone",
)
DEFAULT = 0


class ClusterPool(Pool):
    """The zone's clusters."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, CLUSTER)

    def create_first(self) -> None:
        """The cluster of a new zone."""
        self._store_cluster(DEFAULT, "default")

    def allocate(self, caller: Caller, name: str) -> int:
        """one.cluster.allocate."""
        self.require_create(caller)
        self.free_name(name, -1)
        id_ = self.store.next_id(CLUSTER.key, CLUSTER.first_id)
        self._store_cluster(id_, name)
        return id_

    def _store_cluster(self, id_: int, name: str) -> None:
        tree = {"RESERVED_CPU": "", "RESERVED_MEM": ""}
        self.save({"ID": str(id_), "NAME": name, "HOSTS": {}, "DATASTORES": {}, "VNETS": {}, "TEMPLATE": tree})

    def resolve(self, id_: int) -> int:
        """The cluster that an allocate method means: -1 is the default one."""
        chosen = DEFAULT if id_ == -1 else id_
        self.peek(chosen)
        return chosen

    def shown(self, tree: Tree) -> Tree:
        """The cluster with its members."""
        id_ = int(tree["ID"])
        full = dict(tree)
        full["HOSTS"] = id_set(int(h["ID"]) for h in self.model.hosts.everything() if int(h["CLUSTER_ID"]) == id_)
        full["DATASTORES"] = id_set(
            int(d["ID"]) for d in self.model.datastores.everything() if id_ in ids(d["CLUSTERS"])
        )
        full["VNETS"] = id_set(int(n["ID"]) for n in self.model.vnets.everything() if id_ in ids(n["CLUSTERS"]))
        return full

    def add_host(self, caller: Caller, id_: int, host_id: int) -> None:
        """Move a host here."""
        self.get(caller, id_, "ADMIN")
        self.model.hosts.move(host_id, id_)

    def del_host(self, caller: Caller, id_: int, host_id: int) -> None:
        """Move a host to the default cluster."""
        self.get(caller, id_, "ADMIN")
        self.model.hosts.move(host_id, DEFAULT)

    def member(self, caller: Caller, id_: int, pool: Pool, member_id: int, *, member: bool) -> None:
        """Add a network or datastore, or take one away."""
        self.get(caller, id_, "ADMIN")
        tree = pool.find(member_id)
        clusters = set(ids(tree["CLUSTERS"]))
        tree["CLUSTERS"] = id_set(sorted(clusters | {id_} if member else clusters - {id_}))
        pool.save(tree)

    def update_template(self, tree: Tree, new: Tree) -> None:
        """The two reservations are always there, as recorded."""
        tree["TEMPLATE"] = template.merge({"RESERVED_CPU": "", "RESERVED_MEM": ""}, new)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove an empty cluster. Raises ActionRefused: it is the zone's own, or has hosts."""
        tree = self.shown(self.get(caller, id_, "ADMIN"))
        if id_ < CLUSTER.first_id:
            raise ActionRefused("Cannot delete cluster. System Clusters (ID < 100) cannot be deleted.")
        if ids(tree["HOSTS"]):
            raise ActionRefused(
                f"Cannot delete cluster. Cluster {id_} is not empty, it contains {len(ids(tree['HOSTS']))} hosts."
            )
        for pool in (self.model.datastores, self.model.vnets):
            for item in list(pool.everything()):
                if id_ in ids(item["CLUSTERS"]):
                    copy = pool.find(int(item["ID"]))
                    copy["CLUSTERS"] = id_set(number for number in ids(item["CLUSTERS"]) if number != id_)
                    pool.save(copy)
        self.store.drop(CLUSTER.key, id_)
