"""Where a stack's zone is and how to log in there. It opens no connection: the provider does, and says what fails.

Credentials are looked for in this order: secret configuration (`username`, `password`), the file that `oneAuthFile`
names, the environment (OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD, or ONE_AUTH as OpenNebula's own tools use it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.errors import RefusalError
from infra.config_reader import Problems, Section
from infra.setting_files import read_certificates_file
from pulumi_opennebula.errors import ConfigurationError
from pulumi_opennebula.one_auth import read_one_auth

CLOUD_KEYS = (
    "endpoint",
    "flowEndpoint",
    "caFile",
    "onegateCaFile",
    "username",
    "password",
    "oneAuthFile",
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The machine that the program runs on."""

    root: Path
    """What relative paths of the settings are relative to."""
    environment: Mapping[str, str] = field(repr=False)

    def path(self, text: str) -> Path:
        """A path of the settings as an absolute one."""
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # ~somebody who has no home here: no file is there, and whoever looks for it says so
            path = Path(text)
        return (self.root / path).absolute()


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user of the zone."""

    username: str
    password: str = field(repr=False)
    source: str
    """Where both are from, for the message when the zone refuses them."""


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """A connection to a zone."""

    endpoint: str
    """oned's XML-RPC, such as https://cloud.example:2633/RPC2."""
    flow_endpoint: str
    """OneFlow, such as https://cloud.example:2474."""
    credentials: Credentials
    ca_file: Path | None
    """CA that both endpoints are verified against; None: the system's."""
    onegate_ca: str | None
    """PEM of the CA that guests verify OneGate against: `onegateCaFile`, else `caFile`; None: the guest's own CAs."""


def read_cloud(
    section: Section, problems: Problems, machine: Surroundings, *, secret_keys: frozenset[str], file: str
) -> CloudSettings:
    """Read the connection.

    Args:
        section: The stack's own level.
        problems: Collects what is refused.
        machine: For files and environment.
        secret_keys: Keys that the configuration encrypts.
        file: The stack file, for remedies.
    """
    endpoint = problems.attempt(lambda: _read_url(section, "endpoint", machine, "OPENNEBULA_ENDPOINT", "ONE_XMLRPC"))
    flow = problems.attempt(
        lambda: _read_url(section, "flowEndpoint", machine, "OPENNEBULA_FLOW_ENDPOINT", "ONEFLOW_URL")
    )
    credentials = problems.attempt(lambda: _read_credentials(section, machine, secret_keys, file))
    ca_file = problems.attempt(lambda: _read_pem_path(section, "caFile", machine))
    onegate_ca = problems.attempt(lambda: _read_onegate_ca(section, machine, ca_file), given=(ca_file,))
    return CloudSettings(
        endpoint=endpoint, flow_endpoint=flow, credentials=credentials, ca_file=ca_file, onegate_ca=onegate_ca
    )


def _read_url(section: Section, key: str, machine: Surroundings, *variables: str) -> str:
    inherited = next((machine.environment[name] for name in variables if machine.environment.get(name)), None)
    return section.checked_url(key, section.text(key, inherited))


def _read_credentials(section: Section, machine: Surroundings, secret_keys: frozenset[str], file: str) -> Credentials:
    if section.has("username") or section.has("password"):
        if "password" not in secret_keys and section.has("password"):
            raise RefusalError(
                value="password: in plain text (not shown)",
                rule="a password in the configuration is encrypted",
                reason="stack files are committed",
                remedy="pulumi config set --secret password, without the value on the command line; change it in the "
                "zone, too, if the file has been shared",
            )
        source = f"username and (with --secret) password in {file}"
        return Credentials(username=section.text("username"), password=section.text("password"), source=source)
    if section.has("oneAuthFile"):
        path = machine.path(section.text("oneAuthFile"))
        return _read_one_auth(path, named_by=f"oneAuthFile in {file}")
    name, password = (machine.environment.get(f"OPENNEBULA_{part}") for part in ("USERNAME", "PASSWORD"))
    if name and password:
        source = "OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD in the environment"
        return Credentials(username=name, password=password, source=source)
    if machine.environment.get("ONE_AUTH"):
        return _read_one_auth(machine.path(machine.environment["ONE_AUTH"]), named_by="the environment's ONE_AUTH")
    raise RefusalError(
        value="zone credentials: none found",
        rule="each stack has a user of its own zone",
        reason="every call to OpenNebula carries a user and a password",
        remedy=f"set username and (with --secret) password, or oneAuthFile, in {file}; or OPENNEBULA_USERNAME and "
        "OPENNEBULA_PASSWORD, or ONE_AUTH, in the environment",
    )


def _read_one_auth(path: Path, *, named_by: str) -> Credentials:
    try:
        username, password = read_one_auth(path)
    except ConfigurationError as error:
        raise RefusalError(
            value=f"zone credentials: {error.value}",
            rule=error.rule,
            reason=error.reason,
            remedy=f"start the embedded zone that writes it (scripts/demo), or correct what {named_by} says or holds",
        ) from error
    return Credentials(username=username, password=password, source=f"the file that {named_by} names")


def _read_pem_path(section: Section, key: str, machine: Surroundings) -> Path | None:
    text = section.optional_text(key)
    if text is None:
        return None
    path = machine.path(text)
    if not path.is_file():
        raise section.wrong(key, text, f"an existing file, and {path} is none", reason="TLS is verified against it")
    return path


def _read_onegate_ca(section: Section, machine: Surroundings, ca_file: Path | None) -> str | None:
    own = _read_pem_path(section, "onegateCaFile", machine)
    key, path = ("caFile", ca_file) if own is None else ("onegateCaFile", own)
    return (
        None
        if path is None
        else read_certificates_file(section, key, path, reason="guests verify OneGate's TLS against it")
    )
