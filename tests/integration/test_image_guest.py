"""A SuperLink and a SuperNode of the built image under real systemd: READY, hardened, and restarted only where needed.

One pair of guests serves the module's reading tests; it boots once, in the first test's fixture.
"""

from __future__ import annotations

import base64
import json
import re
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from flower_appliance.data import MOUNT_PATH
from flower_federation.imaging.checksums import verify
from flower_federation.imaging.figures import CPU_LIMIT_BYTES
from flower_federation.imaging.oneapps import folder
from pulumi_flower.control import ControlClient
from pulumi_flower.errors import RefusedError
from tests.appliance_support import b64
from tests.emulated_support import volume as labelled
from tests.image_support import MARKS, Appliance, Guests, Inside, appliance, eventually, guests_of, record, tool
from tests.oneapps_support import APPLIANCE, PROJECT
from tests.patience import PATIENCE_S
from tests.wheel_support import MODULE, entry, wheel
from zonebox.drivers.base import DiskSpec
from zonebox.drivers.nspawn import NspawnDriver

pytestmark = MARKS
in_module = pytest.mark.asyncio(loop_scope="module")
"""For tests of guests that the whole module shares."""
__all__ = ["appliance"]

MOST_EXPOSURE = 4.0
STAGES = {
    "service": "/etc/one-appliance/service",
    "appliance.sh": "/etc/one-appliance/service.d/appliance.sh",
    "facts.sh": "/etc/one-appliance/service.d/facts.sh",
    "help.txt": "/etc/one-appliance/service.d/help.txt",
    "net-90-service-appliance": "/etc/one-context.d/net-90-service-appliance",
}
"""Files of the marketplace's folder, and where its recipe puts them."""
DATA = "/srv/data"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guests(tmp_path_factory: pytest.TempPathFactory, appliance: Appliance) -> AsyncIterator[Guests]:
    """VM 1, a SuperLink, and VM 2, a SuperNode with data that waits for its enrolment."""
    folder = tmp_path_factory.mktemp("guests")
    data = folder / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    image = appliance.document(folder)
    async with guests_of(folder, image, lambda gate, switch: NspawnDriver(onegate=gate, switch=switch)) as made:
        started = time.monotonic()
        await made.start(made.spec(1, made.superlink(), name="superlink_0_(service_1)"))
        await made.start(made.spec(2, made.supernode(), shares={DATA: data}))
        await made.eventually(1, PATIENCE_S, READY="YES", FL_STATE="online")
        record("nspawn", "superlink", time.monotonic() - started)
        await made.eventually(2, PATIENCE_S, READY="YES", FL_STATE="waiting")
        record("nspawn", "supernode", time.monotonic() - started)
        yield made


async def enrolled(guests: Guests, vm_id: int) -> None:
    """Register the node's key, as an administrator does, and wait until it is online."""
    if guests.onegate.of(vm_id).get("FL_STATE") != "online":
        await guests.register(vm_id)
    await guests.eventually(vm_id, PATIENCE_S, FL_STATE="online")


@in_module
async def test_a_node_is_online_once_it_is_enrolled_and_knows_its_id(guests: Guests) -> None:
    await enrolled(guests, 2)
    assert guests.onegate.of(2)["FL_NODE_ID"].isdigit()
    assert guests.onegate.of(1)["FL_ENDPOINT"] == "10.10.1.11:9092"


@in_module
async def test_every_unit_of_ours_is_hardened(guests: Guests) -> None:
    await enrolled(guests, 2)
    exposures: dict[str, float] = {}
    for vm_id in (1, 2):
        found = Inside(guests, vm_id).run("systemd-analyze", "security", "--no-pager", "--json=short")
        exposures |= {row["unit"]: float(row["exposure"]) for row in json.loads(found) if "flower" in row["unit"]}
    assert {"flower-appliance.service", "flower-superlink.service", "flower-gateway.service"} < set(exposures)
    assert "flower-supernode.service" in exposures
    assert {unit: score for unit, score in exposures.items() if score > MOST_EXPOSURE} == {}


@in_module
async def test_services_are_not_root_and_keys_are_their_owners_alone(guests: Guests) -> None:
    await enrolled(guests, 2)
    keys = {
        1: ("flower-superlink.service", "/etc/flower/certs/server.key"),
        2: ("flower-supernode.service", "/etc/flower/certs/node.key"),
    }
    for vm_id, (unit, key) in keys.items():
        inside = Inside(guests, vm_id)
        assert inside.run("stat", "--format=%U", f"/proc/{inside.pid_of(unit)}") == "flower"
        assert inside.run("stat", "--format=%U %a", key) == "flower 600"


