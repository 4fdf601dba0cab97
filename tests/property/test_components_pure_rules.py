"""Properties of the components' pure rules: sizes, names, partitions and context values."""

from __future__ import annotations

import base64
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.contextualization import SuperLinkContext, SuperNodeContext, check_fleet_endpoint, fleet_endpoint
from components.data_source import DataSource
from components.egress import superlink_rules, supernode_rules
from components.errors import RefusalError
from components.gpu import PROFILES, passthrough
from components.node_names import (
    VmName,
    check_partition_base,
    node_name,
    parse_vm_name,
    partition_id,
    service_vms_pattern,
)
from components.ports import CONTROL_PORT, FLEET_PORT
from components.service_documents import Role, scaled, service_template
from components.sizing import check_pool_size, check_superlink_address, plan_addresses
from flower_appliance.data import read_data
from flower_appliance.fields import Fields

networks = st.builds(
    lambda number, prefix: IPv4Network((number, prefix), strict=False),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=8, max_value=32),
)
addresses = st.integers(min_value=0, max_value=2**32 - 1).map(IPv4Address)


@given(cidr=networks, first=addresses, size=st.integers(min_value=-3, max_value=5000))
def test_a_range_is_either_refused_or_lies_wholly_in_its_network(
    cidr: IPv4Network, first: IPv4Address, size: int
) -> None:
    try:
        plan = plan_addresses(cidr=cidr, first=first, size=size)
    except RefusalError as refusal:
        assert "stack file" in refusal.remedy
        return
    assert plan.first in cidr
    assert plan.last in cidr
    assert int(plan.last) - int(plan.first) + 1 == size
    if cidr.prefixlen < 31:
        assert not plan.holds(cidr.network_address)
        assert not plan.holds(cidr.broadcast_address)


@given(offset=st.integers(min_value=1, max_value=200), size=st.integers(min_value=1, max_value=50), data=st.data())
def test_every_range_that_fits_is_accepted_and_holds_exactly_its_addresses(
    offset: int, size: int, data: st.DataObject
) -> None:
    cidr = IPv4Network("10.66.0.0/24")
    plan = plan_addresses(cidr=cidr, first=cidr.network_address + offset, size=size)
    other = cidr.network_address + data.draw(st.integers(min_value=0, max_value=255))

    inside = plan.first <= other <= plan.last
    assert plan.holds(other) is inside
    if inside:
        assert check_superlink_address(other, plan) == other
    else:
        with pytest.raises(RefusalError, match=re.escape(str(other))):
            check_superlink_address(other, plan)


@given(size=st.integers(min_value=1, max_value=250), supernodes=st.integers(min_value=-5, max_value=300))
def test_a_pool_is_accepted_exactly_if_each_node_has_an_address(size: int, supernodes: int) -> None:
    plan = plan_addresses(cidr=IPv4Network("10.66.0.0/24"), first=IPv4Address("10.66.0.1"), size=size)
    if 1 <= supernodes <= size:
        assert check_pool_size(supernodes, plan) == supernodes
    else:
        with pytest.raises(RefusalError, match=rf"supernodes: {supernodes}\n"):
            check_pool_size(supernodes, plan)


@given(
    role=st.from_regex(r"[a-z]\w{0,10}", fullmatch=True), number=st.integers(0, 10**6), service=st.integers(0, 10**6)
)
def test_oneflows_names_are_taken_apart_and_found_by_their_service(role: str, number: int, service: int) -> None:
    assume(role.isascii())
    name = f"{role}_{number}_(service_{service})"

    assert parse_vm_name(name) == VmName(role=role, number=number, service_id=service)
    assert re.search(service_vms_pattern(service), name)
    assert not re.search(service_vms_pattern(service + 1), name)


@given(text=st.text(max_size=40))
def test_any_other_name_is_refused_and_quoted(text: str) -> None:
    assume("_(service_" not in text)
    with pytest.raises(RefusalError) as refusal:
        parse_vm_name(text)
    assert text in refusal.value.value


@given(
    bases=st.lists(st.integers(0, 50).map(lambda n: n * 1000), min_size=2, max_size=5, unique=True),
    numbers=st.lists(st.integers(0, 999), min_size=1, max_size=5, unique=True),
)
def test_zones_with_different_bases_never_give_out_one_partition_twice(bases: list[int], numbers: list[int]) -> None:
    given_out = [
        partition_id(
            check_partition_base(base, where="partitionBase"), VmName(role="supernode", number=n, service_id=1)
        )
        for base in bases
        for n in numbers
    ]
    assert len(set(given_out)) == len(given_out)


@given(base=st.integers(-5000, 50000))
def test_a_base_that_could_overlap_another_is_refused(base: int) -> None:
    if base >= 0 and base % 1000 == 0:
        assert check_partition_base(base, where="partitionBase") == base
    else:
        with pytest.raises(RefusalError, match=str(base)):
            check_partition_base(base, where="partitionBase")


@given(zone=st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), numbers=st.sets(st.integers(0, 99), min_size=2))
def test_node_names_differ_where_vms_differ(zone: str, numbers: set[int]) -> None:
    names = {node_name(zone, VmName(role="supernode", number=n, service_id=4)) for n in numbers}
    assert len(names) == len(numbers)


