"""The demo on containers: its stack files, its zones' options, and what it refuses. Nothing is started."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from flower_federation.demo_containers import Containers, check_machine, container_document, make_project
from flower_federation.environment import Layout
from flower_federation.errors import MachineError
from flower_federation.stacks import read_stack_files
from flower_federation.zones import EmbeddedZone, embedded_zones, start_arguments
from tests.infra_support import PROJECT


def stack(name: str) -> dict[str, Any]:
    found = container_document(yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{name}.yaml").read_text()))
    return {key.removeprefix("flower-federation:"): value for key, value in found["config"].items()}


def test_the_centre_moves_to_an_address_that_a_container_can_have_with_its_zones_and_its_admin_network() -> None:
    centre = stack("madrid-central")
    assert centre["network"] == {"cidr": "10.10.1.0/24", "first": "10.10.1.10", "size": 10, "gateway": "10.10.1.1"}
    assert centre["superlink"]["address"] == "10.10.1.10"
    assert centre["superlink"]["memoryMb"] == 1024
    assert centre["adminNetworks"] == ["10.10.1.1/32"]
    assert [zone["networks"] for zone in centre["zones"]] == [["10.20.1.0/24"], ["10.30.1.0/24"]]


def test_endpoints_stay_and_the_image_is_the_qcow2() -> None:
    zone = stack("berlin-hospital")
    assert zone["endpoint"] == "https://127.20.0.1:2633/RPC2"
    assert zone["image"] == {"path": ".federation/images/flower-appliance.qcow2"}
    assert zone["data"] == {"path": "/srv/flower/data"}
    assert "superlink" not in zone


def test_nothing_but_addresses_image_and_admin_networks_differs_from_the_committed_file() -> None:
    committed = yaml.safe_load((PROJECT / "stacks" / "Pulumi.paris-lab.yaml").read_text())["config"]
    made = container_document({"config": committed})["config"]
    changed = {key.removeprefix("flower-federation:") for key in committed if committed[key] != made.get(key)}
    assert changed == {"network", "image"}
    assert set(made) == set(committed)


def test_the_project_is_made_beside_the_clone_and_made_again_from_changed_stack_files(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    file = tmp_path / "stacks" / "Pulumi.paris-lab.yaml"
    file.write_text((PROJECT / "stacks" / file.name).read_text())
    containers = Containers(clone=tmp_path)
    make_project(containers)
    file.write_text(file.read_text().replace("supernodes: 1", "supernodes: 2"))
    make_project(containers)
    made = containers.project / "stacks" / file.name
    assert made.read_text().startswith("# Made from stacks/Pulumi.paris-lab.yaml")
    assert yaml.safe_load(made.read_text())["config"]["flower-federation:supernodes"] == 2
    assert (containers.project / "infra").readlink() == tmp_path / "infra"
    (zone,) = embedded_zones(read_stack_files(containers.project), Layout(project=containers.project))
    assert zone.state == containers.project / ".federation" / "zones" / "paris"


def test_each_zone_has_a_onegate_address_of_its_own_on_the_clones_own_switch(tmp_path: Path) -> None:
    containers = Containers(clone=tmp_path)
    zone = EmbeddedZone(
        name="b", address=IPv4Address("127.20.0.1"), state=tmp_path, data_path=None,
        options=("--driver", "nspawn"),
    )  # fmt: skip
    options = containers.options(zone)
    assert options == ("--driver", "nspawn", "--switch", containers.switch, "--onegate-host", "169.254.16.20")
    assert start_arguments(Path("zonebox"), zone)[-2:] == ["--driver", "nspawn"]
    assert Containers(clone=tmp_path / "other").switch != containers.switch


def test_a_user_without_root_is_told_of_the_demo_that_needs_none() -> None:
    with pytest.raises(MachineError, match=r"user id 1000[\s\S]*without --driver"):
        check_machine(lambda _: "/bin/x", user_id=1000)


def test_missing_tools_are_named_with_the_command_that_installs_them() -> None:
    with pytest.raises(MachineError, match=r"systemd-container[\s\S]*scripts/image tools --install"):
        check_machine(lambda name: None if name == "systemd-nspawn" else "/bin/x", user_id=0)
