"""A centre's facts out of a join bundle: what a zone reads that shares no backend with its centre.

It trusts no bundle that the zone's operator has not compared by telephone, and says what to compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components.errors import RefusalError
from components.exchange_files import in_groups
from components.join_bundle import JoinBundle, check, read
from components.zone_link import CentralFacts


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """The facts in a bundle, once it has passed every check."""

    path: Path
    zone: str
    """The zone that joins."""
    ca_fingerprint: str | None
    """The pin; without one the bundle is refused, and the refusal says what to compare."""
    now: datetime
    """The current instant, aware."""
    joined_with: str | None
    """Digest of the bundle that the zone has joined with before."""
    tell: Callable[[str], None]
    """Told what to compare by telephone."""

    @property
    def description(self) -> str:
        """The bundle's file."""
        return f"join bundle {self.path.name}"

    def read(self) -> CentralFacts:
        """Read and check the bundle.

        Raises:
            RefusalError: There is no such file, it was changed, or it is not for this zone, not from the pinned centre
                or no longer valid.
        """
        bundle = self.load()
        joined = bundle.digest == self.joined_with
        check(bundle, zone=self.zone, pin=self.ca_fingerprint, now=self.now, joined=joined, what=self.description)
        facts = bundle.facts
        self.tell(
            f"{self.description}: federation {facts.federation}, SuperLink {facts.superlink_fleet_endpoint}, valid "
            f"until {facts.expires_at}. Compare by telephone with the centre's operator, if you have not: the CA's "
            f"fingerprint is {in_groups(facts.ca_fingerprint)}"
        )
        return CentralFacts(
            superlink_fleet_endpoint=facts.superlink_fleet_endpoint,
            ca_certificate=facts.ca_certificate,
            ca_fingerprint=facts.ca_fingerprint,
            flower_version=facts.flower_version,
            federation=facts.federation,
        )

    def load(self) -> JoinBundle:
        """The bundle, its signature checked.

        Raises:
            RefusalError: There is no such file, or it was changed after it was signed.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RefusalError(
                value=f"central.bundle: {self.path} ({type(error).__name__})",
                rule="it names a file that can be read",
                reason="the zone knows its centre from nothing else",
                remedy="put the bundle that the centre's operator sent there, or correct central.bundle in this zone's "
                "stack file",
            ) from error
        return read(text, what=self.description)
