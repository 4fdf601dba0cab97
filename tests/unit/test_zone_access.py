"""How commands find a zone and a login, and what they say where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from flower_federation.errors import InputError
from flower_federation.zone_access import zone_settings

ENDPOINT = "https://one.example.org:2633/RPC2"


def stack(project: Path) -> None:
    (project / "stacks").mkdir()
    (project / "stacks" / "Pulumi.here.yaml").write_text(f"config:\n  flower-federation:endpoint: {ENDPOINT}\n")


def test_without_a_stack_a_missing_endpoint_is_given_by_one_or_by_the_environment(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"endpoint is missing[\s\S]*--stack, or set OPENNEBULA_ENDPOINT"):
        zone_settings(stack=None, project=tmp_path, environ={})


def test_a_missing_login_names_the_stacks_file_and_no_configuration_that_commands_do_not_read(tmp_path: Path) -> None:
    stack(tmp_path)
    with pytest.raises(InputError, match=r"is missing[\s\S]*stacks/Pulumi\.here\.yaml \(oneAuthFile") as refusal:
        zone_settings(stack="here", project=tmp_path, environ={})
    assert "pulumi config" not in refusal.value.remedy


def test_a_login_of_the_environment_completes_the_stacks_endpoint(tmp_path: Path) -> None:
    stack(tmp_path)
    login = {"OPENNEBULA_USERNAME": "ada", "OPENNEBULA_PASSWORD": "x"}
    assert zone_settings(stack="here", project=tmp_path, environ=login).endpoint == ENDPOINT
