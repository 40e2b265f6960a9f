//! Killed before each single call that touches the folder of the token's file, and while the service is asked.
//!
//! A library that is loaded before the C library counts those calls and kills the process at the chosen one: which
//! calls there are is found by a run that is not killed, so that a new one is covered by itself. The program under
//! test is the one that is released. (`strace -e inject` can do this for programs of one thread only: it counts the
//! calls of each thread by themselves.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use avepoint_exporter::simulator::{Fault, Options, Rule, When, World};
use tempfile::TempDir;

use super::{Ended, OK, Place, Program, Service, SignedIn};
use crate::program::until;

/// The library, which is built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("steps.so");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rotation/steps.c");
        let mut build = Command::new(compiler);
        build
            .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([library.as_path(), Path::new(source), Path::new("-ldl")]);
        assert!(build.status().unwrap().success(), "{build:?}");
        (folder, library)
    });
    library
}

impl Place {
    /// Runs `poll`, which is killed at a step if one is given, and returns the steps it came to as well.
    async fn poll_by_steps(&self, kill_at: Option<usize>) -> (Ended, Vec<String>) {
        let log = self.folder.path().join("steps");
        // What runs before it may have left one.
        let _ = fs::remove_file(&log);
        let mut poll = self.exporter(&["poll"]);
        poll.env("LD_PRELOAD", library())
            .env("STEPS_FOLDER", self.kept())
            .env("STEPS_LOG", &log);
        if let Some(step) = kill_at {
            poll.env("STEPS_KILL_AT", step.to_string());
        }
        let ended = Program::start(&mut poll).end().await;
        let steps = fs::read_to_string(&log).unwrap_or_default();
        (ended, steps.lines().map(str::to_owned).collect())
    }

    /// Has the exporter killed before this step; nothing happens without one.
    async fn killed_at(&self, steps: &[String]) {
        if steps.is_empty() {
            return;
        }
        let (ended, done) = self.poll_by_steps(Some(steps.len())).await;
        assert_eq!((ended.code, &*done), (None, steps), "{}", ended.stderr);
    }
}

/// The steps of a whole run after one that was killed at the last of `before`.
async fn steps_of_a_run(service: Service, before: &[String]) -> Vec<String> {
    let place = Place::new(service).await;
    place.killed_at(before).await;
    let (ended, steps) = place.poll_by_steps(None).await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    // Else it is not this program's calls that are seen.
    for step in [
        "write token.exchange",
        "fsync token.exchange",
        "write the rest of token.rotated",
        "rename token.rotated",
        "fsync .",
    ] {
        assert!(steps.iter().any(|seen| seen == step), "{step}: {steps:?}");
    }
    steps
}

/// Kills runs at each of these steps in turn, all after one that was killed at the last of `before`, and starts
/// another one. Returns the steps after which a person had to help.
async fn kill_at_each<'a>(
    service: Service,
    before: &[String],
    steps: &'a [String],
) -> Vec<&'a str> {
    let mut helped = Vec::new();
    for (n, step) in (1..).zip(steps) {
        let place = Place::new(service).await;
        place.killed_at(before).await;
        place.killed_at(&steps[..n]).await;
        let when = format!("killed at step {n}, {step}");
        if place.sign_in_again(service, &when).await == SignedIn::WithHelp {
            helped.push(step.as_str());
        }
    }
    helped
}

#[tokio::test]
async fn killed_at_any_step_it_signs_in_again_with_a_service_like_microsofts() {
    let service = Service::LikeMicrosoft;
    let steps = steps_of_a_run(service, &[]).await;
    assert_eq!(kill_at_each(service, &[], &steps).await, [""; 0]);
}

#[tokio::test]
async fn killed_at_any_step_it_signs_in_again_with_a_strict_service_or_says_what_was_lost() {
    let steps = steps_of_a_run(Service::Strict, &[]).await;
    let helped = kill_at_each(Service::Strict, &[], &steps).await;
    // From the answer until the new token is written, it is in memory alone.
    let (first, last) = (helped.first(), helped.last());
    assert_eq!(first, Some(&"open token"), "{helped:?}");
    assert_eq!(last, Some(&"write the rest of token.rotated"), "{helped:?}");
}

#[tokio::test]
async fn killed_at_any_step_of_putting_things_in_order_it_goes_on_at_the_next_start() {
    let mut before = steps_of_a_run(Service::Strict, &[]).await;
    before.truncate(after(&before, "rename token.rotated"));
    let mut steps = steps_of_a_run(Service::Strict, &before).await;
    // What follows is an exchange as any other.
    steps.truncate(after(&steps, "create token.exchange"));
    let helped = kill_at_each(Service::Strict, &before, &steps).await;
    assert_eq!(helped, [""; 0]);
}

/// How many steps there are up to the first such one.
fn after(steps: &[String], step: &str) -> usize {
    1 + steps.iter().position(|seen| seen == step).unwrap()
}

#[tokio::test]
async fn killed_while_the_service_is_asked_it_signs_in_again_or_says_what_was_lost() {
    for (service, fault) in [
        (Service::LikeMicrosoft, None),
        (Service::Strict, Some(Fault::StrictRefresh)),
    ] {
        let place = Place::with(Options {
            latency: Duration::from_millis(200),
            rules: fault
                .map(|fault| Rule::new(fault, When::always()))
                .into_iter()
                .collect(),
            ..Options::new(World::seeded(1, 1, 3))
        })
        .await;
        let poll = place.start(&["poll"]);
        until("the question", async || {
            (place.upstream.stats().partner_token_requests == 1).then_some(())
        })
        .await;
        drop(poll);
        place
            .sign_in_again(service, "killed while the service was asked")
            .await;
    }
}
