"""The variables that the engine and Flower run under, and the block that sets them in `.venv/bin/activate`.

It never overrides what the user set, and never holds a secret: the passphrase is a file that a variable points to.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flower_federation.errors import InputError

MARK_PREFIX = "_FLOWER_FEDERATION_"
"""A variable's value, as set by us, is kept under this prefix: only a value that still equals it is ours to change."""

BEGIN = "# >>> flower-federation: written by scripts/setup, changes are lost >>>"
END = "# <<< flower-federation <<<"
DEACTIVATE = "deactivate () {"

PASSPHRASE_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where things of one clone are; every path is absolute."""

    project: Path

    @property
    def venv(self) -> Path:
        """The control environment."""
        return self.project / ".venv"

    @property
    def bin(self) -> Path:
        """The control environment's programs, the engine's among them."""
        return self.venv / "bin"

    @property
    def flower_env(self) -> Path:
        """The link to the Flower environment in the user's cache."""
        return self.project / ".flower-env"

    @property
    def state(self) -> Path:
        """Everything that runs of this clone leave behind."""
        return self.project / ".federation"

    @property
    def backend(self) -> Path:
        """The local Pulumi backend."""
        return self.state / "state"

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of the local backend's stacks (0600)."""
        return self.state / "passphrase"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME. Inside .venv because the tls launcher in its plugin cache names this clone's Python."""
        return self.venv / "pulumi-home"

    @property
    def flwr_home(self) -> Path:
        """FLWR_HOME: the Flower CLI's connections."""
        return self.state / "flwr"


def variables(layout: Layout, *, offline: bool) -> dict[str, str]:
    """The variables with their values, in a stable order.

    Args:
        layout: The clone.
        offline: Whether the vendor's site was out of reach at setup; the engine then must not try it for plugins.
    """
    values = {
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_BACKEND_URL": backend_url(layout.backend),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(layout.passphrase_file),
        "FLWR_HOME": str(layout.flwr_home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
    }
    if offline:
        values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return values


def backend_url(folder: Path) -> str:
    """The URL of a local backend.

    Without `metadata=skip` the engine writes a file of attributes beside each checkpoint, and in place, so a reader
    at that moment gets "failed to load checkpoint: EOF" (engine 3.259.0, 2026-11-24). The checkpoint itself is replaced
    at once, and its attributes are of no use.

    Args:
        folder: Absolute path.
    """
    return f"file://{folder}?metadata=skip"


def backend_folder(url: str) -> Path | None:
    """The folder of a local backend; None for any other."""
    return Path(url.removeprefix("file://").partition("?")[0]) if url.startswith("file://") else None


def merged(environ: Mapping[str, str], layout: Layout, *, offline: bool) -> dict[str, str]:
    """`environ` as it would be in a shell that activated the clone: our variables where the user set none, PATH first.

    A value that another clone's activation set is replaced, so that no command works on that clone's state unasked.
    """
    result = dict(environ)
    for name, value in variables(layout, offline=offline).items():
        mark = MARK_PREFIX + name
        if name not in environ or environ.get(mark) == environ[name]:
            result[name] = value
            result[mark] = value
    result["VIRTUAL_ENV"] = str(layout.venv)
    rest = [part for part in environ.get("PATH", os.defpath).split(os.pathsep) if part and part != str(layout.bin)]
    result["PATH"] = os.pathsep.join([str(layout.bin), *rest])
    return result


def activation(script: str, values: Mapping[str, str]) -> str:
    """The activate script with our two blocks: one that sets the variables, one in `deactivate` that takes them back.

    Calling it on its own result changes nothing.

    Raises:
        InputError: The script is not one that uv or venv wrote.
    """
    plain = _without_blocks(script)
    head, found, tail = plain.partition(DEACTIVATE + "\n")
    if not found:
        raise InputError(
            given=f"the activate script has no line {DEACTIVATE!r}",
            rule="it must be the script that uv writes",
            reason="the variables that it sets have to be taken back by `deactivate`",
            remedy="remove the .venv folder and run scripts/setup again",
        )
    restore = [f"    {BEGIN}", *(_restore_line(name) for name in values), f"    {END}"]
    setting = [BEGIN, *(_set_line(name, value) for name, value in values.items()), END]
    # In the body of deactivate, and at the end of the script, after it called `deactivate nondestructive`.
    return head + found + "\n".join(restore) + "\n" + tail.rstrip("\n") + "\n" + "\n".join(setting) + "\n"


def _set_line(name: str, value: str) -> str:
    # Each name is spelled out, since zsh does not split the words of a variable in a loop.
    mark = MARK_PREFIX + name
    test = f'if [ -z "${{{name}+set}}" ] || [ "${{{name}-}}" = "${{{mark}-unset}}" ]; then'
    return f"{test} {name}={shlex.quote(value)}; {mark}=${name}; export {name} {mark}; fi"


def _restore_line(name: str) -> str:
    mark = MARK_PREFIX + name
    return f'    if [ "${{{name}-}}" = "${{{mark}-unset}}" ]; then unset {name}; fi; unset {mark}'


def _without_blocks(script: str) -> str:
    kept: list[str] = []
    inside = False
    for line in script.splitlines(keepends=True):
        text = line.strip()
        if text == BEGIN:
            inside = True
        elif text == END:
            inside = False
        elif not inside:
            kept.append(line)
    return "".join(kept)


def make_state(layout: Layout, *, randomness: bytes) -> bool:
    """Make the state folders, and the passphrase where there is none; whether a passphrase was made.

    The passphrase file is 0600 from its first byte; an existing one is never touched, since stacks depend on it.

    Args:
        layout: The clone.
        randomness: Bytes for the passphrase, from the operating system's source.
    """
    for folder in (layout.state, layout.backend, layout.flwr_home):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if layout.passphrase_file.exists():
        return False
    # Written under another name first: a run that is cut off must not leave an empty passphrase behind.
    draft = layout.passphrase_file.with_name(f".passphrase.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(randomness.hex())
    try:
        os.link(draft, layout.passphrase_file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
