"""OneFlow when something is wrong: documents that are no services, requests without sense, kills half way through."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.test_zonebox_oneflow_rest import Flow
from tests.zonebox_services_support import ONEADMIN, Bench, basic_auth, role
from zonebox.errors import ActionRefused
from zonebox.oneflow.errors import BadJson, BadRequest, Refused
from zonebox.oneflow.http import create_app
from zonebox.oneflow.requests import parse_json
from zonebox.oneflow.watchdog import Watchdog
from zonebox.oneflow.zone import SERVICE
from zonebox.ports import Caller

SECRET = "the-key-that-nobody-may-read"


class Killed(BaseException):
    """What a kill does to a call: nothing after it happens."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    bench = Bench()
    async with TestClient(TestServer(create_app(bench.zone))) as client:
        yield Flow(bench, client)


@pytest.mark.parametrize(
    "body",
    [{"state": 99}, {"roles": "x"}, {"roles": [5]}, {"state": 2, "roles": [{"name": "a", "nodes": 7}]}, [1], "text"],
)
async def test_a_document_that_is_no_service_stops_no_other_service(
    bench: Bench, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    strange = bench.zone.documents.allocate(ONEADMIN, SERVICE, "strange", {})
    bench.zone.documents.stored[strange]["TEMPLATE"]["BODY"] = body
    await bench.running([role("a")])
    bench.lifecycle.scale(ONEADMIN, bench.id, "a", 2, True)
    await bench.until("RUNNING")
    said = [record for record in caplog.records if f"service {strange} failed" in record.getMessage()]
    assert len(said) == 1, "once, not in every round"


@pytest.mark.parametrize(
    "text", ["{", '{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, '{"a": "\\ud800"}'], ids=lambda text: text[:12]
)
def test_what_python_reads_and_ruby_does_not_is_no_json(text: str) -> None:
    with pytest.raises(BadJson, match="unexpected token"):
        parse_json(text)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/service_template", '{"roles": [{"template_contents": {"K": "' + SECRET + '"}}], "name": "n"}'),
        ("POST", "/service_template", '{"roles": "' + SECRET),
        ("POST", "/service/0/scale", '{"cardinality": "' + SECRET),
        ("POST", "/service/0/action", '{"action": "' + SECRET),
    ],
)
async def test_what_a_refused_request_held_is_told_to_its_sender_and_to_no_log(
    flow: Flow, caplog: pytest.LogCaptureFixture, method: str, path: str, body: str
) -> None:
    caplog.set_level(logging.DEBUG)
    status, text = await flow(method, path, body)
    assert (status in {400, 500}, SECRET in text) == (True, True)
    assert f"{method} {path} refused" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("perform", "params"), [("instantiate", {"merge_template": {"roles": 5}}), ("instantiate", {"merge_template": 5})]
)
async def test_what_oneflow_stumbles_over_is_an_internal_error_with_a_reason(
    flow: Flow, perform: str, params: Any
) -> None:
    path = await flow.template(user_inputs={"A": "M|text|a"})
    status, text = await flow.action(path, perform, params)
    assert status in {400, 500}
    assert "<html" not in text.lower()
    assert status == 400 or json.loads(text)["message"] == "Internal server error"


async def test_bytes_that_are_no_text_are_refused(flow: Flow) -> None:
    answer = await flow.client.post("/service_template", data=b"\xff\xfe", headers=basic_auth("oneadmin"))
    assert (answer.status, "unexpected token" in await answer.text()) == (400, True)


@pytest.mark.parametrize("options", [{"number": 0}, {"number": "0", "period": "x"}, {"number": -1, "period": -5}])
async def test_actions_are_scheduled_at_the_front_ends_pace_where_the_one_given_is_none(
    bench: Bench, options: dict[str, Any]
) -> None:
    await bench.running([role("a", 2)])
    bench.lifecycle.schedule(ONEADMIN, bench.id, "a", "poweroff", options)
    first, second = (item["due"] for item in bench.service().note("actions"))
    assert second - first == bench.settings.action_period_s


