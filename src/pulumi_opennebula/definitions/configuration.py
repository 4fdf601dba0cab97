"""Definition of the provider's own settings. Calls nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record

DEFAULT_TAG = Record(
    name="ProviderDefaultTag",
    description="Tags for every object that takes tags.",
    properties=(Property(name="tags", type=MapOf("string"), description="Names and values."),),
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of the provider and the environment variable that stands in for it."""

    definition: Property
    environment: str | None = None
    bridged: bool = True
    """Whether the bridged package has it."""


SETTINGS = (
    Setting(
        definition=Property(
            name="endpoint",
            type="string",
            required=True,
            description="URL of oned's XML-RPC, such as `https://front-end:2633/RPC2`.",
        ),
        environment="OPENNEBULA_ENDPOINT",
    ),
    Setting(
        definition=Property(
            name="flowEndpoint",
            type="string",
            description="URL of OneFlow, such as `https://front-end:2474`; services and service templates need it.",
        ),
        environment="OPENNEBULA_FLOW_ENDPOINT",
    ),
    Setting(
        definition=Property(name="username", type="string", required=True, description="User of the zone."),
        environment="OPENNEBULA_USERNAME",
    ),
    Setting(
        definition=Property(
            name="password", type="string", required=True, secret=True, description="Password or token of the user."
        ),
        environment="OPENNEBULA_PASSWORD",
    ),
    Setting(
        definition=Property(
            name="insecure",
            type="boolean",
            description="Do not verify the endpoints' TLS certificates. Prefer `caFile`.",
        ),
        environment="OPENNEBULA_INSECURE",
    ),
    Setting(
        definition=Property(
            name="caFile",
            type="string",
            description="PEM file with the CA that both endpoints' certificates are verified against.",
        ),
        environment="OPENNEBULA_CA_FILE",
        bridged=False,
    ),
    Setting(
        definition=Property(
            name="requestTimeoutS",
            type="number",
            description="Longest wait for one answer of an endpoint, in seconds; 30 where absent.",
        ),
        bridged=False,
    ),
    Setting(
        definition=Property(
            name="credentialsFrom",
            type="string",
            description=(
                "Where the program has user and password from, such as `the file auth/madrid`, for the message when "
                "the zone refuses them."
            ),
        ),
        bridged=False,
    ),
    Setting(
        definition=Property(
            name="defaultTags", type=ListOf(DEFAULT_TAG), description="Tags for every object that takes tags."
        )
    ),
)
