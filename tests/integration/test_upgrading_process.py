"""A SuperNode of the real appliance, in a process VM, gets another image and stays the node that it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyone
import pytest
import requests

from flower_appliance.image import process_image
from flower_federation.upgrading import Report, Request, upgrade_role
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone
from tests.appliance_support import FLOWER_BIN, REPOSITORY, b64, free_network, make_authority, supernode_values
from tests.https_site import Site
from tests.patience import PATIENCE_S, wait_for
from zonebox.embedded import EmbeddedZone

pytestmark = pytest.mark.flower


def test_a_node_keeps_its_key_and_partition_through_an_upgrade(
    zonebox_factory: Callable[..., EmbeddedZone], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    zone = zonebox_factory(driver="process", shares={"/srv/data": data})
    one: Any = pyone.OneServer(zone.endpoints.oned, session=zone.session, https_verify=str(zone.ca_file))
    authority = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    # It stands in for the SuperLink in the check of its handshake: the node waits to be enrolled, as READY does.
    site = Site(authority, tmp_path)
    try:
        images = [image(one, tmp_path, name) for name in ("old", "new")]
        prefix = free_network()
        network = one.vn.allocate(
            f'NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"\nAR=[TYPE="IP4", IP="{prefix}.2", SIZE="3"]', -1
        )
        values = supernode_values(authority, site.address)
        del values["VMID"], values["ETH0_IP"]
        assert zone.ca_file is not None
        context = {**values, "FL_ONEGATE_CA": b64(zone.ca_file.read_text()), "NETWORK": "YES", "TOKEN": "YES"}
        lines = ", ".join(f'{name}="{value}"' for name, value in context.items())
        template = one.template.allocate(
            f'NAME="node"\nCPU="0.1"\nMEMORY="64"\nDISK=[IMAGE_ID="{images[0]}"]\nNIC=[NETWORK_ID="{network}"]\n'
            f"CONTEXT=[{lines}]"
        )
        service = start(zone, template)
        before = ready(one)
        one.template.update(template, f'DISK=[IMAGE_ID="{images[1]}"]', 1)
        report = upgrade(zone, service)
        after = ready(one)
        assert report.done == [before.NAME] == [after.NAME]
        assert after.TEMPLATE["DISK"]["IMAGE"] == "new"
        for name in ("FL_NODE_PUBKEY", "FL_VERSION"):
            assert after.USER_TEMPLATE[name] == before.USER_TEMPLATE[name]
        assert after.TEMPLATE["NIC"]["IP"] == before.TEMPLATE["NIC"]["IP"]
        console = (zone.settings.state / "vms" / str(after.ID) / "console.log").read_text()
        assert console.count("plan for a supernode: wrote") >= 2, "it booted again"
    finally:
        site.close()


def image(one: Any, folder: Path, name: str) -> int:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src")))
    number: int = one.image.allocate(f'NAME="{name}"\nTYPE="OS"\nPATH="{path}"\nFL_FLOWER_VERSION="1.41.0"', 1)
    wait_for(lambda: one.image.info(number).STATE == 1, "the image")
    return number


def start(zone: EmbeddedZone, template: int) -> int:
    def post(path: str, body: Any) -> int:
        answer = requests.post(
            zone.endpoints.oneflow + path,
            json=body,
            auth=(zone.username, zone.password),
            verify=str(zone.ca_file),
            timeout=PATIENCE_S,
        )
        assert answer.ok, answer.text
        return int(answer.json()["DOCUMENT"]["ID"])

    role = {"name": "supernode", "type": "vm", "template_id": template, "cardinality": 1}
    made = post(
        "/service_template", {"name": "p", "deployment": "straight", "ready_status_gate": True, "roles": [role]}
    )
    return post(f"/service_template/{made}/action", {"action": {"perform": "instantiate", "params": {}}})


def ready(one: Any) -> Any:
    def look() -> bool:
        vms = one.vmpool.info(-2, -1, -1, -1).VM
        return bool(vms) and one.vm.info(vms[0].ID).USER_TEMPLATE.get("READY") == "YES"

    wait_for(look, "READY")
    return one.vm.info(one.vmpool.info(-2, -1, -1, -1).VM[0].ID)


def upgrade(zone: EmbeddedZone, service: int) -> Report:
    settings = ZoneSettings(
        endpoint=zone.endpoints.oned,
        flow_endpoint=zone.endpoints.oneflow,
        username=zone.username,
        password=zone.password,
        ca_file=str(zone.ca_file),
    )
    request = Request(service_id=service, role="supernode", ready_timeout_s=60, step_timeout_s=60)
    return asyncio.run(upgrade_role(Zone(settings), request, lambda _: None))