@pytest.mark.parametrize("roles", ["x", [5], [{"name": "a"}], {}])
async def test_roles_that_are_none_cannot_be_appended(bench: Bench, roles: Any) -> None:
    await bench.running([role("a")])
    with pytest.raises(BadRequest):
        bench.lifecycle.update(ONEADMIN, bench.id, {"roles": roles}, append=True)
    with pytest.raises(BadRequest):
        bench.lifecycle.update(ONEADMIN, bench.id, roles if isinstance(roles, list) else [roles], append=True)  # type: ignore[arg-type]
    assert bench.state == "RUNNING"


async def test_recovering_a_role_that_could_not_be_removed_removes_that_role_only(bench: Bench) -> None:
    await bench.running([role("a"), role("b")])
    refusal = ActionRefused("not now")
    bench.vms.refuse.update({"terminate": refusal, "terminate-hard": refusal, "recover": refusal})
    with pytest.raises(Refused):
        bench.lifecycle.remove_role(ONEADMIN, bench.id, "b")
    assert bench.state == "FAILED_UNDEPLOYING"
    bench.vms.refuse.clear()
    bench.lifecycle.recover(ONEADMIN, bench.id)
    await bench.until("RUNNING")
    assert bench.states() == {"a": "RUNNING"}


async def test_a_service_without_roles_takes_its_networks_with_it(bench: Bench) -> None:
    await bench.running([], networks_values=[{"n": {"template_id": "3"}}])
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    await bench.until("gone")
    assert bench.zone.networks.nets == {}


async def test_roles_that_wait_for_each_other_are_removed_together_with_their_networks(bench: Bench) -> None:
    roles = [role("a", parents=["b"]), role("b", parents=["a"])]
    bench.create(roles, networks_values=[{"n": {"template_id": "3"}}])
    await bench.step()
    bench.lifecycle.recover(ONEADMIN, bench.id, delete=True)
    await bench.until("gone")
    assert bench.zone.networks.nets == {}


async def test_a_role_that_was_being_added_when_the_zone_was_killed_gets_all_its_vms(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.running([role("a")])
    kill_at(bench, monkeypatch, 2)
    with pytest.raises(Killed):
        bench.lifecycle.add_role(ONEADMIN, bench.id, role("b", 3))
    monkeypatch.undo()
    bench.watchdog = Watchdog(bench.zone, bench.settings)
    await bench.step()
    await bench.until("RUNNING")
    assert (bench.states(), len(bench.role("b").nodes)) == ({"a": "RUNNING", "b": "RUNNING"}, 3)


def kill_at(bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the zone when it makes its `number`th VM from now on."""
    make, made = bench.vms.instantiate, 0

    def instantiate(
        caller: Caller, template_id: int, name: str, *, extra_template: Mapping[str, Any], on_hold: bool = False
    ) -> int:
        nonlocal made
        made += 1
        if made == number:
            raise Killed
        return make(caller, template_id, name, extra_template=extra_template, on_hold=on_hold)

    monkeypatch.setattr(bench.vms, "instantiate", instantiate)


async def test_networks_that_were_being_made_when_the_zone_was_killed_are_made_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = bench.zone.networks.reserve

    def killed_at_the_second(caller: Caller, parent_id: int, name: str, size: int) -> int:
        if name.startswith("two"):
            raise Killed
        return reserve(caller, parent_id, name, size)

    monkeypatch.setattr(bench.zone.networks, "reserve", killed_at_the_second)
    value = {"reserve_from": "1", "extra": "SIZE=2"}
    with pytest.raises(Killed):
        bench.create([role("a")], networks_values=[{"one": dict(value)}, {"two": dict(value)}])
    monkeypatch.undo()
    bench.id = 0
    await bench.until("RUNNING")
    assert [call[2] for call in bench.zone.networks.calls] == ["one-0", "two-0"]
    bench.lifecycle.undeploy(ONEADMIN, bench.id)
    await bench.until("gone")
    assert bench.zone.networks.nets == {}


@pytest.mark.parametrize("value", [5, {"template_id": "x"}, {"reserve_from": "x", "extra": "SIZE=2"}, {"extra": "="}])
async def test_a_network_that_cannot_be_made_fails_the_service_with_a_word(bench: Bench, value: Any) -> None:
    bench.create([role("a")], networks_values=[{"n": value}])
    assert bench.state == "FAILED_DEPLOYING"
    assert any(line.startswith("E Network n") for line in bench.log())
