"""A zone as a background process: started, found, stopped. One process a state folder, held by a file lock.

`zone.pid` has the process's id; the lock on `zone.lock`, not the file's existence, says that the process lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.errors import ConfigError
from zonebox.settings import Settings

_PAUSE_S = 0.01


@contextmanager
def ownership(state: Path) -> Iterator[None]:
    """Hold a state folder for this process. Raises ConfigError where another process has it, or it cannot be made."""
    make_folder(state)
    with (state / "zone.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                str(state),
                "one zone process may use a state folder at a time",
                "another one holds it, and two would overwrite each other's objects",
                "Stop it with `zonebox down --state FOLDER`, or choose another --state.",
            ) from error
        pid, ends = state / "zone.pid", state / "endpoints.json"
        # What a killed process left would say that this one answers already.
        ends.unlink(missing_ok=True)
        draft = pid.with_name("zone.pid.partial")
        draft.write_text(f"{os.getpid()}\n")
        draft.replace(pid)
        try:
            yield
        finally:
            ends.unlink(missing_ok=True)
            pid.unlink(missing_ok=True)


def make_folder(state: Path) -> None:
    """Make a zone's folder where there is none. Raises ConfigError."""
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"state folder {state}",
            "it must be a folder that this user can make and write to",
            f"making it failed: {error.strerror}",
            "Choose another --state, or correct owner and mode of the folder that is to hold it.",
        ) from error


def is_held(state: Path) -> bool:
    """Whether a process holds a state folder; it may still be starting."""
    lock = state / "zone.lock"
    if not lock.exists():
        return False
    with lock.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def running_pid(state: Path) -> int | None:
    """Id of the process that holds a state folder, or None."""
    if not is_held(state):
        return None
    try:
        return int((state / "zone.pid").read_text())
    except FileNotFoundError:
        return None


def status(state: Path) -> dict[str, object]:
    """Whether a zone runs, and where it answers."""
    pid = running_pid(state)
    facts: dict[str, object] = {"running": pid is not None, "pid": pid, "state": str(state)}
    ends = state / "endpoints.json"
    if pid is not None and ends.exists():
        facts.update(json.loads(ends.read_text()))
    return facts


def up(settings: Settings, timeout_s: float, *, verbose: bool = False) -> dict[str, object]:
    """Start a zone in the background where none runs, and wait until it answers; also one that is just being started.

    Args:
        settings: the zone.
        timeout_s: how long to wait.
        verbose: log every step to STATE/zone.log.

    Raises:
        ConfigError: it ended at once, or did not answer in time; the message has the log's last lines.
    """
    state = settings.state
    deadline = time.monotonic() + timeout_s
    process = None
    if not is_held(state):
        make_folder(state)
        (state / "endpoints.json").unlink(missing_ok=True)
        process = _spawn(settings, verbose=verbose)
    while not (state / "endpoints.json").exists():
        if process is not None and process.poll() is not None:
            raise _failed(state, f"the zone's process ended with status {process.returncode}")
        if process is None and not is_held(state):
            raise _failed(state, "the process that was starting it ended")
        if time.monotonic() > deadline:
            if process is not None:
                process.terminate()
            raise _failed(state, f"the zone did not answer within {timeout_s:g} s")
        time.sleep(_PAUSE_S)
    return status(state)


def serve_command(settings: Settings, *, verbose: bool = False) -> list[str]:
    """The command that runs a zone with these settings in the foreground; what no option names is left out."""
    command = [sys.executable, "-m", "zonebox", "serve", "--name", settings.name, "--state", str(settings.state)]
    command += ["--address", settings.address, "--driver", settings.driver]
    for guest, host in settings.shares.items():
        command += ["--share", f"{guest}={host}"]
    if settings.onegate_host:
        command += ["--onegate-host", settings.onegate_host]
    command += ["--switch", settings.switch] if settings.switch != DEFAULT_SWITCH else []
    command += ["--plain-http"] if settings.plain_http else []
    command += ["--control"] if settings.control else []
    command += ["--clock", settings.clock] if settings.clock != "system" else []
    command += ["--verbose"] if verbose else []
    return command


def _spawn(settings: Settings, *, verbose: bool) -> subprocess.Popen[bytes]:
    command = serve_command(settings, verbose=verbose)
    descriptor = os.open(settings.state / "zone.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _failed(state: Path, reason: str) -> ConfigError:
    log = state / "zone.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return ConfigError(
        f"zone in {state}",
        "it must answer after its start",
        reason,
        "Its log says: " + " / ".join(lines or ["nothing"]),
    )


def down(state: Path, timeout_s: float, *, keep_vms: bool) -> bool:
    """Stop the zone of a state folder; False where none ran.

    Raises:
        ConfigError: it did not end in time.
    """
    pid = running_pid(state)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP if keep_vms else signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while is_held(state):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"zone in {state}",
                "it must end when it is told to",
                f"process {pid} still runs after {timeout_s:g} s",
                f"Wait longer (--timeout), or end it with `kill -9 {pid}`: nothing that was stored is lost.",
            )
        time.sleep(_PAUSE_S)
    return True
