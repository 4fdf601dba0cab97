"""How data gets into a SuperNode: what CONTEXT may say, what the plan makes of it, and when it is tried."""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flower_appliance.appliance import Appliance
from flower_appliance.checks import DataCheck
from flower_appliance.context import SuperNodeContext, read_context
from flower_appliance.data import Present
from flower_appliance.errors import ContextError
from flower_appliance.guest import Guest
from flower_appliance.machine import Machine
from flower_appliance.onegate import OneGate, OneGateAccess
from flower_appliance.places import is_mounted
from flower_appliance.plan import plan
from flower_appliance.planned import Plan, describe, systemd_files
from flower_appliance.provisioning import FIRST_PAUSE_S, LONGEST_PAUSE_S, Provisioning
from flower_appliance.provisions import Fetch, Mount, escape_path
from flower_appliance.shellvars import render_assignments
from flower_appliance.supervisor import Listener, Supervisor
from flower_appliance.systemd import Systemd
from tests.appliance_support import NOW, TOKEN, FakeOneGate, b64, make_authority, supernode_values, wait_until
from tests.patience import PATIENCE_S

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
AUTHORITY = make_authority()
BASE = {name: value for name, value in supernode_values(AUTHORITY).items() if not name.startswith("FL_DATA_")}
MACHINE = Machine(
    root=Path("/"),
    loopback="127.0.0.1",
    address="10.0.0.5",
    bin_dir=Path("/opt/flower/bin"),
    vm_name="supernode_2_(service_15)",
    service_user="flower",
)
SHA256 = "ab" * 32
URL = "https://data.example/rows.tar.gz?signature=hush"


def planned(**data: str) -> Plan:
    return plan(read_context({**BASE, **{f"FL_DATA_{name}": value for name, value in data.items()}}, now=NOW), MACHINE)


def refusals(**data: str) -> str:
    with pytest.raises(ContextError) as refused:
        planned(**data)
    return str(refused.value)


def units(made: Plan) -> dict[str, str]:
    return {file.path.rpartition("/")[2]: file.content for file in systemd_files(made)}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"PATH": "/srv/data"}, "/srv/data"),
        ({"DEMO": "YES"}, "/usr/share/flower/demo"),
        ({"DEMO": "NO", "PATH": "/srv/data"}, "/srv/data"),
        ({"VOLUME": "hospital-rows"}, "/srv/flower/data"),
        ({"VOLUME": "rows", "PATH": "/mnt/rows/"}, "/mnt/rows"),
        ({"NFS": "files.example:/export/rows"}, "/srv/flower/data"),
        ({"URL": URL, "SHA256": SHA256.upper()}, "/var/lib/flower/data/abababababababab"),
    ],
)
def test_whichever_way_the_service_gets_one_folder_that_it_only_reads_and_that_is_proven(
    given: dict[str, str], path: str
) -> None:
    made = planned(**given)
    (unit,) = made.units
    assert unit.reads_only == (path,)
    assert f"data-path='{path}'" in " ".join(unit.argv)
    assert [check for check in made.checks if isinstance(check, DataCheck)] == [DataCheck(path=path, user="flower")]
    assert f"ReadOnlyPaths=-{path}\n" in units(made)["flower-supernode.service"]


def test_a_volume_is_mounted_by_its_label_read_only_and_nothing_in_it_runs() -> None:
    made = planned(VOLUME="hospital-rows")
    text = units(made)["srv-flower-data.mount"]
    assert "What=/dev/disk/by-label/hospital-rows\n" in text
    assert "Where=/srv/flower/data\n" in text
    assert "Options=ro,nosuid,nodev,noexec\n" in text
    assert "Type=" not in text


def test_an_nfs_export_is_mounted_read_only_with_nfs_4_once_the_network_is_there() -> None:
    text = units(planned(NFS="files.example:/export/rows"))["srv-flower-data.mount"]
    assert "What=files.example:/export/rows\n" in text
    assert "Type=nfs\n" in text
    assert "Options=ro,nosuid,nodev,noexec,nfsvers=4.1,soft," in text
    assert "After=network-online.target\n" in text


def test_data_that_is_there_needs_nothing_and_a_download_no_mount() -> None:
    assert planned(PATH="/srv/data").provisions == planned(DEMO="YES").provisions == ()
    (fetch,) = planned(URL=URL, SHA256=SHA256).provisions
    assert isinstance(fetch, Fetch)
    assert (fetch.url, fetch.sha256, fetch.user) == (URL, SHA256, "flower")
    assert not [name for name in units(planned(URL=URL, SHA256=SHA256)) if name.endswith(".mount")]


def test_the_signature_of_a_url_is_in_no_description_and_no_refusal() -> None:
    assert "hush" not in str(describe(planned(URL=URL, SHA256=SHA256)))
    assert "hush" not in refusals(URL=URL.replace("https", "ftp"), SHA256=SHA256)


