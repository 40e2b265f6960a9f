"""Each rule finds what breaks it, in a dashboard that breaks no other one, and nothing in a sound one."""

import copy
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import exceptions
import form  # noqa: F401, registers its rules
import linter  # noqa: F401, registers its rules
import promtool
import sound
from model import Dashboard
from rules import RULES, Finding

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "dashboards"


def variables(dashboard):
    return {each["name"]: each for each in dashboard["templating"]["list"]}


def chart(dashboard):
    return dashboard["panels"][2]


def override(dashboard, name):
    return next(
        each for each in chart(dashboard)["fieldConfig"]["overrides"][0]["properties"] if each["id"] == name
    )


def ask(expression):
    """A change of what a panel asks."""
    return lambda dashboard: chart(dashboard)["targets"][0].update(expr=expression)


def choose(expression):
    """A change of how the chosen tenants are found."""
    return lambda dashboard: variables(dashboard)["chosen"]["query"].update(query=f"query_result({expression})")


# The matchers that each selector needs.
CHOSEN = '{job=~"$job", instance=~"$instance"}'


# By rule, the changes of the sound dashboard that break it.
BREAK = {
    "template-datasource-rule": [
        lambda d: d["templating"]["list"].pop(0),
        lambda d: variables(d)["datasource"].update(name="prometheus"),
        lambda d: variables(d)["datasource"].update(label="Datasource"),
    ],
    "template-job-rule": [
        lambda d: d["templating"]["list"].remove(variables(d)["job"]),
        lambda d: variables(d)["job"].update(label="job"),
        lambda d: variables(d)["job"].update(multi=False),
        lambda d: variables(d)["job"].update(includeAll=False),
        lambda d: variables(d)["job"].update(allValue=".*"),
        lambda d: variables(d)["job"].update(datasource={"uid": "mine"}),
    ],
    "template-instance-rule": [
        lambda d: d["templating"]["list"].remove(variables(d)["instance"]),
        lambda d: variables(d)["instance"].update(type="custom"),
    ],
    "template-label-promql-rule": [
        lambda d: variables(d)["job"]["query"].update(query="label_values(up{, job)"),
        lambda d: variables(d)["job"]["query"].update(query="values(up, job)"),
    ],
    "template-on-time-change-reload-rule": [lambda d: variables(d)["tenant"].update(refresh=1)],
    "panel-datasource-rule": [
        lambda d: chart(d).update(datasource={"uid": "mine"}),
        lambda d: chart(d)["targets"][0].pop("datasource"),
        lambda d: d["panels"][3]["panels"][0].pop("datasource"),
    ],
    "panel-title-description-rule": [
        lambda d: chart(d).update(title=""),
        lambda d: chart(d).pop("description"),
    ],
    "panel-units-rule": [
        lambda d: chart(d)["fieldConfig"]["defaults"].pop("unit"),
        lambda d: chart(d)["fieldConfig"]["defaults"].update(unit="users"),
        lambda d: override(d, "unit").update(value="seconds"),
    ],
    "panel-no-targets-rule": [lambda d: chart(d).update(targets=[])],
    "target-promql-rule": [
        ask("sum("),
        # What promtool knows and the other parser lets pass.
        ask(f"rate(avepoint_tenants_total{CHOSEN}[$__rate_interval] offset 1)"),
        lambda d: d["annotations"]["list"][0].update(expr='up{job=~"$job"'),
    ],
    "target-rate-interval-rule": [
        ask(f"sum(rate(avepoint_api_requests_total{CHOSEN}[5m]))"),
        ask(f"sum(irate(avepoint_api_requests_total{CHOSEN}[$__interval]))"),
    ],
    "target-job-rule": [
        ask('avepoint_tenants{instance=~"$instance"}'),
        ask('avepoint_tenants{job="$job", instance=~"$instance"}'),
        ask(f'avepoint_tenants{CHOSEN} / on (job) up{{instance=~"$instance"}}'),
    ],
    "target-instance-rule": [ask('avepoint_tenants{job=~"$job"}')],
    "target-counter-agg-rule": [
        ask(f"sum(avepoint_api_requests_total{CHOSEN})"),
        ask(f"max_over_time(avepoint_api_requests_total{CHOSEN}[1h])"),
        ask(f"rate((avepoint_api_requests_total{CHOSEN})[1h:1m])"),
    ],
    "target-histogram-rule": [ask(f"sum by (le) (rate(avepoint_seconds_bucket{CHOSEN}[$__rate_interval]))")],
    "uneditable-dashboard-rule": [lambda d: d.update(editable=True), lambda d: d.pop("editable")],
    "file-form": [
        lambda d: d.update(id=7),
        lambda d: d.update(uid="other"),
        lambda d: d.update(title=""),
        lambda d: d.update(tags=[]),
        lambda d: d.update(schemaVersion=38),
    ],
    "panel-ids": [
        lambda d: chart(d).update(id=2),
        lambda d: chart(d).pop("id"),
        lambda d: d["panels"][3]["panels"][0].update(id=2),
        lambda d: chart(d)["targets"].append(copy.deepcopy(chart(d)["targets"][0])),
        lambda d: chart(d)["targets"][0].update(refId=""),
    ],
    "panel-places": [
        lambda d: chart(d)["gridPos"].update(x=13),
        lambda d: chart(d)["gridPos"].update(x=11),
        lambda d: chart(d)["gridPos"].update(y=0),
        lambda d: d["panels"][3]["panels"][0]["gridPos"].update(y=5),
    ],
    "panel-types": [lambda d: chart(d).update(type="heatmap"), lambda d: chart(d).pop("options")],
    "panel-legends": [
        lambda d: chart(d)["targets"][0].update(legendFormat="__auto"),
        lambda d: chart(d)["targets"][0].pop("legendFormat"),
        lambda d: d["panels"][1]["fieldConfig"]["defaults"].pop("noValue"),
    ],
    "rows-collapsed": [
        lambda d: d["panels"][0].update(collapsed=True),
        lambda d: d["panels"][3].update(collapsed=False),
    ],
    "variables-exist": [
        ask('avepoint_tenants{job=~"$job", instance=~"$instance", state="$state"}'),
        lambda d: d["annotations"]["list"][0].update(expr='up{job=~"${jobs:regex}"}'),
        lambda d: d["templating"]["list"].append(sound.variable("idle", "label_values(up, idle)")),
    ],
    "links-lead-somewhere": [
        lambda d: d["links"][0].update(url="/d/nowhere"),
        lambda d: d["links"][0].update(url="https://example.com"),
        lambda d: d["links"][0].update(keepTime=False),
        lambda d: d["links"][0].update(includeVars=False),
        lambda d: override(d, "links").update(value=[{"url": "/d/sound?var-nobody=1"}]),
        lambda d: override(d, "links").update(value=[{"url": "/d/sound?${nobody:queryparam}"}]),
        lambda d: override(d, "links").update(
            value=[{"url": "/d/sound?var-tenant=${__data.fields.m365_tenant_id}"}]
        ),
    ],
    "recorded-series-are-chosen": [
        ask("sum(tenant:avepoint_security_users:max)"),
        ask(sound.CHOSEN.replace("=~", "!~")),
        choose(sound.LABELLED.replace(', customer_id=~"$customer"', "")),
        choose(sound.TENANTS),
        choose(sound.LABELLED.replace("$own_value", ".*")),
        choose(sound.LABELLED.replace("$own_label", "sla")),
        choose(f"{sound.LABELLED} or {sound.TENANTS}"),
    ],
    "totals-count-once": [
        ask('sum(fleet_status:avepoint_exposed_users:sum{m365_tenant_id=~"${chosen:pipe}"})'),
        ask(sound.TOTAL.replace(', job!~"${chosen:pipe}"', "")),
        ask(sound.TOTAL.replace("job!~", "job=~")),
        ask(sound.TOTAL.replace(" or ", " + ")),
        ask(sound.TOTAL.replace(" or ", " or vector(0) or ")),
    ],
    "same-colours": [lambda d: override(d, "color")["value"].update(fixedColor="blue")],
}

