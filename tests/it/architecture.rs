//! The layout of `src/`: who may import whom, and how long a file may be. Tests are held to it as well: what
//! stands under `#[cfg(test)]` is exempt from nothing.
//!
//! Imports are found in the tokens of each file: `use` with its groups, and paths that begin with `crate`,
//! `super` or `self` wherever they stand. A name that a module only passes on (`pub use`) counts as an import
//! of the file where it is at home, so cycles inside a folder are seen through its `mod.rs`.

mod imports;
mod rules;

use std::fs;
use std::path::Path;

use self::rules::problems;

/// All files below a folder, by their path from the project's root, with their text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.to_str().unwrap().to_owned(), text));
        }
    }
    found.sort();
    found
}

#[test]
fn every_import_goes_down_and_every_file_is_short() {
    let sources = sources(Path::new("src"));
    assert!(sources.len() > 60, "only {} files found", sources.len());
    let problems = problems(&sources);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The problems of made-up sources, each by its first words.
#[track_caller]
fn check(sources: &[(&str, &str)], expected: &[&str]) {
    let sources: Vec<_> = sources
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let problems = problems(&sources);
    let fits = |(problem, expected): (&String, &&str)| problem.starts_with(expected);
    assert!(
        problems.len() == expected.len() && problems.iter().zip(expected).all(fits),
        "{problems:#?}"
    );
}

#[test]
fn an_import_that_goes_up_is_found_however_it_is_written() {
    let up = "src/config/load.rs:2: config (floor 1) imports crate::server (floor 5)";
    for text in [
        "\nuse crate::server::Pages;",
        "\nuse crate::{domain::Clock, server::{Pages, serve}};",
        "\nuse super::super::server as s;",
        "\nfn f() { crate::server::serve() }",
        "\nfn f() { g(vec![crate::server::serve()]) }",
        "\nimpl From<crate::server::Pages> for X {}",
        "\n#[cfg(test)] mod tests { use crate::server::Pages; }",
        "\nmod tests { use super::super::super::server::Pages; }",
    ] {
        check(&[("src/config/load.rs", text)], &[up]);
    }
}

#[test]
fn the_process_knows_no_command() {
    check(
        &[(
            "src/process/signals.rs",
            "use crate::cli::{self, Arguments};",
        )],
        &["src/process/signals.rs:1: process (floor 5) imports crate::cli (floor 6)"],
    );
}

#[test]
fn what_goes_down_or_leaves_the_crate_is_fine() {
    check(
        &[
            ("src/domain/mod.rs", "use std::fmt; pub struct Clock;"),
            ("src/config/load.rs", "use crate::domain::Clock;"),
            (
                "src/server/mod.rs",
                "// use crate::cli;\nconst A: &str = \"crate::cli\"; use crate::config::load::x;",
            ),
            ("src/app/mod.rs", "use crate::{server, simulator::World};"),
            ("src/main.rs", "use avepoint_exporter::cli::run;"),
        ],
        &[],
    );
}

#[test]
fn the_simulator_stays_apart() {
    check(
        &[
            (
                "src/simulator/page.rs",
                "use crate::domain::TenantId; use super::world; use crate::upstream::Page;",
            ),
            ("src/collectors/mod.rs", "use crate::simulator::World;"),
        ],
        &[
            "src/collectors/mod.rs:1: collectors imports crate::simulator",
            "src/simulator/page.rs:1: the simulator imports crate::upstream",
        ],
    );
}

#[test]
fn a_cycle_on_one_floor_is_found() {
    let cycle = "these import each other: snapshot -> collectors -> snapshot";
    let reversed = "these import each other: collectors -> snapshot -> collectors";
    let sources = [
        ("src/collectors/mod.rs", "use crate::snapshot::Snapshot;"),
        ("src/snapshot.rs", "use crate::collectors::Totals;"),
    ];
    assert_ne!(cycle, reversed);
    check(&sources, &[reversed]);
    check(&sources[..1], &[]);
}

#[test]
fn a_cycle_inside_a_folder_is_found_through_its_mod_file() {
    let folder = ("src/server/mod.rs", "mod a; mod b; pub use a::One;");
    check(
        &[
            folder,
            ("src/server/a.rs", "use super::b::Two;"),
            ("src/server/b.rs", "fn f(_: crate::server::One) {}"),
        ],
        &["these import each other: server::a -> server::b -> server::a"],
    );
    check(
        &[
            ("src/server/mod.rs", "mod a; use a::One; pub struct Two;"),
            ("src/server/a.rs", "use super::Two;"),
        ],
        &["these import each other: server -> server::a -> server"],
    );
    check(
        &[
            folder,
            ("src/server/a.rs", "pub struct One;"),
            (
                "src/server/b.rs",
                "use super::One; mod tests { use super::*; }",
            ),
        ],
        &[],
    );
}

#[test]
fn only_wire_files_of_collectors_read_json_outside_of_upstream() {
    let reads = "use crate::upstream::http::json::Text;";
    check(&[("src/collectors/phones/wire.rs", reads)], &[]);
    for file in ["src/collectors/phones/mod.rs", "src/server/wire.rs"] {
        let top = file.split('/').nth(1).unwrap();
        let expected = format!("{file}:1: {top} imports crate::upstream::http");
        check(&[(file, reads)], &[&expected]);
    }
}

#[test]
fn an_import_of_a_part_that_is_not_below_is_found() {
    let parts = [
        (
            "src/upstream/mod.rs",
            "mod api; mod elements; mod http; pub use api::Client; pub use self::http::Stats;",
        ),
        (
            "src/upstream/http/mod.rs",
            "mod stats; pub use stats::Stats;",
        ),
        ("src/upstream/http/stats.rs", "pub struct Stats;"),
        (
            "src/upstream/api/mod.rs",
            "use crate::upstream::Stats; pub struct Client;",
        ),
        (
            "src/upstream/elements/mod.rs",
            "use crate::upstream::api::Client;",
        ),
        ("src/upstream/partner_center/mod.rs", "pub struct Users;"),
    ];
    check(&parts, &[]);
    for (file, text, expected) in [
        (
            "src/upstream/http/json.rs",
            "\nuse crate::upstream::Client;",
            "src/upstream/http/json.rs:2: upstream::http imports upstream::api, which is not below it",
        ),
        (
            "src/upstream/auth/source.rs",
            "fn f(_: super::super::api::Client) {}",
            "src/upstream/auth/source.rs:1: upstream::auth imports upstream::api, which is not below it",
        ),
        (
            "src/upstream/elements/rows.rs",
            "use crate::upstream::partner_center::Users;",
            "src/upstream/elements/rows.rs:1: upstream::elements imports upstream::partner_center, which is not below it",
        ),
        (
            "src/upstream/paging.rs",
            "",
            "src/upstream/paging.rs: the module upstream::paging has no place in upstream",
        ),
    ] {
        check(&[&parts[..], &[(file, text)]].concat(), &[expected]);
    }
}

#[test]
fn a_long_file_and_a_module_without_a_floor_are_found() {
    check(
        &[
            ("src/app/mod.rs", &"\n".repeat(701)),
            ("src/domain/x.rs", &"\n".repeat(700)),
            ("src/webhook.rs", ""),
        ],
        &[
            "src/app/mod.rs has 701 lines, more than 700",
            "src/webhook.rs: the module webhook has no floor",
        ],
    );
}
