"""The loopback port of `federation connect`: whom it lets in, what it passes on, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from flower_federation.cli import main
from flower_federation.connect_cli import check_home, default_home, held
from flower_federation.control_certificate import ControlCertificate, certificate_facts
from flower_federation.environment import Layout
from flower_federation.errors import InputError
from flower_federation.loopback_identity import make_loopback_identity
from flower_federation.runs_cli import write_flwr_home
from flower_federation.tunnel import Opened, Tunnel, opened_tunnel, user_of
from tests.appliance_support import CLIENTS, make_authority
from tests.control_support import issue_client
from tests.patience import PATIENCE_S

NOW = datetime.now(UTC)
CA = make_authority(start=NOW - timedelta(hours=1))
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
"""
Gateway = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


def test_the_owner_of_a_connection_is_read_from_the_clients_line_of_the_kernels_table() -> None:
    assert user_of(TABLE, ("127.0.0.1", 40000), ("127.0.0.1", 8080)) == 1000
    assert user_of(TABLE, ("127.0.0.1", 40001), ("127.0.0.1", 8080)) is None
    assert user_of("", ("127.0.0.1", 40000), ("127.0.0.1", 8080)) is None


def certificate(
    port: int, *, ca_certificate: str = CA.pem, start: datetime = NOW - timedelta(hours=1)
) -> ControlCertificate:
    pem, key = issue_client(CLIENTS, "Ada", "researcher", start=start)
    return ControlCertificate(certificate=pem, key=key, ca_certificate=ca_certificate, endpoint=f"127.0.0.1:{port}")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[int]:
    """Answers every request with the name in the certificate that was shown; its port."""
    server_certificate, key = CA.issue("127.0.0.1")
    file = tmp_path / "server.pem"
    file.write_text(server_certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=CLIENTS.pem)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        subject = dict(pair[0] for pair in writer.get_extra_info("peercert")["subject"])
        body = subject["commonName"].encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def ask(opened: Opened) -> tuple[int, bytes]:
    """One request through the tunnel; status and body."""
    host, _, port = opened.endpoint.partition(":")
    context = ssl.create_default_context(cadata=opened.ca_certificate)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    writer.write(b"POST /v1/control/list-runs HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    raw = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


async def through(tunnel: Tunnel) -> tuple[int, str]:
    opened = await tunnel.open()
    try:
        status, body = await ask(opened)
    finally:
        await tunnel.close()
    return status, body.decode() if status == 200 else str(json.loads(body)["detail"])


async def test_a_plain_client_is_passed_on_with_the_certificate(gateway: int) -> None:
    assert await through(Tunnel(certificate(gateway), now=lambda: NOW)) == (200, "Ada")


async def test_a_process_of_another_user_is_refused(gateway: int) -> None:
    status, detail = await through(Tunnel(certificate(gateway), now=lambda: NOW, user=os.getuid() + 1))
    assert (status, detail) == (403, "This port belongs to another user of this machine.")


async def test_a_certificate_that_expires_while_the_tunnel_is_open_is_told_and_not_shown(gateway: int) -> None:
    clock = [NOW]
    tunnel = Tunnel(certificate(gateway), now=lambda: clock[0])
    clock[0] += timedelta(days=8)
    status, detail = await through(tunnel)
    assert status == 403
    assert "expired at" in detail
    assert "federation certificate export" in detail


async def test_a_gateway_that_does_not_take_the_certificate_is_told_apart_from_one_that_is_away(gateway: int) -> None:
    pem, key = issue_client(make_authority(start=NOW - timedelta(hours=1)), "Mallory", "operator")
    status, detail = await through(Tunnel(replace(certificate(gateway), certificate=pem, key=key), now=lambda: NOW))
    assert status == 403
    assert "does not take the certificate" in detail

    status, detail = await through(Tunnel(certificate(9), now=lambda: NOW))
    assert status == 403
    assert "cannot be reached" in detail


async def test_a_gateway_of_another_ca_is_sent_nothing(gateway: int) -> None:
    other = make_authority(start=NOW - timedelta(hours=1))
    status, detail = await through(Tunnel(certificate(gateway, ca_certificate=other.pem), now=lambda: NOW))
    assert status == 403
    assert "not vouched for by the federation's CA" in detail


def test_a_tunnel_in_a_thread_closes_its_port_with_its_block() -> None:
    with opened_tunnel(certificate(9), now=lambda: NOW) as opened:
        host, _, port = opened.endpoint.partition(":")
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(asyncio.wait_for(asyncio.open_connection(host, int(port)), 5))


def test_a_key_that_is_not_the_certificates_opens_no_tunnel_and_leaves_no_thread() -> None:
    _, other_key = issue_client(CLIENTS, "Ada", "researcher")
    with (
        pytest.raises(Exception, match="must be a certificate in PEM"),
        opened_tunnel(replace(certificate(9), key=other_key), now=lambda: NOW),
    ):
        pass


def test_the_loopback_certificate_vouches_for_loopback_only_and_ends_with_the_clients() -> None:
    end = NOW + timedelta(days=3)
    identity = make_loopback_identity(["127.0.0.1"], now=NOW, end=end)
    ca = x509.load_pem_x509_certificate(identity.ca_certificate.encode())
    assert ca.not_valid_after_utc == end.replace(microsecond=0)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    again = make_loopback_identity(["127.0.0.1"], now=NOW, end=end)
    assert x509.load_pem_x509_certificate(again.ca_certificate.encode()).fingerprint(hashes.SHA256()) != ca.fingerprint(
        hashes.SHA256()
    ), "a new one each time"


def test_each_holder_of_a_certificate_has_a_folder_for_flwr_of_his_own(tmp_path: Path) -> None:
    layout = Layout(project=tmp_path)
    pem, _ = issue_client(CLIENTS, "../../Zoë O'Neill", "auditor")
    home = default_home(layout, certificate_facts(pem))
    assert home.parent == layout.state / "connect"
    assert home.name == "auditor-..-..-Zo-O-Neill"


@pytest.mark.parametrize("text", ["", "no certificate", CA.pem])
def test_what_is_no_client_certificate_of_a_role_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="operator, researcher, auditor"):
        certificate_facts(text)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_refused_before_anything_is_asked(
    port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", "--certificate", str(tmp_path), "--port", str(port)]) == 2
    assert f"--port {port}" in capsys.readouterr().err


def test_two_do_not_write_one_folder_for_flwr_and_the_first_end_frees_it(tmp_path: Path) -> None:
    home = tmp_path / "flwr"
    with held(home), pytest.raises(InputError, match=r"another federation connect[\s\S]*--home"), held(home):
        pass
    with held(home) as folder:
        assert list(folder.iterdir()) == [], "no file says that it is held: nothing is left where a process is killed"


def test_a_folder_for_flwr_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/flwr: Not a directory[\s\S]*--home"), held(tmp_path / "file" / "flwr"):
        pass


@pytest.mark.parametrize("name", ["config.toml", "ca.crt"])
def test_a_folder_with_a_configuration_of_the_callers_own_is_refused_and_kept(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=rf"has {name} already[\s\S]*leave --home out"):
        check_home(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_what_a_killed_connect_left_is_in_nobodys_way(tmp_path: Path) -> None:
    check_home(tmp_path)
    write_flwr_home(tmp_path, endpoint="127.0.0.1:1", ca_certificate=CA.pem)
    check_home(tmp_path)
