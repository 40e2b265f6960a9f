//! Floor 4: a snapshot becomes the text that Prometheus reads.

mod body;
mod catalogue;
mod fleet;
mod format;
mod health;
mod own;
mod packed;
mod render;

pub use crate::metric::{Kind, Origin};
pub use body::{Blocks, Body};
pub use catalogue::{Family, catalogue};
pub use format::Format;
pub use own::{Own, render_registry};
pub use packed::{Packed, Unpacking, gzip};
pub use render::render;
