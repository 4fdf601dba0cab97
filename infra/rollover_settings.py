"""Settings of a CA rollover: which generation of the federation's CA a centre is at, and in which stage."""

from __future__ import annotations

from components.authorities import CaPlan, check_plan
from infra.config_reader import Section

ROLLOVER_KEYS = ("caRollover",)
_KEYS = ("generation", "stage")


def read_rollover(section: Section) -> CaPlan:
    """Read `caRollover`; absent, the first CA is alone.

    Raises:
        RefusalError: There is no such stage, or another CA's certificates leave nothing to roll over.
    """
    rollover = section.section("caRollover", known=_KEYS)
    if section.has("caRollover") and section.has("ca"):
        raise section.wrong(
            "caRollover",
            "set beside ca",
            "left out where ca is set",
            reason="your own CA is exchanged by what its files hold",
        )
    return check_plan(rollover.integer("generation", 1), rollover.text("stage", "steady"), where="caRollover")
