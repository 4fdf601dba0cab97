"""Archives from elsewhere: what lands in the folder and what is refused, also by a Python without filters."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from flower_appliance.archives import unpack


@pytest.fixture(params=["with filters", "without filters"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python as it is, and one before 3.11.4."""
    if request.param == "without filters":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


def archive(*members: tuple[str, bytes, str]) -> tarfile.TarFile:
    """An archive of (name, type, content or target of a link)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o4777
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()))
    raw.seek(0)
    return tarfile.open(fileobj=raw)


def test_files_and_folders_are_unpacked_without_special_bits(tmp_path: Path) -> None:
    given = archive(("a", tarfile.DIRTYPE, ""), ("a/b/rows.csv", tarfile.REGTYPE, "1,2\n"), ("c", tarfile.REGTYPE, ""))
    unpack(given, tmp_path / "data")
    assert (tmp_path / "data/a/b/rows.csv").read_text() == "1,2\n"
    assert (tmp_path / "data/a/b/rows.csv").stat().st_mode & 0o7022 == 0
    assert (tmp_path / "data/c").read_bytes() == b""


@pytest.mark.parametrize(
    "member",
    [
        ("../outside", tarfile.REGTYPE, "x"),
        ("a/../../outside", tarfile.REGTYPE, "x"),
        ("out", tarfile.SYMTYPE, "../outside"),
        ("out", tarfile.SYMTYPE, "/etc/passwd"),
        ("out", tarfile.LNKTYPE, "../outside"),
        ("device", tarfile.CHRTYPE, ""),
    ],
)
def test_what_leads_out_of_the_folder_is_refused(tmp_path: Path, member: tuple[str, bytes, str]) -> None:
    with pytest.raises(tarfile.TarError):
        unpack(archive(member), tmp_path / "data")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "data" / "out").exists()
    assert not (tmp_path / "data" / "device").exists()
