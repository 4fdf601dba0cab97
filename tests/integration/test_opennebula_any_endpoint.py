"""The provider's tests against a zone that is known by environment variables only, with no zonebox to import.

The zone is a zonebox that was started by its command, as anybody would start one; the test that runs against it is a
quick one of those that a real OpenNebula would get.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.opennebula_endpoints import REASON, ROOT
from tests.opennebula_support import BIN, VARIABLES, ran
from tests.patience import PATIENCE_S
from zonebox.loopback import free_address

pytestmark = [pytest.mark.engine, pytest.mark.slow]

WITHOUT_ZONEBOX = """
import sys
import pytest


class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "zonebox":
            raise ModuleNotFoundError(f"{name}: there is no zonebox here")


sys.meta_path.insert(0, Refusing())
sys.exit(pytest.main(sys.argv[1:]))
"""
QUICK = (
    "tests/integration/test_opennebula_pools_engine.py::test_every_function_finds_what_the_program_made_or_the_zone_has"
)
"""Makes, finds and removes objects of six kinds."""


def zonebox(*arguments: str) -> str:
    done = subprocess.run([BIN / "zonebox", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout


def test_the_tests_run_against_a_zone_that_only_the_environment_names(tmp_path: Path) -> None:
    where = ("--state", str(tmp_path / "zone"))
    address = free_address()
    zonebox("up", "--name", "elsewhere", *where, "--address", address, "--driver", "fake", "--control")
    try:
        ends = json.loads((tmp_path / "zone" / "endpoints.json").read_text())
        username, _, password = (tmp_path / "zone" / "one_auth").read_text().strip().partition(":")
        environment = {
            **{name: value for name, value in os.environ.items() if name not in VARIABLES},
            "OPENNEBULA_ENDPOINT": ends["oned"],
            "OPENNEBULA_FLOW_ENDPOINT": ends["oneflow"],
            "OPENNEBULA_USERNAME": username,
            "OPENNEBULA_PASSWORD": password,
            "OPENNEBULA_CA_FILE": ends["ca"],
        }
        done = ran(
            *(sys.executable, "-c", WITHOUT_ZONEBOX, "-p", "no:zonebox", "-p", "no:cacheprovider", QUICK),
            folder=ROOT,
            environment=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"1 passed", done.stdout)
        asked = zonebox("counts", *where)
        assert {"one.image.allocate", "one.vm.action", "one.market.delete"} <= set(re.findall(r"one\.[\w.]+", asked))
    finally:
        zonebox("down", *where)


def test_what_needs_zonebox_itself_is_skipped_there_and_says_why() -> None:
    environment = {**os.environ, "OPENNEBULA_ENDPOINT": "https://127.0.0.1:9/RPC2"}
    tests = "tests/integration/test_opennebula_every_type.py"
    done = ran(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests), folder=ROOT, environment=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert REASON in done.stdout
    assert "passed" not in done.stdout
