"""A wheel with its hash, installed by the real pip into the services' environment: offline, and from an https index."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flower_appliance.errors import Problem
from flower_appliance.image import process_image
from flower_appliance.install import install, pip_program
from flower_appliance.provisions import Install
from flower_appliance.requirements import Entry
from flower_appliance.supervisor import Finished
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
from tests.wheel_support import MODULE, PACKAGE, entry, wheel

pytestmark = pytest.mark.flower


def installed(wanted: Entry, folder: Path, wheelhouse: Path | None, **index: str) -> Problem | None:
    def run(argv: object, work: Path) -> Finished:
        program = pip_program(argv, work)  # type: ignore[arg-type]
        done = subprocess.run(
            program.argv, env=dict(program.environment), cwd=work, capture_output=True, text=True, check=False
        )
        return Finished(status=done.returncode, output=done.stdout + done.stderr)

    source = {"wheelhouse": "/unused", "index_url": ""} if not index else {"wheelhouse": "", **index}
    return install(
        Install(entries=(wanted,), folder="/unused", user="", **source),
        folder,
        wheelhouse=wheelhouse,
        python=FLOWER_BIN / "python",
        owner=None,
        run=run,
    )


def answer_of(folder: Path) -> str:
    """What the services' interpreter finds there."""
    return subprocess.run(
        [FLOWER_BIN / "python", "-c", f"import {MODULE}, flwr; print({MODULE}.ANSWER)"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_wheel_with_the_right_hash_is_installed_offline_and_services_can_only_read_it(tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels")
    folder = tmp_path / "requirements" / "one"
    assert installed(entry(path), folder, path.parent) is None
    assert answer_of(folder) == "42"
    assert (folder / f"{MODULE}.py").stat().st_mode & 0o777 == 0o440
    wheels = path.parent
    path.unlink()
    assert installed(entry(wheel(tmp_path / "elsewhere")), folder, wheels) is None, "it is there already"


def test_what_was_installed_for_another_image_is_installed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may lie on a volume that outlives the image."""
    path = wheel(tmp_path / "wheels")
    folder = tmp_path / "requirements" / "one"
    with monkeypatch.context() as earlier:
        # The image of then had the package itself.
        earlier.setattr("flower_appliance.install.image_packages", lambda: {PACKAGE: "1.0"})
        assert installed(entry(path), folder, path.parent) is None
        assert not (folder / f"{MODULE}.py").exists()
    assert installed(entry(path), folder, path.parent) is None
    assert answer_of(folder) == "42"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("fault", ["another hash", "not there", "for another Python"])
def test_what_is_not_exactly_the_list_is_not_installed(tmp_path: Path, fault: str) -> None:
    path = wheel(tmp_path / "wheels", tag="cp27-cp27m-win32" if fault == "for another Python" else "py3-none-any")
    wanted = entry(path)
    if fault == "another hash":
        wheel(tmp_path / "wheels", answer=13)
    elif fault == "not there":
        path.unlink()
    problem = installed(wanted, tmp_path / "requirements" / "one", path.parent)
    assert problem is not None
    expected = "DO NOT MATCH THE HASHES" if fault == "another hash" else "No matching distribution"
    assert expected in problem.given
    assert "could not be installed" in problem.given
    assert list((tmp_path / "requirements").iterdir()) == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(make_authority(start=datetime.now(UTC) - timedelta(hours=1)), tmp_path)
    yield found
    found.close()


def test_an_index_is_asked_over_https_with_its_own_ca(site: Site, tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels")
    site.files[f"/simple/{PACKAGE}/"] = f'<a href="/{path.name}">{path.name}</a>'.encode()
    site.files[f"/{path.name}"] = path.read_bytes()
    folder = tmp_path / "requirements" / "one"
    index = {"index_url": f"https://{site.address}/simple", "index_ca_pem": site.authority.pem}
    assert installed(entry(path), folder, None, **index) is None
    assert answer_of(folder) == "42"


def test_a_vm_with_a_wrong_hash_says_so_and_is_ready_with_the_right_one(site: Site, tmp_path: Path) -> None:
    with FakeOneGate() as onegate:
        onegate.names["2"] = "supernode_0_(service_3)"
        vm = Vm(tmp_path, 2, f"{free_network()}.3", onegate)
        (vm.root / "srv/data").mkdir(parents=True)
        (vm.root / "srv/data/rows.csv").write_text("1,2\n")
        path = wheel(vm.root / "srv/wheels")
        # The site stands in for the SuperLink in the check of its handshake: its certificate is the federation CA's.
        values = {**supernode_values(site.authority, site.address), "FL_WHEELHOUSE_PATH": "/srv/wheels"}
        wrong = f"{PACKAGE}==1.0 --hash=sha256:{'0' * 64}"
        vm.write_context({**values, "FL_REQUIREMENTS": b64(wrong)})
        vm.start(process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src"))
        try:
            wait_until(lambda: "DO NOT MATCH THE HASHES" in onegate.error_of(2), "FL_ERROR tells of the hash")
            assert vm.attributes().get("READY") != "YES"
            vm.write_context({**values, "FL_REQUIREMENTS": b64(entry(path).text)})
            vm.wait_for(READY="YES", FL_READY="YES")
            (folder,) = (vm.root / "var/lib/flower/requirements").iterdir()
            assert answer_of(folder) == "42"
        finally:
            vm.stop()
