"""Data that is fetched or mounted for real: an https server of this machine's, a file system in a loop device."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from flower_appliance.errors import Problem
from flower_appliance.fetch import fetch
from flower_appliance.image import process_image
from flower_appliance.provisions import Fetch, Mount, render_mount
from tests.appliance_support import (
    FLOWER_BIN,
    REPOSITORY,
    FakeOneGate,
    Vm,
    b64,
    free_network,
    make_authority,
    supernode_values,
    wait_until,
)
from tests.https_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(make_authority(start=datetime.now(UTC) - timedelta(hours=1)), tmp_path)
    yield found
    found.close()


def archive(*names: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mode = 4, 0o4777
            tar.addfile(member, io.BytesIO(b"1,2\n"))
    return raw.getvalue()


def brought(site: Site, folder: Path, path: str, checksum: str, *, ca: str | None = None) -> Problem | None:
    url = f"https://{site.address}{path}?signature=hush"
    wanted = Fetch(url=url, sha256=checksum, ca_pem=site.authority.pem if ca is None else ca, folder="/unused", user="")
    return fetch(wanted, folder, owner=None, stop=threading.Event())


def test_an_archive_is_unpacked_for_reading_only_and_fetched_once(site: Site, tmp_path: Path) -> None:
    site.files["/rows.tar.gz"] = content = archive("a/rows.csv", "b.csv")
    folder = tmp_path / "data" / "one"
    assert brought(site, folder, "/rows.tar.gz", sha256(content).hexdigest()) is None
    assert sorted(path.name for path in folder.rglob("*.csv")) == ["b.csv", "rows.csv"]
    assert {path.stat().st_mode & 0o7777 for path in folder.rglob("*.csv")} == {0o440}
    assert folder.stat().st_mode & 0o7777 == 0o750
    assert brought(site, folder, "/rows.tar.gz", sha256(content).hexdigest()) is None
    assert site.asked == ["/rows.tar.gz"]


def test_a_single_file_keeps_its_name_and_takes_the_place_of_what_was_there(site: Site, tmp_path: Path) -> None:
    site.files["/first.csv"], site.files["/second%20rows.csv"] = b"1\n", b"2\n"
    data = tmp_path / "data"
    assert brought(site, data / "one", "/first.csv", sha256(b"1\n").hexdigest()) is None
    assert brought(site, data / "two", "/second%20rows.csv", sha256(b"2\n").hexdigest()) is None
    assert [path.relative_to(data).as_posix() for path in data.rglob("*.csv")] == ["two/second rows.csv"]


@pytest.mark.parametrize("fault", ["another checksum", "cut off", "missing", "unpacks elsewhere", "another CA", "http"])
def test_what_is_not_right_leaves_nothing_behind(site: Site, tmp_path: Path, fault: str) -> None:
    content = archive("../../outside.csv") if fault == "unpacks elsewhere" else archive("rows.csv")
    site.files["/rows.tar.gz"] = content
    checksum, ca, path = sha256(content).hexdigest(), None, "/rows.tar.gz"
    match fault:
        case "another checksum":
            checksum, expected = "0" * 64, f"it must be {'0' * 64}"
        case "cut off":
            site.cut.add(path)
            expected = "could not be fetched"
        case "missing":
            path, expected = "/nothing.tar.gz", "HTTP 404"
        case "unpacks elsewhere":
            expected = "outside"
        case "another CA":
            ca, expected = make_authority().pem, "FL_DATA_CA names a CA of its own"
        case _:
            site.redirects["/moved"] = f"http://{site.address}/rows.tar.gz"
            path, expected = "/moved", "every step must be https"
    data = tmp_path / "data"
    problem = brought(site, data / "one", path, checksum, ca=ca)
    assert problem is not None
    assert expected in str(problem)
    assert "hush" not in str(problem)
    assert list(data.iterdir()) == []
    assert not (tmp_path / "outside.csv").exists()


def test_folders_above_the_data_let_the_service_user_in_whatever_the_umask_is(site: Site, tmp_path: Path) -> None:
    site.files["/rows.csv"] = b"1\n"
    before = os.umask(0o077)
    try:
        assert brought(site, tmp_path / "data" / "one", "/rows.csv", sha256(b"1\n").hexdigest()) is None
    finally:
        os.umask(before)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "data" / "one").stat().st_mode & 0o777 == 0o750


def test_an_interrupted_download_is_taken_away_by_the_next(site: Site, tmp_path: Path) -> None:
    site.files["/rows.csv"] = b"1\n"
    left = tmp_path / "data" / ".incoming" / "content" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("1,")
    assert brought(site, tmp_path / "data" / "one", "/rows.csv", sha256(b"1\n").hexdigest()) is None
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["one"]


def test_a_machine_that_is_stopping_does_not_finish_a_download(site: Site, tmp_path: Path) -> None:
    site.files["/rows.csv"] = b"1\n"
    stop = threading.Event()
    stop.set()
    url = f"https://{site.address}/rows.csv"
    wanted = Fetch(url=url, sha256=sha256(b"1\n").hexdigest(), ca_pem=site.authority.pem, folder="/unused", user="")
    problem = fetch(wanted, tmp_path / "data" / "one", owner=None, stop=stop)
    assert problem is not None and "stopping" in str(problem)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.flower
def test_a_vm_with_the_wrong_checksum_says_so_and_is_ready_when_the_right_one_comes(site: Site, tmp_path: Path) -> None:
    site.files["/rows.tar.gz"] = content = archive("rows.csv")
    checksum = sha256(content).hexdigest()
    with FakeOneGate() as onegate:
        onegate.names["2"] = "supernode_0_(service_3)"
        vm = Vm(tmp_path, 2, f"{free_network()}.3", onegate)
        values = supernode_values(site.authority, site.address)
        del values["FL_DATA_PATH"]
        values |= {"FL_DATA_URL": f"https://{site.address}/rows.tar.gz", "FL_DATA_CA": b64(site.authority.pem)}
        vm.write_context({**values, "FL_DATA_SHA256": "0" * 64})
        vm.start(process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src"))
        try:
            vm.wait_for(FL_READY="NO", FL_STATE="starting")
            wait_until(lambda: f"it must be {'0' * 64}" in onegate.error_of(2), "FL_ERROR tells of the checksum")
            assert vm.attributes().get("READY") != "YES"
            # It tries again now and then, and takes away what it got.
            wait_until(lambda: not list((vm.root / "var/lib/flower/data").iterdir()), "nothing is left of the download")
            vm.write_context({**values, "FL_DATA_SHA256": checksum})
            vm.wait_for(READY="YES", FL_READY="YES")
            wait_until(lambda: onegate.error_of(2) == "", "FL_ERROR withdrawn")
            assert [path.name for path in (vm.root / "var/lib/flower/data").rglob("*.csv")] == ["rows.csv"]
        finally:
            vm.stop()


PROBE = """
import json, pathlib, sys
from flower_appliance.checks import DataCheck
from flower_appliance.readiness import run_checks
folder = pathlib.Path(sys.argv[1])
try:
    (folder / "new").write_text("x")
    written = "written"
