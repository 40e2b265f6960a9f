"""Tables: queries side by side, rows merged by the labels that they share, and how each column looks."""

import string

from grafana_foundation_sdk.builders import table as builders
from grafana_foundation_sdk.models import common, dashboard

import links
import look
from queries import NEVER

# The labels that say whose row it is, and the columns they become; ids are there for links and not shown.
TENANT = {
    "customer_name": "Customer",
    "m365_tenant_name": "Tenant",
    "customer_id": None,
    "m365_tenant_id": None,
}


# For a column that holds `queries.staleness`.
NEVER_READ = [
    {
        "type": "range",
        "options": {"from": NEVER, "to": None, "result": {"text": "never read", "color": "red", "index": 0}},
    }
]


def table(title, description, values, *, labels=TENANT, sort=(), most=None, unit="locale", size=(24, 10)):
    """A table of labels and of values, each a name and a query of the present.

    It is sorted by the columns named, highest first, and ends after `most` rows.
    """
    targets = [look.target(expression, name, table=True) for name, expression in values]
    panel = look.fill(builders.Panel(), title, description, unit, targets, size)
    panel.show_header(True).cell_height(common.TableCellHeight.SM).no_value("")
    panel.color_scheme(look.by(dashboard.FieldColorModeId.THRESHOLDS)).thresholds(look.steps_of(look.PLAIN))

    fields = (
        ["Value"]
        if len(values) == 1
        else [f"Value #{letter}" for letter in string.ascii_uppercase[: len(values)]]
    )
    names = {label: name for label, name in labels.items() if name} | {
        field: name for field, (name, _) in zip(fields, values)
    }
    if len(values) > 1:
        transform(panel, "merge")
    order = [*labels, *fields]
    transform(
        panel,
        "organize",
        excludeByName={"Time": True},
        indexByName={field: index for index, field in enumerate(order)},
        renameByName=names,
    )
    # Sorting by one column keeps the order by another, so the first is sorted by last.
    for field in reversed(sort):
        transform(panel, "sortBy", fields={}, sort=[{"field": field, "desc": True}])
    if most:
        transform(panel, "limit", limitField=most)

    for label, name in labels.items():
        if not name:
            hide(panel, label)
    if labels.get("customer_name"):
        column(panel, "Customer", width=140, link=links.to_customer())
    if labels.get("m365_tenant_name"):
        column(panel, "Tenant", width=285, link=links.to_tenant())
    return panel


def matrix(title, description, expression, row, across, first, *, row_names, across_names, steps, size):
    """A table of one query: one label's values down, another's across, sorted by one of these columns."""
    panel = look.fill(
        builders.Panel(), title, description, "locale", [look.target(expression, title, table=True)], size
    )
    panel.show_header(True).cell_height(common.TableCellHeight.SM).no_value("0")
    panel.color_scheme(look.by(dashboard.FieldColorModeId.THRESHOLDS)).thresholds(look.steps_of(steps))
    panel.cell_options(common.TableColorTextCellOptions())
    transform(
        panel, "groupingToMatrix", rowField=row, columnField=across, valueField="Value", emptyValue="null"
    )
    transform(panel, "sortBy", fields={}, sort=[{"field": first, "desc": True}])
    corner = f"{row}\\{across}"
    names = look.value_names({value: (text, None) for value, (text, _) in row_names.items()})
    panel.override_by_name(
        corner,
        [
            look.property_of("displayName", row.capitalize()),
            look.property_of("mappings", names),
            look.property_of("custom.cellOptions", {"type": "auto"}),
            look.property_of("custom.width", 150),
        ],
    )
    for value, (text, _) in across_names.items():
        panel.override_by_name(value, [look.property_of("displayName", text)])
    return panel.width(100)


def drop(panel, *fields):
    """Leaves out fields of which only the row's labels matter."""
    for part in panel.build().transformations:
        if part.id_val == "organize":
            part.options["excludeByName"].update(dict.fromkeys(fields, True))


def transform(panel, name, **options):
    """Adds a transformation of the data."""
    return panel.with_transformation(dashboard.DataTransformerConfig(id_val=name, options=options))


def column(panel, name, *, unit=None, steps=None, values=None, width=None, link=None, gauge=False, most=None):
    """How one column looks: its unit, its thresholds or the texts of its values, and where it leads."""
    properties = []
    if unit:
        properties.append(look.property_of("unit", unit))
    if steps:
        properties.append(look.property_of("thresholds", look.thresholds(steps)))
    if values:
        properties.append(look.property_of("mappings", values))
    if gauge:
        cell = {"type": "gauge", "mode": "basic", "valueDisplayMode": "color"}
        properties.append(look.property_of("custom.cellOptions", cell))
        properties += [look.property_of("min", 0), look.property_of("max", most or 1)]
    elif steps or values:
        properties.append(look.property_of("custom.cellOptions", {"type": "color-text"}))
    if width:
        properties.append(look.property_of("custom.width", width))
    if link:
        properties.append(look.property_of("links", [link]))
    return panel.override_by_name(name, properties)


def hide(panel, name):
    """A column that links need and readers do not; the first property is for Grafana before 12."""
    everywhere = {"viz": True, "tooltip": True, "legend": True}
    properties = [look.property_of("custom.hidden", True), look.property_of("custom.hideFrom", everywhere)]
    return panel.override_by_name(name, properties)
