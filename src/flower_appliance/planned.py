"""What a machine must look like: folders, files, services, proofs, attributes, as one value; and how it is shown.

`plan` decides it, `apply` makes it true, `readiness` runs its checks. A secret file's content is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flower_appliance.checks import Check, EnrolmentQuestion
from flower_appliance.provisions import Mount, Provision, render_mount
from flower_appliance.serverkey import Wanted
from flower_appliance.unit import Unit, render_systemd


@dataclass(frozen=True, kw_only=True)
class File:
    """One file with its final mode; written whole or not at all."""

    path: str
    """Guest path."""
    content: str = field(repr=False)
    mode: int
    secret: bool = False
    """Never shown, and 0600."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One folder of the services' own."""

    path: str
    mode: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that must be true of the machine."""

    role: str
    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    units: tuple[Unit, ...]
    node_key: str = ""
    """Guest path of a key that is generated where it is missing; empty: this role has none."""
    node_key_epoch: int = 0
    """How often this node was told to make a new key."""
    server_key: Wanted | None = None
    """A key of the server's own, made with its request where they are missing; None: this machine makes none."""
    awaits_certificate: bool = False
    """Whether that key has no certificate yet: the gateway cannot run, and nobody is served."""
    obsolete: tuple[str, ...] = ()
    """Guest paths that must not be there."""
    loopback_hosts: tuple[str, ...] = ()
    """What a certificate for this machine's own programs must cover; empty: this role has none."""
    state: tuple[Mount, ...] = ()
    """Mounted before anything is written: what survives an exchange of the image's disk."""
    provisions: tuple[Provision, ...] = ()
    """What is brought to the machine first, in this order: services and checks wait for it."""
    checks: tuple[Check, ...]
    """What must pass before READY=YES."""
    units_wait_for_checks: bool
    """Whether services start only once the checks have passed (a SuperNode that cannot verify its SuperLink would end
    at once, again and again)."""
    enrolment: EnrolmentQuestion | None = None
    """Services start only when this is answered with yes, or not at all; None: nobody has to be asked."""
    revision: str = ""
    """Written back through OneGate once the machine works as planned; empty: nobody asks."""
    attributes: Mapping[str, str]
    """OneGate attributes that are known from the start."""
    user: str = ""


def systemd_files(plan: Plan) -> tuple[File, ...]:
    """The plan's services and mounts as unit files, for a machine that runs systemd."""
    texts = {unit.name: render_systemd(unit) for unit in plan.units}
    texts |= {each.unit: render_mount(each) for each in (*plan.state, *plan.provisions) if isinstance(each, Mount)}
    return tuple(File(path=f"/etc/systemd/system/{name}", content=text, mode=0o644) for name, text in texts.items())


def describe(plan: Plan) -> dict[str, Any]:
    """The plan as plain data without secrets, for `plan --json`."""
    return {
        "role": plan.role,
        "folders": [{"path": folder.path, "mode": f"{folder.mode:04o}"} for folder in plan.folders],
        "files": [
            {
                "path": file.path,
                "mode": f"{file.mode:04o}",
                "content": f"({len(file.content)} characters, secret)" if file.secret else file.content,
            }
            for file in plan.files
        ],
        "node_key": plan.node_key,
        "server_key": plan.server_key.key_path if plan.server_key is not None else "",
        "awaits_certificate": plan.awaits_certificate,
        "obsolete": list(plan.obsolete),
        "loopback_hosts": list(plan.loopback_hosts),
        "units": [
            {
                "name": unit.name,
                "argv": list(unit.argv),
                "environment": dict(unit.environment),
                "environment_file": unit.environment_file,
                "reads": list(unit.reads),
                "reloads": list(unit.reloads),
                "user": unit.user,
                "memory_mb": unit.memory_mb,
                "restart_s": [unit.restart_first_s, unit.restart_most_s],
            }
            for unit in plan.units
        ],
        "state": [str(mount) for mount in plan.state],
        "provisions": [str(provision) for provision in plan.provisions],
        "checks": [str(check) for check in plan.checks],
        "units_wait_for_checks": plan.units_wait_for_checks,
        "attributes": dict(plan.attributes),
    }
