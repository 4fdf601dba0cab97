"""OneFlow, OneGate and the process driver in a whole zone: over HTTP, with guests that talk back, and through kills."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import requests

from tests.patience import PATIENCE_S, eventually
from tests.zonebox_support import call, client, running_zone, start_process, zone_process
from zonebox.drivers import process_table
from zonebox.drivers.process import ProcessDriver

GUEST = """
import os, signal, sys, time, urllib.request
context = {}
for line in open(os.environ["VM_CONTEXT"] + "/context.sh"):
    key, _, value = line.strip().partition("=")
    context[key] = value[1:-1]
open("context", "w").write(repr(context))
token = open(os.environ["VM_CONTEXT"] + "/token.txt").read()
body = "READY=YES\\nSAW=" + context.get("UP", "nothing")
request = urllib.request.Request(context["ONEGATE_ENDPOINT"] + "/vm", body.encode(), method="PUT")
request.add_header("X-ONEGATE-TOKEN", token)
request.add_header("X-ONEGATE-VMID", context["VMID"])
urllib.request.urlopen(request).read()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(600)
"""


class Flow:
    """A client of a zone's OneFlow and oned."""

    def __init__(self, zone: Any) -> None:
        self.base = zone.endpoints.oneflow
        self.oned = client(zone)
        user, _, password = zone.session.partition(":")
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """One request."""
        data = None if body is None else json.dumps(body)
        return requests.request(method, self.base + path, data=data, headers=self.headers, timeout=PATIENCE_S)

    def body(self, service: int) -> dict[str, Any]:
        """BODY of a service; {} where it is gone."""
        answer = self.ask("GET", f"/service/{service}")
        return {} if answer.status_code == 404 else answer.json()["DOCUMENT"]["TEMPLATE"]["BODY"]

    def create(self, *roles: dict[str, Any], **service: Any) -> int:
        """A service of these roles; its id."""
        template = {"name": "s", "deployment": "straight", "roles": list(roles), **service}
        made = self.ask("POST", "/service_template", template)
        assert made.status_code == 201, made.text
        path = f"/service_template/{made.json()['DOCUMENT']['ID']}/action"
        started = self.ask("POST", path, {"action": {"perform": "instantiate"}})
        assert started.status_code == 201, started.text
        return int(started.json()["DOCUMENT"]["ID"])

    def vm_template(self, text: str) -> int:
        """A VM template; its id."""
        return int(self.oned.template.allocate(text))

    def vms(self) -> list[Any]:
        """All VMs that are not done."""
        return list(self.oned.vmpool.info(-2, -1, -1, -1).VM)


async def _state(flow: Flow, service: int, state: int | None) -> dict[str, Any]:
    """Wait until a service is in a state, None for gone; its BODY."""

    async def reached() -> dict[str, Any] | None:
        body = await call(flow.body, service)
        return (body or {"gone": True}) if body.get("state") == state else None

    found: dict[str, Any] = await eventually(reached, f"service {service} in state {state}")
    return found


def _role(name: str, template: int, cardinality: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "vm", "template_id": template, "cardinality": cardinality, **more}


