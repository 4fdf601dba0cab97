"""The image's recipe, its boot code and its lock, as decisions; the build itself is shown by scripts/image build."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from flower_federation.errors import InputError, MachineError, ToolError
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.base import TOOLS, check_tools
from flower_federation.imaging.bootsector import BootCodeError, boot_code, core_image
from flower_federation.imaging.disk import derived, grub_config, partition_table
from flower_federation.imaging.payload import without
from flower_federation.imaging.rootfs import check_imports
from flower_federation.processes import Finished

LOCK = """# header
numpy==2.4.6 \\
    --hash=sha256:aa
    # via scikit-learn
scikit-learn==1.9.1 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
tomli==2.5.0 ; python_version < '3.12' \\
    --hash=sha256:dd
"""


def test_the_shipped_recipe_has_its_variants_and_no_password_tool() -> None:
    recipe = recipes.load()
    assert set(recipe.variants) == {"cpu", "sklearn", "pytorch-cpu", "gpu"}
    assert "etc/ssh/ssh_host_*" in recipe.base.leave_out


def test_the_gpu_variant_is_the_cpu_one_with_a_kernel_that_has_drm() -> None:
    recipe = recipes.load()
    cpu, gpu = (recipe.base_of(recipe.variant(name)) for name in ("cpu", "gpu"))
    assert cpu == recipe.base
    assert set(gpu.packages) ^ set(cpu.packages) == {"linux-image-amd64", "linux-image-cloud-amd64"}
    assert recipe.variant("gpu").leave_out == recipe.variant("cpu").leave_out


def test_pytorch_is_added_to_the_cpu_variant_from_the_distribution_and_must_be_importable() -> None:
    recipe = recipes.load()
    cpu, pytorch = recipe.variant("cpu"), recipe.variant("pytorch-cpu")
    base, packages = recipe.base_of(cpu).packages, recipe.base_of(pytorch).packages
    assert packages[: len(base)] == base
    assert "python3-torch" in packages[len(base) :]
    assert pytorch.leave_out == cpu.leave_out
    assert (pytorch.system_python, cpu.system_python) == (True, False), "an image's environment is its own otherwise"
    assert "torch" in pytorch.imports


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("imports = 'torch'", "not a list"),
        ("system_python = 'no'", "not true or false"),
        ("adds = ['python3-torch']", "unknown key adds of variant v"),
    ],
)
def test_a_variant_that_says_something_else_is_refused(line: str, fault: str) -> None:
    text = resources.files("flower_federation.imaging").joinpath("appliance.toml").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        recipes.parse(text.replace("[disk]", f"[variants.v]\n{line}\n[disk]"))


def test_a_framework_that_the_image_cannot_import_is_no_image(tmp_path: Path) -> None:
    asked: list[Sequence[str | Path]] = []

    def run(argv: Sequence[str | Path], **_: object) -> Finished:
        asked.append(argv)
        return Finished(returncode=1, output="ImportError: libgone.so.1", seconds=0.1)

    with pytest.raises(ToolError, match=r"importing torch, flwr[\s\S]*libgone\.so\.1[\s\S]*appliance\.toml"):
        check_imports(tmp_path, ("torch",), run=run)
    assert asked[0][:3] == ["chroot", tmp_path, "/opt/flower/bin/python"]


def test_a_variant_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InputError, match=r"'gpu9'[\s\S]*cpu, gpu, pytorch-cpu, sklearn[\s\S]*remedy: choose one"):
        recipes.load().variant("gpu9")


@pytest.mark.parametrize("text", ["name = ", "name = 'x'", "name = 'x'\n[extra]\n", "[base]\nsuite = 1\n"])
def test_a_recipe_that_does_not_say_everything_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"image recipe: [\s\S]*appliance\.toml"):
        recipes.parse(text)


def test_a_variant_drops_a_distribution_with_its_hashes_and_keeps_the_rest_to_the_letter() -> None:
    left = without(LOCK, ("Scikit_Learn",))
    assert "bb" not in left
    assert "cc" not in left
    assert left == LOCK.replace(LOCK[LOCK.index("scikit-learn==") : LOCK.index("tomli")], "")


def test_boot_code_names_the_sector_of_the_core_image_and_leaves_the_partition_table_alone() -> None:
    code = boot_code(bytes(512), core_sector=2048)
    assert len(code) == 440
    assert struct.unpack_from("<Q", code, 0x5C) == (2048,)


def test_the_core_image_points_to_its_own_rest() -> None:
    core = core_image(bytes(1300), core_sector=2048, room_bytes=4096)
    assert len(core) == 3 * 512
    assert struct.unpack_from("<QHH", core, 500) == (2049, 2, 0x820)


@pytest.mark.parametrize(("size", "room"), [(100, 4096), (5000, 4096)])
def test_a_core_image_that_is_none_or_does_not_fit_is_refused(size: int, room: int) -> None:
    with pytest.raises(BootCodeError, match=str(size)):
        core_image(bytes(size), core_sector=2048, room_bytes=room)


def test_partitions_follow_each_other_without_overlap_and_are_the_same_each_time() -> None:
    disk = recipes.load().disk
    table = partition_table(disk, root_mib=700)
    rows = [dict(part.split("=") for part in line.split(", ")) for line in table.splitlines() if "start=" in line]
    ends = [int(row["start"]) + int(row["size"]) for row in rows]
    assert [int(row["start"]) for row in rows[1:]] == ends[:-1]
    assert table == partition_table(disk, root_mib=700)
    assert len({row["uuid"] for row in rows} | {str(derived(disk, "disk"))}) == 4


def test_the_newest_kernel_is_booted_with_its_own_initial_ram_disk(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    for version in ("6.12.1", "6.12.10+deb13-amd64", "6.12.9+deb13-amd64"):
        (tmp_path / "boot" / f"vmlinuz-{version}").touch()
    config = grub_config(tmp_path, recipes.load().disk)
    assert "linux /boot/vmlinuz-6.12.10+deb13-amd64 root=LABEL=flower-root" in config
    assert "initrd /boot/initrd.img-6.12.10+deb13-amd64" in config


def test_an_image_without_a_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no vmlinuz-\*[\s\S]*remedy: name a kernel's package in the recipe"):
        grub_config(tmp_path, recipes.load().disk)


def test_missing_tools_are_named_with_the_packages_that_have_them() -> None:
    with pytest.raises(MachineError, match=r"mtools[\s\S]*apt-get install mtools"):
        check_tools(dict.fromkeys(TOOLS, "/bin/x") | {"mcopy": None}, user_id=0)


def test_a_build_by_another_user_than_root_is_refused_for_that_and_not_for_tools_that_root_has() -> None:
    with pytest.raises(MachineError, match=r"user id 1000[\s\S]*as root[\s\S]*sudo"):
        check_tools(dict.fromkeys(TOOLS, None), user_id=1000)
