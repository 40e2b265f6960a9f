//! Partner Center: its sign-in, the ids that it is told, and what a person is told.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use avepoint_exporter::simulator::{
    Fault, Listing, NO_TENANT, Options, PartnerRequest, Rule, Simulator, When, World,
};

use super::options;
use crate::oracle::figures::Circumstances;
use crate::oracle::{everything, judge, now, sections};
use crate::program::{Ended, Program, exporter};
use crate::support::{Exposition, PartnerSignIn, config, config_text, poll_by, simulator};

/// Tenants whose polls all wait for the same token.
const MANY: usize = 12;

/// All collectors for the tenants of the configuration.
fn how() -> Circumstances {
    Circumstances {
        discovery: false,
        ..everything()
    }
}

fn service(world: World, rules: &[Rule]) -> Options {
    Options {
        clock: now(),
        ..options(world, rules)
    }
}

/// Polls everything once.
async fn poll(simulator: &Simulator, sign_in: &PartnerSignIn) -> Exposition {
    let config = config(simulator, "", &sections(&how(), sign_in));
    poll_by(&config, now()).await
}

/// Polls everything once with the real program.
async fn run(simulator: &Simulator, sign_in: &PartnerSignIn, elements: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let text = config_text(simulator, elements, &sections(&how(), sign_in));
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let arguments = ["poll", "--log.level=warn", "--config.file", &path];
    Program::start(&mut exporter(arguments)).end().await
}

/// The line of the log that tells of a failed poll.
#[track_caller]
fn failure_in(ended: &Ended) -> &str {
    let mut lines = ended.stderr.lines();
    let failed = lines.find(|line| line.contains("poll failed"));
    failed.unwrap_or_else(|| panic!("{}", ended.stderr))
}

#[tokio::test]
async fn a_strict_service_is_signed_in_to_again_and_again_by_the_token_that_was_stored() {
    let rules = [
        Rule::new(Fault::StrictRefresh, When::always()),
        // So that a token is exchanged in the middle of a poll as well.
        Rule::new(
            Fault::ExpireTokens,
            When::first(1).after(1).on(Listing::Partner),
        ),
    ];
    let simulator = simulator(service(World::seeded(1, 2, 60), &rules)).await;
    let sign_in = PartnerSignIn::to(&simulator);
    for refreshes in [2, 3, 4] {
        let exposition = poll(&simulator, &sign_in).await;
        judge(&simulator, &exposition, &how()).unwrap();
        assert_eq!(simulator.stats().refreshes, refreshes);
        let stored = std::fs::read_to_string(&sign_in.file).unwrap();
        assert_eq!(simulator.good_refresh_tokens(), [stored.trim()]);
    }
}

#[tokio::test]
async fn a_refused_refresh_token_is_handed_in_once_however_many_polls_wait_and_a_person_is_told_what_to_do()
 {
    let rule = Rule::new(Fault::RevokeRefresh, When::always());
    let mut options = service(World::seeded(1, MANY, 20), &[rule]);
    options.latency = Duration::from_millis(50);
    let simulator = simulator(options).await;
    let sign_in = PartnerSignIn::to(&simulator);
    let ended = run(&simulator, &sign_in, "").await;
    assert_eq!(simulator.stats().partner_token_requests, 1);

    let exposition = Exposition::read(&ended.stdout);
    let labels = [("collector", "partner_center"), ("reason", "credential")];
    let failures = exposition.get("avepoint_poll_failures_total", &labels);
    assert_eq!(failures, Some(MANY as f64));
    let labels = [
        ("credential", "partner_center"),
        ("reason", "invalid_grant"),
    ];
    let failures = exposition.get("avepoint_token_request_failures_total", &labels);
    assert_eq!(failures, Some(1.0));
    for (credential, up) in [("partner_center", 0.0), ("elements", 1.0)] {
        let labels = [("credential", credential)];
        assert_eq!(exposition.get("avepoint_credential_up", &labels), Some(up));
    }

    // Said once, and not by each of the polls.
    let lines = ended.stderr.lines();
    let warnings = lines.filter(|line| line.contains("level=warn"));
    // The simulated world stands at another date.
    let warnings = warnings.filter(|line| !line.contains("the clock of this machine"));
    let warnings: Vec<_> = warnings.collect();
    let [line] = warnings.as_slice() else {
        panic!("{}", ended.stderr)
    };
    let advice = format!(
        "must consent again, with multi-factor authentication, and write the new refresh token to {}",
        sign_in.file.display()
    );
    assert!(
        line.contains("(invalid_grant)") && line.contains(&advice),
        "{line}"
    );
}

#[tokio::test]
async fn a_token_service_that_redirects_does_not_get_the_refresh_token_sent_elsewhere() {
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    foreign.set_nonblocking(true).unwrap();
    let rule = Rule::new(Fault::Redirect, When::always().on(Listing::PartnerToken));
    let mut options = service(World::seeded(1, 2, 20), &[rule]);
    options.foreign_origin = format!("http://{}", foreign.local_addr().unwrap());
    let simulator = simulator(options).await;
    let exposition = poll(&simulator, &PartnerSignIn::to(&simulator)).await;
    let how = Circumstances {
        struck: Some((Listing::PartnerToken, NO_TENANT)),
        fails: true,
        ..how()
    };
    judge(&simulator, &exposition, &how).unwrap();
    // A connection would wait here to be accepted, even if nothing was sent on it.
    let error = foreign.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_customer_whose_roles_are_missing_is_told_in_the_words_of_partner_center() {
    let world = World::seeded(1, 2, 20);
    let when = When::always().for_tenant(world.tenants()[0].tenant_id);
    let rule = Rule::new(Fault::Forbidden, when.on(Listing::Partner));
    let simulator = simulator(service(world, &[rule])).await;
    let ended = run(&simulator, &PartnerSignIn::to(&simulator), "").await;
    let failed = ended
        .stderr
        .lines()
        .find(|line| line.contains("poll failed"));
    let line = failed.unwrap();
    for words in [
        "reason=forbidden",
        "the consenting user lacks the role Admin agent (under GDAP also Directory Readers, Global Reader or User \
         Administrator at this customer)",
    ] {
        assert!(line.contains(words), "{line}");
    }
    assert!(!ended.stderr.contains("app registration"), "{line}");
}

/// The ids of these requests, and those of their polls.
fn ids(requests: &[PartnerRequest]) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = |id: fn(&PartnerRequest) -> &Option<String>| {
        requests
            .iter()
            .map(|one| id(one).clone().unwrap())
            .collect()
    };
    (all(|one| &one.request_id), all(|one| &one.correlation_id))
}

