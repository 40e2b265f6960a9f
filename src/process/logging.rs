//! The log on stderr, in logfmt or JSON. Only our own events are written: those of libraries may hold the
//! data that they send.

use std::io::{self, Write};

use clap::ValueEnum;
use indicatif::MultiProgress;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Begins to write the log. Lines that come while a progress bar is drawn are written above it.
///
/// # Errors
/// When the process writes a log already.
pub fn init(format: Format, level: Level, progress: MultiProgress) -> Result<(), TryInitError> {
    let filter = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(LevelFilter::OFF);
    let writer = move || AboveProgress(progress.clone());
    let layer = match format {
        Format::Logfmt => tracing_logfmt::builder()
            .with_target(false)
            .with_span_name(false)
            .with_span_path(false)
            .layer()
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_span_list(false)
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
    };
    tracing_subscriber::registry().with(layer).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(panic = %panic, "bug in the exporter; please report it");
    }));
    Ok(())
}

/// Writes to stderr, above the progress bar if there is one.
struct AboveProgress(MultiProgress);

impl Write for AboveProgress {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
