"""What is off by default and stands in collapsed rows: discovery, the directory, and Partner Center."""

import look
import queries as q
import tables

# What says so where nothing is shown.
OFF = {
    "discovery": "off: set discovery: enabled: true",
    "directory": "off: set collectors: directory: enabled: true",
    "partner_center": "off: set collectors: partner_center: enabled: true",
}

PASSWORD_AGES = ("0-30d", "31-60d", "61-90d", "91-180d", "181-365d", "over_365d", "unknown")


def discovery():
    """Customers and tenants that discovery found."""
    off = OFF["discovery"]
    last = q.own("avepoint_discovery_last_success_timestamp_seconds")
    customer = 'customer_id=~"$customer"'
    customers = f"max by (customer_id, management_mode) ({q.own('avepoint_customer_info', customer)})"
    status = f"max by (customer_id, status) ({q.own('avepoint_customer_backup_status', customer)})"
    listing = "from AvePoint's listing of customers, which discovery reads"
    return [
        look.stat(
            "Discovery",
            "Whether the last reading of AvePoint's customers succeeded with all chosen exporters. While it"
            " fails, new tenants are not found, and all others go on.",
            f"min({q.own('avepoint_discovery_up')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("fails", "red"), "1": ("works", "green")}),
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Last read",
            "Time since the customers were last read.",
            f"time() - min({last})",
            unit="s",
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Customers",
            f"Customers, {listing}.",
            f"count(group by (customer_id) ({customers}))",
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Customers without tenant",
            f"Customers that have no Microsoft 365 tenant connected, {listing}: nothing can be read of them.",
            f"max({q.own('avepoint_customers_without_tenant')})",
            steps=look.WORTH_A_LOOK_FROM_ONE,
            missing=off,
            size=(6, 4),
        ),
        look.bars(
            "Customers by backup status",
            f"Customers by how their backups fare, {listing}. `failed` and `multiple_issues` are to be looked"
            " into in AvePoint.",
            [look.target(f"sum by (status) ({status})", "{{status}}", instant=True)],
            missing=off,
            size=(8, 8),
        ),
        look.bars(
            "Customers by management",
            f"Customers by who looks after their services, {listing}.",
            [look.target(f"count by (management_mode) ({customers})", "{{management_mode}}", instant=True)],
            missing=off,
            size=(8, 8),
        ),
        look.lines(
            "Discoveries",
            "Readings of the customers, and those that failed by reason; `none` stands for none at all.",
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
    listing = f"from AvePoint's listing of all users. If empty, it is {off}"

    def users(name, labels="", matchers=""):
        return q.total(q.once(f"avepoint_directory_{name}", labels, matchers), labels)

    statuses = look.lines(
        "Findings over all users",
        f"Users with each finding, {listing}.",
        [look.target(users("users_by_status", "status"), "{{status}}")],
    )
    ages = look.bars(
        "Age of passwords",
        f"Users by the age of their password, {listing}. Old passwords are no fault by themselves; without a"
        " second factor they are.",
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
        look.stat("Users", f"Users of the tenant, {listing}.", users("users"), missing=off, size=(6, 4)),
        look.stat(
            "Test users",
            f"Users marked as test users, {listing}.",
            users("test_users"),
            missing=off,
            size=(6, 4),
        ),
        look.stat(
            "Missing, of the directory",
            f"Active users who are not in the listing of protected users, {listing}. Orange from the first"
            " one: no backup plan knows them.",
            q.total(q.MISSING + '{reference="directory"}'),
            steps=look.SERIOUS_FROM_ONE,
            missing=off,
            size=(6, 4),
        ),
        look.bars(
            "Accounts that end",
            f"Users whose account ends within 7 days, and within 30, {listing}. Keep what is to be kept of"
            " them.",
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
    source = f"from Microsoft Partner Center. If empty, it is {off}"

    def of(name, labels=""):
        return q.once(f"avepoint_partner_center_{name}", labels)

    def users(name, labels=""):
        return q.total(of(name, labels), labels)

    def stat(title, description, expression, **options):
        return look.stat(title, f"{description}, {source}.", expression, missing=off, size=(6, 4), **options)

    sync = tables.table(
        "Directory sync and purge",
        "When each tenant's directory was last synced and when its next deleted user is purged for good,"
        f" {source}. The 25 whose sync is oldest; without a time there is no synced or no deleted user.",
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
        stat("Active users", "Users who are not deleted", users("users")),
        stat("Synced users", "Active users who come from a directory on premises", users("synced_users")),
        stat(
            "Must change password",
            "Active users who must change their password at the next sign-in",
            users("force_password_change_users"),
        ),
        stat(
            "Missing, of Partner Center",
            "Active users who are not in AvePoint's listing of protected users",
            q.total(q.MISSING + '{reference="partner_center"}'),
            steps=look.SERIOUS_FROM_ONE,
        ),
        look.lines(
            "Users by state",
            f"Users by state and by how their domain signs in, {source}. `inactive` ones are deleted and will"
            " be purged.",
            [look.target(users("users_by_state", "state, domain_type"), "{{state}}, {{domain_type}}")],
            stacked=True,
            size=(12, 10),
        ),
        look.bars(
            "Users by usage location",
            f"Active users by the country they are licensed for, the ten with the most, {source}.",
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
        return q.named(f'{q.MISSING}{{reference="{reference}"}}')

    panel = tables.table(
        "Users missing from backup",
        "Users who are active in the directory, and in Partner Center, and are not in the listing of protected"
        " users: the 25 tenants with the most. Assign backup to them. Empty where both collectors are off.",
        [("Of the directory", of("directory")), ("Of Partner Center", of("partner_center"))],
        sort=("Of the directory", "Of Partner Center"),
        most=25,
        size=(24, 9),
    )
    for name in ("Of the directory", "Of Partner Center"):
        tables.column(panel, name, steps=look.SERIOUS_FROM_ONE, width=160)
    return [panel]
