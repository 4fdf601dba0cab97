"""The move to this package as docs/opennebula-bridged.md tells it: a new stack takes over the objects of an old state.

The old state is one of this package's own: what matters of it (names, types, ids) is as the bridged package has it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.opennebula_support import REPOSITORY, Project, TestZone, zone

pytestmark = [pytest.mark.engine, pytest.mark.slow]
__all__ = ["zone"]

PAGE = (REPOSITORY / "docs" / "opennebula-bridged.md").read_text(encoding="utf-8")
PROGRAM = """
group = one.SecurityGroup("group", name=f"group-{TAG}", rules=[{"protocol": "ALL", "rule_type": "OUTBOUND"}])
network = one.VirtualNetwork("network", name=f"network-{TAG}", type="dummy", bridge="br0", security_groups=[group.id])
addresses = one.VirtualNetworkAddressRange(
    "addresses", virtual_network_id=network.id, ar_type="IP4", ip4="10.66.0.10", size=20
)
machine = one.Template("machine", name=f"machine-{TAG}", cpu=0.1, memory=64, context={"NETWORK": "YES"})
"""


def test_a_new_stack_takes_over_and_the_old_one_is_forgotten(zone: TestZone, tmp_path: Path) -> None:
    old = Project(folder=tmp_path / "old", zone=zone).prepare()
    old.program(PROGRAM)
    old.up()
    new = Project(folder=tmp_path / "new", zone=zone, tag=old.tag).prepare()
    exported = json.loads(old.pulumi("stack", "export"))
    for entry in exported["deployment"]["resources"]:
        if entry["type"].endswith(":VirtualNetworkAddressRange"):
            # Whichever form the old package's id has.
            entry["id"] = entry["id"].rpartition(":")[2]
    (new.folder / "old.json").write_text(json.dumps(exported))

    (script,) = re.findall(r"```python\n# take_over\.py\n(.*?)```", PAGE, re.DOTALL)
    subprocess.run([sys.executable, "-c", script], cwd=new.folder, check=True)
    new.program(PROGRAM)
    (command,) = re.findall(r"^pulumi (import --file [^#\n]*)", PAGE, re.MULTILINE)
    new.pulumi(*command.split())
    assert "5 unchanged" in new.preview("--expect-no-changes")
    assert "5 unchanged" in new.up()
    assert {name: entry.get("id") for name, entry in new.state().items() if name != "zonetest-test"}.items() >= {
        name: entry["id"] for name, entry in old.state().items() if entry["type"].startswith("opennebula:index/")
    }.items()

    (command,) = re.findall(r"^pulumi (stack rm [^#\n]*)", PAGE, re.MULTILINE)
    old.pulumi(*(word if word != "old" else "test" for word in command.split()))
    assert f"machine-{old.tag}" in str(zone.call("templatepool.info", -2, -1, -1))
    new.destroy()
    assert f"machine-{old.tag}" not in str(zone.call("templatepool.info", -2, -1, -1))
