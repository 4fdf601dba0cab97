"""docs/operating.md: the alert rules are about the metric that the appliance writes, and leave time to act."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from components.pki_rules import DEFAULT_EARLY_RENEWAL, DEFAULT_LEAF_VALIDITY
from flower_appliance.control_routes import METRICS_URI
from flower_appliance.machine import CERTIFICATE_METRICS, CONTROL_PORT
from flower_appliance.metrics import EXPIRY
from flower_federation.control_certificate import CA, CERTIFICATE, KEY

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def block(key: str) -> Any:
    (found,) = (document[key] for document in BLOCKS if key in document)
    return found


def test_every_alert_is_about_the_metric_that_is_written() -> None:
    rules = [rule for group in block("groups") for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) == 4
    assert all(EXPIRY in rule["expr"] and rule["labels"]["severity"] for rule in rules)


def test_an_alert_comes_after_a_renewal_is_due_and_well_before_the_end() -> None:
    days = {
        rule["alert"]: int(match[1])
        for group in block("groups")
        for rule in group["rules"]
        if (match := re.search(r"< (\d+) \* 86400", rule["expr"]))
    }
    assert 14 <= days["FlowerCertificateEndsSoon"] < DEFAULT_EARLY_RENEWAL.days
    # A CA is renewed once its rest is shorter than a leaf's life.
    assert 30 <= days["FlowerCaEndsSoon"] < DEFAULT_LEAF_VALIDITY.days


def test_prometheus_asks_the_control_port_with_what_export_writes() -> None:
    (job,) = block("scrape_configs")
    assert job["scheme"] == "https"
    assert job.get("metrics_path", "/metrics") == METRICS_URI
    assert job["static_configs"][0]["targets"][0].endswith(f":{CONTROL_PORT}")
    assert job["tls_config"] == {
        "ca_file": f"DIRECTORY/{CA}",
        "cert_file": f"DIRECTORY/{CERTIFICATE}",
        "key_file": f"DIRECTORY/{KEY}",
    }


def test_the_file_for_a_textfile_collector_is_named_as_it_is() -> None:
    folder, _, _ = CERTIFICATE_METRICS.rpartition("/")
    assert CERTIFICATE_METRICS in PAGE
    assert f"--collector.textfile.directory={folder}`" in PAGE
