"""One zone, put together: store, model, driver, servers. It parses no options (cli.py does)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import logging
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from zonebox import tls
from zonebox.background import make_folder
from zonebox.clock import Clock, LeapingClock, ManualClock, SystemClock
from zonebox.control.server import ControlServer
from zonebox.drivers.base import Driver
from zonebox.drivers.fake import FakeDriver
from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.drivers.nspawn import NspawnDriver
from zonebox.drivers.process import ProcessDriver
from zonebox.drivers.qemu import QemuDriver
from zonebox.errors import ConfigError
from zonebox.executor import Executor
from zonebox.faults import FaultTable
from zonebox.injection import middleware
from zonebox.machines import Machines, Networks
from zonebox.model.documents import Documents
from zonebox.model.zone_model import Model, Random
from zonebox.oneflow import http as oneflow
from zonebox.oneflow.watchdog import Watchdog
from zonebox.onegate import http as onegate
from zonebox.phases import Phases
from zonebox.rpc import table
from zonebox.server import Server, create_oned_app
from zonebox.settings import Settings
from zonebox.store import Store
from zonebox.traffic import Traffic
from zonebox.work import Work

_log = logging.getLogger("zonebox.zone")


class SystemRandom:
    """Random numbers of the system."""

    def hex(self, size: int) -> str:
        """`size` random bytes in hexadecimal."""
        return secrets.token_hex(size)

    def uuid(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())

    def below(self, limit: int) -> int:
        """A random number from 0 to limit - 1."""
        return secrets.randbelow(limit)


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where a zone answers."""

    oned: str
    """XML-RPC URL, with /RPC2."""
    oneflow: str
    onegate: str
    ca: Path | None
    """Certificate of the zone's CA; None with plain HTTP."""


class Zone:
    """A zone that runs in this process.

    Args:
        settings: name, folder, address and so on.
        clock: the time; None for the one that the settings name. Tests pass a ManualClock.
        random: random numbers.
        driver: what runs VMs; None for the one that the settings name.

    Raises:
        ConfigError: settings that cannot work.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        driver: Driver | None = None,
    ) -> None:
        _check(settings)
        make_folder(settings.state)
        self.settings = settings
        self.name = settings.name
        self.clock: Clock = clock or make_clock(settings)
        self.faults = FaultTable()
        self.traffic = Traffic(time.monotonic)
        self.store = Store(settings.state / "zonebox.sqlite")
        self.work = Work(self.clock)
        self.model = Model(self.store, self.clock, settings, random or SystemRandom(), self.work)
        self.driver = driver or make_driver(
            settings.driver, onegate=(settings.address, settings.ports[2]), switch=settings.switch
        )
        phases = Phases(self.faults, self.clock)
        self.executor = Executor(self.model, self.driver, self.work, settings.state, phases)
        self.registry = table.build()
        self.users = self.model.users
        self.documents = Documents(self.model.documents)
        self.machines = Machines(self.model)
        self.networks = Networks(self.model)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.password = _password(settings.state)
        self.model.create_first(self.password)
        self._server: Server | None = None
        self._control = ControlServer(self, settings.state)

    @property
    def endpoints(self) -> Endpoints:
        """Where the zone answers."""
        base = f"{self.settings.scheme}://{self.settings.address}"
        oned, flow, gate = self.settings.ports
        ca = None if self.settings.plain_http else self.settings.state / "ca.crt"
        return Endpoints(oned=f"{base}:{oned}/RPC2", oneflow=f"{base}:{flow}", onegate=f"{base}:{gate}", ca=ca)

    @property
    def session(self) -> str:
        """oneadmin's credentials, `user:password`, as XML-RPC wants them."""
        return f"oneadmin:{self.password}"

    async def start(self) -> None:
        """Take up what was left, listen, and write endpoints.json; where that fails nothing of it is left.

        Raises:
            ConfigError: a port is taken, or a file of the zone is not what it must be.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop(keep_vms=True)
            raise

    async def _start(self) -> None:
        context = None
        if not self.settings.plain_http:
            hosts = list(dict.fromkeys([self.settings.address, "localhost", self.settings.onegate_host]))
            now = dt.datetime.fromtimestamp(self.clock.now(), dt.UTC)
            context = tls.server_context(self.settings.state, self.name, [host for host in hosts if host], now)
        server = Server(self.settings.address, context)
        await server.serve(self._apps())
        self._server = server
        self.work.start(self.executor.handle)
        await self.executor.resume()
        self.spawn(Watchdog(self).run())
        if self.settings.control:
            await self._control.start()
        self._write_endpoints()

    def _apps(self) -> list[tuple[int, web.Application]]:
        oned, flow, gate = self.settings.ports
        apps = [("oned", oned, create_oned_app(self.model, self.registry))]
        apps += [("oneflow", flow, oneflow.create_app(self)), ("onegate", gate, onegate.create_app(self))]
        for endpoint, _, app in apps:
            app.middlewares.insert(0, middleware(endpoint, self.faults, self.traffic, self.clock))
        return [(port, app) for _, port, app in apps]

    def spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        """Run a coroutine until the zone stops."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a background task of the zone ended with an error", exc_info=task.exception())

    def _write_endpoints(self) -> None:
        ends = self.endpoints
        content = {"oned": ends.oned, "oneflow": ends.oneflow, "onegate": ends.onegate}
        text = json.dumps({**content, "ca": str(ends.ca) if ends.ca else None}, indent=2)
        partial = self.settings.state / "endpoints.json.partial"
        partial.write_text(text + "\n")
        partial.replace(self.settings.state / "endpoints.json")

    async def stop(self, *, keep_vms: bool = True) -> None:
        """Listen no longer and let go of guests.

        Args:
            keep_vms: leave guests running, to be found again at the next start; otherwise they are stopped first and
                their VMs are POWEROFF.
        """
        self.faults.clear()
        await self._control.stop()
        if self._server is not None:
            await self._server.stop()
        for task in list(self.tasks):
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        await self.work.stop()
        if not keep_vms:
            await self._stop_guests()
        await self.driver.close()
        self.store.close()

    async def _stop_guests(self) -> None:
        running = [int(vm["ID"]) for vm in self.model.vms.alive() if vm["STATE"] == "3"]

        async def stop_one(vm_id: int) -> None:
            with contextlib.suppress(Exception):
                await self.driver.stop(vm_id, hard=False)
            with self.store.transaction():
                self.model.lifecycle.exited(vm_id)

        await asyncio.gather(*(stop_one(vm_id) for vm_id in running))


