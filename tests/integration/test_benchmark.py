"""The parts of the benchmark that need no engine, measured for real, small."""

from __future__ import annotations

from pathlib import Path

from flower_federation.benchmark.baseline import BareCalls
from flower_federation.benchmark.stack import measured
from flower_federation.benchmark.zone import running_zone
from flower_federation.benchmark.zonebox_rows import listing, starts


def test_the_bare_calls_make_read_scale_and_remove_ten_objects(tmp_path: Path) -> None:
    with running_zone(tmp_path / "zone") as zone:
        calls = BareCalls(zone)
        up = measured(zone, calls.up)
        made = zone.control.counts()
        assert sum(count for name, count in made.items() if is_making(name)) == 10
        read = measured(zone, calls.read)
        assert read.requests == 10
        scale = measured(zone, calls.scale)
        gone = measured(zone, calls.destroy)
        calls.close()
    assert read.seconds > 0 and up.seconds > 0
    assert scale.requests > 1 and gone.requests >= 10


def is_making(name: str) -> bool:
    """Whether a request makes an object: the template's action makes the service."""
    return name.endswith((".allocate", ".add_ar")) or name.startswith("oneflow POST /service_template")


def test_starts_and_lists_are_measured(tmp_path: Path) -> None:
    first, again, embedded = starts(tmp_path, count=1)
    assert all(value > 0 for value in (first.value, again.value, embedded.value, first.baseline))
    with running_zone(tmp_path / "zone") as zone:
        row = listing(zone, count=20)
    assert row.name == "zonebox: list of 20 VMs"
    assert row.is_within
