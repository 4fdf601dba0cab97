"""The table of roles against the Flower that the gateway stands in front of."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from flower_appliance.roles import CALLS, CONTROL_PREFIX
from tests.appliance_support import FLOWER_BIN
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]

PROBE = """
import json, sys
from flwr.proto import control_pb2
from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES
from flwr.superlink.routers.control.router import router
def integers(message):
    return {f.name: f.number for f in message.DESCRIPTOR.fields if f.type == f.TYPE_UINT64}
requests = {path: kind for (_, path), kind in PROTOBUF_REQUEST_TYPES.items()}
def answer(kind):
    return getattr(control_pb2, kind.__name__.removesuffix("Request") + "Response", None)
answers = {path: answer(kind) for path, kind in requests.items()}
print(json.dumps({
    "methods": sorted({method for route in router.routes for method in route.methods}),
    "calls": {
        route.path: {"request": integers(requests[route.path]), "answer": integers(answers[route.path])}
        for route in router.routes
    },
}))
"""


@pytest.fixture(scope="module")
def flower() -> Any:
    environment = {"PATH": f"{FLOWER_BIN}:/usr/bin:/bin", "FLWR_TELEMETRY_ENABLED": "0", "HOME": "/nonexistent"}
    done = subprocess.run(
        [str(FLOWER_BIN / "python"), "-c", PROBE], env=environment, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_table_names_every_call_of_flowers_control_api_and_no_other(flower: Any) -> None:
    assert {call.path for call in CALLS.values()} == set(flower["calls"])
    assert all(path.startswith(CONTROL_PREFIX) for path in flower["calls"])
    assert flower["methods"] == ["POST"]


def test_identifiers_are_read_from_the_fields_that_flower_puts_them_in(flower: Any) -> None:
    for call in CALLS.values():
        known = flower["calls"][call.path]
        for wanted, fields in ((call.request_ids, known["request"]), (call.answer_ids, known["answer"])):
            for name, number in wanted.items():
                assert fields[f"{name}_id"] == number, call.name


def test_every_call_that_names_a_run_or_a_node_by_its_only_id_is_audited_with_it(flower: Any) -> None:
    for call in CALLS.values():
        fields = flower["calls"][call.path]["request"]
        for name in ("run", "node"):
            # ListRuns takes one as a filter, and nodes of other federations are not ours.
            if f"{name}_id" in fields and call.name not in ("list-runs", "remove-node-from-federation"):
                assert name in call.request_ids, call.name
