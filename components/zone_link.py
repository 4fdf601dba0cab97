"""ZoneLink: what a zone knows of its centre, checked before anything of the zone is declared.

It takes public facts only, and trusts none of them blindly: the CA must match its fingerprint, and the fingerprint the
one that the zone's own operator pinned, if one is pinned. It never needs the centre's credentials, passphrase or state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi

from components import stack_facts
from components.authorities import covers
from components.contextualization import check_fingerprint, check_fleet_endpoint
from components.errors import RefusalError
from components.pki_rules import verify_fingerprint
from components.versions import check_same_version


@dataclass(frozen=True, kw_only=True)
class CentralFacts:
    """The public facts of a centre, unchecked."""

    superlink_fleet_endpoint: str
    ca_certificate: str
    ca_fingerprint: str
    flower_version: str
    federation: str


class FactsSource(Protocol):
    """Where a zone gets its centre's facts from: a stack of the same backend, or any other way of handing them over."""

    @property
    def description(self) -> str:
        """For messages."""
        ...

    def read(self) -> CentralFacts:
        """The facts as they are now. Raises RefusalError where there are none."""
        ...


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """The outputs of a centre's stack in the backend that this zone uses, too."""

    stack: str
    """Full name, `organization/<project>/<stack>`."""

    @property
    def description(self) -> str:
        """The stack's name."""
        return f"stack {self.stack}"

    def read(self) -> CentralFacts:
        """Read the outputs.

        Raises:
            RefusalError: The stack does not exist, is destroyed, or exports something else.
            StackReadError: The backend failed.
        """
        return parse_facts(stack_facts.read_outputs(self.stack), source=self.description)


def parse_facts(outputs: Mapping[str, Any] | None, *, source: str) -> CentralFacts:
    """Facts out of stack outputs.

    Args:
        outputs: None where there is no such stack.
        source: For messages.

    Raises:
        RefusalError: There are none, or one of them is missing or no text.
    """
    if not outputs:
        raise RefusalError(
            value=f"central.stack: {source}, which {'does not exist' if outputs is None else 'has no outputs'}",
            rule="a zone joins a centre that is up",
            reason="it needs the centre's endpoint and CA before its first VM boots",
            remedy="run pulumi up on the centre's stack first, or correct central.stack in this zone's stack file",
        )
    names = tuple(CentralFacts.__dataclass_fields__)
    missing = [name for name in names if not isinstance(outputs.get(name), str)]
    if missing:
        raise RefusalError(
            value=f"central.stack: {source} without {', '.join(missing)}",
            rule=f"a centre exports {', '.join(names)} as plain text",
            reason="they are all that a zone knows of its centre",
            remedy="name a stack of kind central in central.stack, or run pulumi up on it with this program's version",
        )
    return CentralFacts(**{name: str(outputs[name]) for name in names})


@dataclass(frozen=True, kw_only=True)
class ZoneLinkArgs:
    """How a zone finds and judges its centre."""

    source: FactsSource
    federation: str
    """The federation that this zone means to join."""
    flower_version: str
    """The zone's own Flower version."""
    ca_fingerprint: str | None = None
    """Pin: sha256 of the CA's DER, hex, told to this zone's operator by another way than the CA itself."""


class ZoneLink(pulumi.ComponentResource):
    """A zone's link to its centre. Its values are plain: they are known, and checked, before it is declared.

    Args:
        name: Name of the component.
        args: How to find and judge the centre.
        opts: Options of the component.

    Raises:
        RefusalError: There is no centre, or the facts contradict each other, the pin, or the zone's settings.
    """

    superlink_fleet_endpoint: str
    """`host:9092`."""
    ca_certificate: str
    """The federation's CA, PEM."""
    ca_fingerprint: str
    """sha256 of the CA's DER, lower-case hex."""
    flower_version: str
    federation: str

    def __init__(self, name: str, args: ZoneLinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        facts = judge(args.source.read(), args)
        super().__init__("flower:index:ZoneLink", name, None, opts)
        self.superlink_fleet_endpoint = facts.superlink_fleet_endpoint
        self.ca_certificate = facts.ca_certificate
        self.ca_fingerprint = facts.ca_fingerprint
        self.flower_version = facts.flower_version
        self.federation = facts.federation
        self.register_outputs(
            {
                "superlinkFleetEndpoint": self.superlink_fleet_endpoint,
                "caCertificate": self.ca_certificate,
                "caFingerprint": self.ca_fingerprint,
                "flowerVersion": self.flower_version,
                "federation": self.federation,
            }
        )


def judge(facts: CentralFacts, args: ZoneLinkArgs) -> CentralFacts:
    """Return the facts if they hold together, with the fingerprint in lower case without colons.

    Raises:
        RefusalError: They do not.
    """
    source = args.source.description
    if facts.federation != args.federation:
        raise RefusalError(
            value=f"federation: {args.federation}",
            rule=f"a zone joins the federation of its centre, and {source} says {facts.federation}",
            reason="data of one federation must not train in another by a slip in a stack name",
            remedy="correct federation, or central.stack or central.bundle, in this zone's stack file",
        )
    check_same_version(args.flower_version, facts.flower_version)
    check_fleet_endpoint(facts.superlink_fleet_endpoint)
    announced = check_fingerprint(facts.ca_fingerprint, where=f"ca_fingerprint of {source}")
    verify_fingerprint(facts.ca_certificate, announced)
    if args.ca_fingerprint is not None:
        pinned = check_fingerprint(args.ca_fingerprint, where="central.caFingerprint")
        if not covers(pinned, announced):
            raise RefusalError(
                value=f"central.caFingerprint: {pinned}",
                rule=f"the centre's CA has the pinned fingerprint, but {source} presents {announced}",
                reason="a CA that changed without notice may be somebody else's, who would then see every model update",
                remedy="ask the centre's operator by telephone; correct the pin in this zone's stack file only if the "
                "CA was renewed. While a CA takes over from another, the pin names both, with a space between",
            )
    return CentralFacts(
        superlink_fleet_endpoint=facts.superlink_fleet_endpoint,
        ca_certificate=facts.ca_certificate,
        ca_fingerprint=announced,
        flower_version=facts.flower_version,
        federation=facts.federation,
    )
