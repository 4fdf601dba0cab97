"""The SuperLink's own pair: made once, valid for whoever dials it locally, and for nobody else."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from flower_appliance import pem
from flower_appliance.loopback import NOT_AFTER, LoopbackFiles, ensure_loopback_identity
from tests.patience import PATIENCE_S

HOSTS = ("localhost", "127.0.0.1", "127.9.9.2")


@pytest.fixture
def files(tmp_path: Path) -> LoopbackFiles:
    return LoopbackFiles(ca=tmp_path / "ca.crt", certificate=tmp_path / "server.crt", key=tmp_path / "server.key")


def test_a_client_that_trusts_the_loopback_ca_gets_through_under_every_local_name(files: LoopbackFiles) -> None:
    ensure_loopback_identity(files, HOSTS)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in HOSTS:
        left, right = socket.socketpair()
        serving = threading.Thread(target=lambda end=right: server.wrap_socket(end, server_side=True).close())
        serving.start()
        with client.wrap_socket(left, server_hostname=name) as tls:
            assert tls.version() == "TLSv1.3"
        serving.join(PATIENCE_S)
        right.close()


def test_what_is_there_and_good_stays(files: LoopbackFiles) -> None:
    first = ensure_loopback_identity(files, HOSTS)
    before = files.key.read_bytes()

    assert ensure_loopback_identity(files, HOSTS[:2]) == first
    assert files.key.read_bytes() == before
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_another_address_calls_for_another_pair(files: LoopbackFiles) -> None:
    first = ensure_loopback_identity(files, HOSTS)

    assert ensure_loopback_identity(files, (*HOSTS, "127.9.9.3")) != first
    (certificate,) = pem.load_certificates(files.certificate.read_bytes())
    assert "127.9.9.3" in pem.named_hosts(certificate)


@pytest.mark.parametrize("damaged", ["ca", "certificate", "key"])
@pytest.mark.parametrize("content", [None, b"", b"rubbish"])
def test_a_damaged_or_missing_file_is_made_anew_with_the_others(
    files: LoopbackFiles, damaged: str, content: bytes | None
) -> None:
    first = ensure_loopback_identity(files, HOSTS)
    path: Path = getattr(files, damaged)
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert ensure_loopback_identity(files, HOSTS) != first
    (authority,) = pem.load_certificates(files.ca.read_bytes())
    assert pem.issued_by(pem.load_certificates(files.certificate.read_bytes()), authority)


def test_it_is_valid_on_a_machine_whose_clock_is_not_set_and_does_not_end(files: LoopbackFiles) -> None:
    ensure_loopback_identity(files, HOSTS)
    for path in (files.ca, files.certificate):
        (certificate,) = pem.load_certificates(path.read_bytes())
        assert certificate.not_valid_before_utc.year == 2000
        assert certificate.not_valid_after_utc == NOT_AFTER


def test_the_key_of_the_ca_is_nowhere(files: LoopbackFiles) -> None:
    ensure_loopback_identity(files, HOSTS)
    (authority,) = pem.load_certificates(files.ca.read_bytes())
    key = pem.load_key(files.key.read_bytes())

    assert sorted(path.name for path in files.key.parent.iterdir()) == ["ca.crt", "server.crt", "server.key"]
    assert not pem.ServerIdentity(chain=(authority,), key=key).key_matches()
