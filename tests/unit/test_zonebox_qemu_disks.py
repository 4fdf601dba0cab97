"""Disks of the qemu driver: what a machine is shown, what it may write to, and whose file it is. Nothing is booted."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.test_zonebox_qemu_pure import options, spec
from zonebox.drivers.base import DiskSpec, DriverError, GuestSpec
from zonebox.drivers.qemu import qemu_command
from zonebox.drivers.qemu_disks import Attached, make_disks


class Programs:
    """qemu-img, as far as the driver asks it: creating makes a file."""

    def __init__(self, size_bytes: int = 1 << 30) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._size_bytes = size_bytes

    async def run(self, *argv: str, stdin: str = "") -> str:
        self.asked.append(argv)
        if argv[1] == "create":
            make(Path(argv[-1]))
        return json.dumps({"virtual-size": self._size_bytes}) if argv[1] == "info" else stdin


def make(disk: Path) -> None:
    disk.touch()


@pytest.fixture
def vm(tmp_path: Path) -> GuestSpec:
    """A VM with an image that boots, a data volume that many may have, and a persistent one."""
    folder, image, rows, state = (tmp_path / name for name in ("vm", "image", "rows", "state"))
    folder.mkdir()
    image.write_bytes(b"QFI\xfb")
    rows.write_bytes(bytes(4096))
    state.write_bytes(bytes(4096))
    disks = (
        DiskSpec(disk_id=0, image_id=7, image=image, target="vda"),
        DiskSpec(disk_id=1, image_id=8, image=rows, target="vdb"),
        DiskSpec(disk_id=2, image_id=9, image=state, target="vdc", persistent=True),
    )
    return replace(spec(folder, *(disk.image for disk in disks)), disks=disks)


async def test_a_volume_is_the_vms_own_copy_and_a_persistent_one_the_image_itself(vm: GuestSpec) -> None:
    programs = Programs()
    root, rows, state = await make_disks(vm.images[0], vm, programs.run)
    assert root == Attached(path=vm.folder / "disk.0-7")
    assert rows == Attached(path=vm.folder / "disk.1-8")
    assert state == Attached(path=vm.images[2], format="raw", kept=True)
    made = [argv[-4:] for argv in programs.asked if argv[1] == "create"]
    assert [(argv[0], argv[2]) for argv in made] == [(str(vm.images[0]), "qcow2"), (str(vm.images[1]), "raw")]


async def test_a_later_start_keeps_what_the_machine_wrote_and_forgets_what_was_detached(vm: GuestSpec) -> None:
    programs = Programs()
    for _ in range(2):
        await make_disks(vm.images[0], vm, programs.run)
    assert [argv[1] for argv in programs.asked].count("create") == 2, "one for the root and one for the volume"
    await make_disks(vm.images[0], replace(vm, disks=vm.disks[:1]), programs.run)
    assert [path.name for path in vm.folder.iterdir()] == ["disk.0-7"]


@pytest.mark.parametrize(("wanted_mb", "grows"), [(None, False), (1024, False), (1025, True)])
async def test_the_disk_that_boots_grows_and_never_shrinks(vm: GuestSpec, wanted_mb: int | None, grows: bool) -> None:
    programs = Programs(1024 << 20)
    await make_disks(vm.images[0], replace(vm, root_mb=wanted_mb), programs.run)
    assert ("resize" in [argv[1] for argv in programs.asked]) is grows


async def test_a_read_only_image_is_shown_as_it_is_and_cannot_be_written(vm: GuestSpec) -> None:
    cd = replace(vm.disks[1], readonly=True)
    disks = await make_disks(vm.images[0], replace(vm, disks=(vm.disks[0], cd)), Programs().run)
    (drive,) = [drive for drive in drives(vm, *disks) if str(vm.images[1]) in drive]
    assert "readonly=on" in drive


async def test_an_image_that_is_gone_is_named(vm: GuestSpec) -> None:
    vm.images[1].unlink()
    with pytest.raises(DriverError, match=r"rows: No such file[\s\S]*register it again"):
        await make_disks(vm.images[0], vm, Programs().run)


def drives(vm: GuestSpec, *disks: Attached) -> list[str]:
    return options(qemu_command(vm, taps=["zvx"], firmware="bios", kvm=False, disks=disks), "-drive")


def test_the_machine_boots_its_own_disk_and_what_it_flushes_to_a_persistent_one_is_on_the_hosts(vm: GuestSpec) -> None:
    root = Attached(path=vm.folder / "disk.0")
    state = Attached(path=vm.images[2], format="raw", kept=True)
    argv = qemu_command(vm, taps=["zvx"], firmware="uefi", kvm=False, disks=(root, state))
    devices = [value for option, value in pairwise(argv) if option == "-device" and "virtio-blk" in value]
    assert devices == ["virtio-blk-pci,drive=disk0,bootindex=0", "virtio-blk-pci,drive=disk1"]
    own, kept = (drive for drive in options(argv, "-drive") if "id=disk" in drive)
    assert "cache=unsafe" in own
    assert "cache=writeback" in kept
