//! The form of the log: each line can be read by a machine, whatever stands in it.

use std::collections::BTreeMap;

use avepoint_exporter::simulator::{Fault, Options, Rule, When, World};

use crate::cli::Folder;
use crate::program::{Program, until};
use crate::support::{config_text, simulator};

/// A tenant's name with all that could break a line.
const NAME: &str = r#"a "b" = c\d, 'e' {f} ü"#;

type Fields = BTreeMap<String, String>;

/// Reads a line of `key=value` pairs; a value stands in quotes with Go's escapes, or holds neither spaces nor quotes.
fn logfmt(line: &str) -> Option<Fields> {
    let mut fields = Fields::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        if key.is_empty() || key.contains([' ', '"']) {
            return None;
        }
        let end = if value.starts_with('"') {
            let mut escaped = false;
            1 + value.get(1..)?.find(|c| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            })? + 1
        } else {
            value.find(' ').unwrap_or(value.len())
        };
        let (value, after) = value.split_at(end);
        let value = if value.starts_with('"') {
            // Go's reader of logfmt takes this escape as well.
            serde_json::from_str(&value.replace("\\'", "'")).ok()?
        } else if value.contains('"') {
            return None;
        } else {
            value.to_owned()
        };
        fields.insert(key.to_owned(), value);
        rest = match after.strip_prefix(' ') {
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(fields)
}

/// Reads a line of JSON whose fields may be nested in spans.
fn json(line: &str) -> Option<Fields> {
    fn flatten(value: &serde_json::Value, fields: &mut Fields) {
        for (key, value) in value.as_object().into_iter().flatten() {
            match value {
                serde_json::Value::Object(_) => flatten(value, fields),
                serde_json::Value::String(text) => drop(fields.insert(key.clone(), text.clone())),
                other => drop(fields.insert(key.clone(), other.to_string())),
            }
        }
    }
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let mut fields = Fields::new();
    flatten(&value, &mut fields);
    value.is_object().then_some(fields)
}

/// Runs `serve` against an upstream that misbehaves until the log says so, and returns all lines.
async fn log(format: &str) -> Vec<String> {
    let mut options = Options::new(World::seeded(1, 1, 40));
    options.rules = vec![
        Rule::new(Fault::Unavailable, When::first(1)),
        Rule::new(Fault::NotJson, When::always().after(1)),
    ];
    let upstream = simulator(options).await;
    let name = serde_json::Value::from(NAME);
    let config =
        config_text(&upstream, "", "").replace(" }\n", &format!(", tenant_name: {name} }}\n"));
    let folder = Folder::with(&config);
    let program: Program = folder.start(&[
        "--web.listen-address=127.0.0.1:0",
        "--log.level=trace",
        &format!("--log.format={format}"),
    ]);
    until("two failed polls", async || {
        (program.stderr().matches("poll failed").count() == 2).then_some(())
    })
    .await;
    program.signal("TERM");
    let log = program.end().await.stderr;
    log.lines().map(str::to_owned).collect()
}

/// What both formats must hold.
fn check(lines: &[String], time: &str, read: fn(&str) -> Option<Fields>) {
    let all: Vec<_> = lines
        .iter()
        .map(|line| read(line).unwrap_or_else(|| panic!("not to be read: {line}")))
        .collect();
    for fields in &all {
        assert!(
            fields.contains_key("level")
                && fields.contains_key(time)
                && fields.contains_key("message"),
            "{fields:?}"
        );
    }
    let of = |message: &str| {
        let found = all
            .iter()
            .find(|fields| fields["message"].contains(message));
        found.unwrap_or_else(|| panic!("{message}: {lines:#?}"))
    };
    assert!(of("exporter started")["metrics"].starts_with("http://127.0.0.1:"));
    assert_eq!(of("request failed, retrying")["reason"], "unavailable");
    let failed = of("poll failed");
    assert_eq!(failed["tenant_name"], NAME);
    assert_eq!(failed["reason"], "decode");
    assert_eq!(failed["level"].to_lowercase(), "warn");
    of("exporter stopped");
}

#[tokio::test]
async fn each_line_is_logfmt() {
    check(&log("logfmt").await, "ts", logfmt);
}

#[tokio::test]
async fn each_line_is_json() {
    check(&log("json").await, "timestamp", json);
}

#[test]
fn what_is_not_logfmt_is_told_apart() {
    assert_eq!(logfmt(r#"a=1 b="c d""#).unwrap()["b"], "c d");
    for line in ["a", "a=1 b", r#"a="x"#, r#"a=x"y"#, "a=1  b=2", "=1"] {
        assert_eq!(logfmt(line), None, "{line}");
    }
}

#[tokio::test]
async fn what_ends_the_program_before_the_start_is_json_where_the_log_is() {
    let folder = Folder::with("elements: { client_id: x }\n");
    for (arguments, words) in [
        (&["--log.format=json"][..], "has no credential"),
        (&["check", "--log.format", "json"], "has no credential"),
        (
            &["poll", "--log.format=json", "--wrong"],
            "unexpected argument '--wrong'",
        ),
        (
            &["serve", "--config.file=none.yaml", "--log.format=json"],
            "none.yaml",
        ),
    ] {
        let ended = folder.start(arguments).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""));
        let fields = json(ended.stderr.trim_end()).unwrap_or_else(|| panic!("{}", ended.stderr));
        assert_eq!(fields["level"], "ERROR");
        assert!(fields["error"].contains(words), "{fields:?}");
    }
}
