//! Samples as Prometheus' text format 0.0.4 and OpenMetrics 1.0 both have them.

use std::fmt::Write as _;

/// Labels in the text format, without braces, each followed by a comma.
pub(crate) fn labels(labels: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        write_label(name, value, &mut text);
    }
    text
}

/// Takes the samples of one metric and writes them. The metric's head is apart from them.
#[derive(Debug)]
pub struct Samples<'a> {
    out: &'a mut String,
    name: &'a str,
    labels: &'static [&'static str],
    scope: &'a str,
}

impl<'a> Samples<'a> {
    /// Those of a metric of this name with these labels of its own.
    pub(crate) const fn new(
        out: &'a mut String,
        name: &'a str,
        labels: &'static [&'static str],
    ) -> Self {
        Self {
            out,
            name,
            labels,
            scope: "",
        }
    }

    /// The samples that follow have these [`labels`] before their own.
    pub(crate) const fn scope(&mut self, scope: &'a str) {
        self.scope = scope;
    }

    /// Writes a sample. `values` are those of the metric's own labels, in their order.
    pub fn put(&mut self, values: &[&str], value: f64) {
        self.put_with(values, [], value);
    }

    /// Writes a sample if it has a value.
    pub fn put_some(&mut self, values: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.put(values, value);
        }
    }

    /// Writes a number of users, or of something else that is counted.
    pub fn count(&mut self, values: &[&str], count: u64) {
        self.put(values, count as f64);
    }

    /// Writes a sample that has more labels than its metric knows of.
    pub fn put_with<'v>(
        &mut self,
        values: &[&'v str],
        more: impl IntoIterator<Item = (&'v str, &'v str)>,
        value: f64,
    ) {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        self.out.push_str(self.name);
        let labels_at = self.out.len();
        self.out.push('{');
        self.out.push_str(self.scope);
        let own = self.labels.iter().copied().zip(values.iter().copied());
        own.chain(more)
            .for_each(|(name, value)| write_label(name, value, self.out));
        // The last comma becomes the closing brace; without labels there are no braces.
        if self.out.pop() == Some(',') {
            self.out.push('}');
        } else {
            self.out.truncate(labels_at);
        }
        self.out.push(' ');
        write_value(value, self.out);
        self.out.push('\n');
    }
}

/// The shortest text that is this number, in both formats.
fn write_value(value: f64, out: &mut String) {
    // Up to here each whole number is a float, and most values are.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.is_sign_positive() && value < WHOLE && value.fract() == 0.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, not negative and small enough"
        )]
        let whole = value as u64;
        out.push_str(itoa::Buffer::new().format(whole));
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let _ = write!(out, "{value}");
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
