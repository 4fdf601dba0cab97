"""FederationPKI: the federation's CA, the SuperLink's certificate, the signer of bundles, the Control API's clients.

It makes no key for a SuperNode (each makes its own, in its VM), and none for the SuperLink where that VM makes its own:
it signs what it is asked for then. It never exports the CA's key: that one stays in the state of the central stack,
encrypted. With certificates of the operator's own CA it makes none but the Control API's
client certificates: it checks them and passes them on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pulumi
import pulumi_tls as tls

from components.authorities import AUTHORITY_NAME, CaPlan, bundle
from components.control_certificates import ClientCertificate, ControlCertificates
from components.join_bundle import SIGNER_NAME
from components.own_ca import OwnCertificates, check_own_certificates
from components.people import DEFAULT_CLIENT_VALIDITY, Person, check_people, client_hours
from components.pki_rules import (
    DEFAULT_CA_VALIDITY,
    DEFAULT_EARLY_RENEWAL,
    DEFAULT_LEAF_VALIDITY,
    Lifetimes,
    ServerIdentities,
    certificate_fingerprint,
    check_federation,
    lifetimes,
    server_identities,
)
from components.server_key import SERVER_NAME, STACK, VM, check_place, check_request

# P-384 throughout: flwr 1.41.0 makes SuperNode keys of this curve, and serves TLS with a PKCS#8 key of it (2026-11-24).
_ALGORITHM = "ECDSA"
_CURVE = "P384"


@dataclass(frozen=True, kw_only=True)
class FederationPKIArgs:
    """What a federation's certificates are made for."""

    federation: str
    """The federation's name; the organization in all subjects."""
    server_names: Sequence[str]
    """DNS names under which zones reach the SuperLink; `localhost` is always added."""
    server_addresses: Sequence[pulumi.Input[str]] = ()
    """Addresses of the SuperLink's VM and of what forwards to it; 127.0.0.1 is always added. Plain ones are checked
    before anything is declared, outputs once they are known."""
    ca_validity: timedelta = DEFAULT_CA_VALIDITY
    """Lifetime of the CA's certificate. It is renewed, with the same key, once its rest is shorter than a leaf."""
    leaf_validity: timedelta = DEFAULT_LEAF_VALIDITY
    """Lifetime of the server's certificate, at most 90 days."""
    early_renewal: timedelta = DEFAULT_EARLY_RENEWAL
    """How long before its end the next `pulumi up` replaces the server's certificate."""
    ca: CaPlan = field(default_factory=CaPlan)
    """Which generation of the CA signs, and which are trusted."""
    own: OwnCertificates | None = None
    """Certificates of the operator's own CA; lifetimes are that CA's then."""
    server_key: str | None = None
    """Where the server's key is made: `vm` (in the SuperLink's VM, which is the default; `sign_server` makes its
    certificate) or `stack` (here). Certificates of an own CA come with their key."""
    people: Sequence[Person] = ()
    """Who gets a client certificate for the Control API, besides the stack itself."""
    client_validity: timedelta = DEFAULT_CLIENT_VALIDITY
    """Lifetime of their certificates, at most 30 days; the last third of it counts as due for renewal."""


