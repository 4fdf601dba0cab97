"""Figures of the image, measured on the machine that asks: `scripts/image figures`. It estimates nothing.

Sizes and build times come from building, once with empty caches and once with full ones. Boot times and memory come
from the tests that boot the image (tests/integration), which write what they see where FL_TEST_FIGURES says: a figure
without a boot that reached READY does not exist.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from flower_appliance.version import FLOWER_VERSION
from flower_federation.console import Console
from flower_federation.imaging.building import STEPS, Built, build_image
from flower_federation.imaging.recipe import Recipe
from flower_federation.processes import Runner, require
from zonebox.drivers.qemu_probe import kvm_runs

CPU_LIMIT_BYTES: Final = 320_000_000
"""What the cpu variant may have, compressed."""
PAGE: Final = Path("docs") / "reference" / "image.md"
DATA: Final = Path("docs") / "reference" / "image.json"
SINK: Final = "FL_TEST_FIGURES"
"""File that the tests append what they see to, a JSON object a line."""
CONTAINERS: Final = "tests/integration/test_image_guest.py"
MACHINES: Final = "tests/integration/test_zonebox_qemu_driver.py"
BOOTS: Final = ("bios/superlink", "bios/supernode", "uefi/superlink", "uefi/supernode")
_TESTS_TIMEOUT_S: Final = 1800.0


@dataclass(frozen=True, kw_only=True)
class VariantFigures:
    """One variant of the image."""

    name: str
    size_bytes: int
    """Of the QCOW2."""
    used_mib: int
    """Of files in the root file system."""
    packages: int
    wheels: int
    cold_s: float
    """Seconds of a build with empty caches, downloads included."""
    cached_s: float
    """Seconds of a build with base system and wheels cached."""


@dataclass(frozen=True, kw_only=True)
class BootFigures:
    """One boot."""

    driver: str
    """nspawn or qemu."""
    firmware: str
    """bios, uefi, or none in a container."""
    role: str
    ready_s: float
    """Seconds from the driver's start to READY=YES in OneGate."""
    memory_mib: int | None
    """Used in the guest once it is online (MemTotal less MemAvailable); None in a container, whose kernel is shared."""


def measure(
    recipe: Recipe,
    variants: Sequence[str],
    *,
    project: Path,
    uv: Path,
    environ: Mapping[str, str],
    run: Runner,
    stream: TextIO,
) -> dict[str, Any]:
    """Build, boot, and return what was seen.

    Args:
        recipe: What to build.
        variants: Which of its variants.
        project: The clone, set up.
        uv: The pinned uv.
        environ: This process's environment.
        run: Starts the tests.
        stream: Where progress goes.

    Raises:
        FederationError: A build failed, or a boot did not reach READY.
    """
    built = [
        _variant(recipe, name, project=project, uv=uv, environ=environ, stream=stream) for name in variants
    ]  # fmt: skip
    boots = _boots(project=project, environ=environ, run=run, stream=stream)
    return {
        "flower_version": FLOWER_VERSION,
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {'with' if kvm_runs() else 'without'} KVM, shared "
        f"with other work (load average {os.getloadavg()[2]:.1f} over the last 15 minutes)",
        "variants": [asdict(figures) for figures in built],
        "boots": [asdict(figures) for figures in boots],
    }


def _variant(
    recipe: Recipe, name: str, *, project: Path, uv: Path, environ: Mapping[str, str], stream: TextIO
) -> VariantFigures:
    with tempfile.TemporaryDirectory(prefix="flower-figures-") as folder:
        # Every cache is below it, uv's own as well.
        cold = {**environ, "XDG_CACHE_HOME": f"{folder}/cache", "UV_CACHE_DIR": f"{folder}/uv"}

        def build() -> tuple[Built, float]:
            console = Console(stream=stream, clock=time.monotonic, total=STEPS)
            started = time.monotonic()
            found = build_image(
                recipe, name, output=Path(folder) / "out", project=project, uv=uv, environ=cold, console=console
            )
            return found, round(time.monotonic() - started, 1)

        _, cold_s = build()
        image, cached_s = build()
        kinds = [component.kind for component in image.components]
        return VariantFigures(
            name=name,
            size_bytes=image.size_bytes,
            used_mib=image.used_mib,
            packages=kinds.count("deb"),
            wheels=kinds.count("pypi"),
            cold_s=cold_s,
            cached_s=cached_s,
        )


def _boots(*, project: Path, environ: Mapping[str, str], run: Runner, stream: TextIO) -> list[BootFigures]:
    with tempfile.TemporaryDirectory(prefix="flower-figures-") as folder:
        sink = Path(folder) / "seen.jsonl"
        for tests, boot in [(CONTAINERS, ""), *((MACHINES, boot) for boot in BOOTS)]:
            stream.write(f"booting: {tests} {boot}\n")
            stream.flush()
            require(
                run(
                    [project / ".venv" / "bin" / "pytest", "-q", "-x", project / tests],
                    env={**environ, SINK: str(sink), **({"FL_TEST_BOOT": boot} if boot else {})},
                    cwd=project,
                    timeout_s=_TESTS_TIMEOUT_S,
                ),
                what=f"pytest {tests}",
                reason="only a boot that was seen to reach READY has figures",
                remedy="correct what its last lines name, and measure again",
            )
        return [BootFigures(**json.loads(line)) for line in sink.read_text(encoding="utf-8").splitlines()]


def render(figures: Mapping[str, Any]) -> str:
    """The page.

    Args:
        figures: From `measure`.
    """
    lines = [
        "# Figures of the appliance's image",
        "",
        f"Made by `scripts/image figures` on {figures['measured']}, Flower {figures['flower_version']}, on a machine "
        f"with {figures['machine']}.",
        "The numbers are in [image.json](image.json); a test holds this page to them.",
        "",
        "## Variants",
        "",
        *_table(
            ("variant", "QCOW2, MB", "files, MiB", "packages", "wheels", "build, cold, s", "build, cached, s"),
            (
                (
                    variant["name"], f"{variant['size_bytes'] / 1e6:.0f}", variant["used_mib"], variant["packages"],
                    variant["wheels"], f"{variant['cold_s']:.0f}", f"{variant['cached_s']:.0f}",
                )
                for variant in figures["variants"]
            ),
        ),
        "",
        f"The cpu variant may have {CPU_LIMIT_BYTES / 1e6:.0f} MB. Cold is with empty caches, downloads included; "
        "cached is with base system and wheels in the user's cache, after a change of the appliance's code.",
        "",
        "## From start to READY",
        "",
        *_table(
            ("driver", "firmware", "role", "READY after, s", "memory used, MiB"),
            (
                (
                    boot["driver"], boot["firmware"], boot["role"], f"{boot['ready_s']:.0f}",
                    "-" if boot["memory_mib"] is None else boot["memory_mib"],
                )
                for boot in figures["boots"]
            ),
        ),
        "",
        "nspawn boots the image's own root file system as a container, both roles at once. qemu boots the QCOW2 "
        "itself, its instructions emulated where KVM does not run. A SuperNode under qemu gets its data only after it "
        "has reported that there are none, which is in its time. Memory is what the guest uses (MemTotal less "
        "MemAvailable) once it is online and idle; a container shares the host's kernel and has no such number.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def write(figures: Mapping[str, Any], project: Path) -> None:
    """Write page and numbers into the clone."""
    (project / DATA).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (project / PAGE).write_text(render(figures), encoding="utf-8")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return f"| {' | '.join(str(cell) for cell in cells)} |"

    return [line(head), f"|{'|'.join('---' for _ in head)}|", *(line(row) for row in rows)]
