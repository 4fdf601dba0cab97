"""The SDK classes against Pulumi's mocks: what a program writes is what the provider gets, under schema names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pulumi
import pytest

import pulumi_opennebula as opennebula


class Engine(pulumi.runtime.Mocks):
    """Answers every registration with its inputs and remembers them."""

    def __init__(self) -> None:
        self.resources: dict[str, tuple[str, dict[str, Any]]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources[args.name] = (args.typ, args.inputs)
        outputs = {**args.inputs, "gname": "oneadmin"}
        if args.typ.endswith(":Service"):
            outputs["roles"] = [{"name": "supernode", "cardinality": 2.0, "nodes": [4.0, 5.0], "state": 2.0}]
        return "7", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        self.calls.append((args.token, args.args))
        return {
            "id": "1",
            "virtualMachines": [{"id": 4.0, "name": "a", "tags": {"READY": "YES"}, "nics": [{"networkId": 3.0}]}],
        }


@pytest.fixture
def engine() -> Iterator[Engine]:
    mocks = Engine()
    pulumi.runtime.set_mocks(mocks, preview=False)
    yield mocks
    pulumi.runtime.set_mocks(Engine(), preview=False)


def run(program: Callable[[], Awaitable[None]]) -> None:
    """Run a program on the event loop that Pulumi's test runner makes."""

    def test() -> Any:
        return pulumi.Output.from_input(program())

    pulumi.runtime.test(test)()


async def settled(output: pulumi.Output[Any]) -> Any:
    return await output.future()


def test_nested_arguments_and_plain_dicts_reach_the_provider_alike(engine: Engine) -> None:
    async def program() -> None:
        for name, nics in (
            ("typed", [opennebula.TemplateNicArgs(network_id=3, ip6_global="fd00::1")]),
            ("snake", [{"network_id": 3, "ip6_global": "fd00::1"}]),
            ("camel", [{"networkId": 3, "ip6Global": "fd00::1"}]),
        ):
            template = opennebula.Template(
                name, nics=nics, os={"arch": "x86_64", "boot": ""}, context={"FL_ROLE": "superlink"}
            )
            await settled(template.id)
        sent = [inputs for _, inputs in engine.resources.values()]
        assert sent[0]["nics"] == [{"networkId": 3, "ip6Global": "fd00::1"}]
        assert sent[0] == sent[1] == sent[2]
        assert sent[0]["context"] == {"FL_ROLE": "superlink"}

    run(program)


def test_one_arguments_object_says_the_same_as_keywords(engine: Engine) -> None:
    async def program() -> None:
        args = opennebula.ServiceArgs(template_id=4, extra_template="{}")
        await settled(opennebula.Service("a", args, pulumi.ResourceOptions(protect=True)).id)
        await settled(opennebula.Service("b", template_id=4, extra_template="{}").id)
        assert engine.resources["a"] == engine.resources["b"]
        assert engine.resources["a"][0] == "opennebula:index/service:Service"

    run(program)


def test_outputs_that_no_argument_sets_are_resolved(engine: Engine) -> None:
    async def program() -> None:
        service = opennebula.Service("service", template_id=4)
        roles = await settled(service.roles)
        assert await settled(service.gname) == "oneadmin"
        assert (roles[0].name, roles[0].cardinality, roles[0].nodes) == ("supernode", 2, [4, 5])
        assert roles[0]["nodes"] == [4, 5]

    run(program)


def test_arguments_object_and_keywords_together_are_refused(engine: Engine) -> None:
    async def program() -> None:
        with pytest.raises(TypeError, match=r"name.*put everything into one of them"):
            opennebula.Service("x", opennebula.ServiceArgs(template_id=1), name="y")  # type: ignore[call-overload]

    run(program)


def test_something_else_than_options_in_second_place_is_refused(engine: Engine) -> None:
    async def program() -> None:
        with pytest.raises(TypeError, match=r"got dict.*give arguments as keywords"):
            opennebula.Service("x", {"template_id": 1})  # type: ignore[call-overload]

    run(program)


def test_a_look_up_of_machines_returns_their_attributes(engine: Engine) -> None:
    async def program() -> None:
        found = opennebula.get_virtual_machines(name_regex=r"_\(service_12\)$")
        later = await settled(opennebula.get_virtual_machines_output(name_regex=pulumi.Output.from_input("a")))
        assert engine.calls[0] == (
            "opennebula:index/getVirtualMachines:getVirtualMachines",
            {"nameRegex": r"_\(service_12\)$"},
        )
        assert found.virtual_machines[0].tags == {"READY": "YES"}
        assert later.virtual_machines[0].nics[0].network_id == 3

    run(program)


def test_the_provider_password_is_a_secret_even_where_the_program_forgot_to_say_so(engine: Engine) -> None:
    async def program() -> None:
        provider = opennebula.Provider(
            "zone",
            endpoint="https://front-end:2633/RPC2",
            username="oneadmin",
            password="opennebula",
            insecure=True,
            default_tags=[opennebula.ProviderDefaultTagArgs(tags={"project": "flower"})],
        )
        await settled(provider.id)
        typ, inputs = engine.resources["zone"]
        assert typ == "pulumi:providers:opennebula"
        assert inputs["insecure"] == "true"
        assert inputs["defaultTags"] == '[{"tags": {"project": "flower"}}]'
        assert inputs["endpoint"] == "https://front-end:2633/RPC2"
        assert "caFile" not in inputs

    run(program)


@pytest.mark.parametrize(
    ("make", "said", "expected"),
    [
        (lambda opts: opennebula.Template("x", opts=opts), None, True),
        (lambda opts: opennebula.Template("x", opts=opts), False, False),
        (lambda opts: opennebula.ServiceTemplate("x", template="{}", opts=opts), None, None),
    ],
    ids=["by its name", "unless the program says how", "a type whose names may repeat"],
)
def test_what_cannot_be_there_twice_is_deleted_before_it_is_replaced(
    engine: Engine, make: Callable[[pulumi.ResourceOptions], Any], said: bool | None, expected: bool | None
) -> None:
    seen: list[bool | None] = []

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        seen.append(args.opts.delete_before_replace)

    given = pulumi.ResourceOptions(delete_before_replace=said, transformations=[note])

    async def program() -> None:
        make(given)

    run(program)
    assert seen == [expected]
    assert given.delete_before_replace is said, "the program's own options are not changed"
