//! Floor 4: a snapshot becomes the text that Prometheus reads.

mod catalogue;
mod render;
mod text;

pub use catalogue::{Metric, catalogue};
pub use render::{Body, gzip, render, render_registry};
pub use text::Kind;
