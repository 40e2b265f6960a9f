"""One customer or tenant in depth, or the sum of all that are chosen."""

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
        links.TENANT,
        "One tenant in depth: users at risk, backup, exposure, and the age of the figures. If you select"
        " several tenants, figures are sums. Needs the recording rules of avepoint-exporter.",
        "now-24h",
        [
            board.Row("Now", now()),
            board.Row("Users at risk", at_risk()),
            board.Row(
                "Backup",
                [shared.protected_share(), shared.unprotected(), shared.coverage()],
            ),
            board.Row(
                "At risk and not backed up",
                [shared.exposure_matrix((10, 9)), *shared.exposed((7, 9))],
            ),
            board.Row("Figures and their age", freshness()),
            board.Row(
                "Directory (disabled by default: set collectors: directory: enabled: true)",
                optional.directory(),
                collapsed=True,
            ),
            board.Row(
                "Partner Center (disabled by default: set collectors: partner_center: enabled: true)",
                optional.partner_center(),
                collapsed=True,
            ),
        ],
        one_tenant=True,
    )


def now():
    """The figures of the present, and whose they are."""
    none_read = "no users at risk were read"
    no_backup = "no protected users were read"
    of_listed = ("of listed users", q.total(q.SECURITY_USERS))
    known = q.where(q.recorded("tenant:avepoint_tenant_info:max"), 'customer_id=~"$customer"')
    facts = tables.table(
        "Selected tenants: ids and your own labels",
        "The selected tenants (at most 50) with their ids and your own labels. Click the customer's id to open"
        " AvePoint Elements, the tenant's id to open the tenant in Entra.",
        [("Value", f"topk(50, topk by (m365_tenant_id) (1, {known}))")],
        labels={
            "customer_name": "Customer",
            "m365_tenant_name": "Tenant",
            "customer_id": "Customer id",
            "m365_tenant_id": "Tenant id",
        },
        unit="none",
        size=(24, 6),
    )
    tables.drop(facts, "Value", "__name__", "job")
    tables.column(facts, "Customer id", width=310, link=links.to_elements())
    tables.column(facts, "Tenant id", width=310, link=links.to_entra())
    return [
        look.stat(
            "Users in the listing of users at risk",
            "Users in AvePoint's listing of users at risk, with any finding.",
            q.total(q.SECURITY_USERS),
            missing=none_read,
        ),
        look.stat(
            "Users at high risk",
            "Users at high risk according to Microsoft. Red from 1: find them in AvePoint, revoke their"
            " sessions and reset their passwords.",
            q.total(q.HIGH_RISK),
            share=of_listed,
            steps=look.BAD_FROM_ONE,
            missing=none_read,
        ),
        look.stat(
            "Users at medium risk",
            "Users at medium risk. Orange from 1: investigate them within days.",
            q.total(q.MEDIUM_RISK),
            share=of_listed,
            steps=look.SERIOUS_FROM_ONE,
            missing=none_read,
        ),
        look.stat(
            "Users without per-user MFA",
            "Users whose own MFA setting in Entra ID is off. A policy that enforces MFA does not count: in a"
            " tenant with such a policy, this is nearly every user. A rise means new accounts or reset"
            " settings.",
            q.total(q.MFA_DISABLED),
            share=of_listed,
            missing=none_read,
        ),
        look.stat(
            "Users at high risk without full backup",
            "Users at high risk without full backup. Red from 1: protect them first.",
            q.total(q.EXPOSED_HIGH_RISK),
            share=("of users at high risk", q.total(q.HIGH_RISK)),
            steps=look.BAD_FROM_ONE,
            missing="not known: needs both listings",
        ),
        look.stat(
            "Users without mailbox backup",
            "Users whose mailbox is listed but not protected. Yellow from 1: assign backup to them.",
            q.total(q.UNPROTECTED_MAILBOXES),
            share=("of mailboxes", q.total(q.MAILBOXES)),
            steps=look.WORTH_A_LOOK_FROM_ONE,
            missing=no_backup,
        ),
        look.stat(
            "Users without any backup",
            "Users in the backup listing without any protected module. Orange from 1.",
            q.total(q.WITHOUT_BACKUP),
            share=("of users in backup", q.total(q.BACKUP_USERS)),
            steps=look.SERIOUS_FROM_ONE,
            missing=no_backup,
        ),
        look.stat(
            "Users in the backup listing",
            "Users in AvePoint's backup listing, protected or not.",
            q.total(q.BACKUP_USERS),
            missing=no_backup,
        ),
        facts,
    ]


