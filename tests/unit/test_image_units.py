"""The image's unit files, as systemd orders them: beside cloud-init, and beside OpenNebula's own contextualisation."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

UNITS = Path(str(resources.files("flower_federation.imaging"))) / "overlay/etc/systemd/system"
ONE_CONTEXT = {
    # The ordering of one-context 7.0; what they start does not matter here.
    "one-context-local.service": "DefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target\n",
    "one-context.service": "After=multi-user.target network-online.target one-context-local.service\n",
}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
@pytest.mark.parametrize("others", [{}, ONE_CONTEXT], ids=["cloud-init", "one-context"])
def test_systemd_finds_no_circle_in_the_units_so_that_it_drops_none_of_them(
    tmp_path: Path, others: dict[str, str]
) -> None:
    folder = tmp_path / "etc/systemd/system"
    shutil.copytree(UNITS, folder)
    for name, order in others.items():
        (folder / name).write_text(
            f"[Unit]\n{order}\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
        )
    wants = folder / "multi-user.target.wants"
    wants.mkdir()
    for unit in folder.glob("*.*"):
        if unit.is_file() and "WantedBy=multi-user.target" in unit.read_text():
            (wants / unit.name).symlink_to(f"../{unit.name}")
    for target in ("multi-user", "network-online", "network-pre", "basic", "sysinit", "shutdown", "umount"):
        (folder / f"{target}.target").write_text("[Unit]\nDescription=-\n")
    assert (wants / "flower-appliance.service").exists()

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", "multi-user.target"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "cycle" not in done.stderr
    assert "multi-user.target" not in done.stderr, "the unit itself was not read"
