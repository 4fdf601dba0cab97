"""A built image in the user's cache, named by everything that goes into it. It decides nothing about the image itself.

For what needs an image and not a particular one: the demo, the tests, the figures. The same inputs give the same bytes,
so that a second build would only take time.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import flower_appliance
from flower_federation.caches import Cache, cache_root, digest, remove_tree
from flower_federation.console import Console
from flower_federation.imaging.building import build_image, image_name
from flower_federation.imaging.recipe import Recipe

KIND = "image"
"""First level of the cache; a folder holds one image, its bill of materials and SHA256SUMS."""
KEPT_S = 24 * 3600
"""Seconds that an image is kept after its last use: each is about 250 MB, and each change of a source makes one."""


def image_key(recipe: Recipe, variant: str, *, project: Path) -> str:
    """What a variant's image depends on, as a digest.

    Args:
        recipe: What is built.
        variant: One of its variants.
        project: The clone, for the lock.
    """
    appliance = Path(flower_appliance.__file__).parent
    imaging = Path(str(resources.files("flower_federation.imaging")))
    lock = (project / "requirements" / "flower.lock").read_bytes()
    demo = project / "examples" / "breast_cancer" / "prepare.py"
    return digest([repr(recipe), variant, lock, demo.read_bytes(), *_tree(appliance), *_tree(imaging)])


def cached_image(
    recipe: Recipe, variant: str, *, project: Path, uv: Path, environ: Mapping[str, str], console: Console
) -> Path:
    """A variant's QCOW2, from the cache or built now.

    Args:
        recipe: What to build.
        variant: One of its variants.
        project: The clone, for the lock.
        uv: The pinned uv.
        environ: This process's environment.
        console: Shows the steps of a build.

    Raises:
        FederationError: It is not there yet, and a tool is missing or failed.
    """
    cache = Cache(cache_root(environ, Path.home()), say=console.line)
    name = image_name(recipe, variant)

    def build(folder: Path) -> None:
        build_image(recipe, variant, output=folder, project=project, uv=uv, environ=environ, console=console)

    key = image_key(recipe, variant, project=project)
    folder = cache.get(KIND, key, build, usable=lambda found: (found / name).is_file())
    os.utime(folder)
    _prune(folder.parent, now_s=time.time())
    return folder / name


def _prune(folder: Path, *, now_s: float) -> None:
    for image in folder.iterdir():
        # Another process may be removing the same one. Folders with a dot are being built.
        with contextlib.suppress(FileNotFoundError):
            if not image.name.startswith(".") and now_s - image.stat().st_mtime > KEPT_S:
                remove_tree(image)


def _tree(folder: Path) -> Iterator[str | bytes]:
    """Names, modes and contents of all files below a folder, in a stable order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(folder))
            yield str(stat.S_IMODE(path.stat().st_mode) & 0o111)
            yield path.read_bytes()
