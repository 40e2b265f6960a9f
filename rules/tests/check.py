#!/usr/bin/env python3
"""Checks what promtool does not: each alert is tested, described and has a runbook, and thresholds stand once.

It reads the rules and their tests as text, line by line, in the form that they have here; it knows no YAML.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
BASE = "https://github.com/avepoint-exporter/avepoint-exporter/blob/main/docs/runbooks/"
THRESHOLDS = "avepoint-thresholds"
ALERT_GROUPS = {"avepoint-risk", "avepoint-protection", "avepoint-collection", "avepoint-exporter"}
# Alerts of these groups stay while figures are withdrawn.
KEPT = {"avepoint-risk", "avepoint-protection"}

problems = []


def complain(where, what):
    problems.append(f"{where}: {what}")


def rules_of(path):
    """The rules of a file: group, kind (alert or record), name, and the text of each key."""
    group, rule, key, rules = "", None, "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("#"):
            continue
        if found := re.fullmatch(r"  - name: (\S+)", line):
            group = found[1]
        elif found := re.fullmatch(r"      - (alert|record): (\S+)", line):
            rule = {"group": group, "kind": found[1], "name": found[2]}
            rules.append(rule)
        elif rule is not None and (found := re.fullmatch(r" {8,10}([a-z_]+):(?: (.*))?", line)):
            key = found[1]
            rule[key] = found[2] or ""
        elif line.startswith(" " * 10) and rule is not None:
            rule[key] = f"{rule[key]}\n{line.strip()}".strip()
    return rules


def cases_of(path):
    """Pairs of an alert and whether it fires, for each assertion of a test file.

    That it is silent counts only while another one fires, or before or after it fires itself in the same test: silence
    where nothing ever happens shows nothing.
    """
    for test in path.read_text(encoding="utf-8").split("\n  - name: ")[1:]:
        lines = test.splitlines()
        asserted = []
        for number, line in enumerate(lines):
            if found := re.fullmatch(r" +alertname: (\S+)", line):
                time = lines[number - 1].partition("eval_time: ")[2]
                asserted.append((time, found[1], lines[number + 1].strip() != "exp_alerts: []"))
        busy = {time for time, _, fires in asserted if fires}
        firing = {name for _, name, fires in asserted if fires}
        for time, name, fires in asserted:
            if fires or time in busy or name in firing:
                yield name, fires


def check_alert(alert, cases, thresholds):
    name = alert["name"]
    for fires, word in ((True, "fires"), (False, "is silent")):
        if (name, fires) not in cases:
            complain(name, f"no test in which it {word}")
    if alert["group"] not in ALERT_GROUPS:
        complain(name, f"in the group {alert['group']}, which is not a group of alerts")
    if alert.get("severity") not in ("critical", "warning"):
        complain(name, "its severity is neither critical nor warning")
    if ("keep_firing_for" in alert) != (alert["group"] in KEPT):
        complain(name, "alerts of risk and protection, and only these, have keep_firing_for")
    for key in ("summary", "description"):
        if len(alert.get(key, "").removeprefix(">-").strip()) < 20:
            complain(name, f"has no {key}")
    if "{{" not in alert.get("summary", ""):
        complain(name, "its summary does not say what it is about")
    if alert.get("runbook_url") != f"{BASE}{name}.md":
        complain(name, f"its runbook_url is not {BASE}{name}.md")
    if not (RUNBOOKS / f"{name}.md").is_file():
        complain(name, f"there is no docs/runbooks/{name}.md")
    check_numbers(name, alert["expr"], thresholds)


def check_numbers(name, expr, thresholds):
    """A comparison is with a threshold, a series, or one of two states."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    for operator, number in re.findall(r"(==|!=|<=|>=|<|>)\s*(?:bool\s+)?(-?[\d.]+)", bare):
        if operator != "==" or number not in ("0", "1"):
            complain(name, f"the threshold {operator} {number} is not in the group {THRESHOLDS}")
    if re.search(r"[*/+-]\s*\d", bare):
        complain(name, f"calculates with a number, which belongs in the group {THRESHOLDS}")
    for used in re.findall(r"\b(?:tenant:avepoint_|avepoint:)(\w+:threshold)", bare):
        used = f"avepoint:{used}"
        if used not in thresholds:
            complain(name, f"there is no {used}")


def check_tenant_thresholds(recorded, thresholds):
    """A tenant's threshold is of the fleet's of the same name, and of its share where there is one."""
    for rule in recorded:
        if found := re.fullmatch(r"tenant:avepoint_(\w+):threshold", rule["name"]):
            name = f"avepoint:{found[1]}:threshold"
            share = f"avepoint:{found[1]}_share:threshold"
            expected = {name, share} & thresholds | {name}
            used = set(re.findall(r"avepoint:\w+:threshold", rule["expr"]))
            if used != expected:
                complain(rule["name"], f"is of {sorted(used)}, not of {sorted(expected)}")


def main():
    rules = rules_of(ROOT / "rules" / "avepoint-alerts.yml")
    alerts = [rule for rule in rules if rule["kind"] == "alert"]
    thresholds = {rule["name"] for rule in rules if rule["group"] == THRESHOLDS}
    tests = sorted((ROOT / "rules" / "tests").glob("*.yml"))
    cases = {case for path in tests for case in cases_of(path)}
    names = {alert["name"] for alert in alerts}
    if not alerts or not thresholds or not cases:
        complain("rules", "no alerts, no thresholds or no tests were found")

    for alert in alerts:
        check_alert(alert, cases, thresholds)
    for rule in rules:
        if rule["kind"] == "record" and rule["group"] != THRESHOLDS:
            complain(rule["name"], "recording rules other than thresholds belong in avepoint-recording.yml")
    recorded = rules_of(ROOT / "rules" / "avepoint-recording.yml")
    check_tenant_thresholds(recorded, thresholds)
    everything = "".join(rule["expr"] for rule in alerts + recorded)
    for unused in sorted(one for one in thresholds if one not in everything):
        complain(unused, "no alert uses this threshold")
    for name, _ in sorted(cases):
        if name not in names:
            complain(name, "has a test, but there is no such alert")
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for path in sorted(RUNBOOKS.glob("*.md")):
        if path.stem not in names | {"README"}:
            complain(path.name, "belongs to no alert")
    for alert in alerts:
        entry = f"| [{alert['name']}]({alert['name']}.md) | {alert.get('severity')} |"
        if entry not in index:
            complain("docs/runbooks/README.md", f"there is no line that begins with {entry}")

    if problems:
        sys.exit("\n".join(["rules/tests/check.py:", *problems]))
    print(f"{len(alerts)} alerts and {len(thresholds)} thresholds are as they should be")


main()
