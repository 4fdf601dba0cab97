"""Who a certificate is for: subject and alternative names out of inputs; refuses texts that cannot be such names."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from pulumi_resource_tls.errors import InvalidPropertyError
from pulumi_resource_tls.properties import Property, Type, texts
from pulumi_resource_tls.values import Inputs, Plain

NAME_PROPERTIES: tuple[Property, ...] = (
    Property(name="subject", type=Type.SUBJECT),
    Property(name="dnsNames", type=Type.TEXTS),
    Property(name="ipAddresses", type=Type.TEXTS),
    Property(name="uris", type=Type.TEXTS),
)

# In the order in which Go's crypto/x509/pkix writes them, so that both plugins make the same distinguished name.
SUBJECT_FIELDS: dict[str, x509.ObjectIdentifier] = {
    "country": NameOID.COUNTRY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCode": NameOID.POSTAL_CODE,
    "commonName": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
_LISTS = ("streetAddresses",)


def distinguished_name(inputs: Inputs) -> x509.Name:
    """The subject input as an X.509 name; absent and empty fields are left out.

    Raises:
        InvalidPropertyError: an unknown field, a field of the wrong type, or one that X.509 does not allow.
    """
    subject = inputs.get("subject")
    fields: Mapping[str, Plain] = subject if isinstance(subject, Mapping) else {}
    for field in fields:
        if field not in SUBJECT_FIELDS:
            raise InvalidPropertyError(
                f"subject.{field}",
                value="given",
                rule=f"the fields are {', '.join(SUBJECT_FIELDS)}",
                reason="a misspelt field would be missing from the certificate in silence",
                remedy="spell it as in that list",
            )
    attributes = [
        _attribute(field, oid, item) for field, oid in SUBJECT_FIELDS.items() for item in _items(field, fields)
    ]
    return x509.Name(attributes)


def alternative_names(inputs: Inputs) -> list[x509.GeneralName]:
    """dnsNames, ipAddresses and uris as general names, in this order.

    Raises:
        InvalidPropertyError: an entry that is empty, not ASCII, or no IP address.
    """
    dns = [x509.DNSName(_ascii("dnsNames", name)) for name in texts(inputs, "dnsNames")]
    addresses = [_address(value) for value in texts(inputs, "ipAddresses")]
    uris = [x509.UniformResourceIdentifier(_ascii("uris", uri)) for uri in texts(inputs, "uris")]
    return [*dns, *addresses, *uris]


def copied_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """The DNS names, addresses and URIs of a request; other kinds are not copied, as in the official provider."""
    try:
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kinds = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier)
    return [name for kind in kinds for name in asked if isinstance(name, kind)]


def _items(field: str, fields: Mapping[str, Plain]) -> list[str]:
    value = fields.get(field)
    if value is None or value == "":
        return []
    many = value if field in _LISTS and isinstance(value, list) else [value]
    found = [item for item in many if isinstance(item, str)]
    if len(found) != len(many):
        raise InvalidPropertyError(
            f"subject.{field}",
            value=f"of type {type(value).__name__}",
            rule="a list of texts" if field in _LISTS else "a text",
            reason="distinguished names are made of text",
            remedy=f"pass subject.{field} as text",
        )
    return found


def _attribute(field: str, oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    try:
        if field == "emailAddress":
            return x509.NameAttribute(oid, value, _ASN1Type.IA5String)
        return x509.NameAttribute(oid, value)
    except ValueError as error:
        raise InvalidPropertyError(
            f"subject.{field}",
            value=repr(value),
            rule="lengths and characters of RFC 5280, appendix A.1 (for example two letters for a country)",
            reason=f"clients refuse a name that breaks them ({error})",
            remedy=f"shorten or correct subject.{field}",
        ) from None


def _ascii(name: str, value: str) -> str:
    if value and value.isascii() and value.isprintable() and " " not in value:
        return value
    raise InvalidPropertyError(
        name,
        value=repr(value),
        rule="entries are not empty, ASCII, and without spaces",
        reason="certificates carry these names as IA5 text",
        remedy=f"correct the entry in {name}; write an international name in its punycode form",
    )


def _address(value: str) -> x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(value))
    except ValueError:
        raise InvalidPropertyError(
            "ipAddresses",
            value=repr(value),
            rule="each entry is one IPv4 or IPv6 address",
            reason="clients compare it bit by bit with the address they dialled",
            remedy="move host names to dnsNames, and networks out of the list",
        ) from None
