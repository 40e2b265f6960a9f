"""What is off by default and stands in collapsed rows: discovery, the directory, and Partner Center."""

import look
import queries as q
import tables

# What says so where nothing is shown.
OFF = {
    "discovery": "disabled: set discovery: enabled: true",
    "directory": "disabled: set collectors: directory: enabled: true",
    "partner_center": "disabled: set collectors: partner_center: enabled: true",
}

PASSWORD_AGES = ("0-30d", "31-60d", "61-90d", "91-180d", "181-365d", "over_365d", "unknown")


def discovery():
    """Customers and tenants that discovery found."""
    off = OFF["discovery"]
    last = q.own("avepoint_discovery_last_success_timestamp_seconds")
    customer = 'customer_id=~"$customer"'
    customers = f"max by (customer_id, management_mode) ({q.own('avepoint_customer_info', customer)})"
    status = f"max by (customer_id, status) ({q.own('avepoint_customer_backup_status', customer)})"
    listing = "from AvePoint's listing of customers (discovery)"
    return [
        look.stat(
            "Last discovery",
            "Whether the last discovery succeeded on all selected exporters. While it fails, new tenants"
            " are not found; known tenants are polled as before.",
            f"min({q.own('avepoint_discovery_up')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("fails", "red"), "1": ("works", "green")}),
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Time since the last successful discovery",
            "Time since the last successful discovery.",
            f"time() - min({last})",
            unit="s",
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Customers found by discovery",
            f"Customers, {listing}.",
            f"count(group by (customer_id) ({customers}))",
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Customers without a Microsoft 365 tenant",
            f"Customers without a connected Microsoft 365 tenant, {listing}: the exporter cannot read"
            " anything about them.",
            f"max({q.own('avepoint_customers_without_tenant')})",
            steps=look.WORTH_A_LOOK_FROM_ONE,
            missing=off,
            size=(6, 4),
        ),
        look.bars(
            "Customers by backup status",
            f"Customers by backup status, {listing}. Investigate `failed` and `multiple_issues` in AvePoint.",
            [look.target(f"sum by (status) ({status})", "{{status}}", instant=True)],
            missing=off,
            size=(8, 8),
        ),
        look.bars(
            "Customers by management mode",
            f"Customers by management mode, {listing}.",
            [look.target(f"count by (management_mode) ({customers})", "{{management_mode}}", instant=True)],
            missing=off,
            size=(8, 8),
        ),
        look.lines(
            "Discoveries per minute, all and failed",
            "Discoveries, and failed discoveries by reason; `none` means that there were none.",
            [
                look.target(f"60 * sum({q.rate('avepoint_discovery_polls_total')})", "all"),
                look.target(
                    q.or_none(
                        f"60 * sum by (reason) ({q.rate('avepoint_discovery_failures_total')})", "reason"
                    ),
                    "failed: {{reason}}",
                ),
            ],
            unit=look.POLLS,
            size=(8, 8),
        ),
    ]


def directory():
    """Figures of the directory listing."""
    off = OFF["directory"]
    listing = f"from AvePoint's listing of all users. If empty, the collector is {off}"

    def users(name, labels="", matchers=""):
        return q.total(q.once(f"avepoint_directory_{name}", labels, matchers), labels)

    statuses = look.lines(
        "Users of the directory by finding",
        f"Users with each finding, {listing}." + look.ABOUT_MFA,
        [look.target(users("users_by_status", "status"), "{{status}}")],
    )
    ages = look.bars(
        "Users by the age of their password",
        f"Users by the age of their password, {listing}. An old password is a problem where it is"
        " enough to sign in.",
        [
            look.target(
                users("users_by_password_age", matchers=f'password_age="{band}"'),
                band.replace("over_", ">"),
                instant=True,
            )
            for band in PASSWORD_AGES
        ],
        missing=off,
        size=(12, 8),
    )
    return [
        look.stat(
            "Users of the directory",
            f"Users of the tenant, {listing}.",
            users("users"),
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Test users of the directory",
            f"Users marked as test users, {listing}.",
            users("test_users"),
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Users of the directory missing from backup",
            f"Active users who are not in the backup listing, {listing}. Orange from 1: no backup plan"
            " contains them.",
            q.total(q.where(q.MISSING, 'reference="directory"')),
            steps=look.SERIOUS_FROM_ONE,
            missing=off,
            size=(6, 4),
        ),
        look.bars(
            "Users whose account ends soon",
            f"Users whose account ends within 7 and within 30 days, {listing}. Save the data that you need.",
            [look.target(users("accounts_ending", "ending"), "{{ending}}", instant=True)],
            missing=off,
            size=(6, 4),
        ),
        look.paint(statuses, look.STATUSES),
        ages,
    ]


