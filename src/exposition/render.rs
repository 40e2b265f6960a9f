//! Renders and compresses a snapshot once, so that a scrape only sends bytes.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};

use crate::domain::Timestamp;
use crate::snapshot::Snapshot;

use super::catalogue::{Source, catalogue};
use super::packed::Packed;
use super::text::{Labels, Samples};

/// The text is compressed whenever so much of it is there, in bytes: that of a large fleet, of some ten megabytes, is
/// never in memory as a whole.
const PIECE: usize = 256 * 1024;

/// The series of the tenants, ready to be sent.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The text, piece by piece.
    pub pieces: Arc<[Packed]>,
    /// Whether each poll had been tried once when it was rendered, or an earlier process knew figures that were fresh.
    pub is_ready: bool,
}

impl Body {
    /// The series of the tenants at this moment.
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

/// The series of the tenants at this moment: stale figures are left out.
pub fn render(snapshot: &Snapshot, now: Timestamp) -> String {
    let mut all = String::new();
    render_in_pieces(snapshot, now, &mut |text| all.push_str(text));
    all
}

/// The same, in pieces as they come: each ends with a line, none is empty.
fn render_in_pieces(snapshot: &Snapshot, now: Timestamp, piece: &mut impl FnMut(&str)) {
    let tenant_labels: Vec<Labels> = snapshot
        .shown()
        .map(|tenant| {
            let id = tenant.tenant.tenant_id.to_string();
            Labels::new(&[
                ("m365_tenant_id", &id),
                ("m365_tenant_name", &tenant.tenant.tenant_name()),
            ])
        })
        .collect();
    let none = Labels::default();
    let mut text = String::new();
    for metric in catalogue() {
        let mut samples = Samples::new(&mut text, metric.head(), &none);
        let tenants = snapshot.shown().zip(&tenant_labels);
        match metric.samples {
            Source::Fleet(source) => source(snapshot, now, &mut samples),
            Source::Tenant(source) => tenants.for_each(|(tenant, labels)| {
                samples.scope(labels);
                source(tenant, now, &mut samples);
                samples.hand_over(PIECE, piece);
            }),
            Source::Collector(source) => tenants.for_each(|(tenant, labels)| {
                samples.scope(labels);
                for collector in &tenant.collectors {
                    source(
                        collector,
                        collector.config.kind.collector().as_str(),
                        &mut samples,
                    );
                }
                samples.hand_over(PIECE, piece);
            }),
        }
        samples.hand_over(PIECE, piece);
    }
    if !text.is_empty() {
        piece(&text);
    }
}
