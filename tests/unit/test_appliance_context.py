"""What a CONTEXT may say, and how it is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flower_appliance.context import SuperLinkContext, SuperNodeContext, read_context
from flower_appliance.errors import ContextError, ContextSyntaxError
from flower_appliance.shellvars import parse_assignments
from tests.appliance_support import NOW, b64, make_authority, superlink_values, supernode_values

CA = make_authority()
SUPERLINK = superlink_values(CA)
SUPERNODE = supernode_values(CA)


def refusals(values: dict[str, str]) -> list[str]:
    with pytest.raises(ContextError) as caught:
        read_context(values, now=NOW)
    return [str(problem) for problem in caught.value.problems]


def test_a_superlink_context_is_read_whole() -> None:
    context = read_context({**SUPERLINK, "FL_NUM_CLIENTS": "3"}, now=NOW)

    assert isinstance(context, SuperLinkContext)
    assert context.server_names == ("localhost", "127.0.0.1", "10.0.0.5")
    assert [str(network) for network in context.admin_networks] == ["10.0.0.0/24", "127.0.0.1/32"]
    assert context.num_clients == 3
    assert context.log_level == "INFO"


def test_a_supernode_context_is_read_whole() -> None:
    context = read_context({**SUPERNODE, "FL_PARTITION_ID": "0", "FL_LOG_LEVEL": "DEBUG"}, now=NOW)

    assert isinstance(context, SuperNodeContext)
    assert (context.superlink_host, context.superlink_port) == ("10.0.0.5", 9092)
    assert (context.partition_base, context.partition_id, context.num_partitions) == (1000, 0, 3)
    assert context.log_level == "DEBUG"


def test_variables_that_opennebula_fills_with_nothing_count_as_absent() -> None:
    context = read_context({**SUPERNODE, "FL_PARTITION_ID": "", "FL_LOG_LEVEL": " ", "FL_DATA_URL": ""}, now=NOW)

    assert isinstance(context, SuperNodeContext)
    assert context.partition_id is None
    assert context.log_level == "INFO"


def test_every_problem_is_reported_at_once() -> None:
    found = refusals({**SUPERNODE, "FL_TLS_ENABLED": "NO", "FL_FLOWER_VERSION": "1.30.0", "FL_NUM_PARTITIONS": "many"})

    assert len(found) == 3
    assert any("FL_TLS_ENABLED is 'NO'" in problem for problem in found)
    assert any("1.30.0" in problem and "1.41.0" in problem for problem in found)
    assert any("FL_NUM_PARTITIONS is 'many'" in problem for problem in found)


@pytest.mark.parametrize("switch", ["FL_TLS_ENABLED", "FL_NODE_AUTH_ENABLED"])
@pytest.mark.parametrize("value", ["NO", "yes", "true", ""])
def test_security_cannot_be_switched_off(switch: str, value: str) -> None:
    (problem,) = refusals({**SUPERLINK, switch: value})

    assert f"{switch} is {value!r}" in problem
    assert f"Set {switch}=YES" in problem


def test_a_ca_that_does_not_match_its_fingerprint_is_refused() -> None:
    other = make_authority()
    (problem,) = refusals({**SUPERNODE, "FL_CA_CERT": b64(other.pem)})

    assert CA.fingerprint in problem
    assert other.fingerprint in problem
    assert "ca_fingerprint" in problem


def test_two_authorities_are_taken_where_a_fingerprint_vouches_for_each_in_any_order() -> None:
    other = make_authority()
    values = {**SUPERNODE, "FL_CA_CERT": b64(CA.pem + other.pem)}

    context = read_context({**values, "FL_CA_FINGERPRINT": f"{other.fingerprint} {CA.fingerprint}"}, now=NOW)
    assert context.ca_pem == CA.pem + other.pem
    for fingerprints in (CA.fingerprint, f"{CA.fingerprint} {make_authority().fingerprint}"):
        (problem,) = refusals({**values, "FL_CA_FINGERPRINT": fingerprints})
        assert f"{CA.fingerprint} {other.fingerprint}" in problem


def test_a_server_certificate_of_either_authority_is_taken_while_one_takes_over_from_the_other() -> None:
    other = make_authority()
    for issuer in (CA, other):
        values = {**SUPERLINK, **superlink_values(issuer), "FL_CA_CERT": b64(CA.pem + other.pem)}
        context = read_context({**values, "FL_CA_FINGERPRINT": f"{CA.fingerprint} {other.fingerprint}"}, now=NOW)
        assert isinstance(context, SuperLinkContext)


def test_an_authority_that_has_expired_beside_a_valid_one_is_no_reason_to_stop() -> None:
    expired = make_authority(start=NOW - timedelta(days=40), days=30)
    values = {**SUPERNODE, "FL_CA_CERT": b64(expired.pem + CA.pem)}

    context = read_context({**values, "FL_CA_FINGERPRINT": f"{expired.fingerprint} {CA.fingerprint}"}, now=NOW)
    assert context.ca_fingerprint == f"{expired.fingerprint} {CA.fingerprint}"


def test_an_expired_ca_is_refused_with_its_dates() -> None:
    expired = make_authority(start=NOW - timedelta(days=40), days=30)
    found = refusals({**SUPERNODE, "FL_CA_CERT": b64(expired.pem), "FL_CA_FINGERPRINT": expired.fingerprint})

    assert len(found) == 1
    assert "2026-11-14" in found[0]


def test_a_server_key_of_another_certificate_is_refused_without_being_shown() -> None:
    _, other_key = CA.issue("localhost")
    (problem,) = refusals({**SUPERLINK, "FL_SERVER_KEY": b64(other_key)})

    assert "FL_SERVER_KEY is" in problem
    assert "not shown" in problem
    assert b64(other_key)[:40] not in problem


def test_a_server_certificate_of_another_authority_is_refused() -> None:
    certificate, key = make_authority().issue("localhost")
    (problem,) = refusals({**SUPERLINK, "FL_SERVER_CERT": b64(certificate), "FL_SERVER_KEY": b64(key)})

    assert "signed by FL_CA_CERT" in problem


def test_an_expired_server_certificate_is_refused() -> None:
    certificate, key = CA.issue("localhost", start=NOW - timedelta(days=20), days=10)
    (problem,) = refusals({**SUPERLINK, "FL_SERVER_CERT": b64(certificate), "FL_SERVER_KEY": b64(key)})

    assert "Renew the server certificate" in problem


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("FL_ROLE", "supermodel", "superlink or supernode"),
        ("FL_CA_CERT", "not base64!", "must be base64"),
        ("FL_CA_CERT", b64("plain text"), "must be CA certificates"),
        ("FL_SUPERLINK_ADDRESS", "https://10.0.0.5:9092", "without https://"),
        ("FL_SUPERLINK_ADDRESS", "10.0.0.5", "HOST:PORT"),
        ("FL_SUPERLINK_ADDRESS", "10.0.0.5:99999", "HOST:PORT"),
        ("FL_SUPERLINK_ADDRESS", "fe80::1:9092", "HOST:PORT"),
        ("FL_NUM_PARTITIONS", "0", "from 1"),
        ("FL_NUM_PARTITIONS", "", "must be given"),
        ("FL_PARTITION_ID", "-1", "from 0"),
        ("FL_PARTITION_BASE", "99999999999", "integer"),
        ("FL_DATA_PATH", "srv/data", "absolute path"),
        ("FL_DATA_PATH", "/srv/../etc", "'..'"),
        ("FL_DATA_PATH", "/srv/'data'", "quotes"),
        ("FL_DATA_S3", "s3://bucket", "this appliance takes FL_DATA_PATH"),
        ("FL_ZONE", "ber lin", "letters, digits"),
        ("FL_FEDERATION", "", "must be given"),
        ("FL_LOG_LEVEL", "LOUD", "INFO or DEBUG"),
        ("FL_PROJECT_URL", "ftp://x", "http or https"),
        ("FL_SERVER_KEY", b64("secret key text"), "must not be given to a SuperNode"),
    ],
)
def test_a_wrong_value_is_refused_with_value_rule_and_remedy(name: str, value: str, fragment: str) -> None:
    found = [problem for problem in refusals({**SUPERNODE, name: value}) if problem.startswith(f"{name} is ")]

    assert len(found) == 1
    assert fragment in found[0]
    assert found[0].count(". ") >= 2


@pytest.mark.parametrize("networks", ["10.0.0.1/24", "10.0.0.0/40", "everyone", "10.0.0.0/24;10.1.0.0/24"])
def test_a_wrong_admin_network_is_refused_rather_than_widened(networks: str) -> None:
    (problem,) = refusals({**SUPERLINK, "FL_ADMIN_NETWORKS": networks})

    assert "without host bits" in problem


def test_no_private_key_appears_in_the_repr_of_a_context() -> None:
    context = read_context(SUPERLINK, now=NOW)

    assert isinstance(context, SuperLinkContext)
    assert "PRIVATE KEY" in context.server_key_pem
    assert "PRIVATE KEY" not in repr(context)


def test_a_context_file_is_read_as_opennebula_writes_it() -> None:
    text = "# Context variables generated by OpenNebula\nDISK_ID='1'\nFL_TEXT='it'\\''s\ntwo lines'\nTARGET='hda'\n"

    assert parse_assignments(text) == {"DISK_ID": "1", "FL_TEXT": "it's\ntwo lines", "TARGET": "hda"}


def test_other_literal_words_of_a_shell_are_read_too() -> None:
    text = 'export A="two words"; B=plain C=\\ \nD=\n'

    assert parse_assignments(text) == {"A": "two words", "B": "plain", "C": " ", "D": ""}


@pytest.mark.parametrize(
    "text",
    ["A=$(id)\n", "A=`id`\n", 'A="$HOME"\n', "rm -rf /\n", "A='open\n", "A=x & B=y\n", "A='x'\nif true; then\n"],
)
def test_anything_to_execute_is_refused(text: str) -> None:
    with pytest.raises(ContextSyntaxError, match=r"line \d+ of context.sh"):
        parse_assignments(text)
