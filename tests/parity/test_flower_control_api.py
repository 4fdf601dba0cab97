"""Holds this project's description of the Control API to the flwr that the federation runs."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import Any

import pytest

from flower_appliance.version import FLOWER_VERSION
from pulumi_flower import control, messages, transport
from pulumi_flower.control import NodeState
from tests.flower_support import FLOWER_BIN

pytestmark = pytest.mark.flower

# Runs where flwr is installed; prints what this test compares.
_PROBE = r"""
import inspect, json, re, sys
from flwr.common.constant import Status, SubStatus
from flwr.proto import control_pb2, node_pb2, run_pb2
from flwr.supercore.constant import NodeStatus
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.protobuf import constants
from flwr.superlink.routers.control.router import router
from flwr.supercore.version import package_version

def field(f):
    entry = f.message_type is not None and f.message_type.GetOptions().map_entry
    target = f.message_type.fields_by_name["value"].message_type if entry else f.message_type
    return {"number": f.number, "kind": f.type, "optional": bool(f.has_presence) and f.message_type is None,
            "repeated": f.label == f.LABEL_REPEATED and not entry, "message": target.full_name if target else None,
            "map_of_uint64": bool(entry) and f.message_type.fields_by_name["key"].type == f.TYPE_UINT64}

found = {}
for module in (control_pb2, node_pb2, run_pb2):
    for name, message in module.DESCRIPTOR.message_types_by_name.items():
        found[message.full_name] = {f.name: field(f) for f in message.fields}
calls = re.findall(r'path="(\S+)",\s+rpc_method="/flwr.proto.Control/(\w+)"', inspect.getsource(ControlHttpClient))
json.dump({
    "version": package_version,
    "messages": found,
    "client_routes": {name: path for path, name in calls},
    "server_routes": [route.path for route in router.routes],
    "codes": {code.name: int(code) for code in ApiErrorCode},
    "media_types": [constants.PROTOBUF_MEDIA_TYPE, constants.PROTOBUF_STREAM_MEDIA_TYPE],
    "frame_header_bytes": constants.FRAME_HEADER_SIZE,
    "node_states": sorted(v for k, v in vars(NodeStatus).items() if k.isupper()),
    "finished": Status.FINISHED,
    "completed": SubStatus.COMPLETED,
}, sys.stdout)
"""


@cache
def flwr() -> dict[str, Any]:
    result = subprocess.run(
        [str(FLOWER_BIN / "python"), "-W", "ignore", "-c", _PROBE], capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_the_flwr_compared_with_is_the_one_that_the_federation_runs() -> None:
    assert flwr()["version"] == FLOWER_VERSION


@pytest.mark.parametrize("name", sorted(messages.MESSAGES))
def test_every_described_field_has_flwrs_number_type_and_presence(name: str) -> None:
    theirs = flwr()["messages"][f"{messages.PACKAGE}.{name}"]
    ours = {
        field_name: {
            "number": field.number,
            "kind": field.kind,
            "optional": field.optional,
            "repeated": field.repeated,
            "message": None if field.message is None else f"{messages.PACKAGE}.{field.message}",
            "map_of_uint64": field.map_of_uint64,
        }
        for field_name, field in messages.MESSAGES[name].items()
    }
    assert ours == {field_name: theirs[field_name] for field_name in ours}


def test_every_route_is_the_one_that_flwrs_client_calls_and_its_superlink_serves() -> None:
    assert {name: flwr()["client_routes"][name] for name in control.ROUTES} == control.ROUTES
    assert set(control.ROUTES.values()) <= set(flwr()["server_routes"])


def test_the_error_codes_that_decide_something_are_flwrs() -> None:
    codes = flwr()["codes"]
    assert codes["PUBLIC_KEY_ALREADY_IN_USE"] == control.PUBLIC_KEY_ALREADY_IN_USE
    assert codes["NODE_NOT_FOUND"] == control.NODE_NOT_FOUND
    assert codes["RUN_ID_NOT_FOUND"] == control.RUN_ID_NOT_FOUND


def test_media_types_and_framing_are_flwrs() -> None:
    assert flwr()["media_types"] == [transport.MEDIA_TYPE, transport.STREAM_MEDIA_TYPE]
    assert flwr()["frame_header_bytes"] == transport.FRAME_HEADER_BYTES


def test_every_state_of_a_node_and_the_end_of_a_run_are_named_as_in_flwr() -> None:
    assert sorted(state.value for state in NodeState) == flwr()["node_states"]
    run = control.Run(run_id=1, status=flwr()["finished"], sub_status=flwr()["completed"], details="")
    assert run.finished and run.label == "finished:completed"
