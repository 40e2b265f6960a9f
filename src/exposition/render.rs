//! Renders and compresses a snapshot once, so that a scrape only sends bytes.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};

use crate::collectors::{self, Listed};
use crate::domain::{Timestamp, collectors};
use crate::metric::{Metric, Samples, labels};
use crate::snapshot::{Snapshot, TargetSnapshot};

use super::packed::Packed;
use super::{fleet, health};

/// The text is compressed whenever so much of it is there, in bytes: that of a large fleet, of some ten megabytes, is
/// never in memory as a whole.
const PIECE: usize = 256 * 1024;

/// The series of the targets, ready to be sent.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The text, piece by piece.
    pub pieces: Arc<[Packed]>,
    /// Whether each poll had been tried once when it was rendered, or an earlier process knew figures that were fresh.
    pub is_ready: bool,
}

impl Body {
    /// The series of the targets at this moment.
    pub fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        let mut pieces = Vec::new();
        render_in_pieces(snapshot, now, &mut |text| {
            pieces.push(Packed::new(text.as_bytes()));
        });
        Self {
            pieces: pieces.into(),
            is_ready: snapshot.first_round_ended(),
        }
    }
}

/// The series of a registry: those of the exporter itself.
///
/// # Errors
/// When a family in it has no samples or no name; those of this program have.
pub fn render_registry(registry: &Registry) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather())
}

/// The series of the targets at this moment: stale figures are left out.
pub fn render(snapshot: &Snapshot, now: Timestamp) -> String {
    let mut all = String::new();
    render_in_pieces(snapshot, now, &mut |text| all.push_str(text));
    all
}

/// The same, in pieces as they come: each ends with a line, none is empty.
fn render_in_pieces(snapshot: &Snapshot, now: Timestamp, piece: &mut dyn FnMut(&str)) {
    let targets = snapshot.shown();
    let targets: Vec<_> = targets
        .map(|one| (labels(&one.target.labels()), &**one))
        .collect();
    let mut out = Out {
        text: String::new(),
        piece,
    };
    for metric in fleet::METRICS {
        match metric.samples {
            fleet::Source::Fleet(source) => {
                let fleet = [(&String::new(), snapshot)];
                out.family(metric, metric.name, fleet, |snapshot, samples| {
                    source(snapshot, now, samples);
                });
            }
            fleet::Source::Tenant(source) => {
                let tenants = targets.iter();
                let tenants =
                    tenants.filter_map(|(labels, one)| Some((labels, one.target.tenant()?)));
                out.family(metric, metric.name, tenants, |tenant, samples| {
                    source(tenant, samples);
                });
            }
        }
    }
    macro_rules! of_figures {
        ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
            $(figures::<collectors::$key::$variant>(&targets, now, &mut out);)*
        };
    }
    collectors!(all of_figures);
    for unit in health::UNITS {
        for metric in health::METRICS {
            let targets = targets.iter().filter(|(_, one)| one.id().unit() == unit);
            let targets = targets.map(|(labels, one)| (labels, *one));
            let name = health::name(metric.name, unit);
            out.family(metric, &name, targets, |target, samples| {
                for collector in target.with_health() {
                    let name = collector.collector().as_str();
                    (metric.samples)(collector, name, now, samples);
                }
            });
        }
    }
    if !out.text.is_empty() {
        (out.piece)(&out.text);
    }
}

/// The metrics of a collector's figures, where these are fresh.
fn figures<C: Listed>(targets: &Targets<'_>, now: Timestamp, out: &mut Out<'_>) {
    for metric in C::METRICS {
        // Again for each metric: figures without a stale join are copies, of which one at a time is in memory.
        let targets = targets.iter();
        let fresh = targets.filter_map(|(labels, one)| Some((labels, one.fresh::<C>(now)?)));
        out.family(metric, metric.name, fresh, |figures, samples| {
            (metric.samples)(&figures, samples);
        });
    }
}

/// The targets that have series, with the labels that all of these carry.
type Targets<'a> = [(String, &'a TargetSnapshot)];

/// Where the text goes.
struct Out<'p> {
    text: String,
    piece: &'p mut dyn FnMut(&str),
}

impl Out<'_> {
    /// Writes the samples of one metric by this name, for each of these with its labels.
    fn family<'a, S, T>(
        &mut self,
        metric: &Metric<S>,
        name: &str,
        each: impl IntoIterator<Item = (&'a String, T)>,
        write: impl Fn(T, &mut Samples<'_>),
    ) {
        let mut samples = Samples::new(&mut self.text, metric, name);
        for (labels, one) in each {
            samples.scope(labels);
            write(one, &mut samples);
            samples.hand_over(PIECE, self.piece);
        }
    }
}
