"""A federation of a test's own: the repository's program in a temporary folder, zones on free loopback networks.

It touches neither the clone's state nor the demo's addresses. Everything that it starts carries the folder's path in
its command line or environment, which is how `processes_of` finds what must be gone in the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from flower_federation.certificate_source import from_outputs
from flower_federation.control_certificate import ControlCertificate
from flower_federation.environment import MARK_PREFIX, Layout, merged
from flower_federation.stacks import read_stack_files
from flower_federation.zones import EmbeddedZone, embedded_zones, start_arguments, stop_arguments
from pulumi_flower.control import ControlClient, NodeState
from tests.patience import AT_ONCE_S, PATIENCE_S

REPOSITORY = Path(__file__).resolve().parent.parent
FEDERATION_COMMAND = REPOSITORY / "tests" / "e2e" / "federation_command.py"
DEMO_NETWORKS = {"madrid": 10, "berlin": 20, "paris": 30}
"""Second byte of each zone's addresses in the committed stack files."""
CENTRAL, BERLIN, PARIS = "madrid-central", "berlin-hospital", "paris-lab"
STACKS = (CENTRAL, BERLIN, PARIS)
E2E_NETWORKS = (201, 255)
"""Second bytes that only these tests use, the last one excluded: zones that other tests start stay below."""
COMMAND_S = 1200.0
"""Ends a command that hangs. The longest, the demo, took 90 s with three other rows of the suite beside it."""
_CLAIMS: list[IO[str]] = []

_FOREIGN = ("PULUMI_", "OPENNEBULA_", "ONE_", "ONEFLOW_", "ONEGATE_", "FLWR_", "FEDERATION_", MARK_PREFIX)
_LINKS = (".venv", ".flower-env", "components", "examples", "infra", "src")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def text(self) -> str:
        """Both streams."""
        return f"{self.stdout}\n{self.stderr}"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long one command took."""

    what: str
    seconds: float


Measured = Callable[[str, float], None]
"""Keeps what a test measured, in seconds, for the end of the session's output."""


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float, what: Callable[[], str], pause_s: float = 0.2
) -> None:
    """Poll until the condition holds; fail with what was waited for where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what()}"
        time.sleep(pause_s)


def free_networks(count: int) -> tuple[int, ...]:
    """Second bytes of 127.x.0.0/16 networks that nothing listens in and that neither the demo nor other tests take.

    They are this process's own until it ends: zones of test runs beside it may start later than they chose.
    """
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    # The kernel writes addresses byte by byte from the right: 0100007F is 127.0.0.1.
    taken = {int(line.split()[1][4:6], 16) for line in listening}
    candidates = [number for number in range(*E2E_NETWORKS) if number not in taken]
    secrets.SystemRandom().shuffle(candidates)
    claimed = list(itertools.islice(filter(_claim, candidates), count))
    assert len(claimed) == count, f"{count} networks of 127.{E2E_NETWORKS[0]}-{E2E_NETWORKS[1] - 1} are not free"
    return tuple(sorted(claimed))


def _claim(network: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"flower-federation-networks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / str(network)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    _CLAIMS.append(lock)
    return True


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines of all processes that this folder's path marks, by process id; this one's ancestors are none."""
    mark = str(folder).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in command or mark in environment:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def parent_of(pid: int) -> int:
    """Id of a process's parent; 0 where the process has ended."""
    try:
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        )
    except OSError:
        return 0


