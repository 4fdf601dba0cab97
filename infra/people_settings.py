"""Settings of who may use the Control API: people with their roles, and how long their certificates live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from components.people import DEFAULT_CLIENT_VALIDITY, MAX_CLIENT_VALIDITY, Person, check_people, client_hours
from infra.config_reader import UNKNOWN, Problems, Section

PEOPLE_KEYS = ("people", "clientCertificateDays")
_PERSON_KEYS = ("name", "role")


@dataclass(frozen=True, kw_only=True)
class PeopleSettings:
    """Who gets a client certificate."""

    people: tuple[Person, ...]
    validity: timedelta


def read_people(section: Section, problems: Problems) -> PeopleSettings:
    """Read the two keys; `problems` collects what is refused."""
    sections = problems.attempt(lambda: section.sections("people", known=_PERSON_KEYS))
    people = tuple(
        problems.attempt(lambda entry=entry: Person(name=entry.text("name"), role=entry.text("role")))  # type: ignore[misc]
        for entry in (() if sections is UNKNOWN else sections)  # type: ignore[comparison-overlap]
    )
    checked = problems.attempt(lambda: check_people(people), given=people)
    default_days = DEFAULT_CLIENT_VALIDITY // timedelta(days=1)
    validity = problems.attempt(
        lambda: timedelta(
            days=section.integer("clientCertificateDays", default_days, least=1, most=MAX_CLIENT_VALIDITY.days)
        )
    )
    problems.attempt(lambda: client_hours(validity), given=(validity,))
    return PeopleSettings(people=checked, validity=validity)
