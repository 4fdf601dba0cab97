"""Checksums, signatures, the bill of materials and missing tools, without building anything."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flower_federation.cli import main
from flower_federation.errors import InputError
from flower_federation.imaging.checksums import read_sums, sign, verify, write_sums
from flower_federation.imaging.sbom import Component, read_distribution, read_packages, render_sbom
from flower_federation.imaging.tools import install_command, missing_packages


def write_key(folder: Path) -> tuple[Path, Path]:
    """A private key and its public half, PEM."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with two images and signed sums, and a key pair beside it."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("a.qcow2", "b.qcow2", "a.cdx.json"):
        (folder / name).write_text(name)
    write_sums(folder)
    private, _ = write_key(tmp_path)
    sign(folder, private)
    return folder


def test_sums_name_every_image_and_bill_as_sha256sum_reads_them(images: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], check=False, cwd=images, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["a.cdx.json: OK", "a.qcow2: OK", "b.qcow2: OK"]


def test_openssl_accepts_the_signature(images: Path) -> None:
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", images.parent / "public.pem", "-rawin"]
    done = subprocess.run(
        [*words, "-in", images / "SHA256SUMS", "-sigfile", images / "SHA256SUMS.sig"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Signature Verified Successfully" in done.stdout


def test_what_is_whole_verifies_and_gives_the_sums(images: Path) -> None:
    sums = verify(images, images.parent / "public.pem")
    assert sums["a.qcow2"] == hashlib.sha256(b"a.qcow2").hexdigest()


@pytest.mark.parametrize("name", ["a.qcow2", "a.cdx.json"])
def test_a_tampered_file_is_refused_with_its_name(images: Path, name: str) -> None:
    (images / name).write_text("other")
    with pytest.raises(InputError, match=rf"{name}: [0-9a-f]{{64}}[\s\S]*delete it and fetch or build it again"):
        verify(images, None)


def test_a_missing_image_is_refused(images: Path) -> None:
    (images / "b.qcow2").unlink()
    with pytest.raises(InputError, match=r"b\.qcow2: missing"):
        verify(images, None)


def test_sums_that_were_changed_together_with_the_image_fail_the_signature(images: Path) -> None:
    (images / "a.qcow2").write_text("other")
    signature = (images / "SHA256SUMS.sig").read_bytes()
    write_sums(images)
    (images / "SHA256SUMS.sig").write_bytes(signature)
    with pytest.raises(InputError, match=r"must be the signature of SHA256SUMS"):
        verify(images, images.parent / "public.pem")


def test_new_sums_take_an_old_signature_away_and_equal_ones_keep_it(images: Path) -> None:
    write_sums(images)
    assert (images / "SHA256SUMS.sig").exists()
    (images / "c.qcow2").touch()
    write_sums(images)
    assert not (images / "SHA256SUMS.sig").exists()


def test_the_signature_of_another_key_is_refused(images: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _, public = write_key(other)
    with pytest.raises(InputError, match=r"SHA256SUMS\.sig"):
        verify(images, public)


def test_a_key_of_another_kind_is_refused_with_how_to_make_one(images: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "ec.pem"
    key = generate_private_key(SECP256R1())
    wrong.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InputError, match=r"ec\.pem: a key of another kind[\s\S]*openssl genpkey -algorithm ed25519"):
        sign(images, wrong)


def test_one_image_of_several_verifies_without_the_others_and_its_name_has_to_be_there(images: Path) -> None:
    (images / "a.qcow2").unlink()
    key = images.parent / "public.pem"
    assert list(verify(images, key, only="b.qcow2")) == ["b.qcow2"]
    (images / "c.qcow2").touch()
    with pytest.raises(InputError, match=r"c\.qcow2: not in SHA256SUMS[\s\S]*nobody vouches for"):
        verify(images, key, only="c.qcow2")


def test_an_image_beside_the_others_that_the_sums_do_not_name_is_not_passed_over(images: Path) -> None:
    (images / "evil.qcow2").touch()
    with pytest.raises(InputError, match=r"evil\.qcow2: not in SHA256SUMS"):
        verify(images, images.parent / "public.pem")


def test_sums_that_name_nothing_vouch_for_nothing(images: Path) -> None:
    (images / "SHA256SUMS").write_text("")
    with pytest.raises(InputError, match=r"a line of SHA256SUMS: ''"):
        verify(images, None)


def test_an_image_with_a_space_in_its_name_is_summed_and_verified(images: Path) -> None:
    (images / "my own.qcow2").touch()
    write_sums(images)
    assert "my own.qcow2" in verify(images, None)


def test_sums_of_other_bytes_than_text_are_written_anew(images: Path) -> None:
    (images / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="64 hex digits"):
        verify(images, None)
    write_sums(images)
    assert len(verify(images, None)) == 3


@pytest.mark.parametrize(
    "line",
    [
        "abc",
        f"{'0' * 64}  ../../etc/passwd",
        f"{'0' * 63}  a",
        f"{'0' * 64} a",
        f"{'0' * 64}  a\r",
        f"{'0' * 64}  a\\n",
        f"{'0' * 64}  a\n{'1' * 64}  a",
        f"{'0' * 64}  a\n\n",
        f"{'0' * 64}  a\x0b{'0' * 64}  b",
    ],
)
def test_sums_that_name_no_plain_file_are_refused(line: str) -> None:
    with pytest.raises(InputError, match=r"64 hex digits"):
        read_sums(line)


STATUS = """Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2+b10
Description: shell
 more text

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def test_the_bill_lists_what_is_installed_with_package_urls() -> None:
    packages = read_packages(STATUS)
    assert [package.purl for package in packages] == ["pkg:deb/debian/bash@5.2.37-2%2Bb10?arch=amd64"]
    wheel = read_distribution("Name: Typing_Extensions\nVersion: 4.16.0\nLicense-Expression: PSF-2.0\n\nText")
    assert (wheel.purl, wheel.licence) == ("pkg:pypi/typing-extensions@4.16.0", "PSF-2.0")
    assert read_distribution("Name: a\nVersion: 1\nLicense-Expression: see the file\n").licence == ""


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            "License-Expression: (MIT OR Apache-2.0) AND BSD-3-Clause",
            {"expression": "(MIT OR Apache-2.0) AND BSD-3-Clause"},
        ),
        ("License: MIT", {"license": {"name": "MIT"}}),
        (
            "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: Security",
            {"license": {"name": "MIT License"}},
        ),
        (f"License: {'All rights and more. ' * 9}", None),
        ("License: UNKNOWN", None),
    ],
)
def test_the_bill_says_of_a_wheels_licence_what_its_metadata_says(lines: str, wanted: object) -> None:
    component = read_distribution(f"Name: a\nVersion: 1\n{lines}\n\nText")
    (entry,) = json.loads(render_sbom("i.qcow2", "a" * 64, (component,), epoch_s=0))["components"]
    assert entry.get("licenses") == (None if wanted is None else [wanted])


def test_the_same_image_has_the_same_bill_and_another_image_another_serial_number() -> None:
    components = (Component(kind="pypi", name="flwr", version="1", licence="Apache-2.0"),)
    one, same, other = (render_sbom("i.qcow2", sha, components, epoch_s=0) for sha in ("a" * 64, "a" * 64, "b" * 64))
    assert one == same != other
    document = json.loads(one)
    assert document["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"
    assert document["components"][0]["licenses"] == [{"expression": "Apache-2.0"}]


def test_missing_tools_become_one_command_that_installs_their_packages(tmp_path: Path) -> None:
    lacking = ("mcopy", "systemd-nspawn")
    missing = missing_packages(lambda name: None if name in lacking else "/bin/x", ovmf=tmp_path / "absent")
    assert missing == ["mtools", "ovmf", "systemd-container"]
    assert install_command(missing)[-3:] == ("mtools", "ovmf", "systemd-container")
    assert missing_packages(lambda _: "/bin/x", ovmf=tmp_path) == []


def test_a_key_that_cannot_sign_ends_a_build_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "dist"
    words = ["image", "build", "--sign-key", str(tmp_path / "none.pem"), "--output", str(output), "--json"]

    assert main(words) == 2
    printed = capsys.readouterr()
    assert "Ed25519" in json.loads(printed.out)["error"]["rule"]
    assert "[1/" not in printed.err
    assert not output.exists()
