"""All objects of a zone, and what they share: store, clock, random numbers, work to do later. It opens no socket and
starts no process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from zonebox.clock import Clock
from zonebox.model.acl import Acl
from zonebox.model.clusters import ClusterPool
from zonebox.model.datastores import DatastorePool
from zonebox.model.devices import Devices
from zonebox.model.documents import DocumentPool
from zonebox.model.groups import GroupPool
from zonebox.model.hosts import HostPool
from zonebox.model.images import ImagePool
from zonebox.model.lifecycle import Lifecycle
from zonebox.model.markets import AppPool, MarketPool
from zonebox.model.secgroups import SecurityGroupPool
from zonebox.model.users import UserPool, digest
from zonebox.model.vmgroups import VmGroupPool
from zonebox.model.vms import VmPool
from zonebox.model.vmtemplates import VNTEMPLATE, TemplatePool
from zonebox.model.vnets import VirtualNetworkPool
from zonebox.ports import Caller
from zonebox.settings import Settings
from zonebox.store import Store
from zonebox.trees import ids


class Later(Protocol):
    """Where the model leaves work that takes time."""

    def add(self, kind: str, object_id: int, delay_s: float) -> None:
        """Do `kind` for an object after a delay; the same work waiting already is not added twice."""
        ...


class Random(Protocol):
    """Random numbers, passed in so that tests can fix them."""

    def hex(self, size: int) -> str:
        """`size` random bytes in hexadecimal."""
        ...

    def uuid(self) -> str:
        """A random UUID."""
        ...

    def below(self, limit: int) -> int:
        """A random number from 0 to limit - 1."""
        ...


class Model:
    """The zone's objects.

    Args:
        store: where they are kept.
        clock: the time.
        settings: how the zone is set up.
        random: random numbers.
        later: where work that takes time is left.
    """

    def __init__(self, store: Store, clock: Clock, settings: Settings, random: Random, later: Later) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self._random = random
        self._later = later
        self.tm_mad = "local"
        self.file_removed: Callable[[str], None] = _ignore
        self.vm_forgotten: Callable[[int], None] = _ignore
        self.acl = Acl(store)
        self.groups = GroupPool(self)
        self.users = UserPool(self)
        self.clusters = ClusterPool(self)
        self.hosts = HostPool(self)
        self.datastores = DatastorePool(self)
        self.secgroups = SecurityGroupPool(self)
        self.vnets = VirtualNetworkPool(self)
        self.images = ImagePool(self)
        self.templates = TemplatePool(self)
        self.vntemplates = TemplatePool(self, VNTEMPLATE)
        self.vmgroups = VmGroupPool(self)
        self.vms = VmPool(self)
        self.documents = DocumentPool(self)
        self.markets = MarketPool(self)
        self.apps = AppPool(self)
        self.lifecycle = Lifecycle(self)
        self.devices = Devices(self)

    def create_first(self, password: str) -> None:
        """The objects of a new zone; nothing where there are some.

        Args:
            password: oneadmin's.
        """
        if self.store.view("user", 0) is not None:
            return
        with self.store.transaction():
            self.acl.create_first()
            self.groups.create_first()
            self.users.create("oneadmin", digest(password), "core", [0])
            self.users.create("serveradmin", digest(self.random_hex(32)), "server_cipher", [0])
            self.clusters.create_first()
            self.datastores.create_first()
            self.secgroups.create_first()
            for spec in self.settings.first_hosts:
                self.hosts.create(spec, "dummy", "dummy", 0)

    def groups_of(self, caller: Caller) -> frozenset[int]:
        """Every group that a caller is in."""
        user = self.store.view("user", caller.uid)
        return frozenset({caller.gid, *(ids(user["GROUPS"]) if user else ())})

    def now(self) -> int:
        """Unix time in whole seconds, as oned's elements have it."""
        return int(self.clock.now())

    def time_text(self) -> str:
        """Now as in SCHED_MESSAGE and ERROR, in UTC ("Tue Nov 24 04:04:42 2026", as recorded)."""
        return time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(self.clock.now()))

    def random_hex(self, size: int) -> str:
        """Random bytes in hexadecimal."""
        return self._random.hex(size)

    def random_uuid(self) -> str:
        """A random UUID."""
        return self._random.uuid()

    def request_id(self) -> int:
        """A number such as oned gives each request."""
        return self._random.below(10000)

    def later(self, kind: str, object_id: int, delay_s: float) -> None:
        """Leave work for when the running transaction is stored."""
        self.store.after_commit(lambda: self._later.add(kind, object_id, delay_s))

    def wake_scheduler(self) -> None:
        """Try soon to place VMs that wait."""
        self.later("schedule", 0, self.settings.delays.schedule_s)

    def file_size_mb(self, path: str) -> int:
        """Size of a file in MiB, rounded up; 1 where it cannot be read (its registration will say so)."""
        try:
            return max(1, -(-Path(path).stat().st_size // 1_048_576))
        except OSError:
            return 1

    def remove_file(self, path: str) -> None:
        """Delete an image's file once the running transaction is stored."""
        if path:
            self.store.after_commit(lambda: self.file_removed(path))

    def forget_folder(self, vm_id: int) -> None:
        """Let a VM's folder go once the running transaction is stored."""
        self.store.after_commit(lambda: self.vm_forgotten(vm_id))

    def version(self) -> str:
        """What one.system.version answers: the version whose answers are recorded."""
        return "7.0.1"


def _ignore(_: object) -> None:
    """The default of what nobody wants to know."""
