//! The contract with dashboards and rules, copied by hand: the metrics of this version by name, type and
//! labels. It changes only when the contract does.

/// Name, type, labels.
pub(crate) type Row = (&'static str, &'static str, &'static [&'static str]);

macro_rules! of_tenant {
    ($($label:literal),*) => {
        &["m365_tenant_id", "m365_tenant_name", $($label),*]
    };
}

/// The series of the tenants.
pub(crate) const TENANTS: &[Row] = &[
    ("avepoint_tenants", "gauge", &["state"]),
    (
        "avepoint_tenant_info",
        "gauge",
        of_tenant!("customer_id", "customer_name", "source"),
    ),
    (
        "avepoint_customer_info",
        "gauge",
        &["customer_id", "customer_name", "country", "management_mode"],
    ),
    (
        "avepoint_customer_backup_status",
        "gauge",
        &["customer_id", "customer_name", "status"],
    ),
    ("avepoint_customers_without_tenant", "gauge", &[]),
    ("avepoint_discovery_up", "gauge", &[]),
    ("avepoint_discovery_failing", "gauge", &["reason"]),
    (
        "avepoint_discovery_last_success_timestamp_seconds",
        "gauge",
        &[],
    ),
    ("avepoint_discovery_polls_total", "counter", &[]),
    ("avepoint_discovery_failures_total", "counter", &["reason"]),
    ("avepoint_security_users", "gauge", of_tenant!()),
    (
        "avepoint_security_users_by_status",
        "gauge",
        of_tenant!("status"),
    ),
    ("avepoint_backup_users", "gauge", of_tenant!()),
    (
        "avepoint_backup_users_by_module",
        "gauge",
        of_tenant!("module", "protected"),
    ),
    (
        "avepoint_backup_users_by_coverage",
        "gauge",
        of_tenant!("coverage"),
    ),
    ("avepoint_exposed_users", "gauge", of_tenant!("status")),
    (
        "avepoint_exposed_users_by_module",
        "gauge",
        of_tenant!("status", "module"),
    ),
    (
        "avepoint_exposed_unlisted_users",
        "gauge",
        of_tenant!("status"),
    ),
    (
        "avepoint_backup_missing_users",
        "gauge",
        of_tenant!("reference"),
    ),
    ("avepoint_directory_users", "gauge", of_tenant!()),
    (
        "avepoint_directory_users_by_status",
        "gauge",
        of_tenant!("status"),
    ),
    ("avepoint_directory_test_users", "gauge", of_tenant!()),
    (
        "avepoint_directory_users_by_password_age",
        "gauge",
        of_tenant!("password_age"),
    ),
    (
        "avepoint_directory_accounts_ending",
        "gauge",
        of_tenant!("ending"),
    ),
    ("avepoint_partner_center_users", "gauge", of_tenant!()),
    (
        "avepoint_partner_center_users_by_state",
        "gauge",
        of_tenant!("state", "domain_type"),
    ),
    (
        "avepoint_partner_center_users_by_usage_location",
        "gauge",
        of_tenant!("usage_location"),
    ),
    (
        "avepoint_partner_center_force_password_change_users",
        "gauge",
        of_tenant!(),
    ),
    (
        "avepoint_partner_center_synced_users",
        "gauge",
        of_tenant!(),
    ),
    (
        "avepoint_partner_center_last_directory_sync_timestamp_seconds",
        "gauge",
        of_tenant!(),
    ),
    (
        "avepoint_partner_center_next_purge_timestamp_seconds",
        "gauge",
        of_tenant!(),
    ),
    ("avepoint_collector_up", "gauge", of_tenant!("collector")),
    (
        "avepoint_collector_last_success_timestamp_seconds",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_last_duration_seconds",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_last_rows",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_unreadable_dates",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_next_poll_timestamp_seconds",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_interval_seconds",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_stale_after_seconds",
        "gauge",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_polls_total",
        "counter",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_failures_total",
        "counter",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_skipped_polls_total",
        "counter",
        of_tenant!("collector"),
    ),
    (
        "avepoint_collector_failing",
        "gauge",
        of_tenant!("collector", "reason"),
    ),
    (
        "avepoint_collector_quarantined",
        "gauge",
        of_tenant!("collector"),
    ),
    ("avepoint_collector_fresh", "gauge", of_tenant!("collector")),
    (
        "avepoint_collector_info",
        "gauge",
        of_tenant!("collector", "mode", "source_endpoint", "exclude_test_users"),
    ),
];

/// The exporter's own series, but for the standard `process_*`.
pub(super) const OWN: &[Row] = &[
    (
        "avepoint_poll_failures_total",
        "counter",
        &["collector", "reason"],
    ),
    (
        "avepoint_api_requests_total",
        "counter",
        &["api", "route", "code"],
    ),
    (
        "avepoint_api_request_duration_seconds",
        "histogram",
        &["api", "route"],
    ),
    ("avepoint_api_retries_total", "counter", &["api", "reason"]),
    (
        "avepoint_api_response_bytes_total",
        "counter",
        &["api", "route"],
    ),
    ("avepoint_api_requests_in_flight", "gauge", &["api"]),
    (
        "avepoint_api_rate_limit_requests_per_second",
        "gauge",
        &["api"],
    ),
    (
        "avepoint_api_rate_limit_wait_seconds_total",
        "counter",
        &["api"],
    ),
    (
        "avepoint_api_required_requests_per_second",
        "gauge",
        &["api"],
    ),
    (
        "avepoint_api_capacity_requests_per_second",
        "gauge",
        &["api"],
    ),
    ("avepoint_credential_up", "gauge", &["credential"]),
    (
        "avepoint_credential_failing",
        "gauge",
        &["credential", "reason"],
    ),
    ("avepoint_api_clock_skew_seconds", "gauge", &["api"]),
    (
        "avepoint_access_token_expiry_timestamp_seconds",
        "gauge",
        &["credential"],
    ),
    ("avepoint_token_requests_total", "counter", &["credential"]),
    (
        "avepoint_token_request_failures_total",
        "counter",
        &["credential", "reason"],
    ),
    (
        "avepoint_client_certificate_expiry_timestamp_seconds",
        "gauge",
        &["credential"],
    ),
    (
        "avepoint_refresh_token_last_rotation_timestamp_seconds",
        "gauge",
        &["credential"],
    ),
    ("avepoint_partner_center_mfa_compliant", "gauge", &[]),
    (
        "avepoint_exporter_build_info",
        "gauge",
        &["version", "revision", "rustc_version", "target_triple"],
    ),
    (
        "avepoint_exporter_config_last_reload_successful",
        "gauge",
        &[],
    ),
    (
        "avepoint_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        &[],
    ),
    ("avepoint_exporter_state_dir_up", "gauge", &[]),
    (
        "avepoint_exporter_http_requests_total",
        "counter",
        &["handler", "code"],
    ),
];

/// Labels that collide with those that Prometheus or its operators attach to targets.
pub(super) const FORBIDDEN_LABELS: &[&str] = &[
    "tenant_id",
    "customer",
    "service",
    "region",
    "owner",
    "env",
    "job",
    "instance",
    "endpoint",
    "namespace",
    "pod",
    "container",
    "node",
    "cluster",
    "tenant",
    "target",
    "le",
];
