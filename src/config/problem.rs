//! What is wrong with a configuration: problems with their place and key, and the error that carries them.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::shown::is_plausible_key;

/// More problems than these are counted, not shown: a broken generated file must not flood the log.
const SHOWN: usize = 50;

/// Keys whose value is secret. What somebody wrote below one of them by mistake is never shown.
const SECRET_KEYS: [&str; 5] = [
    "client_secret",
    "client_secret_env",
    "password_env",
    "proxy_url",
    "refresh_token_env",
];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist: name it, and offer a way to go on without one.
    #[error("{}: no such file", file.display())]
    NotFound {
        /// The file that was looked for.
        file: PathBuf,
    },
    /// The file exists and cannot be read.
    #[error("{}: cannot be read: {cause}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file was read and is not a configuration.
    #[error("{0}")]
    Invalid(Problems),
}

/// All that is wrong with one file, in the order of the file. Prints one problem per line.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place);
        Self {
            file: file.to_owned(),
            problems,
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{problem}", self.file)?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            hidden => write!(f, "\n{}: and {hidden} more problems", self.file),
        }
    }
}

/// A place in the file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) place: Place,
    /// The key's path such as `elements.timeout`; empty for the document itself.
    pub(super) key: String,
    /// What is wrong, and after a semicolon what was expected.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(place: Place, key: &KeyPath, message: impl Into<String>) -> Self {
        Self {
            place,
            key: key.to_string(),
            message: message.into(),
        }
    }

    /// A problem of the document as a whole.
    pub(super) fn of_document(place: Place, message: impl Into<String>) -> Self {
        Self::new(place, &KeyPath::default(), message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.place.line, self.place.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// The way from the document's root to a key, such as `tenants[2].labels.sla`.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyPath(pub(super) Vec<Step>);

/// One step of a [`KeyPath`].
#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// The path of a key below this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.join(Step::Key(key.to_owned()))
    }

    /// The path of an item of this list.
    pub(super) fn index(&self, index: usize) -> Self {
        self.join(Step::Index(index))
    }

    fn join(&self, step: Step) -> Self {
        if let Some(Step::Key(last)) = self.0.last()
            && SECRET_KEYS.contains(&last.as_str())
        {
            return self.clone();
        }
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            let dot = if depth == 0 { "" } else { "." };
            match step {
                Step::Key(key) if is_plausible_key(key) => write!(f, "{dot}{key}")?,
                Step::Key(_) => write!(f, "{dot}…")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_goes_below_a_secret() {
        let elements = KeyPath::default().key("elements");
        assert_eq!(elements.key("timeout").to_string(), "elements.timeout");
        assert_eq!(
            elements.key("client_secret").key("hunter2").to_string(),
            "elements.client_secret"
        );
        assert_eq!(
            elements.key("client_secret:hunter2").to_string(),
            "elements.…"
        );
        assert_eq!(
            KeyPath::default()
                .key("tenants")
                .index(2)
                .key("labels")
                .to_string(),
            "tenants[2].labels"
        );
    }

    #[test]
    fn a_flood_of_problems_is_cut_and_counted() {
        let problem = Problem::of_document(Place::START, "wrong");
        let text = Problems::new("c.yaml", vec![problem; 60]).to_string();
        assert_eq!(text.lines().count(), 51);
        assert!(text.ends_with("\nc.yaml: and 10 more problems"));
    }
}
