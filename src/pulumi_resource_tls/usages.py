"""allowedUses: the provider's words for key usages, as X.509 extensions; refuses those without a meaning."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pulumi_resource_tls.errors import InvalidPropertyError

# The word, and the name of the bit in cryptography's x509.KeyUsage.
KEY_USAGES: dict[str, str] = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}

EXTENDED_KEY_USAGES: dict[str, x509.ObjectIdentifier] = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec_end_system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft_server_gated_crypto": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape_server_gated_crypto": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoft_commercial_code_signing": x509.ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoft_kernel_code_signing": x509.ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}


def check_uses(uses: Sequence[str]) -> list[InvalidPropertyError]:
    """The problems of a list of uses; empty where there are none."""
    accepted = sorted([*KEY_USAGES, *EXTENDED_KEY_USAGES])
    problems = [
        InvalidPropertyError(
            "allowedUses",
            value=repr(use),
            rule=f"one of {', '.join(accepted)}",
            reason="a use that X.509 does not know would be left out of the certificate in silence",
            remedy="correct the entry in allowed_uses",
        )
        for use in uses
        if use not in KEY_USAGES and use not in EXTENDED_KEY_USAGES
    ]
    if {"encipher_only", "decipher_only"} & set(uses) and "key_agreement" not in uses:
        problems.append(
            InvalidPropertyError(
                "allowedUses",
                value=repr([*uses]),
                rule="encipher_only and decipher_only come with key_agreement",
                reason="RFC 5280, 4.2.1.3 gives them no meaning alone",
                remedy="add key_agreement to allowed_uses, or remove them",
            )
        )
    return problems


def key_usage(uses: Sequence[str]) -> x509.KeyUsage | None:
    """The key usage extension for these uses, or None where they ask for none."""
    bits = {bit: word in uses for word, bit in KEY_USAGES.items()}
    return x509.KeyUsage(**bits) if any(bits.values()) else None


def extended_key_usage(uses: Sequence[str]) -> x509.ExtendedKeyUsage | None:
    """The extended key usage extension in the order given, or None where they ask for none."""
    wanted = [EXTENDED_KEY_USAGES[use] for use in dict.fromkeys(uses) if use in EXTENDED_KEY_USAGES]
    return x509.ExtendedKeyUsage(wanted) if wanted else None
