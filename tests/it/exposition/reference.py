"""Reads expositions as the reference parsers do, and compares them with what they were made of.

Takes a line of JSON for each case on stdin; ends with 1 and says why at the first difference. Needs PyPI's
prometheus_client.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text

SUFFIXES = {"counter": {"_total"}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}


def series(families, is_open):
    """All samples; checks what the parsers leave open."""
    found = {}
    for family in families:
        assert family.type in SUFFIXES, f"{family.name} is of the type {family.type}"
        assert family.documentation, f"{family.name} has no help"
        for sample in family.samples:
            suffix = sample.name.removeprefix(family.name)
            assert suffix in SUFFIXES[family.type], f"{sample.name} in {family.name}"
            unit = family.name.rsplit("_", 1)[-1] if is_open else ""
            assert family.unit == (unit if unit in ("seconds", "bytes") else ""), f"{family.name}: {family.unit}"
            labels = dict(sample.labels)
            if "le" in labels:
                labels["le"] = float(labels["le"])
            key = sample.name, tuple(sorted(labels.items()))
            assert key not in found, f"{key} is there twice"
            # The one reads whole numbers as such, the other does not.
            found[key] = float(sample.value)
    return found


def check(case):
    plain = series(text(case["text"]), False)
    for name, form in (("text", plain), ("OpenMetrics", series(open_metrics(case["open_metrics"]), True))):
        assert form == plain, f"OpenMetrics differs: {list(form.items() ^ plain.items())[:3]}"
        for wanted in case["wanted"]:
            key = wanted["name"], tuple(sorted(wanted["labels"].items()))
            assert form.get(key) == wanted["value"], f"{name}: {form.get(key)} instead of {wanted}"


def main():
    cases = 0
    for line in sys.stdin:
        case = json.loads(line)
        try:
            check(case)
        except Exception as error:
            sys.exit(f"case {cases}: {error!r}")
        cases += 1
    print(cases)


main()
