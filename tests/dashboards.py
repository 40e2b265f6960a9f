"""Checks dashboards/*.json: their form, and that Prometheus can parse each of their queries.

Grafana itself is not asked. What is checked is what breaks dashboards without a word: an id that
is used twice, a panel that names a data source of its own, a variable that does not exist, a query
with a typing mistake.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "dashboards"

# Grafana's own variables that stand for a duration, and a value for each.
DURATIONS = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
LABEL_VALUES = re.compile(r"label_values\((.*),\s*\w+\)$", re.DOTALL)


def substituted(query, names):
    """The query as Prometheus gets it, each variable replaced by a value of its kind."""

    def value(match):
        name = match[1] or match[2]
        if name in DURATIONS:
            return DURATIONS[name]
        if name in names:
            return ".*"
        raise ValueError(f"unknown variable ${name} in: {query}")

    return VARIABLE.sub(value, query)


def panels_of(dashboard):
    """All panels, those inside collapsed rows included."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def overlap(a, b):
    a, b = a["gridPos"], b["gridPos"]
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )  # fmt: skip


def form_errors(text, dashboard):
    """What is wrong with the dashboard apart from its queries."""
    if text != json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n":
        yield "is not formatted as JSON with an indent of 2 and a line break at the end"
    if "id" in dashboard:
        yield "has an `id`, which belongs to one Grafana; remove it"
    if not dashboard.get("uid") or not dashboard.get("title"):
        yield "needs a `uid` and a `title`"
    if dashboard.get("editable") is not False:
        yield "needs `editable: false`: what is edited in Grafana is lost at the next start"
    if dashboard.get("schemaVersion", 0) < 39:
        yield "needs a `schemaVersion` of 39 or newer"

    panels = list(panels_of(dashboard))
    ids = [panel.get("id") for panel in panels]
    if None in ids or len(ids) != len(set(ids)):
        yield f"needs a unique `id` per panel, has {ids}"
    for index, panel in enumerate(panels):
        where = f"panel '{panel['title']}'"
        box = panel["gridPos"]
        if box["x"] + box["w"] > 24:
            yield f"{where} is wider than the 24 columns"
        for other in panels[:index]:
            if overlap(panel, other):
                yield f"{where} covers '{other['title']}'"
        if panel["type"] == "row":
            continue
        if not panel.get("description"):
            yield f"{where} needs a description"
        if not panel.get("options"):
            yield f"{where} needs `options`; Grafana fails without"
        for part in (panel, *panel["targets"]):
            if part.get("datasource", {}).get("uid") != "${datasource}":
                yield f"{where} needs the data source ${{datasource}} on itself and on each target"
        refs = [target.get("refId") for target in panel["targets"]]
        if not all(refs) or len(refs) != len(set(refs)):
            yield f"{where} needs a unique `refId` per target, has {refs}"


def queries(dashboard):
    """Each query by a name that says where it stands; the names are valid names of metrics."""
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            yield f"panel_{panel['id']}_{target['refId']}", target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = LABEL_VALUES.match(variable["query"]["query"])
            if not match:
                raise ValueError(f"variable {variable['name']} is not a label_values(…) query")
            yield f"variable_{variable['name']}", match[1]


def rules(dashboard):
    """The queries as recording rules, for promtool parses those. JSON is YAML as well."""
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    records = [{"record": name, "expr": substituted(query, names)} for name, query in queries(dashboard)]
    return {"groups": [{"name": dashboard["uid"], "rules": records}]}


def main():
    paths = sorted(FOLDER.glob("*.json"))
    if not paths:
        sys.exit(f"there is no dashboard in {FOLDER}")
    errors, uids = [], {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        try:
            dashboard = json.loads(text)
            errors += [f"{path.name} {error}" for error in form_errors(text, dashboard)]
            document = rules(dashboard)
        except (KeyError, ValueError) as error:
            errors.append(f"{path.name}: {type(error).__name__}: {error}")
            continue
        first = uids.setdefault(dashboard["uid"], path.name)
        if first != path.name:
            errors.append(f"{path.name} has the uid of {first}")
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
        if checked.returncode != 0:
            errors.append(f"{path.name}:\n{checked.stdout}{checked.stderr}")
        print(f"{path.name}: {len(document['groups'][0]['rules'])} queries")
    if errors:
        sys.exit("\n".join(errors))


if __name__ == "__main__":
    main()
