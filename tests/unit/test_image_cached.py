"""What names an image in the cache, and what the cache forgets. Nothing is built."""

from __future__ import annotations

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flower_federation.console import Console
from flower_federation.imaging import cached
from flower_federation.imaging.building import STEPS, image_name
from flower_federation.imaging.recipe import load

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of which only the lock and the demo set count."""
    lock = tmp_path / "requirements" / "flower.lock"
    lock.parent.mkdir()
    lock.write_text("flwr==1\n")
    demo = tmp_path / "examples" / "breast_cancer" / "prepare.py"
    demo.parent.mkdir(parents=True)
    demo.write_text("rows = 1\n")
    return tmp_path


def test_the_key_depends_on_recipe_variant_lock_and_demo_set_and_on_no_other_file_of_the_clone(clone: Path) -> None:
    recipe = load()
    key = cached.image_key(recipe, "cpu", project=clone)
    (clone / "README.md").write_text("text")
    assert cached.image_key(recipe, "cpu", project=clone) == key
    others = {
        cached.image_key(recipe, "sklearn", project=clone),
        cached.image_key(replace(recipe, name="other"), "cpu", project=clone),
    }
    for changed in ("requirements/flower.lock", "examples/breast_cancer/prepare.py"):
        (clone / changed).write_text("other\n")
        others.add(cached.image_key(recipe, "cpu", project=clone))
    assert len(others - {key}) == 4


def test_an_image_in_the_cache_is_taken_and_those_unused_for_a_day_are_forgotten(clone: Path) -> None:
    recipe, environ = load(), {"XDG_CACHE_HOME": str(clone / "cache")}
    images = clone / "cache" / "flower-federation" / cached.KIND
    key = cached.image_key(recipe, "cpu", project=clone)
    days_ago = time.time() - cached.KEPT_S - 60
    for name in (key, "unused", ".half.partial-1"):
        (images / name).mkdir(parents=True)
        os.utime(images / name, (days_ago, days_ago))
    (images / "in-use").mkdir()
    wanted = images / key / image_name(recipe, "cpu")
    wanted.write_bytes(b"image")
    found = cached.cached_image(
        recipe, "cpu", project=clone, uv=Path("/no/uv"), environ=environ,
        console=Console(stream=io.StringIO(), clock=time.monotonic, total=STEPS),
    )  # fmt: skip
    assert found == wanted
    assert {path.name for path in images.iterdir()} == {key, "in-use", ".half.partial-1"}


def test_an_image_that_another_process_forgets_at_the_same_time_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unused").mkdir()
    os.utime(tmp_path / "unused", (0, 0))

    def gone(folder: Path) -> None:
        folder.rmdir()
        raise FileNotFoundError(folder)

    monkeypatch.setattr(cached, "remove_tree", gone)
    cached._prune(tmp_path, now_s=time.time())
    assert list(tmp_path.iterdir()) == []
