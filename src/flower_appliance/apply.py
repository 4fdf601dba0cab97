"""Makes a plan true on the machine: folders, files, the node key. It decides nothing and starts no service itself.

Idempotent: run on every boot and on every change of the CONTEXT. What it returns says which services must be restarted,
by comparing what they read now with what they read when they were last started.
"""

from __future__ import annotations

import json
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from flower_appliance.files import Owner, make_folder, write_file, write_if_changed
from flower_appliance.loopback import LoopbackFiles, ensure_loopback_identity
from flower_appliance.machine import LOOPBACK_CA, LOOPBACK_CERT, LOOPBACK_KEY, STATE, Machine
from flower_appliance.nodekey import ensure_node_key
from flower_appliance.planned import File, Plan
from flower_appliance.serverkey import ensure_request, held_keys

APPLIED = f"{STATE}/applied.json"


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What applying a plan did."""

    written: tuple[str, ...]
    """Guest paths that were written because they differed."""
    changed_units: tuple[str, ...]
    """Units whose argv, environment or files differ from the last `remember`."""
    reloading_units: tuple[str, ...] = ()
    """Units that take what changed by a reload; some of them may be among the changed ones as well."""
    digests: Mapping[str, str]
    """Digest of every unit of the plan, and of what it takes by a reload."""
    public_key: str
    """The node's public key line; empty for a role without one."""
    server_request: str = ""
    """The server's signing request, PEM; empty where this machine makes no key for it."""


def apply(plan: Plan, machine: Machine, *, extra_files: tuple[File, ...] = ()) -> Applied:
    """Make folders, files and the node key as the plan says.

    Args:
        extra_files: files of a backend, such as systemd's unit files.

    Raises:
        OSError: the file system refuses.
        NodeKeyError: a node key is there that cannot be used.
    """
    owner = owner_of(plan.user)
    for folder in plan.folders:
        make_folder(machine.path(folder.path), mode=folder.mode, owner=owner)
    written = [
        file.path
        for file in plan.files
        if write_if_changed(machine.path(file.path), file.content.encode(), mode=file.mode, owner=owner)
    ]
    for file in extra_files:
        if write_if_changed(machine.path(file.path), file.content.encode(), mode=file.mode):
            written.append(file.path)
    contents = {file.path: sha256(file.content.encode()).hexdigest() for file in plan.files}
    public_key = ""
    if plan.node_key:
        public_key = ensure_node_key(machine.path(plan.node_key), epoch=plan.node_key_epoch, owner=owner)
        contents[plan.node_key] = sha256(public_key.encode()).hexdigest()
    server_request = ""
    if plan.server_key is not None:
        server_request = ensure_request(machine, plan.server_key, owner=owner)
        contents |= {path: name for name, path in held_keys(machine).items()}
    if plan.loopback_hosts:
        files = LoopbackFiles(
            ca=machine.path(LOOPBACK_CA), certificate=machine.path(LOOPBACK_CERT), key=machine.path(LOOPBACK_KEY)
        )
        contents[LOOPBACK_CERT] = ensure_loopback_identity(files, plan.loopback_hosts, owner=owner)
    digests = {unit.name: unit.digest(contents) for unit in plan.units}
    reloaded = {_reload(unit.name): unit.reload_digest(contents) for unit in plan.units if unit.reload_argv}
    before = _remembered(machine)
    return Applied(
        written=tuple(written),
        changed_units=tuple(name for name, digest in digests.items() if before.get(name) != digest),
        reloading_units=tuple(name for name in digests if before.get(_reload(name)) != reloaded.get(_reload(name))),
        digests={**digests, **reloaded},
        public_key=public_key,
        server_request=server_request,
    )


def clear_obsolete(plan: Plan, machine: Machine) -> None:
    """Remove what must not be there; call it once the services work without it.

    Raises:
        OSError: the file system refuses.
    """
    for path in plan.obsolete:
        machine.path(path).unlink(missing_ok=True)


def remember(applied: Applied, machine: Machine) -> None:
    """Keep what the running services were started with; call it after they were started or restarted.

    Raises:
        OSError: the file system refuses.
    """
    content = json.dumps(dict(applied.digests), indent=1, sort_keys=True)
    write_file(machine.path(APPLIED), content.encode(), mode=0o600)


def _reload(unit: str) -> str:
    return f"{unit} reload"


def _remembered(machine: Machine) -> dict[str, str]:
    try:
        content = json.loads(machine.path(APPLIED).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def owner_of(user: str) -> Owner | None:
    """Owner of what a plan's services read and write; None where they run as this process does."""
    if not user:
        return None
    entry = pwd.getpwnam(user)
    return Owner(uid=entry.pw_uid, gid=entry.pw_gid)