@in_module
async def test_a_service_cannot_read_the_context_with_its_token(guests: Guests) -> None:
    inside = Inside(guests, 1)
    refused = "setpriv --reuid flower --regid flower --clear-groups cat /context/token.txt /context/context.sh || true"
    assert inside.run("sh", "-c", refused) == ""


@in_module
async def test_the_data_is_there_for_reading_only(guests: Guests) -> None:
    await enrolled(guests, 2)
    inside = Inside(guests, 2)
    unit = inside.pid_of("flower-supernode.service")
    mounts = inside.run("sh", "-c", f"grep ' {DATA} ' /proc/{unit}/mounts")
    assert re.search(rf" {DATA} \S+ ro[, ]", mounts)


@in_module
async def test_a_new_context_reloads_the_gateway_and_restarts_nothing(guests: Guests) -> None:
    inside = Inside(guests, 1)
    before = {unit: inside.pid_of(f"flower-{unit}.service") for unit in ("superlink", "gateway", "appliance")}
    with pytest.raises(RefusedError, match="network"):
        await guests.control(ControlClient.list_nodes, inside=2)

    await guests.renew(1, FL_ADMIN_NETWORKS="10.10.1.1/32 10.10.1.12/32")

    async def is_let_in() -> bool:
        try:
            await guests.control(ControlClient.list_nodes, inside=2)
        except RefusedError:
            return False
        return True

    await eventually(is_let_in, "the gateway lets VM 2 in", PATIENCE_S)
    await guests.eventually(1, PATIENCE_S, READY="YES", FL_STATE="online")
    assert before == {unit: inside.pid_of(f"flower-{unit}.service") for unit in before}


@in_module
async def test_a_restart_of_the_appliance_interrupts_no_service_and_knows_the_node_again(guests: Guests) -> None:
    await enrolled(guests, 2)
    inside = Inside(guests, 2)
    node, own = inside.pid_of("flower-supernode.service"), inside.pid_of("flower-appliance.service")
    node_id = guests.onegate.of(2)["FL_NODE_ID"]
    inside.run("systemctl", "restart", "flower-appliance.service")
    await eventually(
        lambda: inside.pid_of("flower-appliance.service") not in ("0", own), "the appliance is new", PATIENCE_S
    )
    await guests.eventually(2, PATIENCE_S, READY="YES", FL_STATE="online", FL_NODE_ID=node_id)
    assert inside.pid_of("flower-supernode.service") == node
    logged = inside.run("cat", "/var/log/flower/flower-supernode.log")
    assert logged.count(f"SuperNode ID: {node_id}") == 1


@in_module
async def test_the_stages_of_the_marketplaces_image_start_and_reload_the_appliance(guests: Guests) -> None:
    """/etc/one-appliance/service beside systemd, with the files that the marketplace's recipe brings."""
    inside = Inside(guests, 1)
    content = folder.files(PROJECT)
    for name, place in STAGES.items():
        raw = base64.b64encode(content[f"{APPLIANCE}/{name}"].content).decode()
        inside.run("sh", "-c", f"install -D -m 0755 /dev/null {place} && echo {raw} | base64 -d >{place}")
    assert inside.run("/etc/one-appliance/service", "configure").startswith("superlink of federation")

    superlink = inside.pid_of("flower-superlink.service")
    inside.run("systemctl", "stop", "flower-appliance.service")
    hook = "/etc/one-context.d/net-90-service-appliance"
    inside.run(hook)
    await eventually(lambda: inside.pid_of("flower-appliance.service") != "0", "the appliance runs again", PATIENCE_S)
    await guests.eventually(1, PATIENCE_S, READY="YES", FL_STATE="online")

    own = inside.pid_of("flower-appliance.service")
    inside.run(hook)
    reloads = ("journalctl", "--no-pager", "--unit=flower-appliance.service", "--grep=^Reloaded")
    await eventually(lambda: inside.run(*reloads, check=False) != "", "systemd reloads the appliance", PATIENCE_S)
    assert (own, superlink) == tuple(inside.pid_of(f"flower-{unit}.service") for unit in ("appliance", "superlink"))
    assert inside.run("cat", "/etc/one-appliance/status") == "bootstrap_started"


@in_module
async def test_a_killed_service_comes_back_by_itself(guests: Guests) -> None:
    await enrolled(guests, 2)
    inside = Inside(guests, 2)
    before = inside.pid_of("flower-supernode.service")
    inside.run("kill", "-KILL", before)
    await eventually(
        lambda: inside.pid_of("flower-supernode.service") not in ("0", before), "systemd starts it again", PATIENCE_S
    )


