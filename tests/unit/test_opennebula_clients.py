"""The two clients against small servers: what is sent, what is repeated, and how errors are told."""

from __future__ import annotations

import base64
import json
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pulumi_opennebula.errors import CredentialsError, NotAllowedError, NotFoundError, RefusedError, UnreachableError
from pulumi_opennebula.provider.client.oned import Oned
from pulumi_opennebula.provider.client.oneflow import OneFlow
from pulumi_opennebula.provider.settings import ZoneSettings
from tests.patience import PATIENCE_S, eventually

Answer = tuple[int, bytes]


@dataclass(kw_only=True)
class Server:
    """A server that answers with what it is told, and remembers what it was asked."""

    url: str
    answer: Callable[[str, str, bytes], Answer]
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def running(
    answer: Callable[[str, str, bytes], Answer], *, headers: Mapping[str, str] | None = None
) -> Iterator[Server]:
    found = Server(url="", answer=answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.asked.append((self.command, self.path, body))
            found.connections.add(self.client_address)
            found.authorizations.append(self.headers.get("Authorization"))
            status, content = found.answer(self.command, self.path, body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def reply(success: bool, value: Any, code: int = 0) -> Answer:
    return 200, xmlrpc.client.dumps(([success, value, code],), methodresponse=True).encode()


def settings(url: str, **changes: Any) -> ZoneSettings:
    return ZoneSettings(
        endpoint=f"{url}/RPC2", username="oneadmin", password="hush", request_timeout_s=PATIENCE_S, **changes
    )


async def at_once(seconds: float) -> None:
    """Do not wait between attempts."""


async def test_a_call_carries_user_and_arguments_and_returns_the_value() -> None:
    with running(lambda *_: reply(True, 7)) as server:
        assert await Oned(settings(server.url)).call("vn.allocate", 'NAME="a"', -1) == 7
        parameters, method = xmlrpc.client.loads(server.asked[0][2])
    assert method == "one.vn.allocate"
    assert parameters == ("oneadmin:hush", 'NAME="a"', -1)


async def test_an_answer_in_xml_becomes_nested_dicts() -> None:
    with running(lambda *_: reply(True, "<VNET><ID>3</ID><CLUSTERS><ID>0</ID><ID>1</ID></CLUSTERS></VNET>")) as server:
        body = await Oned(settings(server.url)).info("vn.info", 3)
    assert body == {"ID": "3", "CLUSTERS": {"ID": ["0", "1"]}}


@pytest.mark.parametrize(
    ("code", "kind"),
    [(0x100, CredentialsError), (0x200, NotAllowedError), (0x400, NotFoundError), (0x2000, RefusedError)],
)
async def test_error_codes_of_oned_become_errors_that_carry_its_text(code: int, kind: type[RefusedError]) -> None:
    with (
        running(lambda *_: reply(False, "[one.image.info] Error getting image [4].", code)) as server,
        pytest.raises(kind) as caught,
    ):
        await Oned(settings(server.url)).call("image.info", 4)
    assert caught.value.answer == "[one.image.info] Error getting image [4]."
    assert type(caught.value) is kind
    assert "hush" not in str(caught.value)


async def test_a_name_that_is_taken_may_be_this_programs_own_object_and_says_how_to_adopt_it() -> None:
    said = "[one.image.allocate] NAME is already taken by IMAGE 14."
    with (
        running(lambda *_: reply(False, said, 0x2000)) as server,
        pytest.raises(RefusedError, match=r"taken by IMAGE 14\. Choose another name; .*`pulumi import` it as 14\."),
    ):
        await Oned(settings(server.url)).call("image.allocate", 'NAME="a"', 1)


async def test_reads_share_a_connection_and_are_repeated_when_it_breaks() -> None:
    answers = iter([(0, b""), reply(True, "7.0.1"), reply(True, "7.0.1")])
    with running(lambda *_: next(answers)) as server:
        oned = Oned(settings(server.url), pause=at_once)
        assert await oned.call("system.version") == "7.0.1"
        assert await oned.call("system.version") == "7.0.1"
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("method", "then"),
    [
        ("vn.allocate", "look for what it makes, and `pulumi import`"),
        ("template.instantiate", "look for what it makes, and `pulumi import`"),
        ("vn.add_ar", "look for what it makes, and `pulumi import`"),
        ("vm.action", "`pulumi refresh` finds out"),
        ("image.delete", "`pulumi refresh` finds out"),
        ("vn.hold", "`pulumi refresh` finds out"),
    ],
)
async def test_what_changes_something_is_sent_once_whatever_happens(method: str, then: str) -> None:
    with running(lambda *_: (0, b"")) as server:
        with pytest.raises(
            UnreachableError, match=rf"it must answer.*Whether one.{method} was done nobody knows: {then}"
        ):
            await Oned(settings(server.url), pause=at_once).call(method, 1)
        assert len(server.asked) == 1


async def test_no_refusal_is_asked_for_twice() -> None:
    with running(lambda *_: reply(False, "no", 0x2000)) as server:
        with pytest.raises(RefusedError):
            await Oned(settings(server.url), pause=at_once).call("image.info", 4)
        assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["vm.info", "vm.action"])
