"""The nspawn driver's decisions: NICs, firewall, names, commands, images, disks, refusals. Nothing is started."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from zonebox.drivers.base import DiskSpec, DriverError, GuestSpec
from zonebox.drivers.nics import NicSpec, SecurityRule, nics_of
from zonebox.drivers.nspawn import TOOLS, check_tools, nspawn_command
from zonebox.drivers.nspawn_disks import forget_detached, make_devices, place_of, root_and_others
from zonebox.drivers.nspawn_firewall import ruleset
from zonebox.drivers.nspawn_image import RootDisk, RootFolder, find_root
from zonebox.drivers.nspawn_network import short_name

HTTP = SecurityRule(direction="INBOUND", protocol="TCP", ports="80, 9000:9010", first_ip="10.0.0.8", size=4)


def nic(*rules: SecurityRule) -> NicSpec:
    return NicSpec(
        nic_id=0,
        bridge="br0",
        mac="02:00:00:00:00:01",
        ip="10.0.0.5",
        mask="255.255.255.0",
        gateway="10.0.0.1",
        rules=rules,
    )


def chain(text: str, name: str) -> list[str]:
    found = re.search(rf" chain {name} \{{\n(.*?)\n \}}", text, re.DOTALL)
    assert found is not None
    return [line.strip() for line in found[1].splitlines()]


def test_a_rule_lets_its_ports_and_peers_pass_and_everything_else_is_dropped() -> None:
    statements = chain(ruleset("vmx", "zvx", nic(HTTP)), "inbound")
    assert statements == [
        "ct state established,related return",
        "meta l4proto tcp ip saddr 10.0.0.8-10.0.0.11 th dport { 80, 9000-9010 } return",
        "drop",
    ]


def test_a_nic_without_rules_takes_part_in_nothing() -> None:
    text = ruleset("vmx", "zvx", nic())
    assert chain(text, "inbound") == chain(text, "outbound") == ["ct state established,related return", "drop"]


def test_outbound_rules_are_about_where_traffic_goes() -> None:
    rule = SecurityRule(direction="OUTBOUND", protocol="UDP", first_ip="10.0.0.8")
    assert "meta l4proto udp ip daddr 10.0.0.8 return" in chain(ruleset("vmx", "zvx", nic(rule)), "outbound")


def test_a_guest_cannot_use_another_address_to_pass_its_rules() -> None:
    assert 'iifname "zvx" ip saddr != 10.0.0.5 drop' in ruleset("vmx", "zvx", nic())


def test_loading_the_rules_again_replaces_them_in_one_transaction() -> None:
    text = ruleset("vmx", "zvx", nic())
    assert text.index("delete table inet vmx") < text.index("table inet vmx {")
    assert text.index("delete table bridge vmx") < text.index("table bridge vmx {")


@pytest.mark.parametrize("ports", ["ssh", "22;", "70000", "90:80", "", "-1", '22 } drop; "'])
def test_a_range_that_is_none_is_refused_and_never_written_into_the_rules(ports: str) -> None:
    rule = SecurityRule(direction="INBOUND", protocol="TCP", ports=ports or " ")
    with pytest.raises(DriverError, match=r"RANGE[\s\S]*correct the security group"):
        ruleset("vmx", "zvx", nic(rule))


def test_a_rule_about_a_network_that_the_driver_cannot_resolve_is_refused_not_ignored() -> None:
    rule = SecurityRule(direction="INBOUND", protocol="TCP", network_id="3")
    with pytest.raises(DriverError, match=r"NETWORK_ID 3[\s\S]*write the network's first address"):
        ruleset("vmx", "zvx", nic(rule))


def test_names_of_links_fit_the_kernel_and_differ_between_zones() -> None:
    names = {short_name("zv", zone, vm, 0) for zone in ("madrid", "berlin") for vm in range(50)}
    assert len(names) == 100
    assert max(len(name) for name in names) <= 15


def test_nics_carry_the_rules_of_their_own_groups_and_the_mask_that_the_guest_is_told() -> None:
    found = nics_of(
        {"ETH0_MASK": "255.255.0.0", "ETH0_GATEWAY": "10.0.0.1"},
        [
            {"NIC_ID": "0", "BRIDGE": "onebr3", "MAC": "02:00", "IP": "10.0.0.5", "SECURITY_GROUPS": "0,101"},
            {"NIC_ID": "1", "BRIDGE": "onebr4", "MAC": "02:01", "SECURITY_GROUPS": "0"},
        ],
        [
            {"SECURITY_GROUP_ID": "101", "PROTOCOL": "tcp", "RULE_TYPE": "inbound", "RANGE": "9092"},
            {"SECURITY_GROUP_ID": "7", "PROTOCOL": "ALL", "RULE_TYPE": "INBOUND"},
        ],
    )
    assert [(nic.nic_id, nic.mask, nic.gateway) for nic in found] == [(0, "255.255.0.0", "10.0.0.1")]
    assert found[0].rules == (SecurityRule(direction="INBOUND", protocol="TCP", ports="9092"),)


def test_a_guest_is_started_with_its_own_network_and_identity_and_no_path_in_a_script(tmp_path: Path) -> None:
    spec = GuestSpec(
        vm_id=3,
        zone="madrid",
        uuid="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        name="n",
        folder=tmp_path,
        context={},
        token=None,
        address=None,
        images=(),
        shares={},
    )
    words = nspawn_command(
        spec,
        root=tmp_path / "merged; rm -rf /",
        namespace=Path("/run/netns/zonebox-madrid-3"),
        binds=["/a:/b"],
        groups=[Path("/sys/fs/cgroup/x/cgroup.procs")],
    )
    assert f"--uuid={spec.uuid}" in words
    assert "--network-namespace-path=/run/netns/zonebox-madrid-3" in words
    assert "--bind-ro=/a:/b" in words
    assert "rm -rf" not in words[2]
    assert words.index("/sys/fs/cgroup/x/cgroup.procs") < words.index("--") < words.index("systemd-nspawn")


def test_images_are_found_by_what_they_are_and_data_disks_are_passed_over(tmp_path: Path) -> None:
    data, disk, document = tmp_path / "data", tmp_path / "disk", tmp_path / "document"
    data.write_bytes(b"\0" * 100)
    disk.write_bytes(b"QFI\xfb" + b"\0" * 100)
    (tmp_path / "root/usr").mkdir(parents=True)
    document.write_text(json.dumps({"format": "zonebox-nspawn/1", "root": str(tmp_path / "root")}))
    assert find_root([data, disk]) == RootDisk(path=disk)
    assert find_root([document, disk]) == RootFolder(path=tmp_path / "root")


@pytest.mark.parametrize("content", ["", '{"format": "zonebox-process/1", "command": ["x"]}', "{"])
def test_a_vm_without_a_bootable_image_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "disk").write_text(content)
    with pytest.raises(DriverError, match=r"QCOW2 disk or a zonebox-nspawn/1 document"):
        find_root([tmp_path / "disk"])


def test_a_document_that_names_no_root_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "disk").write_text(json.dumps({"format": "zonebox-nspawn/1", "root": "relative"}))
    with pytest.raises(DriverError, match=r"root relative[\s\S]*--keep-root"):
        find_root([tmp_path / "disk"])


def test_without_root_or_tools_the_driver_says_what_is_missing_and_where_to_get_it() -> None:
    with pytest.raises(DriverError, match=r"user id 1000[\s\S]*--driver process"):
        check_tools("nspawn", TOOLS, lambda _: "/bin/x", user_id=1000)
    with pytest.raises(DriverError, match=r"nftables, systemd-container; .*apt-get install nftables systemd-container"):
        check_tools("nspawn", TOOLS, lambda name: None if name in ("nft", "systemd-nspawn") else "/bin/x", user_id=0)
    check_tools("nspawn", TOOLS, dict.fromkeys(TOOLS, "/bin/x").get, user_id=0)


def test_a_disk_is_found_in_the_guest_where_udev_would_have_it(tmp_path: Path) -> None:
    probed = {"rows.img": "ID_FS_LABEL=my rows\nID_FS_LABEL_ENC=my\\x20rows\nID_FS_TYPE=ext4\n", "bare.img": ""}
    commands: list[tuple[str, ...]] = []

    async def program(*argv: str, stdin: str = "") -> str:
        commands.append(argv)
        if argv[0] == "cp":
            shutil.copyfile(argv[-2], argv[-1])
        if argv[0] == "losetup":
            return f"/dev/loop{len([each for each in commands if each[0] == 'losetup'])}\n"
        return probed["rows.img" if "disk.1-5" in argv[-1] else "bare.img"] if argv[0] == "sh" else ""

    for name in probed:
        (tmp_path / name).write_bytes(b"\0" * 100)
    copied = DiskSpec(disk_id=1, image_id=5, image=tmp_path / "rows.img", target="vdb")
    kept = DiskSpec(
        disk_id=3, image_id=6, image=tmp_path / "bare.img", target="vd:c", persistent=True, readonly=True
    )  # fmt: skip
    binds = asyncio.run(make_devices([copied, kept], tmp_path, program))
    assert binds == ["/dev/loop1:/dev/vdb", "/dev/loop1:/dev/disk/by-label/my\\\\x20rows"]
    attached = [argv for argv in commands if argv[0] == "losetup"]
    assert attached[0][-1] == str(tmp_path / "disk.1-5"), "a copy of its own"
    assert attached[1][-2:] == ("--read-only", str(tmp_path / "bare.img")), "the image itself"
    assert (tmp_path / "disk.1-5").stat().st_mode & 0o777 == 0o600
    (tmp_path / "disk.1-5").write_bytes(b"written by the guest")
    asyncio.run(make_devices([copied], tmp_path, program))
    assert (tmp_path / "disk.1-5").read_bytes() == b"written by the guest"


def test_what_was_written_to_a_disk_goes_with_it_and_its_number_may_come_back(tmp_path: Path) -> None:
    (tmp_path / "root/usr").mkdir(parents=True)
    document = tmp_path / "root.json"
    document.write_text(json.dumps({"format": "zonebox-nspawn/1", "root": str(tmp_path / "root")}))
    (tmp_path / "state.img").write_bytes(b"\0" * 100)
    old, new = (DiskSpec(disk_id=0, image_id=number, image=document, target="vda") for number in (4, 9))
    state = DiskSpec(disk_id=1, image_id=5, image=tmp_path / "state.img", target="vdb")
    assert root_and_others([state, old]) == (old, (state,))
    (tmp_path / place_of(old) / "upper").mkdir(parents=True)
    (tmp_path / place_of(state)).write_bytes(b"keys")
    forget_detached(tmp_path, [state, new])
    assert [path.name for path in tmp_path.glob("disk.*")] == [place_of(state)]
    forget_detached(tmp_path, [new])
    assert list(tmp_path.glob("disk.*")) == []


def test_a_persistent_qcow2_is_refused_with_a_way_out(tmp_path: Path) -> None:
    image = tmp_path / "data.qcow2"
    image.write_bytes(b"QFI\xfb" + b"\0" * 100)
    disk = DiskSpec(disk_id=1, image_id=5, image=image, target="vdb", persistent=True)

    async def program(*argv: str, stdin: str = "") -> str:
        raise AssertionError(argv)

    with pytest.raises(DriverError, match=r"data\.qcow2: persistent and QCOW2.*qemu-img convert -O raw"):
        asyncio.run(make_devices([disk], tmp_path, program))
