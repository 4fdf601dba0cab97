"""OneGate replayed: every recorded request with its recorded token, each answer compared as text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.zonebox_services_support import DATA, FakeZone, recordings
from zonebox.onegate import token
from zonebox.onegate.http import create_app

ROWS = recordings("onegate")
ZONE: dict[str, Any] = json.loads((DATA / "onegate/zone.json").read_text())


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> FakeZone:
    """The VMs and services of the recorded front-end, as they were when it was asked."""
    zone = FakeZone()
    monkeypatch.setattr(zone.machines, "token_password", lambda uid: ZONE["token_password"])
    state = json.loads(json.dumps(ZONE))
    zone.machines.vms = {int(id_): vm for id_, vm in state["vms"].items()}
    zone.documents.stored = {int(id_): document for id_, document in state["services"].items()}
    return zone


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['row']}-{row['method']}-{row['path']}")
async def test_a_recorded_request_is_answered_as_recorded(zone: FakeZone, row: dict[str, Any]) -> None:
    # Row 18 deletes what row 8 had written.
    if row["row"] == 18:
        zone.machines.vms[16]["USER_TEMPLATE"]["A"] = "hello world"
    sent = {"X-ONEGATE-TOKEN": row["token"], "X-ONEGATE-VMID": row["vm_id"], "Host": "127.0.0.1:5030"}
    headers = {key: value for key, value in sent.items() if value is not None}
    async with TestClient(TestServer(create_app(zone))) as client:
        response = await client.request(row["method"], row["path"], data=row["request"] or None, headers=headers)
        text = await response.text()
    assert (response.status, response.headers["Content-Type"], text) == (
        row["status"],
        row["content_type"],
        row["text"],
    )


def test_the_recordings_hold_every_route_that_the_replay_claims() -> None:
    routes = {(row["method"], row["path"].partition("?")[0]) for row in ROWS}
    assert routes >= {
        ("GET", "/"),
        ("GET", "/vm"),
        ("PUT", "/vm"),
        ("GET", "/service"),
        ("GET", "/vms/23"),
        ("PUT", "/vms/23"),
        ("PUT", "/service/role/supernode"),
        ("GET", "/foo"),
    }
    assert len(ROWS) == 33


@pytest.mark.parametrize("row", [row for row in ROWS if row["token"]], ids=lambda row: str(row["row"]))
def test_a_token_made_for_a_recorded_vm_is_the_recorded_one(row: dict[str, Any]) -> None:
    start_time_s = int(ZONE["vms"][row["vm_id"]]["STIME"])
    assert token.issue(int(row["vm_id"]), start_time_s, ZONE["token_password"]) == row["token"]
