"""When this SuperLink's certificates end, in Prometheus' text format. It measures nothing and opens no port.

An instant is given and not a number of days, as Prometheus' naming practices ask: the text stays true without being
written again, also where nothing runs any more that could write it.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from flower_appliance import pem
from flower_appliance.context import SuperLinkContext

EXPIRY = "flower_certificate_expiry_timestamp_seconds"
"""Name of the metric; the base unit of an instant is a Unix second."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format, without which Prometheus 3 does not read an answer."""


def certificate_metrics(context: SuperLinkContext) -> str:
    """One sample a certificate: the server's chain, the CAs that nodes trust, the CA of the Control API's clients."""
    common = {"federation": context.federation, "zone": context.zone}
    samples = [
        f"{EXPIRY}{_labels({'certificate': kind, **common, 'sha256': pem.fingerprint(certificate)})} "
        f"{certificate.not_valid_after_utc.timestamp():.0f}"
        for kind, certificate in _certificates(context)
    ]
    head = (f"# HELP {EXPIRY} When a certificate of this SuperLink ends, in Unix seconds.", f"# TYPE {EXPIRY} gauge")
    return "\n".join((*head, *samples)) + "\n"


def _certificates(context: SuperLinkContext) -> Iterator[tuple[str, x509.Certificate]]:
    for text, first, further in (
        (context.server_cert_pem, "server", "chain"),
        (context.ca_pem, "ca", "ca"),
        (context.control_ca_pem, "control-ca", "control-ca"),
    ):
        for place, certificate in enumerate(pem.load_certificates(text.encode()) if text else ()):
            yield (further if place else first), certificate


def _labels(labels: dict[str, str]) -> str:
    # Names of federations and zones are letters, digits and hyphens: nothing of them needs an escape.
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
