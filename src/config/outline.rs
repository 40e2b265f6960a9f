//! Where things stand in a YAML text: a tree of places without values, from the events of `saphyr-parser`.
//! Reading it finds what the types cannot see: duplicate keys with both places, keys without a value, tags,
//! a second document. It also bounds the depth before any other reader sees the text, since the time that
//! libyaml takes grows with the square of the depth, and how much all aliases stand for, since other readers write
//! that out.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::problem::{KeyPath, Place, Problem, Step};
use super::shown::is_plausible_key;
use super::words::{self, MAX_DEPTH};
use crate::domain::{ByteSize, Collector};

/// What all aliases of a file may stand for together. Ten thousand tenants with aliases for all options of all their
/// collectors, and for some labels, have less; a reader takes some hundred MiB for this much at worst.
const MAX_EXPANSION: ByteSize = ByteSize(16 << 20);

/// What a key, a value, a list or a mapping counts beside its text: about what it takes in memory in any case.
const NODE: usize = 16;

/// Keys that may have no value, since everything below them may be commented out; so may those of collectors.
const SECTIONS: [&str; 10] = [
    "elements",
    "rate_limit",
    "limits",
    "partner_center",
    "collectors",
    "discovery",
    "include",
    "exclude",
    "tenants",
    "labels",
];

fn is_section(key: &str) -> bool {
    SECTIONS.contains(&key) || Collector::configured().any(|one| one.as_str() == key)
}

/// The places of everything in one document.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// An alias shares its anchor's node, so that the tree stays as small as the text.
    nodes: Vec<Node>,
    root: usize,
    /// The first alias, for errors about aliases that have no place of their own.
    pub(super) first_alias: Option<Place>,
}

#[derive(Debug)]
struct Node {
    place: Place,
    /// How much it stands for, with all that is in it and aliases written out.
    size: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Null,
    Scalar,
    List(Vec<usize>),
    Map(HashMap<String, usize>),
}

impl Outline {
    /// Reads the text.
    ///
    /// # Errors
    ///
    /// What is wrong with the text as YAML (the first fault alone), or with its shape (all faults).
    pub(super) fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            parser: Parser::new_from_str(text),
            outline: Self::default(),
            anchors: HashMap::new(),
            expansion: 0,
            problems: Vec::new(),
        };
        // A tab is found late by the library, lines after it, or not called one.
        reader
            .document()
            .map_err(|problem| vec![words::of_tab(text).unwrap_or(problem)])?;
        if reader.problems.is_empty() {
            Ok(reader.outline)
        } else {
            Err(reader.problems)
        }
    }

    /// The place of the value at the path; where the path ends early, of the deepest value on it.
    pub(super) fn place(&self, path: &KeyPath) -> Place {
        let mut place = Place::START;
        let mut next = Some(self.root);
        let mut steps = path.0.iter();
        while let Some(node) = next.and_then(|index| self.nodes.get(index)) {
            place = node.place;
            next = match (steps.next(), &node.content) {
                (Some(Step::Key(key)), Content::Map(entries)) => entries.get(key).copied(),
                (Some(Step::Index(index)), Content::List(items)) => items.get(*index).copied(),
                _ => None,
            };
        }
        place
    }
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    outline: Outline,
    anchors: HashMap<usize, usize>,
    /// What the aliases so far stand for.
    expansion: usize,
    problems: Vec<Problem>,
}