# Rules that look at several dashboards.
TOGETHER = {"same-variables"}

# A change may break a second rule where there is no way to break the first alone.
ALSO = {
    "template-datasource-rule": {"variables-exist"},
    "file-form": {"links-lead-somewhere"},
    "template-job-rule": {"variables-exist", "links-lead-somewhere"},
    "template-instance-rule": {"variables-exist"},
    "recorded-series-are-chosen": {"variables-exist"},
    "template-label-promql-rule": {"target-promql-rule"},
}


def broken(dashboards):
    """The names of the rules that are broken, exceptions considered."""
    findings = [finding for check in RULES.values() for finding in check(dashboards)]
    left, _ = exceptions.apply(findings, exceptions.EXCEPTIONS)
    return {finding.rule for finding in left}


class Rules(unittest.TestCase):
    def test_a_sound_dashboard_breaks_no_rule(self):
        self.assertEqual(broken(sound.dashboards()), set())

    def test_each_rule_has_a_change_that_breaks_it(self):
        self.assertEqual(set(RULES), set(BREAK) | TOGETHER)

    def test_a_change_breaks_its_rule_and_no_other(self):
        for name, changes in BREAK.items():
            for index, change in enumerate(changes):
                with self.subTest(rule=name, change=index):
                    # Prometheus' own parser is asked only where it is to say something: it takes its time.
                    asked = promtool.check if name == "target-promql-rule" else lambda _: ""
                    with mock.patch("promtool.check", asked):
                        found = broken(sound.dashboards(change))
                    self.assertIn(name, found)
                    self.assertEqual(found - ALSO.get(name, set()), {name})

    def test_a_file_that_is_not_formatted_is_found(self):
        text = sound.dashboards()[0].text
        for other in (text.rstrip(), json.dumps(sound.SOUND)):
            self.assertEqual(broken([Dashboard("sound.json", other)]), {"file-form"})

    def test_variables_that_differ_between_dashboards_are_found(self):
        first = sound.dashboards()
        same = RULES["same-variables"]
        self.assertEqual(same(first + sound.dashboards()), [])
        other = sound.dashboards(lambda d: d["templating"]["list"].reverse())
        self.assertEqual([finding.rule for finding in same(first + other)], ["same-variables"])


