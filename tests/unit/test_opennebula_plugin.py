"""The plugin's process: what it does when the engine that started it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.patience import PATIENCE_S, wait_for

STARTER = """
import subprocess, sys
plugin = subprocess.Popen(
    [sys.executable, "-m", "pulumi_opennebula.provider.plugin", "127.0.0.1:9"],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
)
port = plugin.stdout.readline()
print(plugin.pid, int(port), flush=True)
"""


def test_a_plugin_whose_engine_is_gone_ends_by_itself() -> None:
    started = subprocess.run(
        [sys.executable, "-c", STARTER], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    pid, port = map(int, started.stdout.split())
    assert port > 0
    try:
        wait_for(lambda: not runs(pid), "the plugin to end")
    finally:
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether it is the plugin's process still; of one that ended but is not reaped the command line is empty."""
    with suppress(OSError):
        return b"pulumi_opennebula" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
