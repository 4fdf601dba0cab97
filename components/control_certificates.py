"""The CA of the Control API's client certificates, and the certificates that it issues: part of FederationPKI.

It is another CA than the one that vouches for the SuperLink: no server's certificate can pass for a client's, an
operator who brings a CA of his own need not sign for every researcher, and one can be exchanged without the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pulumi
import pulumi_tls as tls

from components.people import STACK_NAME, STACK_VALIDITY, Person, client_hours
from components.pki_rules import DEFAULT_CA_VALIDITY

_ALGORITHM = "ECDSA"
_CURVE = "P384"


@dataclass(frozen=True, kw_only=True)
class ClientCertificate:
    """One client certificate with its key."""

    role: str
    certificate: pulumi.Output[str]
    """PEM; public."""
    key: pulumi.Output[str]
    """PEM (PKCS#8); secret."""

    def output(self) -> pulumi.Output[dict[str, str]]:
        """All of it as one secret stack output."""
        return pulumi.Output.secret(pulumi.Output.all(certificate=self.certificate, key=self.key, role=self.role))


class ControlCertificates:
    """Declares the CA and the certificates, as children of `parent`.

    Args:
        name: Prefix of the resources' names.
        organization: The federation's name, which the gateway looks for in every subject.
        people: Checked by `check_people`.
        validity: Lifetime of their certificates.
        parent: The component.
    """

    def __init__(
        self,
        name: str,
        *,
        organization: str,
        people: Sequence[Person],
        validity: timedelta,
        parent: pulumi.Resource,
    ) -> None:
        self._name, self._organization = name, organization
        self._child = pulumi.ResourceOptions(parent=parent)
        self._key = tls.PrivateKey(f"{name}-control-ca-key", algorithm=_ALGORITHM, ecdsa_curve=_CURVE, opts=self._child)
        hours, longest = DEFAULT_CA_VALIDITY // timedelta(hours=1), STACK_VALIDITY // timedelta(hours=1)
        self._ca = tls.SelfSignedCert(
            f"{name}-control-ca",
            private_key_pem=self._key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(
                common_name="Flower federation control CA", organization=organization
            ),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=hours,
            early_renewal_hours=longest,
            opts=self._child,
        )
        self.ca_certificate = self._ca.cert_pem
        """PEM; public."""
        self.stack = self._issue("control-stack", Person(name=STACK_NAME, role="operator"), STACK_VALIDITY)
        """The operator certificate that the stack itself uses."""
        self.people = {person.name: self._issue(f"control-{person.name}", person, validity) for person in people}
        """By name."""

    def _issue(self, label: str, person: Person, validity: timedelta) -> ClientCertificate:
        hours, early_hours = client_hours(validity)
        name = f"{self._name}-{label}"
        key = tls.PrivateKey(f"{name}-key", algorithm=_ALGORITHM, ecdsa_curve=_CURVE, opts=self._child)
        request = tls.CertRequest(
            f"{name}-request",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(
                common_name=person.name, organizational_unit=person.role, organization=self._organization
            ),
            opts=self._child,
        )
        certificate = tls.LocallySignedCert(
            name,
            cert_request_pem=request.cert_request_pem,
            ca_cert_pem=self._ca.cert_pem,
            ca_private_key_pem=self._key.private_key_pem,
            allowed_uses=["digital_signature", "client_auth"],
            set_subject_key_id=True,
            validity_period_hours=hours,
            early_renewal_hours=early_hours,
            opts=self._child,
        )
        return ClientCertificate(
            role=person.role,
            certificate=certificate.cert_pem,
            # Secret by itself, whatever the plugin in use says of its outputs.
            key=pulumi.Output.secret(key.private_key_pem_pkcs8),
        )
