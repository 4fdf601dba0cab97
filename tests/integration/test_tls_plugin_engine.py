"""The tls plugin behind the real engine: a federation's PKI and a foreign request; file backend, passphrase."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from components.pki_rules import certificate_fingerprint
from tests.patience import PATIENCE_S
from tests.tls_support import key

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BIN = Path(sys.executable).parent

PROGRAM = """
import json
import pathlib

import pulumi
import pulumi_tls as tls
from components.federation_pki import FederationPKI, FederationPKIArgs

asked = json.loads(pathlib.Path("asked.json").read_text())
pki = FederationPKI("pki", FederationPKIArgs(federation="tests", server_names=asked["names"], server_key="stack"))
for output in ("ca_certificate", "ca_fingerprint", "server_certificate", "server_key"):
    pulumi.export(output, getattr(pki, output))

ca_key = tls.PrivateKey("ca-key", algorithm="RSA")
ca = tls.SelfSignedCert(
    "ca",
    private_key_pem=ca_key.private_key_pem,
    subject={"common_name": asked["ca_name"]},
    is_ca_certificate=True,
    allowed_uses=["cert_signing"],
    validity_period_hours=1000,
)
vm = tls.LocallySignedCert(
    "vm",
    cert_request_pem=asked["request"],
    ca_cert_pem=ca.cert_pem,
    ca_private_key_pem=ca_key.private_key_pem,
    allowed_uses=["client_auth"],
    validity_period_hours=100,
    early_renewal_hours=asked["early_renewal_hours"],
)
pulumi.export("vm_ca", ca.cert_pem)
pulumi.export("vm_certificate", vm.cert_pem)
pulumi.export("vm_due", vm.ready_for_renewal)
"""


@cache
def request_from_a_vm() -> bytes:
    """A request for a key that this project's stack never sees; made once: ECDSA never signs twice alike."""
    name = x509.Name.from_rfc4514_string("CN=vm")
    builder = x509.CertificateSigningRequestBuilder(name)
    return builder.sign(key("P256"), hashes.SHA256()).public_bytes(Encoding.DER)


def request_pem(der: bytes) -> str:
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()


