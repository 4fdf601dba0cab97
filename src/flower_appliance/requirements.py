"""A zone's own Python packages, read from CONTEXT: a list with hashes, and the one place that they come from.

FL_REQUIREMENTS        base64 of a pip requirements file: every entry NAME==VERSION with --hash=sha256:...
FL_WHEELHOUSE_VOLUME   label of a file system with wheels on an attached disk, or
FL_WHEELHOUSE_PATH     a folder of the guest with wheels, or
FL_INDEX_URL           https index: the only one of the three that downloads anything; FL_INDEX_CA: base64 PEM of its CA

It installs nothing and looks at no wheel; `install` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from flower_appliance import pem
from flower_appliance.fields import CONTEXT_PLACE, Fields, split_url

WHEELHOUSE = "/srv/flower/wheelhouse"
"""Where a wheelhouse volume is mounted."""
INSTALLED = "/var/lib/flower/requirements"
"""Installations lie below it, each in a folder named by its list."""
_SOURCES = ("FL_WHEELHOUSE_VOLUME", "FL_WHEELHOUSE_PATH", "FL_INDEX_URL")
_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"(\s*;[^-]*)?(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One package of the list."""

    name: str
    """As pip compares names: lower case, with hyphens."""
    version: str
    text: str
    """The entry for pip."""


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What is installed from where."""

    entries: tuple[Entry, ...]
    volume: str
    """Label; empty: no volume."""
    wheelhouse: str
    """Guest folder with wheels; empty: from the index."""
    index_url: str
    index_ca_pem: str

    @property
    def folder(self) -> str:
        """Guest path of the installation; another list is another folder."""
        digest = sha256("\n".join(entry.text for entry in self.entries).encode()).hexdigest()
        return f"{INSTALLED}/{digest[:16]}"


def read_requirements(fields: Fields) -> Requirements | None:
    """The zone's list, or None; `fields` collects what is refused."""
    text = fields.decoded("FL_REQUIREMENTS", why="", required=False).decode("utf-8", errors="replace")
    sources = [name for name in _SOURCES if fields.text(name)]
    if not text.strip():
        for name in sources:
            fields.refuse(
                name,
                "it belongs to FL_REQUIREMENTS",
                "what is installed is a list with hashes, never all that a place offers",
                f"Give FL_REQUIREMENTS, or remove {name} from {CONTEXT_PLACE}",
                secret=name == "FL_INDEX_URL",
            )
        return None
    if len(sources) != 1:
        fields.refuse(
            "FL_REQUIREMENTS",
            f"it needs one of {', '.join(_SOURCES)}; there are {len(sources)}",
            "packages come from one place, and nothing is downloaded unless the zone names an index",
            f"Set exactly one of them in {CONTEXT_PLACE}",
        )
        return None
    entries = _entries(fields, text)
    volume, path = "", ""
    match sources[0]:
        case "FL_WHEELHOUSE_VOLUME":
            volume, path = fields.label("FL_WHEELHOUSE_VOLUME"), WHEELHOUSE
        case "FL_WHEELHOUSE_PATH":
            path = fields.guest_path("FL_WHEELHOUSE_PATH", "wheels are looked for in it")
        case _:
            _check_index(fields)
    ca = fields.decoded("FL_INDEX_CA", why="", required=False)
    fields.parsed("FL_INDEX_CA", ca, pem.load_certificates, "CA certificates")
    return Requirements(
        entries=entries,
        volume=volume,
        wheelhouse=path,
        index_url=fields.text("FL_INDEX_URL"),
        index_ca_pem=ca.decode("ascii", errors="replace"),
    )


def _entries(fields: Fields, text: str) -> tuple[Entry, ...]:
    found: list[Entry] = []
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$|\s#.*$", "", text))
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        match = _ENTRY.fullmatch(line)
        if match is None:
            fields.refuse(
                "FL_REQUIREMENTS",
                f"{_shown(line)!r} must be NAME==VERSION with one or more --hash=sha256:...",
                "a package without version and hash could be another one tomorrow",
                "Lock it, for example with `uv pip compile --generate-hashes`, and encode the result with base64 -w0",
                secret=True,
            )
            continue
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        found.append(Entry(name=name, version=match["version"], text=re.sub(r"\s+", " ", line)))
    return tuple(found)


def _shown(line: str) -> str:
    """A line that is refused, without the name and password that a URL in it may hold."""
    return re.sub(r"//[^/\s]*@", "//(not shown)@", line)[:80]


def _check_index(fields: Fields) -> None:
    parts = split_url(fields.text("FL_INDEX_URL"))
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        fields.refuse(
            "FL_INDEX_URL",
            "it must be an https URL without a user name",
            "what is installed is asked for there; a name and password would stand in every log",
            f"Give the https URL of a simple index as FL_INDEX_URL in {CONTEXT_PLACE}",
            secret=True,
        )
