//! From a file to the [`Config`]: the order in which text is read and checked.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checker::{Checker, Source};
use super::collectors::Collectors;
use super::problem::{KeyPath, Place, Problem, Problems};
use super::watched::{MAX_FILE, read_capped};
use super::{
    CollectorConfig, Config, ConfigError, Elements, discovery, elements, files, in_force,
    partner_center, read, tenants,
};
use crate::domain::{Clock, Collector, Unit, text};

/// A configuration's file as it was read. Its text can be made a [`Config`] again, with the secrets of then, after
/// the file itself has changed.
pub struct ConfigFile {
    path: PathBuf,
    /// May hold a secret.
    text: String,
}

impl ConfigFile {
    /// Reads the file, which may have 1 MiB.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotFound`] and [`ConfigError::Unreadable`] for the file, [`ConfigError::Invalid`] for a text
    /// that is none.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = read_capped(path, MAX_FILE).map_err(|cause| {
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
            .map_err(|problem| {
                let name = path.display().to_string();
                ConfigError::Invalid(Problems::new(&name, vec![problem]))
            })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Makes the text a configuration, with the secrets that are now where it says they are. Relative paths in it
    /// start from the file's directory.
    ///
    /// # Errors
    ///
    /// As [`Config::parse`].
    pub fn parse(&self) -> Result<Config, ConfigError> {
        self.with_source(|source| Config::parse(&self.text, source))
    }

    /// Makes of the text what discovery needs, whichever tenants and collectors it has and even if it has none.
    ///
    /// # Errors
    ///
    /// As [`Config::parse`], about the section `elements`.
    pub fn parse_for_discovery(&self) -> Result<(Elements, CollectorConfig), ConfigError> {
        self.with_source(|source| {
            let invalid = |problems| ConfigError::Invalid(Problems::new(source.name, problems));
            let (raw, outline) = read::read(&self.text).map_err(invalid)?;
            let mut checker = Checker::new(source, &outline);
            let elements = elements::check(&mut checker, raw.elements.unwrap_or_default());
            match elements {
                Some(elements) if checker.problems.is_empty() => {
                    let interval = Collector::Customers.default_interval();
                    Ok((elements, discovery::collector(interval)))
                }
                _ => Err(invalid(checker.problems)),
            }
        })
    }

    fn with_source<T>(&self, read: impl FnOnce(&Source<'_>) -> T) -> T {
        read(&Source {
            name: &self.path.display().to_string(),
            base_dir: self.path.parent().unwrap_or(Path::new("")),
            env: &|name| std::env::var(name).ok(),
            now: Clock::system().now(),
        })
    }
}

/// Without the text, which may hold a secret.
impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigFile").field(&self.path).finish()
    }
}

impl Config {
    /// Reads the text of a configuration, and the secrets from where it says they are.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with all that is wrong, in the order of the text. What is no YAML, or has
    /// unknown keys or wrong types, is reported alone.
    pub fn parse(text: &str, source: &Source<'_>) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid(Problems::new(source.name, problems));
        let (raw, outline) = read::read(text).map_err(invalid)?;
        let written = in_force::Written::new(&raw);
        let mut checker = Checker::new(source, &outline);
        partner_center::check_collectors(&mut checker, &raw);
        let elements = elements::check(&mut checker, raw.elements.unwrap_or_default());
        let partner_center =
            (raw.partner_center).and_then(|section| partner_center::check(&mut checker, section));
        let path = KeyPath::default().key("collectors");
        let raw_collectors = raw.collectors.unwrap_or_default();
        let collectors = Collectors::check(&mut checker, &path, &raw_collectors);
        let raw_discovery = raw.discovery.unwrap_or_default();
        let is_discovering = raw_discovery.enabled == Some(true);
        let discovery = discovery::check(&mut checker, raw_discovery, &collectors);
        let raw_tenants = raw.tenants.unwrap_or_default();
        let tenants = tenants::check(&mut checker, raw_tenants, &collectors, is_discovering);
        let state_dir = raw.state_dir.and_then(|name| {
            let folder = files::state_dir(source.base_dir, &name.0);
            checker.take(&KeyPath::default().key("state_dir"), folder)
        });
        let [of_partner, customers] =
            [Unit::Partner, Unit::Customer].map(|unit| collectors.in_force(unit));
        let all_are_off = (tenants.iter().map(|tenant| &tenant.collectors))
            .chain(discovery.iter().map(|discovery| &discovery.collectors))
            .chain([&of_partner, &customers])
            .all(Vec::is_empty);
        if checker.problems.is_empty() && all_are_off {
            checker.report(
                &path,
                "all collectors are disabled for all tenants; expected at least one enabled",
            );
        }
        let of_discovery = discovery.iter().map(|discovery| discovery.collector);
        let partner = of_discovery.chain(of_partner).collect();
        match elements {
            Some(elements) if checker.problems.is_empty() => {
                let on_for_all = [&partner, &customers, &collectors.in_force(Unit::Tenant)];
                let on_for_all = on_for_all.map(|of_unit: &Vec<_>| &**of_unit).concat();
                let config = Self {
                    elements,
                    partner_center,
                    partner,
                    customers,
                    discovery,
                    tenants,
                    state_dir,
                    files: checker.files,
                    text: Arc::default(),
                };
                let text = written.text(&config, &on_for_all).into();
                Ok(Self { text, ..config })
            }
            _ => Err(invalid(checker.problems)),
        }
    }

    /// The files that the configuration names, such as that of a client secret, and that hold something else than when
    /// they were read. Not the configuration's own file, and not that of the refresh token, which changes by itself.
    /// Blocks for as long as the disk takes.
    pub fn changed_files(&self) -> impl Iterator<Item = &Path> {
        let changed = self.files.iter().filter(|file| file.has_changed());
        changed.map(|file| &*file.path)
    }

    /// The first of these files that is there no longer.
    pub fn missing_file(&self) -> Option<&Path> {
        let missing = self.files.iter().find(|file| file.is_gone())?;
        Some(&missing.path)
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|error| {
        let (valid, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let place = read::place_of(&String::from_utf8_lossy(valid), valid.len());
        let message = if text::is_utf16(error.as_bytes()) {
            "the file is UTF-16 text; expected UTF-8: save it again as UTF-8, without a byte order mark"
        } else {
            "the file is not UTF-8 text; expected UTF-8 without a byte order mark"
        };
        Problem::of_document(place, message)
    })
}

#[cfg(test)]
mod tests;
