"""The engine's command line, run so that it can be interrupted: it finishes what it is doing, and leaves no lock.

It decides nothing about stacks. Pulumi's Automation API starts the command through this class; the API's own one lets a
Ctrl-C reach the engine twice (once from the terminal) or, where only this process is signalled, not at all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandError, CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error

TAIL_LINES = 20
GRACE_S = 60.0
"""How long an interrupted engine may take: it waits for requests under way, so that its state says what exists."""


class InterruptibleCommand(PulumiCommand):
    """Runs `pulumi` in a session of its own and hands it exactly one interrupt.

    Args:
        venv: The clone's control environment: its `bin/pulumi` is run, whatever PATH says.
        environment: The whole environment of the engine, program and plugins.
        grace_s: Seconds between the interrupt and the kill.
        limit_s: After this many seconds a command is interrupted and counts as failed; None: it has its time.
        say: Prints one line.
    """

    def __init__(
        self,
        *,
        venv: Path,
        environment: Mapping[str, str],
        grace_s: float = GRACE_S,
        limit_s: float | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(root=str(venv), skip_version_check=True)
        self._environment = dict(environment)
        self._grace_s = grace_s
        self._limit_s = limit_s
        self._say = say

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Run one command to its end.

        Raises:
            CommandError: It failed.
            KeyboardInterrupt: This process was interrupted; the engine has ended by then.
            subprocess.TimeoutExpired: It was not done in its time; it has ended by then.
        """
        if "--non-interactive" not in args:
            args = ["--non-interactive", *args]
        process = subprocess.Popen(
            [self.command, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**self._environment, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        output: list[str] = []
        errors: list[str] = []
        readers = [
            threading.Thread(target=_read, args=(process.stdout, output, on_output), daemon=True),
            threading.Thread(target=_read, args=(process.stderr, errors, on_error), daemon=True),
        ]
        try:
            for reader in readers:
                reader.start()
            process.wait(self._limit_s)
        except BaseException:
            self._stop(process)
            raise
        finally:
            for reader in readers:
                if reader.ident is not None:
                    reader.join(timeout=5.0)
        result = CommandResult(stdout="\n".join(output), stderr="\n".join(errors), code=process.returncode)
        if process.returncode != 0:
            raise create_command_error(result)
        return result

    def _stop(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)
        self._say(f"interrupted: the engine ends what is under way, in {self._grace_s:.0f} s at most")
        try:
            process.wait(timeout=self._grace_s)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def said_by(error: CommandError) -> str:
    """The last lines of what a failed command said of its failure.

    Its standard output is left out: it may hold what was asked for, secrets among it.

    Args:
        error: As the Automation API raises it, with both streams in its text.
    """
    said = str(error).partition("\n stderr: ")[2].strip() or "nothing about it"
    return "\n".join(said.splitlines()[-TAIL_LINES:])


def _read(stream: IO[str], lines: list[str], callback: Callable[[str], Any] | None) -> None:
    with stream:
        for line in stream:
            text = line.rstrip()
            lines.append(text)
            if callback is not None:
                callback(text)


__all__ = ["GRACE_S", "CommandError", "InterruptibleCommand", "said_by"]
