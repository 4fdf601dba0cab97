"""What the appliance publishes arrives as it was meant, through OneGate's own way of quoting."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from flower_appliance.onegate import render_attributes
from zonebox.onegate.attributes import parse, quoted

KEYS = st.from_regex(r"FL_[A-Z0-9_]{1,12}", fullmatch=True)
PLAIN = st.from_regex(r"([A-Za-z0-9._:@/+-]([A-Za-z0-9._:@/ +-]*[A-Za-z0-9._:@/+-])?)?", fullmatch=True)
BASE64 = st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode())


@given(attributes=st.dictionaries(KEYS, PLAIN | BASE64, min_size=1, max_size=5))
def test_published_values_arrive_unchanged_also_base64_that_ends_in_padding(attributes: dict[str, str]) -> None:
    assert parse(quoted(render_attributes(attributes))) == attributes
