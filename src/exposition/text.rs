//! Prometheus' text format 0.0.4, as far as gauges and counters need it.

use std::fmt::Write as _;

/// Whether a metric goes up only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It goes up until the exporter is restarted.
    Counter,
}

impl Kind {
    /// The type's name in the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// What the text format says of a metric before its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// The labels of its own.
    pub(super) labels: &'static [&'static str],
}

/// Labels in the text format, without braces, each followed by a comma.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(String);

impl Labels {
    /// Labels that come before all others.
    pub(super) fn new(labels: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (name, value) in labels {
            write_label(name, value, &mut text);
        }
        Self(text)
    }
}

/// Takes the samples of one metric and writes them, after the metric's head when there is at least one.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    out: &'a mut String,
    head: Head,
    scope: &'a Labels,
    head_written: bool,
}

impl<'a> Samples<'a> {
    pub(super) fn new(out: &'a mut String, head: Head, scope: &'a Labels) -> Self {
        Self {
            out,
            head,
            scope,
            head_written: false,
        }
    }

    /// The samples that follow have these labels before their own.
    pub(super) fn scope(&mut self, scope: &'a Labels) {
        self.scope = scope;
    }

    /// Hands over what is written, once it is this long, in bytes.
    pub(super) fn hand_over(&mut self, at_least: usize, piece: &mut impl FnMut(&str)) {
        if self.out.len() >= at_least {
            piece(self.out);
            self.out.clear();
        }
    }

    /// Writes a sample. `values` are those of the metric's own labels, in their order.
    pub(super) fn put(&mut self, values: &[&str], value: f64) {
        self.put_with(values, [], value);
    }

    /// Writes a number of users, or of something else that is counted.
    pub(super) fn count(&mut self, values: &[&str], count: u64) {
        self.put(values, count as f64);
    }

    /// Writes a sample that has more labels than its metric knows of.
    pub(super) fn put_with<'v>(
        &mut self,
        values: &[&'v str],
        more: impl IntoIterator<Item = (&'v str, &'v str)>,
        value: f64,
    ) {
        debug_assert_eq!(values.len(), self.head.labels.len(), "{}", self.head.name);
        let Head { name, help, .. } = self.head;
        if !self.head_written {
            self.head_written = true;
            let kind = self.head.kind.as_str();
            // The help is ours and holds nothing to escape; a test over the catalogue holds that.
            let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        self.out.push_str(name);
        let labels_at = self.out.len();
        self.out.push('{');
        self.out.push_str(&self.scope.0);
        let own = self.head.labels.iter().copied().zip(values.iter().copied());
        own.chain(more)
            .for_each(|(name, value)| write_label(name, value, self.out));
        // The last comma becomes the closing brace; without labels there are no braces.
        if self.out.pop() == Some(',') {
            self.out.push('}');
        } else {
            self.out.truncate(labels_at);
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn write_label(name: &str, value: &str, out: &mut String) {
    out.push_str(name);
    out.push_str("=\"");
    if value.contains(['\\', '"', '\n']) {
        out.push_str(
            &value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n"),
        );
    } else {
        out.push_str(value);
    }
    out.push_str("\",");
}