#[tokio::test]
async fn each_request_has_an_id_of_its_own_and_all_of_a_poll_have_one_in_common() {
    let mut options = service(World::seeded(1, 2, 60), &[]);
    options.partner_page_limit = 20;
    let simulator = simulator(options).await;
    let sign_in = PartnerSignIn::to(&simulator);
    let tenants = simulator.world().tenants().len();
    let mut before = 0;
    for polls in [1, 2] {
        poll(&simulator, &sign_in).await;
        let log = simulator.stats().partner_log;
        assert!(log.len() >= before + 3 * tenants, "several pages for each");
        before = log.len();
        let (requests, correlations) = ids(&log);
        assert_eq!(requests.len(), log.len());
        assert_eq!(correlations.len(), polls * tenants);
        for tenant in simulator.world().tenants() {
            let of_tenant = log.iter().filter(|one| one.tenant == tenant.tenant_id);
            let of_tenant: Vec<_> = of_tenant.cloned().collect();
            assert_eq!(ids(&of_tenant).1.len(), polls);
        }
    }
}

#[tokio::test]
async fn the_log_line_of_a_failure_holds_the_ids_that_were_sent_whether_there_was_an_answer_or_not()
{
    for fault in [Fault::Hang, Fault::BadRequest, Fault::ForeignLink] {
        let world = World::seeded(1, 1, 20);
        let rule = Rule::new(fault, When::always().on(Listing::DeletedPartner));
        let simulator = simulator(service(world, &[rule])).await;
        let hasty = "  timeout: 1s\n  retry_deadline: 1s\n";
        let ended = run(&simulator, &PartnerSignIn::to(&simulator), hasty).await;
        let line = failure_in(&ended);
        let log = simulator.stats().partner_log;
        let last = log.last().unwrap();
        assert_eq!(last.listing, Listing::DeletedPartner);
        for (key, id) in [
            ("request_id", &last.request_id),
            ("correlation_id", &last.correlation_id),
        ] {
            let field = format!(" {key}={}", id.as_ref().unwrap());
            assert!(line.contains(&field), "{fault}: {field}: {line}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_without_multi_factor_authentication_is_shown_before_it_is_refused() {
    let once = Rule::new(Fault::MfaNotCompliant, When::first(1));
    let always = Rule::new(Fault::MfaNotCompliant, When::always());
    for (rules, shown) in [(vec![], 1.0), (vec![always], 0.0), (vec![once], 1.0)] {
        let simulator = simulator(service(World::seeded(1, 1, 20), &rules)).await;
        let exposition = poll(&simulator, &PartnerSignIn::to(&simulator)).await;
        let value = exposition.get("avepoint_partner_center_mfa_compliant", &[]);
        assert_eq!(value, Some(shown), "the last answer counts");
    }
    let rules = [Rule::new(
        Fault::Forbidden,
        When::always().on(Listing::Partner),
    )];
    let simulator = simulator(service(World::seeded(1, 1, 20), &rules)).await;
    let exposition = poll(&simulator, &PartnerSignIn::to(&simulator)).await;
    let value = exposition.get("avepoint_partner_center_mfa_compliant", &[]);
    assert_eq!(value, None, "nothing was said");
}

/// Mounts a file on itself, as a container's runtime mounts a single file, and then runs a program.
const MOUNT: &str = r#"mount --bind "$0" "$0" && exec "$@""#;

#[tokio::test]
async fn a_refresh_token_file_that_is_mounted_by_itself_is_refused_before_the_token_is_sent() {
    let namespace = ["--map-root-user", "--mount"];
    let tried = Command::new("unshare").args(namespace).arg("true").status();
    if !tried.is_ok_and(|status| status.success()) {
        // The machine allows nobody to mount; a unit test tells mounts apart.
        return;
    }
    let simulator = simulator(service(World::seeded(1, 1, 20), &[])).await;
    let sign_in = PartnerSignIn::to(&simulator);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let text = config_text(&simulator, "", &sections(&how(), &sign_in));
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    for command in ["check", "poll", "serve"] {
        let program = exporter([command, "--config.file", &path]);
        let mut mounted = Command::new("unshare");
        mounted.args(namespace).args(["sh", "-c", MOUNT]);
        mounted.arg(&sign_in.file).arg(program.get_program());
        mounted.args(program.get_args());
        let ended = Program::start(&mut mounted).end().await;
        assert_eq!(ended.code, Some(64), "{command}: {}", ended.stderr);
        let expected =
            "cannot be replaced: it is mounted by itself; mount its directory, not the file";
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    assert_eq!(simulator.stats().partner_token_requests, 0);
}
