"""OpenNebula's template syntax, text and XML."""

from __future__ import annotations

import pytest

from zonebox import template
from zonebox.errors import Refused


def test_names_become_upper_case_and_attributes_alphabetical() -> None:
    parsed = template.parse('memory=64\nCpu="0.1"\nNIC=[network_id="1",ip="10.0.0.1"]')
    assert parsed == {"CPU": "0.1", "MEMORY": "64", "NIC": {"IP": "10.0.0.1", "NETWORK_ID": "1"}}
    assert list(parsed) == ["CPU", "MEMORY", "NIC"]


def test_repeated_vectors_stay_apart_and_in_order() -> None:
    parsed = template.parse('PCI=[SHORT_ADDRESS="01:00.0"]\nPCI=[SHORT_ADDRESS="01:00.1"]\nPCI=[VENDOR="10de"]')
    assert parsed["PCI"] == [{"SHORT_ADDRESS": "01:00.0"}, {"SHORT_ADDRESS": "01:00.1"}, {"VENDOR": "10de"}]


def test_a_quoted_value_may_hold_newlines_quotes_brackets_and_backslashes() -> None:
    parsed = template.parse('A="one\ntwo"\nB="say \\"hi\\" [1,2]"\nC=[D="x, y]",E="c:\\dir"]')
    assert parsed == {"A": "one\ntwo", "B": 'say "hi" [1,2]', "C": {"D": "x, y]", "E": "c:\\dir"}}


def test_an_unquoted_value_ends_with_its_line_or_vector() -> None:
    assert template.parse("A = b c \nLEASES = [ IP = 172.16.100.2]") == {"A": "b c", "LEASES": {"IP": "172.16.100.2"}}


def test_comments_and_empty_values_are_accepted() -> None:
    assert template.parse('# a comment\nA=""\nB=\n  # another\nC=[]') == {"A": "", "B": "", "C": {}}


def test_xml_is_read_as_the_same_tree_whatever_its_root() -> None:
    text = "<TEMPLATE><CPU>1</CPU><NIC><NETWORK_ID>2</NETWORK_ID></NIC><NIC><IP>10.0.0.1</IP></NIC></TEMPLATE>"
    assert template.parse(text) == {"CPU": "1", "NIC": [{"NETWORK_ID": "2"}, {"IP": "10.0.0.1"}]}


@pytest.mark.parametrize(
    ("text", "where"),
    [("CPU=[", "line 1, columns 5:6"), ('A="open', "line 1"), ("A=[B=1\nC=2]", "COMMA or CBRACKET"), ("A", "EQUAL")],
)
def test_a_broken_template_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(Refused, match="Parse error: syntax error") as refused:
        template.parse(text)
    assert where in refused.value.text


def test_an_xml_bomb_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Refused, match="document type declaration is not accepted"):
        template.parse('<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>')


def test_merging_replaces_whole_attributes_and_keeps_the_rest() -> None:
    base = template.parse('A="1"\nNIC=[IP="a"]\nNIC=[IP="b"]')
    assert template.merge(base, template.parse('NIC=[IP="c"]\nB="2"')) == {"A": "1", "B": "2", "NIC": {"IP": "c"}}