except OSError as error:
    written = error.strerror
(verdict,) = run_checks([DataCheck(path=str(folder), user="nobody")], has_child=lambda *_: True)
options = next(line.split()[3] for line in open("/proc/self/mounts") if line.split()[1] == str(folder))
print(json.dumps({"written": written, "problem": str(verdict.problem or ""), "options": options}))
"""


@pytest.mark.image
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("rows", [True, False])
def test_a_volume_is_mounted_with_the_options_of_its_unit_and_proven(rows: bool) -> None:
    # Not below tmp_path: the service user must be able to enter every folder above.
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        folder.chmod(0o755)
        source, disk, target = folder / "source", folder / "disk", folder / "data"
        source.mkdir()
        target.mkdir()
        if rows:
            (source / "rows.csv").write_text("1,2\n")
        subprocess.run(
            ["mkfs.ext4", "-q", "-L", "rows", "-d", source, "-m", "0", disk, "4M"], check=True, capture_output=True
        )
        text = render_mount(Mount(what="/dev/disk/by-label/rows", where="/srv/flower/data", subject="rows"))
        options = next(line for line in text.splitlines() if line.startswith("Options=")).removeprefix("Options=")
        script = 'mount -o "loop,$1" "$2" "$3" && exec "$4" -c "$5" "$3"'
        found = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", options, disk, target, sys.executable, PROBE],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        )
        seen = json.loads(found.stdout)
        assert seen["written"] == "Read-only file system"
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(seen["options"].split(","))
        assert ("is empty" in seen["problem"]) is not rows
        assert bool(seen["problem"]) is not rows
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
