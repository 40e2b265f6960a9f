//! The text of a web configuration as a tree of values with their places, read as the toolkit's YAML library does: types
//! follow from the key, not from the value, so that the words of a value are kept as they were written.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::config::outline;
use crate::config::problem::{Place, Problem};
use crate::config::words::{self, MAX_DEPTH};

/// Values in a file, with aliases written out: far more than thousands of users need.
const MAX_VALUES: usize = 1 << 16;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is before its key says what it should be.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// The empty value, `~` or `null`.
    Null,
    /// A single value.
    Scalar {
        text: String,
        /// Whether it stands in quotes, or in a block: text in any case.
        is_quoted: bool,
    },
    List(Vec<Node>),
    /// Keys in the order of the file, with duplicates. A merge (`<<`) is a key without quotes by that name.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// What it is, as messages name it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads the first document of the text; `None` if there is none. Others are left out, as the toolkit does.
pub(super) fn read(text: &str) -> Result<Option<Node>, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        values: 0,
    };
    reader
        .document()
        .map_err(|problem| words::of_tab(text).unwrap_or(problem))
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    values: usize,
}

impl<'text> Reader<'text> {
    fn document(&mut self) -> Result<Option<Node>, Problem> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(None),
                (event, span) => {
                    let root = self.node(event, span, 0)?;
                    // What follows up to the document's end must be right, too.
                    while !matches!(self.next()?.0, Event::DocumentEnd | Event::StreamEnd) {}
                    return Ok(Some(root));
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(words::of_syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Problem> {
        let place = outline::place(span);
        if depth > MAX_DEPTH {
            return Err(words::too_deep(place));
        }
        self.count(1, place)?;
        let (anchor, tag, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place),
            Event::SequenceStart(anchor, tag) => (anchor, tag, Value::List(self.list(depth)?)),
            Event::MappingStart(anchor, tag) => (anchor, tag, Value::Map(self.map(depth)?)),
            Event::Scalar(text, style, anchor, tag) => {
                let is_quoted = style != ScalarStyle::Plain;
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if !is_quoted => Value::Null,
                    _ => Value::Scalar {
                        text: text.into_owned(),
                        is_quoted,
                    },
                };
                (anchor, tag, value)
            }
            _ => {
                let message = "is not valid YAML here; expected a value";
                return Err(Problem::of_document(place, message));
            }
        };
        if tag.is_some_and(|tag: std::borrow::Cow<'_, Tag>| !tag.is_yaml_core_schema()) {
            let message =
                "the value has a YAML tag (!); expected a value without one, or in quotes";
            return Err(Problem::of_document(place, message));
        }
        let node = Node { place, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// A copy of what the alias stands for.
    fn alias(&mut self, anchor: usize, place: Place) -> Result<Node, Problem> {
        let node = self.anchors.get(&anchor).cloned().ok_or_else(|| {
            Problem::of_document(place, "an alias inside its own anchor; expected a value")
        })?;
        self.count(values(&node), place)?;
        Ok(node)
    }

    fn count(&mut self, values: usize, place: Place) -> Result<(), Problem> {
        self.values += values;
        if self.values > MAX_VALUES {
            let message = "the aliases (*) up to here stand for too much; expected few or none";
            return Err(Problem::of_document(place, message));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Problem> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if matches!(value.value, Value::Null) {
                // The span of an empty value is that of what follows it.
                value.place = key.place;
            }
            entries.push((key, value));
        }
    }
}

/// How many values there are in this one, itself among them.
fn values(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(values).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| values(key) + values(value))
            .sum(),
    }
}