@in_module
async def test_an_empty_data_folder_is_an_error_and_not_ready(guests: Guests) -> None:
    empty = guests.folder / "empty"
    empty.mkdir()
    await guests.start(guests.spec(3, guests.supernode(), shares={DATA: empty}))
    await eventually(lambda: "is empty" in guests.onegate.error_of(3), "FL_ERROR tells of the empty folder", PATIENCE_S)
    assert guests.onegate.of(3).get("READY") != "YES"
    await guests.driver.stop(3, hard=True)


@in_module
async def test_another_flower_version_than_the_baked_one_is_refused(guests: Guests) -> None:
    await guests.start(guests.spec(4, guests.supernode(FL_FLOWER_VERSION="1.40.0")))
    await eventually(lambda: "1.40.0" in guests.onegate.error_of(4), "FL_ERROR names the version", PATIENCE_S)
    assert "Use an image with Flower 1.40.0" in guests.onegate.error_of(4)
    assert Inside(guests, 4).pid_of("flower-supernode.service") == "0"
    await guests.driver.stop(4, hard=True)


@in_module
async def test_the_demo_set_is_in_the_image_and_a_volume_that_is_not_attached_is_an_error(guests: Guests) -> None:
    demo, volume = (
        {name: value for name, value in guests.supernode(**way).items() if name != "FL_DATA_PATH"}
        for way in ({"FL_DATA_DEMO": "YES"}, {"FL_DATA_VOLUME": "rows"})
    )
    await guests.start(guests.spec(5, demo))
    await guests.start(guests.spec(6, volume))
    await guests.eventually(5, PATIENCE_S, READY="YES", FL_STATE="waiting")
    inside = Inside(guests, 5)
    as_service = "setpriv --reuid flower --regid flower --clear-groups wc -l /usr/share/flower/demo/breast_cancer.csv"
    assert inside.run("sh", "-c", as_service).split()[0] == "570"
    refused = "setpriv --reuid flower --regid flower --clear-groups touch /usr/share/flower/demo/x 2>&1 || true"
    assert "Permission denied" in inside.run("sh", "-c", refused)

    async def is_told() -> bool:
        return "could not be mounted at /srv/flower/data" in guests.error_of(6)

    await eventually(is_told, "VM 6 says that its volume is not there", PATIENCE_S)
    assert guests.onegate.of(6).get("READY") != "YES"
    options = Inside(guests, 6).run("systemctl", "show", "--property=Options", "srv-flower-data.mount")
    assert options.strip() == "Options=ro,nosuid,nodev,noexec"
    for vm_id in (5, 6):
        await guests.driver.stop(vm_id, hard=True)


@in_module
async def test_a_zones_packages_are_installed_and_a_gpu_that_is_not_there_is_an_error(guests: Guests) -> None:
    path = wheel(guests.folder / "wheels")
    data = guests.folder / "data"
    packages = {"FL_REQUIREMENTS": b64(entry(path).text), "FL_WHEELHOUSE_PATH": "/srv/wheels"}
    await guests.start(guests.spec(7, guests.supernode(**packages), shares={DATA: data, "/srv/wheels": path.parent}))
    await guests.start(guests.spec(8, guests.supernode(FL_GPU="YES"), shares={DATA: data}))
    await guests.eventually(7, PATIENCE_S, READY="YES", FL_STATE="waiting")
    inside = Inside(guests, 7)
    found = inside.run("sh", "-c", f"stat --format='%U %G %a' /var/lib/flower/requirements/*/{MODULE}.py")
    assert found.split() == ["root", "flower", "440"]
    unit = inside.run("systemctl", "show", "--property=Environment", "flower-supernode.service")
    assert "PYTHONPATH=/var/lib/flower/requirements/" in unit
    as_service = (
        "setpriv --reuid flower --regid flower --clear-groups env PYTHONPATH=$(echo /var/lib/flower/requirements/*)"
    )
    answer = inside.run("sh", "-c", f"{as_service} /opt/flower/bin/python -c 'import {MODULE}; print({MODULE}.ANSWER)'")
    assert answer.strip() == "42"

    async def is_told() -> bool:
        return "libcuda.so.1 cannot be loaded" in guests.error_of(8)

    await eventually(is_told, "VM 8 says that it has no GPU", PATIENCE_S)
    assert guests.onegate.of(8).get("READY") != "YES"
    for vm_id in (7, 8):
        await guests.driver.stop(vm_id, hard=True)


