"""An image's checksum through the real engine: imported where it is right, refused and nothing lost where it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.opennebula_support import Project, a_zone

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IMAGE = (
    'one.Image("disk", name=f"disk-{{TAG}}", datastore_id=DATASTORE, type="OS", path={path!r}, checksum={checksum!r})'
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with a_zone(tmp_path / "zone") as zone:
        project = Project(folder=tmp_path / "project", zone=zone).prepare()
        yield project
        project.destroy()


def test_a_tampered_image_is_refused_and_the_one_that_is_there_stays(project: Project, tmp_path: Path) -> None:
    disk = tmp_path / "disk.qcow2"
    disk.write_bytes(b"vouched for")
    right = hashlib.sha256(b"vouched for").hexdigest()
    project.program(IMAGE.format(path=str(disk), checksum=right))
    project.up()
    made = project.state()["disk"]
    assert made["inputs"]["checksum"] == made["outputs"]["checksum"] == right
    number = int(made["id"])

    disk.write_bytes(b"tampered with")
    found = hashlib.sha256(b"tampered with").hexdigest()
    refused = project.up(fails=True)
    assert found in refused and right in refused
    assert "Fetch or build the image again" in " ".join(refused.split())
    source = project.zone.call("image.info", number)
    assert hashlib.sha1(b"vouched for", usedforsecurity=False).hexdigest() in str(source)
