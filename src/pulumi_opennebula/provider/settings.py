"""The provider's settings: from the stack's configuration or the environment, checked, and frozen. Asks no endpoint."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pulumi_opennebula.definitions import SETTINGS
from pulumi_opennebula.errors import ConfigurationError
from pulumi_opennebula.provider.checks import WORDS
from pulumi_opennebula.provider.values import Unknown, Values

REQUEST_TIMEOUT_S: Final = 30.0
"""Longest wait for one answer where nothing else is set; oned answers in milliseconds, OneFlow in under a second."""


@dataclass(frozen=True, kw_only=True)
class ZoneSettings:
    """How to reach one zone."""

    endpoint: str
    """oned's XML-RPC URL."""
    flow_endpoint: str | None = None
    """OneFlow's URL."""
    username: str
    """User of the zone."""
    password: str = field(repr=False)
    """Password or token; in no message."""
    credentials_from: str = "opennebula:username and opennebula:password"
    """Where user and password are from, as a message names it."""
    insecure: bool = False
    """Whether certificates go unverified."""
    ca_file: str | None = None
    """PEM file that certificates are verified against."""
    request_timeout_s: float = REQUEST_TIMEOUT_S
    """Longest wait for one answer, in seconds."""
    default_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of every object that takes tags."""

    @property
    def verify(self) -> bool | str:
        """What `requests` takes as `verify`."""
        return False if self.insecure else self.ca_file or True


def settings_of(values: Values, environment: Mapping[str, str]) -> ZoneSettings:
    """Settings from configuration, and from the environment where configuration has none.

    Raises:
        ConfigurationError: what is missing or wrong, one at a time.
    """
    found = _with_environment(values, environment)
    for name in ("endpoint", "username", "password"):
        if not found.get(name):
            raise _missing(name)
    ca_file = found.get("caFile") or None
    if ca_file is not None:
        _check_ca_file(str(ca_file))
    return ZoneSettings(
        endpoint=_url("endpoint", str(found["endpoint"]), "https://front-end:2633/RPC2"),
        flow_endpoint=_url("flowEndpoint", str(found["flowEndpoint"]), "https://front-end:2474")
        if found.get("flowEndpoint")
        else None,
        username=str(found["username"]),
        password=str(found["password"]),
        credentials_from=_credentials_from(values),
        insecure=_switch("insecure", found.get("insecure")),
        ca_file=ca_file,
        request_timeout_s=_timeout(found.get("requestTimeoutS")),
        default_tags=_default_tags(found.get("defaultTags")),
    )


def _with_environment(values: Values, environment: Mapping[str, str]) -> Values:
    found = {name: value for name, value in values.items() if value not in (None, "")}
    for setting in SETTINGS:
        name = setting.definition.name
        if name not in found and setting.environment and environment.get(setting.environment):
            found[name] = environment[setting.environment]
    return found


def _credentials_from(values: Values) -> str:
    """Where user and password are from: what the program says, else configuration or environment for each."""
    if values.get("credentialsFrom"):
        return str(values["credentialsFrom"])
    sources = [
        f"opennebula:{setting.definition.name}"
        if values.get(setting.definition.name) not in (None, "")
        else str(setting.environment)
        for setting in SETTINGS
        if setting.definition.name in {"username", "password"}
    ]
    return " and ".join(sources)


def has_unknown(values: Values) -> bool:
    """Whether a setting depends on a resource that is not made yet."""
    return any(isinstance(value, Unknown) for value in values.values())


def _missing(name: str) -> ConfigurationError:
    setting = next(item for item in SETTINGS if item.definition.name == name)
    secret = " --secret" if setting.definition.secret else ""
    return ConfigurationError(
        f"{name} is missing",
        "the provider needs it",
        "without it no zone can be asked",
        f"Set {setting.environment}, or `pulumi config set{secret} opennebula:{name} ...`, or the argument "
        f"{setting.definition.python_name} of pulumi_opennebula.Provider",
    )


def _check_ca_file(path: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as err:
        missing = not Path(path).is_file()
        raise ConfigurationError(
            f"caFile is {path!r}" + ("" if missing else ", in which no certificate can be read"),
            "it must name a PEM file that exists and holds a certificate",
            "the endpoints' certificates are verified against it"
            + ("" if missing else f", and TLS says {err.strerror or err}"),
            "Correct opennebula:caFile or OPENNEBULA_CA_FILE, or remove it to use the system's CAs",
        ) from err


def _url(name: str, value: str, example: str) -> str:
    problem = None
    try:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"}:
            problem = "it has no http or https scheme"
        elif not parts.hostname:
            problem = "it names no host"
        elif parts.username or parts.password:
            problem = "credentials in it would show in logs"
        elif parts.port == 0:
            problem = "no server listens on port 0"
    except ValueError as err:
        problem = str(err)
    if problem:
        setting = next(item for item in SETTINGS if item.definition.name == name)
        raise ConfigurationError(
            f"{name} is {value.rpartition('@')[2]!r}",
            "it must be an http or https URL",
            problem,
            f"Set opennebula:{name} or {setting.environment} to something like {example}",
        )
    return value.rstrip("/") if name == "flowEndpoint" else value


def _switch(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    found = WORDS.get(str(value).lower())
    if found is None:
        raise ConfigurationError(
            f"{name} is {value!r}",
            "it must be true or false",
            "it is a switch",
            f"Set opennebula:{name} to true or false",
        )
    return found


def _timeout(value: Any) -> float:
    if value is None:
        return REQUEST_TIMEOUT_S
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < 3600:
        raise ConfigurationError(
            f"requestTimeoutS is {value!r}",
            "it must be more than 0 and less than 3600",
            "it is the longest wait for one answer, in seconds",
            "Correct opennebula:requestTimeoutS or remove it",
        )
    return number


def _default_tags(value: Any) -> dict[str, str]:
    entries = value
    if isinstance(value, str):
        try:
            entries = json.loads(value)
        except ValueError:
            entries = None
        if entries is None:
            raise _wrong_tags(value)
    tags: dict[str, str] = {}
    for entry in entries or []:
        if not isinstance(entry, Mapping):
            raise _wrong_tags(value)
        tags.update({str(key): str(item) for key, item in (entry.get("tags") or {}).items()})
    return tags


def _wrong_tags(value: Any) -> ConfigurationError:
    return ConfigurationError(
        f"defaultTags is {value!r}",
        'it must be a list such as [{"tags": {"project": "flower"}}]',
        "the bridged package has it in this form",
        "Correct opennebula:defaultTags or the provider's argument default_tags",
    )
