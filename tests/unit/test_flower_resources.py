"""What the program's classes hand to the engine, with the engine mocked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

import pulumi_flower
from pulumi_flower.registration import RESOURCE_TYPE

SECRET, SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How the engine's protocol marks a secret value (pulumi.runtime.rpc)."""


class Recorder(pulumi.runtime.Mocks):
    """Keeps what is registered, and answers as the provider would."""

    def __init__(self) -> None:
        self.registered: dict[str, pulumi.runtime.MockResourceArgs] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.registered[args.typ] = args
        return "18446744073709551557", {**args.inputs, "nodeId": "18446744073709551557", "fingerprint": "SHA256:x"}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no function is called: {args.token}")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    # Pulumi's mocks take the thread's current loop, which asyncio tests before this one have closed.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, preview=False)
    yield recorder
    loop.close()


@pulumi.runtime.test
def test_a_registration_is_sent_under_the_providers_names_and_read_under_pythons(recorder: Recorder) -> Any:
    superlink = pulumi_flower.Provider("superlink", endpoint="127.0.0.1:9093", ca_certificate="PEM")
    registration = pulumi_flower.SuperNodeRegistration(
        "berlin-0", name="berlin/supernode-0", public_key="ecdsa", opts=pulumi.ResourceOptions(provider=superlink)
    )

    def compare(outputs: list[Any]) -> None:
        assert outputs == ["berlin/supernode-0", "ecdsa", "18446744073709551557", "SHA256:x"]
        sent = recorder.registered[RESOURCE_TYPE]
        assert sent.inputs == {"name": "berlin/supernode-0", "publicKey": "ecdsa"}
        assert "superlink" in str(sent.provider)

    return pulumi.Output.all(
        registration.name, registration.public_key, registration.node_id, registration.fingerprint
    ).apply(compare)


@pulumi.runtime.test
def test_the_providers_configuration_is_sent_as_the_schema_names_it(recorder: Recorder) -> Any:
    superlink = pulumi_flower.Provider(
        "superlink",
        endpoint="127.0.0.1:9093",
        ca_certificate="PEM",
        client_certificate="CERTIFICATE",
        client_key="KEY",
        request_timeout_s=2.5,
    )

    def compare(urn: str) -> None:
        from pulumi_flower.provider import read_schema

        sent = recorder.registered["pulumi:providers:flower"].inputs
        schema = json.loads(read_schema())["provider"]["inputProperties"]
        assert sent == {
            "endpoint": "127.0.0.1:9093",
            "caCertificate": "PEM",
            "clientCertificate": "CERTIFICATE",
            # A program that hands the key over in clear gets it encrypted all the same.
            "clientKey": {SECRET: SECRET_SIGNATURE, "value": "KEY"},
            "requestTimeoutS": "2.5",
        }
        assert set(sent) == set(schema)
        assert schema["clientKey"]["secret"] is True

    return superlink.urn.apply(compare)
