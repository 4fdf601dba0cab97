"""A service as data, and its rendering for systemd. It starts nothing; `supervisor` runs the same data without systemd.

Restart is always "always": a SuperNode that was unregistered while running ends with exit status 0 (flwr 1.41.0,
2026-11-24), which `on-failure` would take for success.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

# For a `systemd-analyze security` of at most 4.0. MemoryDenyWriteExecute stays off: numerical libraries compile code.
_HARDENING = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @mount @debug",
    "UMask=0077",
)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One long-running service."""

    name: str
    """With the suffix `.service`."""
    description: str
    argv: tuple[str, ...]
    """Program and arguments; nothing secret, since every user can read them."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment file's variables."""
    environment_file: str
    """Path of a file of NAME="value" lines that the service gets."""
    reads: tuple[str, ...] = ()
    """Guest paths whose change calls for a restart."""
    reloads: tuple[str, ...] = ()
    """Guest paths whose change `reload_argv` brings to the running service; never also in `reads`."""
    reload_argv: tuple[str, ...] = ()
    """Run in the service's folder with its environment; exit status 0: the service works with the new files."""
    writes: tuple[str, ...] = ()
    """Folders that the service may write."""
    reads_only: tuple[str, ...] = ()
    """Folders that are bound read-only under systemd, such as the training data."""
    working_folder: str
    user: str = ""
    after: tuple[str, ...] = ()
    restart_first_s: float = 1.0
    """Pause before the first restart; it doubles up to `restart_most_s`."""
    restart_most_s: float = 5.0
    """Low, because a SuperNode that waits for its enrolment is let in only by its next start."""
    stop_timeout_s: float = 7.0
    """Time to end after SIGTERM, for a SuperNode to sign off: otherwise its key is refused for up to 60 s. Flower ends
    itself after 5 s (1.41.0), and a whole process VM has 10 s."""
    memory_mb: int | None = None
    """Hard limit under systemd; None: as much as the machine has."""
    devices: tuple[str, ...] = ()
    """Devices that the service may use, as systemd's DeviceAllow names them; none: it sees no hardware."""
    child: str = ""
    """A program that the service must keep alive to be of any use."""

    def digest(self, contents: Mapping[str, str]) -> str:
        """A fingerprint of everything that matters to the running service.

        Args:
            contents: digest of each file, by guest path.
        """
        facts = {
            "argv": self.argv,
            "environment": dict(self.environment),
            "user": self.user,
            "memory_mb": self.memory_mb,
            **({"devices": self.devices} if self.devices else {}),
            "files": {path: contents.get(path, "") for path in self.reads},
        }
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def reload_digest(self, contents: Mapping[str, str]) -> str:
        """A fingerprint of what a reload brings to the running service; arguments as for `digest`."""
        facts = {path: contents.get(path, "") for path in self.reloads}
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def render_systemd(unit: Unit) -> str:
    """The unit file of a service, hardened."""
    lines = [
        "[Unit]",
        f"Description={unit.description}",
        f"After=network-online.target {' '.join(unit.after)}".rstrip(),
        "Wants=network-online.target",
        # Restarting for ever is intended: without this, systemd gives up after five quick failures.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={_systemd_command(unit.argv)}",
        *([f"ExecReload={_systemd_command(unit.reload_argv)}"] if unit.reload_argv else []),
        f"EnvironmentFile={unit.environment_file}",
        *(f"Environment={_systemd_word(f'{name}={value}')}" for name, value in sorted(unit.environment.items())),
        f"WorkingDirectory={unit.working_folder}",
        "Restart=always",
        f"RestartSec={unit.restart_first_s:g}s",
        "RestartSteps=3",
        f"RestartMaxDelaySec={unit.restart_most_s:g}s",
        f"TimeoutStopSec={unit.stop_timeout_s:g}s",
        "KillMode=control-group",
        *([f"User={unit.user}", f"Group={unit.user}"] if unit.user else []),
        *([f"MemoryMax={unit.memory_mb}M"] if unit.memory_mb else []),
        *(line for line in _HARDENING if not (unit.devices and line == "PrivateDevices=yes")),
        *(["DevicePolicy=closed", *(f"DeviceAllow={name} rw" for name in unit.devices)] if unit.devices else []),
        *([f"ReadWritePaths={' '.join(unit.writes)}"] if unit.writes else []),
        *(f"ReadOnlyPaths=-{_systemd_word(path)}" for path in unit.reads_only),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ]
    return "\n".join(lines)


def render_environment(values: Mapping[str, str]) -> str:
    """An environment file that systemd and `read_environment` take alike."""
    return "".join(f"{name}={json.dumps(value)}\n" for name, value in sorted(values.items()))


def read_environment(text: str) -> dict[str, str]:
    """The inverse of `render_environment`."""
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: json.loads(value) for name, _, value in pairs}


def _systemd_command(argv: tuple[str, ...]) -> str:
    # Only a command line expands variables; elsewhere a doubled dollar sign would stay doubled.
    return " ".join(_systemd_word(word).replace("$", "$$") for word in argv)


def _systemd_word(word: str) -> str:
    """A word for ExecStart and the like: quoted, and `%` doubled so that systemd expands nothing."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if escaped and not set(word) & set(" \t'\"\\;") else f'"{escaped}"'
