//! `config.example.yaml`: it loads, every key in it works, and the defaults that it shows are the real ones.
//!
//! Its convention: `#key: value` without a space is a key that is commented out; the comment before it holds
//! `(example)` or `(example …)` when the value is not the default.

use std::fs;

use avepoint_exporter::config::Config;

const EXAMPLE: &str = "config.example.yaml";

/// A commented-out key of the example.
struct Optional {
    line: usize,
    key: String,
    is_default: bool,
}

fn optional_keys(text: &str) -> Vec<Optional> {
    let mut keys = Vec::new();
    let mut comment = String::new();
    for (line, text) in text.lines().enumerate() {
        let text = text.trim_start();
        if text.starts_with("# ") {
            comment += text;
            continue;
        }
        if let Some((key, _)) = text.strip_prefix('#').and_then(|text| text.split_once(':')) {
            keys.push(Optional {
                line,
                key: key.to_owned(),
                is_default: !comment.contains("(example"),
            });
        }
        comment.clear();
    }
    keys
}

/// The example with one key uncommented, and without the secret's file where that key is another credential.
fn with(text: &str, optional: &Optional) -> String {
    let is_secret = optional.key.starts_with("client_secret") || optional.key == "certificate";
    let lines = text.lines().enumerate().map(|(line, text)| {
        if line == optional.line {
            text.replacen('#', "", 1)
        } else if is_secret && text.contains("client_secret_file:") {
            String::new()
        } else {
            text.to_owned()
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// What loading this text from a folder with the example's files in it gives, or the error.
fn load(text: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("elements.secret"), "s3cr3t\n").unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(folder.path().join("extra-ca.pem"), pem).unwrap();
    for (name, ours) in [
        ("app.pfx", "app.pfx"),
        ("app.password", "password"),
        ("app.crt", "app.crt"),
        ("app.key", "app.key"),
    ] {
        let ours = format!("tests/certificates/{ours}");
        fs::copy(ours, folder.path().join(name)).unwrap();
    }
    // The test process has no such variable, and may not set one: any that is there will do.
    let text = text.replace(
        "client_secret_env: ELEMENTS_SECRET",
        "client_secret_env: PATH",
    );
    let file = folder.path().join("config.yaml");
    fs::write(&file, text).unwrap();
    Config::load(&file)
        .map(|config| format!("{config:#?}"))
        .map_err(|error| error.to_string())
}

#[test]
fn the_example_loads() {
    let config = load(&fs::read_to_string(EXAMPLE).unwrap()).unwrap();
    assert!(
        config.contains("0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec"),
        "{config}"
    );
    assert!(!config.contains("s3cr3t"), "{config}");
}

#[test]
fn every_key_that_the_example_comments_out_is_accepted() {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let keys = optional_keys(&text);
    assert!(keys.len() >= 26, "{} keys found", keys.len());
    for optional in keys {
        let config = load(&with(&text, &optional));
        assert!(config.is_ok(), "{}: {}", optional.key, config.unwrap_err());
    }
}

#[test]
fn the_defaults_that_the_example_shows_are_the_real_ones() {
    let text = fs::read_to_string(EXAMPLE).unwrap();
    let default = load(&text).unwrap();
    let (defaults, examples): (Vec<_>, Vec<_>) = optional_keys(&text)
        .into_iter()
        .partition(|optional| optional.is_default);
    assert!(defaults.len() >= 17, "{} defaults found", defaults.len());
    for optional in defaults {
        assert_eq!(
            load(&with(&text, &optional)).unwrap(),
            default,
            "{}",
            optional.key
        );
    }
    for optional in examples {
        // The token endpoint's example is the default, and all secrets look alike.
        if !optional.key.starts_with("client_secret") && optional.key != "token_url" {
            assert_ne!(
                load(&with(&text, &optional)).unwrap(),
                default,
                "{}",
                optional.key
            );
        }
    }
}
