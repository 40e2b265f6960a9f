//! The section `discovery`.

use super::*;
use crate::config::Discovery;

fn config(section: &str, rest: &str) -> Result<Config, ConfigError> {
    parse(&format!(
        "elements: {{ client_id: app, client_secret_env: SECRET }}\ndiscovery: {{ {section} }}\n{rest}"
    ))
}

fn discovery(section: &str, rest: &str) -> Discovery {
    config(section, rest).unwrap().discovery.unwrap()
}

#[test]
fn discovery_needs_no_tenants_and_takes_the_collectors_of_all() {
    for tenants in ["", "tenants: []\n", "tenants:\n", TENANT] {
        let found = discovery("enabled: true", tenants);
        assert_eq!(found.collector.interval, Duration::from_hours(1));
        assert_eq!(
            found.collectors,
            [security(5, 15, false), protected(15, 45)]
        );
        let patterns = [found.include, found.exclude];
        for patterns in patterns {
            assert!(patterns.customer_name.is_none() && patterns.tenant_name.is_none());
        }
    }
    let collectors =
        "collectors: { security_users: { interval: 10m }, protected_users: { enabled: false } }\n";
    let found = discovery("enabled: true, interval: 1d", collectors);
    assert_eq!(found.collector.interval, Duration::from_hours(24));
    assert_eq!(found.collectors, [security(10, 30, false)]);
}

#[test]
fn discovery_is_off_unless_it_is_enabled() {
    for section in ["", "enabled: false", "include: { customer_name: x }"] {
        assert!(config(section, TENANT).unwrap().discovery.is_none());
        assert!(config(section, "").is_err());
    }
}

#[test]
fn discovered_tenants_may_have_no_collectors_while_a_listed_one_has() {
    let off =
        "collectors: { security_users: { enabled: false }, protected_users: { enabled: false } }\n";
    assert!(config("enabled: true", off).is_err());
    let tenant = TENANT.replace(" }]", ", collectors: { directory: { enabled: true } } }]");
    let found = discovery("enabled: true", &(off.to_owned() + &tenant));
    assert!(found.collectors.is_empty());
}

#[test]
fn each_pattern_stands_for_one_name_of_included_or_excluded_tenants() {
    let found = discovery(
        "enabled: true, include: { customer_name: 'a.*' }, exclude: { tenant_name: 'b.*' }",
        "",
    );
    let include = found.include.customer_name.unwrap();
    assert!(include.is_match("abc") && !include.is_match("cab"));
    assert!(found.include.tenant_name.is_none() && found.exclude.customer_name.is_none());
    assert!(found.exclude.tenant_name.unwrap().is_match("b"));
}
