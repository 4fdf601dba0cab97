"""The root file system: base, environment, users, units, and nothing that should differ between two machines.

It leaves out host keys, the machine id and every password: those are made on first boot, or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from flower_federation.imaging import payload as payload_module
from flower_federation.imaging.disk import grub_config
from flower_federation.imaging.recipe import Recipe, Variant
from flower_federation.imaging.surroundings import of_guest, of_tools, plain_umask
from flower_federation.processes import Runner, require

SERVICE_USER = "flower"
SERVICE_ID = 900  # below 1000, so that log-in tools hide it; fixed, so that disks with identities outlive an image
ONE_CONTEXT = "usr/sbin/one-contextd"
"""OpenNebula's own contextualisation: where the base has it, cloud-init stays off."""
_BLOCK_BYTES = 4096
_ENTRY_BYTES = 12
"""Of a name in an ext4 folder, beside the name itself: 8 bytes, and up to 3 that fill it up (ext4, linear folders)."""
EXTRA_FOLDERS = ("etc/flower", "etc/flower/certs", "var/lib/flower", "var/log/flower", "srv/flower/data")


def make_root(
    recipe: Recipe,
    variant: Variant,
    root: Path,
    *,
    base_tar: Path,
    payload: Path,
    appliance: Path,
    overlay: Path,
    run: Runner,
    env: Mapping[str, str],
    hook: Path | None = None,
) -> int:
    """Fill an empty folder with the guest's root file system.

    Args:
        recipe: What the image is.
        variant: Which of its variants.
        root: The folder.
        base_tar: From `base.build_base`.
        payload: From `payload.build_payload`.
        appliance: Folder of the package flower_appliance.
        overlay: Folder whose files are laid over the root.
        run: Starts the tools.
        env: Their environment.
        hook: A program of the builder's own, run with the root's folder as its argument once everything else is there.

    Returns:
        Mebibytes that the files occupy.

    Raises:
        ToolError: A tool failed.
    """

    with plain_umask():
        return _make_root(
            recipe, variant, root, base_tar=base_tar, payload=payload, appliance=appliance, overlay=overlay,
            run=run, env=of_tools(env), hook=hook,
        )  # fmt: skip