class Exceptions(unittest.TestCase):
    def setUp(self):
        self.excuse = exceptions.Excuse("a-rule", "tenant:.*", "reason")

    def test_an_exception_excuses_its_rule_and_subject_only(self):
        mine = Finding("d", "p", "m", "tenant:a", "a-rule")
        others = [Finding("d", "p", "m", "up", "a-rule"), Finding("d", "p", "m", "tenant:a", "b-rule")]
        self.assertEqual(exceptions.apply([mine, *others], [self.excuse]), (others, []))

    def test_an_exception_that_excuses_nothing_is_told(self):
        self.assertEqual(exceptions.apply([], [self.excuse]), ([], [self.excuse]))

    def test_each_exception_has_a_reason_and_a_rule(self):
        for each in exceptions.EXCEPTIONS:
            self.assertIn(each.rule, RULES)
            self.assertTrue(each.reason)


class Choices(unittest.TestCase):
    """What real queries answer, by what the reader chose, from Prometheus itself with our recording rules."""

    # Id, own labels, users at high risk.
    TENANTS = (("a", 'sla="gold"', 1), ("b", 'sla="silver", region="north"', 2))

    def answers(self, expected):
        """Fails unless each query, filled in, has these values with these labels after half an hour."""
        series = []
        for tenant, own, users in self.TENANTS:
            labels = f'job="j", instance="i", m365_tenant_id="{tenant}"'
            for name, values in (
                (f'avepoint_tenant_info{{{labels}, {own}}}', "1x40"),
                (f'avepoint_security_users_by_status{{{labels}, status="high_risk"}}', f"{users}x40"),
                (f'avepoint_collector_polls_total{{{labels}, collector="directory"}}', f"0+{users}x40"),
            ):
                series.append({"series": name, "values": values})
        queries = [
            {
                "expr": query,
                "eval_time": "30m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in found.items()],
            }
            for query, found in expected
        ]
        test = {"interval": "1m", "input_series": series, "promql_expr_test": queries}
        text = json.dumps({"rule_files": [str(ROOT / "rules/avepoint-recording.yml")], "tests": [test]})
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            done = subprocess.run(
                ["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False
            )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_totals_are_of_the_chosen_tenants(self):
        of_risk = panel_query("avepoint-fleet", "Users at high risk")
        of_polls = panel_query("avepoint-exporter", "Polls per minute")
        self.answers(
            [
                (filled(query, **{"{chosen:pipe}": chosen}), {labels: value} if value else {})
                for query, labels in ((of_risk, "{}"), (of_polls, '{collector="directory"}'))
                for chosen, value in ((".*", 3), ("a", 1), ("b", 2), ("a|b", 3), ("", 0))
            ]
        )

    def test_own_labels_choose_tenants(self):
        query = variables(json.loads((DASHBOARDS / "avepoint-fleet.json").read_text()))["chosen"]["query"]["query"]
        query = query.removeprefix("query_result(").removesuffix(")")
        self.answers(
            [
                (
                    filled(query, own_label=label, own_value=value, tenant=tenant),
                    {f'{{m365_tenant_id="{each}"}}': 1 for each in chosen},
                )
                for label, value, tenant, chosen in (
                    ("none", ".*", ".*", [".*"]),
                    ("none", "not set", ".*", [".*"]),
                    ("none", ".*", "b", ["b"]),
                    ("sla", ".*", ".*", [".*"]),
                    ("sla", "gold", ".*", ["a"]),
                    ("sla", "(gold|silver)", "b", ["b"]),
                    ("sla", "bronze", ".*", []),
                    ("region", "north", ".*", ["b"]),
                    ("region", "not set", ".*", ["a"]),
                    ("team", "blue", ".*", []),
                )
            ]
        )


def panel_query(dashboard, title):
    """The first query of a panel."""
    found = Dashboard(dashboard, (DASHBOARDS / f"{dashboard}.json").read_text())
    return next(target["expr"] for panel, target in found.targets if panel["title"] == title)


def filled(query, **values):
    """The query with values for its variables; all for those that are not given."""
    of_all = {"job": ".+", "instance": ".+", "customer": ".*", "__rate_interval": "20m"}
    for name, value in (values | of_all).items():
        query = query.replace(f"${name}", value)
    return query


class Names(unittest.TestCase):
    def expressions(self, name):
        """The regular expression of a variable in each dashboard."""
        for file in sorted(DASHBOARDS.glob("*.json")):
            regex = variables(json.loads(file.read_text()))[name]["regex"]
            yield regex.removeprefix("/").removesuffix("g").removesuffix("/").replace("(?<", "(?P<")

    def test_own_labels_are_found_by_name_and_value(self):
        """Grafana separates labels by a comma alone."""
        for regex in self.expressions("own_label"):
            for found, names in (
                ('{psa_id="7",sla="gold, fast"} 1 2', ["psa_id", "sla"]),
                ('{none="yes"} 1 2', ["none"]),
                ("{} 1 2", []),
            ):
                self.assertEqual(re.findall(regex, found), names)
        for regex in self.expressions("own_value"):
            for found, values in (
                ('{own_label="the "best" one"} 1 2', ['the "best" one']),
                ("{} 1 2", []),
            ):
                self.assertEqual(re.findall(regex, found), values)

    def test_a_name_with_quotation_marks_is_whole_in_the_picker(self):
        """Grafana writes labels without escaping quotation marks."""
        found = '{customer_name="Acme "North" GmbH", customer_id="1"} 1 2'
        for regex in self.expressions("customer"):
            names = [each.group("text") or each.group("value") for each in re.finditer(regex, found)]
            self.assertEqual(names, ['Acme "North" GmbH', "1"])


if __name__ == "__main__":
    unittest.main()
