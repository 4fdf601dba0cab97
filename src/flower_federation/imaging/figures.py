"""Figures of the image, measured on the machine that asks: `scripts/image figures`. It estimates nothing.

Sizes and build times come from building, once with empty caches and once with full ones. Boot times and memory come
from the tests that boot the image (tests/integration), which write what they see where FL_TEST_FIGURES says: a figure
without a boot that reached READY does not exist. What one run has measured is kept, and a later one of the same day and
of the same inputs goes on from there.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from flower_appliance.version import FLOWER_VERSION
from flower_federation.console import Console
from flower_federation.errors import MachineError, ToolError
from flower_federation.imaging.building import STEPS, Built, build_image
from flower_federation.imaging.cached import image_key
from flower_federation.imaging.recipe import Recipe
from flower_federation.processes import Runner, require
from zonebox.drivers.qemu_probe import kvm_runs

CPU_LIMIT_BYTES: Final = 320_000_000
"""What the cpu variant may have, compressed."""
PAGE: Final = Path("docs") / "reference" / "image.md"
DATA: Final = Path("docs") / "reference" / "image.json"
SINK: Final = "FL_TEST_FIGURES"
"""File that the tests append what they see to, a JSON object a line."""
VARIANT: Final = "FL_TEST_VARIANT"
"""Which variant the tests boot; cpu where it says none."""
SEEN: Final = Path(".federation") / "image-figures.jsonl"
"""What runs have measured, in the clone; git ignores the folder."""
CONTAINERS: Final = "tests/integration/test_image_guest.py::test_a_node_is_online_once_it_is_enrolled_and_knows_its_id"
MACHINES: Final = "tests/integration/test_zonebox_qemu_driver.py"
BOOTS: Final = ("bios/superlink", "bios/supernode", "uefi/superlink", "uefi/supernode")
AT_ONCE: Final = 2
"""Emulated boots side by side: each keeps one core busy, and one after the other they would take ten minutes."""
_TESTS_TIMEOUT_S: Final = 1800.0
HOW_VARIANTS: Final = (
    f"The cpu variant may have {CPU_LIMIT_BYTES / 1e6:.0f} MB. Cold is with empty caches, downloads included; cached "
    "is with base system and wheels in the user's cache, after a change of the appliance's code. Both builds gave the "
    "same bytes, or there would be no figures. pytorch-cpu has Debian's PyTorch; gpu is without NVIDIA's driver, which "
    "`--hook` brings."
)
HOW_BOOTS: Final = (
    "nspawn boots the image's own root file system as a container, both roles at once. qemu boots the QCOW2 itself, "
    "its instructions emulated where KVM does not run, in a zone of zonebox: from the registration of the image to "
    f"READY in OneGate, {AT_ONCE} machines at a time. The SuperNode has its data on a volume, the SuperLink its state "
    "on a persistent one. Memory is what the guest uses (MemTotal less MemAvailable) once it is online and idle; a "
    "container shares the host's kernel and has no such number."
)
"""What the numbers mean; kept with them, so that older ones are not told by a newer story."""


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

    variant: str
    driver: str
    """nspawn or qemu."""
    firmware: str
    """bios, uefi, or none in a container."""
    role: str
    ready_s: float
    """Seconds from the driver's start to READY=YES in OneGate."""
    memory_mib: int | None
    """Used in the guest once it is online (MemTotal less MemAvailable); None in a container, whose kernel is shared."""