impl<'text> Reader<'text> {
    fn document(&mut self) -> Result<(), Problem> {
        let empty =
            "the file is empty; expected the keys elements and tenants (see config.example.yaml)";
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Err(Problem::of_document(Place::START, empty)),
                (event, span) => {
                    self.outline.root = self.node(event, span, &KeyPath::default(), 0)?;
                    break;
                }
            }
        }
        if let Some(root) = self.outline.nodes.get(self.outline.root) {
            let found = match root.content {
                Content::Map(_) => "",
                Content::Null => empty,
                Content::Scalar => {
                    "the file is plain text; expected the keys elements and tenants, each followed by a colon"
                }
                Content::List(_) => "the file is a list; expected the keys elements and tenants",
            };
            if !found.is_empty() {
                return Err(Problem::of_document(root.place, found));
            }
        }
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    let message =
                        "a second document starts here; expected one document in the file";
                    return Err(Problem::of_document(place(span), message));
                }
                _ => {}
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

    /// Takes in the value that starts with this event, and returns its number.
    fn node(
        &mut self,
        event: Event<'text>,
        span: Span,
        path: &KeyPath,
        depth: usize,
    ) -> Result<usize, Problem> {
        let place = place(span);
        if depth > MAX_DEPTH {
            return Err(words::too_deep(place));
        }
        let (anchor, tag, text, content) = match event {
            Event::Alias(anchor) => {
                self.outline.first_alias.get_or_insert(place);
                return self.alias(anchor, place);
            }
            Event::SequenceStart(anchor, tag) => (anchor, tag, 0, self.list(path, depth)?),
            Event::MappingStart(anchor, tag) => (anchor, tag, 0, self.map(path, depth)?),
            Event::Scalar(text, style, anchor, tag) => {
                let null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null && tag.is_none() {
                    Content::Null
                } else {
                    Content::Scalar
                };
                (anchor, tag, text.len(), content)
            }
            _ => {
                let message = "is not valid YAML here; expected a value";
                return Err(Problem::of_document(place, message));
            }
        };
        if tag.is_some_and(|tag: std::borrow::Cow<'_, Tag>| !tag.is_yaml_core_schema()) {
            let message = "starts with an exclamation mark, so it is a YAML tag; expected a value without a tag, or in \
                           quotes";
            self.problems.push(Problem::new(place, path, message));
        }
        let node = self.outline.nodes.len();
        let size = NODE + text + self.size_within(&content);
        self.outline.nodes.push(Node {
            place,
            size,
            content,
        });
        if anchor > 0 {
            self.anchors.insert(anchor, node);
        }
        Ok(node)
    }

    /// The node that an alias stands for.
    fn alias(&mut self, anchor: usize, place: Place) -> Result<usize, Problem> {
        let node = self.anchors.get(&anchor).copied().ok_or_else(|| {
            Problem::of_document(place, "an alias inside its own anchor; expected a value")
        })?;
        self.expansion += self.size(node);
        if self.expansion > MAX_EXPANSION.0 {
            let message = format!(
                "the aliases (*) up to here stand for more than {MAX_EXPANSION}; expected fewer aliases, or less under \
                 their anchors (&)"
            );
            return Err(Problem::of_document(place, message));
        }
        Ok(node)
    }

    fn size(&self, node: usize) -> usize {
        self.outline.nodes.get(node).map_or(0, |node| node.size)
    }

    fn size_within(&self, content: &Content) -> usize {
        match content {
            Content::Null | Content::Scalar => 0,
            Content::List(items) => items.iter().map(|item| self.size(*item)).sum(),
            Content::Map(entries) => {
                let sizes = entries
                    .iter()
                    .map(|(key, value)| NODE + key.len() + self.size(*value));
                sizes.sum()
            }
        }
    }

    fn list(&mut self, path: &KeyPath, depth: usize) -> Result<Content, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => {
                    let item = path.index(items.len());
                    items.push(self.node(event, span, &item, depth + 1)?);
                }
            }
        }
    }

    fn map(&mut self, path: &KeyPath, depth: usize) -> Result<Content, Problem> {
        let mut entries = HashMap::new();
        let mut places = HashMap::new();
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Content::Map(entries)),
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => {
                    let message = "a key is not plain text; expected a key such as timeout";
                    return Err(Problem::of_document(place(span), message));
                }
            };
            let (path, key_place) = (path.key(&key), place(key_span));
            let (event, span) = self.next()?;
            // The span of an empty value is that of whatever follows it.
            let empty = matches!(event, Event::Scalar(..)) && span.is_empty();
            let span = if empty { key_span } else { span };
            let node = self.node(event, span, &path, depth + 1)?;
            let is_null = matches!(
                self.outline.nodes.get(node),
                Some(Node {
                    content: Content::Null,
                    ..
                })
            );
            if is_null && !is_section(&key) && is_plausible_key(&key) {
                let message = "has no value; expected a value, or no key (a value that starts with one of # & * ! needs \
                               quotes)";
                self.problems.push(Problem::new(key_place, &path, message));
            }
            if let Some(Place { line, .. }) = places.insert(key.clone(), key_place) {
                let message =
                    format!("is a duplicate key, first on line {line}; expected each key once");
                self.problems.push(Problem::new(key_place, &path, message));
            }
            entries.insert(key, node);
        }
    }
}

pub(super) fn place(span: Span) -> Place {
    Place {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nb:\n  - c: x\n    d: {e: 2}\n  - *f\n";

    #[track_caller]
    fn check(path: &KeyPath, line: usize, column: usize) {
        let text = TEXT.replace("c: x", "c: &f x");
        let place = Outline::read(&text).unwrap().place(path);
        assert_eq!(place, Place { line, column }, "{path}");
    }

    #[test]
    fn a_path_leads_to_its_value_or_to_the_deepest_one_on_it() {
        let root = KeyPath::default();
        let first = root.key("b").index(0);
        check(&root, 1, 1);
        check(&root.key("a"), 1, 4);
        check(&root.key("a").key("below"), 1, 4);
        check(&root.key("missing"), 1, 1);
        check(&first, 3, 5);
        check(&first.key("d").key("e"), 4, 12);
        check(&first.key("missing").key("more"), 3, 5);
        check(&root.key("b").index(1), 3, 11);
        check(&root.key("b").index(9), 3, 3);
    }

    #[test]
    fn a_tower_of_brackets_is_refused_at_once() {
        for start in ["[", "{a: ", "- ", "a: [", "? ", "{? ", "[{"] {
            let text = start.repeat((1 << 20) / start.len());
            assert!(Outline::read(&text).is_err(), "{start}");
        }
    }
}
