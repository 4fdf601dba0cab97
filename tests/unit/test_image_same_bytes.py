"""That an image depends on its recipe and not on who builds it: umask, locale, time zone, paths, file system, host."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flower_federation.caches import Cache
from flower_federation.console import Console
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging import rootfs
from flower_federation.imaging.disk import DiskBuilder
from flower_federation.imaging.payload import build_payload
from flower_federation.imaging.surroundings import of_tools
from flower_federation.imaging.wheelhouse import build_wheelhouse
from flower_federation.processes import Finished, Runner

RECIPE = recipes.load()
OVERLAY = Path(rootfs.__file__).parent / "overlay"
RESOLV = OVERLAY / "etc/network/if-up.d/flower-resolv"
DONE = Finished(returncode=0, output="", seconds=0.0)
HERE, THERE = {"TZ": "UTC", "LC_ALL": "C"}, {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "PYTHONOPTIMIZE": "2"}


def runner(act: Callable[[list[str], Mapping[str, str]], None]) -> Runner:
    def run(argv: Sequence[str | Path], *, env: Mapping[str, str], **_: Any) -> Finished:
        act([str(word) for word in argv], env)
        return DONE

    return run


def tree(folder: Path) -> dict[str, tuple[str, bytes | str]]:
    """Path -> mode and content."""
    found: dict[str, tuple[str, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        mode = oct(path.lstat().st_mode)
        content: bytes | str = (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        )
        found[str(path.relative_to(folder))] = (mode, content)
    return found


def unpack_base(root: Path, host: str) -> None:
    """What tar would unpack, as little of it as a root file system needs here."""
    for name in ("etc", "boot", "var", "usr/local/bin"):
        (root / name).mkdir(parents=True)
        (root / name).chmod(0o755)
    root.chmod(0o755)
    for name in ("passwd", "group", "shadow", "gshadow"):
        (root / "etc" / name).write_text("root:x:0:\n")
        (root / "etc" / name).chmod(0o644)
    (root / "boot/vmlinuz-6.12.1").write_bytes(b"kernel")
    (root / "boot/vmlinuz-6.12.1").chmod(0o644)
    (root / "etc/hostname").write_text(f"{host}\n")
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")


def root_made_by(folder: Path, *, umask: int, environ: Mapping[str, str], host: str) -> tuple[Path, int, list[Any]]:
    """A root file system from sources that somebody with this umask checked out."""
    before, asked = os.umask(umask), []
    try:
        payload, appliance, root = folder / "payload", folder / "flower_appliance", folder / "root"
        for name in ("site-packages/flwr", "bin", "demo/data"):
            (payload / name).mkdir(parents=True)
        (payload / "site-packages/flwr/__init__.py").write_text("")
        (payload / "bin/flwr").write_text("#!/opt/flower/bin/python\n")
        (payload / "bin/flwr").chmod(0o777 & ~umask)
        (payload / "demo/data/train.csv").write_text("1\n")
        appliance.mkdir()
        (appliance / "boot.py").write_text("")
        overlay = folder / "overlay"
        for source in (path for path in OVERLAY.rglob("*") if path.is_file()):
            target = overlay / source.relative_to(OVERLAY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        root.mkdir()

        def act(argv: list[str], env: Mapping[str, str]) -> None:
            asked.append((argv, env))
            if argv[0] == "tar":
                unpack_base(root, host)

        used_mib = rootfs.make_root(
            RECIPE, RECIPE.variant("cpu"), root, base_tar=folder / "base.tar", payload=payload, appliance=appliance,
            overlay=overlay, run=runner(act), env=environ, hook=folder / "hook",
        )  # fmt: skip
    finally:
        os.umask(before)
    return root, used_mib, asked


def test_two_builders_with_other_umasks_locales_and_host_names_make_the_same_root(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, used, _ = root_made_by(tmp_path / "a", umask=0o022, environ=HERE, host="here")
    for name, umask in (("b", 0o077), ("c", 0o002)):
        other, also_used, _ = root_made_by(tmp_path / name, umask=umask, environ=THERE, host="there")
        assert tree(other) == tree(first)
        assert also_used == used
    assert (first / "etc/hostname").read_text() == "flower-appliance\n"
    assert (first / "etc/resolv.conf").read_text() == ""
    modes = {name: mode[-3:] for name, (mode, _) in tree(first).items()}
    assert modes["usr/local/bin/sudo"] == modes["opt/flower/bin/flwr"] == modes["etc/systemd/system"] == "755"
    assert modes["etc/systemd/system/flower-appliance.service"] == modes["usr/share/flower/demo/train.csv"] == "644"


def test_the_images_own_python_sees_nothing_of_this_machine_and_a_hook_leaves_no_mounts(tmp_path: Path) -> None:
    _, _, asked = root_made_by(tmp_path, umask=0o022, environ={**THERE, "PYTHONPYCACHEPREFIX": "/x"}, host="there")
    (compiled,) = [env for argv, env in asked if "compileall" in argv]
    assert compiled["PYTHONHASHSEED"] == "0"
    assert {name for name in compiled if name.startswith("PYTHON")} == {"PYTHONHASHSEED"}
    (hook,) = [argv for argv, _ in asked if str(tmp_path / "hook") in argv]
    assert hook == ["unshare", "--mount", "--propagation=private", "--", str(tmp_path / "hook"), str(tmp_path / "root")]


def test_a_folder_counts_by_its_names_whatever_its_file_system_says_of_its_size(tmp_path: Path) -> None:
    sizes = []
    for name, once in (("plain", 0), ("grown", 2_000)):
        inner = tmp_path / name / "inner"
        inner.mkdir(parents=True)
        # A folder of ext4 stays as large as it ever was.
        for number in range(once):
            (inner / f"file-{number}").touch()
        for number in range(once):
            (inner / f"file-{number}").unlink()
        (inner / "file").write_bytes(bytes(1024 * 1024 - 8192))
        sizes.append(rootfs._normalise(tmp_path / name, 0))
    assert sizes == [1, 1]


def test_every_tool_of_the_disk_has_the_same_time_zone_and_locale(tmp_path: Path) -> None:
    root, scratch, seen = tmp_path / "root", tmp_path / "scratch", []
    for folder in (root / "boot/grub", root / "usr/lib/grub/i386-pc", scratch):
        folder.mkdir(parents=True)
    (root / "usr/lib/grub/i386-pc/boot.img").write_bytes(bytes(512))

    def act(argv: list[str], env: Mapping[str, str]) -> None:
        seen.append((env["TZ"], env["LC_ALL"], env.get("LANG")))
        if "grub-mkimage" in argv:
            (root / "boot/grub/core.img").write_bytes(bytes(2048))

    DiskBuilder(RECIPE.disk, root, scratch, run=runner(act), env=THERE).build(scratch / "i.qcow2", used_mib=1)
    # mtools writes local time into the ESP.
    assert set(seen) == {("UTC", "C.UTF-8", None)}


def test_proxies_and_indexes_reach_the_tools_and_pythons_variables_do_not() -> None:
    given = {"PATH": "/bin", "https_proxy": "p", "UV_INDEX_URL": "u", "PYTHONPATH": "x", "VIRTUAL_ENV": "v", **THERE}
    wanted = {"PATH": "/bin", "https_proxy": "p", "UV_INDEX_URL": "u", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    assert of_tools(given) == wanted


def payload_of(folder: Path, interpreter: str) -> Path:
    """What comes of an installation by a uv that runs with this interpreter."""
    project = folder / "project"
    (project / "requirements").mkdir(parents=True)
    (project / "requirements/flower.lock").write_text("flwr==1 \\\n    --hash=sha256:aa\n")
    (project / "examples/breast_cancer").mkdir(parents=True)
    (project / "examples/breast_cancer/prepare.py").write_text("")
    first = (
        f"#!{interpreter}\n"
        if len(interpreter) < 120
        else f"#!/bin/sh\n'''exec' '{interpreter}' \"$0\" \"$@\"\n' '''\n"
    )

    def act(argv: list[str], _env: Mapping[str, str]) -> None:
        targets = [word.removeprefix("--target=") for word in argv if word.startswith("--target=")]
        for packages in map(Path, targets):
            (packages / "bin").mkdir(parents=True)
            (packages / "bin/flwr").write_text(f"{first}import flwr\n")
            (packages / "bin/caddy").write_bytes(b"\x7fELF")
            (packages / "flwr-1.dist-info").mkdir()
            rows = [
                ["bin/flwr", f"sha256={len(first)}", "1"],
                ["bin/caddy", "sha256=x", "4"],
                ["a,b.py", "sha256=y", "2"],
            ]
            with (packages / "flwr-1.dist-info/RECORD").open("w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
        if "--folder" in argv:
            (Path(argv[argv.index("--folder") + 1]) / "demo/data").mkdir(parents=True)

    with Console(stream=io.StringIO(), clock=lambda: 0.0, total=1).step("x") as step:
        return build_payload(
            RECIPE.base, RECIPE.variant("cpu"), lock=project / "requirements/flower.lock", uv=Path("uv"),
            cache=Cache(folder / "cache", say=lambda _: None), run=runner(act), env={}, step=step,
        )  # fmt: skip


def test_the_environment_does_not_say_with_which_interpreter_it_was_installed(tmp_path: Path) -> None:
    short, long = payload_of(tmp_path / "a", "/home/x/python"), payload_of(tmp_path / "b", f"/home/{'y' * 130}/python")
    assert tree(short / "site-packages") == tree(long / "site-packages")
    assert tree(short / "bin") == tree(long / "bin")
    assert (long / "bin/flwr").read_text() == "#!/opt/flower/bin/python\nimport flwr\n"
    with (long / "site-packages/flwr-1.dist-info/RECORD").open(newline="") as file:
        (flwr, caddy, other) = list(csv.reader(file))
    # As pip writes it where the guest has them: below lib/pythonX.Y/site-packages.
    assert (flwr[0], caddy[0]) == ("../../../bin/flwr", "../../../bin/caddy")
    assert flwr[2] == str((long / "bin/flwr").stat().st_size)
    assert other == ["a,b.py", "sha256=y", "2"]


def test_the_wheels_of_a_disk_can_be_read_by_every_user_of_the_guest_whatever_the_builders_umask_is(
    tmp_path: Path,
) -> None:
    modes = []
    (tmp_path / "lock").write_text("a==1 --hash=sha256:aa\n")

    def act(argv: list[str], _env: Mapping[str, str]) -> None:
        if "download" in argv:
            wheels = Path(argv[argv.index("--dest") + 1])
            wheels.mkdir(mode=0o700)
            (wheels / "a-1-py3-none-any.whl").touch(mode=0o600)
        else:
            wheels, disk = Path(argv[argv.index("-d") + 1]), Path(argv[argv.index("-d") + 2])
            modes.extend(oct(path.stat().st_mode & 0o777) for path in (wheels, *wheels.iterdir()))
            disk.touch()

    build_wheelhouse(
        tmp_path / "lock", tmp_path / "wheels.img", label="wheels", python=Path("python"), python_version="3.13",
        sources=(), run=runner(act), env={}, console=Console(stream=io.StringIO(), clock=lambda: 0.0, total=2),
    )  # fmt: skip
    assert modes == ["0o755", "0o644"]


def resolve(folder: Path, interface: str, **variables: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "FLOWER_RESOLV_FOLDER": str(folder / "known"),
        "FLOWER_RESOLV_CONF": str(folder / "resolv.conf"),
        "IFACE": interface,
        "ADDRFAM": "inet",
        **variables,
    }
    subprocess.run(["sh", RESOLV], env=environment, check=True)


def test_name_servers_of_the_context_are_the_guests_also_with_several_interfaces_and_again(tmp_path: Path) -> None:
    resolve(tmp_path, "lo")
    assert not (tmp_path / "resolv.conf").exists(), "without any the file is somebody else's"
    resolve(tmp_path, "eth1", IF_DNS_NAMESERVERS="192.0.2.2 192.0.2.1", IF_DNS_SEARCH="b.example a.example")
    for _ in range(2):
        resolve(tmp_path, "eth0", IF_DNS_NAMESERVERS="192.0.2.1", IF_DNS_SEARCH="a.example")
    assert (tmp_path / "resolv.conf").read_text().splitlines() == [
        "nameserver 192.0.2.1",
        "nameserver 192.0.2.2",
        "search a.example b.example",
    ]
    assert (tmp_path / "resolv.conf").stat().st_mode & 0o777 == 0o644
