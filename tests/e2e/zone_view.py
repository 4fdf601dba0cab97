"""A zone as its administrator sees it: oned, OneFlow, OneGate. Read-only; it shares no code with the provider."""

from __future__ import annotations

import ssl
import xmlrpc.client
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import requests

from flower_federation.zones import EmbeddedZone
from tests.e2e_support import parent_of, processes_of
from tests.patience import PATIENCE_S

_POOLS = {"imagepool": "IMAGE", "vnpool": "VNET", "templatepool": "VMTEMPLATE", "secgrouppool": "SECURITY_GROUP"}
_EVERY = (-2, -1, -1)
_NOT_DONE = -1


class ZoneView:
    """Reads one zone.

    Args:
        zone: the zone; it must answer.
    """

    def __init__(self, zone: EmbeddedZone) -> None:
        self.zone = zone
        self.ca_file = zone.state / "ca.crt"
        self.session = (zone.state / "one_auth").read_text().strip()
        context = ssl.create_default_context(cafile=str(self.ca_file))
        self._oned = xmlrpc.client.ServerProxy(f"https://{zone.address}:2633/RPC2", context=context)

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self.session.partition(":")[2]

    def call(self, method: str, *arguments: Any) -> str:
        """One call of oned that must succeed; its answer, XML as a rule."""
        answer = getattr(self._oned, f"one.{method}")(self.session, *arguments)
        assert answer[0] is True, f"{self.zone.name}: {method}{arguments}: {answer[1]}"
        return str(answer[1])

    def pool(self, method: str, *arguments: int) -> list[ElementTree.Element]:
        """The objects of a pool."""
        return list(ElementTree.fromstring(self.call(f"{method}.info", *arguments)))

    def vms(self) -> dict[int, str]:
        """Names of VMs that are not DONE."""
        return _names(self.pool("vmpool", *_EVERY, _NOT_DONE))

    def flow(self, path: str) -> Any:
        """What OneFlow answers; texts are what it sent."""
        user, _, password = self.session.partition(":")
        answer = requests.get(
            f"https://{self.zone.address}:2474{path}",
            auth=(user, password),
            verify=str(self.ca_file),
            timeout=PATIENCE_S,
        )
        assert answer.ok, f"{self.zone.name}: GET {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def documents(self, path: str) -> dict[int, Mapping[str, Any]]:
        """Services or service templates, whole, by id."""
        pool = self.flow(path).get("DOCUMENT_POOL") or {}
        return {int(document["ID"]): document for document in pool.get("DOCUMENT") or []}

    def objects(self) -> dict[str, dict[int, str]]:
        """Names of everything that a stack can make, by kind and id."""
        found = {pool: _names(self.pool(pool, *_EVERY)) for pool in _POOLS}
        found["vms"] = self.vms()
        for path in ("/service", "/service_template"):
            found[path] = {id_: str(document["NAME"]) for id_, document in self.documents(path).items()}
        return found

    def content(self) -> dict[str, str]:
        """Everything that only an operator changes, word for word: what VMs write of themselves is left out."""
        found = {pool: self.call(f"{pool}.info", *_EVERY) for pool in _POOLS}
        found["vms"] = "".join(
            f"{vm.findtext('ID')} {vm.findtext('NAME')} {vm.findtext('STATE')} {vm.findtext('DEPLOY_ID')}\n"
            for vm in self.pool("vmpool", *_EVERY, _NOT_DONE)
        )
        found["/service_template"] = str(self.documents("/service_template"))
        found["/service"] = "".join(
            f"{id_} {document['NAME']} {document['TEMPLATE']['BODY']['state']} {_sizes(document)}\n"
            for id_, document in self.documents("/service").items()
        )
        return found

    def guest(self, vm_id: int) -> Path:
        """A VM's root folder."""
        return self.zone.state / "vms" / str(vm_id) / "root"

    def processes(self, vm_id: int, part: str) -> dict[int, str]:
        """A VM's processes whose command line contains `part`.

        A child that is about to become another program looks like its parent for a moment, and is left out.
        """
        folder = self.zone.state / "vms" / str(vm_id)
        found = {pid: command for pid, command in processes_of(folder).items() if part in command}
        return {pid: command for pid, command in found.items() if found.get(parent_of(pid)) != command}

    def onegate_answers(self) -> Iterator[tuple[str, str]]:
        """Every view of every VM with a token: itself, its service in short and in full, each sibling."""
        for service in self.documents("/service").values():
            body = service["TEMPLATE"]["BODY"]
            ids = [int(node["deploy_id"]) for role in body["roles"] for node in role.get("nodes") or []]
            for vm_id in ids:
                token = (self.zone.state / "vms" / str(vm_id) / "context" / "token.txt").read_text().strip()
                for path in ("/vm", "/service", "/service?extended=true", *(f"/vms/{other}" for other in ids)):
                    answer = requests.get(
                        f"https://{self.zone.address}:5030{path}",
                        headers={"X-ONEGATE-TOKEN": token, "X-ONEGATE-VMID": str(vm_id)},
                        verify=str(self.ca_file),
                        timeout=PATIENCE_S,
                    )
                    assert answer.ok, f"{self.zone.name}: OneGate {path}: {answer.status_code} {answer.text}"
                    yield f"OneGate of {self.zone.name}, VM {vm_id}, {path}", answer.text


def _names(objects: list[ElementTree.Element]) -> dict[int, str]:
    return {int(item.findtext("ID") or ""): item.findtext("NAME") or "" for item in objects}


def _sizes(service: Mapping[str, Any]) -> dict[str, int]:
    return {role["name"]: int(role["cardinality"]) for role in service["TEMPLATE"]["BODY"]["roles"]}