async def test_an_answer_that_does_not_come_in_time_is_an_error_that_names_the_setting(method: str) -> None:
    answer_now = threading.Event()

    def late(*_: Any) -> Answer:
        answer_now.wait(PATIENCE_S)
        return 0, b""

    with running(late) as server:
        impatient = replace(settings(server.url), request_timeout_s=0.05)
        try:
            with pytest.raises(UnreachableError, match=r"did not answer in time.*opennebula:requestTimeoutS"):
                await Oned(impatient, pause=at_once).call(method, 1)
            with pytest.raises(UnreachableError, match=r"flowEndpoint .* did not answer in time"):
                await OneFlow(impatient, server.url, pause=at_once).send("DELETE", "/service/3")
        finally:
            answer_now.set()
        wanted = ["DELETE", *["POST"] * (3 if method == "vm.info" else 1)]
        # Whoever waits for so short a time may have hung up before the server took note of the question.
        await eventually(lambda: len(server.asked) >= len(wanted), "every question to be noted")
        assert sorted(verb for verb, _, _ in server.asked) == wanted


@pytest.mark.parametrize("content", [b"<html>It works!</html>", b"", b"{}"])
async def test_a_server_that_is_not_oned_is_told_apart_from_one_that_refuses(content: bytes) -> None:
    with (
        running(lambda *_: (200, content)) as server,
        pytest.raises(UnreachableError, match=r"it must speak OpenNebula's XML-RPC.*port 2633, path /RPC2"),
    ):
        await Oned(settings(server.url), pause=at_once).call("system.version")


async def test_an_endpoint_that_is_not_there_is_named_with_the_setting_to_correct() -> None:
    with pytest.raises(UnreachableError) as caught:
        await Oned(settings("http://127.0.0.1:9"), pause=at_once).call("system.version")
    assert "endpoint http://127.0.0.1:9/RPC2" in str(caught.value)
    assert "Connection refused" in str(caught.value)
    with pytest.raises(UnreachableError) as caught:
        await Oned(settings("http://127.0.0.1:9"), pause=at_once).call("vm.allocate", "", False)
    assert "nobody knows" not in str(caught.value), "nothing was sent"


async def test_oneflow_is_asked_with_basic_authentication_and_answers_json() -> None:
    with running(lambda *_: (201, json.dumps({"DOCUMENT": {"ID": "4"}}).encode())) as server:
        flow = OneFlow(settings(server.url), server.url)
        assert await flow.action("/service_template/3", "instantiate", merge_template={}) == {"DOCUMENT": {"ID": "4"}}
        method, path, body = server.asked[0]
        assert (method, path) == ("POST", "/service_template/3/action")
        assert json.loads(body) == {"action": {"perform": "instantiate", "params": {"merge_template": {}}}}
        assert server.authorizations[0] is not None and server.authorizations[0].startswith("Basic ")


async def test_an_empty_answer_of_oneflow_is_nothing() -> None:
    with running(lambda *_: (204, b"")) as server:
        assert await OneFlow(settings(server.url), server.url).send("DELETE", "/service/3") is None


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, CredentialsError, "Invalid credentials"),
        (404, NotFoundError, "Error getting document"),
        (400, RefusedError, "must match regexp"),
        (500, RefusedError, "Role zz not found"),
    ],
)
async def test_errors_of_oneflow_carry_its_text(status: int, kind: type[RefusedError], says: str) -> None:
    with running(lambda *_: (status, says.encode())) as server, pytest.raises(kind, match=says) as caught:
        await OneFlow(settings(server.url), server.url, pause=at_once).get("/service/3")
    assert caught.value.code == status