def at_risk():
    """Each finding now and over time."""
    panel = look.bars(
        "Users by finding, now",
        "Users with each finding now. A user with several findings counts in each." + look.ABOUT_MFA,
        [look.target(f"sort_desc({q.total(q.AT_RISK, 'status')})", "{{status}}", instant=True)],
        missing="no users at risk were read",
        size=(8, 9),
    )
    return [*shared.at_risk((8, 9)), look.paint(panel, look.STATUSES)]


def freshness():
    """How old the figures are, and what each collector does."""
    age = look.lines(
        "Age of the oldest figures by collector, as a share of the age limit",
        "The age of the oldest figures of each collector, as a share of the age at which they are"
        " withdrawn (`stale_after`, at 100 %). It rises while a collector fails; see the table.",
        [
            look.target(
                "max by (collector) ("
                f"(time() - {q.LAST_SUCCESS}) / on (m365_tenant_id, collector) {q.STALE_AFTER})",
                "{{collector}}",
            )
        ],
        unit="percentunit",
        steps=[(None, "transparent"), (1, "red")],
        size=(24, 7),
    )
    look.paint(age, look.COLLECTORS)
    return [age, collectors()]


def collectors():
    """Each tenant's collectors."""

    def health(name, labels="collector"):
        return q.named(q.once(f"avepoint_collector_{name}", labels), labels)

    mode = q.once("avepoint_collector_info", "collector, mode")
    mode = f"topk by (m365_tenant_id, collector) (1, {mode})"
    oldest = f"and on (m365_tenant_id, collector) topk(50, {q.staleness()})"
    columns = {
        "Age": q.named(q.staleness(), "collector"),
        "Last poll": q.named(q.COLLECTOR_UP, "collector"),
        "Last success": f"{q.named(q.LAST_SUCCESS, 'collector')} * 1000",
        "Next poll": f"{health('next_poll_timestamp_seconds')} * 1000",
        "Interval": health("interval_seconds"),
        "Duration": health("last_duration_seconds"),
        "Rows": health("last_rows"),
        "Quarantined": health("quarantined"),
        "Known": q.named(mode, "collector, mode"),
    }
    panel = tables.table(
        "State of each tenant's collectors",
        "The state of each collector of each tenant, oldest figures first, at most 50 rows. A quarantined"
        " collector is polled rarely because the API refuses it: grant the permissions. The mode is the"
        " way it reads.",
        [(name, f"{expression} {oldest}") for name, expression in columns.items()],
        labels={
            **tables.TENANT,
            "customer_name": None,
            "collector": "Collector",
            "mode": "Mode",
        },
        sort=("Age",),
        size=(24, 10),
    )
    tables.drop(panel, "Value #I")
    tables.column(panel, "Collector", width=130, values=look.value_names(look.texts(look.COLLECTORS)))
    tables.column(panel, "Mode", width=70)
    tables.column(
        panel, "Age", width=100, unit="percentunit", steps=look.SHARE_USED, values=tables.NEVER_READ
    )
    ended = {"0": ("failed", "red"), "1": ("succeeded", "green")}
    tables.column(panel, "Last poll", width=95, values=look.value_names(ended))
    tables.column(panel, "Last success", width=145, unit="dateTimeFromNow")
    tables.column(panel, "Next poll", width=145, unit="dateTimeFromNow")
    tables.column(panel, "Interval", width=75, unit="s")
    tables.column(panel, "Duration", width=80, unit="s")
    tables.column(panel, "Rows", width=65)
    refused = {"0": ("no", None), "1": ("yes", "orange")}
    return tables.column(panel, "Quarantined", values=look.value_names(refused))
