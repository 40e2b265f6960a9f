"""How everything looks: colours that mean one thing everywhere, and the defaults of each type of panel."""

from grafana_foundation_sdk.builders import bargauge as bargauge_builders
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from queries import TENANT

# Figures of tenants change every five minutes, so that a smaller step costs more and shows the same.
FIGURES_STEP = "5m"

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

# What is counted, by the label's value: its name and the colour it has everywhere.
STATUSES = {
    "high_risk": ("High risk", "red"),
    "medium_risk": ("Medium risk", "orange"),
    "mfa_disabled": ("No per-user MFA", "yellow"),
    "password_expired": ("Password expired", "purple"),
    "sign_in_blocked": ("Sign-in blocked", "blue"),
    "compliance": ("Compliance", "light-purple"),
    "inactive": ("Inactive", "light-blue"),
    "pending_deletion": ("Pending deletion", "light-green"),
    "test_user": ("Test user", "#8e8e8e"),
}
# What the status mfa_disabled does not say, for panels that show it next to others.
ABOUT_MFA = (
    " “No per-user MFA” is the user's own setting in Entra ID. Where a policy enforces MFA, nearly every user"
    " has this finding."
)
COVERAGES = {"full": ("Full", "green"), "partial": ("Partial", "yellow"), "none": ("None", "red")}
MODULES = {"mailbox": ("Mailbox", "blue"), "onedrive": ("OneDrive", "purple")}
COLLECTORS = {
    "security_users": ("Security users", "orange"),
    "protected_users": ("Protected users", "green"),
    "directory": ("Directory", "blue"),
    "partner_center": ("Partner Center", "purple"),
}
APIS = {
    "elements": ("Elements", "blue"),
    "elements_identity": ("Elements identity", "light-blue"),
    "partner_center": ("Partner Center", "purple"),
    "microsoft_identity": ("Microsoft identity", "light-purple"),
}

# Thresholds: the colour from each value on, beginning without one.
PLAIN = [(None, "text")]
BAD_FROM_ONE = [(None, "green"), (1, "red")]
SERIOUS_FROM_ONE = [(None, "green"), (1, "orange")]
WORTH_A_LOOK_FROM_ONE = [(None, "green"), (1, "yellow")]
SHARE_PROTECTED = [(None, "red"), (0.8, "yellow"), (0.95, "green")]
SHARE_UP = [(None, "red"), (0.9, "yellow"), (1, "green")]
SHARE_USED = [(None, "green"), (0.8, "yellow"), (1, "red")]
WORKS = [(None, "red"), (1, "green")]
RISEN = [(None, "text"), (1, "orange"), (5, "red")]


def target(expression, legend, instant=False, table=False):
    """A query. Instant is what shows the present; a table is always of that."""
    query = (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .expr(expression)
        .editor_mode(QueryEditorMode.CODE)
        .legend_format(legend)
    )
    query = query.instant() if instant or table else query.range()
    if not (instant or table) and TENANT in expression:
        query = query.interval(FIGURES_STEP)
    return query.format(PromQueryFormat.TABLE if table else PromQueryFormat.TIME_SERIES)


def property_of(name, value):
    """One property of an override."""
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def thresholds(steps):
    """The thresholds as an override's value."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def value_names(names):
    """The texts, and colours, that values are shown as."""
    options = {}
    for index, (value, (text, color)) in enumerate(names.items()):
        options[value] = {"text": text, "index": index} | ({"color": color} if color else {})
    return [{"type": "value", "options": options}]


def name(panel, names):
    """Names the series of a panel whose legend is the label's value, and leaves the colours to thresholds."""
    for value, (text, _) in names.items():
        panel.override_by_name(value, [property_of("displayName", text)])
    return panel


def texts(names):
    """The names without their colours."""
    return {value: (text, None) for value, (text, _) in names.items()}


def paint(panel, names):
    """Names and colours the series of a panel whose legend is the label's value."""
    for value, (text, color) in names.items():
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(value, [property_of("displayName", text), property_of("color", fixed)])
    return panel


def fill(panel, title, description, unit, targets, size):
    """What all panels have."""
    panel.title(title).description(description).datasource(DATASOURCE).unit(unit)
    panel.span(size[0]).height(size[1])
    for query in targets:
        panel.with_target(query)
    return panel


