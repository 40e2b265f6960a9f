"""The dashboards by name, and the ways between them."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

FLEET = ("avepoint-fleet", "AvePoint / Fleet")
TENANT = ("avepoint-tenant", "AvePoint / Tenant")
EXPORTER = ("avepoint-exporter", "AvePoint / Exporter")

# Where partners sign in to Elements of the commercial cloud. No address of a single customer or tenant is documented.
_ELEMENTS = "https://partner.avepointonlineservices.com/"

# What a link of a row keeps: where the data comes from, and the time.
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"


def to_tenant():
    """From a row of a table to its tenant."""
    return _row_link(TENANT, "Show this tenant", "tenant", "m365_tenant_id")


def to_customer():
    """From a row of a table to all tenants of its customer."""
    return _row_link(FLEET, "Show this customer", "customer", "customer_id")


def to_entra():
    """From a tenant's id to its Entra admin center, where users at risk are handled."""
    url = "https://entra.microsoft.com/${__data.fields.m365_tenant_id}"
    return {"title": "Open this tenant in Entra", "url": url, "targetBlank": True}


def to_elements():
    """To the portal of Elements, where backup jobs and users at risk are looked at."""
    return {"title": "Open AvePoint Elements", "url": _ELEMENTS, "targetBlank": True}


def _row_link(board, title, variable, field):
    return {"title": title, "url": f"/d/{board[0]}?{_KEPT}&var-{variable}=${{__data.fields.{field}}}"}


def beside(uid):
    """The links at the top of a dashboard: to the other two, with the time and the variables."""
    return [
        builders.DashboardLink(title.removeprefix("AvePoint / "))
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(f"{title}, with the same time and variables")
        .url(f"/d/{other}")
        .keep_time(True)
        .include_vars(True)
        for other, title in (FLEET, TENANT, EXPORTER)
        if other != uid
    ]
