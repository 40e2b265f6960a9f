"""Checks dashboards/*.json: the rules of Grafana's dashboard linter by name, and ours.

python3 tests/dashboards        needs promtool, and promql-parser from PyPI
"""

import pathlib
import sys

import exceptions
import form  # noqa: F401, registers its rules
import linter  # noqa: F401, registers its rules
from model import Dashboard
from rules import RULES

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "dashboards"


def main():
    dashboards = [
        Dashboard(path.name, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
    ]
    if not dashboards:
        sys.exit(f"there is no dashboard in {FOLDER}")
    findings = [finding for check in RULES.values() for finding in check(dashboards)]
    left, idle = exceptions.apply(findings, exceptions.EXCEPTIONS)
    for name in RULES:
        broken = sum(finding.rule == name for finding in left)
        excused = sum(finding.rule == name for finding in findings) - broken
        result = f"{broken} BROKEN" if broken else "ok"
        print(f"{name:36} {result}{f', {excused} excused' if excused else ''}")
    for dashboard in dashboards:
        print(f"{dashboard.name}: {len(dashboard.charts)} panels, {len(list(dashboard.expressions))} queries")
    errors = [str(finding) for finding in left]
    errors += [f"the exception of {each.rule} for {each.subject} excuses nothing: remove it" for each in idle]
    if errors:
        sys.exit("\n".join(errors))


if __name__ == "__main__":
    main()