def kill_processes_of(folder: Path) -> None:
    """Kill every process that this folder's path marks."""
    for pid in processes_of(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass(kw_only=True)
class Project:
    """A folder that stands for a clone, with zones, backend, engine home and passphrases of its own.

    Attributes:
        folder: the folder.
        timings: every command's time, in order.
        own_passphrases: whether each stack has a passphrase of its own, as three operators would.
        stacks: the stacks that this folder has; an organisation of its own has one.
        networks: second byte of each zone's addresses, where another folder has zones of the same federation; empty:
            free ones.
        outputs: everything that commands printed, by command.
        published: images that an operator brought into a zone, apart from any stack: zone and id.
    """

    folder: Path
    timings: list[Timing]
    own_passphrases: bool = False
    stacks: tuple[str, ...] = STACKS
    networks: Mapping[str, int] = field(default_factory=dict)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    published: list[tuple[str, int]] = field(default_factory=list)

    def prepare(self) -> Project:
        """Make the folder's content; starts nothing."""
        for name in _LINKS:
            (self.folder / name).symlink_to(REPOSITORY / name)
        (self.folder / "Pulumi.yaml").write_text((REPOSITORY / "Pulumi.yaml").read_text())
        (self.folder / "stacks").mkdir()
        networks = self.networks or dict(zip(DEMO_NETWORKS, free_networks(len(DEMO_NETWORKS)), strict=True))
        for stack in self.stacks:
            text = (REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text()
            for zone, number in DEMO_NETWORKS.items():
                text = text.replace(f"127.{number}.", f"127.<{zone}>.")
            for zone, number in networks.items():
                text = text.replace(f"127.<{zone}>.", f"127.{number}.")
            self.stack_file(stack).write_text(text)
        home = self.folder / "pulumi-home"
        home.mkdir(mode=0o700)
        # The plugins that setup installed; everything else, logs above all, is this project's own.
        (home / "plugins").symlink_to(REPOSITORY / ".venv" / "pulumi-home" / "plugins")
        self.layout.backend.mkdir(parents=True)
        for stack in self.stacks if self.own_passphrases else ():
            self._passphrase_file(stack).write_text(secrets.token_hex(16))
        return self

    def add_stack(self, stack: str, *, like: str) -> None:
        """Make another stack with the settings of one that exists."""
        assert self.own_passphrases
        # The salt belongs to the other stack's passphrase.
        self.stack_file(stack).write_text(re.sub(r"encryptionsalt: .*\n", "", self.stack_file(like).read_text()))
        self._passphrase_file(stack).write_text(secrets.token_hex(16))
        self.init_stack(stack)

    def init_stack(self, stack: str) -> None:
        """`pulumi stack init`."""
        ended = self.pulumi("stack init", stack=stack)
        assert ended.returncode == 0, ended.text

    @property
    def layout(self) -> Layout:
        """The folder's layout as the product sees it."""
        return Layout(project=self.folder)

    @property
    def zones(self) -> dict[str, EmbeddedZone]:
        """The embedded zones by name."""
        return {zone.name: zone for zone in embedded_zones(read_stack_files(self.folder), self.layout)}

    def stack_file(self, stack: str) -> Path:
        """A stack's file."""
        return self.folder / "stacks" / f"Pulumi.{stack}.yaml"

    def passphrase(self, stack: str) -> str:
        """A stack's passphrase."""
        return self._passphrase_file(stack).read_text()

    def environment(self, stack: str | None = None) -> dict[str, str]:
        """The environment of an activated clone, with nothing of whoever runs the tests."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        values = merged(clean, self.layout, offline=True)
        values |= {"PULUMI_HOME": str(self.folder / "pulumi-home"), "FEDERATION_ROOT": str(self.folder)}
        if stack is not None and self.own_passphrases:
            values["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self._passphrase_file(stack))
        return values

    def _passphrase_file(self, stack: str) -> Path:
        name = f"passphrase.{stack}" if self.own_passphrases else "passphrase"
        return self.layout.state / name

    def command(
        self, *argv: str | Path, stack: str | None = None, timeout_s: float = COMMAND_S, keep: bool = True, **extra: str
    ) -> Ended:
        """Run a command in the folder to its end, whatever that is.

        Args:
            argv: Program and arguments.
            stack: Whose passphrase is in the environment.
            timeout_s: After this many seconds it is killed.
            keep: Whether what it prints is kept for the search for secrets.
            extra: Further variables.
        """
        label = " ".join(Path(part).name if isinstance(part, Path) else part for part in argv)
        started = time.monotonic()
        done = subprocess.run(
            [str(part) for part in argv],
            cwd=self.folder,
            env={**self.environment(stack), **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        seconds = time.monotonic() - started
        self.timings.append(Timing(what=label[:90], seconds=seconds))
        ended = Ended(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr, seconds=seconds)
        if keep:
            self.outputs.append((label, ended.text))
        return ended

    def succeed(self, *argv: str | Path, stack: str | None = None, keep: bool = True) -> str:
        """Run a command that must succeed; its standard output."""
        ended = self.command(*argv, stack=stack, keep=keep)
        assert ended.returncode == 0, f"{argv} ended with {ended.returncode}:\n{ended.text}"
        return ended.stdout

    def pulumi(self, verb: str, *arguments: str, stack: str) -> Ended:
        """The plain command line, as an operator of this stack types it."""
        words = verb.split()
        program = self.layout.bin / "pulumi"
        return self.command(
            program, *words, "-s", stack, "--color", "never", "--non-interactive", *arguments, stack=stack
        )

    def up(self, stack: str) -> str:
        """`pulumi up`, which must succeed; what it printed."""
        ended = self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", stack=stack)
        assert ended.returncode == 0, f"pulumi up of {stack} ended with {ended.returncode}:\n{ended.text}"
        return ended.text

    def stack_outputs(self, stack: str) -> dict[str, Any]:
        """Outputs of a stack, secrets hidden."""
        ended = self.pulumi("stack output", "--json", stack=stack)
        assert ended.returncode == 0, ended.text
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def federation(self, *arguments: str, stack: str | None = None) -> Ended:
        """The `federation` command on this folder."""
        return self.command(self.layout.bin / "python", FEDERATION_COMMAND, str(self.folder), *arguments, stack=stack)

    def start_zones(self) -> None:
        """Data, process image and zones, as the demo makes them, but without any stack."""
        holders = [name for name, zone in self.zones.items() if zone.data_path is not None]
        python = self.layout.flower_env / "bin" / "python"
        zones_folder = self.layout.state / "zones"
        if holders:
            self.succeed(python, self.folder / "examples/breast_cancer/prepare.py", "--folder", zones_folder, *holders)
        image = self.layout.state / "images" / "flower-appliance.json"
        image.parent.mkdir()
        self.succeed(
            *(self.layout.bin / "python", "-m", "flower_appliance", "image", "process"),
            *("--output", image, "--bin", self.layout.flower_env / "bin"),
        )
        for zone in self.zones.values():
            self.succeed(*start_arguments(self.layout.bin / "zonebox", zone))

    def set_secret(self, key: str, value: str, *, stack: str) -> None:
        """`pulumi config set --secret`, the value by standard input, as an operator gives a key."""
        done = subprocess.run(
            [str(self.layout.bin / "pulumi"), "config", "set", "--secret", "-s", stack, key],
            cwd=self.folder,
            env=self.environment(stack),
            input=value,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.outputs.append((f"pulumi config set {key}", f"{done.stdout}\n{done.stderr}"))

    def set_supernodes(self, stack: str, count: int) -> None:
        """Edit the pool's size in a stack's file, as an operator does."""
        text, changed = re.subn(r"(:supernodes:) \S+", rf"\1 {count}", self.stack_file(stack).read_text())
        assert changed == 1, f"{stack}: {changed} lines say supernodes"
        self.stack_file(stack).write_text(text)

    def control_certificate(self) -> ControlCertificate:
        """The certificate of the central stack itself, and what it is for."""
        program = self.layout.bin / "pulumi"
        # Secrets are for this client only: what is kept of commands is searched for keys.
        shown = self.command(
            program, "stack", "output", "--json", "--show-secrets", "-s", CENTRAL, stack=CENTRAL, keep=False
        )
        assert shown.returncode == 0, shown.text
        return from_outputs(json.loads(shown.stdout), name=None)

    def control(self) -> ControlClient:
        """The SuperLink's Control API, with the certificate of the central stack itself."""
        certificate = self.control_certificate()
        return ControlClient(
            certificate.endpoint, certificate.ca_certificate, identity=certificate.identity, timeout_s=AT_ONCE_S
        )

    def wait_online(self, client: ControlClient, names: set[str]) -> None:
        """Wait until exactly these nodes are enrolled, and all of them online."""
        seen: dict[str, str] = {}

        def online() -> bool:
            seen.clear()
            try:
                nodes = client.list_nodes()
            except Exception as error:  # A SuperLink that restarts refuses, breaks off, or answers 502.
                seen["SuperLink"] = repr(error)
                return False
            seen.update(
                {str(node.name): node.state.value for node in nodes if node.state is not NodeState.UNREGISTERED}
            )
            return seen == dict.fromkeys(names, NodeState.ONLINE.value)

        started = time.monotonic()
        wait_until(online, timeout_s=PATIENCE_S, what=lambda: f"{sorted(names)} online, but {seen}")
        self.timings.append(Timing(what=f"{len(names)} nodes online", seconds=time.monotonic() - started))

    def train(self, *, rounds: int, nodes: int) -> Mapping[str, Any]:
        """Run the example through `federation run` and return what it reported."""
        settings = ("--config", f"num-server-rounds={rounds}", "--config", f"min-nodes={nodes}")
        ended = self.federation("run", "--json", *settings, stack=CENTRAL)
        assert ended.returncode == 0, ended.text
        result: Mapping[str, Any] = json.loads(ended.stdout)
        return result

    def close(self) -> None:
        """Stop the zones with their VMs, kill whatever is left of this folder's processes, and see that it is gone."""
        for zone in self.zones.values():
            if zone.state.is_dir():
                self.command(*stop_arguments(self.layout.bin / "zonebox", zone))
        kill_processes_of(self.folder)
        self.wait_gone()

    def wait_gone(self) -> None:
        """Wait until nothing of this folder runs."""
        wait_until(
            lambda: not processes_of(self.folder),
            timeout_s=PATIENCE_S,
            what=lambda: f"gone: {processes_of(self.folder)}",
        )
