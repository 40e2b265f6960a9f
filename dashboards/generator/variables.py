"""What all dashboards let the reader choose, and the events that they mark."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from look import DATASOURCE
from queries import EXPORTER, TENANTS, labelled, own, own_label, process

# The labels of a tenant that are not its operator's: the exporter's own, and those that a scrape adds.
_NOT_OWN = (
    "m365_tenant_id, m365_tenant_name, customer_id, customer_name, source,"
    " job, instance, pod, container, endpoint, namespace, service, node"
)
# The choice of no own label. No tenant has a label of this name.
_NO_LABEL = "none"


def variables(one_tenant):
    """The variables, each limited by those before it. Where the reader is to look at one tenant, the first one is
    chosen, and there is no choice of all."""
    tenants = own("avepoint_tenant_info")
    of_customers = own("avepoint_tenant_info", 'customer_id=~"$customer"')
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _query("job", "label_values(avepoint_exporter_build_info, job)", ".+"),
        _query("instance", 'label_values(avepoint_exporter_build_info{job=~"$job"}, instance)', ".+"),
        *_own_label(),
        _names(
            "customer",
            f"query_result(max by (customer_name, customer_id) {labelled(tenants)})",
            'customer_name="(?<text>.+?)"(?=[,}])|customer_id="(?<value>[^"]+)',
        ),
        _names(
            "tenant",
            f"query_result(max by (m365_tenant_name, m365_tenant_id) {labelled(of_customers)})",
            'm365_tenant_name="(?<text>.+?)"(?=[,}])|m365_tenant_id="(?<value>[^"]+)',
            has_all=not one_tenant,
        ),
        _chosen(),
    ]


def _own_label():
    """The name and the values of one of the labels that the operator gives tenants, or none of them."""
    tenants = own("avepoint_tenant_info")
    names = f'group without ({_NOT_OWN}) ({tenants}) or label_replace(vector(1), "{_NO_LABEL}", "yes", "", "")'
    values = f"group by (own_label) ({own_label(tenants)})"
    none = dashboard.VariableOption(selected=True, text=_NO_LABEL, value=_NO_LABEL)
    return [
        _query("own_label", f"query_result({names})", None)
        .label("Own label")
        .regex('/[{,]\\s*(\\w+)="/g')
        .multi(False)
        .include_all(False)
        .current(none),
        _query("own_value", f"query_result({values})", ".*")
        .label("Own label's value")
        .regex('/^\\{own_label="(.+)"\\} /'),
    ]


def _chosen():
    """What all others choose, as the regular expression for a tenant's id: `.*` for all tenants, nothing for none."""
    ids = f"group by (m365_tenant_id) {labelled(TENANTS)}"
    known = "group by (m365_tenant_id) (avepoint_tenant_info)"
    all_are = f"count({ids}) == count({known})"
    everything = 'label_replace(vector(1), "m365_tenant_id", ".*", "", "")'
    return (
        _query("chosen", f"query_result({everything} and on () ({all_are}) or on () {ids})", None)
        .regex('/m365_tenant_id="([^"]+)"/')
        .hide(dashboard.VariableHide.HIDE_VARIABLE)
    )


def _query(name, query, everything):
    everyone = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    builder = (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"{name}-values"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .current(everyone)
    )
    return builder if everything is None else builder.all_value(everything)


def _names(name, query, regex, has_all=True):
    """Names to choose from whose values are ids, so that a rename keeps links and history."""
    variable = _query(name, query, ".*" if has_all else None).regex(f"/{regex}/g")
    nothing = dashboard.VariableOption(text=[], value=[])
    return variable if has_all else variable.include_all(False).current(nothing)


def annotations():
    """When an exporter read its configuration again, and when it started."""
    reloaded = own("avepoint_exporter_config_last_reload_success_timestamp_seconds")
    return [
        _event("Reloads", "blue", f"{reloaded} * 1000", "{{instance}} has read its configuration"),
        _event(
            "Restarts",
            "orange",
            f"({process('process_start_time_seconds')}) * 1000",
            "{{instance}} has started",
        ),
    ]


def _event(name, color, expression, text):
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expression)
        .step("60s")
        .title_format(name)
        .text_format(text)
        .use_value_for_time(True)
    )
