"""Puts panels together into a dashboard, and writes it as Grafana keeps it."""

import json

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

import links
import variables

COLUMNS = 24


class Row:
    """A heading and the panels below it, which fill lines from left to right.

    A collapsed one is shut until the reader opens it.
    """

    def __init__(self, title, panels, collapsed=False):
        self.title = title
        self.panels = [panel.build() for panel in panels]
        self.collapsed = collapsed

    def place(self, y):
        """Gives heading and panels their places from `y` on; returns the first line below them."""
        self.position = dashboard.GridPos(h=1, w=COLUMNS, x=0, y=y)
        x, y, height = 0, y + 1, 0
        for panel in self.panels:
            box = panel.grid_pos
            if x + box.w > COLUMNS:
                x, y, height = 0, y + height, 0
            box.x, box.y = x, y
            x, height = x + box.w, max(height, box.h)
        return y + height


def build(name, description, time, rows, one_tenant=False):
    """The text of a dashboard's file."""
    uid, title = name
    builder = builders.Dashboard(title).uid(uid).description(description).tags(["avepoint"]).readonly()
    builder.time(time, "now").refresh("5m").timezone("browser").tooltip(
        dashboard.DashboardCursorSync.CROSSHAIR
    )
    builder.links(links.beside(uid)).variables(variables.variables(one_tenant)).annotations(variables.annotations())
    built = builder.build()

    built.panels, y, last = [], 0, 0
    for row in rows:
        below = row.place(y)
        for index, panel in enumerate(row.panels):
            panel.id_val = last + 2 + index
        heading = builders.Row(row.title).collapsed(row.collapsed).id(last + 1).grid_pos(row.position).build()
        heading.panels = row.panels if row.collapsed else []
        built.panels += [heading, *([] if row.collapsed else row.panels)]
        last += 1 + len(row.panels)
        # Below a collapsed row there is nothing until it is opened.
        y = row.position.y + 1 if row.collapsed else below
    return _text(json.loads(json.dumps(built, cls=JSONEncoder)))


def _text(built):
    """The JSON without what the SDK writes and Grafana stumbles over, and with what Grafana would add."""
    built = _without_nothing(built)
    built.setdefault("annotations", {})["list"].insert(0, _OWN_ANNOTATIONS)
    for link in built["links"]:
        del link["placement"]
    for annotation in built["annotations"]["list"]:
        annotation.pop("placement", None)
    for variable in built["templating"]["list"]:
        for key in ("auto", "auto_min", "auto_count"):
            variable.pop(key, None)
        # A link carries choices; a hidden variable follows from them.
        variable["skipUrlSync"] = variable.get("hide") == 2
    for panel in panels(built):
        panel.pop("repeatDirection", None)
        # Tables of Grafana 13 have it elsewhere, and none is what all versions begin with.
        panel.get("options", {}).pop("footer", None)
        for target, letter in zip(panel.get("targets", []), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            target["refId"] = letter
    return json.dumps(built, indent=2, ensure_ascii=False) + "\n"


# Grafana adds this one to each dashboard; here already, it is not a change to it.
_OWN_ANNOTATIONS = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def panels(built):
    """All panels, those in collapsed rows too."""
    for panel in built["panels"]:
        yield panel
        yield from panel.get("panels", [])


def _without_nothing(value):
    """Without fields that are null, except the `value` of a threshold's first step: Grafana wants that."""
    if isinstance(value, dict):
        kept = {key: _without_nothing(part) for key, part in value.items() if part is not None}
        if "color" in value and "value" in value and value["value"] is None:
            kept["value"] = None
        return kept
    if isinstance(value, list):
        return [_without_nothing(part) for part in value]
    return value
