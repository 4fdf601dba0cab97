"""A zone as a process: restarts, kill -9 at any moment, the command line, files and their modes, many VMs."""

from __future__ import annotations

import json
import random
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyone
import pytest
import requests

from tests.patience import PATIENCE_S, wait_for
from tests.zonebox_support import client, settings_for, start_process, zone_process
from zonebox.server import reply
from zonebox.settings import Settings
from zonebox.zone import Zone

NETWORK = 'NAME="net"\nVN_MAD="dummy"\nBRIDGE="br0"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="4000"]'
VM = 'NAME="v{}"\nCPU="0.01"\nMEMORY="8"\nNIC=[NETWORK_ID="0"]'


def _zonebox(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zonebox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def _running(one: Any, vm_id: int) -> bool:
    vm = one.vm.info(vm_id)
    return (int(vm.STATE), int(vm.LCM_STATE)) == (3, 3)


def test_objects_and_running_vms_survive_an_orderly_restart(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    zone = start_process(settings)
    try:
        one = client(zone)
        one.vn.allocate(NETWORK, -1)
        wait_for(lambda: int(one.vn.info(0).STATE) == 1, "the network")
        one.vm.allocate(VM.format(0))
        wait_for(lambda: _running(one, 0), "the VM")
        before = one.vm.info(0).TEMPLATE
        assert zone.end() == 0
        zone = start_process(settings)
        one = client(zone)
        after = one.vm.info(0)
        assert before == after.TEMPLATE
        assert int(after.STATE) == 8, "SIGTERM stops the zone's guests too"
        assert one.vm.allocate(VM.format(1)) == 1, "ids go on where they were"
    finally:
        zone.kill()


class Clientele:
    """Somebody who makes, changes and ends VMs without a pause, until the zone is gone.

    What was answered has happened; of the one call that was not, nobody knows.
    """

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.alive: set[int] = set()
        self.ended: set[int] = set()
        self.words: dict[int, str] = {}
        self.unsure: set[int] = set()
        """VMs that the last call, which was not answered, may have ended."""
        self.lost = 0
        """Allocations that were not answered."""
        self.answered = 0
        """Calls that were."""

    def work(self, one: Any) -> None:
        """Call until the connection breaks."""
        step = 0
        while True:
            step += 1
            kind = self.dice.choice(["make", "make", "say", "end"] if self.alive else ["make"])
            victim = self.dice.choice(sorted(self.alive)) if kind != "make" else -1
            try:
                if kind == "make":
                    self.alive.add(one.vm.allocate(VM.format(f"{self.dice.random()}")))
                elif kind == "say":
                    one.vm.update(victim, f'SAID="{step}"', 1)
                    self.words[victim] = str(step)
                else:
                    one.vm.action("terminate-hard", victim)
                    self.ended.add(victim)
                    self.alive.discard(victim)
            except pyone.OneActionException:
                pass
            except (requests.RequestException, OSError):
                self.lost += kind == "make"
                self.unsure |= {victim} - {-1} if kind == "end" else set()
                self.words.pop(victim, None)
                return
            self.answered += 1


@pytest.mark.slow
def test_nothing_that_was_answered_is_lost_when_the_zone_is_killed_at_random(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    dice = random.Random(20261124)
    clients = [Clientele(random.Random(dice.random())) for _ in range(2)]
    for round_ in range(5):
        zone = start_process(settings)
        one = client(zone)
        if round_ == 0:
            one.vn.allocate(NETWORK, -1)
            wait_for(lambda one=one: int(one.vn.info(0).STATE) == 1, "the network")
        threads = [threading.Thread(target=each.work, args=(client(zone),)) for each in clients]
        for thread in threads:
            thread.start()
        # The end comes in the middle of whatever is under way: a call, a boot, a termination.
        goal = sum(each.answered for each in clients) + dice.randint(10, 60)
        wait_for(lambda goal=goal: sum(each.answered for each in clients) >= goal, "calls that are answered")
        threads[0].join(dice.uniform(0.0, 0.01))
        zone.kill()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    zone = start_process(settings)
    try:
        one = client(zone)

        def settled() -> bool:
            return all(int(vm.LCM_STATE) == 3 for vm in one.vmpool.info(-2, -1, -1, -1).VM)

        wait_for(settled, "all VMs running")
        found = {int(vm.ID) for vm in one.vmpool.info(-2, -1, -1, -1).VM}
        alive, ended = set[int](), set[int]()
        for each in clients:
            alive |= each.alive - each.unsure
            ended |= each.ended
        assert alive <= found, "what was made is there"
        assert not ended & found, "what was ended is not"
        unsure = {number for each in clients for number in each.unsure}
        assert len(found - alive - unsure) <= sum(each.lost for each in clients), "nothing came from nowhere"
        said = {number: word for each in clients for number, word in each.words.items() if number in alive}
        assert {number: one.vm.info(number).USER_TEMPLATE["SAID"] for number in said} == said
        leases = [int(lease.VM) for ar in one.vn.info(0).AR_POOL.AR for lease in ar.LEASES.LEASE]
        assert sorted(leases) == sorted(found)
        assert alive and ended
    finally:
        zone.kill()


def test_secrets_are_readable_for_their_owner_only(tmp_path: Path) -> None:
    with zone_process(tmp_path, plain_http=False) as zone:
        state = zone.settings.state
        for name in ("one_auth", "server.key", "ca.key", "zonebox.sqlite"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600, name
        assert client(zone).system.version() == "7.0.1"


def test_up_is_safe_to_repeat_and_down_stops(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    where = ("--state", str(settings.state))
    start = ("up", "--name", "t", *where, "--address", settings.address, "--driver", "fake", "--json")
    first = _zonebox(*start)
    try:
        assert first.returncode == 0, first.stderr
        facts = json.loads(first.stdout)
        assert facts["oned"] == f"https://{settings.address}:2633/RPC2"
        assert json.loads(_zonebox(*start).stdout)["pid"] == facts["pid"]
        assert json.loads(_zonebox("status", *where, "--json").stdout)["running"] is True
    finally:
        stopped = _zonebox("down", *where)
    assert stopped.stdout == "stopped\n"
    assert _zonebox("status", *where).returncode == 1
    assert _zonebox("down", *where).stdout == "nothing was running\n"


@pytest.mark.parametrize(
    ("options", "value", "remedy"),
    [
        (("--address", "10.0.0.1", "--plain-http"), "10.0.0.1", "Leave --plain-http out"),
        (("--address", "somewhere"), "somewhere", "Pass --address"),
        (("--address", "127.0.0.1", "--name", "A B"), "A B", "Choose another --name"),
        (("--address", "127.0.0.1", "--driver", "kvm"), "kvm", "Pass one of these as --driver"),
        (("--address", "127.0.0.1", "--share", "data=/tmp"), "data=/tmp", "Correct the option"),
    ],
)
def test_a_wrong_option_is_refused_with_value_and_remedy(
    tmp_path: Path, options: tuple[str, ...], value: str, remedy: str
) -> None:
    done = _zonebox("serve", "--state", str(tmp_path / "z"), "--name", "t", *options)
    assert done.returncode == 2
    assert value in done.stderr
    assert remedy in done.stderr


def test_two_processes_do_not_share_a_state_folder(tmp_path: Path) -> None:
    with zone_process(tmp_path) as zone:
        again = ("serve", "--state", str(zone.settings.state), "--name", "t", "--address", "127.0.0.1")
        done = _zonebox(*again, "--driver", "fake")
        assert done.returncode == 2
        assert "one zone process may use a state folder at a time" in done.stderr


def test_commands_other_than_serve_load_no_zone() -> None:
    code = "import sys, zonebox.cli; print(*sorted({'aiohttp', 'asyncio', 'zonebox.zone'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout.split() == []


def test_help_teaches_with_examples() -> None:
    text = _zonebox("--help").stdout
    assert "zonebox up --name madrid" in text
    assert "one_auth" in text
    assert "--driver nspawn --onegate-host" in _zonebox("up", "--help").stdout
    assert "hotplug NAME" in _zonebox("fault", "--help").stdout


def test_a_thousand_vms_are_listed_in_one_answer(tmp_path: Path) -> None:
    settings: Settings = settings_for(tmp_path)
    zone = Zone(settings)
    root = zone.users.by_id(0)
    machine = 'DISK=[TYPE="fs",SIZE="8"]\nCONTEXT=[NETWORK="YES",TOKEN="YES",FL_ROLE="supernode"]\nREADY="YES"'
    with zone.store.transaction():
        zone.model.vnets.ready(zone.model.vnets.allocate(root, NETWORK, -1))
        for number in range(1000):
            zone.model.vms.allocate(root, f"{VM.format(number)}\n{machine}", hold=True)
    body = "".join(f"<param><value>{value}</value></param>" for value in (zone.session, *["<i4>-1</i4>"] * 4))
    request = f"<methodCall><methodName>one.vmpool.info</methodName><params>{body}</params></methodCall>".encode()
    assert reply(zone.model, zone.registry, request).count(b"&lt;/VM&gt;") == 1000
