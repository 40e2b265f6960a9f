//! `docs/metrics.md` is made of the catalogue, of what an exporter shows, and of the dashboards and rules; these name
//! nothing that is not there, and leave nothing out.

mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use avepoint_exporter::domain::Collector;
use avepoint_exporter::exposition::{Kind, Origin, catalogue};

use self::uses::{Uses, uses};
use crate::exposition::contract::TENANTS;
use crate::exposition::families_of;
use crate::exposition::full::full;
use crate::support::read_series;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

/// Metrics that neither a dashboard nor a rule uses, each with the reason.
const UNUSED: &[(&str, &str)] = &[];

/// The labels that tell the tenant.
const TENANT: [&str; 2] = ["m365_tenant_id", "m365_tenant_name"];

/// The sections, by how the names of their metrics begin.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "Tenants and customers",
        &["avepoint_tenant", "avepoint_customer"],
    ),
    ("Discovery", &["avepoint_discovery_"]),
    ("Security users", &["avepoint_security_users"]),
    ("Backup protection", &["avepoint_backup_"]),
    (
        "Exposure: at risk and not backed up",
        &["avepoint_exposed_"],
    ),
    ("Directory", &["avepoint_directory_"]),
    ("Partner Center", &["avepoint_partner_center_"]),
    ("Polls", &["avepoint_collector_", "avepoint_poll_"]),
    ("Requests to the APIs", &["avepoint_api_"]),
    (
        "Signing in",
        &[
            "avepoint_credential_",
            "avepoint_access_token_",
            "avepoint_token_",
            "avepoint_refresh_token_",
            "avepoint_client_certificate_",
        ],
    ),
    ("The exporter itself", &["avepoint_exporter_"]),
    ("The process", &["process_"]),
];

/// What each collector asks for, and discovery last.
const LISTINGS: [(&str, &[&str]); 5] = [
    (
        Collector::SecurityUsers.as_str(),
        &["/um/customers/{customerId}/tenants/{tenantId}/overview/security/users"],
    ),
    (
        Collector::ProtectedUsers.as_str(),
        &["/general/customers/{customerId}/tenants/{tenantId}/cloud-backup-m365/users/batch"],
    ),
    (
        Collector::Directory.as_str(),
        &["/um/customers/{customerId}/tenants/{tenantId}/users/batch"],
    ),
    (
        Collector::PartnerCenter.as_str(),
        &["/v1/customers/{tenantId}/users"],
    ),
    ("discovery", &["/general/customers/batch"]),
];

/// Labels whose values are not a closed list.
const OPEN: [(&str, &str); 12] = [
    ("code", "the HTTP status; of requests to an API also `none`"),
    ("country", "as in Elements"),
    (
        "customer_id",
        "the customer's id in Elements, a GUID in small letters",
    ),
    ("customer_name", "the customer's name, or its id"),
    (
        "m365_tenant_id",
        "the id of the Microsoft 365 tenant, a GUID in small letters",
    ),
    ("m365_tenant_name", "the tenant's name, or its id"),
    ("revision", "the commit that was built"),
    (
        "route",
        "the path of the endpoint, with placeholders for ids",
    ),
    ("rustc_version", "the compiler's version"),
    ("target_triple", "the platform that it was built for"),
    (
        "usage_location",
        "a country as ISO 3166-1 has it, `none`, or `other`",
    ),
    ("version", "the exporter's version"),
];

/// Values of closed lists that an exporter that is well may not show: those of other options, of customers that are not
/// there, of pages that nobody asks for.
const UNSEEN: [(&str, &[&str]); 5] = [
    (
        "collector",
        &[
            "directory",
            "partner_center",
            "protected_users",
            "security_users",
        ],
    ),
    (
        "handler",
        &[
            "dashboards",
            "healthy",
            "metrics",
            "other",
            "poll",
            "ready",
            "reload",
            "root",
            "rules",
            "runbooks",
            "status",
        ],
    ),
    (
        "management_mode",
        &["customer", "partner", "to_be_configured"],
    ),
    ("mode", &["counts", "scan"]),
    ("source_endpoint", &["batch", "v1", "v3"]),
];

/// Metrics that show a reason only while something fails, and those that count the same reasons.
const FAILING: [(&str, &str); 3] = [
    ("avepoint_collector_failing", "avepoint_poll_failures_total"),
    (
        "avepoint_discovery_failing",
        "avepoint_discovery_failures_total",
    ),
    (
        "avepoint_credential_failing",
        "avepoint_token_request_failures_total",
    ),
];

/// What the document says of a metric.
struct Row {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
    source: String,
}

/// All metrics by name, and an exposition with as many of their samples as an exporter shows that is well.
struct Metrics {
    rows: BTreeMap<String, Row>,
    text: String,
}

