"""Values of command lines that several commands take: judged before anything is begun. It changes nothing but files
that the caller named.
"""

from __future__ import annotations

from pathlib import Path

from flower_federation.errors import InputError


def check_seconds(option: str, seconds: float) -> None:
    """See that a time limit is one.

    Raises:
        InputError: It is not above 0, or no number.
    """
    if not seconds > 0:
        raise InputError(
            given=f"{option} {seconds:g}",
            rule="a time limit is a number of seconds above 0",
            reason="what is begun under another one is given up at once",
            remedy=f"give more, such as {option} 600, or leave it out",
        )


def write_output(path: Path, text: str) -> None:
    """Write a file that the caller named.

    Raises:
        InputError: It cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            given=f"{path}: {error.strerror or error}",
            rule="the result can be written there",
            reason="it is meant to be sent or kept",
            remedy="name another file with --output, in a folder that is there and yours",
        ) from error


def parse_run_config(pairs: list[str]) -> dict[str, bool | int | float | str]:
    """Settings of an app from `key=value` arguments; true, false and numbers are taken as such.

    Raises:
        InputError: An argument has no equals sign.
    """
    found: dict[str, bool | int | float | str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise InputError(
                given=f"--config {pair}",
                rule="it is KEY=VALUE",
                reason="each overrides one setting of the app",
                remedy="write for example --config num-server-rounds=5",
            )
        found[key] = _value(text)
    return found


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
