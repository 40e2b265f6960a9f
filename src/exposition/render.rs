//! Renders a snapshot as text, metric by metric.

use std::sync::Arc;

use crate::domain::Timestamp;
use crate::metric::{Samples, labels};
use crate::snapshot::{Snapshot, TargetSnapshot};

use super::catalogue::{Row, Source, rows};
use super::format::Format;

/// The series of the targets at this moment, in the text format: stale figures are left out.
pub fn render(snapshot: &Snapshot, now: Timestamp) -> String {
    let targets = in_order(snapshot);
    let scopes = scopes(&targets);
    let mut all = String::new();
    for row in rows() {
        let head_at = all.len();
        let family = &row.family;
        Format::Text.head(&family.name, family.kind.as_str(), family.help, &mut all);
        let samples_at = all.len();
        write_fleet(&row, snapshot, now, &mut all);
        write_targets(&row, &targets, &scopes, now, &mut all);
        if all.len() == samples_at {
            all.truncate(head_at);
        }
    }
    all
}

/// The targets that have series, by id: their order in the configuration makes no difference.
pub(super) fn in_order(snapshot: &Snapshot) -> Vec<Arc<TargetSnapshot>> {
    let mut targets: Vec<_> = snapshot.shown().cloned().collect();
    targets.sort_by_key(|one| one.id());
    targets
}

/// The labels that all series of these targets carry.
pub(super) fn scopes(targets: &[Arc<TargetSnapshot>]) -> Vec<String> {
    let targets = targets.iter();
    targets.map(|one| labels(&one.target.labels())).collect()
}

/// Writes the samples of a metric of the whole fleet; none of another metric.
pub(super) fn write_fleet(row: &Row, snapshot: &Snapshot, now: Timestamp, out: &mut String) {
    if let Source::Fleet(write) = &row.source {
        let family = &row.family;
        write(
            snapshot,
            now,
            &mut Samples::new(out, &family.name, family.labels),
        );
    }
}

/// Writes the samples that a metric has of these targets. `scopes` are their labels.
pub(super) fn write_targets(
    row: &Row,
    targets: &[Arc<TargetSnapshot>],
    scopes: &[String],
    now: Timestamp,
    out: &mut String,
) {
    if let Source::Target(write) = &row.source {
        let mut samples = Samples::new(out, &row.family.name, row.family.labels);
        for (target, scope) in targets.iter().zip(scopes) {
            samples.scope(scope);
            write(target, now, &mut samples);
        }
    }
}
