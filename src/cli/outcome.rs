//! What a command leaves behind: text on stdout, or why it failed.

use std::io::Write as _;

use anyhow::Context as _;

/// Why the program did not do what was asked for.
#[derive(Debug)]
pub enum Failed {
    /// The arguments or the configuration are wrong.
    Usage(anyhow::Error),
    /// The rate limit is too low for all intervals. What to change was printed.
    DoesNotFit,
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Writes to stdout.
pub(super) fn print(text: &str) -> Result<(), Failed> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(written.context("failed to write to stdout")?)
}
