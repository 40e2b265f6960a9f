"""The pieces that queries are made of: which tenants are meant, how they get their names, what counts once.

Figures of tenants come from the recorded series of rules/avepoint-recording.yml, which hold one series per
tenant however many exporters see it. What is not recorded is reduced to that in place, by `once`.
"""

# On each selector of a series that an exporter itself shows.
EXPORTER = 'job=~"$job", instance=~"$instance"'

# The tenants that the visible variables choose together, except the own label.
TENANTS = f'avepoint_tenant_info{{{EXPORTER}, customer_id=~"$customer", m365_tenant_id=~"$tenant"}}'


def own_label(tenants):
    """The tenants with the value of the chosen own label as `own_label`; a tenant without it has a text that says so.

    The name of the label is a string here, since nobody knows the names of own labels in advance.
    """
    joined = f'label_join({tenants}, "own_label", "", "$own_label")'
    return f'label_replace({joined}, "own_label", "not set", "own_label", "")'


def labelled(tenants):
    """Those of the tenants whose own label has a chosen value."""
    marked = f'label_replace({own_label(tenants)}, "is_chosen", "yes", "own_label", "$own_value")'
    return f'({marked} and on (is_chosen) label_replace(vector(1), "is_chosen", "yes", "", ""))'


# On each selector of a series of a tenant. The hidden variable `chosen` has the ids of the chosen tenants, or `.*` if
# these are all: it joins once, and no query has to join at each of its steps.
TENANT = 'm365_tenant_id=~"${chosen:pipe}"'

# The same while only some tenants are chosen, and nothing while all are: every job matches `.*`, and none is named like
# a tenant's id.
FEW = f'{TENANT}, job!~"${{chosen:pipe}}"'

# One series per chosen tenant with its names, also while two exporters know it by different ones.
NAMES = (
    "topk by (m365_tenant_id) (1, "
    "max by (customer_id, customer_name, m365_tenant_id, m365_tenant_name) "
    f"(avepoint_tenant_info{{{EXPORTER}, {TENANT}}}))"
)


def where(series, matchers):
    """The series that some more matchers let through."""
    return f"{series.removesuffix('}')}, {matchers}}}"


def recorded(name):
    """A recorded series, of the chosen tenants."""
    return f"{name}{{{TENANT}}}"


# The recorded series.
SECURITY_USERS = recorded("tenant:avepoint_security_users:max")
AT_RISK = recorded("tenant_status:avepoint_security_users_by_status:max")
BACKUP_USERS = recorded("tenant:avepoint_backup_users:max")
BY_MODULE = recorded("tenant_module:avepoint_backup_users_by_module:max")
COVERAGE = recorded("tenant_coverage:avepoint_backup_users_by_coverage:max")
PROTECTED_SHARE = recorded("tenant_module:avepoint_backup_protected_users:ratio")
MISSING = recorded("tenant_reference:avepoint_backup_missing_users:max")
EXPOSED = recorded("tenant_status:avepoint_exposed_users:max")
EXPOSED_UNLISTED = recorded("tenant_status:avepoint_exposed_unlisted_users:max")
EXPOSED_BY_MODULE = recorded("tenant_status_module:avepoint_exposed_users_by_module:max")
COLLECTOR_UP = recorded("tenant_collector:avepoint_collector_up:max")

# The totals that are recorded of all tenants.
TOTALS = {
    f"{level}:{name}:max": f"fleet{level.removeprefix('tenant')}:{name}:sum"
    for level, name in (
        ("tenant_status", "avepoint_security_users_by_status"),
        ("tenant_status", "avepoint_exposed_users"),
        ("tenant_module", "avepoint_backup_users_by_module"),
        ("tenant_coverage", "avepoint_backup_users_by_coverage"),
    )
}

HIGH_RISK = where(AT_RISK, 'status="high_risk"')
MEDIUM_RISK = where(AT_RISK, 'status="medium_risk"')
MFA_DISABLED = where(AT_RISK, 'status="mfa_disabled"')
# Whom to look at one by one, and whom to treat by policy: there are so many more of these.
GRAVE = 'status=~"high_risk|medium_risk"'
OTHER = 'status!~"high_risk|medium_risk"'
EXPOSED_HIGH_RISK = where(EXPOSED, 'status="high_risk"')
EXPOSED_MFA_DISABLED = where(EXPOSED, 'status="mfa_disabled"')
UNPROTECTED_MAILBOXES = where(BY_MODULE, 'module="mailbox", protected="false"')
MAILBOXES = where(BY_MODULE, 'module="mailbox"')
# The lowest of the week, where it is shown.
HIGH_RISK_WEEK = recorded("tenant_status:avepoint_security_users_by_status:min7d")
UNPROTECTED_MAILBOXES_WEEK = recorded("tenant_module:avepoint_backup_users_by_module:min7d")
WITHOUT_BACKUP = where(COVERAGE, 'coverage="none"')
FULLY_PROTECTED = where(COVERAGE, 'coverage="full"')
PROTECTED_SHARE_OF_ALL = f"{FULLY_PROTECTED} / on (m365_tenant_id) ({BACKUP_USERS} > 0)"


