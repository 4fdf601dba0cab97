"""A CONTEXT of any content is read or refused: nothing in it ends the appliance, and no secret in it is shown."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower_appliance.context import SuperNodeContext, read_context
from flower_appliance.errors import ContextError, NodeKeyError
from flower_appliance.guest import Guest
from flower_appliance.nodekey import public_key
from flower_appliance.onegate import render_attributes
from flower_appliance.shellvars import render_assignments
from tests.appliance_support import NOW, b64, make_authority, superlink_values, supernode_values

CA = make_authority()
VALUES = {"superlink": superlink_values(CA), "supernode": supernode_values(CA)}
EXTRA = (
    *("FL_PROJECT_URL", "ONEGATE_ENDPOINT", "FL_ONEGATE_CA", "FL_STATE_VOLUME", "FL_GPU", "FL_CONTEXT_REVISION"),
    *("FL_REQUIREMENTS", "FL_INDEX_URL", "FL_INDEX_CA", "FL_WHEELHOUSE_PATH", "FL_WHEELHOUSE_VOLUME"),
    *("FL_APP_HUB", "FL_SERVER_NAMES", "FL_SERVER_KEY_EPOCH", "FL_SERVER_REQUEST", "FL_NUM_CLIENTS"),
    *("FL_DATA_URL", "FL_DATA_SHA256", "FL_DATA_CA", "FL_DATA_NFS", "FL_DATA_VOLUME", "FL_DATA_DEMO", "FL_DATA_X"),
    *("FL_TRUSTED_ENTITIES", "FL_NODE_KEY_EPOCHS", "FL_PARTITION_ID", "FL_LOG_LEVEL"),
)


def refused(values: dict[str, str]) -> str:
    with pytest.raises(ContextError) as caught:
        read_context(values, now=NOW)
    return str(caught.value)


ODD = st.one_of(
    st.text(max_size=40),
    st.text(max_size=40).map(b64),
    st.sampled_from(
        ["https://[::1", "https://h:99999999/", "https://h/%00", "[::1]:9092", "http://", "//", "[]", "{}"]
    ),
    st.text(alphabet="https:/[]@.%0123", max_size=20),
)


@given(role=st.sampled_from(sorted(VALUES)), data=st.data(), value=ODD)
def test_whatever_one_variable_says_the_context_is_read_or_refused(role: str, data: st.DataObject, value: str) -> None:
    name = data.draw(st.sampled_from(sorted({*VALUES[role], *EXTRA})))
    try:
        read_context({**VALUES[role], name: value}, now=NOW)
    except ContextError as error:
        assert all(str(problem).count(". ") >= 2 for problem in error.problems)


@pytest.mark.parametrize("name", ["FL_PROJECT_URL", "ONEGATE_ENDPOINT", "FL_DATA_URL"])
@pytest.mark.parametrize("value", ["https://[::1", "https://host:port/", "https://a b/"])
def test_what_only_looks_like_a_url_is_refused(name: str, value: str) -> None:
    assert name in refused({**VALUES["supernode"], "FL_DATA_PATH": "", "FL_DATA_DEMO": "", name: value})


def test_an_index_that_only_looks_like_a_url_is_refused() -> None:
    entry = b64(f"numpy==2.0.0 --hash=sha256:{'0' * 64}")
    text = refused({**VALUES["supernode"], "FL_REQUIREMENTS": entry, "FL_INDEX_URL": "https://[::1"})
    assert "FL_INDEX_URL" in text


@pytest.mark.parametrize("name", ["FL_CONTEXT_REVISION", "FL_SERVER_REQUEST"])
def test_a_word_that_onegate_would_mangle_is_refused_since_it_is_written_back(name: str) -> None:
    values = {**VALUES["superlink"], "FL_SERVER_NAMES": "10.0.0.5", name: "a,b"}

    with pytest.raises(ValueError, match="mangles"):
        render_attributes({name: "a,b"})
    text = refused(values)
    assert f"{name} is 'a,b'" in text
    assert "written back through OneGate" in text


def test_what_is_written_back_is_what_onegate_gives_back_and_no_more_is_refused() -> None:
    values = {**VALUES["superlink"], "FL_CONTEXT_REVISION": "own key 0", "FL_SERVER_NAMES": "10.0.0.5"}
    assert read_context({**values, "FL_SERVER_REQUEST": "a+/=._:@-Z 9"}, now=NOW).revision == "own key 0"


def test_foreign_variables_may_hold_bytes_that_are_no_text(tmp_path: Path) -> None:
    text = render_assignments({**VALUES["supernode"], "SSH_PUBLIC_KEY": "ssh-ed25519 AAAA Jürgen"})
    (tmp_path / "context.sh").write_bytes(text.encode("latin-1"))
    guest = Guest(vm_mark="x", root=tmp_path, context_folder=tmp_path, address="10.0.0.5", bin_dir=tmp_path)

    assert isinstance(read_context(guest.context_values(), now=NOW), SuperNodeContext)


def test_our_own_variables_may_not_hold_them(tmp_path: Path) -> None:
    text = render_assignments({**VALUES["supernode"], "FL_ZONE": "münchen"})
    (tmp_path / "context.sh").write_bytes(text.encode("latin-1"))
    guest = Guest(vm_mark="x", root=tmp_path, context_folder=tmp_path, address="10.0.0.5", bin_dir=tmp_path)

    assert "FL_ZONE is 'm\ufffdnchen'" in refused(guest.context_values())


def test_a_signed_url_is_not_shown_whatever_it_is_refused_for() -> None:
    url = "https://store.example/rows.csv?X-Signature=swordfish"
    text = refused({**VALUES["supernode"], "FL_DATA_DEMO": "YES", "FL_DATA_PATH": "", "FL_DATA_URL": url})

    assert "FL_DATA_URL" in text
    assert "swordfish" not in text


@pytest.mark.parametrize("name", ["FL_DATA_S3_SECRET_KEY", "FL_DATA_PASSWORD", "FL_DATA_TOKEN"])
def test_a_password_for_a_way_that_there_is_not_is_not_shown(name: str) -> None:
    text = refused({**VALUES["supernode"], name: "swordfish"})

    assert name in text
    assert "swordfish" not in text


def test_the_password_of_an_index_is_not_shown() -> None:
    alone = refused({**VALUES["supernode"], "FL_INDEX_URL": "https://me:swordfish@index.example/simple"})
    within = refused(
        {
            **VALUES["supernode"],
            "FL_REQUIREMENTS": b64("--index-url https://me:swordfish@index.example/simple\nnumpy==2"),
            "FL_WHEELHOUSE_VOLUME": "wheels",
        }
    )

    assert "swordfish" not in alone + within
    assert "--index-url https://(not shown)@index.example/simple" in within


@pytest.mark.parametrize("part", ["/srv/./data", "/srv/../data"])
def test_a_data_path_is_plain_because_a_mount_is_named_by_it(part: str) -> None:
    assert f"FL_DATA_PATH is '{part}'" in refused({**VALUES["supernode"], "FL_DATA_PATH": part})


def openssl(*words: str) -> bytes:
    return subprocess.run(("openssl", *words), capture_output=True, check=True).stdout


def test_a_key_of_a_kind_that_nobody_here_knows_is_refused() -> None:
    key = openssl("ecparam", "-name", "prime239v1", "-genkey", "-noout")

    text = refused({**VALUES["superlink"], "FL_SERVER_KEY": b64(key)})
    assert "FL_SERVER_KEY" in text
    assert "private key without a password" in text


def test_a_certificate_with_such_a_key_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(openssl("ecparam", "-name", "prime239v1", "-genkey", "-noout"))
    certificate = openssl("req", "-x509", "-key", str(key), "-subj", "/CN=x", "-days", "9")

    assert "FL_SERVER_CERT" in refused({**VALUES["superlink"], "FL_SERVER_CERT": b64(certificate)})


def test_a_node_key_with_a_password_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    key = str(tmp_path / "node.key")
    subprocess.run(("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "swordfish", "-f", key), check=True)

    with pytest.raises(NodeKeyError, match="without a password"):
        public_key(tmp_path / "node.key")


def test_the_clock_decides_about_the_ca_and_a_corrected_one_heals_it() -> None:
    with pytest.raises(ContextError, match="correct the clock"):
        read_context(VALUES["supernode"], now=NOW + timedelta(days=900))
    assert read_context(VALUES["supernode"], now=NOW)
