"""The classes that a Pulumi program uses: the provider, and a node's registration.

They hold no logic: the plugin checks, registers and unregisters.
"""

from __future__ import annotations

import pulumi
from pulumi.runtime import to_json

from pulumi_flower.registration import RESOURCE_TYPE


class Provider(pulumi.ProviderResource):
    """Which SuperLink registrations go to.

    Args:
        resource_name: the resource's name.
        endpoint: `host:port` of the SuperLink's Control API: the central stack's superlink_control_endpoint.
        ca_certificate: the federation CA's certificate in PEM; no other CA is trusted.
        client_certificate: PEM of a certificate of the role `operator`, which the gateway of the Control API asks for.
        client_key: its private key in PEM; kept secret whether or not it comes as a secret.
        request_timeout_s: seconds to wait for a connection, and for each answer (default 10, at most 300).
        opts: options of the resource.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        endpoint: pulumi.Input[str],
        ca_certificate: pulumi.Input[str],
        client_certificate: pulumi.Input[str] | None = None,
        client_key: pulumi.Input[str] | None = None,
        request_timeout_s: pulumi.Input[float] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        timeout = None if request_timeout_s is None else pulumi.Output.from_input(request_timeout_s).apply(to_json)
        super().__init__(
            "flower",
            resource_name,
            {
                "endpoint": endpoint,
                "caCertificate": ca_certificate,
                "clientCertificate": client_certificate,
                "clientKey": None if client_key is None else pulumi.Output.secret(client_key),
                "requestTimeoutS": timeout,
            },
            opts,
        )


class SuperNodeRegistration(pulumi.CustomResource):
    """Lets one SuperNode into the federation, for as long as the resource exists.

    Deleting it revokes the node's key for good. A key that is registered under the same name already is adopted. A
    changed `public_key` registers the new key and then revokes the old one; a changed `name` on the same key is
    refused. Import one by its node id.

    Args:
        resource_name: the resource's name.
        name: the node's name, `<zone>/<vm>`.
        public_key: the node's OpenSSH public key line (ECDSA on a NIST curve).
        opts: options of the resource.

    Attributes:
        name: the node's name.
        public_key: its public key, without a comment.
        node_id: its id at the SuperLink; a text, since it exceeds 2^53.
        fingerprint: `SHA256:…` of its key, as `ssh-keygen -l` prints it.
    """

    name: pulumi.Output[str]
    public_key: pulumi.Output[str]
    node_id: pulumi.Output[str]
    fingerprint: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        public_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            RESOURCE_TYPE,
            resource_name,
            {"name": name, "public_key": public_key, "node_id": None, "fingerprint": None},
            opts,
        )

    def translate_output_property(self, prop: str) -> str:
        """The attribute that holds the provider's property."""
        return _ATTRIBUTES.get(prop, prop)

    def translate_input_property(self, prop: str) -> str:
        """The provider's property behind the attribute."""
        return _PROPERTIES.get(prop, prop)


_ATTRIBUTES = {"publicKey": "public_key", "nodeId": "node_id"}
_PROPERTIES = {attribute: prop for prop, attribute in _ATTRIBUTES.items()}
