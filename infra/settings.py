"""A stack's settings: frozen dataclasses, read and checked in one go before anything is declared.

It is the only caller of pulumi.Config, and guesses nothing: what is missing, misspelt or out of bounds is refused, all
of a stack's mistakes together. Credentials come from secret configuration, a one_auth file or the environment, and are
never part of a message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config

from components.contextualization import LOG_LEVELS
from components.node_names import check_zone_name
from components.versions import check_version
from flower_appliance.version import FLOWER_VERSION
from infra.central_settings import CENTRAL_KEYS, CentralSettings, read_central
from infra.certificate_settings import read_certificates
from infra.cloud_settings import CLOUD_KEYS, Surroundings, read_cloud
from infra.config_reader import Problems, Section
from infra.site_settings import SITE_KEYS, Common, read_site
from infra.zone_settings import ZONE_KEYS, ZoneSettings, read_zone

PROJECT = "flower-federation"
KINDS = ("central", "zone")

_COMMON_KEYS = ("kind", "zone", "federation", "flowerVersion", "logLevel", "projectUrl")

Settings = CentralSettings | ZoneSettings


@dataclass(frozen=True, kw_only=True)
class RawConfig:
    """A stack's configuration as Pulumi hands it out: texts, objects as JSON, and which keys are secret."""

    stack: str
    values: Mapping[str, str] = field(repr=False)
    secret_keys: frozenset[str]


def read_pulumi_config() -> RawConfig:
    """This stack's configuration, without the project's prefix."""
    everything = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    prefix = f"{PROJECT}:"
    # The names come from the engine's bag, because pulumi.Config cannot list them; the values from pulumi.Config.
    names = [key.removeprefix(prefix) for key in everything if key.startswith(prefix)]
    environment_secrets = set(runtime_config.get_config_secret_keys_env())
    secret = {
        name for name in names if runtime_config.is_config_secret(prefix + name) or prefix + name in environment_secrets
    }
    config = pulumi.Config(PROJECT)
    plain = {name: config.get(name) for name in names if name not in secret}
    hidden = {name: str(everything[prefix + name]) for name in secret}
    return RawConfig(
        stack=pulumi.get_stack(),
        values={name: value for name, value in {**plain, **hidden}.items() if value is not None},
        secret_keys=frozenset(secret),
    )


def surroundings(project: Path, environment: Mapping[str, str] | None = None) -> Surroundings:
    """The machine that the program runs on, as far as settings may look at it.

    Args:
        project: The project's folder; FEDERATION_ROOT takes its place, so that a second checkout of the project can
            work on the zones of the first.
        environment: Environment variables; the process's own by default.
    """
    variables = os.environ if environment is None else environment
    return Surroundings(root=Path(variables.get("FEDERATION_ROOT") or project), environment=variables)


def load(raw: RawConfig, machine: Surroundings) -> Settings:
    """Settings of the stack's kind.

    Args:
        raw: From `read_pulumi_config`.
        machine: From `surroundings`.

    Raises:
        SeveralRefusalsError: Something is missing, misspelt or not allowed; every such thing is in it.
    """
    file = f"stacks/Pulumi.{raw.stack}.yaml"
    problems = Problems(f"settings of {raw.stack}")
    values: Mapping[str, Any] = raw.values
    kind = problems.attempt(lambda: _read_kind(values, file))
    if kind not in KINDS:
        problems.finish()
    own_keys = CENTRAL_KEYS if kind == "central" else ZONE_KEYS
    section = Section(
        values,
        where="",
        file=file,
        known=(*_COMMON_KEYS, *CLOUD_KEYS, *SITE_KEYS, *own_keys),
        problems=problems,
        secret=raw.secret_keys,
    )
    common = _read_common(section, problems, stack=raw.stack)
    cloud = read_cloud(section, problems, machine, secret_keys=raw.secret_keys, file=file)
    site = read_site(section, problems, machine)
    if kind == "central":
        certificates = read_certificates(section, problems, machine, secret_keys=raw.secret_keys, file=file)
        return read_central(
            section, problems, machine, common=common, cloud=cloud, site=site, certificates=certificates
        )
    return read_zone(section, problems, machine, common=common, cloud=cloud, site=site)


def _read_kind(values: Mapping[str, Any], file: str) -> str:
    reader = Section(values, where="", file=file, known=values, problems=Problems(file))
    kind = reader.text("kind")
    if kind not in KINDS:
        raise reader.wrong("kind", kind, f"one of {', '.join(KINDS)}", reason="the program has one part for each kind")
    return kind


def _read_common(section: Section, problems: Problems, *, stack: str) -> Common:
    zone = problems.attempt(lambda: check_zone_name(section.text("zone"), where="zone"))
    federation = problems.attempt(lambda: check_zone_name(section.text("federation"), where="federation"))
    version = problems.attempt(
        lambda: check_version(section.text("flowerVersion", FLOWER_VERSION), where="flowerVersion")
    )
    level = problems.attempt(lambda: _read_log_level(section))
    url = problems.attempt(lambda: section.url("projectUrl"))
    return Common(
        stack=stack, zone=zone, federation=federation, flower_version=version, log_level=level, project_url=url
    )


def _read_log_level(section: Section) -> str:
    level = section.text("logLevel", "INFO")
    if level not in LOG_LEVELS:
        raise section.wrong("logLevel", level, f"one of {', '.join(LOG_LEVELS)}")
    return level