def make_clock(settings: Settings) -> Clock:
    """The clock that settings name.

    Raises:
        ConfigError: an unknown name, or one that would stand still for ever.
    """
    if settings.clock == "system":
        return LeapingClock() if settings.control else SystemClock()
    if settings.clock == "manual" and settings.control:
        return ManualClock(time.time())
    raise ConfigError(
        f"clock {settings.clock}",
        "it must be system, or manual together with --control",
        "a clock that stands still needs the control API to be moved",
        "Pass --clock system, or add --control.",
    )


def make_driver(name: str, *, onegate: tuple[str, int] | None = None, switch: str = DEFAULT_SWITCH) -> Driver:
    """The driver with a name.

    Args:
        name: process, nspawn, qemu or fake.
        onegate: address and port of the zone's OneGate, for drivers whose guests cannot reach the host by themselves.
        switch: network namespace with their guests' bridges.

    Raises:
        ConfigError: an unknown name.
    """
    makers: dict[str, Callable[[], Driver]] = {
        "process": ProcessDriver,
        "nspawn": lambda: NspawnDriver(onegate=onegate, switch=switch),
        "qemu": lambda: QemuDriver(onegate=onegate, switch=switch),
        "fake": FakeDriver,
    }
    if name not in makers:
        raise ConfigError(
            f"driver {name}",
            f"the driver must be one of {', '.join(makers)}",
            "no other way of running VMs is built in",
            "Pass one of these as --driver to zonebox.",
        )
    return makers[name]()


def _password(state: Path) -> str:
    """oneadmin's password: what `one_auth` has, or a new one written there (0600)."""
    path = state / "one_auth"
    if path.exists():
        return path.read_text().strip().partition(":")[2]
    password = secrets.token_urlsafe(24)
    tls.write_private(path, f"oneadmin:{password}\n".encode())
    return password


def _check(settings: Settings) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", settings.name):
        raise ConfigError(
            f"name {settings.name!r}",
            "a zone's name has lower-case letters, digits and hyphens, 31 at most",
            "it becomes part of host names and file names",
            "Choose another --name.",
        )
    try:
        address = ipaddress.IPv4Address(settings.address)
    except ValueError as error:
        raise ConfigError(
            f"address {settings.address!r}",
            "an IPv4 address of this machine is needed",
            "the three endpoints listen on it",
            "Pass --address, for example 127.10.0.1.",
        ) from error
    if not re.fullmatch(r"[A-Za-z0-9.-]*", settings.onegate_host):
        raise ConfigError(
            f"onegate-host {settings.onegate_host!r}",
            "a host name or an IPv4 address is needed",
            "it becomes part of the URL that VMs reach OneGate at, and of the zone's certificate",
            "Correct --onegate-host, for instance 169.254.16.9.",
        )
    if settings.plain_http and not address.is_loopback:
        raise ConfigError(
            f"address {settings.address} with plain HTTP",
            "plain HTTP is allowed on loopback addresses (127.0.0.0/8) only",
            "passwords would cross a network in clear",
            "Leave --plain-http out, or choose a loopback --address.",
        )
