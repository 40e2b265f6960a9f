//! All metrics of the targets in one list. The exporter's own series are not here, but in the registry of the
//! `prometheus` crate.

use std::borrow::Cow;

use crate::collectors::{self, Listed};
use crate::domain::{Collector, collectors};
use crate::metric::{Kind, Metric, Origin};

use super::{fleet, health};

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

/// All metrics of the targets, in the order of the exposition.
pub fn catalogue() -> impl Iterator<Item = Family> {
    let plain = |name| Cow::Borrowed(name);
    let mut all: Vec<_> = fleet::METRICS
        .iter()
        .map(|metric| Family::new(metric, plain(metric.name), metric.from.to_vec()))
        .collect();
    macro_rules! of_figures {
        ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
            $(all.extend(of::<collectors::$key::$variant>());)*
        };
    }
    collectors!(all of_figures);
    for unit in health::UNITS {
        // Without such a collector there are no such series.
        if Collector::configured().any(|one| one.unit() == unit) {
            all.extend(health::METRICS.iter().map(|metric| {
                let from = match metric.from {
                    [] => vec![Origin::Polls],
                    from => from.to_vec(),
                };
                Family::new(metric, health::name(metric.name, unit), from)
            }));
        }
    }
    all.into_iter()
}

/// The metrics of a collector's figures.
fn of<C: Listed>() -> impl Iterator<Item = Family> {
    C::METRICS.iter().map(|metric| {
        let own = Origin::Collector(C::COLLECTOR);
        let mut from: Vec<_> = metric.from.iter().copied().chain([own]).collect();
        from.sort_unstable();
        Family::new(metric, Cow::Borrowed(metric.name), from)
    })
}
