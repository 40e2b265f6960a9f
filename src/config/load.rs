//! From a file to the [`Config`]: the order in which text is read and checked.

use std::io;
use std::path::Path;

use super::checker::Checker;
use super::collectors::Collectors;
use super::problem::{KeyPath, Place, Problem, Problems};
use super::source::Source;
use super::{Config, ConfigError, elements, files, read, tenants};
use crate::domain::Clock;

/// A thousand tenants with labels take a third of this.
const MAX_FILE: u64 = 1 << 20;

impl Config {
    /// Reads the file, which may have 1 MiB, and the secrets from where it says they are. Relative paths in it
    /// start from its directory; environment and time of day are those of the process.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotFound`] and [`ConfigError::Unreadable`] for the file, [`ConfigError::Invalid`] for what
    /// is in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let bytes = files::read_capped(path, MAX_FILE).map_err(|cause| {
            let file = path.to_owned();
            match cause.kind() {
                io::ErrorKind::NotFound => ConfigError::NotFound { file },
                _ => ConfigError::Unreadable { file, cause },
            }
        })?;
        let text = bytes
            .ok_or_else(|| {
                Problem::of_document(
                    Place::START,
                    "the file is larger than 1MiB; expected a smaller file",
                )
            })
            .and_then(utf8)
            .map_err(|problem| ConfigError::Invalid(Problems::new(&name, vec![problem])))?;
        let source = Source {
            name: &name,
            base_dir: path.parent().unwrap_or(Path::new("")),
            env: &|name| std::env::var(name).ok(),
            now: Clock::system().now(),
        };
        Self::parse(&text, &source)
    }

    /// Reads the text of a configuration, and the secrets from where it says they are.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with all that is wrong, in the order of the text. What is no YAML, or has
    /// unknown keys or wrong types, is reported alone.
    pub fn parse(text: &str, source: &Source<'_>) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid(Problems::new(source.name, problems));
        let (raw, outline) = read::read(text).map_err(invalid)?;
        let mut checker = Checker::new(source, &outline);
        let elements = elements::check(&mut checker, raw.elements.unwrap_or_default());
        let path = KeyPath::default().key("collectors");
        let collectors =
            Collectors::check_base(&mut checker, &path, &raw.collectors.unwrap_or_default());
        let tenants = tenants::check(&mut checker, raw.tenants.unwrap_or_default(), &collectors);
        if checker.problems.is_empty() && tenants.iter().all(|tenant| tenant.collectors.is_empty())
        {
            checker.report(
                &path,
                "all collectors are off for all tenants; expected at least one to be on",
            );
        }
        match elements {
            Some(elements) if checker.problems.is_empty() => Ok(Self {
                elements,
                partner_center: None,
                discovery: None,
                tenants,
            }),
            _ => Err(invalid(checker.problems)),
        }
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let (valid, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let place = read::place_of(&String::from_utf8_lossy(valid), valid.len());
        Problem::of_document(
            place,
            "the file is not UTF-8 text; expected UTF-8 without a byte order mark",
        )
    })
}

#[cfg(test)]
mod tests;
