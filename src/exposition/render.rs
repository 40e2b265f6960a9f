//! Renders and compresses a snapshot once, so that a scrape only sends bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::{Registry, TextEncoder};

use crate::domain::Timestamp;
use crate::snapshot::Snapshot;

use super::catalogue::{Source, catalogue};
use super::text::{Labels, Samples};

/// A piece of the exposition, ready to be sent. Two pieces in a row are one exposition, compressed or not.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// As text.
    pub plain: Bytes,
    /// As a gzip member.
    pub gzip: Bytes,
    /// Whether each poll had been tried once when it was rendered, or an earlier process knew figures that were fresh.
    pub is_ready: bool,
}

impl Body {
    /// The series of the tenants at this moment.
    pub fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        Self {
            is_ready: snapshot.first_round_ended(),
            ..Self::from(render(snapshot, now))
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self {
            gzip: gzip(text.as_bytes()),
            plain: text.into(),
            is_ready: false,
        }
    }
}

/// Compresses into a gzip member. Writing into memory cannot fail.
pub fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::default());
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default().into()
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
            }),
        }
    }
    text
}
