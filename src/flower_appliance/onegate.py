"""A VM's view of OneGate: read itself, write attributes about itself. It retries a little and publishes no secret.

What comes out of OneGate is never a root of trust here: any VM of a service may write its siblings' attributes
(OpenNebula 7.0.1, 2026-11-24). Only the VM's own name is read.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from flower_appliance.errors import OneGateError, OneGateRefusedError

LOG = logging.getLogger(__name__)

# An unquoted comma gives 500, and brackets and backslashes come back mangled (OpenNebula 7.0.1, 2026-11-24).
_VALUE = re.compile(r"[A-Za-z0-9+/=._:@ -]*")
_KEY = re.compile(r"[A-Z][A-Z0-9_]*")
_REFUSALS = (400, 401, 403)


@dataclass(frozen=True, kw_only=True)
class OneGateAccess:
    """Where OneGate is and how this VM proves itself to it."""

    endpoint: str
    vm_id: str
    token: str = field(repr=False)
    ca_file: Path | None = None
    """CA that its TLS is verified against; None: the system's."""


@dataclass(frozen=True, kw_only=True)
class OwnVm:
    """What OneGate says about this VM."""

    name: str
    attributes: Mapping[str, str]
    """The user template."""


class OneGate:
    """A client with bounded retries; blocking, so call it from a thread."""

    def __init__(
        self,
        access: OneGateAccess,
        *,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = 4,
        timeout_s: float = 5.0,
    ) -> None:
        """Ask up to `tries` times with pauses of 0.5, 1, 2, ... seconds between them."""
        self._access = access
        self._sleep = sleep
        self._tries = tries
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # No proxy and no CA bundle from the environment: the zone's own endpoint is dialled, and verified, as given.
        self._session.trust_env = False
        self._session.verify = str(access.ca_file) if access.ca_file else True
        self._session.headers.update({"X-ONEGATE-TOKEN": access.token, "X-ONEGATE-VMID": access.vm_id})

    def stop_retrying(self) -> None:
        """From now on each call is tried once and waits briefly: the machine is being stopped."""
        self._tries = 1
        self._timeout_s = min(self._timeout_s, 2.0)

    def own_vm(self) -> OwnVm:
        """This VM's name and attributes.

        Raises:
            OneGateError: no answer, or an answer that is not a VM.
        """
        try:
            vm: dict[str, Any] = self._ask("GET", "/vm").json()["VM"]
            attributes = vm.get("USER_TEMPLATE") or {}
            return OwnVm(name=str(vm["NAME"]), attributes={key: str(value) for key, value in attributes.items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OneGateError(f"GET /vm of OneGate at {self._access.endpoint} did not answer with a VM") from error

    def publish(self, attributes: Mapping[str, str]) -> None:
        """Write attributes of this VM.

        Raises:
            OneGateError: they were not taken.
            ValueError: a key or value that OneGate would mangle; encode such values in base64.
        """
        self._ask("PUT", "/vm", body=render_attributes(attributes))

    def withdraw(self, key: str) -> None:
        """Remove one attribute that exists (OneGate answers 500 for one that does not).

        Raises:
            OneGateError: it was not removed.
        """
        self._ask("PUT", "/vm?type=2", body=key)

    def _ask(self, method: str, path: str, *, body: str | None = None) -> requests.Response:
        failure = ""
        attempt = 0
        while attempt == 0 or attempt < self._tries:
            if attempt:
                self._sleep(0.5 * 2.0 ** (attempt - 1))
            attempt += 1
            try:
                answer = self._session.request(
                    method, self._access.endpoint.rstrip("/") + path, data=body, timeout=self._timeout_s
                )
            except OSError as error:  # RequestException is one; a CA file that is gone is another
                failure = type(error).__name__
                continue
            if answer.ok:
                return answer
            failure = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code in _REFUSALS:
                raise OneGateRefusedError(
                    f"{method} {path} of OneGate at {self._access.endpoint} for VM {self._access.vm_id} was refused: "
                    f"{failure}. It must accept this VM's token, which states VM and start time. A copied or outdated "
                    f"CONTEXT disk has another VM's token; set TOKEN=YES in the VM template and restart the VM."
                )
        raise OneGateError(
            f"{method} {path} of OneGate at {self._access.endpoint} failed {attempt} times: {failure}. The VM must "
            f"reach it to say that it is ready. In the CONTEXT, check ONEGATE_ENDPOINT, and FL_ONEGATE_CA for TLS."
        )


def is_publishable(key: str, value: str) -> bool:
    """Whether OneGate takes and gives back an attribute as it is."""
    return bool(_KEY.fullmatch(key) and _VALUE.fullmatch(value))


def render_attributes(attributes: Mapping[str, str]) -> str:
    """The body of a PUT: one assignment a line, unquoted unless empty.

    OneGate 7.0.1 inserts a quote of its own at every `=` that no quote follows, so that `K="QUJD=="` gets 500 while
    `K=QUJD==` is taken; an empty value without quotes becomes a lone quote (its source, and recordings of 2026-11-24).

    Raises:
        ValueError: a key or value that OneGate would mangle.
    """
    for key, value in attributes.items():
        if not is_publishable(key, value):
            raise ValueError(f"{key} cannot be published: OneGate mangles such values, encode it in base64")
    return "\n".join(f"{key}={value}" if value else f'{key}=""' for key, value in attributes.items())
