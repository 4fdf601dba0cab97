"""The `tls` plugin in the engine's own cache: the official one where it can be downloaded, ours otherwise.

Our launcher is put into the cache and never on PATH, where the engine would prefer it to the official plugin.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flower_federation.caches import remove_tree
from flower_federation.processes import Runner, require

ANSWER_TIMEOUT_S = 10.0
"""How long the vendor has to deliver the plugin where nothing is known about its site."""
DOWNLOAD_TIMEOUT_S = 180.0
"""The same where the vendor's site has just delivered the engine."""
INSTALL_TIMEOUT_S = 60.0

LAUNCHER = "pulumi-resource-tls"


class TlsPlugin(Enum):
    """Which plugin stands behind pulumi_tls."""

    OFFICIAL = "official"
    OWN = "own"


def launcher(python: Path) -> str:
    """The text of the program that the engine starts: this clone's Python with our plugin, arguments passed on."""
    return f'#!/bin/sh\nexec {shlex.quote(str(python))} -m pulumi_resource_tls "$@"\n'


def installed(home: Path, version: str, python: Path) -> TlsPlugin | None:
    """Which tls plugin of this version the engine's cache holds; None for none, or for another clone's launcher."""
    program = home / "plugins" / f"resource-tls-v{version}" / LAUNCHER
    if not program.is_file():
        return None
    with program.open("rb") as file:
        start = file.read(4096)
    if not start.startswith(b"#!"):
        return TlsPlugin.OFFICIAL
    return TlsPlugin.OWN if start == launcher(python).encode() else None


@dataclass(frozen=True, kw_only=True)
class PluginInstaller:
    """Puts the plugin into PULUMI_HOME.

    Args:
        pulumi: The engine.
        home: PULUMI_HOME of this clone.
        python: The control environment's interpreter, as an absolute path.
        environ: The caller's environment.
        run: Starts programs.
        note: Prints a line.
    """

    pulumi: Path
    home: Path
    python: Path
    environ: Mapping[str, str]
    run: Runner
    note: Callable[[str], None]

    def install(self, version: str, *, offline: bool, vendor_answered: bool, again: bool = False) -> TlsPlugin:
        """Install the plugin unless it is there.

        Args:
            version: The version that the installed pulumi_tls asks for.
            offline: Do not ask the vendor's site.
            vendor_answered: The vendor's site has just been heard of, so that it gets time for a slow download.
            again: Try the official one also where ours is installed.

        Raises:
            ToolError: The engine refused our launcher.
        """
        present = installed(self.home, version, self.python)
        if present is not None and not (again and present is TlsPlugin.OWN):
            return present
        if offline:
            self.note("official  no: not asked for (--offline)")
        elif self._official(version, DOWNLOAD_TIMEOUT_S if vendor_answered else ANSWER_TIMEOUT_S):
            self.note(f"official  TAKEN: {LAUNCHER} {version}")
            return TlsPlugin.OFFICIAL
        self._own(version)
        self.note(f"own       TAKEN: python -m pulumi_resource_tls as {LAUNCHER} {version}")
        return TlsPlugin.OWN

    def _official(self, version: str, limit_s: float) -> bool:
        # In a folder of its own: a download that is cut off must leave nothing that the engine takes for a plugin.
        self.home.mkdir(parents=True, exist_ok=True)
        trial = Path(tempfile.mkdtemp(prefix=".trial-", dir=self.home))
        try:
            answer = self.run(
                [self.pulumi, "plugin", "install", "resource", "tls", version],
                env=self._env(trial),
                timeout_s=limit_s,
            )
            folder = f"resource-tls-v{version}"
            if answer.timed_out or answer.returncode != 0 or not (trial / "plugins" / folder).is_dir():
                why = f"no answer within {limit_s:.0f} s" if answer.timed_out else answer.tail.splitlines()[-1:]
                self.note(f"official  no: {why if isinstance(why, str) else ' '.join(why) or 'it was not delivered'}")
                return False
            target = self.home / "plugins" / folder
            target.parent.mkdir(exist_ok=True)
            if target.exists():
                remove_tree(target)
            (trial / "plugins" / folder).rename(target)
            return True
        finally:
            remove_tree(trial)

    def _own(self, version: str) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            program = Path(temporary) / LAUNCHER
            program.write_text(launcher(self.python))
            program.chmod(0o755)
            require(
                self.run(
                    [self.pulumi, "plugin", "install", "resource", "tls", version, "--reinstall", "--file", program],
                    env=self._env(self.home),
                    timeout_s=INSTALL_TIMEOUT_S,
                ),
                what=f"`pulumi plugin install resource tls {version}` with this project's launcher",
                reason="FederationPKI makes its keys and certificates through pulumi_tls, which needs the plugin",
                remedy=f"see that {self.home} can be written to, then run scripts/setup again",
            )

    def _env(self, home: Path) -> dict[str, str]:
        return {**self.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
