"""Certificates of the tls plugin between two real TLS ends (Python's ssl, which is OpenSSL)."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from tests.patience import PATIENCE_S
from tests.tls_support import LOCALLY_SIGNED, Clock, Plugin, authority, key_pem, leaf_inputs


def private_file(path: Path, text: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def plugin_of_today() -> Plugin:
    return Plugin(Clock(datetime.now(UTC)))


async def server_files(folder: Path) -> tuple[Path, Path, str]:
    """Chain and key of a server for localhost and 127.0.0.1, valid from now on, and the CA that signed it."""
    plugin = plugin_of_today()
    inputs = await leaf_inputs(plugin)
    leaf = await plugin.made(LOCALLY_SIGNED, inputs)
    certificate = private_file(folder / "server.crt", str(leaf["certPem"]))
    return certificate, private_file(folder / "server.key", await key_pem(plugin)), str(inputs["caCertPem"])


def handshake(server: tuple[Path, Path], ca_pem: str, name: str) -> str:
    """The protocol that both ends agreed on; raises what the client raises."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(*server)
    client_side = ssl.create_default_context(cadata=ca_pem)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    theirs.settimeout(PATIENCE_S)

    def serve() -> None:
        try:
            with server_side.wrap_socket(theirs, server_side=True) as accepted:
                accepted.sendall(b"hello")
        except ssl.SSLError:
            theirs.close()  # the client's refusal is what the test looks at

    thread = Thread(target=serve)
    thread.start()
    try:
        with client_side.wrap_socket(ours, server_hostname=name) as client:
            assert client.recv(5) == b"hello"
            return client.version() or ""
    finally:
        ours.close()
        thread.join(PATIENCE_S)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_client_that_trusts_the_authority_accepts_the_server(name: str, tmp_path: Path) -> None:
    certificate, key, ca = await server_files(tmp_path)
    assert handshake((certificate, key), ca, name) == "TLSv1.3"


async def test_a_client_refuses_a_name_that_is_not_in_the_certificate(tmp_path: Path) -> None:
    certificate, key, ca = await server_files(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake((certificate, key), ca, "superlink.example")


async def test_a_client_that_trusts_another_authority_refuses_the_server(tmp_path: Path) -> None:
    certificate, key, _ = await server_files(tmp_path)
    _, other = await authority(plugin_of_today(), curve="P521")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get|signature failure"):
        handshake((certificate, key), other, "localhost")


async def test_a_client_that_still_holds_the_old_certificate_of_a_renewed_authority_accepts_the_server(
    tmp_path: Path,
) -> None:
    plugin = plugin_of_today()
    plugin.clock.advance(hours=-900)
    _, old_ca = await authority(plugin)
    plugin.clock.advance(hours=900)
    inputs = await leaf_inputs(plugin)
    assert inputs["caCertPem"] != old_ca
    leaf = await plugin.made(LOCALLY_SIGNED, inputs)
    certificate = private_file(tmp_path / "server.crt", str(leaf["certPem"]))
    server_key = private_file(tmp_path / "server.key", await key_pem(plugin))
    assert handshake((certificate, server_key), old_ca, "localhost") == "TLSv1.3"
