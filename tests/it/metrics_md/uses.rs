//! Which dashboards and rules use which series, and what they name that is not there.

use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::bundle::DASHBOARDS;
use regex::Regex;
use serde_json::Value;

use crate::promql::{self, Query, Selector};

/// Series that Prometheus makes.
const OF_PROMETHEUS: &[&str] = &[
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "ALERTS",
];

/// The labels of the series of alerts that their expressions or rules give them.
const OF_ALERTS: [&str; 9] = [
    "alertname",
    "alertstate",
    "api",
    "collector",
    "credential",
    "customer_id",
    "m365_tenant_id",
    "reference",
    "severity",
];

/// Labels whose values all stand in the expositions that they are compared with.
const CLOSED: &[&str] = &[
    "api",
    "collector",
    "coverage",
    "credential",
    "ending",
    "exclude_test_users",
    "mode",
    "module",
    "password_age",
    "protected",
    "reason",
    "reference",
    "source",
    "source_endpoint",
    "state",
    "status",
];

/// A panel, a variable, an annotation or an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The dashboard's title, or "Alerts".
    pub(super) file: String,
    pub(super) title: String,
}

/// Who names which series.
pub(super) struct Uses {
    asked: Vec<(Place, Query)>,
    /// By name, with the text of the expression.
    records: BTreeMap<String, (String, Query)>,
}

/// What all dashboards and rules use.
pub(super) fn uses() -> Uses {
    let mut uses = Uses {
        asked: Vec::new(),
        records: BTreeMap::new(),
    };
    for rule in promql::rules() {
        let query = promql::read(&rule.expr);
        if let Some(name) = rule.record {
            let before = uses.records.insert(name.clone(), (rule.expr, query));
            assert!(before.is_none(), "{name} is recorded twice");
            continue;
        }
        let place = Place {
            file: "Alerts".to_owned(),
            title: rule.alert.unwrap(),
        };
        let templates = rule.annotations.values().flat_map(|text| in_template(text));
        uses.asked
            .extend(templates.map(|query| (place.clone(), query)));
        uses.asked.push((place, query));
    }
    for file in DASHBOARDS.files {
        let dashboard: Value = serde_json::from_str(file.text).unwrap();
        let title = dashboard["title"].as_str().unwrap();
        let (_, short) = title.rsplit_once(" / ").unwrap_or(("", title));
        walk(&dashboard, short, "", &mut uses.asked);
    }
    uses
}

/// The queries of an annotation, which stand in it as formats.
fn in_template(text: &str) -> Vec<Query> {
    let format = Regex::new(r#"printf "((?:[^"\\]|\\.)*)""#).unwrap();
    let queries = format.captures_iter(text).map(|found| {
        let query = found[1].replace("%q", "\"\"").replace("\\\"", "\"");
        promql::read(&query)
    });
    queries.collect()
}

/// The queries of the panels, variables and annotations in a part of a dashboard.
fn walk(value: &Value, file: &str, title: &str, found: &mut Vec<(Place, Query)>) {
    match value {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let title = text("title").or(text("name")).unwrap_or(title);
            for name in ["expr", "query"] {
                // The query of the data source's variable is the data source's type.
                if let Some(query) = text(name).filter(|query| *query != "prometheus") {
                    let place = Place {
                        file: file.to_owned(),
                        title: title.to_owned(),
                    };
                    found.push((place, promql::read(&promql::of_variable(query))));
                }
            }
            for inner in fields.values() {
                walk(inner, file, title, found);
            }
        }
        Value::Array(values) => {
            for inner in values {
                walk(inner, file, title, found);
            }
        }
        _ => {}
    }
}

impl Uses {
    /// Of this query alone.
    pub(super) fn asking(query: &str) -> Self {
        let place = Place {
            file: "A test".to_owned(),
            title: "a query".to_owned(),
        };
        Self {
            asked: vec![(place, promql::read(query))],
            records: BTreeMap::new(),
        }
    }

