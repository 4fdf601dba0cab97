"""Who configures a guest from its CONTEXT: cloud-init, unless one-context is there. Nothing is built."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flower_federation.imaging import rootfs

OVERLAY = Path(rootfs.__file__).parent / "overlay"


@pytest.mark.parametrize("has_one_context", [True, False])
def test_cloud_init_is_off_exactly_where_one_context_is_there(tmp_path: Path, has_one_context: bool) -> None:
    (tmp_path / "etc/cloud").mkdir(parents=True)
    if has_one_context:
        (tmp_path / rootfs.ONE_CONTEXT).parent.mkdir(parents=True)
        (tmp_path / rootfs.ONE_CONTEXT).touch()
    rootfs.choose_contextualisation(tmp_path)
    # cloud-init's generator looks for exactly this file (cloud-init 25.1, ds-identify and cloud-init-generator).
    assert (tmp_path / "etc/cloud/cloud-init.disabled").exists() is has_one_context


def test_cloud_init_asks_the_context_and_no_other_source_and_takes_no_password() -> None:
    settings = yaml.safe_load((OVERLAY / "etc/cloud/cloud.cfg.d/90-opennebula.cfg").read_text(encoding="utf-8"))
    assert settings["datasource_list"] == ["OpenNebula", "None"]
    assert settings["ssh_pwauth"] is False


def test_the_appliance_waits_for_whichever_of_the_two_configures_the_network() -> None:
    unit = (OVERLAY / "etc/systemd/system/flower-appliance.service").read_text(encoding="utf-8")
    (after,) = [line.removeprefix("After=").split() for line in unit.splitlines() if line.startswith("After=")]
    assert {"network-online.target", "cloud-config.target", "one-context-local.service"} <= set(after)
