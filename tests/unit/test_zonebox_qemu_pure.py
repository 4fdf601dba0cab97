"""The qemu driver's decisions: the emulator's command line, the KVM probe's verdicts, refusals. Nothing is booted."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.drivers.nics import NicSpec
from zonebox.drivers.qemu import QemuDriver, firmware_of, qemu_command
from zonebox.drivers.qemu_probe import kvm_runs

NIC = NicSpec(
    nic_id=0, bridge="br0", mac="02:00:00:00:00:01", ip="10.0.0.5", mask="255.255.255.0", gateway="10.0.0.1", rules=()
)  # fmt: skip


def spec(folder: Path, *images: Path) -> GuestSpec:
    return GuestSpec(
        vm_id=7,
        zone="lab",
        uuid="11111111-2222-3333-4444-555555555555",
        name="vm",
        folder=folder,
        context={},
        token=None,
        address="10.0.0.5",
        images=images,
        shares={},
        nics=(NIC,),
        memory_mb=1536,
        vcpus=2,
    )


def options(argv: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(argv) if option == name]


def test_a_machine_has_the_templates_cpus_memory_identity_and_nics(tmp_path: Path) -> None:
    argv = qemu_command(spec(tmp_path), taps=["zvx"], firmware="bios", kvm=False, disks=())
    assert (options(argv, "-smp"), options(argv, "-m")) == (["2"], ["1536M"])
    assert options(argv, "-uuid") == ["11111111-2222-3333-4444-555555555555"]
    assert options(argv, "-netdev") == ["tap,id=net0,ifname=zvx,script=no,downscript=no"]
    assert "virtio-net-pci,netdev=net0,mac=02:00:00:00:00:01" in options(argv, "-device")


def test_the_context_is_a_cd_that_cannot_be_written(tmp_path: Path) -> None:
    argv = qemu_command(spec(tmp_path), taps=["zvx"], firmware="bios", kvm=False, disks=())
    (cd,) = [drive for drive in options(argv, "-drive") if "context.iso" in drive]
    assert "media=cdrom" in cd
    assert "readonly=on" in cd


def test_uefi_has_variables_of_the_vms_own_and_code_that_all_share(tmp_path: Path) -> None:
    argv = qemu_command(spec(tmp_path), taps=["zvx"], firmware="uefi", kvm=False, disks=())
    code, variables = [drive for drive in options(argv, "-drive") if "pflash" in drive]
    assert "readonly=on" in code
    assert f"file={tmp_path}/vars.fd" in variables
    assert options(argv, "-machine") == ["q35"]
    bios = qemu_command(spec(tmp_path), taps=["zvx"], firmware="bios", kvm=False, disks=())
    assert not [drive for drive in options(bios, "-drive") if "pflash" in drive]


@pytest.mark.parametrize(("kvm", "wanted"), [(True, ("kvm", "host")), (False, ("tcg,thread=multi", "max"))])
def test_kvm_is_used_where_it_runs_and_emulation_otherwise(tmp_path: Path, kvm: bool, wanted: tuple[str, str]) -> None:
    argv = qemu_command(spec(tmp_path), taps=["zvx"], firmware="bios", kvm=kvm, disks=())
    assert (options(argv, "-accel")[0], options(argv, "-cpu")[0]) == wanted


@pytest.mark.parametrize(("status", "runs"), [(33, True), (1, False), (0, False)])
def test_kvm_runs_only_where_the_probe_reached_its_end(tmp_path: Path, status: int, runs: bool) -> None:
    device, emulator = tmp_path / "kvm", tmp_path / "qemu"
    device.touch()
    emulator.write_text(f"#!/bin/sh\nexit {status}\n")
    emulator.chmod(0o755)
    assert kvm_runs(device=device, qemu=str(emulator)) is runs
    assert not kvm_runs(device=tmp_path / "absent", qemu=str(emulator))
    assert not kvm_runs(device=device, qemu=str(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("wanted", "firmware"),
    [("", "bios"), ("BIOS", "bios"), ("UEFI", "uefi"), ("/usr/share/OVMF/OVMF_CODE.fd", "uefi")],
)
def test_the_template_chooses_the_firmware(wanted: str, firmware: str) -> None:
    assert firmware_of(wanted, "bios") == firmware
    assert firmware_of("", "uefi") == "uefi"


async def test_a_folder_of_the_host_cannot_be_an_emulated_machines_disk(tmp_path: Path) -> None:
    (tmp_path / "root" / "usr").mkdir(parents=True)
    image = tmp_path / "image.json"
    image.write_text(json.dumps({"format": "zonebox-nspawn/1", "root": str(tmp_path / "root")}))
    with pytest.raises(DriverError, match=r"boots a QCOW2 disk[\s\S]*scripts/image build"):
        await QemuDriver().launch(spec(tmp_path, image), "mark")


async def test_shares_are_refused_and_not_left_out(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"QFI\xfb")
    shared = replace(spec(tmp_path, disk), shares={"/srv/data": tmp_path})
    with pytest.raises(DriverError, match=r"shares \['/srv/data'\][\s\S]*no --share"):
        await QemuDriver().launch(shared, "mark")
