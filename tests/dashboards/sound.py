"""A small dashboard that breaks no rule, for tests to break it in one way each."""

import copy
import json

from model import Dashboard

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TENANTS = (
    'avepoint_tenant_info{job=~"$job", instance=~"$instance", customer_id=~"$customer", m365_tenant_id=~"$tenant"}'
)
# Those of them that have the chosen own label.
LABELLED = (
    f'label_replace(label_join({TENANTS}, "own_label", "", "$own_label"),'
    ' "is_chosen", "yes", "own_label", "$own_value")'
    ' and on (is_chosen) label_replace(vector(1), "is_chosen", "yes", "", "")'
)
CHOSEN = 'sum(tenant:avepoint_security_users:max{m365_tenant_id=~"${chosen:pipe}"})'
TOTAL = (
    'sum(fleet_status:avepoint_exposed_users:sum{m365_tenant_id=~"${chosen:pipe}"}'
    ' or tenant_status:avepoint_exposed_users:max{m365_tenant_id=~"${chosen:pipe}", job!~"${chosen:pipe}"})'
)
RATE = 'sum(rate(avepoint_api_requests_total{job=~"$job", instance=~"$instance"}[$__rate_interval]))'


def variable(name, query):
    """A variable that is a query."""
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
    }


def panel(number, kind, expression, x, y):
    """A panel with one query."""
    link = {"title": "Tenant", "url": "/d/sound?${job:queryparam}&var-tenant=${__data.fields.m365_tenant_id}"}
    color = {"mode": "fixed", "fixedColor": "red"}
    return {
        "id": number,
        "type": kind,
        "title": f"Panel {number}",
        "description": "What it shows.",
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": 12, "h": 4},
        "options": {"any": True},
        "fieldConfig": {
            "defaults": {"unit": "short", "noValue": "nothing"},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": "a"},
                    "properties": [
                        {"id": "displayName", "value": "A"},
                        {"id": "color", "value": color},
                        {"id": "unit", "value": "s"},
                        {"id": "links", "value": [link] if "m365_tenant_id" in expression else []},
                    ],
                }
            ],
        },
        "targets": [{"refId": "A", "expr": expression, "legendFormat": "all", "datasource": DATASOURCE}],
    }


def row(number, y, panels):
    """A heading; collapsed if it holds panels."""
    box = {"x": 0, "y": y, "w": 24, "h": 1}
    return {
        "id": number,
        "type": "row",
        "title": f"Row {number}",
        "collapsed": bool(panels),
        "panels": panels,
        "gridPos": box,
    }


SOUND = {
    "uid": "sound",
    "title": "Sound",
    "description": "All is well.",
    "tags": ["avepoint"],
    "schemaVersion": 42,
    "editable": False,
    "links": [{"title": "Sound", "url": "/d/sound", "keepTime": True, "includeVars": True}],
    "annotations": {"list": [{"name": "Up", "expr": 'avepoint_up{job=~"$job"}'}]},
    "templating": {
        "list": [
            {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
            variable("job", "label_values(avepoint_tenant_info, job)"),
            variable("instance", 'label_values(avepoint_tenant_info{job=~"$job"}, instance)'),
            variable("own_label", "query_result(group without (job) (avepoint_tenant_info))"),
            variable("own_value", 'query_result(label_join(avepoint_tenant_info, "own_label", "", "$own_label"))'),
            variable("customer", "query_result(max by (customer_id) (avepoint_tenant_info))"),
            variable("tenant", "query_result(max by (m365_tenant_id) (avepoint_tenant_info))"),
            variable("chosen", f"query_result({LABELLED})"),
        ]
    },
    "panels": [
        row(1, 0, []),
        panel(2, "stat", CHOSEN, 0, 1),
        panel(3, "timeseries", RATE, 12, 1),
        row(4, 5, [panel(5, "table", CHOSEN, 0, 6), panel(6, "table", TOTAL, 12, 6)]),
    ],
}


def dashboards(change=None):
    """The sound dashboard as read from its file, after a change."""
    changed = copy.deepcopy(SOUND)
    if change:
        change(changed)
    return [Dashboard("sound.json", json.dumps(changed, indent=2, ensure_ascii=False) + "\n")]
