"""SuperLink and SuperNode of the built image, under systemd, get another root; what they are lies on their own volumes.

A zone of zonebox with its nspawn driver, OneFlow and OneGate; the upgrade is the one of `federation upgrade`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyone
import pytest
import requests

from flower_federation.upgrading import Report, Request, upgrade_role
from pulumi_flower.control import ControlClient, Node, NodeState
from pulumi_flower.keys import parse_openssh
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone
from tests.appliance_support import b64, make_authority, superlink_values, supernode_values
from tests.control_support import operator
from tests.image_support import ADMIN, MARKS, ONEGATE_HOST, Appliance, appliance, require_tools, tool
from tests.patience import PATIENCE_S, wait_for
from zonebox.drivers.nspawn_network import NETNS, NspawnNetwork
from zonebox.drivers.nspawn_relay import enter
from zonebox.embedded import EmbeddedZone

pytestmark = [*MARKS, pytest.mark.flower]
__all__ = ["appliance"]

T = TypeVar("T")
SUPERLINK = "10.10.1.11"
ROLES = ("superlink", "supernode")
LABEL = "flower-state"


class Lab:
    """A service of one SuperLink and one SuperNode, each with a volume for its state."""

    def __init__(self, zone: EmbeddedZone, folder: Path, root: Path) -> None:
        self.zone, self.folder = zone, folder
        self.one: Any = pyone.OneServer(zone.endpoints.oned, session=zone.session, https_verify=str(zone.ca_file))
        self.authority = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
        self.root = root
        old, volume = self.image("old"), self.volume()
        self.network = self.one.vn.allocate(
            'NAME="n"\nVN_MAD="bridge"\nBRIDGE="onebr0"\nNETWORK_ADDRESS="10.10.1.0"\nNETWORK_MASK="255.255.255.0"\n'
            f'GATEWAY="{ADMIN}"\nAR=[TYPE="IP4", IP="{SUPERLINK}", SIZE="5"]',
            -1,
        )
        values = {
            "superlink": {
                **superlink_values(self.authority, "localhost", "127.0.0.1", SUPERLINK),
                "FL_ADMIN_NETWORKS": f"{ADMIN}/32",
            },
            "supernode": supernode_values(self.authority, f"{SUPERLINK}:9092"),
        }
        self.templates = {role: self.template(role, values[role], old, volume) for role in ROLES}
        roles = [
            {"name": role, "type": "vm", "template_id": self.templates[role], "cardinality": 1, "parents": parents}
            for role, parents in (("superlink", []), ("supernode", ["superlink"]))
        ]
        document = {"name": "pool", "deployment": "straight", "ready_status_gate": True, "roles": roles}
        made = self.flow("/service_template", document)
        action = {"action": {"perform": "instantiate", "params": {}}}
        self.service = self.flow(f"/service_template/{made}/action", action)

    def image(self, name: str) -> int:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"format": "zonebox-nspawn/1", "root": str(self.root)}))
        return self.register(f'NAME="{name}"\nTYPE="OS"\nPATH="{path}"\nFL_FLOWER_VERSION="1.41.0"')

    def volume(self) -> int:
        path = self.folder / "state.img"
        with path.open("wb") as file:
            file.truncate(64 << 20)
        tool("mkfs.ext4", "-q", "-L", LABEL, path)
        return self.register(f'NAME="state"\nTYPE="DATABLOCK"\nPATH="{path}"')

    def register(self, text: str) -> int:
        number: int = self.one.image.allocate(text, 1)
        wait_for(lambda: self.one.image.info(number).STATE == 1, "the image")
        return number

    def template(self, role: str, values: dict[str, str], image: int, volume: int) -> int:
        kept = {name: value for name, value in values.items() if name not in ("VMID", "ETH0_IP")}
        assert self.zone.ca_file is not None
        context = {**kept, "FL_STATE_VOLUME": LABEL, "FL_ONEGATE_CA": b64(self.zone.ca_file.read_text())}
        lines = ", ".join(f'{name}="{value}"' for name, value in {**context, "NETWORK": "YES", "TOKEN": "YES"}.items())
        address = f', IP="{SUPERLINK}"' if role == "superlink" else ""
        made: int = self.one.template.allocate(
            f'NAME="{role}"\nCPU="0.1"\nMEMORY="256"\nDISK=[IMAGE_ID="{image}"]\nDISK=[IMAGE_ID="{volume}"]\n'
            f'NIC=[NETWORK_ID="{self.network}"{address}]\nCONTEXT=[{lines}]'
        )
        return made

    def flow(self, path: str, body: Any) -> int:
        answer = requests.post(
            self.zone.endpoints.oneflow + path,
            json=body,
            auth=(self.zone.username, self.zone.password),
            verify=str(self.zone.ca_file),
            timeout=PATIENCE_S,
        )
        assert answer.ok, answer.text
        return int(answer.json()["DOCUMENT"]["ID"])

    def vm(self, role: str) -> Any:
        """The only VM of a role, once there is one."""
        found = [self.one.vm.info(vm.ID) for vm in self.one.vmpool.info(-2, -1, -1, -1).VM]
        return next((vm for vm in found if vm.USER_TEMPLATE.get("ROLE_NAME") == role), None)

    def wait_for(self, role: str, state: str) -> Any:
        def look() -> bool:
            told = {} if (vm := self.vm(role)) is None else vm.USER_TEMPLATE
            return (told.get("READY"), told.get("FL_STATE")) == ("YES", state)

        wait_for(look, f"the {role} to be READY and {state}")
        return self.vm(role)

    def control(self, call: Callable[[ControlClient], T]) -> T:
        """Call the SuperLink as an operator at the gateway of its network."""

        def work() -> T:
            enter(NETNS / self.zone.settings.switch)
            return call(ControlClient(f"{SUPERLINK}:9093", self.authority.pem, identity=operator()))

        # The thread stays in the namespace, so it is one of its own.
        with ThreadPoolExecutor(max_workers=1) as alone:
            return alone.submit(work).result()

    def upgrade(self, role: str, image: int) -> Report:
        disks = self.one.template.info(self.templates[role]).TEMPLATE["DISK"]
        text = f'DISK=[IMAGE_ID="{image}"]\nDISK=[IMAGE_ID="{disks[1]["IMAGE_ID"]}"]'
        self.one.template.update(self.templates[role], text, 1)
        settings = ZoneSettings(
            endpoint=self.zone.endpoints.oned,
            flow_endpoint=self.zone.endpoints.oneflow,
            username=self.zone.username,
            password=self.zone.password,
            ca_file=str(self.zone.ca_file),
        )
        return asyncio.run(upgrade_role(Zone(settings), Request(service_id=self.service, role=role), print))

    def written(self, vm: Any) -> list[Path]:
        """What the guest's own root has of keys and database: nothing, while they are on its volume."""
        folder = self.zone.settings.state / "vms" / str(vm.ID)
        return [path for name in ("*.key", "state.db") for path in folder.glob(f"disk.*/upper/**/{name}")]


