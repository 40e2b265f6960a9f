//! A configuration as text for people: what the file says, with the defaults that are in force where it says nothing.
//! Secrets are hidden by [`raw`], and what is in the files that it names is not here at all.

use serde::Serialize;
use serde_yaml::{Mapping, Value};

use super::options::Options as _;
use super::{CollectorConfig, CollectorKind, Config, RateLimit, raw};
use crate::domain::{ByteSize, Collector, PromDuration, collectors};

/// A configuration as written, with its secrets hidden.
pub(super) struct Written {
    /// All but the tenants. A key that is not there is null.
    sections: Value,
    /// The items of `tenants` as text: as a tree, many of them would take much memory.
    tenants: String,
}

impl Written {
    pub(super) fn new(file: &raw::File) -> Self {
        let mut sections = value(file);
        if file.collectors.is_none() {
            // The collectors are in one order, whether or not the file has some.
            lay_over(
                &mut sections,
                mapping([("collectors", value(&raw::Collectors::default()))]),
            );
        }
        let tenants = file.tenants.iter().flatten().map(|tenant| {
            let mut tenant = value(tenant);
            tidy(&mut tenant);
            serde_yaml::to_string(&[tenant]).unwrap_or_default()
        });
        Self {
            tenants: tenants.collect(),
            sections,
        }
    }

    /// The YAML of the configuration that was written so, where these `collectors` are on for all.
    pub(super) fn text(mut self, config: &Config, collectors: &[CollectorConfig]) -> String {
        lay_over(&mut self.sections, in_force(config, collectors));
        tidy(&mut self.sections);
        let mut text = serde_yaml::to_string(&self.sections).unwrap_or_default();
        if !self.tenants.is_empty() {
            text += "tenants:\n";
            text += &self.tenants;
        }
        text
    }
}

/// What was read from YAML is always YAML again.
fn value(of: &impl Serialize) -> Value {
    serde_yaml::to_value(of).unwrap_or_default()
}

fn in_force(config: &Config, collectors: &[CollectorConfig]) -> Value {
    let elements = &config.elements;
    let (http, limits) = (&elements.http, elements.limits);
    let mut sections = vec![
        (
            "elements",
            mapping([
                ("api_url", elements.api_url.as_str().into()),
                ("token_url", elements.token_url.as_str().into()),
                ("timeout", duration(http.timeout)),
                ("connect_timeout", duration(http.connect_timeout)),
                ("retry_deadline", duration(http.retry_deadline)),
                ("rate_limit", rate_limit(elements.rate_limit)),
                (
                    "limits",
                    mapping([
                        (
                            "response_bytes",
                            ByteSize(limits.response_bytes).to_string().into(),
                        ),
                        ("rows", limits.rows.into()),
                        ("ignore_totals", limits.ignore_totals.into()),
                    ]),
                ),
            ]),
        ),
        (
            "collectors",
            mapping(Collector::configured().map(|one| section(one, collectors))),
        ),
        ("discovery", discovery(config)),
    ];
    if let Some(partner_center) = &config.partner_center {
        let section = mapping([
            ("api_url", partner_center.api_url.as_str().into()),
            ("token_url", partner_center.token_url.as_str().into()),
            ("scope", partner_center.scope.as_str().into()),
            ("rate_limit", rate_limit(partner_center.rate_limit)),
        ]);
        sections.push(("partner_center", section));
    }
    mapping(sections)
}

/// The section of a collector, if it is among those that are on or not.
fn section(collector: Collector, on: &[CollectorConfig]) -> (&'static str, Value) {
    let found = on.iter().find(|one| one.kind.collector() == collector);
    let mut keys = vec![("enabled", found.is_some().into())];
    if let Some(one) = found {
        keys.push(("interval", duration(one.interval)));
        keys.push(("stale_after", duration(one.stale_after)));
        keys.extend(options(one.kind));
    }
    (collector.as_str(), mapping(keys))
}

macro_rules! options {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        fn options(kind: CollectorKind) -> Vec<(&'static str, Value)> {
            match kind {
                $(CollectorKind::$variant(options) => options.keys(),)*
            }
        }
    };
}
collectors!(all options);

fn discovery(config: &Config) -> Value {
    let mut keys = vec![("enabled", config.discovery.is_some().into())];
    if let Some(discovery) = &config.discovery {
        keys.push(("interval", duration(discovery.collector.interval)));
    }
    mapping(keys)
}

fn rate_limit(limit: RateLimit) -> Value {
    mapping([
        ("requests_per_second", limit.requests_per_second.into()),
        ("burst", limit.burst.into()),
        (
            "max_concurrent_requests",
            (limit.max_concurrent_requests as u64).into(),
        ),
    ])
}