impl Metrics {
    async fn read() -> Self {
        let golden = include_str!("golden/tenants.txt");
        let own = full().await;
        let mut rows = BTreeMap::new();
        for (name, (kind, labels)) in families_of(&own) {
            let head = format!("# HELP {name} ");
            let help = own.lines().find_map(|line| line.strip_prefix(&head));
            let row = Row {
                kind,
                labels,
                help: help.unwrap().to_owned(),
                source: "the exporter itself".to_owned(),
            };
            rows.insert(name, row);
        }
        for (metric, (name, _, labels)) in catalogue().zip(TENANTS) {
            assert_eq!(metric.name, *name);
            let row = Row {
                kind: match metric.kind {
                    Kind::Counter => "counter".to_owned(),
                    Kind::Gauge => "gauge".to_owned(),
                },
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                help: metric.help.to_owned(),
                source: source(&metric.from),
            };
            rows.insert(metric.name.into_owned(), row);
        }
        Self {
            rows,
            text: own + golden,
        }
    }

    /// The labels of a series, be it a part of a histogram; nothing where there is no such series.
    fn labels(&self, name: &str) -> Option<BTreeSet<String>> {
        let row = |name: &str| self.rows.get(name).map(|row| (row, row.labels.clone()));
        if let Some((_, labels)) = row(name) {
            return Some(labels);
        }
        let part = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let (row, mut labels) = row(part?)?;
        labels.insert("le".to_owned());
        (row.kind == "histogram").then_some(labels)
    }

    /// The values of the labels whose values are a closed list: by label and values, the metrics that have them.
    fn closed(&self) -> BTreeMap<(String, Vec<String>), Vec<&str>> {
        let mut seen: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for line in self.text.lines().filter(|line| !line.starts_with('#')) {
            let (name, labels) = read_series(line);
            for (label, value) in labels {
                // Of codes and of text that the exporter does not know.
                if !value.starts_with("unknown") {
                    let values = seen.entry((name.clone(), label)).or_default();
                    values.insert(value);
                }
            }
        }
        let mut closed: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (name, row) in &self.rows {
            let labels = row.labels.iter();
            for label in labels.filter(|label| OPEN.iter().all(|(open, _)| open != label)) {
                let of = FAILING.iter().find(|(failing, _)| failing == name);
                let of = of.map_or(name.as_str(), |(_, counts)| counts);
                let of = [of.to_owned(), format!("{of}_count")];
                let values = of
                    .into_iter()
                    .find_map(|of| seen.get(&(of, label.clone())))
                    .unwrap_or_else(|| panic!("{name} is never seen with {label}"));
                let unseen = UNSEEN.iter().find(|(one, _)| one == label);
                let unseen = unseen.map_or(&[][..], |(_, values)| values);
                let mut values = values.clone();
                values.remove("");
                values.extend(unseen.iter().map(|value| (*value).to_owned()));
                let key = (label.clone(), values.into_iter().collect());
                closed.entry(key).or_default().push(name);
            }
        }
        closed
    }

    /// The values that each label is seen with.
    fn values(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut values: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for line in self.text.lines().filter(|line| !line.starts_with('#')) {
            for (label, value) in read_series(line).1 {
                values.entry(label).or_default().insert(value);
            }
        }
        for (label, unseen) in UNSEEN {
            let values = values.entry(label.to_owned()).or_default();
            values.extend(unseen.iter().map(|value| (*value).to_owned()));
        }
        values
    }
}

fn source(from: &[Origin]) -> String {
    let of: Vec<_> = from
        .iter()
        .map(|origin| match origin {
            Origin::Configuration => "the configuration".to_owned(),
            Origin::Customers => "`discovery`".to_owned(),
            Origin::Collector(collector) => format!("`{collector}`"),
            Origin::Polls => "the exporter itself".to_owned(),
        })
        .collect();
    of.join(", ")
}

#[tokio::test]
async fn the_document_of_the_metrics_is_what_the_program_and_its_files_say() {
    let (metrics, uses) = (Metrics::read().await, uses());
    let text = document(&metrics, &uses);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let right = std::fs::read_to_string(PATH).unwrap_or_default();
    let differing = text
        .lines()
        .zip(right.lines())
        .find(|(made, there)| made != there);
    assert!(
        text == right,
        "docs/metrics.md is out of date, first in {differing:#?}; to write it anew: BLESS=1 cargo test --test it \
         metrics_md"
    );
}

#[tokio::test]
async fn every_metric_is_used_by_a_dashboard_or_a_rule() {
    let (metrics, uses) = (Metrics::read().await, uses());
    let mut unused: BTreeSet<&str> = metrics.rows.keys().map(String::as_str).collect();
    unused.retain(|name| uses.of(name).is_empty());
    let excused = UNUSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(unused, excused, "left: not used; right: excused");
    let unused: Vec<_> = uses
        .recorded()
        .filter(|(name, _)| uses.of(name).is_empty())
        .collect();
    assert!(unused.is_empty(), "recorded for nobody: {unused:?}");
}

