"""An image with a checksum: what is refused, when, and what the datastore is asked to check again."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.resources import image_checksum
from pulumi_opennebula.provider.values import wrapped
from tests.patience import AT_ONCE_S, PATIENCE_S
from tests.unit.test_opennebula_provider import IMAGE_XML, configured, create, urn
from zonebox import files

CONTENT = b"the appliance" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA1 = hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def site(disk: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(disk.parent)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{disk.name}"
    server.shutdown()
    thread.join()
    server.server_close()


def inputs(path: object, checksum: str) -> dict[str, Any]:
    return {"name": "a", "datastoreId": 1, "type": "OS", "path": str(path), "checksum": checksum}


async def checked(given: dict[str, Any]) -> list[str]:
    provider, _, _ = await configured({})
    answer = await provider.check(sdk.CheckRequest(urn("Image"), {}, wrapped(given, frozenset()), b""))
    return [f"{failure.property}: {failure.reason}" for failure in answer.failures or ()]


@pytest.mark.parametrize("spelled", [SHA256, f"sha256:{SHA256.upper()}"])
async def test_a_right_file_is_imported_and_the_datastore_gets_a_hash_of_the_same_bytes(
    disk: Path, spelled: str
) -> None:
    provider, oned, lines = await configured({"image.allocate": 4, "image.info": IMAGE_XML.format("1")})
    assert await checked(inputs(disk, spelled)) == []
    await provider.create(create("Image", inputs(disk, spelled)))
    sent = next(call[1] for call in oned.called if call[0] == "image.allocate")
    assert f'SHA1 = "{SHA1}"' in sent.replace("SHA1=", "SHA1 = ")
    assert "CHECKSUM" not in sent
    assert "checksum: reading the image" in lines


def exchange(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def test_a_tampered_file_fails_the_preview_with_both_checksums(disk: Path) -> None:
    exchange(disk, CONTENT + b"!")
    (failure,) = await checked(inputs(disk, SHA256))
    found = hashlib.sha256(CONTENT + b"!").hexdigest()
    assert failure.startswith("checksum: ") and found in failure and SHA256 in failure
    assert "Fetch or build the image again" in failure


async def test_a_file_exchanged_after_the_preview_is_refused_before_the_zone_is_asked(disk: Path) -> None:
    assert await checked(inputs(disk, SHA256)) == []
    exchange(disk, b"exchanged")
    provider, oned, _ = await configured({})
    with pytest.raises(InputError, match=f"it must be {SHA256}"):
        await provider.create(create("Image", inputs(disk, SHA256)))
    assert oned.changed == []


async def test_a_url_is_read_to_its_end_and_compared(site: str) -> None:
    provider, oned, _ = await configured({"image.allocate": 4, "image.info": IMAGE_XML.format("1")})
    await provider.create(create("Image", inputs(site, SHA256)))
    assert oned.changed == ["image.allocate"]
    with pytest.raises(InputError, match="it must be 0000"):
        await provider.create(create("Image", inputs(site, "0" * 64)))
    assert oned.changed == ["image.allocate"]


@pytest.mark.parametrize("where", ["{}.missing", "/nowhere/disk.qcow2"])
async def test_what_cannot_be_read_here_is_refused_with_what_to_do(site: str, where: str) -> None:
    provider, oned, _ = await configured({})
    with pytest.raises(InputError, match=r"could not be read here.*Give a URL that both reach"):
        await provider.create(create("Image", inputs(where.format(site), SHA256)))
    assert oned.changed == []


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"name": "a", "datastoreId": 1, "path": "/x", "checksum": "abc"}, "it must be a SHA-256"),
        ({"name": "a", "datastoreId": 1, "cloneFromImage": "b", "checksum": SHA256}, "it needs path"),
    ],
)
async def test_a_checksum_that_compares_nothing_is_refused(given: dict[str, Any], rule: str) -> None:
    (failure,) = await checked(given)
    assert rule in failure


@pytest.mark.parametrize(
    ("before", "after", "replaced"),
    [
        (SHA256, "0" * 64, ["checksum"]),
        (SHA256, f"sha256:{SHA256}", []),
        (None, SHA256, []),
        (SHA256, None, []),
    ],
)
async def test_only_another_checksum_replaces_the_image(
    before: str | None, after: str | None, replaced: list[str]
) -> None:
    provider, _, _ = await configured({})
    old, new = ({**inputs("/x", ""), "checksum": value} for value in (before, after))
    diff = await provider.diff(
        sdk.DiffRequest(urn("Image"), "4", wrapped(old, frozenset()), wrapped(new, frozenset()), [])
    )
    assert diff.replaces == replaced


def test_the_zone_refuses_a_file_that_was_exchanged_before_it_copied_it(disk: Path, tmp_path: Path) -> None:
    goal = tmp_path / "store" / "image-4"
    files.bring_in(str(disk), 1, goal, sha1=SHA1)
    assert goal.read_bytes() == CONTENT
    disk.write_bytes(b"exchanged")
    with pytest.raises(files.FileError, match="Hash mismatch"):
        files.bring_in(str(disk), 1, goal.with_name("image-5"), sha1=SHA1)
    assert [path.name for path in goal.parent.iterdir()] == ["image-4"]


async def test_the_zones_calls_have_a_thread_while_many_images_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(path: str) -> Iterator[bytes]:
        go_on.wait(PATIENCE_S)
        yield b"content"

    monkeypatch.setattr(image_checksum, "_chunks", slow)
    wanted = hashlib.sha256(b"content").hexdigest()
    # As many as Python's own pool has threads at most, and more.
    reading = [asyncio.create_task(image_checksum.verified("disk", wanted, lambda _: None)) for _ in range(33)]
    await asyncio.sleep(0)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "answered"), AT_ONCE_S) == "answered"
        assert not any(task.done() for task in reading)
    finally:
        go_on.set()
    assert set(await asyncio.gather(*reading)) == {hashlib.sha1(b"content", usedforsecurity=False).hexdigest()}
