"""All tenants: how many users are at risk or not backed up, where it is worst, what rose, what fails."""

import board
import links
import look
import optional
import queries as q
import shared
import tables


def dashboard():
    """The file's text."""
    return board.build(
        links.FLEET,
        "AvePoint Elements for all tenants: users at risk, users without backup, users with both"
        " problems, the worst tenants, and whether the figures are fresh. Own labels filter tenants, but not"
        " the panels about customers. Needs the recording rules of avepoint-exporter.",
        "now-24h",
        [
            board.Row("Fleet", overview()),
            board.Row("Alerts and failed backups", [alerts(), failed_backups()]),
            board.Row("Trends", trends()),
            board.Row("Worst tenants", [worst_tenants()]),
            board.Row("Increases", [*risen(), week_against_week()]),
            board.Row(
                "Exposure and protection",
                [shared.exposure_matrix((10, 9)), shared.protected_share((6, 9)), least_protected()],
            ),
            board.Row("Failing and old figures", failing()),
            board.Row(
                "Missing from backup (disabled by default: set collectors: directory: enabled: true)",
                optional.missing(),
                collapsed=True,
            ),
            board.Row(
                "Discovery (disabled by default: set discovery: enabled: true)",
                optional.discovery(),
                collapsed=True,
            ),
        ],
    )


def overview():
    """The totals."""
    listing = "from AvePoint's listing of users at risk"
    of_listed = ("of listed users", q.total(q.SECURITY_USERS))
    return [
        look.stat(
            "Polled tenants",
            "Tenants that the selected exporters poll; a tenant of several exporters counts once.",
            f"count({q.once('avepoint_tenant_info')})",
            missing="no tenants",
        ),
        look.stat(
            "Users at high risk",
            f"Users at high risk according to Microsoft, {listing}. Investigate each of them.",
            q.total(q.HIGH_RISK),
            share=of_listed,
            color=look.STATUSES["high_risk"][1],
        ),
        look.stat(
            "Users at medium risk",
            f"Users at medium risk, {listing}. Watch the trend, and users who move to high risk.",
            q.total(q.MEDIUM_RISK),
            share=of_listed,
            color=look.STATUSES["medium_risk"][1],
        ),
        look.stat(
            "Users without per-user MFA",
            f"Users whose own MFA setting in Entra ID is off, {listing}. A policy that enforces MFA does not"
            " count: in a tenant with such a policy, this is nearly every user. A rise means new accounts"
            " or reset settings.",
            q.total(q.MFA_DISABLED),
            share=of_listed,
            color=look.STATUSES["mfa_disabled"][1],
        ),
        look.stat(
            "Users at high risk without full backup",
            "Users at high risk without full backup. Red from 1: if an attacker takes over the account,"
            " its data may be lost for good.",
            q.total(q.EXPOSED_HIGH_RISK),
            share=("of users at high risk", q.total(q.HIGH_RISK)),
            steps=look.BAD_FROM_ONE,
        ),
        look.stat(
            "Users without mailbox backup",
            "Users in AvePoint's backup listing with an unprotected mailbox.",
            q.total(q.UNPROTECTED_MAILBOXES),
            share=("of mailboxes", q.total(q.MAILBOXES)),
            steps=look.WORTH_A_LOOK_FROM_ONE,
        ),
        look.stat(
            "Collectors whose last poll failed",
            "Collectors whose last poll failed on every exporter of the tenant. Their figures stay until"
            " they are stale. The table at the bottom has the reasons.",
            f"sum(1 - {q.COLLECTOR_UP})",
            ratio=("of collectors", f"1 - avg({q.COLLECTOR_UP})"),
            steps=look.SERIOUS_FROM_ONE,
            missing="no polls yet",
        ),
        look.stat(
            "Collectors with withdrawn figures",
            "Collectors with stale figures (older than `stale_after`), or without any successful poll."
            " The totals here do not include these tenants.",
            f"sum(1 - {q.FRESH})",
            ratio=("of collectors", f"1 - avg({q.FRESH})"),
            steps=look.BAD_FROM_ONE,
            missing="no polls yet",
        ),
    ]