def _make_root(
    recipe: Recipe,
    variant: Variant,
    root: Path,
    *,
    base_tar: Path,
    payload: Path,
    appliance: Path,
    overlay: Path,
    run: Runner,
    env: Mapping[str, str],
    hook: Path | None,
) -> int:
    def tool(*argv: str | Path, what: str, env: Mapping[str, str] = env) -> None:
        require(
            run(argv, env=env, timeout_s=600),
            what=what,
            reason="a part of the image would be missing",
            remedy="look at its message; remove the image-base folder of the cache if the base is damaged",
        )

    tool(
        "tar", "--extract", "--numeric-owner", "--file", base_tar, "--directory", root, what="tar, unpacking the base,"
    )
    payload_module.lay_out(
        payload, root, appliance=appliance, python=recipe.base.python, system_python=variant.system_python
    )
    # Bytecode is checked by nothing at run time: the image's files do not change.
    tool(
        "chroot", root, f"/{payload_module.PREFIX}/bin/python", "-m", "compileall", "-q", "-j", "2",
        "--invalidation-mode", "unchecked-hash", f"/{payload_module.PREFIX}/lib",
        what="compileall, which precompiles the environment,", env={**of_guest(), "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    if variant.imports:
        check_imports(root, variant.imports, run=run)
    _add_user(root)
    for name in EXTRA_FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    lay_over(overlay, root)
    _enable_units(root, overlay)
    for name in recipe.base.masked_units:
        (root / "etc/systemd/system" / name).unlink(missing_ok=True)
        (root / "etc/systemd/system" / name).symlink_to("/dev/null")
    choose_contextualisation(root)
    (root / "boot" / "grub").mkdir(parents=True, exist_ok=True)
    (root / "boot" / "grub" / "grub.cfg").write_text(grub_config(root, recipe.disk), encoding="utf-8")
    if hook is not None:
        # In a mount namespace of its own: what it mounts (/proc, /dev) is gone with it, however it ends, and neither
        # counted as a part of the image nor removed with the folder.
        tool(
            "unshare", "--mount", "--propagation=private", "--", hook.absolute(), root,
            what=f"{hook.name}, the hook given with --hook,",
        )  # fmt: skip
    forget_host(root, recipe.name)
    _strip(root, recipe.base.leave_out)
    # An empty machine-id asks for a new one on first boot; the two marks spare a needless ldconfig then.
    (root / "etc" / "machine-id").write_text("", encoding="utf-8")
    for mark in ("etc/.updated", "var/.updated"):
        (root / mark).touch()
    return _normalise(root, recipe.disk.epoch_s)


def lay_over(overlay: Path, root: Path) -> None:
    """Put the overlay's files over the root, with a package's modes: those of a clone depend on somebody's umask."""
    for source in sorted(path for path in overlay.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        target = root / source.relative_to(overlay)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        target.write_bytes(content)
        # A wheel keeps no modes: the first line says what is a program.
        target.chmod(0o755 if content.startswith(b"#!") else 0o644)


def forget_host(root: Path, name: str) -> None:
    """Take out what mmdebstrap copied from this machine for its own work: name servers and host name.

    A VM gets both from its CONTEXT.
    """
    for path, content in ((root / "etc/resolv.conf", ""), (root / "etc/hostname", f"{name}\n")):
        path.unlink(missing_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)


def check_imports(root: Path, modules: tuple[str, ...], *, run: Runner) -> None:
    """Import a variant's frameworks, and Flower after them, by the image's own Python.

    Raises:
        ToolError: One cannot be imported.
    """
    words = ", ".join((*modules, "flwr.clientapp"))
    environment = {**of_guest(), "PYTHONDONTWRITEBYTECODE": "1"}
    require(
        run(
            ["chroot", root, f"/{payload_module.PREFIX}/bin/python", "-c", f"import {words}"],
            env=environment,
            timeout_s=300,
        ),
        what=f"the image's Python, importing {words},",
        reason="a variant is there for its frameworks, and a node without them is READY and fails every round",
        remedy="see its last line; compare the variant's packages in appliance.toml with what that module needs",
    )


def choose_contextualisation(root: Path) -> None:
    """Switch cloud-init off where OpenNebula's own contextualisation is in the base.

    Two programs that configure the network from the same CONTEXT would undo each other's work.
    """
    if (root / ONE_CONTEXT).exists():
        (root / "etc/cloud/cloud-init.disabled").touch()


def _add_user(root: Path) -> None:
    entries = {
        "etc/passwd": f"{SERVICE_USER}:x:{SERVICE_ID}:{SERVICE_ID}:Flower services:/var/lib/flower:/usr/sbin/nologin\n",
        "etc/group": f"{SERVICE_USER}:x:{SERVICE_ID}:\n",
        # "!" is no password's hash: nobody logs in as this user.
        "etc/shadow": f"{SERVICE_USER}:!:1::::::\n",
        "etc/gshadow": f"{SERVICE_USER}:!::\n",
    }
    for name, line in entries.items():
        path = root / name
        with path.open("a", encoding="utf-8") as file:
            file.write(line)


def _enable_units(root: Path, overlay: Path) -> None:
    """What `systemctl enable` would link, for each unit of the overlay that names a target."""
    for unit in sorted(path for path in (overlay / "etc/systemd/system").iterdir() if path.is_file()):
        for line in unit.read_text(encoding="utf-8").splitlines():
            if line.startswith("WantedBy="):
                wants = root / "etc/systemd/system" / f"{line.removeprefix('WantedBy=')}.wants"
                wants.mkdir(parents=True, exist_ok=True)
                (wants / unit.name).symlink_to(f"/etc/systemd/system/{unit.name}")


def _strip(root: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _normalise(root: Path, epoch_s: int) -> int:
    """Set every time stamp to the epoch; the mebibytes that the files occupy, rounded up.

    A folder is counted by its names: how large it says it is depends on the file system that it lies on here.
    """
    total_bytes = 0
    for folder, names, files in os.walk(root, topdown=False):
        total_bytes += _in_blocks(sum(_ENTRY_BYTES + len(os.fsencode(name)) for name in (*files, *names)) or 1)
        for name in (*files, *names):
            path = Path(folder, name)
            os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)
            if name in files or path.is_symlink():
                total_bytes += _in_blocks(path.lstat().st_size)
    os.utime(root, (epoch_s, epoch_s))
    return -(-total_bytes // (1024 * 1024))


def _in_blocks(size_bytes: int) -> int:
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
