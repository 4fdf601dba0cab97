"""A zone's own Python packages and its GPU: what CONTEXT may say, what the plan makes of it, what a check finds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.checks import CudaCheck
from flower_appliance.context import read_context
from flower_appliance.cuda_probe import probe
from flower_appliance.errors import ContextError
from flower_appliance.install import not_in_image, pip_command
from flower_appliance.machine import Machine
from flower_appliance.plan import plan
from flower_appliance.planned import Plan, systemd_files
from flower_appliance.provisions import Install, Mount
from flower_appliance.readiness import run_checks
from flower_appliance.requirements import Entry
from flower_appliance.supervisor import Finished, Program
from flower_appliance.systemd import unit_command
from tests.appliance_support import NOW, b64, make_authority, superlink_values, supernode_values

AUTHORITY = make_authority()
HASH = f"--hash=sha256:{'ab' * 32}"
LIST = f"""# locked
Torch_Light==2.0+cpu \\
    {HASH} \\
    --hash=sha256:{"cd" * 32}
    # via -r in
helper[extra]==1.0 ; python_version >= '3.11' {HASH}
"""


def planned(values: Mapping[str, str], **changes: str) -> Plan:
    machine = Machine(
        root=Path("/"),
        loopback="127.0.0.1",
        address="10.0.0.5",
        bin_dir=Path("/opt/flower/bin"),
        vm_name="supernode_2_(service_15)",
        service_user="flower",
    )
    return plan(read_context({**values, **changes}, now=NOW), machine)


def node(**changes: str) -> Plan:
    return planned(supernode_values(AUTHORITY), **changes)


def install_of(made: Plan) -> Install:
    return next(each for each in made.provisions if isinstance(each, Install))


def test_a_locked_list_is_read_with_its_continuations_comments_and_markers() -> None:
    install = install_of(node(FL_REQUIREMENTS=b64(LIST), FL_WHEELHOUSE_PATH="/srv/wheels"))
    assert [(entry.name, entry.version) for entry in install.entries] == [("torch-light", "2.0+cpu"), ("helper", "1.0")]
    assert install.entries[0].text == f"Torch_Light==2.0+cpu {HASH} --hash=sha256:{'cd' * 32}"
    assert install.entries[1].text == f"helper[extra]==1.0 ; python_version >= '3.11' {HASH}"


@pytest.mark.parametrize(
    ("made", "unit"),
    [
        (node(FL_REQUIREMENTS=b64(LIST), FL_WHEELHOUSE_PATH="/srv/wheels"), "flower-supernode.service"),
        (
            planned(superlink_values(AUTHORITY), FL_REQUIREMENTS=b64(LIST), FL_WHEELHOUSE_PATH="/srv/wheels"),
            "flower-superlink.service",
        ),
    ],
)
def test_services_of_either_role_find_the_packages_in_a_folder_named_by_the_list(made: Plan, unit: str) -> None:
    folder = install_of(made).folder
    assert folder.startswith("/var/lib/flower/requirements/")
    (found,) = (each for each in made.units if each.name == unit)
    assert found.environment["PYTHONPATH"] == folder
    other = install_of(node(FL_REQUIREMENTS=b64(LIST.replace("1.0", "1.1")), FL_WHEELHOUSE_PATH="/srv/wheels"))
    assert other.folder != folder


def test_without_a_list_nothing_is_installed_and_services_look_nowhere_else() -> None:
    assert node().provisions == ()
    assert "PYTHONPATH" not in node().units[0].environment


def test_a_wheelhouse_volume_is_mounted_before_and_an_index_is_the_only_way_that_asks_the_network() -> None:
    mount, install = node(FL_REQUIREMENTS=b64(LIST), FL_WHEELHOUSE_VOLUME="wheels").provisions
    assert isinstance(mount, Mount) and isinstance(install, Install)
    assert (mount.what, mount.where) == ("/dev/disk/by-label/wheels", "/srv/flower/wheelhouse")
    offline = pip_command(install, Path("/py"), Path("/work"), Path("/srv/flower/wheelhouse"))
    assert {"--isolated", "--no-index", "--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(offline)
    index = install_of(node(FL_REQUIREMENTS=b64(LIST), FL_INDEX_URL="https://index.example/simple"))
    online = pip_command(index, Path("/py"), Path("/work"), None)
    assert "--no-index" not in online
    assert online[online.index("--index-url") + 1] == "https://index.example/simple"
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(online)


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"FL_REQUIREMENTS": b64(LIST)}, ["FL_REQUIREMENTS is ", "it needs one of", "there are 0"]),
        (
            {"FL_REQUIREMENTS": b64(LIST), "FL_WHEELHOUSE_PATH": "/a", "FL_INDEX_URL": "https://b"},
            ["there are 2", "exactly one"],
        ),
        ({"FL_REQUIREMENTS": b64("torch>=2\n"), "FL_WHEELHOUSE_PATH": "/a"}, ["'torch>=2'", "--generate-hashes"]),
        ({"FL_REQUIREMENTS": b64("torch==2\n"), "FL_WHEELHOUSE_PATH": "/a"}, ["'torch==2'"]),
        ({"FL_REQUIREMENTS": b64("--index-url http://x\n"), "FL_WHEELHOUSE_PATH": "/a"}, ["'--index-url http://x'"]),
        ({"FL_REQUIREMENTS": b64(f"a @ http://x {HASH}\n"), "FL_WHEELHOUSE_PATH": "/a"}, ["'a @ http://x"]),
        ({"FL_REQUIREMENTS": b64(LIST), "FL_INDEX_URL": "http://x/simple"}, ["FL_INDEX_URL", "https URL"]),
        ({"FL_REQUIREMENTS": b64(LIST), "FL_WHEELHOUSE_VOLUME": "CONTEXT"}, ["FL_WHEELHOUSE_VOLUME", "own disk"]),
        ({"FL_INDEX_URL": "https://x/simple"}, ["it belongs to FL_REQUIREMENTS"]),
        ({"FL_GPU": "MAYBE"}, ["FL_GPU is 'MAYBE'", "NO or YES"]),
    ],
)
def test_what_is_not_locked_or_comes_from_nowhere_is_refused(changes: dict[str, str], fragments: list[str]) -> None:
    with pytest.raises(ContextError) as refused:
        node(**changes)
    assert [fragment for fragment in fragments if fragment not in str(refused.value)] == []


def test_what_the_image_has_is_not_installed_again_and_never_replaced() -> None:
    entries = (Entry(name="numpy", version="2.4.6", text="numpy"), Entry(name="torch", version="2.0", text="torch"))
    missing, problem = not_in_image(entries, {"numpy": "2.4.6", "flwr": "1.41.0"})
    assert ([entry.name for entry in missing], problem) == (["torch"], None)
    missing, problem = not_in_image(entries, {"numpy": "2.5.0"})
    assert missing == ()
    assert problem is not None
    assert "numpy 2.4.6, and the image has 2.5.0" in problem.given
    assert "Lock the list with numpy==2.5.0" in problem.remedy


def test_a_node_with_a_gpu_proves_it_first_and_its_service_gets_the_cards_devices_alone() -> None:
    made = node(FL_GPU="YES")
    (check,) = (each for each in made.checks if isinstance(each, CudaCheck))
    assert check.user == "flower"
    texts = {file.path: file.content for file in systemd_files(made)}
    text = texts["/etc/systemd/system/flower-supernode.service"]
    assert "DevicePolicy=closed\nDeviceAllow=char-nvidia* rw\n" in text
    assert "PrivateDevices" not in text
    assert (
        "PrivateDevices=yes"
        in {file.path: file.content for file in systemd_files(node())}["/etc/systemd/system/flower-supernode.service"]
    )
    assert not [each for each in node().checks if isinstance(each, CudaCheck)]


def verdict(answer: Any) -> str:
    asked: list[Program] = []

    def run(program: Program) -> Finished:
        asked.append(program)
        if isinstance(answer, Exception):
            raise answer
        return Finished(status=0, output=answer)

    check = next(each for each in node(FL_GPU="YES").checks if isinstance(each, CudaCheck))
    (found,) = run_checks([check], has_child=lambda *_: True, run=run)
    assert (asked[0].user, asked[0].devices) == ("flower", ("char-nvidia*",))
    return str(found.problem or "")


def test_a_card_that_answers_is_no_problem_and_anything_else_keeps_the_node_from_ready() -> None:
    assert verdict(json.dumps({"cards": ["NVIDIA T4"], "problem": ""})) == ""
    assert "cuInit failed with status 999" in verdict(
        json.dumps({"cards": [], "problem": "cuInit failed with status 999"})
    )
    assert "could not be asked" in verdict("Traceback ...")
    assert "could not be asked" in verdict(OSError("no systemd-run"))
    assert "could not be asked" in verdict(subprocess.TimeoutExpired("systemd-run", 60))


def test_systemd_runs_a_probe_as_the_service_user_with_the_devices_and_no_rights() -> None:
    program = Program(
        argv=("/opt/flower/bin/python", "-m", "x"),
        environment={"PYTHONPATH": "/a"},
        folder="/",
        timeout_s=60,
        user="flower",
        devices=("char-nvidia*",),
    )
    words = unit_command(program)
    assert words[0] == "systemd-run"
    for wanted in ("User=flower", "DeviceAllow=char-nvidia* rw", "CapabilityBoundingSet=", "Environment=PYTHONPATH=/a"):
        assert words[words.index(wanted) - 1] == "--property"
    assert words[words.index("--") + 1 :] == program.argv


LIBCUDA = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = CARDS; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Card A", length); return 0; }
"""


@pytest.mark.parametrize(
    ("init", "cards", "found"),
    [
        (0, 2, {"cards": ["Card A", "Card A"], "problem": ""}),
        (0, 0, {"cards": [], "problem": "cuDeviceGetCount: status 0, 0 cards"}),
        (100, 1, {"cards": [], "problem": "cuInit failed with status 100"}),
    ],
)
def test_the_driver_is_asked_through_its_own_calls(
    tmp_path: Path, init: int, cards: int, found: dict[str, Any]
) -> None:
    (tmp_path / "cuda.c").write_text(LIBCUDA)
    library = tmp_path / "libcuda.so.1"
    subprocess.run(
        ["cc", "-shared", "-fPIC", f"-DINIT={init}", f"-DCARDS={cards}", "-o", library, tmp_path / "cuda.c"], check=True
    )
    assert probe(str(library)) == found


def test_a_machine_without_the_driver_says_so() -> None:
    found = probe("libcuda-of-nowhere.so.1")
    assert found["cards"] == []
    assert "libcuda-of-nowhere.so.1 cannot be loaded" in found["problem"]
