//! What the API lists, printed for the configuration and for people.

use std::fs;

use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};

use crate::cli::{DOES_NOT_FIT, FAILED, Folder, OK, USAGE, serve};
use crate::program::until;
use crate::support::{config_text, simulator};

/// A configuration without tenants.
fn without_tenants(text: &str) -> String {
    text.split_once("tenants:\n").unwrap().0.to_owned()
}

#[tokio::test]
async fn with_the_list_that_discover_prints_all_tenants_are_polled() {
    let world = World::seeded(1, 12, 20);
    let ids: Vec<_> = world
        .tenants()
        .iter()
        .map(|one| one.tenant_id.to_string())
        .collect();
    let upstream = simulator(Options::new(world)).await;
    let text = without_tenants(&config_text(&upstream, "", ""));
    let folder = Folder::with(&text);
    let ended = folder.start(&["discover"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    for id in &ids {
        let line = format!("    tenant_id: {id}\n");
        assert_eq!(ended.stdout.matches(&line).count(), 1, "{}", ended.stdout);
    }
    let customers = "no tenant that can be polled";
    assert!(ended.stdout.contains(customers), "{}", ended.stdout);

    fs::write(folder.config(), format!("{text}{}", ended.stdout)).unwrap();
    let ended = folder.start(&["check"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    let line = "\ntenants              12\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);

    let ended = folder.start(&["discover", "--table"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    assert!(ended.stdout.starts_with("CUSTOMER "), "{}", ended.stdout);
    // With the titles and two customers that have no tenant.
    assert_eq!(ended.stdout.lines().count(), 12 + 1 + 2, "{}", ended.stdout);
}

#[tokio::test]
async fn discover_that_fails_says_why_and_prints_nothing() {
    let mut options = Options::new(World::seeded(1, 2, 20));
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().on(Listing::Customers),
    )];
    let upstream = simulator(options).await;
    let folder = Folder::with(&without_tenants(&config_text(&upstream, "", "")));
    let ended = folder.start(&["discover"]).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    let words = "lacks the permission elements.customers.read.all";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);

    let folder = Folder::with("elements: { client_id: x }\n");
    let ended = folder.start(&["discover"]).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
    assert!(
        ended.stderr.contains("has no credential"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn the_log_says_what_discovery_found_at_first_and_when_it_is_something_else() {
    let upstream = simulator(Options::new(World::seeded(1, 6, 20))).await;
    let sections = |exclude: &str| {
        format!("discovery: {{ enabled: true, exclude: {{ customer_name: '{exclude}' }} }}\n")
    };
    let config = |limit: &str, exclude: &str| {
        let limit = format!("  rate_limit: {{ requests_per_second: {limit} }}\n");
        without_tenants(&config_text(&upstream, &limit, &sections(exclude)))
    };
    let names: Vec<_> = upstream
        .world()
        .customers()
        .iter()
        .filter_map(|one| one.organization.clone())
        .collect();
    let folder = Folder::with(&config("40", "nobody"));
    let (program, _) = serve(&folder, &[]).await;
    let said = async |words: String| {
        until("the line", async || {
            let log = program.stderr();
            log.lines()
                .find(|line| line.contains(&words))
                .map(str::to_owned)
        })
        .await
    };
    let all = names.len();
    let line = said(format!("discovery found {all} customers, 6 tenants")).await;
    for name in &names {
        assert!(line.contains(name), "{name}: {line}");
    }
    // Another client discovers at once.
    fs::write(folder.config(), config("41", &names[0])).unwrap();
    program.signal("HUP");
    let line = said(format!("discovery found {} customers", all - 1)).await;
    assert!(
        line.contains(&format!("customers_removed=\"{}\"", names[0]))
            || line.contains(&format!("customers_removed={}", names[0])),
        "{line}"
    );
    assert!(!line.contains("customers_added"), "{line}");
    program.signal("TERM");
    let log = program.end().await.stderr;
    assert_eq!(log.matches("discovery found").count(), 2, "{log}");
}

#[tokio::test]
async fn a_check_takes_as_many_discovered_tenants_as_are_assumed_and_fails_if_they_do_not_fit() {
    let folder = Folder::with(
        "elements: { client_id: x, client_secret: y }\n\
         discovery: { enabled: true, include: { tenant_name: 'contoso[.].*' } }\n",
    );
    for (tenants, code) in [("0", OK), ("100", OK), ("1000", DOES_NOT_FIT)] {
        let flag = format!("--assume-tenants={tenants}");
        let ended = folder.start(&["check", &flag]).end().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""), "{flag}");
        let line = format!(
            "0 listed, assuming {tenants} discovered ones (--assume-tenants); discovery every"
        );
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
        let advice = ended.stdout.contains("The rate limit is too low");
        assert_eq!(advice, code == DOES_NOT_FIT, "{}", ended.stdout);
    }
    let ended = folder.start(&["check"]).end().await;
    assert_eq!(ended.code, OK, "unknown is not too much");
}
