"""The rules of Grafana's dashboard linter, by its names for them, for dashboards that ask Prometheus.

Its rules on panels are kept for all types of panels here, while the linter looks at some. Its rules on LogQL
and on the second schema of dashboards have nothing to look at in these.
"""

import promql_parser

import model
import promtool
from rules import Finding, rule
from units import UNITS

DATASOURCE = "${datasource}"
RATES = ("rate", "irate")
RISES = ("rate", "irate", "increase")


@rule("template-datasource-rule")
def template_datasource(dashboards):
    """There is one variable for the data source, named and labelled as all dashboards have it."""
    for dashboard in dashboards:
        found = [each for each in dashboard.variables.values() if each["type"] == "datasource"]
        names = [(each["name"], each["query"], each.get("label")) for each in found]
        if names != [("datasource", "prometheus", "Data source")]:
            yield Finding(dashboard.name, "variables", f"the data source's variable is not as usual: {names}")


@rule("template-job-rule")
def template_job(dashboards):
    """There is a variable for the job."""
    yield from _template(dashboards, "job", "Job")


@rule("template-instance-rule")
def template_instance(dashboards):
    """There is a variable for the instance."""
    yield from _template(dashboards, "instance", "Instance")


def _template(dashboards, name, label):
    wanted = {"type": "query", "label": label, "multi": True, "includeAll": True, "allValue": ".+"}
    for dashboard in dashboards:
        variable = dashboard.variables.get(name)
        place = f"variable {name}"
        if variable is None:
            yield Finding(dashboard.name, place, "is missing")
            continue
        if variable.get("datasource", {}).get("uid") != DATASOURCE:
            yield Finding(dashboard.name, place, f"does not use the data source {DATASOURCE}")
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield Finding(dashboard.name, place, f"has {key} {variable.get(key)!r} and needs {value!r}")


@rule("template-label-promql-rule")
def template_label_promql(dashboards):
    """Each variable's query is label_values(…) or query_result(…) of valid PromQL."""
    for dashboard in dashboards:
        for name, variable in dashboard.variables.items():
            if variable["type"] != "query":
                continue
            expression = model.variable_expression(variable)
            if expression is None or model.parsed(expression) is None:
                yield Finding(
                    dashboard.name, f"variable {name}", f"has an invalid query: {variable['query']}"
                )


@rule("template-on-time-change-reload-rule")
def template_on_time_change_reload(dashboards):
    """Variables are read again when the time changes."""
    for dashboard in dashboards:
        for name, variable in dashboard.variables.items():
            if variable["type"] == "query" and variable.get("refresh") != 2:
                yield Finding(
                    dashboard.name, f"variable {name}", f"needs refresh 2, has {variable.get('refresh')}"
                )


@rule("panel-datasource-rule")
def panel_datasource(dashboards):
    """Each panel, and each of its targets, uses the data source that the reader chose."""
    for dashboard in dashboards:
        for panel in dashboard.charts:
            for part in (panel, *panel.get("targets", [])):
                if part.get("datasource", {}).get("uid") != DATASOURCE:
                    message = f"needs the data source {DATASOURCE} on itself and on each target"
                    yield Finding(dashboard.name, panel["title"], message)


@rule("panel-title-description-rule")
def panel_title_description(dashboards):
    """Each panel has a title and a description."""
    for dashboard in dashboards:
        for panel in dashboard.charts:
            for key in ("title", "description"):
                if not panel.get(key):
                    yield Finding(dashboard.name, f"panel {panel.get('id')}", f"needs a {key}")


@rule("panel-units-rule")
def panel_units(dashboards):
    """Each panel has a unit, and each unit, those of columns too, is one that Grafana knows."""
    for dashboard in dashboards:
        for panel in dashboard.charts:
            config = panel["fieldConfig"]
            units = [config["defaults"].get("unit")]
            for override in config["overrides"]:
                units += [each["value"] for each in override["properties"] if each["id"] == "unit"]
            for unit in units:
                if unit not in UNITS:
                    yield Finding(dashboard.name, panel["title"], f"has no or an unknown unit: {unit!r}")


