//! Floor 4: a snapshot becomes the text that Prometheus reads.

mod catalogue;
mod packed;
mod render;
mod text;

pub use catalogue::{Metric, Origin, catalogue};
pub use packed::{Packed, gzip};
pub use render::{Body, render, render_registry};
pub use text::Kind;
