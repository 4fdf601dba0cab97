"""Settings: from configuration or the environment, and refused with what to set where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from requests import certs

from pulumi_opennebula.errors import ConfigurationError, CredentialsError
from pulumi_opennebula.one_auth import read_one_auth
from pulumi_opennebula.provider.client.oned import AUTHENTICATION, refusal
from pulumi_opennebula.provider.client.oneflow import UNAUTHORIZED, OneFlow
from pulumi_opennebula.provider.settings import REQUEST_TIMEOUT_S, settings_of

GOOD = {"endpoint": "https://front-end:2633/RPC2", "username": "oneadmin", "password": "hush"}


def test_configuration_wins_over_the_environment_and_the_environment_fills_in() -> None:
    environment = {
        "OPENNEBULA_ENDPOINT": "https://other:2633/RPC2",
        "OPENNEBULA_FLOW_ENDPOINT": "https://front-end:2474/",
        "OPENNEBULA_INSECURE": "true",
    }
    found = settings_of(GOOD, environment)
    assert found.endpoint == "https://front-end:2633/RPC2"
    assert found.flow_endpoint == "https://front-end:2474"
    assert found.verify is False
    assert found.request_timeout_s == REQUEST_TIMEOUT_S
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"]
)
def test_a_file_that_holds_no_certificate_is_refused_before_anything_is_asked(tmp_path: Path, content: str) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(content)
    with pytest.raises(ConfigurationError, match=rf"'{ca}', in which no certificate can be read.*OPENNEBULA_CA_FILE"):
        settings_of({**GOOD, "caFile": str(ca)}, {})


def test_everything_may_come_from_the_environment() -> None:
    ca = certs.where()
    found = settings_of(
        {},
        {
            "OPENNEBULA_ENDPOINT": "http://127.0.0.1:2633/RPC2",
            "OPENNEBULA_USERNAME": "a",
            "OPENNEBULA_PASSWORD": "b",
            "OPENNEBULA_CA_FILE": ca,
        },
    )
    assert (found.username, found.password, found.verify) == ("a", "b", ca)


@pytest.mark.parametrize(
    ("values", "environment", "source"),
    [
        (GOOD, {}, "opennebula:username and opennebula:password"),
        ({**GOOD, "credentialsFrom": "the file auth/madrid"}, {}, "the file auth/madrid"),
        (
            {"endpoint": GOOD["endpoint"]},
            {"OPENNEBULA_USERNAME": "a", "OPENNEBULA_PASSWORD": "hush"},
            "OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD",
        ),
        (
            {"endpoint": GOOD["endpoint"], "username": "a"},
            {"OPENNEBULA_USERNAME": "x", "OPENNEBULA_PASSWORD": "hush"},
            "opennebula:username and OPENNEBULA_PASSWORD",
        ),
    ],
)
def test_refused_credentials_are_to_be_corrected_where_they_were_found(
    values: dict[str, Any], environment: dict[str, str], source: str
) -> None:
    found = settings_of(values, environment)
    for error in (
        refusal("user.info", "no", AUTHENTICATION, found),
        OneFlow(found, "https://front-end:2474")._refusal("GET", "/service", UNAUTHORIZED, "no"),
    ):
        assert isinstance(error, CredentialsError)
        assert error.remedy == f"Correct {source}"
        assert found.password not in str(error)


def test_default_tags_are_merged_in_order_from_a_list_or_its_json() -> None:
    tags = [{"tags": {"a": "1", "b": "1"}}, {"tags": {"b": "2"}}]
    assert settings_of({**GOOD, "defaultTags": tags}, {}).default_tags == {"a": "1", "b": "2"}
    assert settings_of({**GOOD, "defaultTags": '[{"tags": {"a": "1"}}]'}, {}).default_tags == {"a": "1"}


@pytest.mark.parametrize(
    ("change", "value", "remedy"),
    [
        ({"endpoint": None}, "endpoint is missing", "Set OPENNEBULA_ENDPOINT"),
        ({"password": ""}, "password is missing", "pulumi config set --secret opennebula:password"),
        ({"endpoint": "front-end"}, "endpoint is 'front-end'", "something like https://front-end:2633/RPC2"),
        ({"endpoint": "https://"}, "endpoint is 'https://'", "opennebula:endpoint or OPENNEBULA_ENDPOINT"),
        ({"endpoint": "https://a:b@c/RPC2"}, "endpoint is 'c/RPC2'", "opennebula:endpoint"),
        ({"flowEndpoint": "ftp://a"}, "flowEndpoint is 'ftp://a'", "something like https://front-end:2474"),
        ({"caFile": "/no/such/file"}, "caFile is '/no/such/file'", "OPENNEBULA_CA_FILE"),
        ({"insecure": "perhaps"}, "insecure is 'perhaps'", "true or false"),
        ({"requestTimeoutS": 0}, "requestTimeoutS is 0", "requestTimeoutS or remove it"),
        ({"requestTimeoutS": "soon"}, "requestTimeoutS is 'soon'", "requestTimeoutS or remove it"),
        ({"defaultTags": "project=x"}, "defaultTags is 'project=x'", "default_tags"),
        ({"defaultTags": ["x"]}, "defaultTags is ['x']", "default_tags"),
    ],
)
def test_wrong_settings_are_refused_with_value_and_remedy(change: dict[str, Any], value: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_of({**GOOD, **change}, {})
    assert caught.value.value == value
    assert remedy in caught.value.remedy
    assert "hush" not in str(caught.value)


def test_user_and_password_are_read_from_a_file_whose_content_no_error_shows(tmp_path: Path) -> None:
    file = tmp_path / "one_auth"
    file.write_text("ann:pass:word\n")
    assert read_one_auth(file) == ("ann", "pass:word")
    for content in (b"hush\n", b":hush", b"hush:\n", b"hush:\xff"):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="name another") as refused:
            read_one_auth(file)
        assert str(file) in refused.value.value
        assert "hush" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"No such file.*Start the zone that writes it"):
        read_one_auth(tmp_path / "missing")
