"""Settings that look right and could not work: out of bounds, of another kind, for the wrong place; all at preview."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import RefusalError, SeveralRefusalsError
from tests.components_support import authority
from tests.infra_support import load_stack

MADRID, BERLIN = "madrid-central", "berlin-hospital"
SUPERLINK = {"address": "127.10.1.10"}
NETWORK = {"cidr": "127.20.1.0/24", "first": "127.20.1.10", "size": 20}
SHA256 = "ab" * 32


def network(**changes: Any) -> dict[str, Any]:
    return {"network": {**NETWORK, **changes}}


def superlink(**changes: Any) -> dict[str, Any]:
    return {"superlink": {**SUPERLINK, **changes}}


def zones(**changes: Any) -> dict[str, Any]:
    return {"zones": [{"name": "berlin", "maxNodes": 2, **changes}]}


def refusals(stack: str, folder: Path, changes: dict[str, Any]) -> tuple[RefusalError, ...]:
    # Bytes that are neither ASCII nor UTF-8, as of a certificate in DER.
    (folder / "der").write_bytes(b"\x30\x82\xff\xfe --hash=sha256:")
    with pytest.raises(SeveralRefusalsError) as several:
        load_stack(stack, folder, **changes)
    return several.value.refusals


@pytest.mark.parametrize(
    ("stack", "changes", "value", "remedy"),
    [
        (MADRID, superlink(vcpu=0), "superlink.vcpu: 0", "raise superlink.vcpu"),
        (BERLIN, {"supernode": {"vcpu": -1}}, "supernode.vcpu: -1", "raise supernode.vcpu"),
        (MADRID, superlink(cpu="inf"), "superlink.cpu: inf", "superlink.cpu"),
        (MADRID, superlink(cpu="1_0"), "superlink.cpu: '1_0'", "superlink.cpu"),
        (MADRID, superlink(host="2001:db8::1"), "superlink.host: '2001:db8::1'", "correct superlink.host"),
        (MADRID, superlink(host="fl.example:9092"), "superlink.host: 'fl.example:9092'", "correct superlink.host"),
        (MADRID, superlink(names=["*.example"]), "'*.example'", "superlink.names"),
        (MADRID, superlink(serverKeyEpoch=-1), "superlink.serverKeyEpoch: -1", "superlink.serverKeyEpoch"),
        (MADRID, {"numClients": 0}, "numClients: '0'", "numClients"),
        (MADRID, {"adminNetworks": ["0.0.0.0/0"]}, "adminNetworks: 0.0.0.0/0", "operators sit in"),
        (MADRID, {"adminNetworks": ["::/0"]}, "adminNetworks: '::/0'", "adminNetworks"),
        (MADRID, {"people": [{"name": "ca", "role": "auditor"}]}, "people.name: 'ca'", "full name"),
        (MADRID, {"certificates": {"caDays": 99999999999}}, "certificates.caDays", "certificates.caDays"),
        (MADRID, {"clientCertificateDays": 99999999999999}, "clientCertificateDays", "clientCertificateDays"),
        (MADRID, {"stateImage": -1}, "stateImage: '-1'", "stateImage"),
        (MADRID, zones(revoked=["berlin/supernode-01"]), "'berlin/supernode-01'", "registered_nodes"),
        (MADRID, zones(revoked=["berlin/süpernode-1"]), "'berlin/süpernode-1'", "registered_nodes"),
        (BERLIN, network(gateway="10.0.0.1"), "network.gateway: 10.0.0.1", "network.gateway"),
        (BERLIN, network(gateway="127.20.1.12"), "network.gateway: 127.20.1.12", "network.first"),
        (BERLIN, network(gateway="127.20.1.255"), "network.gateway: 127.20.1.255", "network.gateway"),
        (BERLIN, network(vlanId=4095), "network.vlanId: 4095", "network.vlanId"),
        (BERLIN, network(dns="dns.example"), "network.dns: 'dns.example'", "network.dns"),
        (BERLIN, network(id=-1), "network.id: -1", "network.id"),
        (BERLIN, network(id=3, bridge="br0"), "network.bridge: 'set beside network.id'", "network.bridge"),
        (BERLIN, {"image": {"id": -1}}, "image.id: -1", "image.id"),
        (BERLIN, {"image": {"path": "x", "sizeMb": 0}}, "image.sizeMb: 0", "image.sizeMb"),
        (BERLIN, {"image": {"name": "x", "checksum": SHA256}}, f"image.checksum: '{SHA256}'", "image.checksum"),
        (BERLIN, {"partitionBase": 2147483000}, "partitionBase: 2147483000", "partitionBase"),
        (BERLIN, {"nodeKeyEpochs": ["supernode-01:1"]}, "'supernode-01:1'", "federation rekey"),
        (BERLIN, {"nodeKeyEpochs": ["supernod-1:1"]}, "'supernod-1:1'", "federation rekey"),
        (BERLIN, {"nodeKeyEpochs": ["supernode-1:01"]}, "'supernode-1:01'", "federation rekey"),
        (BERLIN, {"supernodes": "\N{FULLWIDTH DIGIT TWO}"}, "supernodes: '\N{FULLWIDTH DIGIT TWO}'", "supernodes"),
        (BERLIN, {"supernodes": "1_0"}, "supernodes: '1_0'", "supernodes"),
        (BERLIN, {"projectUrl": "see the wiki"}, "projectUrl: 'see the wiki'", "projectUrl"),
        (BERLIN, {"endpoint": "https://"}, "endpoint: 'https://'", "endpoint"),
        (BERLIN, {"data": {"path": "/srv/a'b"}}, 'data.path: "/srv/a\'b"', "change data.path"),
        (BERLIN, {"data": {"path": "/srv/../etc"}}, "data.path: '/srv/../etc'", "change data.path"),
        (BERLIN, {"data": {"nfs": "files:/x", "path": "/etc"}}, "data.path: '/etc'", "leave it out"),
        (BERLIN, {"data": {"nfs": "files"}}, "data.nfs: 'files'", "files.hospital.example:/export/data"),
        (BERLIN, {"data": {"volume": "a b", "volumeImage": 3}}, "data.volume: 'a b'", "e2label"),
        (BERLIN, {"data": {"volume": "rows", "volumeImage": -3}}, "data.volumeImage: -3", "data.volumeImage"),
        (BERLIN, {"caFile": "der"}, "der'", "correct flower-federation:caFile"),
        (BERLIN, {"onegateCaFile": "der"}, "der'", "correct flower-federation:onegateCaFile"),
        (BERLIN, {"data": {"url": "https://x/y", "sha256": SHA256, "caFile": "der"}}, "der'", "data.caFile"),
        (BERLIN, {"packages": {"requirements": "der", "index": "https://x/"}}, "der'", "packages.requirements"),
        (BERLIN, {"caFile": "~nobody-of-that-name/ca.crt"}, "~nobody-of-that-name/ca.crt", "caFile"),
    ],
)
def test_a_value_that_could_not_work_is_refused_alone_with_the_place_to_correct_it(
    tmp_path: Path, stack: str, changes: dict[str, Any], value: str, remedy: str
) -> None:
    (refusal,) = refusals(stack, tmp_path, changes)

    assert value in refusal.value
    assert remedy in refusal.remedy
    assert refusal.rule
    assert refusal.reason


@pytest.mark.parametrize(
    ("stack", "changes"),
    [
        (MADRID, superlink(host="fl.example", names=["fl.intern.example", "2001:db8::1"])),
        (MADRID, {"adminNetworks": ["10.0.0.0/8"], "numClients": 1}),
        (BERLIN, network(gateway="127.20.1.1", dns="10.0.0.53 2001:db8::53", vlanId=4094)),
        (BERLIN, network(type="vxlan", vlanId=70000)),
        (BERLIN, {"partitionBase": 2147482000}),
        (BERLIN, {"data": {"nfs": "files.example:/export/rows", "path": "/mnt/rows"}}),
        (BERLIN, {"endpoint": "https://[2001:db8::1]:2633/RPC2", "projectUrl": "https://wiki.example/a?b=c#d"}),
    ],
)
def test_values_at_the_bounds_are_taken(tmp_path: Path, stack: str, changes: dict[str, Any]) -> None:
    load_stack(stack, tmp_path, **changes)


@pytest.mark.parametrize("key", ["endpoint", "flowEndpoint", "projectUrl"])
def test_a_login_in_a_url_is_refused_and_not_quoted(tmp_path: Path, key: str) -> None:
    (refusal,) = refusals(BERLIN, tmp_path, {key: "https://eve:letmein@cloud.example:2633/RPC2"})

    assert "letmein" not in str(refusal)
    assert key in refusal.value
    assert "before @" in refusal.remedy


def test_a_file_of_several_certificates_is_taken_and_a_key_among_them_is_not(tmp_path: Path) -> None:
    both = authority().pem + authority(1).pem
    (tmp_path / "both.crt").write_text(both)
    assert load_stack(BERLIN, tmp_path, caFile="both.crt").cloud.onegate_ca == both

    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (tmp_path / "both.crt").write_text(both + key)
    (refusal,) = refusals(BERLIN, tmp_path, {"caFile": "both.crt"})
    assert "'PRIVATE KEY'" in refusal.rule
    assert "AAAA" not in str(refusal)
