"""Asks the SuperLink whether this node's key is enrolled, without signing on. It changes nothing on either side.

A SuperNode whose key is unknown ends at once, after two seconds of starting up for nothing; so it is started only when
this question has been answered with yes. The question is a signed activation with a heartbeat interval of zero, which
flwr 1.41.0 looks at only after it has found the key (observed 2026-11-24): code 2003 (interval) means enrolled, code
2004 means unknown. Every other answer is no answer, and then the SuperNode itself finds out.
"""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64encode
from datetime import datetime
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flower_appliance.checks import EnrolmentQuestion
from flower_appliance.nodekey import load_node_key

_INVALID_INTERVAL = 2003
_UNKNOWN_KEY = 2004


class Enrolment(Enum):
    """The answer."""

    ENROLLED = "enrolled"
    UNKNOWN_KEY = "unknown key"
    NO_ANSWER = "no answer"


def may_start(answer: Enrolment, *, refused: bool) -> bool:
    """Whether a SuperNode may be started after this answer.

    Args:
        answer: The latest one.
        refused: Whether the SuperLink has said before that it does not know the key. Then only a yes counts: while a
            SuperLink restarts it answers nothing, and a node that was put out must not knock meanwhile.
    """
    return answer is Enrolment.ENROLLED or (answer is Enrolment.NO_ANSWER and not refused)


def ask_enrolment(question: EnrolmentQuestion, *, now: datetime, timeout_s: float = 5.0) -> Enrolment:
    """Ask once; blocking.

    Args:
        now: aware instant; the SuperLink accepts -300 s to +4 s.

    Raises:
        NodeKeyError: the key cannot be used.
    """
    key = load_node_key(Path(question.key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    timestamp = now.isoformat()
    headers = {
        "content-type": "application/protobuf",
        "flwr-public-key": b64encode(public).decode("ascii"),
        "flwr-timestamp": timestamp,
        "flwr-signature": b64encode(key.sign(timestamp.encode("ascii"), ec.ECDSA(hashes.SHA256()))).decode("ascii"),
    }
    context = ssl.create_default_context(cafile=question.ca)
    connection = http.client.HTTPSConnection(question.host, question.port, timeout=timeout_s, context=context)
    try:
        connection.request("POST", "/v1/fleet/activate-node", body=activation_request(public), headers=headers)
        return read_answer(connection.getresponse().read(65_536))
    except (OSError, http.client.HTTPException):
        return Enrolment.NO_ANSWER
    finally:
        connection.close()


def activation_request(public: bytes) -> bytes:
    """Protobuf of ActivateNodeRequest: field 1 is the public key; field 2, the interval, is absent, that is 0."""
    return b"\x0a" + _varint(len(public)) + public


def read_answer(body: bytes) -> Enrolment:
    """What the body of the answer says."""
    try:
        code = json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        return Enrolment.NO_ANSWER
    return {_INVALID_INTERVAL: Enrolment.ENROLLED, _UNKNOWN_KEY: Enrolment.UNKNOWN_KEY}.get(code, Enrolment.NO_ANSWER)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
