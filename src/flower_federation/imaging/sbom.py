"""What is in an image, as a CycloneDX 1.5 bill of materials. Reads the root file system only, and asks no network.

Packages come from dpkg's own database, Python distributions from the metadata that their wheels brought.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import quote

from flower_appliance.version import FLOWER_VERSION

_NAMESPACE = uuid.UUID("0f10e000-7000-4000-8000-00000000cdc5")
"""Serial numbers are derived from the image's checksum below it: the same image has the same bill."""
_SPDX = re.compile(r"\(*[A-Za-z0-9.+-]+\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*")
_NAME_CHARS = 60
"""Of a licence's name in old metadata; what is longer is a licence's text."""


@dataclass(frozen=True, kw_only=True, order=True)
class Component:
    """One package or distribution."""

    kind: str
    """deb or pypi."""
    name: str
    version: str
    architecture: str = ""
    licence: str = ""
    """SPDX expression, where the metadata has one."""
    licence_name: str = ""
    """What older metadata says instead."""

    @property
    def purl(self) -> str:
        """Package URL (purl specification: types deb and pypi)."""
        version = quote(self.version, safe="")
        if self.kind == "deb":
            return f"pkg:deb/debian/{quote(self.name, safe='')}@{version}?arch={self.architecture}"
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{version}"


def components_of(root: Path) -> tuple[Component, ...]:
    """Everything that is installed in a root file system, in a stable order."""
    packages = read_packages((root / "var/lib/dpkg/status").read_text(encoding="utf-8"))
    metadata = root.glob("opt/flower/lib/python*/site-packages/*.dist-info/METADATA")
    wheels = (read_distribution(path.read_text(encoding="utf-8", errors="replace")) for path in metadata)
    return tuple(sorted([*packages, *wheels]))


def read_packages(status: str) -> list[Component]:
    """Installed packages of dpkg's status file."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields.get("Status", "").endswith(" installed"):
            found.append(
                Component(
                    kind="deb",
                    name=fields["Package"],
                    version=fields["Version"],
                    architecture=fields.get("Architecture", "all"),
                )
            )
    return found


def read_distribution(metadata: str) -> Component:
    """A Python distribution's METADATA (core metadata, PEP 639)."""
    fields = HeaderParser().parsestr(metadata)
    licence = fields.get("License-Expression", "")
    return Component(
        kind="pypi",
        name=fields["Name"],
        version=fields["Version"],
        licence=licence if _SPDX.fullmatch(licence) else "",
        licence_name="" if licence else _licence_name(fields),
    )


def _licence_name(fields: Message) -> str:
    """What metadata before PEP 639 says: its classifiers, else the field License where it is a name and not a text."""
    classifiers = [text for text in fields.get_all("Classifier", []) if text.startswith("License :: ")]
    names = [text.rpartition(" :: ")[2] for text in classifiers if text != "License :: OSI Approved"]
    text = fields.get("License", "").strip()
    is_name = bool(text) and "\n" not in text and len(text) <= _NAME_CHARS and text.upper() != "UNKNOWN"
    return "; ".join(names) or (text if is_name else "")


def render_sbom(image: str, sha256: str, components: tuple[Component, ...], *, epoch_s: int) -> str:
    """The bill of one image.

    Args:
        image: File name.
        sha256: Its checksum.
        components: What is in it.
        epoch_s: The recipe's epoch, Unix seconds: the bill must be the same each time, too.
    """
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, sha256)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "operating-system",
                "bom-ref": image,
                "name": image,
                "version": FLOWER_VERSION,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
            },
        },
        "components": [_component(component) for component in components],
    }
    return json.dumps(document, indent=1) + "\n"


def _component(component: Component) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
    }
    if component.licence:
        entry["licenses"] = [{"expression": component.licence}]
    elif component.licence_name:
        entry["licenses"] = [{"license": {"name": component.licence_name}}]
    return entry
