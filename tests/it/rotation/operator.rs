//! What an operator meets: a second process, files and folders of the wrong kind, a token that is refused, and the
//! end of a process that is in the midst of an exchange.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use avepoint_exporter::simulator::{FIRST_REFRESH_TOKEN, Fault, Options, Rule, When, World};

use super::{FAILED, OK, Place, Program, Service, USAGE};
use crate::program::until;

const SERVE: [&str; 2] = ["serve", "--web.listen-address=127.0.0.1:0"];

fn misbehaving(fault: Fault, when: When) -> Options {
    Options {
        rules: vec![Rule::new(fault, when)],
        ..Options::new(World::seeded(1, 1, 3))
    }
}

/// Waits until the upstream has handed out so many new refresh tokens.
async fn until_refreshed(place: &Place, times: u64) {
    until("an exchange", async || {
        (place.upstream.stats().refreshes >= times).then_some(())
    })
    .await;
}

/// Ends a program in good order.
async fn end(program: Program) -> String {
    program.signal("TERM");
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    ended.stderr
}

#[tokio::test]
async fn a_second_process_says_who_has_the_token_and_what_to_do_and_asks_nothing() {
    let place = Place::new(Service::Strict).await;
    let first = place.start(&SERVE);
    until_refreshed(&place, 1).await;
    let holder = fs::read_to_string(place.kept().join("token.lock")).unwrap();
    assert!(holder.contains(&first.id().to_string()), "{holder}");
    for arguments in [&SERVE[..], &["poll"]] {
        let second = place.start(arguments).end().await;
        assert_eq!((second.code, second.stdout.as_str()), (USAGE, ""));
        let file = place.token_file().display().to_string();
        let expected = format!(
            "avepoint-exporter: the refresh token in {file} is locked by {} ({file}.lock); only one process may use \
             it: stop that process, or give this one its own token and file (partner_center.refresh_token_file)\n",
            holder.trim_end(),
        );
        assert_eq!(second.stderr, expected);
    }
    assert_eq!(place.upstream.stats().partner_token_requests, 1);
    // Which it would have to wait for, if it took the lock.
    let checked = place.start(&["check"]).end().await;
    // Polls of each second do not fit, if the listings are as long as `check` assumes.
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(2), ""));
    end(first).await;
    assert_eq!(place.poll().await.code, OK, "the lock ends with its holder");
}

#[tokio::test]
async fn a_token_that_others_could_read_is_theirs_no_more() {
    // It stays the same file: nothing replaces it.
    let options = misbehaving(Fault::RevokeRefresh, When::always());
    let place = Place::with(options).await;
    fs::set_permissions(place.token_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let polled = place.poll().await;
    assert_eq!(polled.code, FAILED);
    place.check_files("after a poll");
    let warned = polled
        .stderr
        .contains("refresh token file was readable by other users");
    assert!(warned, "{}", polled.stderr);
}

#[tokio::test]
async fn a_place_where_no_new_token_can_be_written_is_refused_before_anything_is_asked() {
    let place = Place::new(Service::Strict).await;
    let below_a_file = place.token_file().join("token");
    for (file, why) in [
        (below_a_file.to_str().unwrap(), "Not a directory"),
        ("nowhere/token", "its directory does not exist"),
        ("/proc/sys/kernel/hostname", "cannot be replaced"),
        ("kept", "is not a regular file"),
    ] {
        place.configure(file);
        for arguments in [&SERVE[..], &["poll"], &["check"]] {
            let ended = place.start(arguments).end().await;
            assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""), "{file}");
            let at = "avepoint-exporter: config.yaml:7:23: partner_center.refresh_token_file: ";
            assert!(ended.stderr.starts_with(at), "{}", ended.stderr);
            assert!(ended.stderr.contains(why), "{file}: {}", ended.stderr);
        }
    }
    assert_eq!(place.upstream.stats().partner_token_requests, 0);
}

#[tokio::test]
async fn a_token_that_a_person_brings_is_used_without_a_restart() {
    let place = Place::new(Service::Strict).await;
    place.put("simulated-refresh-token-of-before");
    let serve = place.start(&SERVE);
    until("the refusal", async || {
        let log = serve.stderr();
        log.contains("must consent again").then_some(())
    })
    .await;
    place.put(FIRST_REFRESH_TOKEN);
    until_refreshed(&place, 1).await;
    let log = end(serve).await;
    assert_eq!(place.upstream.stats().partner_token_requests, 2, "{log}");
    place.check_files("after the sign-in");
}

#[tokio::test]
async fn an_end_in_the_midst_of_an_exchange_waits_for_it_and_keeps_the_new_token() {
    for (command, signal) in [("serve", "TERM"), ("poll", "INT")] {
        let place = Place::with(Options {
            latency: Duration::from_millis(500),
            ..misbehaving(Fault::StrictRefresh, When::always())
        })
        .await;
        let arguments = if command == "serve" {
            &SERVE[..]
        } else {
            &["poll"]
        };
        let program = place.start(arguments);
        until("the question", async || {
            (place.upstream.stats().partner_token_requests == 1).then_some(())
        })
        .await;
        program.signal(signal);
        let ended = program.end().await;
        let expected = if command == "serve" { OK } else { FAILED };
        assert_eq!(ended.code, expected, "{}", ended.stderr);
        let stats = place.upstream.stats();
        assert_eq!(
            (stats.refreshes, stats.total_requests()),
            (1, 0),
            "{command}"
        );
        assert_eq!(place.token(), "simulated-refresh-token-2\n");
        let mut names: Vec<_> = fs::read_dir(place.kept())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["token", "token.lock"]);
    }
}
