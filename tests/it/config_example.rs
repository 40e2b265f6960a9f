//! `config.example.yaml`: it loads, every key in it works, and the defaults that it shows are the real ones.
//!
//! Its convention: `#key: value` without a space is a key that is commented out; the comment before it holds
//! `(example)` or `(example …)` when the value is not the default, and `(example, required …)` when its section does
//! without it only as long as it has no keys at all.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use avepoint_exporter::config::{Config, ConfigFile};

const EXAMPLE: &str = "config.example.yaml";

/// A commented-out key of the example.
struct Optional {
    line: usize,
    /// The key at the document's root that it stands below.
    section: String,
    key: String,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Default,
    Example,
    Required,
}

impl Optional {
    /// Whether what it says cannot be told from what is there without it: the token endpoints' examples are the
    /// defaults, all secrets look alike, and a first refresh token is not looked at while there is another.
    fn is_silent(&self) -> bool {
        ["client_secret", "token_url", "refresh_token_env"]
            .iter()
            .any(|silent| self.key.starts_with(silent))
    }
}

/// The key of a line that begins a section.
fn section_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    (!key.starts_with([' ', '#'])).then_some(key)
}

fn optional_keys(text: &str) -> Vec<Optional> {
    let mut keys = Vec::new();
    let mut comment = String::new();
    let mut section = String::new();
    for (line, text) in text.lines().enumerate() {
        if let Some(key) = section_of(text) {
            key.clone_into(&mut section);
        }
        let text = text.trim_start();
        if text.starts_with("# ") {
            comment += text;
            continue;
        }
        if let Some((key, _)) = text.strip_prefix('#').and_then(|text| text.split_once(':')) {
            keys.push(Optional {
                line,
                section: section.clone(),
                key: key.to_owned(),
                kind: if comment.contains("(example, required") {
                    Kind::Required
                } else if comment.contains("(example") {
                    Kind::Example
                } else {
                    Kind::Default
                },
            });
        }
        comment.clear();
    }
    keys
}

/// The example with one key uncommented.
fn with(text: &str, optional: &Optional) -> String {
    uncommented(text, optional, |line| line == optional.line)
}

/// The same without the key, and with all that it needs: a section's required keys, and discovery at all.
fn without(text: &str, optional: &Optional) -> String {
    uncommented(text, optional, |_| false)
}

fn uncommented(text: &str, optional: &Optional, also: impl Fn(usize) -> bool) -> String {
    let keys = optional_keys(text);
    let is_credential = optional.key == "certificate" || optional.key.starts_with("client_secret");
    let is_secret = is_credential && optional.kind == Kind::Example && also(optional.line);
    let is_needed = |line: usize| {
        keys.iter().any(|key| {
            key.line == line && key.kind == Kind::Required && key.section == optional.section
        })
    };
    let mut section = String::new();
    let mut lines = String::new();
    for (line, text) in text.lines().enumerate() {
        if let Some(key) = section_of(text) {
            key.clone_into(&mut section);
        }
        let in_section = section == optional.section;
        // Another secret takes the place of the file's.
        if is_secret && in_section && text.contains("client_secret_file:") {
            lines += "\n";
        } else if also(line) || is_needed(line) {
            lines += &text.replacen('#', "", 1);
        } else if in_section && section == "discovery" && optional.key != "enabled" {
            lines += &text.replace("#enabled: false", "enabled: true");
        } else {
            lines += text;
        }
        lines += "\n";
    }
    lines
}

/// What loading this text from a folder with the example's files in it gives, or the error.
fn load(folder: &Path, text: &str) -> Result<String, String> {
    for name in [
        "elements.secret",
        "partner-center.secret",
        "partner-center.token",
    ] {
        fs::write(folder.join(name), "s3cr3t\n").unwrap();
    }
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(folder.join("extra-ca.pem"), pem).unwrap();
    for (name, ours) in [
        ("app.pfx", "app.pfx"),
        ("app.password", "password"),
        ("app.crt", "app.crt"),
        ("app.key", "app.key"),
    ] {
        let ours = format!("tests/certificates/{ours}");
        fs::copy(ours, folder.join(name)).unwrap();
    }
    // The test process has no such variables, and may not set one: any that is there will do.
    let text = text
        .replace("_env: ELEMENTS_SECRET", "_env: PATH")
        .replace("_env: PARTNER_CENTER_SECRET", "_env: PATH")
        .replace("/var/lib/avepoint-exporter/", "");
    let file = folder.join("config.yaml");
    fs::write(&file, text).unwrap();
    ConfigFile::read(&file)
        .and_then(|file| file.parse())
        .map(|config| {
            // What it means, and not how it is written.
            let text = Arc::default();
            format!("{:#?}", Config { text, ..config })
        })
        .map_err(|error| error.to_string())
}

#[test]
fn the_example_loads() {
    let folder = tempfile::tempdir().unwrap();
    let config = load(folder.path(), &fs::read_to_string(EXAMPLE).unwrap()).unwrap();
    assert!(
        config.contains("0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec"),
        "{config}"
    );
    assert!(!config.contains("s3cr3t"), "{config}");
}

#[test]
fn every_key_that_the_example_comments_out_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let keys = optional_keys(&text);
    assert!(keys.len() >= 53, "{} keys found", keys.len());
    for optional in keys {
        let config = load(folder.path(), &with(&text, &optional));
        assert!(config.is_ok(), "{}: {}", optional.key, config.unwrap_err());
    }
}

#[test]
fn a_key_that_the_example_calls_required_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let mut keys = optional_keys(&text);
    keys.retain(|key| key.kind == Kind::Required);
    assert_eq!(keys.len(), 4);
    for required in keys {
        let with = with(&text, &required);
        let mut without: Vec<_> = with.lines().collect();
        without.remove(required.line);
        let without = without.join("\n");
        let error = load(folder.path(), &without).unwrap_err();
        assert!(error.contains("partner_center"), "{error}");
    }
}

#[test]
fn the_defaults_that_the_example_shows_are_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let (defaults, mut examples): (Vec<_>, Vec<_>) = optional_keys(&text)
        .into_iter()
        .partition(|optional| optional.kind == Kind::Default);
    examples.retain(|optional| optional.kind == Kind::Example && !optional.is_silent());
    assert!(defaults.len() >= 31, "{} defaults found", defaults.len());
    assert!(examples.len() >= 10, "{} examples found", examples.len());
    let load = |text: &str| load(folder.path(), text).unwrap();
    for key in defaults {
        let [with, without] = [with(&text, &key), without(&text, &key)].map(|text| load(&text));
        assert_eq!(with, without, "{}.{}", key.section, key.key);
    }
    for key in examples {
        let [with, without] = [with(&text, &key), without(&text, &key)].map(|text| load(&text));
        assert_ne!(with, without, "{}.{}", key.section, key.key);
    }
}