@dataclass
class Project:
    """A Pulumi project whose folder holds everything: state, engine home, and the plugin's launcher."""

    folder: Path

    def create(self) -> None:
        plugins = self.folder / "plugins"
        plugins.mkdir(parents=True)
        launcher = plugins / "pulumi-resource-tls"
        launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pulumi_resource_tls "$@"\n')
        launcher.chmod(0o755)
        provider = {"name": "tls", "path": "plugins"}
        project = {"name": "certificates", "runtime": "python", "plugins": {"providers": [provider]}}
        (self.folder / "Pulumi.yaml").write_text(json.dumps(project))
        (self.folder / "__main__.py").write_text(PROGRAM)
        (self.folder / "state").mkdir()
        self.ask()
        self.pulumi("stack", "init", "test")

    def ask(self, **changed: Any) -> None:
        """Write what the program reads; everything that is not changed is as in the first `up`."""
        asked = {
            "names": ["superlink.example"],
            "ca_name": "VM CA",
            "request": request_pem(request_from_a_vm()),
            "early_renewal_hours": 10,
            **changed,
        }
        (self.folder / "asked.json").write_text(json.dumps(asked))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        command = [str(BIN / "pulumi"), *arguments, "--non-interactive", "--color=never"]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def pulumi(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.pulumi("stack", "output", "--json", "--show-secrets", "-s", "test")))

    def copy(self, folder: Path) -> Project:
        shutil.copytree(self.folder, folder)
        return Project(folder)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A stack that is up; tests copy it before they change anything."""
    project = Project(tmp_path_factory.mktemp("tls") / "project")
    project.create()
    project.pulumi("up", "--yes", "-s", "test")
    return project


@pytest.fixture
def project(untouched: Project, tmp_path: Path) -> Project:
    return untouched.copy(tmp_path / "project")


def test_the_certificates_of_a_stack_chain_to_their_authorities(untouched: Project) -> None:
    outputs = untouched.outputs()
    ca = x509.load_pem_x509_certificate(outputs["ca_certificate"].encode())
    server = x509.load_pem_x509_certificate(outputs["server_certificate"].encode())
    server.verify_directly_issued_by(ca)
    assert load_pem_private_key(outputs["server_key"].encode(), None).public_key() == server.public_key()
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["superlink.example", "localhost", "127.0.0.1"]
    assert outputs["ca_fingerprint"] == certificate_fingerprint(outputs["ca_certificate"])


def test_a_request_made_elsewhere_gets_a_certificate_for_its_own_key(untouched: Project) -> None:
    outputs = untouched.outputs()
    issued = x509.load_pem_x509_certificate(outputs["vm_certificate"].encode())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(outputs["vm_ca"].encode()))
    assert issued.public_key() == key("P256").public_key()
    assert outputs["vm_due"] is False


def test_no_private_key_is_in_clear_in_the_state_or_in_the_outputs(untouched: Project) -> None:
    body = "".join(untouched.outputs()["server_key"].splitlines()[1:-1])
    exported = untouched.pulumi("stack", "export", "-s", "test")
    shown = untouched.pulumi("stack", "output", "--json", "-s", "test")
    state = "".join(path.read_text() for path in (untouched.folder / "state").rglob("*.json"))
    assert "BEGIN CERTIFICATE" in exported
    for text in (exported, shown, state):
        assert "PRIVATE KEY" not in text
        assert body not in text.replace("\\n", "")
    assert "BEGIN CERTIFICATE" in json.loads(shown)["ca_certificate"]
    assert json.loads(shown)["server_key"] == "[secret]"


def test_a_second_up_changes_nothing(project: Project) -> None:
    project.pulumi("up", "--yes", "--expect-no-changes", "-s", "test")
    project.pulumi("refresh", "--yes", "--expect-no-changes", "-s", "test")


def test_a_preview_shows_which_property_replaces_a_certificate(project: Project) -> None:
    project.ask(names=["superlink.example", "fl.example"])
    shown = project.pulumi("preview", "--diff", "-s", "test")
    assert "dnsNames" in shown
    assert '"fl.example"' in shown
    assert "tls:index/certRequest:CertRequest: (replace)" in shown
    assert "tls:index/locallySignedCert:LocallySignedCert: (replace)" in shown
    assert "PRIVATE KEY" not in shown
    assert "2 to replace" in shown


def test_a_new_authority_reissues_what_it_signed_and_leaves_the_keys(project: Project) -> None:
    before = project.outputs()
    project.ask(ca_name="Another CA")
    shown = project.pulumi("up", "--yes", "--diff", "-s", "test")
    after = project.outputs()
    assert "2 replaced" in shown
    assert after["vm_certificate"] != before["vm_certificate"]
    assert {name for name in before if before[name] != after[name]} == {"vm_ca", "vm_certificate"}


def test_early_renewal_hours_are_an_update_and_a_due_certificate_is_replaced(project: Project) -> None:
    before = project.outputs()["vm_certificate"]
    project.ask(early_renewal_hours=20)
    assert "1 updated" in project.pulumi("up", "--yes", "-s", "test")
    assert project.outputs()["vm_certificate"] == before
    # As long as the certificate lives: due from its first second on.
    project.ask(early_renewal_hours=100)
    assert "readyForRenewal" in project.pulumi("preview", "--diff", "-s", "test")
    assert "1 replaced" in project.pulumi("up", "--yes", "-s", "test")
    assert project.outputs()["vm_certificate"] != before


def test_an_altered_request_is_refused_in_the_preview_and_changes_nothing(project: Project) -> None:
    before = project.pulumi("stack", "export", "-s", "test")
    der = request_from_a_vm()
    at = der.index(b"vm")
    project.ask(request=request_pem(der[:at] + b"xx" + der[at + 2 :]))
    done = project.run("preview", "-s", "test")
    shown = done.stdout + done.stderr
    assert done.returncode != 0
    assert "CN=xx" in shown
    assert "make a new request where the private key lives" in shown
    # Frames of the plugin: the language host may add some of its own where the engine cuts the program off.
    assert "pulumi_resource_tls" not in shown
    assert project.pulumi("stack", "export", "-s", "test") == before


def test_a_destroy_leaves_nothing(project: Project) -> None:
    project.pulumi("destroy", "--yes", "-s", "test")
    exported = json.loads(project.pulumi("stack", "export", "-s", "test"))
    assert not exported["deployment"].get("resources")