def alerts():
    """The alerts that fire, most serious first."""
    fires = 'alertname=~"AvePoint.+", alertstate="firing"'
    labels = "alertname, severity, customer_id, m365_tenant_id, instance"
    of_tenants = f"max by ({labels}) (ALERTS{{{fires}, {q.TENANT}, m365_tenant_id!=\"\"}})"
    others = f'max by ({labels}) (ALERTS{{{fires}, m365_tenant_id="", instance=~"|$instance"}})'
    named = f"{of_tenants} * on (m365_tenant_id) group_left (customer_name, m365_tenant_name) {q.NAMES}"
    panel = tables.table(
        "Firing alerts",
        "The alerts of the selected tenants, of whole customers and of the selected exporters that fire now.",
        [("Value", q.or_note(f"{named} or {others}", "alertname", ("vector(1)", "none")))],
        labels={
            "severity": "Severity",
            "alertname": "Alert",
            **tables.TENANT,
            "instance": "Exporter",
        },
        unit="none",
        size=(14, 9),
    )
    tables.drop(panel, "Value")
    tables.column(panel, "Alert", width=260)
    severities = {"critical": ("critical", "red"), "warning": ("warning", "orange")}
    return tables.column(panel, "Severity", values=look.value_names(severities), width=80)


def failed_backups():
    """The customers whose backup failed, by name."""
    statuses = 'status=~"failed|multiple_issues|finished_with_exception"'
    series = q.own("avepoint_customer_backup_status", f'{statuses}, customer_id=~"$customer"')
    failed = f"topk by (customer_id, status) (1, max by (customer_id, customer_name, status) ({series}) == 1)"
    panel = tables.table(
        "Customers whose backup failed",
        "Customers whose backup failed, has several issues or finished with an exception, from AvePoint's listing"
        " of customers (discovery). Click the status to open AvePoint Elements, and look at the customer's jobs there.",
        [
            (
                "Value",
                q.or_note(
                    failed,
                    "customer_name",
                    (f"max({q.own('avepoint_discovery_up')})", "none"),
                    ("vector(1)", "not known: discovery is disabled"),
                ),
            )
        ],
        labels={"customer_name": "Customer", "status": "Backup status", "customer_id": None},
        unit="none",
        size=(10, 9),
    )
    tables.drop(panel, "Value")
    names = {
        "failed": ("failed", "red"),
        "multiple_issues": ("multiple issues", "orange"),
        "finished_with_exception": ("finished with exception", "yellow"),
    }
    return tables.column(
        panel, "Backup status", values=look.value_names(names), width=170, link=links.to_elements()
    )


def trends():
    """The totals over time."""
    return [
        *shared.at_risk(),
        *shared.exposed(),
        shared.unprotected((12, 8)),
        shared.coverage((12, 8)),
    ]


def worst_tenants():
    """The tenants with the most exposed users."""
    panel = tables.table(
        "The 25 tenants with the most users at high risk without full backup",
        "The 25 tenants with the most exposed users at high risk, then with the most users at high risk."
        " “Protected” is the share of users with all modules protected. Click a name to open the tenant."
        + look.ABOUT_MFA,
        [
            ("Exposed high risk", q.named(q.EXPOSED_HIGH_RISK)),
            ("High risk", q.named(q.HIGH_RISK)),
            ("Medium risk", q.named(q.MEDIUM_RISK)),
            ("No per-user MFA", q.named(q.MFA_DISABLED)),
            ("Exposed, no per-user MFA", q.named(q.EXPOSED_MFA_DISABLED)),
            ("No mailbox backup", q.named(q.UNPROTECTED_MAILBOXES)),
            ("Protected", q.named(q.PROTECTED_SHARE_OF_ALL)),
        ],
        sort=("Exposed high risk", "High risk"),
        most=25,
        size=(24, 12),
    )
    tables.column(panel, "Exposed high risk", steps=look.BAD_FROM_ONE, width=132)
    tables.column(panel, "High risk", steps=look.SERIOUS_FROM_ONE, width=85)
    tables.column(panel, "Medium risk", width=102)
    tables.column(panel, "No per-user MFA", width=130)
    tables.column(panel, "Exposed, no per-user MFA", width=205)
    tables.column(panel, "No mailbox backup", width=140)
    tables.column(panel, "Protected", unit="percentunit", steps=look.SHARE_PROTECTED, gauge=True)
    return panel


