"""The shipped rules: promtool takes them, each alert fires on its fault alone, and says what to do.

Without Debian's `prometheus`, what needs promtool is skipped.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from farthing.settings import SECTIONS
from tests.house.reference import ROOT, all_commands

from .planted import FAULTS, HEALTHY
from .shipped import RULES, SCRAPING, alerts, rules, strangers

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not here: make setup-system"
)


def run_promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_promtool_takes_the_rules_and_the_configuration_beside_them():
    run_promtool("check", "rules", str(RULES))
    run_promtool("check", "config", str(SCRAPING))


def test_every_rule_asks_for_what_a_process_of_ours_shows():
    assert {rule["expr"]: found for rule in rules() if (found := strangers(rule["expr"]))} == {}


def test_what_nobody_shows_is_found_out():
    assert strangers('rate(farthing_paymants_total{state="held"}[5m])') == {
        "farthing_paymants_total"
    }
    assert strangers('farthing_payments_total{device="dev_1", job="x"}') == {
        "farthing_payments_total{device}"
    }
    assert strangers("farthing:nothing:rate5m") == {"farthing:nothing:rate5m"}


def test_every_alert_says_what_is_so_what_to_do_and_where_more_is_told():
    for name, alert in alerts().items():
        told = alert["annotations"]
        assert set(told) == {"summary", "do", "page"}, name
        assert told["page"] == f"docs/reference/alerts.md#{name.lower()}"
        assert alert["labels"]["severity"] in ("page", "ticket")


def test_every_command_setting_and_page_that_an_alert_tells_of_exists():
    commands = [words.removeprefix("farthing ") for words, _ in all_commands()]
    for name, alert in alerts().items():
        told = alert["annotations"]["do"]
        for words in re.findall(r"`farthing ([^`]+)`", told):
            assert any(f"{words} ".startswith(f"{known} ") for known in commands), (name, words)
        for section, setting in re.findall(r"`\[([a-z]+)\] ?([a-z_]*)`", told):
            assert not setting or setting in SECTIONS[section].__struct_fields__, (name, setting)
        for page in re.findall(r"docs/[a-z/-]+\.md", told):
            assert (ROOT / page).is_file(), (name, page)


def test_every_alert_has_a_planted_fault():
    assert set(FAULTS) == set(alerts())


@promtool
def test_each_alert_fires_on_its_fault_and_nothing_fires_on_a_healthy_hub(tmp_path: Path):
    healthy = case("a healthy hub", {}, [(minute, "ALERTS", None) for minute in (5, 100, 470)])
    cases = [healthy]
    for name, (changed, minutes) in FAULTS.items():
        firing = f'count(ALERTS{{alertname="{name}", alertstate="firing"}})'
        cases.append(case(name, changed, [(minutes, firing, 1)]))
    file = tmp_path / "alerts.test.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": cases})
    )
    run_promtool("test", "rules", str(file))


def case(
    name: str, changed: dict[str, str], asked: list[tuple[int, str, int | None]]
) -> dict[str, object]:
    """Write one case for promtool. Shape: `asked` is minutes, expression, value (None: nothing)."""
    series = [{"series": s, "values": v} for s, v in (HEALTHY | changed).items()]
    tests = [
        {
            "expr": expression,
            "eval_time": f"{minutes}m",
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for minutes, expression, value in asked
    ]
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": tests}
