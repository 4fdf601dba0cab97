"""`federation image build`: base, environment, root file system, disk; each stage cached by its content."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import flower_appliance
from flower_appliance.version import FLOWER_VERSION
from flower_federation.caches import Cache, cache_root
from flower_federation.console import Console
from flower_federation.errors import FederationError
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.base import build_base, check_tools
from flower_federation.imaging.disk import DiskBuilder
from flower_federation.imaging.payload import build_payload
from flower_federation.imaging.rootfs import make_root
from flower_federation.processes import run_process

DESCRIPTION = """Build the appliance's bootable disk image (QCOW2; BIOS and UEFI).

  scripts/image build                      the cpu variant, into dist/
  scripts/image build --variant sklearn    with scikit-learn, which the example app needs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `image build`."""
    parser.add_argument("--variant", default="cpu", help="a variant of the recipe (default: cpu)")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder for the image (default: dist/)")
    parser.add_argument("--keep-root", type=Path, help="also leave the root file system in this folder, for nspawn")
    parser.add_argument("--json", action="store_true", help="print a JSON summary on standard output")


def build(arguments: argparse.Namespace, *, project: Path, uv: Path, environ: Mapping[str, str]) -> Path:
    """Build one image and write its checksum beside it; the image's path.

    Raises:
        FederationError: A tool is missing or failed, or an option is wrong.
    """
    stream = sys.stderr if arguments.json else sys.stdout
    console = Console(stream=stream, clock=time.monotonic, total=5)
    recipe = recipes.load()
    variant = recipe.variant(arguments.variant)
    check_tools()
    cache = Cache(cache_root(environ, Path.home()), say=console.line)
    env = {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with console.step("base system") as step:
        base_tar = build_base(
            recipe.base, cache=cache, run=run_process, env=env, epoch_s=recipe.disk.epoch_s, step=step
        )
        step.done(f"{base_tar.stat().st_size >> 20} MiB")
    with console.step("Flower environment") as step:
        payload = build_payload(
            recipe.base, variant, lock=project / "requirements" / "flower.lock", uv=uv,
            cache=cache, run=run_process, env=env, step=step,
        )  # fmt: skip
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    image = output / f"{recipe.name}-{FLOWER_VERSION}-{variant.name}.qcow2"
    with tempfile.TemporaryDirectory(prefix="flower-image-") as scratch_name:
        scratch = Path(scratch_name)
        root = scratch / "root"
        root.mkdir(mode=0o755)
        with console.step("root file system") as step:
            used_mib = make_root(
                recipe, root, base_tar=base_tar, payload=payload, run=run_process, env=env,
                appliance=Path(flower_appliance.__file__).parent,
                overlay=Path(str(resources.files("flower_federation.imaging"))) / "overlay",
            )  # fmt: skip
            step.done(f"{used_mib} MiB of files")
        with console.step("disk") as step:
            partial = scratch / "image.qcow2"
            DiskBuilder(recipe.disk, root, scratch, run=run_process, env=env).build(partial, used_mib=used_mib)
            shutil.move(partial, image)
            step.done(f"{image.stat().st_size / 1e6:.0f} MB")
        if arguments.keep_root is not None:
            shutil.move(root, arguments.keep_root)
    with console.step("checksum") as step:
        checksum = _sha256(image)
        image.with_name(f"{image.name}.sha256").write_text(f"{checksum}  {image.name}\n", encoding="utf-8")
        step.done(checksum)
    if arguments.json:
        seconds = {result.title: round(result.seconds, 1) for result in console.results}
        print(json.dumps({"image": str(image), "sha256": checksum, "bytes": image.stat().st_size, "seconds": seconds}))
    return image


def main() -> int:
    """`python -m flower_federation.imaging.cli`, for development."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    project = Path(__file__).resolve().parents[3]
    uv = shutil.which("uv", path=f"{project / '.flower-env' / 'bin'}:{os.environ.get('PATH', '')}")
    try:
        build(arguments, project=project, uv=Path(uv or "uv"), environ=os.environ)
    except FederationError as error:
        print(f"image build: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
