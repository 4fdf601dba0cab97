"""One zone, as resources see it: its clients, its shared waiting, names to numbers. Knows no resource type."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from pulumi_opennebula.errors import ConfigurationError, InputError, NotFoundError, OpenNebulaError
from pulumi_opennebula.provider.client.oned import Oned
from pulumi_opennebula.provider.client.oneflow import OneFlow
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.templates import Body, children, text_at
from pulumi_opennebula.provider.waiting import Object, PoolWatch

EVERY = (-2, -1, -1)
"""Filter of pool calls: all objects that the user may see, no range (OpenNebula XML-RPC reference)."""


ON_THEIR_WAY = frozenset({1, 8})
"""States of a role whose VMs are being made: deploying and scaling (OneFlow 7.0)."""
VM_RUNS = ("3", "3")
"""STATE and LCM_STATE of a VM that runs."""
RUNNING_VMS = "__running_vms"
"""Key that this package puts into a role of a service that is waited for."""
NOT_DONE = -1
"""State filter of the VM pool: every state except DONE (OpenNebula XML-RPC reference)."""


class Zone:
    """A zone that answered and took the credentials."""

    def __init__(
        self,
        settings: ZoneSettings,
        *,
        oned: Oned | None = None,
        flow: OneFlow | None = None,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.pause = pause
        self.oned = oned or Oned(settings, pause=pause)
        self._flow = flow or (
            OneFlow(settings, settings.flow_endpoint, pause=pause) if settings.flow_endpoint else None
        )
        self._flow_answered: asyncio.Future[None] | None = None
        self.networks_changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One change of a network's ranges at a time: oned does not say which number a new range got."""
        self.images = self._watch("image", "imagepool", "IMAGE", now, pause)
        self.networks = self._watch("vn", "vnpool", "VNET", now, pause)
        self.appliances = self._watch("marketapp", "marketapppool", "MARKETPLACEAPP", now, pause)
        self.machines = PoolWatch(read_one=self._machine, read_all=self._machines_with_attributes, now=now, pause=pause)
        self.services = PoolWatch(read_one=self._service, read_all=self._services, now=now, pause=pause)

    @property
    def flow(self) -> OneFlow:
        """OneFlow of the zone.

        Raises:
            ConfigurationError: no `flowEndpoint` is set.
        """
        if self._flow is None:
            raise ConfigurationError(
                "flowEndpoint is missing",
                "services and service templates need it",
                "they are OneFlow's, which has an endpoint of its own",
                "Set OPENNEBULA_FLOW_ENDPOINT, or `pulumi config set opennebula:flowEndpoint https://front-end:2474`, "
                "or the argument flow_endpoint of pulumi_opennebula.Provider",
            )
        return self._flow

    async def prove(self) -> None:
        """Ask oned, read-only, whether it is there and takes the credentials.

        Raises:
            UnreachableError, CredentialsError: it does not.
        """
        await self.oned.call("system.version")
        await self.oned.call("user.info", -1)

    async def prove_flow(self) -> None:
        """Ask OneFlow the same, once."""
        flow = self.flow
        if self._flow_answered is None:
            self._flow_answered = asyncio.ensure_future(_ignore_result(flow.get("/service_template")))
        await asyncio.shield(self._flow_answered)

    def cancel(self) -> None:
        """Stop all waiting at once."""
        for watch in (self.images, self.networks, self.appliances, self.machines, self.services):
            watch.cancel()

    async def object(self, method: str, id_: int) -> Body | None:
        """What `one.<method>.info` says of an object, or None where it is gone."""
        try:
            return await self.oned.info(f"{method}.info", id_)
        except NotFoundError:
            return None

    async def document(self, path: str) -> dict[str, Any] | None:
        """A OneFlow document, or None where it is gone."""
        try:
            answer = await self.flow.get(path)
        except NotFoundError:
            return None
        found: dict[str, Any] = answer["DOCUMENT"]
        return found

    async def group_id(self, name: str, path: str = "group") -> int:
        """Number of a group by its name."""
        return await self._by_name("grouppool", "GROUP", name, path)

    async def user_id(self, name: str, path: str = "user") -> int:
        """Number of a user by its name."""
        return await self._by_name("userpool", "USER", name, path)

    async def _by_name(self, pool: str, element: str, name: str, path: str) -> int:
        body = await self.oned.info(f"{pool}.info")
        for item in children(body, element):
            if text_at(item, "NAME") == name:
                return int(text_at(item, "ID"))
        names = sorted(text_at(item, "NAME") for item in children(body, element))
        raise InputError(
            path,
            f"{path} is {name!r}",
            f"it must be the name of a {element.lower()} of the zone",
            f"the zone has {', '.join(names)}",
            f"Correct {path}, or create the {element.lower()} first",
        )

    def _watch(
        self,
        method: str,
        pool: str,
        element: str,
        now: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> PoolWatch:
        async def one(id_: str) -> Object | None:
            return await self.object(method, int(id_))

        async def every(ids: Collection[str]) -> Mapping[str, Object]:
            body = await self.oned.info(f"{pool}.info", *_range(ids))
            return {text_at(item, "ID"): item for item in children(body, element)}

        return PoolWatch(read_one=one, read_all=every, now=now, pause=pause)

    async def _machine(self, id_: str) -> Object | None:
        return await self.object("vm", int(id_))

    async def _machines_with_attributes(self, ids: Collection[str]) -> Mapping[str, Object]:
        # The short pool has no attributes that guests write.
        body = await self.oned.info("vmpool.infoextended", *_range(ids), NOT_DONE, "")
        return {text_at(item, "ID"): item for item in children(body, "VM")}

    async def _service(self, id_: str) -> Object | None:
        document = await self.document(f"/service/{id_}")
        await self._count_running([document] if document else [])
        return document

    async def _services(self, ids: Collection[str]) -> Mapping[str, Object]:
        answer = await self.flow.get("/service")
        documents = [item for item in children(answer, "DOCUMENT_POOL", "DOCUMENT") if text_at(item, "ID") in ids]
        await self._count_running(documents)
        return {text_at(item, "ID"): item for item in documents}

    async def _count_running(self, documents: list[dict[str, Any]]) -> None:
        """Put into roles that are on their way how many of their VMs run: OneFlow does not say. One call for all."""
        roles = [role for item in documents for role in children(item, "TEMPLATE", "BODY", "roles")]
        waiting = [role for role in roles if role.get("state") in ON_THEIR_WAY and role.get("nodes")]
        if not waiting:
            return
        try:
            machines = [str(node["deploy_id"]) for role in waiting for node in role["nodes"] if "deploy_id" in node]
            pool = await self.oned.info("vmpool.info", *_range(machines), NOT_DONE)
        except OpenNebulaError:
            # What is waited for does not depend on it.
            return
        run = {
            text_at(item, "ID")
            for item in children(pool, "VM")
            if (text_at(item, "STATE"), text_at(item, "LCM_STATE")) == VM_RUNS
        }
        for role in waiting:
            role[RUNNING_VMS] = sum(str(node.get("deploy_id")) in run for node in role["nodes"])


def _range(ids: Collection[str]) -> tuple[int, int, int]:
    """Filter of a pool call: all objects that the user may see, from the lowest to the highest of these ids."""
    numbers = [int(id_) for id_ in ids]
    return (-2, min(numbers), max(numbers)) if numbers else EVERY


async def _ignore_result(awaitable: Awaitable[Any]) -> None:
    await awaitable
