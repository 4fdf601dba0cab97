"""A connection to one zone for commands: from a stack's file or the environment. It changes nothing in the zone.

The variables are the provider's (OPENNEBULA_ENDPOINT, ...), or OpenNebula's own (ONE_XMLRPC, ONEFLOW_URL, ONE_AUTH).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from flower_federation.errors import FederationError, InputError, ToolError
from flower_federation.stacks import PROJECT, STACKS_FOLDER
from pulumi_opennebula.errors import MistakeError, OpenNebulaError
from pulumi_opennebula.one_auth import read_one_auth
from pulumi_opennebula.provider.settings import ZoneSettings, settings_of
from pulumi_opennebula.provider.zone import Zone

_Result = TypeVar("_Result")
_OWN_VARIABLES = {"OPENNEBULA_ENDPOINT": "ONE_XMLRPC", "OPENNEBULA_FLOW_ENDPOINT": "ONEFLOW_URL"}


def zone_settings(*, stack: str | None, project: Path, environ: Mapping[str, str]) -> ZoneSettings:
    """How to reach the zone of a stack, or the environment's.

    Args:
        stack: Name of a stack; None: the environment alone says which zone. A password that the stack's file encrypts
            is not read: it comes from OPENNEBULA_PASSWORD then.
        project: The clone.
        environ: The caller's environment.

    Raises:
        InputError: Something is missing or wrong.
    """
    environment = dict(environ)
    for ours, theirs in _OWN_VARIABLES.items():
        if theirs in environ:
            environment.setdefault(ours, environ[theirs])
    values: dict[str, Any] = {}
    auth = Path(environ["ONE_AUTH"]).expanduser() if "ONE_AUTH" in environ else None
    if stack is not None:
        config = _stack_config(stack, project)
        values = {name: str(config[name]) for name in ("endpoint", "flowEndpoint", "username") if config.get(name)}
        if config.get("caFile"):
            values["caFile"] = str(project / Path(str(config["caFile"])).expanduser())
        if config.get("oneAuthFile"):
            auth = project / Path(str(config["oneAuthFile"])).expanduser()
    try:
        if auth is not None and "username" not in values:
            values["username"], values["password"] = read_one_auth(auth)
        return settings_of(values, environment)
    except OpenNebulaError as error:
        refused = translated(error)
        if error.value.endswith(" is missing"):
            refused = InputError(given=error.value, rule=error.rule, reason=error.reason, remedy=_where(stack))
        raise refused from error


def _where(stack: str | None) -> str:
    """Where commands, which are no Pulumi program, look for a zone and for a login."""
    login = "OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD, or ONE_AUTH"
    if stack is None:
        return f"name a stack with --stack, or set OPENNEBULA_ENDPOINT (or ONE_XMLRPC), and {login}"
    file = f"{STACKS_FOLDER}/Pulumi.{stack}.yaml"
    return f"set it in {file} (oneAuthFile for a login), or set {login}; a password that the file encrypts is not read"


def in_zone(settings: ZoneSettings, work: Callable[[Zone], Awaitable[_Result]]) -> _Result:
    """Run something in a zone that has answered.

    Raises:
        FederationError: The zone does not answer or refuses, in the words of the commands.
    """

    async def run() -> _Result:
        zone = Zone(settings)
        await zone.prove()
        return await work(zone)

    try:
        return asyncio.run(run())
    except OpenNebulaError as error:
        raise translated(error) from error


def translated(error: OpenNebulaError) -> FederationError:
    """The same refusal as an error of the commands."""
    kind = InputError if isinstance(error, MistakeError) else ToolError
    return kind(given=error.value, rule=error.rule, reason=error.reason, remedy=error.remedy)


def _stack_config(stack: str, project: Path) -> dict[str, Any]:
    path = project / STACKS_FOLDER / f"Pulumi.{stack}.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {key.removeprefix(f"{PROJECT}:"): value for key, value in document["config"].items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        known = sorted(
            found.name.removeprefix("Pulumi.").removesuffix(".yaml") for found in path.parent.glob("Pulumi.*.yaml")
        )
        raise InputError(
            given=f"stack {stack!r}: its file {'cannot be read' if isinstance(error, OSError) else 'has no config'}",
            rule=f"it is a stack with a file in {STACKS_FOLDER}/: {', '.join(known) or 'none'}",
            reason="its file says where the zone is",
            remedy="name one of these, or leave --stack out and set OPENNEBULA_ENDPOINT and the like",
        ) from error
