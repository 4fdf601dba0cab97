"""The server's key where its own VM makes it: what the VM is told to ask for, and what it must have asked for.

What arrives through OneGate is no root of trust: any VM of a service may write its siblings' attributes. A request is
signed only where it asks for exactly the names, subject and kind of key that the stack would ask for itself, so that
the worst that a false one brings is a certificate of the SuperLink for another key, and a SuperLink that is not READY.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.errors import RefusalError
from components.pki_rules import ServerIdentities
from components.published_keys import PublishedVm

VM, STACK = "vm", "stack"
PLACES = (VM, STACK)
"""Where the server's key is made: in the VM that uses it, or in the stack, which then keeps it in its state."""
SERVER_NAME = "Flower SuperLink"
"""Common name of the server's certificate."""
REQUEST = "FL_SERVER_REQUEST"
"""Names what was asked for; the VM writes it back beside its signing request."""
REQUEST_VARIABLES = ("FL_SERVER_NAMES", "FL_SERVER_KEY_EPOCH", REQUEST)
"""CONTEXT variables of `request_variables`."""
REQUEST_ATTRIBUTE = "FL_SERVER_CSR"
_REMEDY = "read /var/log/flower/appliance.log in the SuperLink's VM, and run pulumi up again"


@dataclass(frozen=True, kw_only=True)
class OwnServerKey:
    """The server's key is the VM's own."""

    identities: pulumi.Output[ServerIdentities]
    """What its certificate covers."""
    epoch: int
    """How often a new key was asked for."""
    sign: Callable[[pulumi.Output[str]], pulumi.Output[str]]
    """From a signing request (PEM) to a certificate (PEM); `FederationPKI.sign_server`."""


def check_place(place: str, *, own_ca: bool, where: str) -> str:
    """Return where the server's key is made, if that is possible.

    Raises:
        RefusalError: It is neither `vm` nor `stack`, or an own CA has signed the certificate already.
    """
    if place not in PLACES:
        raise RefusalError(
            value=f"{where}: {place}",
            rule=f"one of {', '.join(PLACES)}",
            reason="the server's key is made in the SuperLink's VM, or in the stack",
            remedy=f"change {where} in the central stack's file, or leave it out",
        )
    if own_ca and place == VM:
        raise RefusalError(
            value=f"{where}: {place}, beside ca",
            rule="with certificates of your own CA the server's key is given",
            reason="its certificate exists before the VM does, so it belongs to a key that was made elsewhere",
            remedy=f"remove {where} from the central stack's file",
        )
    return place


def request_variables(identities: ServerIdentities, *, federation: str, epoch: int) -> dict[str, str]:
    """CONTEXT variables that let a VM make its key and ask for a certificate.

    Args:
        identities: What the certificate will cover.
        federation: The federation's name, which the subject carries.
        epoch: How often a new key was asked for.
    """
    names = " ".join((*identities.dns_names, *identities.addresses))
    named = sha256(f"{federation}\n{names}\n{epoch}".encode()).hexdigest()[:16]
    return dict(zip(REQUEST_VARIABLES, (names, str(epoch), named), strict=True))


def published_request(vms: Sequence[PublishedVm], *, wanted: Mapping[str, str]) -> str:
    """The signing request that the SuperLink's VM has published.

    Args:
        vms: All VMs of the service.
        wanted: From `request_variables`.

    Returns:
        PEM, not looked at yet.

    Raises:
        RefusalError: There is not exactly one VM, or it has not answered this request.
    """
    answers = [vm for vm in vms if vm.attributes.get(REQUEST) == wanted[REQUEST]]
    if len(vms) != 1 or len(answers) != 1:
        shown = ", ".join(f"{vm.name} with {REQUEST}={vm.attributes.get(REQUEST, '')[:70]!r}" for vm in vms) or "no VM"
        raise RefusalError(
            value=f"the SuperLink's service has {shown}",
            rule=f"its one VM has {REQUEST}={wanted[REQUEST]}, and {REQUEST_ATTRIBUTE} beside it",
            reason="the server's certificate is made for the key that this VM has",
            remedy=_REMEDY,
        )
    encoded = answers[0].attributes.get(REQUEST_ATTRIBUTE, "")
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii")
    except ValueError as error:
        raise _refused("no base64 of ASCII text", vm=answers[0].name) from error


def check_request(request_pem: str, identities: ServerIdentities, *, organization: str) -> str:
    """Return a signing request if it asks for what the stack would ask for itself.

    Args:
        request_pem: PEM.
        identities: What the certificate may cover: exactly this.
        organization: The federation's name.

    Raises:
        RefusalError: It does not parse, its signature is wrong, or it asks for anything else.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        public = request.public_key()
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _refused(f"no signing request with names ({type(error).__name__})") from error
    dns = names.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if len(dns) + len(addresses) != len(list(names)):
        raise _refused("names that are neither DNS names nor addresses")
    if (set(dns), set(addresses)) != (set(identities.dns_names), set(identities.addresses)):
        raise _refused(f"the names {', '.join((*dns, *addresses))}")
    subject = {(attribute.oid, attribute.value) for attribute in request.subject}
    if subject != {(NameOID.COMMON_NAME, SERVER_NAME), (NameOID.ORGANIZATION_NAME, organization)}:
        raise _refused(f"the subject {request.subject.rfc4514_string()}")
    if [extension.oid for extension in request.extensions] != [x509.SubjectAlternativeName.oid]:
        raise _refused("extensions besides its names")
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP384R1):
        raise _refused("a key that is not EC P-384")
    if not request.is_signature_valid:
        raise _refused("a signature of another key")
    return request_pem


def _refused(found: str, *, vm: str = "the SuperLink's VM") -> RefusalError:
    return RefusalError(
        value=f"{REQUEST_ATTRIBUTE} of {vm}: {found}",
        rule="a signing request of an EC P-384 key for exactly the SuperLink's names, with the federation's subject",
        reason="the federation's CA signs what nodes will take for their SuperLink, and OneGate vouches for nothing",
        remedy=_REMEDY,
    )
