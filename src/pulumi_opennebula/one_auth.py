"""Reads a user and a password from a file as OpenNebula's tools keep them, `~/.one/one_auth`. It shows no content."""

from __future__ import annotations

from pathlib import Path

from pulumi_opennebula.errors import ConfigurationError


def read_one_auth(path: Path) -> tuple[str, str]:
    """User and password.

    Args:
        path: A file with one line, `user:password`; only the first colon separates.

    Raises:
        ConfigurationError: It cannot be read, or holds something else.
    """
    try:
        username, _, password = path.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"{path} ({said})",
            "it must be there and readable",
            "it holds the zone's user and password",
            "Start the zone that writes it, or name another file",
        ) from error
    if not (username and password):
        raise ConfigurationError(
            f"{path} (content not shown)",
            "it must hold one line, user:password, as OpenNebula's one_auth does",
            "both are sent with every call",
            "Correct the file, or name another one",
        )
    return username, password