def own(metric, matchers=""):
    """A series of the exporter itself, of the chosen exporters."""
    return f"{metric}{{{EXPORTER}{', ' + matchers if matchers else ''}}}"


def process(metric):
    """A series that every process shows, of exporters only."""
    return f"{own(metric)} and on (job, instance) {own('avepoint_exporter_build_info')}"


def rate(metric, matchers=""):
    """Per second, over as short a time as the resolution allows."""
    return f"rate({own(metric, matchers)}[$__rate_interval])"


def fleet(series, of_all, each=lambda series: series):
    """What is recorded of all tenants while all are chosen, otherwise the series of each chosen one.

    The tenant of a recorded total is `all`, which matches `.*` but no id.
    """
    _, _, matchers = series.partition("{")
    return f"{of_all}{{{matchers} or {each(series.replace(TENANT, FEW))}"


def total(series, by=""):
    """The sum over the tenants."""
    of_all = TOTALS.get(series.partition("{")[0])
    return f"sum{f' by ({by}) ' if by else ''}({fleet(series, of_all) if of_all else series})"


def once(metric, labels="", matchers=""):
    """A chosen tenant's series that is not recorded, once however many exporters see the tenant."""
    series = own(metric, f"{TENANT}, {matchers}" if matchers else TENANT)
    return f"max by (m365_tenant_id{', ' + labels if labels else ''}) ({series})"


def named(series, labels=""):
    """The largest value of each tenant, or of each of its values of some labels, with its names."""
    per_tenant = f"max by (m365_tenant_id{', ' + labels if labels else ''}) ({series})"
    return (
        f"{per_tenant} * on (m365_tenant_id) group_left (customer_id, customer_name, m365_tenant_name)"
        f" {NAMES}"
    )


def rise(series, lowest):
    """By how much a tenant's figure is above its lowest. A new tenant has not risen."""
    # The lowest may be recorded before the figure fell.
    return f"clamp_min(max by (m365_tenant_id) ({series}) - min by (m365_tenant_id) ({lowest}), 0)"


def by_customer(series):
    """The sum over each customer's tenants, with its name."""
    return f"sum by (customer_id, customer_name) ({named(series)})"


def or_note(expression, label, *notes):
    """The rows, or one row that says why there are none: the first note with a condition that has a value."""
    rows = (f'or on () label_replace(0 * {condition}, "{label}", "{text}", "", "")' for condition, text in notes)
    return " ".join([expression, *rows])


# Not recorded, since that is up to a minute late.
LAST_SUCCESS = once("avepoint_collector_last_success_timestamp_seconds", "collector")
STALE_AFTER = once("avepoint_collector_stale_after_seconds", "collector")
FRESH = once("avepoint_collector_fresh", "collector")

# What stands for the age of figures that were never read.
NEVER = 1000000


def staleness():
    """The age of figures as a share of that at which they are withdrawn; NEVER where there were none yet."""
    last, limit, fresh = (
        own(f"avepoint_collector_{name}", TENANT)
        for name in ("last_success_timestamp_seconds", "stale_after_seconds", "fresh")
    )
    collector = "(m365_tenant_id, collector)"
    share = f"min by {collector} ((time() - {last}) / {limit})"
    return f"({share} or on {collector} max by {collector} ({fresh} == 0) + {NEVER})"


def with_reason(series):
    """Each collector's series with the reason why it fails, where no exporter succeeds with it; `none` for others."""
    failing = once("avepoint_collector_failing", "collector, reason")
    unless = f"{failing} unless on (m365_tenant_id, collector) {COLLECTOR_UP} == 1"
    reason = f"topk by (m365_tenant_id, collector) (1, {unless})"
    return (
        f"{series} * on (m365_tenant_id, collector) group_left (reason) {reason}"
        f' or on (m365_tenant_id, collector) label_replace({series}, "reason", "none", "", "")'
    )


def or_none(expression, label):
    """What is above zero; and always a series `none` at zero, so that a panel of failures has data."""
    return f'{expression} > 0 or label_replace(0 * sum({expression}), "{label}", "none", "", "")'


def quantile(share, metric, by):
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le, {by}) ({rate(metric + '_bucket')}))"