@pytest.mark.parametrize(
    ("given", "fragments"),
    [
        ({}, ["FL_DATA_PATH is absent", "must be given"]),
        ({"DEMO": "YES", "VOLUME": "rows"}, ["FL_DATA_VOLUME is 'rows'", "excludes FL_DATA_DEMO", "Remove one"]),
        ({"DEMO": "MAYBE"}, ["FL_DATA_DEMO is 'MAYBE'", "must be YES"]),
        ({"DEMO": "YES", "PATH": "/srv/x"}, ["FL_DATA_PATH is '/srv/x'", "Remove FL_DATA_PATH"]),
        ({"VOLUME": "a/b"}, ["FL_DATA_VOLUME is 'a/b'", "label of a file system", "e2label"]),
        ({"VOLUME": "CONTEXT"}, ["OpenNebula's own disk"]),
        ({"VOLUME": "rows", "PATH": "/etc"}, ["FL_DATA_PATH is '/etc'", "hide a part of the system"]),
        ({"NFS": "files.example"}, ["FL_DATA_NFS is 'files.example'", "HOST:/EXPORT"]),
        ({"NFS": "files.example:/a/../b"}, ["HOST:/EXPORT"]),
        ({"URL": "http://data.example/x", "SHA256": SHA256}, ["must be an https URL"]),
        ({"URL": "https://me:pw@data.example/x", "SHA256": SHA256}, ["without a user name", "not shown"]),
        ({"URL": URL}, ["FL_DATA_SHA256 is absent", "must be given"]),
        ({"URL": URL, "SHA256": "12"}, ["FL_DATA_SHA256 is '12'", "64 hex digits", "sha256sum"]),
        ({"URL": URL, "SHA256": SHA256, "CA": b64("no pem")}, ["FL_DATA_CA", "CA certificates"]),
        ({"PATH": "/srv/data", "SHA256": SHA256}, ["FL_DATA_SHA256", "belongs to FL_DATA_URL"]),
        ({"S3": "s3://bucket"}, ["FL_DATA_S3 is 's3://bucket'", "train on nothing", "Correct or remove FL_DATA_S3"]),
    ],
)
def test_a_way_that_cannot_be_taken_is_refused_with_value_and_remedy(
    given: dict[str, str], fragments: list[str]
) -> None:
    text = refusals(**given)
    assert [fragment for fragment in fragments if fragment not in text] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        # `systemd-escape --path` of systemd 257 says the same.
        ("/srv/flower/data", "srv-flower-data"),
        ("/srv/flower-data/.x", r"srv-flower\x2ddata-.x"),
        ("/mnt/rows of 2026", r"mnt-rows\x20of\x202026"),
        ("/.hidden", r"\x2ehidden"),
    ],
)
def test_a_mounts_unit_has_the_name_that_systemd_wants(path: str, name: str) -> None:
    assert escape_path(path) == name


def ignored(*_: object) -> None:
    """Nobody listens."""


NOBODY = Listener(on_start=ignored, on_line=ignored, on_exit=ignored)


def made(kind: type[Supervisor], folder: Path) -> Supervisor:
    return kind(logs=folder, base_environment={}, listener=NOBODY)


MOUNT = Mount(what="/dev/disk/by-label/rows", where="/srv/flower/data", subject="the volume with the label rows")


async def test_a_failed_provision_is_tried_again_after_pauses_that_grow(tmp_path: Path) -> None:
    now, asked = [0.0], []

    class Mounts(Supervisor):
        async def mount(self, name: str) -> str:
            asked.append(now[0])
            return "no such device" if now[0] < 100 else ""

    provisioning = Provisioning(services=made(Mounts, tmp_path), clock=lambda: now[0])
    while not provisioning.is_done((MOUNT,)):
        problem = await provisioning.bring((MOUNT,), MACHINE)
        assert problem is None or "no such device" in problem.given
        now[0] += 1.0
    assert asked == [0.0, 5.0, 15.0, 35.0, 75.0, 155.0]
    assert await provisioning.bring((MOUNT,), MACHINE) is None
    assert len(asked) == 6
    assert FIRST_PAUSE_S < LONGEST_PAUSE_S


async def test_another_context_is_tried_at_once(tmp_path: Path) -> None:
    asked = []

    class Mounts(Supervisor):
        async def mount(self, name: str) -> str:
            asked.append(name)
            return "no"

    provisioning = Provisioning(services=made(Mounts, tmp_path), clock=lambda: 0.0)
    await provisioning.bring((MOUNT,), MACHINE)
    await provisioning.bring((MOUNT,), MACHINE)
    await provisioning.bring((replace(MOUNT, where="/mnt/rows"),), MACHINE)
    assert asked == ["srv-flower-data.mount", "mnt-rows.mount"]


class FakeSystemctl:
    """systemctl as far as mounts need it."""

    def __init__(self, state: str, *, stale: bool = False, error: str = "") -> None:
        self.facts = f"ActiveState={state}\nNeedDaemonReload={'yes' if stale else 'no'}\n"
        self.error = error
        self.calls: list[str] = []

    def __call__(self, argv: Sequence[str]) -> str:
        if argv[1] == "show":
            return self.facts
        self.calls.append(" ".join(argv[1:]))
        if self.error and argv[1] == "restart":
            raise subprocess.CalledProcessError(1, list(argv), stderr=self.error)
        return ""


