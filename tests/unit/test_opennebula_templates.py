"""Template text and answers of oned: what is written is what oned's parser reads, and what it sends is read whole."""

from __future__ import annotations

import pytest

from pulumi_opennebula.provider.templates import attributes_of, body_of, children, parse, render, text_at, unrenderable


def test_vectors_of_one_name_keep_their_order() -> None:
    text = render([("PCI", {"SHORT_ADDRESS": "01:00.1"}), ("PCI", {"SHORT_ADDRESS": "01:00.0"}), ("CPU", "1")])
    assert [value for name, value in parse(text) if name == "PCI"] == [
        {"SHORT_ADDRESS": "01:00.1"},
        {"SHORT_ADDRESS": "01:00.0"},
    ]


def test_a_double_quote_is_escaped_and_nothing_else() -> None:
    assert render([("SCHED_REQUIREMENTS", 'CLUSTER_ID="1" & A\\B')]) == 'SCHED_REQUIREMENTS="CLUSTER_ID=\\"1\\" & A\\B"'


def test_text_that_the_terraform_provider_sends_is_read() -> None:
    text = 'NAME="a"\nAR=[\n    SIZE="12",\n    TYPE="IP4" ]\nLEASES = [ IP = 172.16.100.2]\nSIZE=1\n# comment\nCPU=0.5'
    assert parse(text) == [
        ("NAME", "a"),
        ("AR", {"SIZE": "12", "TYPE": "IP4"}),
        ("LEASES", {"IP": "172.16.100.2"}),
        ("SIZE", "1"),
        ("CPU", "0.5"),
    ]


def test_a_vector_without_keys_is_not_written() -> None:
    assert render([("CONTEXT", {}), ("CPU", "1")]) == 'CPU="1"'


@pytest.mark.parametrize("text", ["A", "A=[B]", 'A=[B="1"', 'A=[B="1" C="2"]', "=1"])
def test_text_that_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "reason"), [("ends with \\", "end with a backslash"), ("a ]]> b", "]]>"), ('a \\" b', "double quote")]
)
def test_values_that_the_parser_would_misread_are_named_with_the_reason(text: str, reason: str) -> None:
    assert reason in (unrenderable(text) or "")


def test_ordinary_values_can_be_written() -> None:
    assert unrenderable('C:\\path "quoted" [1, 2] # $NETWORK[IP]') is None


def test_repeated_elements_become_lists_and_empty_ones_texts() -> None:
    body = body_of("<VNET><ID>1</ID><AR_POOL><AR><ID>0</ID></AR><AR><ID>1</ID></AR></AR_POOL><PHYDEV/></VNET>")
    assert [text_at(item, "ID") for item in children(body, "AR_POOL", "AR")] == ["0", "1"]
    assert text_at(body, "PHYDEV") == ""
    assert text_at(body, "MISSING", "DEEPER") == ""


def test_attributes_keep_the_order_among_equals_and_leave_other_forms_out() -> None:
    body = body_of("<V><TEMPLATE><NIC><A>1</A></NIC><CPU>1</CPU><NIC><A>2</A></NIC></TEMPLATE></V>")
    assert attributes_of(body["TEMPLATE"]) == [("NIC", {"A": "1"}), ("NIC", {"A": "2"}), ("CPU", "1")]
    assert attributes_of("") == []


def test_an_attribute_without_a_text_is_one() -> None:
    body = body_of("<V><TEMPLATE><OWNER/><CPU>1</CPU></TEMPLATE></V>")
    assert attributes_of(body["TEMPLATE"]) == [("OWNER", ""), ("CPU", "1")]