class Seen:
    """What has been measured, by what it is of.

    Args:
        path: The file, a JSON object a line; made where it is missing.
        day: Only what was measured on this day counts.
    """

    def __init__(self, path: Path, day: str) -> None:
        self._path = path
        self._day = day
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._found = {each["key"]: each["figures"] for each in map(json.loads, lines) if each["day"] == day}

    def get(self, key: str, measure_now: Callable[[], list[dict[str, Any]]], say: Callable[[str], None]) -> Any:
        """The figures with a key, from an earlier run or measured now."""
        if key in self._found:
            say(f"measured already: {key}")
            return self._found[key]
        say(f"measuring: {key}")
        started = time.monotonic()
        self._found[key] = figures = measure_now()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"day": self._day, "key": key, "figures": figures}) + "\n")
        say(f"measured: {key} ({time.monotonic() - started:.0f} s)")
        return figures


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
    """Build, boot, and return what was seen, now or by an earlier run of today that was of the same inputs.

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

    def say(text: str) -> None:
        stream.write(f"{text}\n")
        stream.flush()

    today = datetime.now(UTC).date().isoformat()
    seen = Seen(project / SEEN, today)

    def of_variant(name: str) -> list[dict[str, Any]]:
        return [asdict(_variant(recipe, name, project=project, uv=uv, environ=environ, stream=stream))]

    def of_boot(tests: str, variant: str, boot: str) -> list[dict[str, Any]]:
        return [asdict(each) for each in _boots(tests, variant, boot, project=project, environ=environ, run=run)]

    keys = {name: image_key(recipe, name, project=project) for name in variants}
    boots = [
        figures
        for name, key in keys.items()
        for figures in seen.get(f"containers {key}", partial(of_boot, CONTAINERS, name, ""), say)
    ]
    first, key = next(iter(keys.items()))
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        waiting = [
            pool.submit(seen.get, f"boot {boot} {key}", partial(of_boot, MACHINES, first, boot), say) for boot in BOOTS
        ]
        boots += [figures for each in waiting for figures in each.result()]
    built = [
        figures
        for name, key in keys.items()
        for figures in seen.get(f"variant {name} {key}", partial(of_variant, name), say)
    ]
    return {
        "flower_version": FLOWER_VERSION,
        "measured": today,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {'with' if kvm_runs() else 'without'} KVM, shared "
        f"with other work (load average {os.getloadavg()[2]:.1f} over the last 15 minutes)",
        "how": {"variants": HOW_VARIANTS, "boots": HOW_BOOTS},
        "variants": built,
        "boots": boots,
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

        earlier, cold_s = build()
        image, cached_s = build()
        if image.sha256 != earlier.sha256:
            raise ToolError(
                given=f"two builds of {name}: {earlier.sha256} and {image.sha256}",
                rule="the same inputs give the same bytes",
                reason="an auditor builds the image again to know what is in it",
                remedy="compare the two with diffoscope, and pin what differs in the recipe",
            )
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


def _boots(
    tests: str, variant: str, boot: str, *, project: Path, environ: Mapping[str, str], run: Runner
) -> list[BootFigures]:
    """What a test that boots says of it."""
    with tempfile.TemporaryDirectory(prefix="flower-figures-") as folder:
        sink = Path(folder) / "seen.jsonl"
        require(
            run(
                [project / ".venv" / "bin" / "pytest", "-q", "-x", f"--basetemp={folder}/tests", project / tests],
                env={**environ, SINK: str(sink), VARIANT: variant, **({"FL_TEST_BOOT": boot} if boot else {})},
                cwd=project,
                timeout_s=_TESTS_TIMEOUT_S,
            ),
            what=f"pytest {tests} {boot}",
            reason="only a boot that was seen to reach READY has figures",
            remedy="correct what its last lines name, and measure again",
        )
        # A test that was skipped has seen nothing.
        lines = sink.read_text(encoding="utf-8").splitlines() if sink.exists() else []
        if not lines:
            raise MachineError(
                given=f"pytest {tests} {boot} booted nothing",
                rule="it boots the image and tells what it saw",
                reason="a figure without a boot does not exist",
                remedy="run it with -rs, which says why it was skipped",
            )
        return [BootFigures(variant=variant, **json.loads(line)) for line in lines]


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
        figures["how"]["variants"],
        "",
        "## From start to READY",
        "",
        *_table(
            ("variant", "driver", "firmware", "role", "READY after, s", "memory used, MiB"),
            (
                (
                    boot["variant"], boot["driver"], boot["firmware"], boot["role"], f"{boot['ready_s']:.0f}",
                    "-" if boot["memory_mib"] is None else boot["memory_mib"],
                )
                for boot in figures["boots"]
            ),
        ),
        "",
        figures["how"]["boots"],
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
