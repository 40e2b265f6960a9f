//! The formats of the exposition, as far as they differ: in the heads of the families, not in the samples.

use std::fmt::Write as _;

/// A format of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0, which Prometheus prefers.
    OpenMetrics,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What the exposition ends with.
    pub(super) const fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }

    /// Writes the lines in front of a family's samples. `name` is that of the samples, but of a histogram; `kind` is
    /// the type.
    pub(super) fn head(self, name: &str, kind: &str, help: &str, out: &mut String) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        match self {
            Self::Text => {
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
            Self::OpenMetrics => {
                // A counter's family lacks the suffix that its samples have.
                let name = match kind {
                    "counter" => name.strip_suffix("_total").unwrap_or(name),
                    _ => name,
                };
                let help = help.replace('"', "\\\"");
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
                let unit = ["seconds", "bytes"].into_iter().find(|unit| {
                    let rest = name.strip_suffix(unit);
                    rest.is_some_and(|rest| rest.ends_with('_'))
                });
                if let Some(unit) = unit {
                    let _ = writeln!(out, "# UNIT {name} {unit}");
                }
            }
        }
    }
}

/// One for each format.
#[derive(Debug, Default)]
pub(super) struct ByFormat<T> {
    text: T,
    open_metrics: T,
}

impl<T> ByFormat<T> {
    pub(super) fn new(mut one: impl FnMut(Format) -> T) -> Self {
        Self {
            text: one(Format::Text),
            open_metrics: one(Format::OpenMetrics),
        }
    }

    pub(super) const fn get(&self, format: Format) -> &T {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.open_metrics,
        }
    }
}