@in_module
async def test_keys_are_made_on_the_volume_for_the_state_and_nowhere_where_there_is_none(guests: Guests) -> None:
    """VM 9 has a copy of an empty volume beside its image and data on another; VM 10 is told of one and has none."""
    shares = {DATA: guests.folder / "data"}
    told = guests.supernode(FL_STATE_VOLUME="flower-state")
    volume = guests.folder / "state.img"
    with volume.open("wb") as file:
        file.truncate(32 << 20)
    tool("mkfs.ext4", "-q", "-L", "flower-state", volume)
    image = DiskSpec(disk_id=0, image_id=10, image=guests.image, target="vda")
    state = DiskSpec(disk_id=1, image_id=20, image=volume, target="vdb")
    data = labelled(guests.folder, "rows", 4, {"rows.csv": "1,2\n"})
    rows = DiskSpec(disk_id=2, image_id=21, image=data, target="vdc")
    on_disk = {**{name: value for name, value in told.items() if name != "FL_DATA_PATH"}, "FL_DATA_VOLUME": "rows"}
    await guests.start(guests.spec(9, on_disk, disks=[image, state, rows]))
    await guests.start(guests.spec(10, told, shares=shares))
    await guests.eventually(9, PATIENCE_S, READY="YES", FL_STATE="waiting")
    inside = Inside(guests, 9)
    for place in ("/var/lib/flower", "/etc/flower/certs"):
        assert inside.run("findmnt", "--noheadings", "--output", "FSTYPE", place) == "ext4"
    assert inside.run("stat", "--format=%U %a", "/var/lib/flower/certs/node.key") == "flower 600"
    options = inside.run("findmnt", "--noheadings", "--output", "OPTIONS", MOUNT_PATH)
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    as_service = ("setpriv", "--reuid", "flower", "--regid", "flower", "--clear-groups")
    assert inside.run(*as_service, "cat", f"{MOUNT_PATH}/rows.csv") == "1,2"
    assert "Read-only file system" in inside.run("sh", "-c", f"touch {MOUNT_PATH}/new 2>&1 || true")

    async def is_told() -> bool:
        return "flower-state could not be mounted" in guests.error_of(10)

    await eventually(is_told, "VM 10 says that its volume is not there", PATIENCE_S)
    assert guests.onegate.of(10).get("READY") != "YES"
    assert "FL_NODE_PUBKEY" not in guests.onegate.of(10)
    assert Inside(guests, 10).run("find", "/", "-xdev", "-name", "node.key") == ""
    for vm_id in (9, 10):
        await guests.driver.stop(vm_id, hard=True)
    assert str(guests.folder / "vms/9") not in tool("losetup", "--list", "--output", "BACK-FILE")


def test_the_image_holds_nothing_that_two_machines_must_not_share(appliance: Appliance) -> None:
    root = appliance.root
    assert (root / "etc/machine-id").read_text() == ""
    assert (root / "etc/resolv.conf").read_text() == ""
    assert (root / "etc/hostname").read_text() == "flower-appliance\n"
    assert not list(root.glob("etc/ssh/ssh_host_*"))
    assert not list(root.glob("var/lib/systemd/random-seed"))
    assert not [path for path in root.rglob("*.key") if path.is_file()]
    hashes = {line.split(":")[0]: line.split(":")[1] for line in (root / "etc/shadow").read_text().splitlines()}
    assert {name: value for name, value in hashes.items() if value not in ("*", "!", "!*")} == {}


def test_the_image_is_not_larger_than_it_may_be(appliance: Appliance) -> None:
    assert appliance.image.stat().st_size <= CPU_LIMIT_BYTES


def test_bill_and_checksum_beside_the_image_are_about_it(appliance: Appliance) -> None:
    sums = verify(appliance.image.parent, None)
    bill = json.loads(appliance.image.with_suffix(".cdx.json").read_text())
    assert bill["metadata"]["component"]["hashes"][0]["content"] == sums[appliance.image.name]
    named = {component["name"] for component in bill["components"]}
    assert {"linux-image-cloud-amd64", "systemd", "cloud-init", "flwr", "cryptography"} <= named


def test_nothing_in_the_image_downloads_by_itself_or_writes_for_everybody(appliance: Appliance) -> None:
    system = appliance.root / "etc/systemd/system"
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        assert (system / timer).readlink() == Path("/dev/null")
    loose = [
        str(path)
        for folder in ("etc", "opt", "usr/local")
        for path in (appliance.root / folder).rglob("*")
        if not path.is_symlink() and path.lstat().st_mode & stat.S_IWOTH
    ]
    assert loose == []
