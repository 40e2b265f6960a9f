//! Floor 4: a snapshot becomes the text that Prometheus reads.

mod catalogue;
mod fleet;
mod health;
mod packed;
mod render;

pub use crate::metric::{Kind, Origin};
pub use catalogue::{Family, catalogue};
pub use packed::{Packed, gzip};
pub use render::{Body, render, render_registry};
