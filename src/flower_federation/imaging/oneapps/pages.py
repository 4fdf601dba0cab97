"""README.md and CHANGELOG.md of the marketplace's folder, and the text of `service help`."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable
from importlib import resources

from flower_appliance.machine import AUDIT_PORT, CONTROL_PORT, FLEET_PORT, SUPERLINK_PORT, SUPERNODE_RUNTIME_PORT
from flower_appliance.version import FLOWER_VERSION
from flower_federation.imaging.oneapps.marketplace import IMAGE, MACHINE, POOL
from flower_federation.imaging.oneapps.settings import Revision, Settings
from flower_federation.imaging.oneapps.variables import Variable

PORTS: tuple[tuple[int, str, str], ...] = (
    (FLEET_PORT, "superlink", "Fleet: SuperNodes, over TLS, each with a registered key"),
    (CONTROL_PORT, "superlink", "Control: operators, from `FL_ADMIN_NETWORKS` only, with a client certificate"),
    (SUPERLINK_PORT, "superlink", "the SuperLink itself; loopback"),
    (SUPERNODE_RUNTIME_PORT, "supernode", "runtime; loopback"),
    (AUDIT_PORT, "superlink", "audit; loopback"),
)

_HELP = """\
Flower {flower} appliance, {version}

  service install      while the image is built
  service configure    read the CONTEXT, and refuse what is wrong with it
  service bootstrap    have the appliance make it true; state and errors: onegate vm show,
                       journalctl -u flower-appliance

Context variables:
"""


def readme(settings: Settings, variables: Iterable[Variable]) -> str:
    """README.md."""
    template = resources.files(__package__).joinpath("readme.md").read_text(encoding="utf-8")
    return template.format(
        image=IMAGE,
        machine=MACHINE,
        pool=POOL,
        flower=FLOWER_VERSION,
        release=settings.release,
        opennebula=" or ".join(settings.opennebula),
        memory=settings.memory_mib,
        disk=settings.disk_mib,
        base=settings.base,
        name=settings.name,
        variables="\n".join(_rows(variables)),
        ports="\n".join(f"| {number} | {role} | {text} |" for number, role, text in PORTS),
    )


def changelog(settings: Settings) -> str:
    """CHANGELOG.md, the newest version first."""
    return "\n".join(("# Changelog", *(_section(settings, release) for release in settings.releases)))


def help_text(settings: Settings, variables: Iterable[Variable]) -> str:
    """What `service help` prints."""
    lines = [
        textwrap.fill(
            f"{each.name} ({each.role}): {each.explained.replace('`', '')}",
            width=100,
            initial_indent="  ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for each in variables
    ]
    return _HELP.format(flower=FLOWER_VERSION, version=settings.version) + "\n".join(lines) + "\n"


def _rows(variables: Iterable[Variable]) -> list[str]:
    """Rows of the table; variables that the architecture page explains together stay together."""
    rows = []
    for (role, meaning), group in itertools.groupby(variables, key=lambda each: (each.role, each.explained)):
        names = ", ".join(f"`{each.name}`" for each in group)
        rows.append(f"| {names} | {role} | {meaning} |")
    return rows


def _section(settings: Settings, release: Revision) -> str:
    lines = ["", f"## [{release.version}] - {release.day.isoformat()}"]
    for kind, sentences in release.changes.items():
        lines += ["", f"### {kind.capitalize()}", "", *(f"- {sentence}" for sentence in sentences)]
    if release is settings.releases[0]:
        lines += ["", f"Ubuntu {settings.release}, Flower {release.flower}."]
    return "\n".join((*lines, ""))
