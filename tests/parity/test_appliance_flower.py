"""What the appliance assumes about Flower, held against the Flower that it runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flower_appliance import liveness
from flower_appliance.enrolment import activation_request
from flower_appliance.gateway import FLEET_CALLS
from flower_appliance.plan import render_node_config
from flower_appliance.version import FLOWER_VERSION
from tests.appliance_support import FLOWER_BIN
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]

PROBE = """
import json, sys
from pathlib import Path
import flwr
from flwr.common.config import parse_config_args
from flwr.common.constant import TIMESTAMP_HEADER
from flwr.proto.fleet_pb2 import ActivateNodeRequest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.version import package_version
from flwr.superlink.routers.fleet.router import router
wanted = json.loads(sys.argv[1])
folder = Path(flwr.__file__).parent
request = ActivateNodeRequest.FromString(bytes.fromhex(wanted["request"]))
print(json.dumps({
    "version": package_version,
    "calls": sorted(route.path.rsplit("/", 1)[1] for route in router.routes),
    "headers": sorted([TIMESTAMP_HEADER, FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER]),
    "codes": [ApiErrorCode.FLEET_INVALID_HEARTBEAT_INTERVAL, ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED],
    "config": parse_config_args([wanted["config"]]),
    "request": [request.public_key.decode(), request.heartbeat_interval],
    "supernode": (folder / "supernode/start_client_internal.py").read_text(),
    "retry": (folder / "supercore/retry/http_retry.py").read_text(),
}))
"""
CONFIG: dict[str, str | int] = {"partition-id": 1002, "data-path": "/srv/my data", "zone": "berlin", "note": "it's"}


@pytest.fixture(scope="module")
def flower() -> Any:
    wanted = {"config": render_node_config(CONFIG), "request": activation_request(b"key" * 70).hex()}
    environment = {"PATH": f"{FLOWER_BIN}:/usr/bin:/bin", "FLWR_TELEMETRY_ENABLED": "0", "HOME": "/nonexistent"}
    done = subprocess.run(
        [str(FLOWER_BIN / "python"), "-c", PROBE, json.dumps(wanted)],
        env=environment,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


def test_the_version_constant_is_that_of_the_environment(flower: Any) -> None:
    assert flower["version"] == FLOWER_VERSION


def test_the_gateway_lists_every_fleet_call_except_self_registration(flower: Any) -> None:
    assert set(flower["calls"]) - set(FLEET_CALLS) == {"register-node", "unregister-node"}
    assert set(FLEET_CALLS) <= set(flower["calls"])


def test_flower_reads_our_node_configuration(flower: Any) -> None:
    assert flower["config"] == CONFIG


def test_flower_reads_our_enrolment_question_as_an_activation_without_interval(flower: Any) -> None:
    assert flower["request"] == ["key" * 70, 0.0]
    assert flower["codes"] == [2003, 2004]
    assert flower["headers"] == ["flwr-public-key", "flwr-signature", "flwr-timestamp"]


def test_flower_prints_the_lines_that_the_online_state_is_read_from(flower: Any) -> None:
    source = Path(liveness.__file__).read_text()
    for phrase, where in (
        ("SuperNode ID: ", "supernode"),
        ("Connection attempt failed, retrying", "retry"),
        ("Connection successful after", "retry"),
    ):
        assert phrase in source
        assert phrase in flower[where]
