"""`/etc/one-appliance/service` of the marketplace's folder, in a process VM: its stages call the appliance itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flower_appliance.image import process_image
from flower_federation.imaging.oneapps import folder
from tests.appliance_support import (
    FLOWER_BIN,
    REPOSITORY,
    FakeOneGate,
    Vm,
    ask,
    free_network,
    make_authority,
    superlink_values,
    wait_until,
)
from tests.oneapps_support import APPLIANCE, PROJECT
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]

CA = make_authority(start=datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Vm]:
    """A VM with the appliance's files where the recipe brings them, and a Flower environment where install makes it."""
    output = tmp_path / "one-apps"
    folder.write(output, folder.files(PROJECT))
    with FakeOneGate(names={"1": "superlink_0_(service_3)"}) as onegate:
        made = Vm(tmp_path / "1", 1, f"{free_network()}.2", onegate)
        stages = made.root / "etc/one-appliance/service.d"
        stages.mkdir(parents=True)
        for name in ("appliance.sh", "facts.sh", "help.txt"):
            (stages / name).write_bytes((output / APPLIANCE / name).read_bytes())
        service = stages.parent / "service"
        service.write_bytes((output / APPLIANCE / "service").read_bytes())
        service.chmod(0o755)
        (made.root / "opt/flower").mkdir(parents=True)
        (made.root / "opt/flower/bin").symlink_to(FLOWER_BIN)
        (made.root / "context").symlink_to(made.folder / "context")
        try:
            yield made
        finally:
            made.stop()


def stage(vm: Vm, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    service = vm.root / "etc/one-appliance/service"
    return subprocess.run(
        [service, *argv], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def status(vm: Vm) -> str:
    return (vm.root / "etc/one-appliance/status").read_text().strip()


def test_a_superlink_is_configured_and_bootstrapped_to_ready(vm: Vm) -> None:
    values = {**superlink_values(CA, "localhost", vm.address), "FL_ADMIN_NETWORKS": "127.0.0.1/32"}
    vm.write_context(values)
    configured = stage(vm, "configure")
    assert configured.returncode == 0, configured.stderr
    assert configured.stdout.startswith("superlink of federation hospitals in zone berlin: flower-superlink.service")
    assert status(vm) == "configure_success"
    assert not (vm.root / "etc/flower").exists(), "configure wrote something"

    image = process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src")
    vm.start({**image, "command": [str(vm.root / "etc/one-appliance/service"), "bootstrap"]})
    attributes = vm.wait_for(READY="YES")
    assert attributes["FL_ENDPOINT"] == f"{vm.address}:9092"
    assert ask(CA, vm.address, 9092, "/health", method="GET")[0] == 200
    # READY is the appliance's word alone: one-context's own report waits for bootstrap_success.
    assert status(vm) == "bootstrap_started"

    # While it runs, the stage that a changed CONTEXT starts says what is wrong with it, and stops nothing.
    vm.write_context({**values, "FL_TLS_ENABLED": "NO"})
    refused = stage(vm, "configure")
    assert refused.returncode == 1
    assert "FL_TLS_ENABLED is 'NO'" in refused.stderr
    assert status(vm) == "configure_failure"
    assert values["FL_SERVER_KEY"] not in refused.stdout + refused.stderr
    assert wait_until(lambda: vm.pids("flower-superlink"), "the SuperLink is still there")


def test_what_is_no_stage_is_refused_and_help_says_what_there_is(vm: Vm) -> None:
    refused = stage(vm, "start")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "'start' is no stage; there are install, configure, bootstrap" in refused.stderr
    shown = stage(vm)
    assert shown.returncode == 0
    assert "FL_SUPERLINK_ADDRESS (supernode): " in shown.stdout
    assert not (vm.root / "etc/one-appliance/status").exists()


def test_a_machine_without_a_context_is_refused_by_configure(vm: Vm) -> None:
    refused = stage(vm, "configure")
    assert refused.returncode == 1
    assert "one of them must hold the CONTEXT" in refused.stderr
    assert status(vm) == "configure_failure"


def test_install_refuses_a_machine_that_is_not_the_recipes(vm: Vm) -> None:
    """This machine has no one-context; nothing must have been installed on it."""
    refused = stage(vm, "install")
    assert refused.returncode == 1
    assert "no /usr/sbin/one-contextd" in refused.stderr
    assert status(vm) == "install_failure"