@pytest.fixture
def switch() -> Iterator[str]:
    """A network of the test's own; its zone, which is stopped before, has taken its guests from it."""
    require_tools()
    name = f"zbtest{uuid.uuid4().hex[:6]}"
    yield name
    asyncio.run(NspawnNetwork("zone1", switch=name).remove_switch())


@pytest.fixture
def lab(switch: str, zonebox_factory: Callable[..., EmbeddedZone], tmp_path: Path, appliance: Appliance) -> Lab:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    zone = zonebox_factory(driver="nspawn", switch=switch, onegate_host=ONEGATE_HOST, shares={"/srv/data": data})
    return Lab(zone, tmp_path, appliance.root)


def known(nodes: list[Node]) -> list[tuple[Any, ...]]:
    return [(node.node_id, node.name, node.key) for node in nodes]


def test_registrations_and_keys_are_on_volumes_and_outlive_the_images(lab: Lab) -> None:
    lab.wait_for("superlink", "online")
    node = lab.wait_for("supernode", "waiting")
    line = base64.b64decode(node.USER_TEMPLATE["FL_NODE_PUBKEY"]).decode()
    lab.control(lambda client: client.register_node(parse_openssh(line), "berlin/supernode-0"))
    lab.wait_for("supernode", "online")
    before = known(lab.control(ControlClient.list_nodes))
    new = lab.image("new")

    for role in ROLES:
        report = lab.upgrade(role, new)
        assert (len(report.done), report.rolled_back) == (1, {})

    lab.wait_for("superlink", "online")
    after = lab.wait_for("supernode", "online")
    assert after.USER_TEMPLATE["FL_NODE_PUBKEY"] == node.USER_TEMPLATE["FL_NODE_PUBKEY"]
    nodes = lab.control(ControlClient.list_nodes)
    assert known(nodes) == before
    assert [each.state for each in nodes] == [NodeState.ONLINE]
    for role in ROLES:
        vm = lab.vm(role)
        assert {disk["IMAGE"] for disk in vm.TEMPLATE["DISK"]} == {"new", "state"}
        assert lab.written(vm) == []
        folder = lab.zone.settings.state / "vms" / str(vm.ID)
        assert len(list(folder.glob("disk.*/upper"))) == 1, "what was written to the old image is gone"
