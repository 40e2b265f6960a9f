//! Floor 1: what there is to say about a metric, in one place each, and its samples as text.
//!
//! Tables of metrics are made of these by the floors above: each collector has one of its figures, `exposition` those
//! of the fleet and of the health of polls.

mod text;

use crate::domain::Collector;

pub use text::Samples;
pub(crate) use text::labels;

/// Whether a metric goes up only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It goes up until the exporter is restarted.
    Counter,
}

impl Kind {
    /// The type's name in the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// What the values of a metric come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// What the operator has written.
    Configuration,
    /// The listing of customers, which discovery reads.
    Customers,
    /// What this collector reads.
    Collector(Collector),
    /// How the reading of listings fares.
    Polls,
}

/// A metric. `S` is the function that makes its samples; its arguments are the metric's scope.
#[derive(Debug, Clone, Copy)]
pub struct Metric<S> {
    /// Its name.
    pub name: &'static str,
    /// Whether it goes up only.
    pub kind: Kind,
    /// What it means, in one line.
    pub help: &'static str,
    /// The labels beside those of its target.
    pub labels: &'static [&'static str],
    /// What its values come from; of a collector's own metric, what else they come from.
    pub from: &'static [Origin],
    /// Writes its samples.
    pub samples: S,
}

/// A metric of a collector's figures `F`, for each target.
pub type FiguresMetric<F> = Metric<fn(&F, &mut Samples<'_>)>;

impl<S: Copy> Metric<S> {
    /// A metric that goes up and down.
    pub const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        samples: S,
    ) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            help,
            labels,
            from: &[],
            samples,
        }
    }

    /// A metric that goes up only.
    pub const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        samples: S,
    ) -> Self {
        Self {
            kind: Kind::Counter,
            ..Self::gauge(name, help, labels, samples)
        }
    }
}