async def test_a_role_adds_to_the_context_of_its_vm_template(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        flow = Flow(zone)
        template = await call(
            flow.vm_template, 'NAME="t"\nCPU="0.1"\nMEMORY="64"\nCONTEXT=[TOKEN="YES",KEEP="1",CHANGE="old"]'
        )
        contents = {"CONTEXT": {"CHANGE": "new", "MORE": "2"}, "MEMORY": 128}
        service = await call(flow.create, _role("a", template, template_contents=contents))
        body = await _state(flow, service, 2)
        vm = zone.machines.info(body["roles"][0]["nodes"][0]["deploy_id"])
    context = vm["TEMPLATE"]["CONTEXT"]
    assert [context[key] for key in ("TOKEN", "KEEP", "CHANGE", "MORE")] == ["YES", "1", "new", "2"]
    assert vm["TEMPLATE"]["MEMORY"] == "128"
    assert vm["USER_TEMPLATE"] == {"ROLE_NAME": "a", "SERVICE_ID": str(service)}


async def test_a_vm_that_fails_to_boot_fails_its_service_and_recover_mends_both(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        zone.driver.refusals["a_0_(service_1)"] = "no such program"  # type: ignore[attr-defined]
        flow = Flow(zone)
        template = await call(flow.vm_template, 'NAME="t"\nCPU="0.1"\nMEMORY="64"')
        service = await call(flow.create, _role("a", template))
        await _state(flow, service, 7)
        zone.driver.refusals.clear()  # type: ignore[attr-defined]
        answer = await call(flow.ask, "POST", f"/service/{service}/action", {"action": {"perform": "recover"}})
        assert answer.status_code == 204
        await _state(flow, service, 2)


async def test_a_service_scales_and_goes(tmp_path: Path) -> None:
    async with running_zone(tmp_path) as zone:
        flow = Flow(zone)
        template = await call(flow.vm_template, 'NAME="t"\nCPU="0.1"\nMEMORY="64"')
        service = await call(flow.create, _role("a", template, 2, cooldown=0), _role("b", template, 1, parents=["a"]))
        await _state(flow, service, 2)
        for cardinality in (4, 1):
            scale = {"role_name": "a", "cardinality": cardinality, "force": False}
            assert (await call(flow.ask, "POST", f"/service/{service}/scale", scale)).status_code == 204
            body = await _state(flow, service, 2)
            assert len(body["roles"][0]["nodes"]) == cardinality
        assert (await call(flow.ask, "DELETE", f"/service/{service}")).status_code == 204
        await _state(flow, service, None)
        assert zone.model.vms.alive() == []


def _image(tmp_path: Path) -> str:
    path = tmp_path / "guest.json"
    command = [sys.executable, "-I", "-c", GUEST]
    path.write_text(json.dumps({"format": "zonebox-process/1", "command": command, "environment": {}}))
    return str(path)


async def test_guests_say_ready_through_onegate_and_children_learn_their_parents_address(tmp_path: Path) -> None:
    async with running_zone(tmp_path, driver=ProcessDriver()) as zone:
        flow = Flow(zone)
        network = zone.settings.address.rsplit(".", 2)
        prefix = f"{network[0]}.{int(network[1]) + 1}"
        vnet = await call(
            flow.oned.vn.allocate,
            f'NAME="n"\nVN_MAD="dummy"\nBRIDGE="br0"\nAR=[TYPE="IP4",IP="{prefix}.10",SIZE="20"]',
            -1,
        )
        image = await call(flow.oned.image.allocate, f'NAME="i"\nPATH="{_image(tmp_path)}"\nTYPE="OS"\nSIZE="1"', 1)
        await eventually(lambda: zone.store.view("image", image)["STATE"] == "1", "the image is ready")  # type: ignore[index]
        template = await call(
            flow.vm_template,
            f'NAME="t"\nCPU="0.1"\nMEMORY="64"\nDISK=[IMAGE_ID="{image}"]\nCONTEXT=[TOKEN="YES",NETWORK="YES"]',
        )
        nic = {"NIC": [{"NETWORK_ID": str(vnet)}]}
        up = {**nic, "CONTEXT": {"UP": "${first.TEMPLATE.CONTEXT.ETH0_IP}"}}
        roles = (
            _role("first", template, template_contents=nic),
            _role("second", template, 2, parents=["first"], template_contents=up),
        )
        service = await call(lambda: flow.create(*roles, ready_status_gate=True))
        body = await _state(flow, service, 2)
        ids = [node["deploy_id"] for item in body["roles"] for node in item["nodes"]]
        saw = [zone.machines.info(vm_id)["USER_TEMPLATE"]["SAW"] for vm_id in ids]
        assert saw == ["nothing", f"{prefix}.10", f"{prefix}.10"]
        guest = json.loads((zone.executor.folder(ids[0]) / "guest.json").read_text())
        process_table.send(guest["pid"], signal.SIGKILL, guest["mark"])
        await _state(flow, service, 4)
        await call(flow.oned.vm.action, "resume", ids[0])
        await _state(flow, service, 2)
        marks = [json.loads((zone.executor.folder(vm_id) / "guest.json").read_text())["mark"] for vm_id in ids]
        assert all(list(process_table.carriers(mark)) for mark in marks)
        await call(flow.ask, "DELETE", f"/service/{service}")
        await _state(flow, service, None)
        assert [list(process_table.carriers(mark)) for mark in marks] == [[], [], []]


def test_a_zone_killed_while_it_deploys_finishes_the_service_without_a_stray_vm(tmp_path: Path) -> None:
    with zone_process(tmp_path) as zone:
        flow = Flow(zone)
        template = flow.vm_template('NAME="t"\nCPU="0.1"\nMEMORY="64"')
        service = flow.create(_role("a", template, 20), _role("b", template, 20, parents=["a"]))
        end = time.monotonic() + PATIENCE_S
        while not flow.vms():
            assert time.monotonic() < end
        zone.kill()
        again = start_process(zone.settings)
        try:
            flow = Flow(again)
            body = asyncio.run(_state(flow, service, 2))
            known = {node["deploy_id"] for item in body["roles"] for node in item["nodes"]}
            assert known == {vm.ID for vm in flow.vms()}
            assert len(known) == 40
            names = [vm.NAME for vm in flow.vms()]
            assert len(set(names)) == 40
            assert all(re.fullmatch(rf"[ab]_\d+_\(service_{service}\)", name) for name in names)
        finally:
            again.end()