def partner_center():
    """Figures of Microsoft Partner Center."""
    off = OFF["partner_center"]
    source = f"from Microsoft Partner Center. If empty, the collector is {off}"

    def of(name, labels=""):
        return q.once(f"avepoint_partner_center_{name}", labels)

    def users(name, labels=""):
        return q.total(of(name, labels), labels)

    def stat(title, description, expression, width=5, **options):
        return look.stat(title, f"{description}, {source}.", expression, missing=off, size=(width, 4), **options)

    sync = tables.table(
        "Last directory sync and next purge by tenant",
        f"Time of each tenant's last directory sync, and of the next purge of a deleted user, {source}."
        " The 25 with the oldest sync; a cell is empty if there is no synced or no deleted user.",
        [
            ("Since last sync", f"time() - {q.named(of('last_directory_sync_timestamp_seconds'))}"),
            ("Next purge", f"{q.named(of('next_purge_timestamp_seconds'))} * 1000"),
            ("Synced users", q.named(of("synced_users"))),
        ],
        sort=("Since last sync",),
        most=25,
        size=(24, 8),
    )
    tables.column(
        sync, "Since last sync", unit="s", steps=[(None, "green"), (10800, "yellow"), (86400, "red")]
    )
    tables.column(sync, "Next purge", unit="dateTimeFromNow")
    return [
        stat("Active users in Partner Center", "Users who are not deleted", users("users")),
        stat(
            "Users synced from on-premises",
            "Active users synchronised from an on-premises directory",
            users("synced_users"),
        ),
        stat(
            "Users due for a new password",
            "Active users who must change their password at the next sign-in",
            users("force_password_change_users"),
        ),
        stat(
            "Active users missing from backup",
            "Active users who are not in AvePoint's backup listing",
            q.total(q.where(q.MISSING, 'reference="partner_center"')),
            steps=look.SERIOUS_FROM_ONE,
        ),
        stat(
            "Exporter signs in with MFA",
            "Whether the exporter's own user signs in with multi-factor authentication, as the last answers say."
            " `no`: Partner Center will refuse the exporter; consent again with MFA",
            f"min({q.own('avepoint_partner_center_mfa_compliant')})",
            width=4,
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("no", "red"), "1": ("yes", "green")}),
        ),
        look.lines(
            "Users by state and domain type",
            f"Users by state and domain type, {source}. `inactive` users are deleted and will be purged.",
            [look.target(users("users_by_state", "state, domain_type"), "{{state}}, {{domain_type}}")],
            stacked=True,
            size=(12, 10),
        ),
        look.bars(
            "Active users by usage location",
            f"Active users by usage location, the ten largest, {source}.",
            [
                look.target(
                    f"topk(10, {users('users_by_usage_location', 'usage_location')})",
                    "{{usage_location}}",
                    instant=True,
                )
            ],
            missing=off,
            size=(12, 10),
        ),
        sync,
    ]


def missing():
    """The tenants with the most users whom no backup plan knows."""

    def of(reference):
        return q.named(q.where(q.MISSING, f'reference="{reference}"'))

    panel = tables.table(
        "Active users missing from the backup listing, by tenant",
        "Active users of the directory and of Partner Center who are not in the backup listing: the 25"
        " tenants with the most. Assign backup to them. Empty if both collectors are disabled.",
        [("Directory", of("directory")), ("Partner Center", of("partner_center"))],
        sort=("Directory", "Partner Center"),
        most=25,
        size=(24, 9),
    )
    for name in ("Directory", "Partner Center"):
        tables.column(panel, name, steps=look.SERIOUS_FROM_ONE, width=160)
    return [panel]
