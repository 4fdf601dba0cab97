"""The nspawn driver with real guests of the appliance's root file system, which end in every way that guests end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.image_support import MARKS, Appliance, Guests, Inside, appliance, eventually, guests_of, tool
from tests.patience import PATIENCE_S
from zonebox.drivers.base import GuestState
from zonebox.drivers.nspawn import NspawnDriver
from zonebox.drivers.nspawn_cgroup import groups_for
from zonebox.drivers.nspawn_network import NETNS

pytestmark = MARKS
__all__ = ["appliance"]


def make(onegate: tuple[str, int], switch: str) -> NspawnDriver:
    return NspawnDriver(onegate=onegate, switch=switch)


@asynccontextmanager
async def one_guest(folder: Path, image: Path) -> AsyncIterator[Guests]:
    """A guest whose CONTEXT says nothing of Flower: it boots, and its appliance refuses the rest."""
    async with guests_of(folder, image, make) as guests:
        await guests.start(guests.spec(1, {"SSH_PUBLIC_KEY": "ssh-ed25519 AAAAC3Nz test"}))
        await eventually(lambda: is_up(guests), "the guest's systemd is up", PATIENCE_S)
        yield guests


def is_up(guests: Guests) -> bool:
    try:
        return Inside(guests, 1).run("systemctl", "is-system-running", check=False) in ("running", "degraded")
    except IndexError:
        return False  # systemd-nspawn has not started it yet


def leftovers(guests: Guests) -> list[str]:
    """What a guest has outside of its folder, and mounts below it: links and firewall rules in the switch, too."""
    name = f"{guests.switch}-lab-1"
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(guests.folder) in line]
    groups = [str(group) for group in groups_for(name) if group.exists()]
    processes = subprocess.run(["pgrep", "--full", f"machine={name}"], capture_output=True, text=True, check=False)
    inside = ("ip", "netns", "exec", guests.switch)
    rules = tool(*inside, "nft", "list", "ruleset")
    links = tool(*inside, "ip", "-o", "link", "show", "type", "veth")
    found = [*mounts, *groups, *processes.stdout.split(), *(str(path) for path in NETNS.glob(name)), rules, links]
    return [thing for thing in found if thing]


async def test_a_guest_is_told_its_network_name_and_keys_by_its_context(tmp_path: Path, appliance: Appliance) -> None:
    async with one_guest(tmp_path, appliance.document(tmp_path)) as guests:
        inside = Inside(guests, 1)
        assert inside.run("hostname") == "vm1"
        assert inside.run("ls", "/sys/class/net").split() == ["eth0", "lo"]
        assert "inet 10.10.1.11/24" in inside.run("ip", "address", "show", "eth0")
        assert inside.run("ip", "route", "show", "default").startswith("default via 10.10.1.1")
        await eventually(
            lambda: "AAAAC3Nz" in inside.run("cat", "/root/.ssh/authorized_keys"),
            "SSH_PUBLIC_KEY is root's",
            PATIENCE_S,
        )
        assert inside.run("cat", "/etc/machine-id") == guests.specs[1].uuid.replace("-", "")
        assert inside.run("systemctl", "list-units", "--failed", "--no-legend", "--plain") == ""


async def test_shutting_down_lets_the_guest_stop_its_services_and_leaves_nothing(
    tmp_path: Path, appliance: Appliance
) -> None:
    async with one_guest(tmp_path, appliance.document(tmp_path)) as guests:
        Inside(guests, 1).run("sh", "-c", "echo kept > /root/note")
        await guests.driver.stop(1, hard=False)
        assert leftovers(guests) == []
        assert guests.ended == []
        await guests.start(guests.specs[1])
        await eventually(lambda: is_up(guests), "the guest boots again", PATIENCE_S)
        assert Inside(guests, 1).run("cat", "/root/note") == "kept"
        assert not (appliance.root / "root/note").exists()


async def test_a_guest_that_powers_itself_off_or_is_killed_is_reported_and_cleaned_up(
    tmp_path: Path, appliance: Appliance
) -> None:
    async with one_guest(tmp_path, appliance.document(tmp_path)) as guests:
        Inside(guests, 1).run("systemctl", "poweroff", check=False)
        await eventually(lambda: guests.ended == [1], "on_exit is called", PATIENCE_S)
        assert leftovers(guests) == []
        await guests.start(guests.specs[1])
        record = json.loads((guests.specs[1].folder / "guest.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        await eventually(lambda: guests.ended == [1, 1], "on_exit is called again", PATIENCE_S)
        assert leftovers(guests) == []


async def test_guests_outlive_the_zone_process_and_are_found_again(tmp_path: Path, appliance: Appliance) -> None:
    async with one_guest(tmp_path, appliance.document(tmp_path)) as guests:
        pid = Inside(guests, 1).pid_of("flower-appliance.service")
        await guests.driver.close()
        port = int(guests.onegate.url.rpartition(":")[2])
        guests.driver = make(("127.0.0.1", port), guests.switch)
        assert await guests.driver.reattach(guests.specs[1], guests.ended.append) is GuestState.RUNNING
        assert Inside(guests, 1).run("systemctl", "is-active", "dbus") == "active"
        assert pid
        await guests.driver.stop(1, hard=True)
        assert leftovers(guests) == []
        assert await guests.driver.reattach(guests.specs[1], guests.ended.append) is GuestState.LOST


async def test_a_guest_that_died_with_the_zone_process_leaves_nothing_once_it_is_looked_for(
    tmp_path: Path, appliance: Appliance
) -> None:
    async with one_guest(tmp_path, appliance.document(tmp_path)) as guests:
        await guests.driver.close()
        record = json.loads((guests.specs[1].folder / "guest.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, record["pid"], 0)
        assert leftovers(guests) != []
        guests.driver = make(("127.0.0.1", 1), guests.switch)
        assert await guests.driver.reattach(guests.specs[1], guests.ended.append) is GuestState.STOPPED
        assert leftovers(guests) == []


async def test_the_qcow2_itself_is_an_image_and_is_not_changed(tmp_path: Path, appliance: Appliance) -> None:
    image = appliance.image
    before = image.stat().st_mtime_ns
    async with one_guest(tmp_path, image) as guests:
        assert "13" in Inside(guests, 1).run("cat", "/etc/debian_version")
        await guests.driver.stop(1, hard=True)
        assert leftovers(guests) == []
    assert image.stat().st_mtime_ns == before
