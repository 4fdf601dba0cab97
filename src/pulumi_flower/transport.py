"""Protobuf over HTTPS to one SuperLink: one connection a request, its certificate checked against the federation CA.

It knows no operation of the Control API. It has no way to speak without TLS, to trust the system's CAs, to follow a
redirect or to go through a proxy: a SuperLink that needs one of these is not the one that the CA vouches for.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, NoReturn

from pulumi_flower.errors import BadAnswerError, InvalidInputError, RefusedError, UnreachableError, UntrustedError
from pulumi_flower.identity import ClientIdentity

MEDIA_TYPE: Final = "application/protobuf"
STREAM_MEDIA_TYPE: Final = "application/flower-protobuf-stream"
"""Media types and the four bytes before each frame of a stream: flwr.supercore.protobuf.constants of flwr 1.41.0."""

FRAME_HEADER_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_ERROR_BODY_BYTES: Final = 64 * 1024
PAUSES_S: Final = (0.5, 1.5)
"""Pauses before the second and the third attempt."""

_PASSING_STATUSES: Final = frozenset({502, 503, 504})
_CLIENT_ALERT = re.compile(r"ALERT_((?:BAD_|UNSUPPORTED_)?CERTIFICATE(?:_[A-Z]+)?|UNKNOWN_CA)$")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a SuperLink's Control API listens.

    Attributes:
        host: name or IP address; its certificate has to carry it.
        port: TCP port.
    """

    host: str
    port: int

    @staticmethod
    def parse(text: str, *, property_name: str = "endpoint") -> Endpoint:
        """Read `host:port`, with an IPv6 address in brackets.

        Raises:
            InvalidInputError: it is something else, for example a URL.
        """
        host, colon, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        name = host[1:-1] if bracketed else host
        valid_host = _is_ipv6(name) if bracketed else _HOST.fullmatch(name) is not None
        if not (colon and valid_host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise InvalidInputError(
                property_name=property_name,
                value=f"{property_name} is {text!r}",
                rule="must be host:port, such as superlink.example:9093 or 127.10.1.5:9093",
                reason="the Control API is always reached by TLS, so there is no scheme or path to choose",
                remedy=f"Set `{property_name}` to the central stack's output superlink_control_endpoint",
            )
        return Endpoint(host=name, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def tls_context(
    ca_certificate: str, *, identity: ClientIdentity | None = None, property_name: str = "caCertificate"
) -> ssl.SSLContext:
    """A client context that trusts the given CA and nothing else, and shows `identity` to whoever asks.

    Raises:
        InvalidInputError: `ca_certificate` is no PEM certificate, or `identity` is no certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if "PRIVATE KEY" in ca_certificate:
            raise ValueError("a private key among the certificates")
        # TypeError: of a text that is not ASCII (Python 3.11).
        context.load_verify_locations(cadata=ca_certificate)
    except (ssl.SSLError, ValueError, TypeError) as err:
        raise InvalidInputError(
            property_name=property_name,
            value=f"{property_name} is a text of {len(ca_certificate)} characters that holds no usable certificate",
            rule="must be the federation CA's certificate in PEM and nothing else",
            reason="the SuperLink is trusted on the strength of that CA only",
            remedy=f"Set `{property_name}` to the central stack's output ca_certificate",
        ) from err
    if identity is not None:
        identity.load_into(context)
    return context


class Transport:
    """Sends requests to one SuperLink.

    Args:
        endpoint: where it listens.
        context: what `tls_context` made.
        timeout_s: seconds to wait for the connection, and for each piece of an answer.
        sleep: waits so many seconds; `time.sleep` outside of tests.
    """

    def __init__(
        self, *, endpoint: Endpoint, context: ssl.SSLContext, timeout_s: float, sleep: Callable[[float], None]
    ) -> None:
        self.endpoint = endpoint
        self._context = context
        self._timeout_s = timeout_s
        self._sleep = sleep

    def post(self, path: str, payload: bytes) -> bytes:
        """Send a request and return the answer's body.

        A connection that fails, and a gateway that says that its SuperLink is away, are tried three times in all. Call
        it only with requests that may arrive twice.

        Raises:
            UnreachableError, UntrustedError, RefusedError, BadAnswerError: as their names say.
        """
        for pause_s in PAUSES_S:
            try:
                return self._post_once(path, payload)
            except UnreachableError:
                self._sleep(pause_s)
            except RefusedError as err:
                if err.status not in _PASSING_STATUSES:
                    raise
                self._sleep(pause_s)
        return self._post_once(path, payload)

    def stream(self, path: str, payload: bytes) -> Iterator[bytes]:
        """Send a request once and yield the frames of its answer as they come.

        Raises:
            UnreachableError: also where nothing came for `timeout_s` seconds, or the stream broke off within a frame.
            UntrustedError, RefusedError, BadAnswerError: as their names say.
        """
        with closing(self._connection()) as connection:
            try:
                answer = self._request(connection, path, payload, STREAM_MEDIA_TYPE)
                while header := _read_exactly(answer, FRAME_HEADER_BYTES, may_end=True):
                    size = int.from_bytes(header, "big")
                    if size > MAX_FRAME_BYTES:
                        self._bad_answer(path, f"a frame of {size} bytes")
                    yield _read_exactly(answer, size)
            except (OSError, http.client.HTTPException) as err:
                self._translate(err)

    def _post_once(self, path: str, payload: bytes) -> bytes:
        with closing(self._connection()) as connection:
            try:
                answer = self._request(connection, path, payload, MEDIA_TYPE)
                body = answer.read(MAX_BODY_BYTES + 1)
            except (OSError, http.client.HTTPException) as err:
                self._translate(err)
        if len(body) > MAX_BODY_BYTES:
            self._bad_answer(path, f"more than {MAX_BODY_BYTES} bytes")
        return body

    def _connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self.endpoint.host, self.endpoint.port, timeout=self._timeout_s, context=self._context
        )

    def _request(
        self, connection: http.client.HTTPSConnection, path: str, payload: bytes, accept: str
    ) -> http.client.HTTPResponse:
        headers = {"content-type": MEDIA_TYPE, "accept": accept, "accept-encoding": "identity"}
        connection.request("POST", path, body=payload, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise self._refusal(path, answer.status, answer.read(MAX_ERROR_BODY_BYTES))
        media_type = answer.headers.get_content_type()
        if media_type != accept:
            self._bad_answer(path, f"content of type {media_type}")
        return answer

    def _refusal(self, path: str, status: int, body: bytes) -> RefusedError:
        code, detail = read_error_body(body)
        said = f" ({detail})" if detail else ""
        value = f"{self.endpoint} answered {path} with HTTP {status}, code {'none' if code is None else code}{said}"
        if status == http.client.FORBIDDEN and code is None:
            reason = "the gateway lets only the admin networks, and there only certificates of a role, call this"
            remedy = (
                "Run this from an address within FL_ADMIN_NETWORKS, with a certificate of a role that may "
                "(`clientCertificate`, `clientKey`), and see that `endpoint` names the Control port (9093), not the "
                "Fleet port (9092)"
            )
        elif status in _PASSING_STATUSES:
            reason = "the gateway could not reach the SuperLink behind it"
            remedy = "Look at flower-superlink.service in the SuperLink's VM, and run this again once it is up"
        else:
            reason = "the SuperLink did not accept the request"
            remedy = "Compare the SuperLink's version with flower_version of the central stack, and read its log"
        return RefusedError(status=status, code=code, value=value, rule="must be 200", reason=reason, remedy=remedy)

    def _bad_answer(self, path: str, found: str) -> NoReturn:
        raise BadAnswerError(
            value=f"{self.endpoint} answered {path} with {found}",
            rule="must be an answer of Flower's Control API",
            reason="nothing else can be acted on safely",
            remedy="See that `endpoint` names a SuperLink's Control port, and that no other service answers there",
        )

    def _translate(self, err: OSError | http.client.HTTPException) -> NoReturn:
        if isinstance(err, ssl.SSLError) and (alert := _client_alert(err)):
            raise UntrustedError(
                value=f"{self.endpoint} refused the client's certificate: {alert}",
                rule="must be shown a certificate that its federation's CA issued for a role and that has not expired",
                reason="the Control API is for people and services that the centre named",
                remedy="Run `pulumi up` on the central stack, which renews what is due; for a person's certificate, "
                "have it exported again (`federation certificate export`)",
            ) from err
        if isinstance(err, ssl.SSLError) and not isinstance(err, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            found = getattr(err, "verify_message", None) or err.reason or str(err)
            raise UntrustedError(
                value=f"{self.endpoint} failed the TLS handshake: {found}",
                rule="must present a certificate for that host, signed by the federation CA",
                reason="anyone else in its place could enrol nodes of their own",
                remedy="Take `endpoint` and `caCertificate` from the outputs of the same central stack",
            ) from err
        raise UnreachableError(
            value=f"{self.endpoint} could not be reached: {_describe(err)}",
            rule="must accept connections and answer",
            reason="nodes are registered by the SuperLink itself",
            remedy="See that the central stack is up, that its SuperLink is READY, and that this machine can reach it",
        ) from err


def read_error_body(body: bytes) -> tuple[int | None, str]:
    """Flower's error code and text in an error's body; no code where it is not Flower that wrote it."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None, ""
    if not isinstance(answer, dict):
        return None, ""
    code, detail = answer.get("code"), answer.get("detail")
    known = isinstance(code, int) and not isinstance(code, bool)
    return (code if known else None), (detail if isinstance(detail, str) else "")


def _read_exactly(answer: http.client.HTTPResponse, size: int, *, may_end: bool = False) -> bytes:
    data = answer.read(size)
    if len(data) == size or (may_end and not data):
        return data
    raise http.client.IncompleteRead(data, size - len(data))


def _client_alert(err: ssl.SSLError) -> str:
    """What a server says that does not take the client's certificate; empty where `err` is something else.

    OpenSSL names such alerts `TLSV13_ALERT_CERTIFICATE_REQUIRED`, `SSLV3_ALERT_CERTIFICATE_EXPIRED` and the like.
    """
    match = _CLIENT_ALERT.search(err.reason or "")
    return match[1].replace("_", " ").lower() if match is not None else ""


def _describe(err: Exception) -> str:
    return str(err) or type(err).__name__


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