    /// The recorded series, each with its expression.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (&str, &str)> {
        let records = self.records.iter();
        records.map(|(name, (text, _))| (name.as_str(), text.as_str()))
    }

    /// Who uses a series, by its name or that of a series that is recorded from it.
    pub(super) fn of(&self, name: &str) -> BTreeSet<&Place> {
        let mut names = BTreeSet::from([name.to_owned()]);
        for end in ["_bucket", "_sum", "_count"] {
            names.insert(format!("{name}{end}"));
        }
        let is_named = |query: &Query, names: &BTreeSet<String>| {
            query.selectors.iter().any(|one| names.contains(&one.name))
        };
        loop {
            let before = names.len();
            for (record, (_, query)) in &self.records {
                if is_named(query, &names) {
                    names.insert(record.clone());
                }
            }
            if names.len() == before {
                break;
            }
        }
        let users = self.asked.iter();
        users
            .filter(|(_, query)| is_named(query, &names))
            .map(|(place, _)| place)
            .collect()
    }

    /// Names of series and labels, and values of labels, that there are not. `labels` tells those of a metric.
    pub(super) fn problems(
        &self,
        labels: &dyn Fn(&str) -> Option<BTreeSet<String>>,
        values: &BTreeMap<String, BTreeSet<String>>,
    ) -> Vec<String> {
        let asked = self
            .asked
            .iter()
            .map(|(place, query)| (format!("{}: {}", place.file, place.title), query));
        let recorded = self
            .records
            .iter()
            .map(|(name, (_, query))| (name.clone(), query));
        let mut problems = BTreeSet::new();
        for (place, query) in asked.chain(recorded) {
            let mut all = BTreeSet::new();
            for selector in &query.selectors {
                let Some(labels) = self.labels(selector, labels) else {
                    problems.insert(format!("{place} names {}", selector.name));
                    continue;
                };
                for matcher in &selector.matchers {
                    if !labels.contains(&matcher.label) {
                        problems.insert(format!(
                            "{place}: {} has no label {}",
                            selector.name, matcher.label
                        ));
                    }
                    if !CLOSED.contains(&matcher.label.as_str()) {
                        continue;
                    }
                    for value in matcher.values() {
                        if !values[&matcher.label].contains(value) {
                            problems.insert(format!("{place}: {} is never {value}", matcher.label));
                        }
                    }
                }
                all.extend(labels);
            }
            all.extend(query.strings.iter().cloned());
            for label in query.labels.iter().filter(|label| !all.contains(*label)) {
                problems.insert(format!("{place}: nothing in it has the label {label}"));
            }
        }
        problems.into_iter().collect()
    }

    /// The labels that a series may have. A recorded one has at most those of what it is recorded from, and those that
    /// its expression makes, whose names are strings in it.
    fn labels(
        &self,
        selector: &Selector,
        of_metric: &dyn Fn(&str) -> Option<BTreeSet<String>>,
    ) -> Option<BTreeSet<String>> {
        let mut labels = match self.records.get(&selector.name) {
            Some((_, query)) => {
                let mut labels: BTreeSet<_> = query.strings.iter().cloned().collect();
                for inner in &query.selectors {
                    labels.extend(self.labels(inner, of_metric)?);
                }
                labels
            }
            None if selector.name == "ALERTS" => OF_ALERTS.map(str::to_owned).into(),
            None if OF_PROMETHEUS.contains(&selector.name.as_str()) => BTreeSet::new(),
            None => of_metric(&selector.name)?,
        };
        labels.extend(["job", "instance"].map(str::to_owned));
        if selector.name.starts_with("avepoint:") && selector.name.ends_with(":threshold") {
            // Operators record thresholds of one tenant by the same name.
            labels.insert("m365_tenant_id".to_owned());
        }
        Some(labels)
    }
}
