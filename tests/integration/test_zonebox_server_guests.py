"""A zone with the process driver: guests outlive the zone's process where they should, and end where they should."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.patience import wait_for
from tests.zonebox_support import ZoneProcess, client, settings_for, start_process
from zonebox.loopback import free_address

# Writes its process id where the test finds it, then waits to be told to stop.
GUEST = """
import os, pathlib, signal
here = pathlib.Path(os.environ["VM_CONTEXT"])
(here / "seen").write_text(str(os.getpid()))
signal.pause()
"""


def _deploy(zone: ZoneProcess, folder: Path) -> Any:
    image = folder / "guest.json"
    image.write_text(json.dumps({"format": "zonebox-process/1", "command": [sys.executable, "-c", GUEST]}))
    one = client(zone)
    network = free_address().rsplit(".", 1)[0]
    one.vn.allocate(f'NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="{network}.10",SIZE="5"]', -1)
    one.image.allocate(f'NAME="i"\nPATH="{image}"', 1)
    wait_for(lambda: (int(one.vn.info(0).STATE), int(one.image.info(0).STATE)) == (1, 1), "network and image")
    context = 'CONTEXT=[TOKEN="YES",NETWORK="YES",GREETING="it\'s me"]'
    one.vm.allocate(f'NAME="g"\nCPU="0.1"\nMEMORY="64"\nDISK=[IMAGE_ID="0"]\nNIC=[NETWORK_ID="0"]\n{context}')
    _wait_running(one)
    return one


def _wait_running(one: Any) -> None:
    wait_for(lambda: (int(one.vm.info(0).STATE), int(one.vm.info(0).LCM_STATE)) == (3, 3), "the VM running")


def _pid(zone: ZoneProcess) -> int:
    seen = zone.settings.state / "vms" / "0" / "context" / "seen"
    return int(wait_for(lambda: seen.exists() and seen.read_text(), "the guest's start"))


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_guest_survives_kill_9_of_the_zone_and_is_found_again(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, driver="process")
    zone = start_process(settings)
    try:
        _deploy(zone, tmp_path)
        pid = _pid(zone)
        zone.kill()
        assert _alive(pid)
        zone = start_process(settings)
        one = client(zone)
        _wait_running(one)
        assert _pid(zone) == pid
        one.vm.action("poweroff-hard", 0)
        wait_for(lambda: not _alive(pid), "the guest's end")
        wait_for(lambda: int(one.vm.info(0).STATE) == 8, "POWEROFF")
    finally:
        if zone.process.poll() is None:
            zone.end()


def test_a_guest_that_died_while_the_zone_was_away_is_reported(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, driver="process")
    zone = start_process(settings)
    try:
        _deploy(zone, tmp_path)
        pid = _pid(zone)
        zone.end(signal.SIGHUP)
        assert _alive(pid), "SIGHUP leaves guests running"
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not _alive(pid), "the guest's end")
        zone = start_process(settings)
        one = client(zone)
        wait_for(lambda: (int(one.vm.info(0).STATE), int(one.vm.info(0).LCM_STATE)) in {(8, 0), (3, 16)}, "a report")
        one.vm.action("resume", 0)
        _wait_running(one)
    finally:
        if zone.process.poll() is None:
            zone.end()


def test_the_context_disk_has_the_variables_and_the_token(tmp_path: Path) -> None:
    zone = start_process(settings_for(tmp_path, driver="process"))
    try:
        one = _deploy(zone, tmp_path)
        folder = zone.settings.state / "vms" / "0" / "context"
        _pid(zone)
        text = (folder / "context.sh").read_text()
        assert f"ETH0_IP='{one.vm.info(0).TEMPLATE['NIC']['IP']}'" in text
        assert "GREETING='it'\\''s me'" in text
        assert (folder / "token.txt").read_text().strip()
        assert zone.end() == 0
    finally:
        if zone.process.poll() is None:
            zone.kill()