class FederationPKI(pulumi.ComponentResource):
    """A CA of its own for one federation with what it signs, and one for the Control API's clients.

    Args:
        name: Name of the component; the federation's name is the usual one.
        args: What the certificates are made for.
        opts: Options of the component; nothing of them reaches its resources but what Pulumi inherits from a parent.

    Raises:
        RefusalError: A name, an address or a lifetime is not allowed; nothing has been declared then.
    """

    ca_certificate: pulumi.Output[str]
    """PEM; public. Two certificates while one CA takes over from another."""
    ca_fingerprint: pulumi.Output[str]
    """sha256 of the CA's DER, lower-case hex, or two of them with a space between; public."""
    server_certificate: pulumi.Output[str] | None
    """PEM, with the certificates that lead to an own CA's root; public. None until `sign_server` has made it."""
    server_key: pulumi.Output[str] | None
    """PEM (PKCS#8); secret. None where the SuperLink's VM makes it."""
    server_identities: pulumi.Output[ServerIdentities]
    """What the server's certificate covers."""
    bundle_certificate: pulumi.Output[str] | None
    """PEM of the certificate for signing join bundles; public. None where an own CA gave none."""
    bundle_key: pulumi.Output[str] | None
    """Its key, PEM (PKCS#8); secret. It opens nothing: whoever has it can write false invitations."""
    control_ca_certificate: pulumi.Output[str]
    """PEM of the CA that the Control API's clients are told by; public. It vouches for no server."""
    stack_operator: ClientCertificate
    """What the stack itself registers nodes with."""
    people: dict[str, ClientCertificate]
    """Client certificates of people, by name."""

    def __init__(self, name: str, args: FederationPKIArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        organization = check_federation(args.federation)
        spans = lifetimes(
            ca_validity=args.ca_validity, leaf_validity=args.leaf_validity, early_renewal=args.early_renewal
        )
        identities = _identities(args)
        self._place = check_place(
            args.server_key or (VM if args.own is None else STACK), own_ca=args.own is not None, where="server_key"
        )
        warnings = () if args.own is None else check_own_certificates(args.own, _plain_identities(args))
        people = check_people(args.people)
        client_hours(args.client_validity)
        super().__init__("flower:index:FederationPKI", name, None, opts)
        self.server_identities = identities
        self.server_certificate = self.server_key = None
        if args.own is None:
            self._name, self._organization, self._spans = name, organization, spans
            self._make(name, organization, spans, identities, args.ca)
        else:
            self._pass_on(args.own)
        control = ControlCertificates(
            name, organization=organization, people=people, validity=args.client_validity, parent=self
        )
        self.control_ca_certificate, self.stack_operator, self.people = (
            control.ca_certificate,
            control.stack,
            control.people,
        )
        for warning in warnings:
            pulumi.log.warn(warning, self)
        self.ca_fingerprint = self.ca_certificate.apply(certificate_fingerprint)
        self.register_outputs(
            {
                "caCertificate": self.ca_certificate,
                "caFingerprint": self.ca_fingerprint,
                "serverCertificate": self.server_certificate,
                "serverKey": self.server_key,
                "bundleCertificate": self.bundle_certificate,
                "bundleKey": self.bundle_key,
                "controlCaCertificate": self.control_ca_certificate,
            }
        )

    def _make(
        self,
        name: str,
        organization: str,
        spans: Lifetimes,
        identities: pulumi.Output[ServerIdentities],
        plan: CaPlan,
    ) -> None:
        """A CA of the federation's own, two while one takes over from the other, and what the signing one signs."""
        child = pulumi.ResourceOptions(parent=self)
        authorities = {number: self._authority(name, organization, spans, number) for number in plan.trusted}
        ca_key, ca = authorities[plan.signer]
        self._signer = (ca_key, ca)
        if self._place == STACK:
            self._make_server(name, organization, identities)
        bundle_key = tls.PrivateKey(f"{name}-bundle-key", algorithm=_ALGORITHM, ecdsa_curve=_CURVE, opts=child)
        bundle_request = tls.CertRequest(
            f"{name}-bundle-request",
            private_key_pem=bundle_key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=SIGNER_NAME, organization=organization),
            opts=child,
        )
        signer = self._signed(
            f"{name}-bundle", bundle_request.cert_request_pem, ca_key, ca, spans, purpose="code_signing"
        )

        self.ca_certificate = pulumi.Output.all(*(each.cert_pem for _, each in authorities.values())).apply(
            lambda pems: str(pems[0]) if len(pems) == 1 else bundle(pems)
        )
        self.bundle_certificate = signer.cert_pem
        self.bundle_key = pulumi.Output.secret(bundle_key.private_key_pem_pkcs8)

    def sign_server(self, request_pem: pulumi.Output[str]) -> pulumi.Output[str]:
        """Sign what the SuperLink's VM asks for; the certificate has the place of one that the stack made itself.

        Args:
            request_pem: Its signing request. Anything but what the stack would ask for itself is refused once known.

        Returns:
            The certificate, PEM; also in `server_certificate` from now on.
        """
        checked = pulumi.Output.all(request_pem, self.server_identities).apply(
            lambda known: check_request(str(known[0]), known[1], organization=self._organization)
        )
        ca_key, ca = self._signer
        server = self._signed(f"{self._name}-server", checked, ca_key, ca, self._spans, purpose="server_auth")
        self.server_certificate = server.cert_pem
        return server.cert_pem

    def _make_server(self, name: str, organization: str, identities: pulumi.Output[ServerIdentities]) -> None:
        """Key and certificate of the server, both in the stack's state."""
        child = pulumi.ResourceOptions(parent=self)
        server_key = tls.PrivateKey(f"{name}-server-key", algorithm=_ALGORITHM, ecdsa_curve=_CURVE, opts=child)
        request = tls.CertRequest(
            f"{name}-server-request",
            private_key_pem=server_key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=SERVER_NAME, organization=organization),
            dns_names=identities.apply(lambda known: list(known.dns_names)),
            ip_addresses=identities.apply(lambda known: list(known.addresses)),
            opts=child,
        )
        ca_key, ca = self._signer
        server = self._signed(
            f"{name}-server", request.cert_request_pem, ca_key, ca, self._spans, purpose="server_auth"
        )
        self.server_certificate = server.cert_pem
        # Secret by itself, whatever the plugin in use says of its outputs.
        self.server_key = pulumi.Output.secret(server_key.private_key_pem_pkcs8)

    def _authority(
        self, name: str, organization: str, spans: Lifetimes, number: int
    ) -> tuple[tls.PrivateKey, tls.SelfSignedCert]:
        """One generation of the CA. The first has no number in its names, as it had before there was another."""
        child = pulumi.ResourceOptions(parent=self)
        prefix, label = (f"{name}-ca", "") if number == 1 else (f"{name}-ca-{number}", f" {number}")
        key = tls.PrivateKey(f"{prefix}-key", algorithm=_ALGORITHM, ecdsa_curve=_CURVE, opts=child)
        certificate = tls.SelfSignedCert(
            prefix,
            private_key_pem=key.private_key_pem,
            # A name of its own: clients choose among the CAs that they trust by the issuer's name first.
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{AUTHORITY_NAME}{label}", organization=organization),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=spans.ca_hours,
            early_renewal_hours=spans.ca_early_renewal_hours,
            opts=child,
        )
        return key, certificate

    def _signed(
        self,
        name: str,
        request_pem: pulumi.Output[str],
        ca_key: tls.PrivateKey,
        ca: tls.SelfSignedCert,
        spans: Lifetimes,
        *,
        purpose: str,
    ) -> tls.LocallySignedCert:
        return tls.LocallySignedCert(
            name,
            cert_request_pem=request_pem,
            ca_cert_pem=ca.cert_pem,
            ca_private_key_pem=ca_key.private_key_pem,
            allowed_uses=["digital_signature", purpose],
            set_subject_key_id=True,
            validity_period_hours=spans.leaf_hours,
            early_renewal_hours=spans.leaf_early_renewal_hours,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _pass_on(self, own: OwnCertificates) -> None:
        """Certificates that were made elsewhere."""
        self.ca_certificate = pulumi.Output.from_input(own.ca_certificate)
        self.server_certificate = pulumi.Output.from_input(own.server_chain)
        self.server_key = pulumi.Output.secret(own.server_key)
        self.bundle_certificate = (
            None if own.bundle_certificate is None else pulumi.Output.from_input(own.bundle_certificate)
        )
        self.bundle_key = None if own.bundle_key is None else pulumi.Output.secret(own.bundle_key)


def _identities(args: FederationPKIArgs) -> pulumi.Output[ServerIdentities]:
    """Names and addresses of the server; what is plain among them is refused now, the rest once it is known."""
    plain = [address for address in args.server_addresses if isinstance(address, str)]
    if len(plain) == len(args.server_addresses):
        return pulumi.Output.from_input(server_identities(args.server_names, plain))
    # An address that is still unknown counts as one that zones can reach: 192.0.2.0/24 is set aside for such examples.
    server_identities(args.server_names, [*plain, "192.0.2.1"])
    return pulumi.Output.all(*args.server_addresses).apply(lambda known: server_identities(args.server_names, known))


def _plain_identities(args: FederationPKIArgs) -> ServerIdentities:
    """What an own certificate must cover, as far as it is known before anything is declared."""
    return server_identities(args.server_names, [each for each in args.server_addresses if isinstance(each, str)])
