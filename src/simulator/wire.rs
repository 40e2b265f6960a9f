//! Writes JSON as upstream does, straight into bytes; `elements` and `partner` know the names of fields.
//! Knows nothing of HTTP and never reads anything back.

mod elements;
mod partner;

pub(super) use elements::Metadata;
pub(super) use partner::Links;

use serde::Serialize;

/// JSON in the making.
pub(super) struct Writer {
    out: Vec<u8>,
    /// Whether keys start with a capital.
    pascal: bool,
    /// Whether what is missing is written as `null`.
    nulls: bool,
}

impl Writer {
    pub(super) fn new(pascal: bool) -> Self {
        Self {
            out: Vec::with_capacity(16 << 10),
            pascal,
            nulls: false,
        }
    }

    /// A field that no documentation mentions, with arrays nested so deep; nothing where `depth` is 0.
    fn extension(&mut self, depth: usize) {
        if depth > 0 {
            self.key("extension");
            for bracket in [b'[', b']'] {
                self.out.resize(self.out.len() + depth, bracket);
            }
        }
    }

    /// Nothing where a row should be.
    pub(super) fn null_row(&mut self) {
        self.comma();
        self.raw("null");
    }

    fn row(&mut self, k: usize) {
        self.nulls = k.is_multiple_of(2);
        self.comma();
        self.raw("{");
    }

    /// A field; what is missing is written as the row's index has it.
    fn field(&mut self, key: &str, value: Option<impl Serialize>) {
        let Some(value) = value else {
            return self.nothing(key);
        };
        self.key(key);
        // Writing text and numbers into memory cannot fail.
        serde_json::to_writer(&mut self.out, &value).unwrap_or_default();
    }

    /// A field that is an object with these fields.
    fn object(&mut self, key: &str, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.raw("{");
        fields(self);
        self.raw("}");
    }

    /// A field that is an array of objects, each with these fields.
    fn objects<T>(&mut self, key: &str, items: Option<&[T]>, fields: impl Fn(&mut Self, &T)) {
        let Some(items) = items else {
            return self.nothing(key);
        };
        self.key(key);
        self.raw("[");
        for item in items {
            self.comma();
            self.raw("{");
            fields(self, item);
            self.raw("}");
        }
        self.raw("]");
    }

    fn nothing(&mut self, key: &str) {
        if self.nulls {
            self.key(key);
            self.raw("null");
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.raw("\"");
        let start = self.out.len();
        self.raw(key);
        if self.pascal
            && let Some(first) = self.out.get_mut(start)
        {
            first.make_ascii_uppercase();
        }
        self.raw("\":");
    }

    /// A comma, unless nothing stands before.
    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.raw(",");
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
