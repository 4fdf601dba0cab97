"""States and answers: whether a node is online, whether it is enrolled, what is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.childwatch import ChildWatch
from flower_appliance.enrolment import Enrolment, activation_request, may_start, read_answer
from flower_appliance.errors import OneGateError, OneGateRefusedError
from flower_appliance.liveness import Liveness
from flower_appliance.onegate import OneGate, OneGateAccess, render_attributes
from flower_appliance.pace import is_logged, is_told, pause_s
from flower_appliance.publisher import difference, encoded
from flower_appliance.supervisor import restart_pause_s
from flower_appliance.unit import Unit
from tests.appliance_support import TOKEN, FakeOneGate

ID_LINE = "INFO :      SuperNode ID: 17247731596897739859"
RETRY_LINE = "WARNING :   Connection attempt failed, retrying in 1.00 seconds"
BACK_LINE = "INFO :      Connection successful after 3.00 seconds and 2 tries."
REFUSED_LINE = "[code: 2004] Failed to activate SuperNode."


def test_a_node_is_online_once_the_superlink_gave_it_an_id() -> None:
    started = Liveness().started()
    online = started.said("INFO :      Starting Flower SuperNode").said(ID_LINE)

    assert started.state == "waiting"
    assert online.state == "online"
    assert online.node_id == "17247731596897739859"


def test_a_node_that_loses_the_superlink_is_offline_until_a_call_gets_through() -> None:
    lost = Liveness().started().said(ID_LINE).said(RETRY_LINE)

    assert lost.state == "offline"
    assert lost.said(BACK_LINE).state == "online"


def test_a_call_that_gets_through_before_the_activation_means_nothing() -> None:
    assert Liveness().started().said(RETRY_LINE).said(BACK_LINE).state == "waiting"


def test_a_process_that_is_not_enrolled_waits_and_was_not_online() -> None:
    refused = Liveness().started().said(REFUSED_LINE).exited()

    assert refused.state == "waiting"
    assert refused.node_id == ""


def test_a_node_that_was_unregistered_waits_again() -> None:
    revoked = Liveness().started().said(ID_LINE).exited()

    assert revoked.state == "offline"
    assert revoked.turned_away().state == "waiting"
    assert revoked.started().said(REFUSED_LINE).exited().state == "waiting"


def test_a_restarted_node_is_not_online_on_the_strength_of_its_predecessor() -> None:
    assert Liveness().started().said(ID_LINE).exited().started().state == "offline"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"code": 2003, "detail": "Invalid heartbeat interval."}', Enrolment.ENROLLED),
        (b'{"code": 2004, "detail": "Failed to activate SuperNode."}', Enrolment.UNKNOWN_KEY),
        (b'{"detail": "Invalid SuperNode authentication"}', Enrolment.NO_ANSWER),
        (b"", Enrolment.NO_ANSWER),
        (b"[]", Enrolment.NO_ANSWER),
        (b"502", Enrolment.NO_ANSWER),
    ],
)
def test_only_the_two_known_codes_are_an_answer_about_enrolment(body: bytes, answer: Enrolment) -> None:
    assert read_answer(body) is answer


def test_a_node_that_was_turned_away_waits_for_a_yes_and_any_other_tries_without_an_answer() -> None:
    starts = {
        (answer, refused): may_start(answer, refused=refused) for answer in Enrolment for refused in (False, True)
    }
    assert {key for key, start in starts.items() if start} == {
        (Enrolment.ENROLLED, False),
        (Enrolment.ENROLLED, True),
        (Enrolment.NO_ANSWER, False),
    }


def test_an_activation_request_is_protobuf_with_the_key_and_no_interval() -> None:
    assert activation_request(b"k" * 5) == b"\x0a\x05kkkkk"
    assert activation_request(b"k" * 215)[:3] == b"\x0a\xd7\x01"


def test_a_service_whose_child_died_is_restarted_after_a_few_looks() -> None:
    watch = ChildWatch()

    assert not watch.look("a", pid=5, running_s=9.0, has_child=True)
    assert [watch.look("a", pid=5, running_s=10.0, has_child=False) for _ in range(3)] == [False, False, True]
    assert not watch.worried


def test_a_service_that_is_still_starting_is_left_alone() -> None:
    watch = ChildWatch()

    assert not any(watch.look("a", pid=5, running_s=float(second), has_child=False) for second in range(60))
    assert not watch.worried


def test_a_service_that_never_gets_its_child_is_restarted_in_the_end() -> None:
    watch = ChildWatch()

    assert [watch.look("a", pid=5, running_s=61.0, has_child=False) for _ in range(3)] == [False, False, True]


def test_a_new_process_is_not_blamed_for_the_child_of_the_one_before() -> None:
    watch = ChildWatch()
    watch.look("a", pid=5, running_s=9.0, has_child=True)
    watch.look("a", pid=5, running_s=10.0, has_child=False)
    watch.look("a", pid=5, running_s=11.0, has_child=False)

    assert not watch.look("a", pid=6, running_s=0.5, has_child=False)
    assert not watch.look("a", pid=None, running_s=0.0, has_child=False)


UNIT = Unit(name="x.service", description="x", argv=("x",), environment_file="/e", working_folder="/")


def test_pauses_between_restarts_grow_to_a_low_limit() -> None:
    assert [restart_pause_s(UNIT, runs) for runs in (0, 1, 2, 3, 4, 1000)] == [1.0, 1.0, 2.0, 4.0, 5.0, 5.0]


def access(onegate: FakeOneGate, vm: str = "7") -> OneGateAccess:
    return OneGateAccess(endpoint=onegate.url, vm_id=vm, token=TOKEN)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 15.0),
        ({"admitted": False}, 2.0),
        ({"worried": True}, 1.0),
        ({"failures": 1}, 1.0),
        ({"ready": False, "admitted": False}, 1.0),
        ({"ready": False, "failures": 60}, 1.0),
        ({"ready": False, "failures": 61}, 5.0),
        ({"configured": False, "ready": False}, 5.0),
    ],
)
def test_a_machine_is_looked_at_soon_where_something_may_change(changes: dict[str, Any], seconds: float) -> None:
    calm: dict[str, Any] = {"configured": True, "ready": True, "failures": 0, "worried": False, "admitted": True}
    assert pause_s(**(calm | changes)) == seconds


def test_a_failure_is_told_when_it_is_no_stumble_and_no_start() -> None:
    assert [is_told(ready=True, failures=number, starting_s=99.0) for number in (1, 2)] == [False, True]
    assert [is_told(ready=False, failures=1, starting_s=s) for s in (0.0, 19.9, 20.0, None)] == [
        False,
        False,
        True,
        True,
    ]
    assert [number for number in range(1, 50) if is_logged(number)] == [1, 2, 20, 40]


def test_a_vm_learns_its_name_and_writes_its_attributes() -> None:
    with FakeOneGate(names={"7": "supernode_0_(service_1)"}) as fake:
        onegate = OneGate(access(fake))
        onegate.publish({"READY": "YES", "FL_ENDPOINT": "10.0.0.5:9092", "FL_ERROR": encoded("é, [x]")})
        onegate.withdraw("FL_ERROR")

        assert onegate.own_vm().name == "supernode_0_(service_1)"
        assert onegate.own_vm().attributes == {"READY": "YES", "FL_ENDPOINT": "10.0.0.5:9092"}


def test_a_stumbling_onegate_is_asked_again_with_growing_pauses() -> None:
    pauses: list[float] = []
    with FakeOneGate(names={"7": "x"}, failures=[500, 503]) as fake:
        OneGate(access(fake), sleep=pauses.append).publish({"READY": "YES"})

        assert fake.of(7) == {"READY": "YES"}
    assert pauses == [0.5, 1.0]


def test_a_onegate_that_stays_down_is_given_up_with_a_remedy() -> None:
    with FakeOneGate() as fake:
        fake.failures = [500] * 10
        with pytest.raises(OneGateError, match=r"failed 4 times: 500.*ONEGATE_ENDPOINT"):
            OneGate(access(fake), sleep=lambda _: None).publish({"READY": "YES"})
        assert len(fake.requests) == 4


def test_a_machine_that_is_being_stopped_asks_once() -> None:
    with FakeOneGate() as fake:
        fake.failures = [500] * 10
        onegate = OneGate(access(fake), sleep=lambda _: None)
        onegate.stop_retrying()
        with pytest.raises(OneGateError, match="failed 1 times"):
            onegate.publish({"READY": "NO"})
        assert len(fake.requests) == 1


def test_a_refused_token_is_not_tried_again_and_not_shown() -> None:
    with FakeOneGate() as fake:
        with pytest.raises(OneGateRefusedError, match="401") as caught:
            OneGate(access(fake)).publish({"READY": "YES"})
        assert len(fake.requests) == 1
    assert TOKEN not in str(caught.value)


def test_an_answer_that_is_no_vm_is_an_error_and_no_crash() -> None:
    with FakeOneGate(names={"7": "x"}) as fake:
        fake.answer = lambda *_: (200, json.dumps({"VM": []}))  # type: ignore[method-assign]
        with pytest.raises(OneGateError, match="did not answer with a VM"):
            OneGate(access(fake)).own_vm()


@pytest.mark.parametrize("value", ["a,b", "[x]", "a\\b", 'say "x"', "two\nlines", "{}"])
def test_values_that_onegate_mangles_are_refused_before_they_are_sent(value: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        render_attributes({"FL_ERROR": value})


def test_only_differences_are_written_and_only_what_exists_is_withdrawn() -> None:
    write, withdraw = difference(
        {"FL_STATE": "online", "READY": "YES", "FL_ERROR": "", "FL_NODE_ID": ""},
        {"READY": "YES", "FL_ERROR": "xx", "USERATTR": "theirs"},
    )

    assert write == {"FL_STATE": "online"}
    assert withdraw == ("FL_ERROR",)


def test_a_token_is_in_no_repr() -> None:
    shown = repr(OneGateAccess(endpoint="http://x", vm_id="1", token=TOKEN, ca_file=Path("/ca")))

    assert TOKEN not in shown