#[tokio::test]
async fn dashboards_and_rules_name_only_what_there_is() {
    let (metrics, uses) = (Metrics::read().await, uses());
    let problems = uses.problems(&|name| metrics.labels(name), &metrics.values());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn what_there_is_not_is_found() {
    let metrics = Metrics::read().await;
    for (query, problem) in [
        ("avepoint_security_user", "names avepoint_security_user"),
        (
            "tenant:avepoint_security_user:max",
            "names tenant:avepoint_security_user:max",
        ),
        (
            "avepoint_security_users_bucket",
            "names avepoint_security_users_bucket",
        ),
        (
            "avepoint_security_users{status=\"high_risk\"}",
            "avepoint_security_users has no label status",
        ),
        (
            "avepoint_exposed_users{status=~\"high_risk|low_risk\"}",
            "status is never low_risk",
        ),
        (
            "sum by (status) (avepoint_security_users)",
            "nothing in it has the label status",
        ),
    ] {
        let uses = Uses::asking(query);
        let problems = uses.problems(&|name| metrics.labels(name), &metrics.values());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(problem), "{problems:?}");
    }
    for query in [
        "avepoint_exposed_users{status=\"high_risk\", job=~\"$job\"}",
        "sum by (le, api) (avepoint_api_request_duration_seconds_bucket)",
        "sum by (x) (label_replace(up, \"x\", \"y\", \"\", \"\"))",
    ] {
        let uses = Uses::asking(query);
        let problems = uses.problems(&|name| metrics.labels(name), &metrics.values());
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[tokio::test]
async fn routes_are_those_that_the_exporter_asks_for() {
    let metrics = Metrics::read().await;
    let mut asked = metrics.values().remove("route").unwrap();
    assert!(asked.remove("token"));
    let told: BTreeSet<_> = LISTINGS
        .iter()
        .flat_map(|(_, routes)| *routes)
        .map(|route| (*route).to_owned())
        .collect();
    assert_eq!(told, asked);
}

fn document(metrics: &Metrics, uses: &Uses) -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n| source | reads |\n|---|---|\n");
    for (name, routes) in LISTINGS {
        let routes: Vec<_> = routes.iter().map(|route| format!("`{route}`")).collect();
        let _ = writeln!(text, "| `{name}` | {} |", routes.join(", "));
    }
    let mut left: BTreeSet<_> = metrics.rows.keys().collect();
    for (title, beginnings) in SECTIONS {
        let _ = write!(
            text,
            "\n## {title}\n\n| metric | type | labels | meaning | source | used by |\n|---|---|---|---|---|---|\n"
        );
        for (name, row) in &metrics.rows {
            if beginnings.iter().any(|start| name.starts_with(start)) {
                left.remove(name);
                let _ = writeln!(
                    text,
                    "| `{name}` | {} | {} | {} | {} | {} |",
                    row.kind,
                    labels(&row.labels),
                    row.help,
                    row.source,
                    used_by(uses, name),
                );
            }
        }
    }
    assert!(left.is_empty(), "in no section: {left:?}");
    text.push_str(LABELS);
    for (label, meaning) in OPEN {
        let _ = writeln!(text, "| `{label}` | {meaning} | |");
    }
    for ((label, values), names) in metrics.closed() {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        let names = match names.len() {
            0..=4 => names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
            many => format!("{many} metrics"),
        };
        let _ = writeln!(text, "| `{label}` | {} | {names} |", values.join(", "));
    }
    text.push_str(RECORDED);
    for (name, expression) in uses.recorded() {
        let words: Vec<_> = expression.split_whitespace().collect();
        let expression = words.join(" ").replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{name}` | `{expression}` | {} |",
            used_by(uses, name)
        );
    }
    text
}

fn labels(labels: &BTreeSet<String>) -> String {
    let is_tenants = TENANT.iter().all(|label| labels.contains(*label));
    let tenant = is_tenants.then(|| "the tenant's".to_owned());
    let others = labels
        .iter()
        .filter(|label| !is_tenants || !TENANT.contains(&label.as_str()))
        .map(|label| format!("`{label}`"));
    let all: Vec<_> = tenant.into_iter().chain(others).collect();
    all.join(", ")
}

/// Who uses it. Where many of one kind do, only how many.
fn used_by(uses: &Uses, name: &str) -> String {
    const MANY: usize = 6;
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for place in uses.of(name) {
        groups.entry(&place.file).or_default().push(&place.title);
    }
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(file, titles)| match titles.len() {
            0..=MANY => format!("{file}: {}", titles.join(", ")),
            many => format!("{file}: {many} places"),
        })
        .collect();
    groups.join("; ").replace('|', "\\|")
}

const INTRODUCTION: &str = "\
# Metrics

All metrics on `/metrics`. A test generates this file from the program, its dashboards and its rules. The names are a
contract: the changelog lists every rename.

\"The tenant's\" labels are `m365_tenant_id` and `m365_tenant_name`; `avepoint_tenant_info` also has your own labels.
Figures come from the last successful poll of a listing, and are withdrawn when they are older than `stale_after`.
Dashboards and alerts use most metrics through the recorded series at the end.

A source is a collector, or `discovery`. With `endpoint: batch` the collector `security_users` reads
`…/overview/security/users/batch`.
";

const LABELS: &str = "
## Labels and their values

A code or a word that the exporter does not know appears as `unknown_<n>` or `unknown`.

| label | values | of |
|---|---|---|
";

const RECORDED: &str = "
## Recorded series

The series that `rules/` records from these metrics, for dashboards and alerts.

| series | expression | used by |
|---|---|---|
";