@given(value=st.text(max_size=30))
def test_no_context_value_can_leave_its_quotes_or_its_line(value: str) -> None:
    context = SuperLinkContext(federation=value, zone="z", flower_version="1.41.0", admin_networks=())
    try:
        variables = context.variables()
    except RefusalError as refusal:
        assert "FL_FEDERATION" in refusal.value
        return
    line = f"FL_FEDERATION='{variables['FL_FEDERATION']}'"
    assert line.count("'") == 2
    assert len(line.splitlines()) == 1 or "\n" not in line
    assert "$" not in line


@given(host=st.from_regex(r"[a-z0-9][a-z0-9.-]{0,30}", fullmatch=True))
def test_a_fleet_endpoint_that_we_make_is_one_that_we_accept(host: str) -> None:
    assert check_fleet_endpoint(fleet_endpoint(host)) == f"{host}:{FLEET_PORT}"


@given(partitions=st.integers(-3, 3), base=st.integers(0, 3).map(lambda n: n * 1000))
def test_every_supernode_variable_is_text(partitions: int, base: int) -> None:
    context = SuperNodeContext(
        federation="demo",
        zone="berlin",
        flower_version="1.41.0",
        superlink_address="10.0.0.1:9092",
        partition_base=base,
        num_partitions=partitions,
        data=DataSource(path="/srv/flower/data"),
    )
    if partitions < 1:
        with pytest.raises(RefusalError, match=f"partitions: {partitions}"):
            context.variables()
    else:
        assert all(isinstance(value, str) and value for value in context.variables().values())


@given(allowed=st.lists(networks, max_size=4))
def test_control_is_open_to_the_admin_networks_only_and_supernodes_have_no_inbound_port(
    allowed: list[IPv4Network],
) -> None:
    inbound = [
        rule for rule in superlink_rules(zone_networks=(), admin_networks=allowed) if rule.direction == "INBOUND"
    ]

    assert [rule.network for rule in inbound if rule.port == CONTROL_PORT] == list(dict.fromkeys(allowed))
    assert {rule.port for rule in inbound} <= {FLEET_PORT, CONTROL_PORT}
    assert all(rule.direction == "OUTBOUND" for rule in supernode_rules("10.0.0.5"))


@given(cards=st.integers(-2, 12), profile=st.sampled_from(sorted(PROFILES)))
def test_each_card_is_one_vector(cards: int, profile: str) -> None:
    if 1 <= cards <= 8:
        assert len(passthrough(profile, cards=cards)) == cards
    else:
        with pytest.raises(RefusalError, match=f"cards: {cards}"):
            passthrough(profile, cards=cards)


@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12))
def test_an_unknown_gpu_profile_is_refused_with_those_that_exist(name: str) -> None:
    assume(name not in PROFILES)
    with pytest.raises(RefusalError) as refusal:
        passthrough(name, cards=1)
    assert "nvidia-t4" in refusal.value.rule


guest_texts = st.one_of(
    st.text(alphabet="ab1/._-@+ :'", max_size=20),
    st.builds("{}{}".format, st.sampled_from(["/srv/", "/mnt/", "/etc/", "/", "a:/"]), st.text("ab/._ ", max_size=8)),
    st.sampled_from(["CONTEXT", "rows", "/srv/flower/data", "files.example:/export", "files.example:/a/../b"]),
)


@given(text=guest_texts, other=guest_texts, way=st.sampled_from(["path", "nfs", "volume", "nfs and path"]))
def test_what_is_taken_for_a_guests_data_is_what_the_guest_takes(text: str, other: str, way: str) -> None:
    given_values: dict[str, dict[str, Any]] = {
        "path": {"path": text},
        "nfs": {"nfs": text},
        "volume": {"volume": text, "volume_image": 3},
        "nfs and path": {"nfs": text, "path": other},
    }
    values = given_values[way]
    # Settings come without white space at their ends, and never empty.
    assume(all(value == value.strip() and value for value in values.values() if isinstance(value, str)))
    fields = Fields({f"FL_DATA_{name.upper()}": str(value) for name, value in values.items() if name != "volume_image"})
    read_data(fields)
    try:
        DataSource(**values).variables()
        refused = False
    except RefusalError:
        refused = True
    assert refused == bool(fields.problems), fields.problems


@given(count=st.integers(0, 10**6), vm_template=st.integers(0, 10**6))
def test_the_service_template_does_not_depend_on_the_pools_size(count: int, vm_template: int) -> None:
    role = Role(name="supernode", max_vms=20)
    document = service_template(name="n", description="d", role=role, vm_template_id=vm_template)

    assert f'"template_id": {vm_template}' in document
    assert f'"cardinality": {count},' in scaled(role, cardinality=count)
    assert document == service_template(name="n", description="d", role=role, vm_template_id=vm_template)


def test_base64_of_the_context_round_trips() -> None:
    from components.contextualization import encode_certificates
    from tests.components_support import authority

    assert base64.b64decode(encode_certificates(authority().pem)).decode() == authority().pem