fn duration(duration: std::time::Duration) -> Value {
    PromDuration(duration).to_string().into()
}

fn mapping(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let pairs = pairs.into_iter();
    Value::Mapping(pairs.map(|(key, value)| (key.into(), value)).collect())
}

/// Puts the second value over the first, key by key. A key keeps its place.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            for (key, value) in above {
                lay_over(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Leaves out keys without a value, and writes whole numbers as such.
fn tidy(value: &mut Value) {
    match value {
        Value::Mapping(mapping) => {
            let kept = std::mem::take(mapping).into_iter();
            let kept = kept.filter(|(_, value)| !value.is_null());
            *mapping = kept.collect::<Mapping>();
            mapping.values_mut().for_each(tidy);
        }
        Value::Sequence(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(whole) = float.and_then(|float| float.to_string().parse::<i64>().ok()) {
                *number = whole.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, Source};
    use crate::domain::Timestamp;

    fn shown(text: &str) -> String {
        let source = Source {
            name: "config.yaml",
            base_dir: Path::new("/nonexistent"),
            env: &|_| Some("from-the-environment".to_owned()),
            now: Timestamp::default(),
        };
        Config::parse(text, &source).unwrap().text.to_string()
    }

    const SHORT: &str =
        "elements: { client_id: app, client_secret: s3cr3t }\ndiscovery: { enabled: true }\n";

    #[test]
    fn what_the_file_leaves_out_is_shown_with_its_default() {
        assert_eq!(
            shown(SHORT),
            "\
elements:
  api_url: https://graph.avepointonlineservices.com/
  token_url: https://identity.avepointonlineservices.com/connect/token
  client_id: app
  client_secret: <secret>
  timeout: 30s
  connect_timeout: 5s
  retry_deadline: 1m
  rate_limit:
    requests_per_second: 10
    burst: 20
    max_concurrent_requests: 8
  limits:
    response_bytes: 16MiB
    rows: 1000000
    ignore_totals: false
collectors:
  security_users:
    enabled: true
    interval: 5m
    stale_after: 15m
    endpoint: v3
    mode: scan
    status_encoding: codes
    exclude_test_users: false
  protected_users:
    enabled: true
    interval: 15m
    stale_after: 45m
  directory:
    enabled: false
  partner_center:
    enabled: false
discovery:
  enabled: true
  interval: 1h
"
        );
    }

    const LONG: &str = "\
elements:
  environment: fedramp
  client_id: app
  client_secret_env: VARIABLE
  timeout: 90s
  rate_limit: { requests_per_second: 0.5 }
  proxy_url: 'http://user:p@ss@proxy.example:3128'
partner_center:
  tenant: partner.example
  client_id: '0012'
  client_secret: s3cr3t
  refresh_token_file: TOKEN
  refresh_token_env: VARIABLE
collectors:
  security_users: { mode: counts }
  partner_center: { enabled: true, top_usage_locations: 3 }
  protected_users: { enabled: false, interval: 20m }
tenants:
  - customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07
    tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec
    labels: { psa_id: '0012' }
    collectors: { partner_center: { top_usage_locations: 4 } }
";

    #[test]
    fn no_secret_is_shown_and_the_rest_is_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        let shown = shown(&LONG.replace("TOKEN", &token.display().to_string()));
        for secret in [
            "s3cr3t",
            "user",
            "p@ss",
            "ss@",
            "VARIABLE",
            "from-the-environment",
        ] {
            let secret_of_user = shown.replace("users", "");
            assert!(!secret_of_user.contains(secret), "{secret}: {shown}");
        }
        for line in [
            "  environment: fedramp\n  api_url: https://graphusgovapi.online15.net/\n",
            "  client_secret_env: <secret>\n",
            "  timeout: 1m30s\n  connect_timeout: 5s\n  retry_deadline: 3m\n",
            "    requests_per_second: 0.5\n    burst: 20\n",
            "  proxy_url: http://<secret>@proxy.example:3128\n",
            "  client_id: '0012'\n",
            "  refresh_token_env: <secret>\n",
            "    mode: counts\n",
            "    top_usage_locations: 3\n",
            "    enabled: false\n    interval: 20m\n",
            "  labels:\n    psa_id: '0012'\n",
            "      top_usage_locations: 4\n",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
    }

    #[test]
    fn what_is_shown_is_a_configuration_that_means_the_same() {
        for text in [
            SHORT,
            &SHORT.replace("s3cr3t }", "s3cr3t, proxy_url: 'http://proxy:1' }"),
        ] {
            let first = shown(text);
            assert_eq!(shown(&first), first);
        }
    }
}
