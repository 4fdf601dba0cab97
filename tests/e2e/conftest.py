"""The federation that end-to-end tests share, and the table of what their commands took.

It is brought up once, by the plain command line and with a passphrase a stack, as three operators would. Files of this
folder run in the order of their names: what changes the pool comes late, what takes the federation down comes last.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, PARIS, STACKS, Project, Timing

THREE_NODES = {"berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"}

_TIMINGS = pytest.StashKey[list[Timing]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for times."""
    config.stash[_TIMINGS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what each command took."""
    timings = config.stash[_TIMINGS]
    if timings:
        terminalreporter.section("commands of the end-to-end tests")
        for timing in timings:
            terminalreporter.write_line(f"{timing.seconds:7.1f} s  {timing.what}")
        terminalreporter.write_line(f"{sum(timing.seconds for timing in timings):7.1f} s  together")


@pytest.fixture(scope="session")
def timings(request: pytest.FixtureRequest) -> list[Timing]:
    """Times of all commands; whoever runs one adds its own."""
    return request.config.stash[_TIMINGS]


@pytest.fixture(scope="session")
def zones_only(tmp_path_factory: pytest.TempPathFactory, timings: list[Timing]) -> Iterator[Project]:
    """Three zones that answer, without any stack. Whatever happens, nothing of them outlives the session."""
    project = Project(folder=tmp_path_factory.mktemp("federation"), timings=timings, own_passphrases=True)
    try:
        project.prepare()
        project.start_zones()
        yield project
    finally:
        project.close()


@pytest.fixture(scope="session")
def empty_zones(zones_only: Project) -> dict[str, dict[str, dict[int, str]]]:
    """Every object that each zone had before the first stack."""
    return {name: ZoneView(zone).objects() for name, zone in zones_only.zones.items()}


@pytest.fixture(scope="session")
def federation(zones_only: Project, empty_zones: dict[str, dict[str, dict[int, str]]]) -> Project:
    """Three stacks brought up by hand, and three nodes online."""
    project = zones_only
    assert all(empty_zones.values())
    for stack in STACKS:
        project.init_stack(stack)
    # The centre before its zones, and once more for their keys.
    for stack in (CENTRAL, BERLIN, PARIS, CENTRAL):
        project.up(stack)
    project.wait_online(project.control(), THREE_NODES)
    return project
