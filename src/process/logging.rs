//! The log on stderr, in logfmt or JSON. Only our own events are written: those of libraries may hold the
//! data that they send.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::ValueEnum;
use indicatif::MultiProgress;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// The flag whose value is a [`Format`].
const FLAG: &str = "--log.format";

/// Log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object per line.
    Json,
}

impl Format {
    /// The format that these arguments ask for, even if others among them are wrong.
    pub fn of(arguments: &[OsString]) -> Self {
        let mut format = Self::Logfmt;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let value = match argument.to_str().and_then(|text| text.strip_prefix(FLAG)) {
                Some("") => arguments.next().and_then(|value| value.to_str()),
                Some(value) => value.strip_prefix('='),
                None => None,
            };
            let value = value.and_then(|value| Self::from_str(value, false).ok());
            format = value.unwrap_or(format);
        }
        format
    }
}

/// Writes why the program ends as a line of JSON, though the log may not have begun.
pub fn last_words(why: &str) {
    // It has begun, unless the arguments are wrong.
    let _ = init(Format::Json, Level::ERROR, MultiProgress::new());
    tracing::error!(error = why, "avepoint-exporter ended with an error");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_even_where_other_arguments_are_wrong() {
        for (arguments, expected) in [
            ("", Format::Logfmt),
            ("--log.format=json", Format::Json),
            ("serve --wrong --log.format json more", Format::Json),
            ("--log.format=json --log.format=logfmt", Format::Logfmt),
            ("--log.format=json --log.format=xml", Format::Json),
            ("--log.formats=json", Format::Logfmt),
            ("--log.format", Format::Logfmt),
        ] {
            let arguments: Vec<_> = arguments.split(' ').map(OsString::from).collect();
            assert_eq!(Format::of(&arguments), expected, "{arguments:?}");
        }
    }
}
