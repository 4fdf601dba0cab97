"""The image as `scripts/image build` makes it: the same bytes each time, a signature over it, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flower_federation.imaging.checksums import sha256_of
from tests.appliance_support import REPOSITORY
from tests.image_support import MARKS, TOOL_S, built_image

pytestmark = MARKS


ELSEWHERE = {"TZ": "Asia/Tokyo", "LANG": "C.UTF-8", "PYTHONHASHSEED": "7"}
"""What another builder's environment may be like; its umask besides."""


def image_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "flower_federation.imaging.cli", *map(str, arguments)]
    return subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **ELSEWHERE}, umask=0o077, capture_output=True, text=True,
        timeout=TOOL_S, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Private and public signing key."""
    folder, key = tmp_path_factory.mktemp("keys"), Ed25519PrivateKey.generate()
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_build_by_another_builder_gives_the_same_bytes_signed_and_a_changed_byte_is_refused(
    tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    first = built_image()
    private, public = keys

    built = image_command("build", "--output", tmp_path, "--sign-key", private, "--json")
    assert built.returncode == 0, built.stderr
    summary = json.loads(built.stdout)
    second = Path(summary["image"])

    assert summary["sha256"] == sha256_of(second) == sha256_of(first)
    assert second.with_suffix(".cdx.json").read_bytes() == first.with_suffix(".cdx.json").read_bytes()
    assert image_command("verify", tmp_path, "--key", public).returncode == 0

    with second.open("r+b") as disk:
        disk.seek(summary["bytes"] // 2)
        byte = disk.read(1)
        disk.seek(-1, os.SEEK_CUR)
        disk.write(bytes([byte[0] ^ 1]))
    refused = image_command("verify", tmp_path, "--key", public)
    assert refused.returncode == 2
    assert second.name in refused.stderr
    assert "build it again" in refused.stderr
