"""Context variables for people: what the table in docs/architecture.md says of them, and the form that asks for them.

The table is held to the appliance's code by tests; so what is generated from it is, too. No secret is ever asked for:
what a form takes becomes an attribute of the VM, which OneGate shows to every VM of the same service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flower_appliance.context import LOG_LEVELS
from flower_appliance.data import MOUNT_PATH
from flower_federation.errors import InputError
from flower_federation.imaging import catalog

TABLE = "docs/architecture.md"
_HEADING = "### Context variables"
FIXED = {"FL_ROLE": "supernode", "FL_TLS_ENABLED": "YES", "FL_NODE_AUTH_ENABLED": "YES"}
"""Values that a VM template of SuperNodes has, and nobody is asked for; FL_FLOWER_VERSION besides."""
UNASKED = {
    "FL_CONTEXT_REVISION": "only the Pulumi program counts revisions",
    "FL_NODE_KEY_EPOCHS": "only the Pulumi program counts rotations",
    "FL_DATA_URL": "it may carry a signature, which belongs in CONTEXT alone",
    "FL_DATA_SHA256": "it belongs to FL_DATA_URL",
    "FL_DATA_CA": "it belongs to FL_DATA_URL",
    "FL_DATA_DEMO": "this image carries no demo set",
}
"""What the form does not ask for, and why."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One context variable."""

    name: str
    role: str
    """superlink, supernode, both, or by hand."""
    meaning: str

    @property
    def explained(self) -> str:
        """The meaning where nothing stands above that it could refer to, and what is different in this image."""
        text = catalog.PUBLIC_FACTS.get(self.name) or self.meaning.removeprefix("see above; ")
        return f"{text}; {UNASKED[self.name]}" if self.name == "FL_DATA_DEMO" else text


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a form asks for one variable."""

    name: str
    mandatory: bool
    kind: str
    """OpenNebula's type of a user input."""
    text: str
    options: tuple[str, ...] = ()
    default: str = ""

    @property
    def user_input(self) -> str:
        """As OpenNebula writes it: mandatory, type, description, options, default."""
        return "|".join(("M" if self.mandatory else "O", self.kind, self.text, ",".join(self.options), self.default))


def read_table(project: Path) -> tuple[Variable, ...]:
    """The variables, in the table's order.

    Raises:
        InputError: The page or its table is not there.
    """
    page = project / TABLE
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    section = text.partition(f"\n{_HEADING}\n")[2].partition("\n#")[0]
    found: list[Variable] = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            names = re.findall(r"`(FL_\w+)`", cells[0])
            found += [Variable(name=name, role=cells[1], meaning=cells[2]) for name in names]
    if not found:
        raise InputError(
            given=f"{page}: no table below {_HEADING!r}",
            rule=f"{TABLE} lists the context variables",
            reason="the marketplace's form and pages say what that table says",
            remedy="run this in a whole clone of the repository",
        )
    return tuple(found)


def questions(variables: Iterable[Variable]) -> tuple[Question, ...]:
    """What the VM template of SuperNodes asks for: the mandatory public facts first, then what may be left empty."""
    unasked = {*FIXED, "FL_FLOWER_VERSION", *UNASKED}
    meanings = {
        each.name: each.explained for each in variables if each.role != "superlink" and each.name not in unasked
    }
    # One way of bringing in data excludes the others, so none of them can be asked of everybody.
    needed = [name for name in catalog.PUBLIC_FACTS if not name.startswith("FL_DATA_")]
    asked = [Question(name=name, mandatory=True, kind="text", text=catalog.PUBLIC_FACTS[name]) for name in needed]
    return (*asked, *(_optional(name, text) for name, text in meanings.items() if name not in needed))


def _optional(name: str, meaning: str) -> Question:
    text = re.sub(r"\s+", " ", re.sub(r"[`|\"$]", "", meaning)).strip()
    if name == "FL_LOG_LEVEL":
        return Question(name=name, mandatory=False, kind="list", text=text, options=LOG_LEVELS, default="INFO")
    return Question(
        name=name, mandatory=False, kind="text", text=text, default=MOUNT_PATH if name == "FL_DATA_PATH" else ""
    )
