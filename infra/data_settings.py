"""The section `data` of a zone's stack: how its data gets into the SuperNodes. It looks at no disk and no server."""

from __future__ import annotations

from components.data_source import DataSource
from infra.cloud_settings import Surroundings
from infra.config_reader import Section
from infra.setting_files import read_certificates_file

KEYS = ("path", "demo", "volume", "volumeImage", "nfs", "url", "sha256", "caFile")


def read_data(section: Section, machine: Surroundings) -> DataSource:
    """Read the section.

    Raises:
        RefusalError: It is none or several of the ways, or half of one.
    """
    demo = section.text("demo", "no").lower() if section.has("demo") else "no"
    if demo not in {"yes", "no"}:
        raise section.wrong("demo", demo, "yes or no")
    ca_file = section.optional_text("caFile")
    source = DataSource(
        path=section.optional_text("path"),
        demo=demo == "yes",
        volume=section.optional_text("volume"),
        volume_image=section.integer("volumeImage", least=0) if section.has("volumeImage") else None,
        nfs=section.optional_text("nfs"),
        url=section.optional_text("url"),
        sha256=section.optional_text("sha256"),
        ca_certificate=None
        if ca_file is None
        else read_certificates_file(
            section, "caFile", machine.path(ca_file), reason="the server behind url is verified with it"
        ),
    )
    source.variables()
    return source
