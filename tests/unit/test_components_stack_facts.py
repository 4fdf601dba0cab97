"""Reading another stack's outputs: what is tried again, and what is not."""

from __future__ import annotations

import pytest

from components.errors import StackReadError
from components.stack_facts import read_outputs
from tests.components_support import READ_OUTPUTS, RecordingCloud, run_program

STACK = "organization/flower-federation/paris-lab"


def read(cloud: RecordingCloud) -> tuple[object, list[float]]:
    pauses: list[float] = []
    return run_program(cloud, lambda: read_outputs(STACK, wait=pauses.append)), pauses


def test_a_checkpoint_that_is_being_written_is_read_again() -> None:
    cloud = RecordingCloud(stacks={STACK: {"zone": "paris"}}, torn_reads=3)

    found, pauses = read(cloud)

    assert found == {"zone": "paris"}
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_a_stack_that_does_not_exist_after_a_torn_read_counts_as_missing() -> None:
    found, pauses = read(RecordingCloud(torn_reads=1))

    assert found is None
    assert len(pauses) == 1


def test_a_checkpoint_that_stays_torn_is_an_error_after_less_than_two_seconds() -> None:
    cloud = RecordingCloud(torn_reads=1000)
    pauses: list[float] = []

    with pytest.raises(StackReadError, match="EOF"):
        run_program(cloud, lambda: read_outputs(STACK, wait=pauses.append))

    assert 0 < sum(pauses) < 2


def test_a_backend_that_does_not_answer_is_asked_once() -> None:
    cloud = RecordingCloud(backend_error="connection refused")

    with pytest.raises(StackReadError, match="connection refused"):
        read(cloud)

    assert [token for token, _ in cloud.calls] == [READ_OUTPUTS]
