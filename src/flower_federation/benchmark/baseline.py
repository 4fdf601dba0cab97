"""The baseline: the same ten objects made, read, scaled and removed by bare calls, one after another.

What somebody would write with pyone and requests who needs nothing else: no state, no differences, no checks; waits are
polls every tenth of a second. It is the least that a zone has to be asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyone
import requests

from flower_federation.benchmark.program import MORE_NODES, NODES
from flower_federation.benchmark.zone import BenchZone
from flower_federation.errors import ToolError

POLL_S = 0.1
DEADLINE_S = 60.0
READY_IMAGE, READY_NETWORK, RUNNING_SERVICE = 1, 1, 2
"""States by OpenNebula's numbers (pyone.IMAGE_STATES; network states since 6.0; OneFlow's service states)."""


class BareCalls:
    """The objects and the calls on them."""

    def __init__(self, zone: BenchZone) -> None:
        self._one: Any = pyone.OneServer(zone.oned, session=zone.session, https_verify=zone.ca)
        self._flow = requests.Session()
        self._flow.auth = (zone.username, zone.password)
        # With every request: a session's own gives way to REQUESTS_CA_BUNDLE.
        self._ca = zone.ca
        self._url = zone.oneflow
        self._ids: dict[str, int] = {}

    def up(self) -> None:
        """Make everything and wait until the service runs."""
        one, ids = self._one, self._ids
        rules = 'RULE=[PROTOCOL="ALL",RULE_TYPE="OUTBOUND"]\nRULE=[PROTOCOL="TCP",RULE_TYPE="INBOUND",RANGE="22"]'
        ids["group"] = one.secgroup.allocate(f'NAME="bare-group"\n{rules}')
        network = f'NAME="bare-network"\nVN_MAD="dummy"\nBRIDGE="br0"\nSECURITY_GROUPS="{ids["group"]}"'
        ids["network"] = one.vn.allocate(network, -1)
        self._until(lambda: one.vn.info(ids["network"]).STATE == READY_NETWORK, "the network")
        one.vn.add_ar(ids["network"], 'AR=[TYPE="IP4",IP="10.66.0.10",SIZE="50"]')
        for name in ("system", "data"):
            ids[name] = one.image.allocate(f'NAME="bare-{name}"\nTYPE="DATABLOCK"\nSIZE="16"', 1)
            self._until(lambda name=name: one.image.info(ids[name]).STATE == READY_IMAGE, "the image")  # type: ignore[misc]
        ids["placement"] = one.vmgroup.allocate('NAME="bare-placement"\nROLE=[NAME="node",POLICY="NONE"]')
        for role, image in (("front", "system"), ("node", "data")):
            text = f'CPU="0.1"\nVCPU="1"\nMEMORY="64"\nCONTEXT=[NETWORK="YES",ROLE="{role}"]\n'
            text += f'DISK=[IMAGE_ID="{ids[image]}"]\nNIC=[NETWORK_ID="{ids["network"]}"]'
            ids[role] = one.template.allocate(f'NAME="bare-{role}"\n{text}')
        ids["blueprint"] = self._document(self._send("POST", "/service_template", self._blueprint()))
        action = {"perform": "instantiate", "params": {"merge_template": self._extra()}}
        answer = self._send("POST", f"/service_template/{ids['blueprint']}/action", {"action": action})
        ids["service"] = self._document(answer)
        self._until(lambda: self._runs(NODES), "the service")

    def read(self) -> None:
        """Read every object once."""
        one, ids = self._one, self._ids
        one.secgroup.info(ids["group"])
        one.vn.info(ids["network"])
        one.vn.info(ids["network"])
        one.image.info(ids["system"])
        one.image.info(ids["data"])
        one.vmgroup.info(ids["placement"])
        one.template.info(ids["front"])
        one.template.info(ids["node"])
        self._send("GET", f"/service_template/{ids['blueprint']}")
        self._send("GET", f"/service/{ids['service']}")

    def scale(self) -> None:
        """Two more VMs, and wait until they run."""
        wanted = {"role_name": "node", "cardinality": MORE_NODES, "force": False}
        self._send("POST", f"/service/{self._ids['service']}/scale", wanted)
        self._until(lambda: self._runs(MORE_NODES), "the larger service")

    def destroy(self) -> None:
        """Remove everything, dependents first."""
        one, ids = self._one, self._ids
        self._send("DELETE", f"/service/{ids['service']}")
        self._until(lambda: self._get(f"/service/{ids['service']}").status_code == requests.codes.not_found, "the end")
        self._send("DELETE", f"/service_template/{ids['blueprint']}")
        one.template.delete(ids["front"], False)
        one.template.delete(ids["node"], False)
        one.vmgroup.delete(ids["placement"])
        for name in ("system", "data"):
            one.image.delete(ids[name], False)
        one.vn.delete(ids["network"])
        one.secgroup.delete(ids["group"])

    def close(self) -> None:
        """Close the connections."""
        self._flow.close()

    def _blueprint(self) -> dict[str, Any]:
        front = {"name": "front", "type": "vm", "cardinality": 1, "template_id": self._ids["front"]}
        node = {"name": "node", "type": "vm", "cardinality": 1, "min_vms": 0, "max_vms": 9, "cooldown": 1}
        return {
            "name": "bare-service",
            "deployment": "straight",
            "roles": [front, {**node, "parents": ["front"], "template_id": self._ids["node"]}],
        }

    def _extra(self) -> dict[str, Any]:
        front, node = self._blueprint()["roles"]
        return {"name": "bare-service", "roles": [front, {**node, "cardinality": NODES}]}

    def _runs(self, nodes: int) -> bool:
        body = self._send("GET", f"/service/{self._ids['service']}")["DOCUMENT"]["TEMPLATE"]["BODY"]
        sizes = {role["name"]: len(role.get("nodes") or []) for role in body["roles"]}
        return body["state"] == RUNNING_SERVICE and sizes == {"front": 1, "node": nodes}

    def _get(self, path: str) -> requests.Response:
        return self._flow.get(f"{self._url}{path}", timeout=30, verify=self._ca)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._flow.request(method, f"{self._url}{path}", json=body, timeout=30, verify=self._ca)
        answer.raise_for_status()
        return answer.json() if answer.content.strip() else None

    @staticmethod
    def _document(answer: Any) -> int:
        return int(answer["DOCUMENT"]["ID"])

    @staticmethod
    def _until(ready: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE_S
        while not ready():
            if time.monotonic() > end:
                raise ToolError(
                    given=f"{what} was not ready after {DEADLINE_S:g} s",
                    rule="the bare calls must do what the program does",
                    reason="otherwise there is nothing to compare with",
                    remedy="see the zone's log in the folder that scripts/bench --keep names",
                )
            time.sleep(POLL_S)
