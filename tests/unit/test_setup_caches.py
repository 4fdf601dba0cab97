"""The cache: whole folders or none, and one builder at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flower_federation.caches import Cache, cache_root, digest, locked, point, remove_tree
from flower_federation.errors import InputError
from tests.patience import PATIENCE_S


def has_file(folder: Path) -> bool:
    return (folder / "file").exists()


def fill(folder: Path) -> None:
    (folder / "file").write_text("content")


def test_a_folder_is_built_once_and_found_afterwards(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", say=print)
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        fill(folder)

    first = cache.get("kind", "key", build, usable=has_file)
    assert cache.get("kind", "key", build, usable=has_file) == first
    assert (first / "file").read_text() == "content"
    assert len(built) == 1


def test_a_build_that_fails_leaves_neither_a_folder_nor_a_draft(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", say=print)

    def fail(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get("kind", "key", fail, usable=has_file)
    assert list((cache.root / "kind").iterdir()) == []


def test_drafts_of_a_killed_build_are_removed_by_the_next_one(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", say=print)
    draft = cache.root / "kind" / ".key.partial-x"
    (draft / "read-only").mkdir(parents=True)
    (draft / "read-only" / "module").write_text("")
    (draft / "read-only").chmod(0o500)
    cache.get("kind", "key", fill, usable=has_file)
    assert [path.name for path in (cache.root / "kind").iterdir()] == ["key"]


def test_a_folder_that_no_longer_works_is_built_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", say=print)
    folder = cache.get("kind", "key", fill, usable=has_file)
    (folder / "file").unlink()
    assert (cache.get("kind", "key", fill, usable=has_file) / "file").exists()


def test_a_second_run_says_that_it_waits_and_goes_on_when_the_first_is_done(tmp_path: Path) -> None:
    waiting = threading.Event()
    said: list[str] = []
    order: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        waiting.set()

    def second() -> None:
        with locked(tmp_path / "lock", say=say):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path / "lock", say=print):
        thread.start()
        assert waiting.wait(PATIENCE_S), "the second run did not say that it waits"
        order.append("first")
    thread.join(PATIENCE_S)
    assert order == ["first", "second"]
    assert "waiting for another run (process " in said[0]


def test_two_builders_of_one_folder_build_it_once(tmp_path: Path) -> None:
    waiting, started = threading.Event(), threading.Event()
    builds: list[str] = []

    def build(name: str) -> None:
        def make(folder: Path) -> None:
            builds.append(name)
            started.set()
            waiting.wait(PATIENCE_S)
            fill(folder)

        cache = Cache(tmp_path / "cache", say=lambda _text: waiting.set())
        cache.get("kind", "key", make, usable=has_file)

    threads = [threading.Thread(target=build, args=(name,)) for name in ("one", "two")]
    threads[0].start()
    assert started.wait(PATIENCE_S)
    threads[1].start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert builds == ["one"]


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({}, Path("/home/u/.cache/flower-federation")),
        ({"XDG_CACHE_HOME": ""}, Path("/home/u/.cache/flower-federation")),
        ({"XDG_CACHE_HOME": "/big/disk"}, Path("/big/disk/flower-federation")),
    ],
)
def test_the_cache_is_where_the_desktop_convention_says(environ: dict[str, str], root: Path) -> None:
    assert cache_root(environ, Path("/home/u")) == root


def test_a_relative_cache_folder_is_refused() -> None:
    with pytest.raises(InputError, match="'cache'") as refusal:
        cache_root({"XDG_CACHE_HOME": "cache"}, Path("/home/u"))
    assert "XDG_CACHE_HOME" in refusal.value.remedy


def test_digests_tell_apart_where_one_part_ends() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["a", b"b"]) == digest([b"a", "b"])


def test_a_link_is_moved_and_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    link, first, second = tmp_path / "link", tmp_path / "first", tmp_path / "second"
    first.mkdir()
    assert point(link, first)
    assert not point(link, first)
    assert point(link, second)
    assert link.readlink() == second
    with pytest.raises(InputError, match="is a folder") as refusal:
        point(first, second)
    assert f"move {first} away" in refusal.value.remedy


def test_removing_a_tree_does_not_follow_links_out_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    remove_tree(tree)
    assert not tree.exists()
    assert outside.stat().st_mode & 0o777 == 0o500
