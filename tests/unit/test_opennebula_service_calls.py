"""The calls that a service makes, against a OneFlow that answers from a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_opennebula.errors import FailedObjectError, InputError, NotFoundError, RefusedError
from pulumi_opennebula.provider.resources.base import Call
from pulumi_opennebula.provider.resources.service import ServiceHandler
from pulumi_opennebula.provider.resources.service_states import FAILED
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone
from tests.opennebula_data import document

RUNNING, SCALING, COOLDOWN, FAILED_DEPLOYING = 2, 8, 10, 7


class ScriptedFlow:
    """OneFlow with one service whose state goes through a script, a step a look."""

    def __init__(self, states: list[int], *, size: int = 2) -> None:
        self.states: Iterator[int] = iter(states)
        self.last = states[0]
        self.size = size
        self.sent: list[tuple[str, str, Any]] = []
        self.policies: list[dict[str, Any]] = []
        self.gone = False
        self.busy = 0

    async def get(self, path: str) -> Any:
        await asyncio.sleep(0)
        if self.gone:
            raise NotFoundError("GET", "it must be there", "OneFlow answered 404", "Check the id", code=404)
        if path.startswith("/service_template/"):
            return {"DOCUMENT": {"ID": "4", "TEMPLATE": {"BODY": {"roles": [{"name": "supernode"}]}}}}
        self.last = next(self.states, self.last)
        found = document("service_running")
        body = found["TEMPLATE"]["BODY"]
        body["state"] = self.last
        role = {"name": "supernode", "cardinality": self.size, "state": 2, "nodes": []}
        body["roles"] = [{**role, "elasticity_policies": self.policies}]
        return {"DOCUMENT": {**found, "ID": "5"}}

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        await asyncio.sleep(0)
        self.sent.append((method, path, body))
        if method == "DELETE" and self.busy:
            self.busy -= 1
            answer = "Service cannot be undeployed in state: SCALING"
            raise RefusedError("DELETE", "OneFlow must accept", answer, "Wait", code=500, answer=answer)
        if method == "DELETE":
            self.gone = True
        if path.endswith("/scale"):
            self.size = body["cardinality"]
        return {"DOCUMENT": {"ID": "5"}}

    async def action(self, path: str, perform: str, **params: Any) -> Any:
        if perform == "recover" and params.get("delete"):
            self.gone = True
        return await self.send("POST", f"{path}/action", {"perform": perform, **params})

    @property
    def performed(self) -> list[str]:
        return [body["perform"] for _, _, body in self.sent if isinstance(body, dict) and "perform" in body]


def call_on(flow: ScriptedFlow, operation: str = "update") -> Call:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    settings = ZoneSettings(
        endpoint="http://127.0.0.1/RPC2", flow_endpoint="http://127.0.0.1", username="a", password="b"
    )
    zone = Zone(settings, flow=flow, pause=at_once)  # type: ignore[arg-type]
    return Call(zone=zone, operation=operation, timeout_s=60, progress=lambda line: None)


def sized(count: int, role: str = "supernode") -> dict[str, Any]:
    return {"extraTemplate": json.dumps({"roles": [{"name": role, "cardinality": count}]}), "templateId": 4}


async def test_a_service_is_made_with_its_extra_template_under_its_own_name() -> None:
    flow = ScriptedFlow([RUNNING])
    assert await ServiceHandler().create(call_on(flow), {"name": "mine", **sized(3)}) == "5"
    method, path, body = flow.sent[0]
    assert (method, path) == ("POST", "/service_template/4/action")
    assert body == {
        "perform": "instantiate",
        "merge_template": {"roles": [{"name": "supernode", "cardinality": 3}], "name": "mine"},
    }


async def test_a_role_that_the_service_template_has_not_is_refused_before_anything_is_made() -> None:
    flow = ScriptedFlow([RUNNING])
    with pytest.raises(InputError, match=r"names role 'superonde'.*that has supernode.*Correct the role's name"):
        await ServiceHandler().create(call_on(flow), {"name": "mine", **sized(3, "superonde")})
    assert flow.sent == []


async def test_roles_are_scaled_by_name_without_breaking_their_limits() -> None:
    flow = ScriptedFlow([RUNNING, RUNNING, RUNNING, SCALING, SCALING, RUNNING])
    await ServiceHandler().update(call_on(flow), "5", sized(2), sized(3))
    assert flow.sent == [
        ("POST", "/service/5/scale", {"role_name": "supernode", "cardinality": 3, "force": False}),
    ]


async def test_what_has_its_size_already_is_not_scaled() -> None:
    flow = ScriptedFlow([RUNNING])
    await ServiceHandler().update(call_on(flow), "5", sized(2), sized(2))
    assert flow.sent == []


@pytest.mark.parametrize(("asked_before", "scaled"), [(2, []), (4, [2])], ids=["nothing new", "another size"])
async def test_what_a_roles_policies_made_of_its_size_stays_unless_the_program_asks_for_another(
    asked_before: int, scaled: list[int]
) -> None:
    flow = ScriptedFlow([RUNNING], size=3)
    flow.policies = [{"expression": "FL_NEED_MORE_CLIENTS > 0", "adjust": 1, "type": "CHANGE"}]
    await ServiceHandler().update(call_on(flow), "5", {**sized(asked_before), "name": "a"}, {**sized(2), "name": "b"})
    assert [body["cardinality"] for _, path, body in flow.sent if path.endswith("/scale")] == scaled


async def test_a_service_that_failed_is_recovered_by_the_next_up() -> None:
    flow = ScriptedFlow([FAILED_DEPLOYING, 1, RUNNING])
    await ServiceHandler().update(call_on(flow), "5", sized(2), sized(2))
    assert flow.performed == ["recover"]


@pytest.mark.parametrize("busy", [SCALING, COOLDOWN])
async def test_a_service_that_cannot_be_undeployed_yet_is_asked_again(busy: int) -> None:
    flow = ScriptedFlow([busy] * 9 + [RUNNING])
    flow.busy = 1
    await ServiceHandler().delete(call_on(flow, "delete"), "5", {})
    assert [method for method, _, _ in flow.sent] == ["DELETE", "DELETE"]
    assert flow.last == RUNNING, "asked again before it was not busy any more"
    assert flow.gone


async def test_a_service_that_is_never_undeployed_is_told_with_what_oneflow_says() -> None:
    flow = ScriptedFlow([RUNNING])
    flow.busy = 99
    with pytest.raises(RefusedError, match="cannot be undeployed in state"):
        await asyncio.wait_for(ServiceHandler().delete(call_on(flow, "delete"), "5", {}), 20)


@pytest.mark.parametrize("state", sorted(FAILED))
async def test_a_service_that_failed_is_recovered_into_its_end_because_oneflow_undeploys_none(state: int) -> None:
    flow = ScriptedFlow([state])
    flow.busy = 9
    await ServiceHandler().delete(call_on(flow, "delete"), "5", {})
    assert flow.performed == ["recover"]
    assert flow.gone


async def test_a_service_that_is_gone_is_deleted_as_done() -> None:
    class Gone(ScriptedFlow):
        async def send(self, method: str, path: str, body: Any = None) -> Any:
            raise NotFoundError("DELETE", "it must be there", "OneFlow answered 404", "Check the id", code=404)

    await ServiceHandler().delete(call_on(Gone([RUNNING]), "delete"), "5", {})


async def test_a_service_that_fails_while_it_scales_says_so() -> None:
    flow = ScriptedFlow([RUNNING, RUNNING, RUNNING, 9])
    with pytest.raises(FailedObjectError, match="is FAILED_SCALING"):
        await ServiceHandler().update(call_on(flow), "5", sized(2), sized(3))
