"""What the tools of a build see of this machine: as little as possible, so that another machine makes the same bytes.

Locale, time zone, umask and Python's own variables would each end up in the image. Everything else (proxies, package
indexes) only says where the same packages come from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

UMASK = 0o022
GUEST_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_EVERYWHERE = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def of_tools(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of this machine's own tools: without Python's variables, in one locale and time zone."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("PYTHON", "LC_")) and name not in ("LANG", "LANGUAGE", "VIRTUAL_ENV")
    }
    return kept | _EVERYWHERE


def of_guest() -> dict[str, str]:
    """The environment of the image's own programs, which are run in it: nothing of this machine's."""
    return {"PATH": GUEST_PATH, "HOME": "/nonexistent", **_EVERYWHERE}


@contextmanager
def plain_umask() -> Iterator[None]:
    """Files that are made in the block, also by programs that it starts, can be read by everybody."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)