async def test_oneflow_reads_are_repeated_and_changes_are_not() -> None:
    with running(lambda *_: (0, b"")) as server:
        flow = OneFlow(settings(server.url), server.url, pause=at_once)
        with pytest.raises(UnreachableError):
            await flow.get("/service")
        assert len(server.asked) == 3
        with pytest.raises(UnreachableError, match="Whether DELETE /service/3 was done nobody knows"):
            await flow.send("DELETE", "/service/3")
        assert len(server.asked) == 4


async def test_a_server_that_is_not_oneflow_is_told_by_its_answer() -> None:
    with running(lambda *_: (200, b"<html>")) as server, pytest.raises(UnreachableError, match="port 2474"):
        await OneFlow(settings(server.url), server.url, pause=at_once).get("/service")


@pytest.mark.parametrize(("status", "doubtful"), [(502, True), (503, True), (404, False), (413, False)])
async def test_a_proxy_that_answers_for_oned_is_told_with_status_and_words(status: int, doubtful: bool) -> None:
    with running(lambda *_: (status, b"<h1>no\n upstream</h1>")) as server:
        oned = Oned(settings(server.url), pause=at_once)
        with pytest.raises(UnreachableError, match=rf"RPC2 answered HTTP {status}.*<h1>no upstream</h1>.*port 2633"):
            await oned.call("image.info", 4)
        assert len(server.asked) == 3
        with pytest.raises(UnreachableError) as caught:
            await oned.call("image.allocate", "", 1)
        assert ("Whether one.image.allocate was done nobody knows" in str(caught.value)) == doubtful
        assert len(server.asked) == 4


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_proxy_that_does_not_reach_oneflow_is_asked_again_for_reads_only(status: int) -> None:
    answers = iter([(status, b""), (200, b"{}")])
    with running(lambda *_: next(answers, (status, b""))) as server:
        flow = OneFlow(settings(server.url), server.url, pause=at_once)
        assert await flow.get("/service") == {}
        with pytest.raises(UnreachableError, match=rf"HTTP {status}.*Whether DELETE /service/3 was done nobody knows"):
            await flow.send("DELETE", "/service/3")
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [301, 307])
async def test_an_endpoint_that_redirects_is_not_followed_and_says_where_to(status: int) -> None:
    with running(lambda *_: (200, b"{}")) as other:
        target = f"{other.url}/RPC2"
        with running(lambda *_: (status, b""), headers={"Location": target}) as server:
            with pytest.raises(UnreachableError, match=rf"sends callers on to {target}.*Set opennebula:endpoint to"):
                await Oned(settings(server.url), pause=at_once).call("system.version")
            with pytest.raises(UnreachableError, match=r"Set opennebula:flowEndpoint to the address that answers"):
                await OneFlow(settings(server.url), server.url, pause=at_once).get("/service")
        assert other.asked == []


async def test_user_and_password_go_to_oneflow_in_the_encoding_that_oned_gets_them_in() -> None:
    with running(lambda *_: (200, b"{}")) as server:
        found = replace(settings(server.url), username="jürgen", password="hüsh €")
        await OneFlow(found, server.url).get("/service")
    (header,) = server.authorizations
    assert header is not None
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "jürgen:hüsh €"


async def test_an_answer_of_another_xmlrpc_server_is_not_taken_for_oneds() -> None:
    def answer(*_: Any) -> Answer:
        return 200, xmlrpc.client.dumps((5,), methodresponse=True).encode()

    with running(answer) as server, pytest.raises(UnreachableError, match=r"must speak OpenNebula's XML-RPC"):
        await Oned(settings(server.url), pause=at_once).call("image.allocate", "", 1)


async def test_a_file_of_certificates_that_vanished_is_an_error_of_this_package(tmp_path: Path) -> None:
    found = replace(settings("https://127.0.0.1:9"), ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(UnreachableError, match=r"endpoint https.*gone\.pem"):
        await Oned(found, pause=at_once).call("system.version")
