"""Our own rules: what breaks a dashboard without a word, and what keeps the three of them one."""

import json
import re

import promql_parser

import model
from rules import Finding, rule

# What can be drawn in tests by Grafana's own components.
TYPES = {"timeseries", "stat", "bargauge", "table", "row"}

# The selector that finds the tenants that the reader chose, and what limits recorded series to these.
TENANTS = "avepoint_tenant_info"
CHOICES = {
    ("job", "$job"),
    ("instance", "$instance"),
    ("customer_id", "$customer"),
    ("m365_tenant_id", "$tenant"),
}
CHOSEN = ("m365_tenant_id", "${chosen:pipe}")

FIELD = re.compile(r"\$\{__data\.fields\.(\w+)\}")
LINK = re.compile(r"/d/([\w-]+)(?:\?.*)?")
# Where tenants are administered, and where partners sign in to Elements.
PORTALS = ("https://entra.microsoft.com/", "https://partner.avepointonlineservices.com/")
# What Grafana itself puts in place in links.
LINK_VARIABLES = {"__url_time_range"}


@rule("file-form")
def file_form(dashboards):
    """A file is indented by 2 and ends with a line break; the dashboard has what identifies it."""
    for dashboard in dashboards:
        whole = dashboard.json
        if dashboard.text != json.dumps(whole, indent=2, ensure_ascii=False) + "\n":
            yield Finding(
                dashboard.name, "file", "is not JSON with an indent of 2 and a line break at the end"
            )
        if "id" in whole:
            yield Finding(dashboard.name, "dashboard", "has an `id`, which belongs to one Grafana")
        for key in ("uid", "title", "description"):
            if not whole.get(key):
                yield Finding(dashboard.name, "dashboard", f"needs a `{key}`")
        if whole.get("uid") != dashboard.name.removesuffix(".json"):
            yield Finding(dashboard.name, "dashboard", "has another uid than its file's name")
        if "avepoint" not in whole.get("tags", []):
            yield Finding(dashboard.name, "dashboard", "needs the tag `avepoint`")
        if whole.get("schemaVersion", 0) < 39:
            yield Finding(dashboard.name, "dashboard", "needs a `schemaVersion` of 39 or newer")


@rule("panel-ids")
def panel_ids(dashboards):
    """Each panel has an id of its own, and each target of a panel a letter of its own."""
    for dashboard in dashboards:
        ids = [panel.get("id") for panel in dashboard.panels]
        if None in ids or len(ids) != len(set(ids)):
            yield Finding(dashboard.name, "panels", f"need a unique `id` each, have {ids}")
        for panel in dashboard.charts:
            letters = [target.get("refId") for target in panel.get("targets", [])]
            if not all(letters) or len(letters) != len(set(letters)):
                yield Finding(
                    dashboard.name, panel["title"], f"needs a unique `refId` per target, has {letters}"
                )


@rule("panel-places")
def panel_places(dashboards):
    """No panel covers another one or leaves the 24 columns; of a collapsed row, when it is opened."""
    for dashboard in dashboards:
        top = dashboard.json["panels"]
        for panels in (top, *([row, *row["panels"]] for row in top if row.get("panels"))):
            for index, panel in enumerate(panels):
                box = panel["gridPos"]
                if box["x"] + box["w"] > 24:
                    yield Finding(dashboard.name, panel["title"], "is wider than the 24 columns")
                for other in panels[:index]:
                    if _overlap(box, other["gridPos"]):
                        yield Finding(dashboard.name, panel["title"], f"covers “{other['title']}”")


def _overlap(a, b):
    across = a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
    return across and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


@rule("panel-types")
def panel_types(dashboards):
    """A panel is of a type that the tests can draw, and has the options that Grafana fails without."""
    for dashboard in dashboards:
        for panel in dashboard.panels:
            if panel["type"] not in TYPES:
                yield Finding(
                    dashboard.name, panel["title"], f"is of the type {panel['type']}, none of {sorted(TYPES)}"
                )
        for panel in dashboard.charts:
            if not panel.get("options"):
                yield Finding(dashboard.name, panel["title"], "needs `options`; Grafana fails without")


