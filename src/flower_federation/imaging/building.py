"""Builds one image, stage by stage, each cached by what goes into it. It publishes nothing and boots nothing.

What comes out lies in one folder: the QCOW2, its bill of materials, and SHA256SUMS over all images there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import flower_appliance
from flower_appliance.version import FLOWER_VERSION
from flower_federation.caches import Cache, cache_root, remove_tree
from flower_federation.console import Console
from flower_federation.imaging.base import build_base, check_tools
from flower_federation.imaging.checksums import sha256_of, write_sums
from flower_federation.imaging.disk import DiskBuilder
from flower_federation.imaging.payload import build_payload
from flower_federation.imaging.recipe import Recipe
from flower_federation.imaging.rootfs import make_root
from flower_federation.imaging.sbom import Component, components_of, render_sbom
from flower_federation.imaging.surroundings import of_tools
from flower_federation.processes import run_process

STEPS = 6
"""Steps that a build shows."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """One finished image."""

    path: Path
    sha256: str
    size_bytes: int
    used_mib: int
    """Mebibytes of files in the root file system."""
    components: tuple[Component, ...]
    """Packages and wheels in it."""
    seconds: Mapping[str, float]
    """Seconds of each step."""

    @property
    def summary(self) -> dict[str, object]:
        """For `--json`."""
        kinds = [component.kind for component in self.components]
        return {
            "image": str(self.path),
            "sha256": self.sha256,
            "bytes": self.size_bytes,
            "packages": kinds.count("deb"),
            "wheels": kinds.count("pypi"),
            "seconds": {title: round(seconds, 1) for title, seconds in self.seconds.items()},
        }


def image_name(recipe: Recipe, variant: str) -> str:
    """File name of a variant's image."""
    return f"{recipe.name}-{FLOWER_VERSION}-{variant}.qcow2"


def build_image(
    recipe: Recipe,
    variant_name: str,
    *,
    output: Path,
    project: Path,
    uv: Path,
    environ: Mapping[str, str],
    console: Console,
    keep_root: Path | None = None,
    hook: Path | None = None,
) -> Built:
    """Build one image into `output`.

    Args:
        recipe: What to build.
        variant_name: One of its variants.
        output: Folder for the image; made where it is missing.
        project: The clone, for the lock.
        uv: The pinned uv.
        environ: This process's environment.
        console: Shows the steps.
        hook: A program that is run with the root file system's folder, once everything is in it: NVIDIA's driver.
        keep_root: Also leave the root file system here, for the nspawn driver.

    Raises:
        FederationError: A tool is missing or failed, or there is no such variant.
    """
    variant = recipe.variant(variant_name)
    check_tools()
    cache = Cache(cache_root(environ, Path.home()), say=console.line)
    env = of_tools(environ)
    first = len(console.results)
    with console.step("base system") as step:
        base_tar = build_base(
            recipe.base_of(variant), cache=cache, run=run_process, env=env, epoch_s=recipe.disk.epoch_s, step=step
        )
        step.done(f"{base_tar.stat().st_size >> 20} MiB")
    with console.step("Flower environment") as step:
        payload = build_payload(
            recipe.base, variant, lock=project / "requirements" / "flower.lock", uv=uv,
            cache=cache, run=run_process, env=env, step=step,
        )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    image = output / image_name(recipe, variant.name)
    with tempfile.TemporaryDirectory(prefix="flower-image-") as scratch_name:
        scratch = Path(scratch_name)
        root = scratch / "root"
        root.mkdir(mode=0o755)
        with console.step("root file system") as step:
            used_mib = make_root(
                recipe, variant, root, base_tar=base_tar, payload=payload, run=run_process, env=env,
                appliance=Path(flower_appliance.__file__).parent, hook=hook,
                overlay=Path(str(resources.files("flower_federation.imaging"))) / "overlay",
            )  # fmt: skip
            step.done(f"{used_mib} MiB of files")
        with console.step("disk") as step:
            partial = scratch / "image.qcow2"
            DiskBuilder(recipe.disk, root, scratch, run=run_process, env=env).build(partial, used_mib=used_mib)
            shutil.move(partial, image)
            step.done(f"{image.stat().st_size / 1e6:.0f} MB")
        with console.step("bill of materials") as step:
            components = components_of(root)
            checksum = sha256_of(image)
            bill = render_sbom(image.name, checksum, components, epoch_s=recipe.disk.epoch_s)
            image.with_suffix(".cdx.json").write_text(bill, encoding="utf-8")
            step.done(f"{len(components)} components")
        if keep_root is not None:
            if keep_root.exists():
                remove_tree(keep_root)
            shutil.move(root, keep_root)
    with console.step("checksums") as step:
        write_sums(output)
        step.done(checksum)
    return Built(
        path=image,
        sha256=checksum,
        size_bytes=image.stat().st_size,
        used_mib=used_mib,
        components=components,
        seconds={result.title: result.seconds for result in console.results[first:]},
    )
