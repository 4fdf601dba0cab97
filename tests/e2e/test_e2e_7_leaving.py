"""The end of a federation: stacks destroyed in order leave nothing in any zone, no process and no lock."""

from __future__ import annotations

import pytest

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, PARIS, Project, processes_of, wait_until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]


def test_stacks_that_are_destroyed_in_order_leave_no_object_in_any_zone(
    federation: Project, empty_zones: dict[str, dict[str, dict[int, str]]]
) -> None:
    for stack in (PARIS, BERLIN, CENTRAL):
        ended = federation.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress", stack=stack)
        assert ended.returncode == 0, ended.text
    # What an operator published is his to remove; a zone refuses that while a VM uses it.
    for name, number in federation.published:
        ZoneView(federation.zones[name]).call("image.delete", number)

    assert {name: ZoneView(zone).objects() for name, zone in federation.zones.items()} == empty_zones
    # The engine's plugins were told to end, and may need a moment for that.
    wait_until(lambda: left(federation) == {}, timeout_s=PATIENCE_S, what=lambda: f"gone: {left(federation)}")
    assert not list((federation.layout.backend / ".pulumi" / "locks").rglob("*.json"))
    for zone in federation.zones.values():
        assert not list((zone.state / "vms").iterdir()), "folders of VMs go with them"


def left(project: Project) -> dict[int, str]:
    """Processes other than those of the zones themselves."""
    return {pid: command for pid, command in processes_of(project.folder).items() if "zonebox serve" not in command}