@pytest.mark.parametrize(
    ("systemctl", "calls", "answer"),
    [
        (FakeSystemctl("active"), [], ""),
        (FakeSystemctl("inactive"), ["daemon-reload", "restart srv-flower-data.mount"], ""),
        (FakeSystemctl("active", stale=True), ["daemon-reload", "restart srv-flower-data.mount"], ""),
        (FakeSystemctl("failed", error="timed out"), ["daemon-reload", "restart srv-flower-data.mount"], "timed out"),
    ],
    ids=["mounted", "not mounted", "changed", "fails"],
)
async def test_systemd_mounts_what_is_not_mounted_as_its_file_says(
    tmp_path: Path, systemctl: FakeSystemctl, calls: list[str], answer: str
) -> None:
    systemd = Systemd(logs=tmp_path, listener=NOBODY, root=tmp_path, run=systemctl)
    assert await asyncio.wait_for(systemd.mount("srv-flower-data.mount"), PATIENCE_S) == answer
    assert systemctl.calls == calls


def test_with_a_volume_for_the_state_key_and_database_lie_on_it_and_it_is_mounted_for_writing() -> None:
    made = plan(
        read_context({**BASE, "FL_DATA_PATH": "/srv/data", "FL_STATE_VOLUME": "flower-state"}, now=NOW), MACHINE
    )
    keys = units(made)["etc-flower-certs.mount"]
    assert made.node_key.startswith("/etc/flower/certs/")
    assert "What=/var/lib/flower/certs\nWhere=/etc/flower/certs\nType=none\nOptions=bind,nosuid,nodev\n" in keys
    assert [mount.unit for mount in made.state] == ["var-lib-flower.mount", "etc-flower-certs.mount"]
    text = units(made)["var-lib-flower.mount"]
    assert "What=/dev/disk/by-label/flower-state\n" in text
    assert "Options=nosuid,nodev\n" in text
    assert made.provisions == ()
    assert planned(PATH="/srv/data").state == ()
    assert "FL_STATE_VOLUME is 'CONTEXT'" in refusals_of(FL_STATE_VOLUME="CONTEXT")


def refusals_of(**values: str) -> str:
    with pytest.raises(ContextError) as refused:
        read_context({**BASE, "FL_DATA_PATH": "/srv/data", **values}, now=NOW)
    return str(refused.value)


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        ([], False),
        (["36 25 8:1 /var/lib/flower /var/lib/flower rw shared:1 - ext4 /dev/vda3 rw"], False),
        (["36 25 8:17 / /var/lib/flower rw shared:1 - ext4 /dev/vdb rw"], True),
        (
            [
                "36 25 8:17 / /var/lib/flower rw shared:1 - ext4 /dev/vdb rw",
                "40 36 8:1 /var/lib/flower /var/lib/flower rw - ext4 /dev/vda3 rw",
            ],
            False,
        ),
        (["36 25 8:17 /flower /var/lib/flower rw shared:1 - ext4 /dev/vdb rw"], True),
        (["36 25 8:17 / /var/lib/flower/x rw shared:1 - ext4 /dev/vdb rw"], False),
    ],
)
def test_a_folder_that_is_bound_onto_itself_is_no_volume(tmp_path: Path, lines: list[str], own: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("".join(f"{line}\n" for line in ["20 1 8:1 / / rw - ext4 /dev/vda3 rw", *lines]))
    assert is_mounted(Path("/var/lib/flower"), mounts) is own


@pytest.fixture
def init() -> Iterator[None]:
    """This process is a machine's init during a test, and no longer: orphans of other tests are not its children."""
    yield
    assert ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


async def test_without_its_volume_a_machine_writes_no_key_and_says_why(tmp_path: Path, init: None) -> None:
    context = tmp_path / "context"
    context.mkdir()
    # It reads the machine's own clock.
    authority = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    values = {**supernode_values(authority), "FL_STATE_VOLUME": "flower-state"}
    (context / "context.sh").write_text(render_assignments(values))
    guest = Guest(
        vm_mark="x", root=tmp_path / "root", context_folder=context, address="10.0.0.5", bin_dir=Path("/opt/flower/bin")
    )
    with FakeOneGate() as onegate:
        onegate.names["7"] = "supernode_0_(service_3)"
        access = OneGateAccess(endpoint=onegate.url, vm_id="7", token=TOKEN, ca_file=None)
        appliance = Appliance(guest, onegate=OneGate(access))
        running = asyncio.create_task(appliance.run())
        wanted = "flower-state could not be mounted"
        await asyncio.to_thread(wait_until, lambda: wanted in onegate.error_of(7), wanted)
        assert not running.done()
        appliance.ask_to_stop()
        await asyncio.wait_for(running, PATIENCE_S)
        assert "READY" not in onegate.of(7)
    assert not (tmp_path / "root/var/lib/flower/node.key").exists()


def test_the_context_of_a_present_folder_is_what_it_was() -> None:
    context = read_context({**BASE, "FL_DATA_PATH": "/srv/data"}, now=NOW)
    assert isinstance(context, SuperNodeContext)
    assert context.data.path == "/srv/data"
    assert isinstance(context.data.way, Present)
