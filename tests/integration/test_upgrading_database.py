"""A SuperLink's database from an earlier Flower to ours and back, with both Flowers and what they really migrate."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flower_appliance.image import process_image
from flower_appliance.version import FLOWER_VERSION
from pulumi_flower.control import ControlClient
from pulumi_flower.keys import NodeKey, parse_openssh
from tests.appliance_support import (
    FLOWER_BIN,
    REPOSITORY,
    Authority,
    FakeOneGate,
    Vm,
    free_network,
    make_authority,
    superlink_values,
)
from tests.control_support import operator
from tests.earlier_flower import OUR_REVISION, REVISION, VERSION, earlier_image
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]


@dataclass
class Lab:
    """One SuperLink VM that is booted from one image or another."""

    images: Mapping[str, Any]
    """By Flower version."""
    authority: Authority
    vm: Vm

    @property
    def state(self) -> Path:
        return self.vm.root / "var/lib/flower/superlink"

    def boot(self, version: str) -> None:
        """Another start with the image of a version; what an upgrade does with a VM's CONTEXT and attributes, too."""
        self.vm.stop()
        self.vm.onegate.attributes.pop("1", None)
        values = superlink_values(self.authority, "localhost", self.vm.address)
        self.vm.write_context({**values, "FL_FLOWER_VERSION": version, "FL_ADMIN_NETWORKS": "127.0.0.1/32"})
        self.vm.start(self.images[version])
        attributes = self.vm.wait_for(PATIENCE_S, READY="YES", FL_STATE="online")
        assert attributes["FL_VERSION"] == version

    @property
    def control(self) -> ControlClient:
        return ControlClient(f"{self.vm.address}:9093", self.authority.pem, identity=operator())

    def nodes(self) -> dict[str | None, tuple[int, str]]:
        return {node.name: (node.node_id, node.key.fingerprint) for node in self.control.list_nodes() if node.key}

    def only(self, pattern: str) -> Path:
        (found,) = (self.state / "backups").glob(pattern)
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with FakeOneGate() as onegate:
        onegate.names["1"] = "superlink_0_(service_3)"
        (tmp_path / "1").mkdir()
        authority = make_authority(start=datetime.now(UTC) - timedelta(hours=2))
        images = {
            VERSION: earlier_image(tmp_path),
            FLOWER_VERSION: process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src"),
        }
        found = Lab(images, authority, Vm(tmp_path / "1", 1, f"{free_network()}.2", onegate))
        try:
            yield found
        finally:
            found.vm.stop()


def key() -> NodeKey:
    line = ec.generate_private_key(ec.SECP384R1()).public_key()
    return parse_openssh(
        line.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    )  # fmt: skip


def revision(database: Path) -> str:
    """What Alembic wrote into a database."""
    with closing(sqlite3.connect(database)) as opened:
        ((found,),) = opened.execute("SELECT version_num FROM alembic_version")
    return str(found)


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as opened:
        return {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_database_is_migrated_with_its_nodes_and_the_old_image_takes_its_own_back(lab: Lab) -> None:
    database = lab.state / "state.db"
    lab.boot(VERSION)
    lab.control.register_node(key(), "berlin/supernode-0")
    before, tables_before = lab.nodes(), tables(database)
    assert revision(database) == REVISION

    lab.boot(FLOWER_VERSION)

    assert revision(database) == OUR_REVISION
    assert tables(database) - tables_before, "tables were added"
    assert lab.nodes() == before
    backup = lab.only(f"state-{VERSION}-*.db")
    assert (revision(backup), tables(backup)) == (REVISION, tables_before)
    lab.control.register_node(key(), "paris/supernode-0")
    assert set(lab.nodes()) == {"berlin/supernode-0", "paris/supernode-0"}

    lab.boot(VERSION)

    assert revision(database) == REVISION
    assert lab.nodes() == before, "what was registered in between has to be registered again"
    left = lab.only(f"left-{FLOWER_VERSION}-*.db")
    assert revision(left) == OUR_REVISION