@rule("panel-legends")
def panel_legends(dashboards):
    """A series has a name that was chosen, and a number says what it means that there is none."""
    for dashboard in dashboards:
        for panel, target in dashboard.targets:
            if target.get("legendFormat", "__auto") in ("", "__auto"):
                yield Finding(dashboard.name, panel["title"], f"target {target['refId']} needs a legend")
        for panel in dashboard.charts:
            if panel["type"] == "stat" and not panel["fieldConfig"]["defaults"].get("noValue"):
                yield Finding(dashboard.name, panel["title"], "needs a `noValue` text")


@rule("rows-collapsed")
def rows_collapsed(dashboards):
    """A row that is collapsed holds its panels; one that is not has them below it."""
    for dashboard in dashboards:
        for panel in dashboard.json["panels"]:
            if panel["type"] == "row" and panel.get("collapsed", False) != bool(panel.get("panels")):
                yield Finding(
                    dashboard.name, panel["title"], "must hold panels if it is collapsed, and only then"
                )


@rule("variables-exist")
def variables_exist(dashboards):
    """A query names only variables that are there, and each variable is used."""
    for dashboard in dashboards:
        names, used = set(dashboard.variables), {"datasource"}
        for place, expression in dashboard.expressions:
            for match in model.VARIABLE.finditer(expression):
                name = match[1] or match[2]
                used.add(name)
                if name not in names | set(model.GRAFANA_VARIABLES):
                    yield Finding(dashboard.name, place, f"names ${name}, which is not a variable")
        for name in sorted(names - used):
            yield Finding(dashboard.name, f"variable {name}", "is used by no query")


@rule("same-variables")
def same_variables(dashboards):
    """All dashboards have the same variables in the same order, so that links carry them. Whether all tenants can be
    chosen may differ."""
    for dashboard in dashboards[1:]:
        if _shared(dashboard) != _shared(dashboards[0]):
            yield Finding(dashboard.name, "variables", f"are not those of {dashboards[0].name}")


def _shared(dashboard):
    own = {"includeAll", "allValue", "current"}
    return [
        {key: value for key, value in variable.items() if name != "tenant" or key not in own}
        for name, variable in dashboard.variables.items()
    ]


@rule("links-lead-somewhere")
def links_lead_somewhere(dashboards):
    """Each link leads to one of these dashboards or to a portal, names existing variables, and fields that the row has."""
    uids = {dashboard.json.get("uid") for dashboard in dashboards}
    for dashboard in dashboards:
        for link in dashboard.json.get("links", []):
            if not (link.get("keepTime") and link.get("includeVars")):
                yield Finding(dashboard.name, f"link {link['title']}", "must keep time and variables")
        for place, url, labels in _links(dashboard):
            match = LINK.fullmatch(url)
            if not url.startswith(PORTALS) and (not match or match[1] not in uids):
                yield Finding(dashboard.name, place, f"leads nowhere: {url}")
            for name in re.findall(r"[?&]var-(\w+)=", url):
                if name not in dashboard.variables:
                    yield Finding(
                        dashboard.name, place, f"sets the variable {name}, which is not there: {url}"
                    )
            for variable in model.VARIABLE.finditer(FIELD.sub("", url)):
                name = variable[1] or variable[2]
                if name not in dashboard.variables and name not in LINK_VARIABLES:
                    yield Finding(dashboard.name, place, f"names ${name}, which is not a variable: {url}")
            for field in FIELD.findall(url):
                if field not in labels:
                    yield Finding(
                        dashboard.name, place, f"needs the field {field}, which no query returns: {url}"
                    )


