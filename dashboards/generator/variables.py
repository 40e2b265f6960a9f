"""What all dashboards let the reader choose, and the events that they mark."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from look import DATASOURCE
from queries import EXPORTER, own, process


def variables():
    """The variables, each limited by those before it."""
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _query("job", "label_values(avepoint_exporter_build_info, job)", ".+"),
        _query("instance", 'label_values(avepoint_exporter_build_info{job=~"$job"}, instance)', ".+"),
        _names(
            "customer",
            f"query_result(max by (customer_name, customer_id) (avepoint_tenant_info{{{EXPORTER}}}))",
            'customer_name="(?<text>.+?)"(?=[,}])|customer_id="(?<value>[^"]+)',
        ),
        _names(
            "tenant",
            "query_result(max by (m365_tenant_name, m365_tenant_id) "
            f'(avepoint_tenant_info{{{EXPORTER}, customer_id=~"$customer"}}))',
            'm365_tenant_name="(?<text>.+?)"(?=[,}])|m365_tenant_id="(?<value>[^"]+)',
        ),
    ]


def _query(name, query, everything):
    everyone = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        builders.QueryVariable(name)
        .label(name.capitalize())
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"{name}-values"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(everyone)
    )


def _names(name, query, regex):
    """Names to choose from whose values are ids, so that a rename keeps links and history."""
    return _query(name, query, ".*").regex(f"/{regex}/g")


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
