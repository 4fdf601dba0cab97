"""Provider: a connection to one OpenNebula zone.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

import pulumi

from pulumi_opennebula.sdk.base import OpenNebulaProvider, arguments

__all__ = ["Provider", "ProviderArgs", "ProviderDefaultTagArgs"]


@arguments
class ProviderDefaultTagArgs:
    """Tags for every object that takes tags."""

    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = pulumi.property("tags", default=None)
    """Names and values."""


@arguments
class ProviderArgs:
    """What the provider is made of."""

    endpoint: pulumi.Input[str] | None = pulumi.property("endpoint", default=None)
    """URL of oned's XML-RPC, such as `https://front-end:2633/RPC2`."""
    username: pulumi.Input[str] | None = pulumi.property("username", default=None)
    """User of the zone."""
    password: pulumi.Input[str] | None = pulumi.property("password", default=None)
    """Password or token of the user."""
    flow_endpoint: pulumi.Input[str] | None = pulumi.property("flowEndpoint", default=None)
    """URL of OneFlow, such as `https://front-end:2474`; services and service templates need it."""
    insecure: pulumi.Input[bool] | None = pulumi.property("insecure", default=None)
    """Do not verify the endpoints' TLS certificates. Prefer `caFile`."""
    ca_file: pulumi.Input[str] | None = pulumi.property("caFile", default=None)
    """PEM file with the CA that both endpoints' certificates are verified against."""
    request_timeout_s: pulumi.Input[float] | None = pulumi.property("requestTimeoutS", default=None)
    """Longest wait for one answer of an endpoint, in seconds; 30 where absent."""
    credentials_from: pulumi.Input[str] | None = pulumi.property("credentialsFrom", default=None)
    """Where the program has user and password from, such as `the file auth/madrid`, for the message when the zone
    refuses them.
    """
    default_tags: pulumi.Input[list[pulumi.InputType[ProviderDefaultTagArgs]]] | None = pulumi.property(
        "defaultTags", default=None
    )
    """Tags for every object that takes tags."""


class Provider(OpenNebulaProvider):
    """A connection to one OpenNebula zone, for the resources that name it as their provider."""

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        endpoint: pulumi.Input[str] | None = None,
        flow_endpoint: pulumi.Input[str] | None = None,
        username: pulumi.Input[str] | None = None,
        password: pulumi.Input[str] | None = None,
        insecure: pulumi.Input[bool] | None = None,
        ca_file: pulumi.Input[str] | None = None,
        request_timeout_s: pulumi.Input[float] | None = None,
        credentials_from: pulumi.Input[str] | None = None,
        default_tags: pulumi.Input[list[pulumi.InputType[ProviderDefaultTagArgs]]] | None = None,
    ) -> None:
        """Describe the connection; the endpoints are asked, read-only, before anything is planned.

        Args:
            resource_name: Name of the provider in the program.
            opts: Options of the resource.
            endpoint: URL of oned's XML-RPC, such as `https://front-end:2633/RPC2`. Environment: `OPENNEBULA_ENDPOINT`.
            flow_endpoint: URL of OneFlow, such as `https://front-end:2474`; services and service templates need it.
                Environment: `OPENNEBULA_FLOW_ENDPOINT`.
            username: User of the zone. Environment: `OPENNEBULA_USERNAME`.
            password: Password or token of the user. Environment: `OPENNEBULA_PASSWORD`.
            insecure: Do not verify the endpoints' TLS certificates. Prefer `caFile`. Environment:
                `OPENNEBULA_INSECURE`.
            ca_file: PEM file with the CA that both endpoints' certificates are verified against. Environment:
                `OPENNEBULA_CA_FILE`.
            request_timeout_s: Longest wait for one answer of an endpoint, in seconds; 30 where absent.
            credentials_from: Where the program has user and password from, such as `the file auth/madrid`, for the
                message when the zone refuses them.
            default_tags: Tags for every object that takes tags.
        """
        args = ProviderArgs(
            endpoint=endpoint,
            flow_endpoint=flow_endpoint,
            username=username,
            password=password,
            insecure=insecure,
            ca_file=ca_file,
            request_timeout_s=request_timeout_s,
            credentials_from=credentials_from,
            default_tags=default_tags,
        )
        super().__init__("opennebula", resource_name, args, opts)
