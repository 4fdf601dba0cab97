"""A wheel with one small module, and its entry in a locked list."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from flower_appliance.requirements import Entry

PACKAGE = "flower-zone-extra"
MODULE = "flower_zone_extra"


def wheel(folder: Path, *, tag: str = "py3-none-any", answer: int = 42) -> Path:
    """A wheel with one module."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{MODULE}-1.0-{tag}.whl"
    info = f"{MODULE}-1.0.dist-info"
    content = {
        f"{MODULE}.py": f"ANSWER = {answer}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        lines = []
        for name, text in content.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            lines.append(f"{name},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return path


def entry(path: Path) -> Entry:
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    return Entry(name=PACKAGE, version="1.0", text=f"{PACKAGE}==1.0 --hash=sha256:{checksum}")
