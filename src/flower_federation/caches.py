"""The user's cache: folders named by what went into them, placed whole or not at all. Never holds a secret or state.

A folder is built beside its place under a temporary name and renamed when complete, so that a killed build leaves
nothing that looks finished; a file lock keeps two builders of the same folder apart.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flower_federation.errors import InputError

FOLDER = "flower-federation"
KEY_CHARS = 20
"""Characters of the SHA-256 that name a folder: 80 bits, and short enough for paths in shebang lines (Linux: 255)."""


def cache_root(environ: Mapping[str, str], home: Path) -> Path:
    """The cache's folder: below XDG_CACHE_HOME where that is set, otherwise below ~/.cache.

    Raises:
        InputError: XDG_CACHE_HOME is a relative path.
    """
    base = environ.get("XDG_CACHE_HOME", "")
    if not base:
        return home / ".cache" / FOLDER
    if not Path(base).is_absolute():
        raise InputError(
            given=f"XDG_CACHE_HOME={base!r} is a relative path",
            rule="XDG_CACHE_HOME must be an absolute path or unset",
            reason="a relative cache would be a different one in every folder that a script is called from",
            remedy="unset XDG_CACHE_HOME, or export an absolute path, in the shell that calls the script",
        )
    return Path(base) / FOLDER


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of texts and file contents; parts are delimited, so that their borders count."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()[:KEY_CHARS]


class Cache:
    """Finds or builds content-keyed folders below one root.

    Args:
        root: The cache's folder; made when first needed.
        say: Prints a line, for "waiting for another run".
    """

    def __init__(self, root: Path, *, say: Callable[[str], None]) -> None:
        self.root = root
        self._say = say

    def place(self, kind: str, key: str) -> Path:
        """Where the folder of this kind and key is, or would be."""
        return self.root / kind / key

    def get(self, kind: str, key: str, build: Callable[[Path], None], *, usable: Callable[[Path], bool]) -> Path:
        """The finished folder, built by `build(temporary folder)` if there is none that is usable.

        Args:
            kind: First level below the root, such as "engine".
            key: Digest of everything that the content depends on.
            build: Fills the temporary folder that it is given; what it leaves there must not contain that path.
            usable: Whether a finished folder still works (a Python environment's interpreter may have gone).
        """
        final = self.place(kind, key)
        if usable(final):
            return final
        with locked(self.root / "locks" / f"{kind}-{key}.lock", say=self._say):
            if usable(final):
                return final
            for leftover in final.parent.glob(f".{key}.partial-*"):
                remove_tree(leftover)
            final.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{key}.partial-", dir=final.parent))
            try:
                build(partial)
                if final.exists():
                    remove_tree(final)
                partial.rename(final)
            except BaseException:
                remove_tree(partial)
                raise
        return final


@contextmanager
def locked(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file; say so where another process holds it, and wait for its end.

    The kernel lets go when the holder ends, however it ends, so there is no stale lock to clean up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            say(f"      waiting for another run (process {holder}) that holds {path.name}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Remove a folder, also where a tool left read-only folders in it (Go's module cache does)."""
    for path, folders, _files in os.walk(folder):
        for name in folders:
            child = Path(path, name)
            if not child.is_symlink():
                child.chmod(0o700)
    shutil.rmtree(folder)


def point(link: Path, target: Path) -> bool:
    """Make `link` a symbolic link to `target`, replacing a link or file at once; whether anything changed.

    Raises:
        InputError: A folder stands where the link has to be.
    """
    if link.is_symlink() and link.readlink() == target:
        return False
    if link.is_dir() and not link.is_symlink():
        raise InputError(
            given=f"{link} is a folder",
            rule="it must be absent, or a link that scripts/setup made",
            reason=f"it has to lead to {target}, and a folder that somebody filled is not removed unasked",
            remedy=f"move {link} away, then run scripts/setup again",
        )
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    return True
