"""The marketplace's documents: valid by the committed schemas, and the same as the appliance's own code says."""

from __future__ import annotations

import ast
import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flower_appliance import data, machine
from flower_appliance.cli import SECRET_VARIABLES
from flower_appliance.context import SuperNodeContext, read_context
from flower_appliance.version import FLOWER_VERSION
from flower_federation.imaging import catalog
from flower_federation.imaging.catalog import Release
from flower_federation.imaging.oneapps import folder
from flower_federation.imaging.oneapps.variables import UNASKED, read_table
from tests.appliance_support import b64, make_authority
from tests.oneapps_support import APPLIANCE, DISK_BYTES, PROJECT, document, of_kind, problems, published

Files = Mapping[str, folder.File]
KINDS = {"image": None, "vm-template": "VMTEMPLATE", "service-template": "SERVICE_TEMPLATE"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return published(tmp_path_factory.mktemp("published"))


def variables_of_the_code() -> set[str]:
    """Every context variable that the appliance's code names."""
    found = {f"FL_DATA_{name}" for name in (*data._NAMES, *data._BESIDE)}
    for name in ("context.py", "requirements.py"):
        tree = ast.parse((PROJECT / "src/flower_appliance" / name).read_text(encoding="utf-8"))
        texts = {part.value for part in ast.walk(tree) if isinstance(part, ast.Constant)}
        found |= {text for text in texts if isinstance(text, str) and re.fullmatch(r"FL_[A-Z_]*[A-Z]", text)}
    return found


@pytest.mark.parametrize("schema", KINDS)
def test_each_marketplace_appliance_is_valid_and_named_by_an_id(files: Files, schema: str) -> None:
    path, content = of_kind(files, KINDS[schema])
    assert problems(schema, content) == []
    assert str(uuid.UUID(Path(path).stem)) == Path(path).stem


@pytest.mark.parametrize("name", ["metadata", "context", "tests"])
def test_the_documents_for_the_marketplaces_tests_are_valid(files: Files, name: str) -> None:
    assert problems(name, document(files, f"{APPLIANCE}/{name}.yaml")) == []


@pytest.mark.parametrize(
    ("schema", "change", "complaint"),
    [
        ("image", {"images": []}, "$.images"),
        ("image", {"creation_time": "@CREATION_TIME@"}, "$.creation_time"),
        ("image", {"publisher": "@PUBLISHER@"}, "$.publisher"),
        ("image", {"colour": "red"}, "$: Additional"),
        ("vm-template", {"disks": []}, "$.disks"),
        ("vm-template", {"type": "IMAGE"}, "$.type"),
        ("service-template", {"roles": {}}, "$.roles"),
        ("service-template", {"opennebula_version": "seven"}, "$.opennebula_version"),
    ],
)
def test_the_schemas_refuse_what_is_wrong(files: Files, schema: str, change: dict[str, Any], complaint: str) -> None:
    _, content = of_kind(files, KINDS[schema])
    (found,) = problems(schema, {**content, **change})
    assert found.startswith(complaint)


def test_a_folder_with_marks_is_not_valid_for_a_marketplace() -> None:
    _, content = of_kind(folder.files(PROJECT), None)
    found = problems("image", content)
    assert {line.partition(":")[0] for line in found} == {
        *("$['one-apps_version']", "$.publisher", "$.publisher_email", "$.creation_time"),
        *("$.images[0].url", "$.images[0].size", "$.images[0].checksum.md5", "$.images[0].checksum.sha256"),
    }


def test_the_image_has_size_and_checksums_of_the_file_that_is_published(files: Files) -> None:
    (image,) = of_kind(files, None)[1]["images"]
    assert image["size"] == DISK_BYTES
    assert image["url"] == "https://files.example/flower-appliance.qcow2"


def test_vm_template_and_pool_name_the_image_appliance_and_versions_agree(files: Files) -> None:
    documents = {schema: of_kind(files, kind)[1] for schema, kind in KINDS.items()}
    name = documents["image"]["name"]
    assert documents["vm-template"]["disks"] == [name]
    assert documents["service-template"]["roles"] == {"supernode": name}
    assert {each["version"].rpartition("-")[0] for each in documents.values()} == {FLOWER_VERSION}


def test_the_image_s_vm_template_is_what_publishing_into_a_zone_makes(files: Files) -> None:
    release = Release(name="flower-appliance", version=FLOWER_VERSION, variant="cpu", sha256="")
    template = of_kind(files, None)[1]["opennebula_template"]
    expected = catalog.template_inputs(release, 7)
    assert template["context"] == {name.lower(): value for name, value in expected["context"].items()}
    assert (template["cpu"], template["vcpu"]) == (str(expected["cpu"]), str(expected["vcpu"]))


def test_the_pool_is_what_publishing_into_a_zone_makes_and_valid_for_oneflow(files: Files) -> None:
    body = json.loads(of_kind(files, "SERVICE_TEMPLATE")[1]["opennebula_template"])
    assert problems("service-body", body) == []
    release = Release(name="flower-appliance", version=FLOWER_VERSION, variant="cpu", sha256="")
    expected = json.loads(catalog.service_inputs(release, 7)["template"])
    assert body["user_inputs"] == expected["user_inputs"]
    assert body["networks"] == expected["networks"]
    (role,), (wanted,) = body["roles"], expected["roles"]
    assert role == {name: value for name, value in wanted.items() if name != "template_id"}


def test_the_pages_list_exactly_the_variables_that_the_appliance_reads(files: Files) -> None:
    readme = files[f"{APPLIANCE}/README.md"].content.decode()
    section = readme.partition("## Contextualization")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for cell in rows for name in re.findall(r"`(FL_\w+)`", cell)} == variables_of_the_code()
    shown = re.findall(r"^  (FL_\w+) \(", files[f"{APPLIANCE}/help.txt"].content.decode(), re.MULTILINE)
    assert set(shown) == variables_of_the_code()
    assert len(shown) == len(set(shown))


