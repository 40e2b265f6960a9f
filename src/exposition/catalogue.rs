//! All metrics of the targets in one list. The exporter's own series are not here, but in the registry of the
//! `prometheus` crate.

use std::borrow::Cow;
use std::fmt;

use crate::collectors::{self, Listed};
use crate::domain::{Collector, Timestamp, Unit, collectors};
use crate::metric::{Kind, Metric, Origin, Samples};
use crate::snapshot::{Snapshot, TargetSnapshot};

use super::{fleet, health};

/// A metric and where its samples come from.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) family: Family,
    pub(super) source: Source,
}

/// Writes the samples of a metric.
pub(super) enum Source {
    /// Those of everything together.
    Fleet(fn(&Snapshot, Timestamp, &mut Samples<'_>)),
    /// Those of one target, whose labels come first.
    Target(Box<TargetSource>),
}

type TargetSource = dyn Fn(&TargetSnapshot, Timestamp, &mut Samples<'_>) + Send + Sync;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fleet(_) => "Fleet",
            Self::Target(_) => "Target",
        })
    }
}

/// A metric as the exposition shows it.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Whether it goes up only.
    pub kind: Kind,
    /// What it means, in one line.
    pub help: &'static str,
    /// The labels beside those of its target.
    pub labels: &'static [&'static str],
    /// What its values come from.
    pub from: Vec<Origin>,
}

impl Family {
    fn new<S>(metric: &Metric<S>, name: Cow<'static, str>, from: Vec<Origin>) -> Self {
        Self {
            name,
            kind: metric.kind,
            help: metric.help,
            labels: metric.labels,
            from,
        }
    }
}

/// All metrics of the targets, by subject.
pub fn catalogue() -> impl Iterator<Item = Family> {
    by_subject().into_iter().map(|row| row.family)
}

/// All metrics of the targets in the order of the exposition: by name.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let mut rows = by_subject();
    rows.sort_by(|one, other| one.family.name.cmp(&other.family.name));
    rows.into_iter()
}

fn by_subject() -> Vec<Row> {
    let mut all: Vec<_> = fleet::METRICS.iter().map(of_fleet).collect();
    macro_rules! of_figures {
        ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
            $(all.extend(of_figures::<collectors::$key::$variant>());)*
        };
    }
    collectors!(all of_figures);
    for unit in health::UNITS {
        // Without such a collector there are no such series.
        if Collector::configured().any(|one| one.unit() == unit) {
            all.extend(health::METRICS.iter().map(|metric| of_health(metric, unit)));
        }
    }
    all
}

fn of_fleet(metric: &'static Metric<fleet::Source>) -> Row {
    let source = match metric.samples {
        fleet::Source::Fleet(write) => Source::Fleet(write),
        fleet::Source::Tenant(write) => Source::Target(Box::new(move |target, _, out| {
            if let Some(tenant) = target.target.tenant() {
                write(tenant, out);
            }
        })),
    };
    let name = Cow::Borrowed(metric.name);
    let family = Family::new(metric, name, metric.from.to_vec());
    Row { family, source }
}

/// The metrics of a collector's figures, where these are fresh.
fn of_figures<C: Listed>() -> impl Iterator<Item = Row> {
    C::METRICS.iter().map(|metric| {
        let own = Origin::Collector(C::COLLECTOR);
        let mut from: Vec<_> = metric.from.iter().copied().chain([own]).collect();
        from.sort_unstable();
        let write = metric.samples;
        Row {
            family: Family::new(metric, Cow::Borrowed(metric.name), from),
            source: Source::Target(Box::new(move |target, now, out| {
                if let Some(figures) = target.fresh::<C>(now) {
                    write(&figures, out);
                }
            })),
        }
    })
}

fn of_health(metric: &'static Metric<health::Source>, unit: Unit) -> Row {
    let from = match metric.from {
        [] => vec![Origin::Polls],
        from => from.to_vec(),
    };
    let write = metric.samples;
    Row {
        family: Family::new(metric, health::name(metric.name, unit), from),
        source: Source::Target(Box::new(move |target, now, out| {
            if target.id().unit() == unit {
                for collector in target.with_health() {
                    write(collector, collector.collector().as_str(), now, out);
                }
            }
        })),
    }
}
