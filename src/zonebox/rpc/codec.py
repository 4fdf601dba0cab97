"""XML-RPC requests and replies as bytes. It calls nothing."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Sequence
from typing import Any

from zonebox.errors import BadCall, OneError

CONTENT_TYPE = "text/xml; charset=utf-8"


def decode(body: bytes) -> tuple[str, tuple[Any, ...]]:
    """Method and parameters of a request.

    Raises:
        BadCall: not an XML-RPC request, or it declares a document type (an XML bomb needs one).
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadCall("The request declares a document type; XML-RPC has none, so it is refused.")
    if b"\0" in body:
        # UTF-16 and UTF-32, in which a declaration would look otherwise.
        raise BadCall("The request is not in UTF-8.")
    try:
        params, method = xmlrpc.client.loads(body, use_builtin_types=True)
    except Exception as error:  # expat's, xmlrpc's and ValueError have no common root
        raise BadCall(f"The request is not XML-RPC: {error}") from error
    if method is None:
        raise BadCall("The request is not an XML-RPC method call.")
    return method, params


def success(value: Any) -> bytes:
    """The reply `[true, value, 0]`."""
    return _reply([True, value, 0])


def failure(method: str, error: OneError) -> bytes:
    """The reply `[false, "[method] text", code, object id, -1]` (five elements, as recorded)."""
    # XML-RPC's numbers have 32 bits; what is no id of anything has none.
    object_id = error.object_id if abs(error.object_id) <= xmlrpc.client.MAXINT else -1
    return _reply([False, f"[{method}] {error.text}", error.code, object_id, -1])


def _reply(values: Sequence[Any]) -> bytes:
    return xmlrpc.client.dumps((list(values),), methodresponse=True, encoding="UTF-8").encode()
