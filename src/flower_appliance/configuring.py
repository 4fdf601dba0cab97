"""CONTEXT -> plan -> disk: all that comes before a service is touched. It starts, restarts and reports nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flower_appliance.apply import Applied, apply, owner_of
from flower_appliance.audit_events import EVENTS_LOG, announced, events_of, fingerprints, keep_announced, write_events
from flower_appliance.context import SuperLinkContext, SuperNodeContext, read_asked
from flower_appliance.database import prepare_database
from flower_appliance.errors import ApplianceError, PlanError
from flower_appliance.files import write_if_changed
from flower_appliance.machine import SUPERLINK_STATE, Machine
from flower_appliance.places import is_mounted
from flower_appliance.plan import plan
from flower_appliance.planned import File, Plan
from flower_appliance.provisioning import not_mounted
from flower_appliance.provisions import render_mount, state_mounts
from flower_appliance.publisher import encoded
from flower_appliance.serverkey import ensure_request, held_keys
from flower_appliance.services import Services
from flower_appliance.version import FLOWER_VERSION

LOG = logging.getLogger(__name__)

ServiceFiles = Callable[[Plan], tuple[File, ...]]
"""Files that whatever runs the services needs for a plan, such as unit files."""


@dataclass(frozen=True, kw_only=True)
class Configured:
    """A plan that the disk agrees with."""

    plan: Plan
    applied: Applied


async def configure(
    context: SuperLinkContext | SuperNodeContext,
    machine: Machine,
    *,
    services: Services,
    service_files: ServiceFiles,
    now: datetime,
) -> Configured | None:
    """Plan for a CONTEXT and write what is planned.

    Args:
        context: What the machine is told.
        machine: What it is.
        services: Mounts the volume for the state.
        service_files: Files that the services need.
        now: An aware instant, for the audit and for file names.

    Returns:
        What was done; None where the state's volume was mounted only now, so that this program must start anew. What
        systemd bound for it before the mount would hide the volume (ReadWritePaths, systemd.exec(5)).

    Raises:
        ApplianceError: the CONTEXT does not fit the machine, or what is on the disk cannot be used.
        OSError: the file system refuses.
    """
    wanted = plan(context, machine, server_keys=held_keys(machine))
    if not all(is_mounted(machine.path(mount.where)) for mount in wanted.state):
        await _mount_state(wanted, machine, services)
        LOG.info("the volume for the state is mounted now; starting anew to see it")
        return None
    applied = await asyncio.to_thread(_write, wanted, machine, service_files(wanted), now)
    return Configured(plan=wanted, applied=applied)


def answer_request(read: Callable[[], Mapping[str, str]], machine: Machine) -> dict[str, str]:
    """What is asked of the server's own key, although the rest of the CONTEXT is refused; blocking.

    A certificate that has ended is such a rest, and the one that takes its place is made for this answer.

    Args:
        read: The variables of the CONTEXT.
        machine: Where the key is.

    Returns:
        OneGate attributes; none where nothing is asked, or where it cannot be answered.
    """
    try:
        asked = read_asked(read())
        volumes = () if asked is None else state_mounts(asked.state_volume)
        if asked is None or not all(is_mounted(machine.path(mount.where)) for mount in volumes):
            return {}
        request = ensure_request(machine, asked.key, owner=owner_of(machine.service_user))
    except (ApplianceError, OSError) as error:
        LOG.error("the signing request could not be answered: %s", error)
        return {}
    return {"FL_SERVER_CSR": encoded(request), "FL_SERVER_REQUEST": asked.key.answer}


async def _mount_state(wanted: Plan, machine: Machine, services: Services) -> None:
    for mount in wanted.state:
        path, text = machine.path(f"/etc/systemd/system/{mount.unit}"), render_mount(mount)
        path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(write_if_changed, path, text.encode(), mode=0o644)
        failed = await services.mount(mount.unit)
        if failed:
            raise PlanError([not_mounted(mount, failed)])


def _write(wanted: Plan, machine: Machine, extra_files: tuple[File, ...], now: datetime) -> Applied:
    if wanted.role != "superlink":
        return apply(wanted, machine, extra_files=extra_files)
    before = announced(machine)
    applied = apply(wanted, machine, extra_files=extra_files)
    # First of all that may still fail: what was written is in effect sooner or later, so the audit must have it.
    after = fingerprints(machine)
    owner = owner_of(wanted.user)
    write_events(machine.path(EVENTS_LOG), events_of(before, after), now=now, owner=owner)
    # What is about to go is forgotten: the audit must not take its successor for a rotation.
    keep_announced(machine, {path: digest for path, digest in after.items() if path not in wanted.obsolete})
    _ready_database(wanted, machine, now)
    return applied


def _ready_database(wanted: Plan, machine: Machine, now: datetime) -> None:
    """Before the SuperLink starts as another version than the one that used its database last."""
    folder, stamp = machine.path(SUPERLINK_STATE), f"{now:%Y%m%dT%H%M%SZ}"
    decision = prepare_database(folder, FLOWER_VERSION, stamp=stamp, owner=owner_of(wanted.user))
    if decision.action != "keep":
        LOG.warning("the database of another Flower version: %s %s", decision.action, decision.backup)