def steps_of(steps):
    """The thresholds of a panel."""
    config = dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    return config.steps([dashboard.Threshold(value=value, color=color) for value, color in steps])


def fixed(color):
    """One colour."""
    return dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(color)


def by(mode):
    """A colour by thresholds or by a palette."""
    return dashboard_builders.FieldColor().mode(mode)


def last():
    """The newest value of each series."""
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def stat(
    title,
    description,
    expression,
    *,
    unit="locale",
    steps=PLAIN,
    color=None,
    values=None,
    missing="no figures",
    decimals=None,
    share=None,
    ratio=None,
    size=(6, 3),
):
    """One number, of now, so that what was withdrawn is not shown; beside it its share of a whole, which is a name and
    a query, of the whole or of the share itself."""
    panel = fill(
        stat_builders.Panel(),
        title,
        description,
        unit,
        # A name beside the share, and so short that the number has room.
        [target(expression, "now" if share or ratio else title, instant=True)],
        size,
    )
    if share:
        ratio = (share[0], f"{expression} / ({share[1]} > 0)")
    if ratio:
        whole, of_whole = ratio
        panel.with_target(target(of_whole, whole, instant=True))
        properties = [property_of("unit", "percentunit"), property_of("decimals", 1)]
        panel.override_by_name(whole, [*properties, property_of("color", {"mode": "fixed", "fixedColor": "text"})])
    panel.graph_mode(common.BigValueGraphMode.NONE)
    panel.color_mode(common.BigValueColorMode.VALUE).reduce_options(last()).no_value(missing)
    if color:
        panel.color_scheme(fixed(color))
    else:
        panel.color_scheme(by(dashboard.FieldColorModeId.THRESHOLDS))
    if decimals is not None:
        panel.decimals(decimals)
    if values:
        panel.mappings(values)
    return panel.thresholds(steps_of(steps))


# Per minute, since a tenant is polled once in some minutes.
POLLS = "opm"
# Units of which zero is drawn at the foot of the panel, and less than one not as tall as it.
_COUNTS = ("short", "reqps", POLLS)


def lines(
    title,
    description,
    targets,
    *,
    unit="short",
    steps=None,
    stacked=False,
    gaps=False,
    wide=False,
    size=(12, 8),
):
    """Lines over time, from zero on; stacked, they are areas. Gaps of up to an hour may be bridged.

    A wide range is drawn by powers of ten, so that the small ones can be told from zero.
    """
    panel = fill(timeseries_builders.Panel(), title, description, unit, targets, size)
    panel.color_scheme(by(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    panel.draw_style(common.GraphDrawStyle.LINE).line_width(1).fill_opacity(60 if stacked else 8)
    panel.show_points(common.VisibilityMode.AUTO).point_size(4).span_nulls(3600000 if gaps else False)
    panel.min(0)
    if unit in _COUNTS:
        panel.axis_soft_max(1)
    panel.stacking(
        common_builders.StackingConfig().mode(
            common.StackingMode.NORMAL if stacked else common.StackingMode.NONE
        )
    )
    panel.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    panel.tooltip(
        common_builders.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
    if steps:
        panel.thresholds(steps_of(steps))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return panel


def bars(
    title,
    description,
    targets,
    *,
    unit="locale",
    steps=PLAIN,
    most=None,
    missing="no figures",
    size=(8, 8),
):
    """One bar per series, as of now."""
    panel = fill(bargauge_builders.Panel(), title, description, unit, targets, size)
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.BASIC)
    panel.value_mode(common.BarGaugeValueMode.COLOR).show_unfilled(True).reduce_options(last())
    panel.name_placement(common.BarGaugeNamePlacement.LEFT).sizing(common.BarGaugeSizing.MANUAL)
    panel.min_viz_height(16).max_viz_height(32).min_viz_width(8)
    panel.text(common_builders.VizTextDisplayOptions().value_size(16))
    panel.color_scheme(by(dashboard.FieldColorModeId.THRESHOLDS)).thresholds(steps_of(steps))
    panel.min(0).no_value(missing)
    return panel.max(most) if most is not None else panel
