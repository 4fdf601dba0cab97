"""The federation that end-to-end tests share, and the table of what their commands took.

It is brought up once, by the plain command line and with a passphrase a stack, as three operators would. Files of this
folder run in the order of their names: what changes the pool comes late, what takes the federation down comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.organisations import ZONES, ForeignAuthority, Organisations, begin, own_ca
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, DEMO_NETWORKS, PARIS, STACKS, Measured, Project, Timing, free_networks
from tests.hub_support import Hub

THREE_NODES = {"berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"}

_TIMINGS = pytest.StashKey[list[Timing]]()
_MEASURED = pytest.StashKey[list[Timing]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for times."""
    config.stash[_TIMINGS], config.stash[_MEASURED] = [], []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what each command took, and what tests measured."""
    timings = config.stash[_TIMINGS]
    if timings:
        terminalreporter.section("commands of the end-to-end tests")
        for timing in timings:
            terminalreporter.write_line(f"{timing.seconds:7.1f} s  {timing.what}")
        terminalreporter.write_line(f"{sum(timing.seconds for timing in timings):7.1f} s  together")
    if config.stash[_MEASURED]:
        terminalreporter.section("times that end-to-end tests measured")
        for timing in config.stash[_MEASURED]:
            terminalreporter.write_line(f"{timing.seconds:7.1f} s  {timing.what}")


@pytest.fixture(scope="session")
def timings(request: pytest.FixtureRequest) -> list[Timing]:
    """Times of all commands; whoever runs one adds its own."""
    return request.config.stash[_TIMINGS]


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Measured:
    """Keeps a time for the end of the session's output: pytest shows what a test prints only where the test fails."""
    found = request.config.stash[_MEASURED]
    return lambda what, seconds: found.append(Timing(what=what, seconds=seconds))


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """Where the centre fetches apps that somebody runs by name; empty until a test puts some there."""
    with Hub() as hub:
        yield hub


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
def federation(zones_only: Project, empty_zones: dict[str, dict[str, dict[int, str]]], hub: Hub) -> Project:
    """Three stacks brought up by hand, and three nodes online."""
    project = zones_only
    assert all(empty_zones.values())
    central = project.stack_file(CENTRAL)
    text = central.read_text()
    assert text.count(":superlink:\n") == 1
    central.write_text(text.replace(":superlink:\n", f":superlink:\n    appHub: {hub.url}\n"))
    for stack in STACKS:
        project.init_stack(stack)
    # The centre before its zones, and once more for their keys.
    for stack in (CENTRAL, BERLIN, PARIS, CENTRAL):
        project.up(stack)
    project.wait_online(project.control(), THREE_NODES)
    return project


@pytest.fixture(scope="session")
def one_operator(tmp_path_factory: pytest.TempPathFactory, timings: list[Timing]) -> Iterator[Project]:
    """Another federation, with one passphrase: one operator runs all stacks, as `federation rotate` expects."""
    project = Project(folder=tmp_path_factory.mktemp("rotation"), timings=timings)
    try:
        project.prepare()
        project.start_zones()
        ended = project.federation("up", "--json")
        assert ended.returncode == 0, ended.text
        yield project
    finally:
        project.close()


@pytest.fixture(scope="session")
def organisations(tmp_path_factory: pytest.TempPathFactory, timings: list[Timing]) -> Iterator[Organisations]:
    """Three organisations that know nothing of each other yet; two files use them, and the second one ends them."""
    networks = dict(zip(DEMO_NETWORKS, free_networks(len(DEMO_NETWORKS)), strict=True))

    def project(stack: str) -> Project:
        folder = tmp_path_factory.mktemp(stack)
        return Project(folder=folder, timings=timings, own_passphrases=True, stacks=(stack,), networks=networks)

    authority = ForeignAuthority.make()
    made = Organisations(
        centre=project(CENTRAL),
        zones={zone: project(stack) for zone, stack in ZONES.items()},
        authority=authority,
        address=f"127.{networks['madrid']}.1.10",
        trusted=[authority.root],
    )
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(begin, made.all))
        own_ca(made)
        yield made
    finally:
        made.close()