def test_the_ports_are_those_of_the_code(files: Files) -> None:
    readme = files[f"{APPLIANCE}/README.md"].content.decode().partition("## Ports")[2].partition("\n## ")[0]
    shown = {int(number) for number in re.findall(r"^\| (\d+) ", readme, re.MULTILINE)}
    assert shown == {value for name, value in vars(machine).items() if name.endswith("_PORT")}


def test_a_supernode_starts_from_the_form_with_only_its_mandatory_answers() -> None:
    authority = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    answers = {
        "FL_FEDERATION": "hospitals",
        "FL_ZONE": "berlin",
        "FL_SUPERLINK_ADDRESS": "10.0.0.5:9092",
        "FL_CA_CERT": b64(authority.pem),
        "FL_CA_FINGERPRINT": authority.fingerprint,
        "FL_NUM_PARTITIONS": "3",
        "FL_PARTITION_BASE": "1000",
    }
    template = of_kind(folder.files(PROJECT), "VMTEMPLATE")[1]["opennebula_template"]
    inputs = {name.upper(): text.split("|") for name, text in template["user_inputs"].items()}
    assert {name for name, parts in inputs.items() if parts[0] == "M"} == set(answers)

    # As OpenNebula fills a template in: `$NAME` is the answer, the default, or nothing.
    given = {name: answers.get(name, parts[4]) for name, parts in inputs.items()}
    filled = {name.upper(): given.get(value[1:], value) for name, value in template["context"].items()}
    context = read_context({**filled, "VMID": "7"}, now=datetime.now(UTC))
    assert isinstance(context, SuperNodeContext)
    assert (context.zone, context.superlink_port, context.partition_base) == ("berlin", 9092, 1000)
    assert context.data.path == "/srv/flower/data"


def test_the_form_asks_for_no_secret_and_for_everything_else_a_supernode_may_be_given(files: Files) -> None:
    template = of_kind(files, "VMTEMPLATE")[1]["opennebula_template"]
    asked = {name.upper() for name in template["user_inputs"]}
    assert asked == set(template["inputs_order"].split(","))
    superlink = {each.name for each in read_table(PROJECT) if each.role == "superlink"}
    assert asked.isdisjoint(SECRET_VARIABLES)
    fixed = {name.upper() for name, value in template["context"].items() if not value.startswith("$")}
    assert asked == variables_of_the_code() - superlink - set(UNASKED) - fixed
    for _, content in (of_kind(files, kind) for kind in KINDS.values()):
        assert not [name for name in SECRET_VARIABLES if name.lower() in json.dumps(content).lower()]


def test_the_marketplaces_tests_start_from_a_context_that_lacks_only_certificates(files: Files) -> None:
    params = document(files, f"{APPLIANCE}/metadata.yaml")[":app"][":context"][":params"]
    given = {name.removeprefix(":"): value for name, value in params.items()}
    with pytest.raises(Exception, match="FL_CA_CERT") as refused:
        read_context(given, now=datetime.now(UTC))
    missing = set(re.findall(r"(FL_\w+) is absent", str(refused.value)))
    assert missing >= {"FL_CA_CERT", "FL_CA_FINGERPRINT", "FL_SERVER_CERT", "FL_CONTROL_CA"}
    assert str(refused.value).count("FL_ROLE is") == 0
