//! Finds what a source file imports. Knows nothing of floors.

use std::collections::BTreeMap;
use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path from the crate's root; the root's is empty.
pub(super) type Path = Vec<String>;

/// A path that stands in a file.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) line: usize,
    /// From the crate's root. The first of several segments may as well be an external crate.
    pub(super) path: Path,
    /// It stands in a `pub use`: a name is passed on, nothing is used.
    pub(super) passed_on: bool,
}

/// A source file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) module: Path,
    pub(super) lines: usize,
    pub(super) imports: Vec<Import>,
    /// Where the names at home elsewhere come from.
    pub(super) names: BTreeMap<String, Path>,
}

impl File {
    /// Reads a file, `src/upstream/auth/mod.rs` for instance.
    pub(super) fn read(name: &str, text: &str) -> Self {
        let path = name.trim_start_matches("src/").trim_end_matches(".rs");
        let module: Path = path
            .split('/')
            .filter(|part| !matches!(*part, "mod" | "lib"))
            .map(str::to_owned)
            .collect();
        let mut file = Self {
            name: name.to_owned(),
            module: module.clone(),
            lines: text.lines().count(),
            imports: Vec::new(),
            names: BTreeMap::new(),
        };
        let tokens = text
            .parse()
            .unwrap_or_else(|error| panic!("{name} is no Rust: {error}"));
        file.walk(tokens, &module);
        file
    }

    fn walk(&mut self, tokens: TokenStream, module: &Path) {
        let mut tokens = tokens.into_iter().peekable();
        let mut public = false;
        while let Some(token) = tokens.next() {
            let was_public = std::mem::take(&mut public);
            let ident = match token {
                TokenTree::Group(group) => {
                    self.walk(group.stream(), module);
                    continue;
                }
                TokenTree::Ident(ident) => ident,
                TokenTree::Punct(_) | TokenTree::Literal(_) => continue,
            };
            let line = ident.span().start().line;
            match ident.to_string().as_str() {
                "pub" => {
                    // `pub(in crate::x)` imports nothing.
                    tokens.next_if(|token| is_group(token, Delimiter::Parenthesis));
                    public = true;
                }
                // Not `use<'a>` of a type.
                "use" if !tokens.peek().is_some_and(|token| is_punct(token, '<')) => {
                    self.tree(&mut tokens, &Vec::new(), module, was_public);
                }
                "mod" => {
                    let name = tokens.next().map(|token| token.to_string());
                    if let Some(TokenTree::Group(body)) = tokens.peek() {
                        let body = body.stream();
                        tokens.next();
                        let inner = module.iter().cloned().chain(name).collect();
                        self.walk(body, &inner);
                    }
                }
                first @ ("crate" | "super" | "self" | "avepoint_exporter") => {
                    let mut path = vec![first.to_owned()];
                    while separator(&mut tokens) {
                        if let Some(TokenTree::Ident(next)) = tokens.peek() {
                            path.push(next.to_string());
                            tokens.next();
                        }
                    }
                    if path.len() > 1 {
                        self.import(line, &path, module, false);
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads a tree of `use` up to its end, the comma after it or the semicolon.
    fn tree(
        &mut self,
        tokens: &mut Peekable<IntoIter>,
        before: &Path,
        module: &Path,
        public: bool,
    ) {
        let mut path = before.clone();
        let mut name = None;
        let mut line = 0;
        let mut has_leaf = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    name = tokens.next().map(|token| token.to_string());
                }
                TokenTree::Ident(ident) => {
                    line = ident.span().start().line;
                    has_leaf = true;
                    // `{self, …}` means the path before it.
                    if path.is_empty() || ident != "self" {
                        path.push(ident.to_string());
                    }
                }
                TokenTree::Group(group) => {
                    has_leaf = false;
                    let mut inner = group.stream().into_iter().peekable();
                    while inner.peek().is_some() {
                        self.tree(&mut inner, &path, module, public);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => name = Some("*".to_owned()),
                TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => break,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if has_leaf && let Some(path) = self.import(line, &path, module, public) {
            let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
            // What an inner module calls its own is not the file's.
            if *module == self.module && !matches!(name.as_str(), "_" | "*") {
                self.names.insert(name, path);
            }
        }
    }

    fn import(
        &mut self,
        line: usize,
        path: &[String],
        module: &Path,
        passed_on: bool,
    ) -> Option<Path> {
        let (first, mut rest) = path.split_first()?;
        let mut path = match first.as_str() {
            "crate" | "avepoint_exporter" => Path::new(),
            "self" => module.clone(),
            "super" => parent(module)?,
            // Of this module or an external crate: whoever knows all modules can tell.
            name => module.iter().cloned().chain([name.to_owned()]).collect(),
        };
        while let Some(("super", after)) = rest.split_first().map(|(one, after)| (&**one, after)) {
            path = parent(&path)?;
            rest = after;
        }
        path.extend_from_slice(rest);
        self.imports.push(Import {
            line,
            path: path.clone(),
            passed_on,
        });
        Some(path)
    }
}

fn parent(module: &Path) -> Option<Path> {
    module.split_last().map(|(_, parent)| parent.to_vec())
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Takes `::` if it comes next.
fn separator(tokens: &mut Peekable<IntoIter>) -> bool {
    tokens.next_if(|token| is_punct(token, ':')).is_some()
        && tokens.next_if(|token| is_punct(token, ':')).is_some()
}