def risen():
    """The tenants whose figures rose most."""
    what = (
        "Current figure minus the lowest of the last day and of the last week. A new tenant shows no"
        " increase. A changed collector option shows up here, but fires no alert. The 15 with the most"
    )
    return [
        _risen(
            "Tenants where users at high risk increased",
            f"{what} new users at high risk: investigate these tenants first.",
            q.HIGH_RISK,
            q.HIGH_RISK_WEEK,
        ),
        _risen(
            "Tenants where unprotected mailboxes increased",
            f"{what} newly unprotected mailboxes: look for users without a backup plan, and for plans that"
            " lost users.",
            q.UNPROTECTED_MAILBOXES,
            q.UNPROTECTED_MAILBOXES_WEEK,
        ),
    ]


def _risen(title, description, series, of_the_week):
    panel = tables.table(
        title,
        description,
        [
            ("Last day", q.named(q.rise(series, f"min_over_time({series}[1d])"))),
            ("Last week", q.named(q.rise(series, of_the_week))),
            ("Now", q.named(series)),
        ],
        sort=("Last day", "Last week", "Now"),
        most=15,
        size=(12, 10),
    )
    for name in ("Last day", "Last week"):
        tables.column(panel, name, steps=look.RISEN, width=84)
    return tables.column(panel, "Now", width=60)


def week_against_week():
    """Each customer's figures beside those of a week ago."""
    shown = {
        "High risk": q.HIGH_RISK,
        "Exposed high risk": q.EXPOSED_HIGH_RISK,
        "No mailbox backup": q.UNPROTECTED_MAILBOXES,
    }
    columns = {}
    for name, series in shown.items():
        columns[name] = q.by_customer(series)
        columns[f"{name}, a week ago"] = q.by_customer(f"{series} offset 7d")
    return tables.table(
        "Users at high risk or without mailbox backup by customer, now and a week ago",
        "The 25 customers with the most users at high risk: users at high risk, those of them without full backup,"
        " and users with an unprotected mailbox, now and seven days ago. Only tenants that are still there count."
        " Columns of a week ago are empty while there is no history of a week.",
        list(columns.items()),
        labels={"customer_name": "Customer", "customer_id": None},
        sort=("High risk", "Exposed high risk"),
        most=25,
        size=(24, 10),
    )


def least_protected():
    """Where fewest of the users are protected."""
    share = f"min by (m365_tenant_id) ({q.PROTECTED_SHARE})"
    panel = tables.table(
        "Tenants with the smallest protected share",
        "The ten tenants with the smallest protected share in either module. Click a name to open the"
        " tenant.",
        [("Protected", f"bottomk(10, {q.named(share)})")],
        labels={"m365_tenant_name": "Tenant", "m365_tenant_id": None},
        unit="percentunit",
        size=(8, 9),
    )
    tables.drop(panel, "customer_id", "customer_name")
    return tables.column(panel, "Protected", steps=look.SHARE_PROTECTED, gauge=True)


def failing():
    """The tenants whose figures are oldest, and why."""
    oldest = q.named(f"topk(25, {q.staleness()})", "collector")
    panel = tables.table(
        "Collectors with the oldest figures",
        "The 25 collectors with the oldest figures, as a share of the age at which they are withdrawn,"
        " with the reason if the last poll failed. At 100 % the figures disappear. `forbidden` and"
        " `not_found` concern the customer's permissions; `throttled` and `unavailable` are temporary.",
        [("Age", q.with_reason(oldest))],
        labels={**tables.TENANT, "collector": "Collector", "reason": "Reason"},
        sort=("Age",),
        most=25,
        size=(14, 10),
    )
    tables.column(
        panel, "Age", unit="percentunit", steps=look.SHARE_USED, values=tables.NEVER_READ, width=110
    )
    tables.column(panel, "Collector", values=look.value_names(look.texts(look.COLLECTORS)), width=130)
    tables.column(panel, "Reason", values=look.value_names({"none": ("–", None)}), width=120)
    return [
        panel,
        look.lines(
            "Failed polls per minute by reason",
            "Failed polls of the selected exporters, for all their tenants; `none` means that there were"
            " none. `credential` and `unauthorized` concern the whole fleet: see the Exporter dashboard.",
            [
                look.target(
                    q.or_none(f"60 * sum by (reason) ({q.rate('avepoint_poll_failures_total')})", "reason"),
                    "{{reason}}",
                )
            ],
            unit=look.POLLS,
            stacked=True,
            size=(10, 10),
        ),
    ]
