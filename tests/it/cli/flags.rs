//! Which command takes which flag, before its name as well as after it.

use std::ffi::OsString;

use avepoint_exporter::cli::Arguments;

use super::{OK, USAGE, run};

const CONFIG: &[&str] = &["config.file"];
const WEB: &[&str] = &[
    "web.config.file",
    "web.listen-address",
    "web.max-requests",
    "web.probe-listen-address",
    "web.systemd-socket",
    "web.telemetry-path",
];
const SERVE: &[&str] = &["web.enable-lifecycle"];
const LOG: &[&str] = &["log.format", "log.level"];
const SIMULATION: &[&str] = &[
    "calm-after",
    "evolve",
    "faults",
    "latency",
    "listen",
    "page-limit",
    "seed",
    "tenants",
    "users",
];

/// All flags of each command but `--help`.
const COMMANDS: [(&str, &[&[&str]]); 8] = [
    ("serve", &[&["config.check"], CONFIG, WEB, SERVE, LOG]),
    (
        "check",
        &[
            &["assume-tenants", "assume-users", "config.check"],
            CONFIG,
            WEB,
            SERVE,
            LOG,
        ],
    ),
    ("poll", &[CONFIG, LOG]),
    ("discover", &[&["table"], CONFIG, LOG]),
    ("demo", &[SIMULATION, WEB, LOG]),
    ("simulate", &[SIMULATION, LOG]),
    ("probe", &[&["ready", "timeout", "url"], LOG]),
    ("assets", &[&["out", "runbook-url"], LOG]),
];

/// The flags that may be given before a command, each with a value that is not its default.
const BEFORE: [&str; 11] = [
    "--config.check",
    "--config.file=other.yaml",
    "--web.enable-lifecycle",
    "--web.config.file=web.yml",
    "--web.listen-address=:0",
    "--web.max-requests=1",
    "--web.probe-listen-address=:0",
    "--web.systemd-socket",
    "--web.telemetry-path=/other",
    "--log.format=json",
    "--log.level=debug",
];

/// A flag's name without its dashes and its value.
fn name(flag: &str) -> &str {
    let name = flag.trim_start_matches('-');
    name.split_once('=').map_or(name, |(name, _)| name)
}

/// All pairs of a command and a flag that may be given before one, with whether the command takes the flag.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    COMMANDS.into_iter().flat_map(|(command, groups)| {
        BEFORE.map(|flag| (command, flag, groups.concat().contains(&name(flag))))
    })
}

/// The arguments of a command with what it requires.
fn with_required<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = arguments.to_vec();
    if arguments.contains(&"assets") {
        arguments.push("--out=assets");
    }
    arguments
}

/// What the program takes these arguments to be.
#[track_caller]
fn parsed(arguments: &[&str]) -> String {
    let line = ["avepoint-exporter"].into_iter().chain(arguments.to_vec());
    format!("{:?}", Arguments::read(line.map(OsString::from)).unwrap())
}

/// The flags that a help text lists.
fn listed(help: &str) -> Vec<&str> {
    let mut flags: Vec<_> = help
        .lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let flag = line.strip_prefix("-h, ").or(line.strip_prefix("-V, "));
            let flag = flag.unwrap_or(line).strip_prefix("--")?;
            flag.split([' ', '[', '=']).next()
        })
        .collect();
    flags.sort_unstable();
    flags
}

#[tokio::test]
async fn help_lists_the_flags_of_the_command_and_no_others() {
    let default = (&["--help"][..], COMMANDS[0].1, &["help", "version"][..]);
    let commands = COMMANDS.map(|(command, groups)| ([command, "--help"], groups));
    let commands = commands
        .iter()
        .map(|(arguments, groups)| (&arguments[..], *groups, &["help"][..]));
    for (arguments, groups, more) in commands.chain([default]) {
        let mut expected = [&groups.concat(), more].concat();
        expected.sort_unstable();
        let ended = run(arguments).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
        assert_eq!(listed(&ended.stdout), expected, "{arguments:?}");
    }
}

#[test]
fn flags_before_and_after_the_command_mean_the_same() {
    for (command, flag, _) in pairs().filter(|(_, _, taken)| *taken) {
        let without = parsed(&with_required(&[command]));
        let after = parsed(&with_required(&[command, flag]));
        assert_ne!(after, without, "{command} {flag}");
        let mut apart: Vec<&str> = flag.splitn(2, '=').collect();
        apart.push(command);
        for before in [&[flag, command][..], &apart] {
            assert_eq!(parsed(&with_required(before)), after, "{before:?}");
        }
    }
    let before = parsed(&["--config.file", "poll", "--log.level=warn", "poll"]);
    let around = parsed(&["--log.level=warn", "poll", "--config.file=poll"]);
    assert_eq!(before, around);
    let addresses = parsed(&["--web.listen-address=:1", "demo", "--web.listen-address=:2"]);
    assert!(
        addresses.contains("port: 1") && addresses.contains("port: 2"),
        "{addresses}"
    );
}

#[test]
fn of_a_flag_on_both_sides_of_the_command_the_one_behind_it_counts() {
    let around = parsed(&["--log.level=warn", "poll", "--log.level=debug"]);
    assert_eq!(around, parsed(&["poll", "--log.level=debug"]));
    let around = parsed(&["--config.check", "check", "--config.check"]);
    assert_eq!(around, parsed(&["check", "--config.check"]));
}

#[tokio::test]
async fn a_flag_that_is_given_twice_in_a_row_is_refused_with_exit_status_64() {
    for side in [
        &["--log.level=warn", "--log.level=info", "check"][..],
        &["check", "--log.level=warn", "--log.level=info"],
    ] {
        let ended = run(side).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""), "{side:?}");
        assert!(ended.stderr.contains("multiple times"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_flag_that_a_command_does_not_take_is_named_with_exit_status_64() {
    for (command, flag, _) in pairs().filter(|(_, _, taken)| !taken) {
        for arguments in [[flag, command], [command, flag]] {
            let ended = run(&with_required(&arguments)).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
            let expected = format!("error: unexpected argument '--{}' found\n", name(flag));
            assert!(
                ended.stderr.starts_with(&expected),
                "{arguments:?}: {}",
                ended.stderr
            );
        }
    }
}