@rule("panel-no-targets-rule")
def panel_no_targets(dashboards):
    """Each panel asks something."""
    for dashboard in dashboards:
        for panel in dashboard.charts:
            if not panel.get("targets"):
                yield Finding(dashboard.name, panel["title"], "has no target")


@rule("target-promql-rule")
def target_promql(dashboards):
    """Each query is valid PromQL: Prometheus' own tool says so of all of them, in one call."""
    invalid = False
    for dashboard in dashboards:
        for place, expression in dashboard.expressions:
            if model.parsed(expression) is None:
                invalid = True
                yield Finding(dashboard.name, place, f"is not PromQL: {expression}")
    said = promtool.check(dashboards)
    if said and not invalid:
        yield Finding("all dashboards", "queries", f"promtool says: {said}")


@rule("target-rate-interval-rule")
def target_rate_interval(dashboards):
    """Rates are over $__rate_interval."""
    wanted = promql_parser.parse_duration(model.RATE_INTERVAL)
    for dashboard, panel, target in _targets(dashboards):
        for node, above in model.nodes(target["expr"]):
            if not isinstance(node, promql_parser.MatrixSelector) or node.range == wanted:
                continue
            if above and isinstance(above[-1], promql_parser.Call) and above[-1].func.name in RATES:
                message = f"needs $__rate_interval: {target['expr']}"
                yield Finding(dashboard.name, panel["title"], message, node.vector_selector.name)


@rule("target-job-rule")
def target_job(dashboards):
    """Each selector is limited to the jobs that the reader chose."""
    yield from _required_matcher(dashboards, "job")


@rule("target-instance-rule")
def target_instance(dashboards):
    """Each selector is limited to the instances that the reader chose."""
    yield from _required_matcher(dashboards, "instance")


def _required_matcher(dashboards, name):
    wanted = (name, f"${name}")
    for dashboard, panel, target in _targets(dashboards):
        for selector, _ in model.selectors(target["expr"]):
            if wanted not in model.choices(selector):
                message = f'needs {name}=~"${name}" in {selector}'
                yield Finding(dashboard.name, panel["title"], message, selector.name)


@rule("target-counter-agg-rule")
def target_counter_agg(dashboards):
    """A counter is shown as what it rises by."""
    for dashboard, panel, target in _targets(dashboards):
        for selector, above in model.selectors(target["expr"]):
            if not selector.name.endswith("_total"):
                continue
            ranged = len(above) > 1 and isinstance(above[-1], promql_parser.MatrixSelector)
            risen = ranged and isinstance(above[-2], promql_parser.Call) and above[-2].func.name in RISES
            if not risen:
                message = f"{selector.name} is a counter and needs rate, irate or increase"
                yield Finding(dashboard.name, panel["title"], message, selector.name)


@rule("target-histogram-rule")
def target_histogram(dashboards):
    """The buckets of a histogram are shown as its quantiles."""
    for dashboard, panel, target in _targets(dashboards):
        for selector, above in model.selectors(target["expr"]):
            calls = [node.func.name for node in above if isinstance(node, promql_parser.Call)]
            if selector.name.endswith("_bucket") and "histogram_quantile" not in calls:
                message = f"{selector.name} is a histogram and needs histogram_quantile"
                yield Finding(dashboard.name, panel["title"], message, selector.name)


@rule("uneditable-dashboard-rule")
def uneditable_dashboard(dashboards):
    """What is edited in Grafana is lost with the next version, so it says no."""
    for dashboard in dashboards:
        if dashboard.json.get("editable") is not False:
            yield Finding(dashboard.name, "dashboard", "needs `editable: false`")


def _targets(dashboards):
    for dashboard in dashboards:
        for panel, target in dashboard.targets:
            yield dashboard, panel, target
