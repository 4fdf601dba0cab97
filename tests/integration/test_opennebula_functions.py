"""Every function on a zonebox: what it finds, and what it says where none or several match."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.functions import FUNCTIONS
from pulumi_opennebula.provider.values import Values, plain, wrapped
from tests.opennebula_in_process import InProcess, in_process

ENV = 'ENV="x"'
PAIRS: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "getImage": ("image", "image", [(f'NAME="{{}}"\nTYPE="DATABLOCK"\nSIZE="8"\n{ENV}', 1)]),
    "getTemplate": ("template", "VM template", [(f'NAME="{{}}"\nCPU="1"\nMEMORY="64"\n{ENV}',)]),
    "getVirtualNetwork": (
        "vn",
        "virtual network",
        [(f'NAME="{{}}"\nVN_MAD="dummy"\nBRIDGE="b"\nMTU="1400"\n{ENV}', -1)],
    ),
    "getSecurityGroup": ("secgroup", "security group", [(f'NAME="{{}}"\n{ENV}',)]),
    "getMarketplace": ("market", "marketplace", [(f'NAME="{{}}"\nMARKET_MAD="one"\n{ENV}',)]),
    "getDatastore": ("datastore", "datastore", [(f'NAME="{{}}"\nDS_MAD="dummy"\nTM_MAD="dummy"\n{ENV}', -1)]),
    "getCluster": ("cluster", "cluster", [("{}",)]),
    "getHost": ("host", "host", [("{}", "dummy", "dummy", -1)]),
    "getGroup": ("group", "group", [("{}",)]),
}
"""Function -> method prefix, the kind in words, arguments of `allocate`."""
LATER = {"cluster", "host", "group"}
"""Kinds whose attributes come after they are made."""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("zone")) as running:
        for prefix, _, (arguments,) in PAIRS.values():
            for name in ("first", "second"):
                given = [part.format(f"{prefix}-{name}") if isinstance(part, str) else part for part in arguments]
                number = running.oned(f"{prefix}.allocate", *given)
                if prefix in LATER:
                    running.oned(f"{prefix}.update", number, ENV, 1)
        for name, memory in (("vm-b", 32), ("vm-a", 16)):
            running.oned("vm.allocate", f'NAME="{name}"\nCPU="0.1"\nMEMORY="{memory}"\n{ENV}', False)
        yield running


def invoke(zone: InProcess, function: str, /, **arguments: Any) -> Values:
    async def ask() -> sdk.InvokeResponse:
        provider = await zone.connect()
        token = f"opennebula:index/{function}:{function}"
        return await provider.invoke(sdk.InvokeRequest(token, wrapped(arguments, frozenset())))

    answer = asyncio.run(ask())
    assert not answer.failures, answer.failures
    return plain(answer.return_value or {})[0]


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_one_that_matches_is_found_by_name_and_by_id_with_the_tags_asked_for(zone: InProcess, name: str) -> None:
    prefix, _, _ = PAIRS[name]
    found = invoke(zone, name, name=f"{prefix}-second", tags={"env": "x"})
    assert (found["name"], found["tags"]) == (f"{prefix}-second", {"env": "x"})
    again = invoke(zone, name, id=found["id"])
    assert (again["id"], again["name"]) == (found["id"], found["name"])


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_none_or_several_that_match_are_an_error_that_names_them(zone: InProcess, name: str) -> None:
    prefix, what, _ = PAIRS[name]
    with pytest.raises(InputError, match=rf"{what} with .*'nowhere'.*exactly one must match.*are: none"):
        invoke(zone, name, name="nowhere")
    with pytest.raises(InputError, match=rf"exactly one must match.*\d+ \({prefix}-") as caught:
        invoke(zone, name, tags={"ENV": "x"})
    assert f"({prefix}-first)" in str(caught.value) and f"({prefix}-second)" in str(caught.value)
    assert "Correct the arguments" in str(caught.value)


@pytest.mark.parametrize("name", sorted({*PAIRS, "getZone"}))
def test_looking_for_nothing_in_particular_is_refused(zone: InProcess, name: str) -> None:
    with pytest.raises(InputError, match=r"no argument is given.*one of id, name and tags is needed"):
        invoke(zone, name)


def test_a_zone_is_found_by_name_with_its_endpoint_and_another_one_is_not(zone: InProcess) -> None:
    assert invoke(zone, "getZone", name="inproc") == {
        "id": 0,
        "name": "inproc",
        "endpoint": zone.zone.endpoints.oned,
    }
    with pytest.raises(InputError, match=r"zone with \{'id': 7\}: exactly one must match.*none"):
        invoke(zone, "getZone", id=7)


def test_lists_are_matched_sorted_and_empty_where_nothing_matches(zone: InProcess) -> None:
    def names(**arguments: Any) -> list[str]:
        return [item["name"] for item in invoke(zone, "getVirtualMachines", **arguments)["virtualMachines"]]

    assert names(nameRegex="^vm-", sortOn="name") == ["vm-a", "vm-b"]
    assert names(tags={"env": "x"}, sortOn="memory", order="DESC") == ["vm-b", "vm-a"]
    assert names(memory=16) == ["vm-a"]
    assert names(nameRegex="^nothing$") == []
    found = invoke(zone, "getTemplates", tags={"ENV": "x"}, sortOn="name", order="DESC")
    assert [item["name"] for item in found["templates"]] == ["template-second", "template-first"]
    assert invoke(zone, "getTemplates", nameRegex="^nothing$")["templates"] == []
    for name in ("getTemplates", "getVirtualMachines"):
        with pytest.raises(InputError, match=r"nameRegex is '\('.*regular expression"):
            invoke(zone, name, nameRegex="(")


def test_every_function_of_the_provider_is_tested_here() -> None:
    tested = {*PAIRS, "getZone", "getVirtualMachines", "getTemplates"}
    assert {token.rsplit(":", 1)[1] for token in FUNCTIONS} == tested
    assert len(tested) == 12
