"""The alert rules of docs/operating.md in Prometheus' own promtool: they fire when they should, and not before.

The series are the text that a SuperLink writes. promtool's clock starts in 1970, so the certificates do, too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from flower_appliance.context import SuperLinkContext, read_context
from flower_appliance.metrics import EXPIRY, certificate_metrics
from tests.appliance_support import b64, make_authority, superlink_values
from tests.patience import PATIENCE_S
from tests.promtool_support import promtool

pytestmark = [pytest.mark.slow]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERVER_DAYS, CA_DAYS, CONTROL_CA_DAYS = 90, 200, 400
SOON, CA_SOON, ENDED, UNWATCHED = (
    *("FlowerCertificateEndsSoon", "FlowerCaEndsSoon"),
    *("FlowerCertificateEnded", "FlowerCertificateUnwatched"),
)

Alert = dict[str, Any]


def run_promtool(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(promtool()), *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """The rules, as somebody copies them from the page."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (document for text in blocks if "groups" in (document := yaml.safe_load(text)))
    return dict(found)


@pytest.fixture(scope="module")
def rules(documented: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prometheus") / "rules.yml"
    file.write_text(yaml.safe_dump(documented))
    return file


@pytest.fixture(scope="module")
def written() -> str:
    """What a SuperLink writes whose server's certificate ends after 90 days, and its CA after 200."""
    authority = make_authority(start=EPOCH, days=CA_DAYS)
    server, key = authority.issue("localhost", "127.0.0.1", "10.0.0.5", days=SERVER_DAYS)
    clients = make_authority(start=EPOCH, days=CONTROL_CA_DAYS)
    certificates = {"FL_SERVER_CERT": b64(server), "FL_SERVER_KEY": b64(key), "FL_CONTROL_CA": b64(clients.pem)}
    context = read_context({**superlink_values(authority), **certificates}, now=EPOCH + timedelta(days=1))
    assert isinstance(context, SuperLinkContext)
    return certificate_metrics(context)


def samples(written: str) -> dict[str, str]:
    """Values by series."""
    lines = [line for line in written.splitlines() if not line.startswith("#")]
    return {series: value for series, _, value in (line.rpartition(" ") for line in lines)}


def labels(series: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', series))


def fired(documented: dict[str, Any], alert: str, of: Iterable[str] = ()) -> list[Alert]:
    """An alert as it is expected for series; absent ones have no labels."""
    (rule,) = (rule for group in documented["groups"] for rule in group["rules"] if rule["alert"] == alert)
    found = []
    for names in [labels(series) for series in of] or [{}]:
        texts = {
            name: re.sub(r"{{ \$labels\.(\w+) }}", lambda match, names=names: names[match[1]], text)  # type: ignore[misc]
            for name, text in rule.get("annotations", {}).items()
        }
        found.append({"exp_labels": {**names, **rule["labels"]}, "exp_annotations": texts})
    return found


def objections(rules: Path, series: dict[str, str], at: dict[str, dict[str, list[Alert]]]) -> list[str]:
    """What promtool has against alerts expected at times; every rule that is not named must be silent."""
    names = (SOON, CA_SOON, ENDED, UNWATCHED)
    document = {
        "rule_files": [rules.name],
        "evaluation_interval": "30m",
        "tests": [
            {
                "interval": "30m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {"eval_time": time, "alertname": name, "exp_alerts": expected.get(name, [])}
                    for time, expected in at.items()
                    for name in names
                ],
            }
        ],
    }
    file = rules.with_name("tests.yml")
    file.write_text(yaml.safe_dump(document))
    ended = run_promtool("test", "rules", file)
    return [] if ended.returncode == 0 else (ended.stdout + ended.stderr).splitlines()


def constant(written: str) -> dict[str, str]:
    """Each series for as long as anything is asked here."""
    return {series: f"{value}x{48 * (CA_DAYS + 2)}" for series, value in samples(written).items()}


def test_prometheus_takes_rules_and_metric_as_they_are_written(rules: Path, written: str) -> None:
    checked = run_promtool("check", "rules", rules)
    assert (checked.returncode, "4 rules found" in checked.stdout) == (0, True), checked.stdout + checked.stderr
    linted = run_promtool("check", "metrics", text=written)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


def test_each_alert_fires_when_its_time_has_come_for_its_certificates_alone(
    documented: dict[str, Any], rules: Path, written: str
) -> None:
    by_kind = {labels(series)["certificate"]: series for series in samples(written)}
    server, ca = [by_kind["server"]], [by_kind["ca"]]
    soon, ended = fired(documented, SOON, server), fired(documented, ENDED, server)
    assert sorted(by_kind) == ["ca", "control-ca", "server"]

    found = objections(
        rules,
        constant(written),
        {
            f"{SERVER_DAYS - 22}d": {},
            f"{SERVER_DAYS - 21}d": {},
            f"{(SERVER_DAYS - 21) * 24 + 1}h": {SOON: soon},
            f"{SERVER_DAYS * 24 - 1}h": {SOON: soon},
            f"{SERVER_DAYS * 24 + 1}h": {SOON: soon, ENDED: ended},
            f"{CA_DAYS - 80}d": {SOON: soon, ENDED: ended},
            f"{CA_DAYS - 79}d": {SOON: soon, ENDED: ended, CA_SOON: fired(documented, CA_SOON, ca)},
            f"{CA_DAYS + 1}d": {
                SOON: soon,
                ENDED: [*ended, *fired(documented, ENDED, ca)],
                CA_SOON: fired(documented, CA_SOON, ca),
            },
        },
    )

    assert found == []


def test_a_superlink_that_nobody_watches_is_told_after_an_hour(
    documented: dict[str, Any], rules: Path, written: str
) -> None:
    gone = {series: f"{value}x4 _x40" for series, value in samples(written).items()}
    unwatched = {UNWATCHED: fired(documented, UNWATCHED)}
    assert objections(rules, {}, {"30m": {}, "90m": unwatched}) == []
    assert objections(rules, gone, {"2h": {}, "3h": {}, "5h": unwatched}) == []


def test_an_alert_that_does_not_come_is_found(documented: dict[str, Any], rules: Path, written: str) -> None:
    late = {**documented, "groups": yaml.safe_load(yaml.safe_dump(documented["groups"]).replace("< 21 *", "< 2 *"))}
    other = rules.with_name("late.yml")
    other.write_text(yaml.safe_dump(late))
    (server,) = (series for series in samples(written) if labels(series)["certificate"] == "server")
    expected = {f"{SERVER_DAYS - 10}d": {SOON: fired(documented, SOON, [server])}}

    assert objections(rules, constant(written), expected) == []
    assert any(SOON in line for line in objections(other, constant(written), expected))
    assert EXPIRY in other.read_text()