def _links(dashboard):
    for link in dashboard.json.get("links", []):
        yield f"link {link['title']}", link["url"], ()
    for panel in dashboard.charts:
        labels = set(re.findall(r"\w+", " ".join(target["expr"] for target in panel.get("targets", []))))
        config = panel["fieldConfig"]
        parts = [config["defaults"].get("links", [])]
        for override in config["overrides"]:
            parts += [each["value"] for each in override["properties"] if each["id"] == "links"]
        for link in (link for part in [panel.get("links", []), *parts] for link in part):
            yield panel["title"], link["url"], labels


@rule("recorded-series-are-chosen")
def recorded_series_are_chosen(dashboards):
    """Recorded series, which have neither job nor instance, are limited to the ids of the chosen tenants; and these
    are chosen by all variables."""
    for dashboard in dashboards:
        for panel, target in dashboard.targets:
            for selector, _ in model.selectors(target["expr"]):
                if ":" in selector.name and CHOSEN not in model.choices(selector):
                    message = f'needs {CHOSEN[0]}=~"{CHOSEN[1]}" in {selector}'
                    yield Finding(dashboard.name, panel["title"], message)
        query = model.variable_expression(dashboard.variables.get("chosen", {})) or ""
        chosen = [above for each, above in model.selectors(query) if CHOICES <= model.choices(each)]
        if not chosen:
            yield Finding(
                dashboard.name, "variable chosen", f"must be limited by {TENANTS} with all four variables: {query}"
            )
        if not all(_chooses_own_label(above) for above in chosen):
            yield Finding(
                dashboard.name, "variable chosen", f"must be limited by $own_label and $own_value: {query}"
            )


def _chooses_own_label(above):
    """Whether the functions above a selector read the chosen label, and compare it with the chosen values. Nobody knows
    the names of own labels in advance, so that no selector can name them."""
    calls = [node for node in above if isinstance(node, promql_parser.Call)]
    last = {(call.func.name, str(call.args[-1])) for call in calls}
    return {("label_join", '"$own_label"'), ("label_replace", '"$own_value"')} <= last


@rule("totals-count-once")
def totals_count_once(dashboards):
    """A recorded total of all tenants is an alternative to the series of each tenant, which are left out while all are
    chosen: no tenant counts twice."""
    for dashboard in dashboards:
        for place, expression in dashboard.expressions:
            for selector, above in model.selectors(expression):
                if not selector.name.startswith("fleet_"):
                    continue
                either = above[-1] if above else None
                is_left = isinstance(either, promql_parser.BinaryExpr) and str(either.lhs) == str(selector)
                if not (is_left and str(either.op) == "or" and _is_for_some_tenants(either.rhs)):
                    message = f'needs `or` and series with {CHOSEN[0]}=~"{CHOSEN[1]}", job!~"{CHOSEN[1]}": {selector}'
                    yield Finding(dashboard.name, place, message)


def _is_for_some_tenants(node):
    """Whether all its series are left out while all tenants are chosen."""
    excluded = [
        any(
            (each.name, each.value, each.op) == ("job", CHOSEN[1], promql_parser.MatchOp.NotRe)
            for each in selector.matchers.matchers
        )
        and CHOSEN in model.choices(selector)
        for selector, _ in model.selectors(str(node))
    ]
    return bool(excluded) and all(excluded)


@rule("same-colours")
def same_colours(dashboards):
    """What has a name and a fixed colour in one panel has the same in all."""
    colors = {}
    for dashboard in dashboards:
        for panel in dashboard.charts:
            for override in panel["fieldConfig"]["overrides"]:
                values = {each["id"]: each["value"] for each in override["properties"]}
                if "displayName" not in values or "color" not in values:
                    continue
                name, color = values["displayName"], values["color"]["fixedColor"]
                if colors.setdefault(name, color) != color:
                    message = f"shows “{name}” in {color}, which is {colors[name]} elsewhere"
                    yield Finding(dashboard.name, panel["title"], message)
