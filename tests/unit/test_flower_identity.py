"""The certificate that a client shows: against an HTTPS server that asks for one, as the gateway does."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue

from pulumi_flower.errors import InvalidInputError, UnreachableError, UntrustedError
from pulumi_flower.identity import ClientIdentity
from pulumi_flower.provider import FlowerProvider, read_settings
from pulumi_flower.transport import MEDIA_TYPE, Endpoint, Transport, tls_context
from tests.control_support import issue_client
from tests.flower_support import Authority
from tests.patience import PATIENCE_S

CA = Authority.make()


def identity(name: str = "stack", *, authority: Authority = CA, **changes: Any) -> ClientIdentity:
    certificate, key = issue_client(authority, name, "operator", **changes)  # type: ignore[arg-type]
    return ClientIdentity(certificate=certificate, key=key)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            shown = dict(pair[0] for pair in self.connection.getpeercert()["subject"])  # type: ignore[attr-defined]
            body = shown["commonName"].encode()
            self.send_response(200)
            self.send_header("content-type", MEDIA_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A handshake that fails is what some tests are for."""

    certificate, key = CA.issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=CA.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def transport(port: int, shown: ClientIdentity | None) -> Transport:
    return Transport(
        endpoint=Endpoint(host="127.0.0.1", port=port),
        context=tls_context(CA.pem, identity=shown),
        timeout_s=PATIENCE_S,
        sleep=lambda _: None,
    )


def test_the_certificate_is_shown_to_a_server_that_asks(port: int) -> None:
    assert transport(port, identity("Ada Lovelace")).post("/v1", b"") == b"Ada Lovelace"


@pytest.mark.parametrize(
    "shown",
    [
        None,
        identity(start=datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9)),
        identity(authority=Authority.make("another CA")),
    ],
    ids=["none", "expired", "of another CA"],
)
def test_a_certificate_that_the_server_does_not_take_is_told_apart_from_a_server_that_is_not_trusted(
    port: int, shown: ClientIdentity | None
) -> None:
    with pytest.raises((UntrustedError, UnreachableError)) as refusal:
        transport(port, shown).post("/v1", b"")
    # A server that closes before the request was read resets the connection, and its alert may be lost.
    if isinstance(refusal.value, UntrustedError):
        assert "refused the client's certificate" in str(refusal.value)
        assert "federation certificate export" in refusal.value.remedy


def test_a_key_of_another_certificate_is_refused_and_no_part_of_it_shown() -> None:
    mixed = ClientIdentity(certificate=identity().certificate, key=identity().key)
    with pytest.raises(InvalidInputError) as refusal:
        tls_context(CA.pem, identity=mixed)
    assert refusal.value.property_name == "clientKey"
    assert "PRIVATE KEY" not in str(refusal.value)
    assert "PRIVATE KEY" not in repr(mixed)


def configuration(**changes: str) -> dict[str, PropertyValue]:
    given = {"endpoint": "superlink:9093", "caCertificate": CA.pem, **changes}
    return {name: PropertyValue(value) for name, value in given.items()}


def test_the_providers_configuration_carries_the_identity() -> None:
    shown = identity()
    settings = read_settings(configuration(clientCertificate=shown.certificate, clientKey=shown.key))
    assert settings is not None
    assert settings.identity == shown


def test_a_provider_waits_for_a_key_that_is_not_known_yet() -> None:
    unknown = configuration(clientCertificate=identity().certificate) | {"clientKey": PropertyValue.computed()}
    assert read_settings(unknown) is None


@pytest.mark.parametrize(("given", "missing"), [("clientCertificate", "clientKey"), ("clientKey", "clientCertificate")])
async def test_a_certificate_without_its_key_or_the_other_way_round_fails_the_check(given: str, missing: str) -> None:
    request = engine.CheckRequest("urn:pulumi:s::p::pulumi:providers:flower::x", {}, configuration(**{given: "x"}), b"")
    answer = await FlowerProvider().check_config(request)
    assert [failure.property for failure in answer.failures or []] == [missing]


async def test_the_key_is_a_secret_of_the_state_whatever_the_program_says_of_it() -> None:
    shown = identity()
    given = configuration(clientCertificate=shown.certificate, clientKey=shown.key)
    request = engine.CheckRequest("urn:pulumi:s::p::pulumi:providers:flower::x", {}, given, b"")
    answer = await FlowerProvider().check_config(request)
    assert answer.failures is None
    assert {name for name, value in (answer.inputs or {}).items() if value.is_secret} == {"clientKey"}
