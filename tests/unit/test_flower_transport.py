"""How the transport takes certificates, statuses and streams: against an HTTPS server that answers as scripted."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pulumi_flower.control import PUBLIC_KEY_ALREADY_IN_USE, ControlClient
from pulumi_flower.errors import (
    BadAnswerError,
    InvalidInputError,
    RefusedError,
    SuperLinkError,
    UnreachableError,
    UntrustedError,
)
from pulumi_flower.keys import parse_openssh
from pulumi_flower.transport import MEDIA_TYPE, PAUSES_S, STREAM_MEDIA_TYPE, Endpoint, Transport, tls_context
from tests.flower_support import Authority, public_line
from tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    media_type: str = MEDIA_TYPE


@dataclass
class Script:
    """The answers to give, the last one again and again; and the paths that were asked for."""

    address: str
    authority: Authority
    port: int = 0
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    paths: list[str] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)

    def transport(self, *, ca: str | None = None, host: str | None = None, port: int | None = None) -> Transport:
        return Transport(
            endpoint=Endpoint(host=host or self.address, port=port or self.port),
            context=tls_context(ca or self.authority.pem),
            timeout_s=PATIENCE_S,
            sleep=self.pauses_s.append,
        )

    def client(self) -> ControlClient:
        return ControlClient(f"{self.address}:{self.port}", self.authority.pem, sleep=self.pauses_s.append)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    authority = Authority.make()
    script = Script(address="127.0.0.1", authority=authority)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            answer = script.answers[min(len(script.paths), len(script.answers) - 1)]
            script.paths.append(self.path)
            self.send_response(answer.status)
            self.send_header("content-type", answer.media_type)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer((script.address, 0), Handler)
    certificate, key = authority.issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("superlink.example:9093", Endpoint(host="superlink.example", port=9093)),
        ("127.10.1.5:1", Endpoint(host="127.10.1.5", port=1)),
        ("[::1]:9093", Endpoint(host="::1", port=9093)),
    ],
)
def test_an_endpoint_is_read_and_written_the_same(text: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text",
    ["", "superlink", "superlink:", ":9093", "superlink:0", "superlink:65536", "https://superlink:9093", "::1:9"],
)
def test_anything_else_is_refused_with_the_value_and_where_to_take_it_from(text: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        Endpoint.parse(text)
    assert repr(text) in str(refusal.value)
    assert "superlink_control_endpoint" in str(refusal.value)


def test_an_answer_is_returned_as_it_is(script: Script) -> None:
    script.answers = [Answer(body=b"\x08\x01")]
    assert script.transport().post("/v1/control/list-nodes", b"") == b"\x08\x01"
    assert script.paths == ["/v1/control/list-nodes"]


def test_a_server_of_another_ca_is_sent_nothing_and_asked_once(script: Script) -> None:
    with pytest.raises(UntrustedError, match="caCertificate"):
        script.transport(ca=Authority.make().pem).post("/v1/control/register-node", b"secret")
    assert script.paths == []
    assert script.pauses_s == []


def test_a_certificate_for_another_host_is_not_trusted(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **named: real("127.0.0.1", *rest, **named))
    with pytest.raises(UntrustedError, match=r"superlink\.example"):
        script.transport(host="superlink.example").post("/", b"")


def test_a_port_that_nobody_listens_on_is_tried_three_times(script: Script) -> None:
    with pytest.raises(UnreachableError, match="SuperLink is READY"):
        script.transport(port=1).post("/", b"")
    assert script.pauses_s == list(PAUSES_S)


def test_a_gateway_whose_superlink_is_away_is_asked_again(script: Script) -> None:
    script.answers = [Answer(status=502), Answer(status=503), Answer(body=b"ok")]
    assert script.transport().post("/", b"") == b"ok"
    assert len(script.paths) == 3


def test_a_gateway_whose_superlink_stays_away_is_the_superlinks_fault_in_the_end(script: Script) -> None:
    script.answers = [Answer(status=502)]
    with pytest.raises(SuperLinkError, match=r"flower-superlink\.service"):
        script.transport().post("/", b"")
    assert len(script.paths) == 3


def test_the_gateways_403_names_the_admin_networks_and_the_two_ports(script: Script) -> None:
    script.answers = [Answer(status=403, media_type="text/plain")]
    with pytest.raises(RefusedError) as refusal:
        script.transport().post("/v1/control/list-nodes", b"")
    assert refusal.value.code is None
    assert "FL_ADMIN_NETWORKS" in str(refusal.value)
    assert "9092" in str(refusal.value)
    assert len(script.paths) == 1


def test_flowers_own_code_and_text_are_in_the_refusal(script: Script) -> None:
    body = json.dumps({"code": 22, "detail": "The provided public key is not valid."}).encode()
    script.answers = [Answer(status=412, body=body, media_type="application/json")]
    with pytest.raises(RefusedError, match="The provided public key is not valid") as refusal:
        script.transport().post("/", b"")
    assert (refusal.value.status, refusal.value.code) == (412, 22)


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"code": true}', b'{"code": "23"}'])
def test_a_body_that_flower_did_not_write_has_no_code(script: Script, body: bytes) -> None:
    script.answers = [Answer(status=412, body=body)]
    with pytest.raises(RefusedError) as refusal:
        script.transport().post("/", b"")
    assert refusal.value.code is None


def test_a_web_page_is_not_taken_for_an_answer(script: Script) -> None:
    script.answers = [Answer(body=b"<html>", media_type="text/html")]
    with pytest.raises(BadAnswerError, match="text/html"):
        script.client().list_nodes()


def test_a_body_that_is_no_protobuf_is_not_taken_for_an_empty_list(script: Script) -> None:
    script.answers = [Answer(body=b"\xff\xff\xff")]
    with pytest.raises(BadAnswerError, match="ListNodesResponse"):
        script.client().list_nodes()


def test_a_registration_without_an_id_is_an_error(script: Script) -> None:
    with pytest.raises(BadAnswerError, match="no node id"):
        script.client().register_node(parse_openssh(public_line()), "berlin/a")


def test_a_key_in_use_that_no_listed_node_has_stays_the_superlinks_refusal(script: Script) -> None:
    taken = json.dumps({"code": PUBLIC_KEY_ALREADY_IN_USE, "detail": "Public key already in use."}).encode()
    script.answers = [Answer(status=412, body=taken), Answer()]
    with pytest.raises(RefusedError, match="already in use"):
        script.client().register_node(parse_openssh(public_line()), "berlin/a")


def test_frames_come_one_by_one_and_the_stream_ends_with_the_body(script: Script) -> None:
    body = b"\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x01c"
    script.answers = [Answer(body=body, media_type=STREAM_MEDIA_TYPE)]
    assert list(script.transport().stream("/", b"")) == [b"ab", b"", b"c"]


@pytest.mark.parametrize("body", [b"\x00\x00", b"\x00\x00\x00\x05ab"], ids=["in a header", "in a frame"])
def test_a_stream_that_breaks_off_is_an_interruption_and_no_end(script: Script, body: bytes) -> None:
    script.answers = [Answer(body=body, media_type=STREAM_MEDIA_TYPE)]
    with pytest.raises(UnreachableError):
        list(script.transport().stream("/", b""))


def test_a_frame_of_absurd_size_is_refused_before_it_is_read(script: Script) -> None:
    script.answers = [Answer(body=b"\xff\xff\xff\xff", media_type=STREAM_MEDIA_TYPE)]
    with pytest.raises(BadAnswerError, match="4294967295 bytes"):
        list(script.transport().stream("/", b""))
