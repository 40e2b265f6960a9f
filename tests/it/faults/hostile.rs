//! Answers that would do harm: that lead elsewhere, never end, or say what must not be repeated.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use avepoint_exporter::domain::{CustomerId, TenantId};
use avepoint_exporter::simulator::{
    Fault, Listing, Module, ProtectedUser, Rule, SecurityUser, Statuses, Tenant, When, World,
};
use tokio::time::Instant;

use super::{error_of, failure, options, pages, requests};
use crate::support::{config, poll, simulator};

#[tokio::test]
async fn nothing_is_sent_to_another_host_wherever_an_answer_points() {
    for (fault, listing) in [
        (Fault::Redirect, Listing::Security),
        (Fault::Redirect, Listing::Protected),
        (Fault::ForeignLink, Listing::Security),
        (Fault::ForeignLink, Listing::Protected),
        // With it goes the secret.
        (Fault::Redirect, Listing::Token),
    ] {
        // 20 users are one page: its link is refused although there is nothing behind it.
        for users in [20, 400] {
            let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
            foreign.set_nonblocking(true).unwrap();
            let rule = Rule::new(fault, When::always().on(listing));
            let mut options = options(World::seeded(1, 1, users), &[rule]);
            options.foreign_origin = format!("http://{}", foreign.local_addr().unwrap());
            let simulator = simulator(options).await;
            let exposition = poll(&config(&simulator, "", "")).await;
            let tenant = simulator.world().tenants()[0].tenant_id;
            let (polled, reason) = match listing {
                Listing::Token => (Listing::Security, "credential"),
                polled => (polled, "refused"),
            };
            let failure = failure(&exposition, tenant, polled);
            assert_eq!(
                failure.as_deref(),
                Some(reason),
                "{fault} {listing:?} {users}"
            );
            // A connection would wait here to be accepted, even if nothing was sent on it.
            let error = foreign.accept().unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::WouldBlock,
                "{fault} {listing:?} {users}"
            );
        }
    }
}

#[tokio::test]
async fn neither_token_nor_personal_data_of_an_answer_is_repeated() {
    for listing in [Listing::Security, Listing::Protected] {
        let rule = Rule::new(Fault::SecretEcho, When::always().on(listing));
        let simulator = simulator(options(World::seeded(1, 1, 120), &[rule])).await;
        let config = config(&simulator, "", "");
        let error = error_of(&config, listing).await;
        assert!(
            error.request_id.is_none(),
            "it is made of the token and an address"
        );
        let (shown, debugged) = (error.to_string(), format!("{error:?}"));
        let exporter = avepoint_exporter::app::Exporter::new(
            &config,
            avepoint_exporter::domain::Clock::system(),
        );
        let (exposition, _) = exporter.unwrap().poll_once().await;
        let user = simulator.world().tenants()[0]
            .security_users(0)
            .next()
            .unwrap()
            .into_owned();
        for planted in [
            "simulated-token".to_owned(),
            user.mail.unwrap(),
            user.user_principal_name.unwrap(),
            user.id.unwrap(),
        ] {
            assert!(
                !shown.contains(&planted) && !debugged.contains(&planted),
                "{debugged}"
            );
            assert!(!exposition.contains(&planted));
        }
    }
}

#[tokio::test]
async fn an_endless_listing_is_cut_off_at_the_row_limit_that_is_configured() {
    for (limit, uncounted) in [(100, 2), (150, 2), (2000, 21)] {
        let world = World::seeded(1, 1, 120);
        let rule = Rule::new(Fault::EndlessUncounted, When::always());
        let simulator = simulator(options(world, &[rule])).await;
        let limits = format!("  limits: {{ rows: {limit} }}\n");
        let exposition = poll(&config(&simulator, &limits, "")).await;
        let tenant = simulator.world().tenants()[0].tenant_id;
        for listing in [Listing::Security, Listing::Protected] {
            assert_eq!(
                failure(&exposition, tenant, listing).as_deref(),
                Some("limit")
            );
            assert_eq!(
                requests(&simulator, tenant, listing),
                uncounted,
                "limit {limit}"
            );
        }
    }
}

/// A world of one tenant with these codes, a row for each list of them, in either listing.
fn world_of_codes(codes: Vec<Vec<i64>>) -> World {
    let id = |n: usize| Some(format!("user {n}"));
    let protected = codes.iter().enumerate().map(|(n, codes)| ProtectedUser {
        id: id(n),
        modules: Some(
            codes
                .iter()
                .map(|&module| Module {
                    module,
                    is_protected: module % 2 == 0,
                })
                .collect(),
        ),
        ..ProtectedUser::default()
    });
    let protected = protected.collect();
    let security = codes
        .into_iter()
        .enumerate()
        .map(|(n, codes)| SecurityUser {
            id: id(n),
            statuses: Some(Statuses::Codes(codes)),
            ..SecurityUser::default()
        });
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    World::given(vec![Tenant::given(
        customer,
        tenant,
        security.collect(),
        protected,
    )])
}

#[tokio::test]
async fn a_listing_of_64_codes_is_shown_and_one_of_65_is_refused() {
    for (codes, expected) in [(64, None), (65, Some("limit"))] {
        let one_each = (0..codes).map(|code| vec![code]).collect();
        let all_in_one = vec![(1000..1000 + codes).collect()];
        for rows in [one_each, all_in_one] {
            let simulator = simulator(options(world_of_codes(rows), &[])).await;
            let exposition = poll(&config(&simulator, "", "")).await;
            let tenant = simulator.world().tenants()[0].tenant_id;
            for listing in [Listing::Security, Listing::Protected] {
                assert_eq!(failure(&exposition, tenant, listing).as_deref(), expected);
                assert_eq!(requests(&simulator, tenant, listing), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_row_of_very_many_codes_is_refused_in_no_time() {
    // Comparing each with each would take minutes.
    let world = world_of_codes(vec![(1_000_000..1_090_000).collect()]);
    let simulator = simulator(options(world, &[])).await;
    let start = Instant::now();
    let exposition = poll(&config(&simulator, "", "")).await;
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    let tenant = simulator.world().tenants()[0].tenant_id;
    for listing in [Listing::Security, Listing::Protected] {
        assert_eq!(
            failure(&exposition, tenant, listing).as_deref(),
            Some("limit")
        );
    }
}

#[tokio::test]
async fn a_listing_that_says_it_is_empty_is_no_failure() {
    for fault in [Fault::NoContent, Fault::Bom] {
        let world = world_of_codes(Vec::new());
        let simulator = simulator(options(world, &[Rule::new(fault, When::always())])).await;
        let exposition = poll(&config(&simulator, "", "")).await;
        let tenant = &simulator.world().tenants()[0];
        assert_eq!(
            exposition.of(tenant.tenant_id, "avepoint_security_users", &[]),
            Some(0.0)
        );
        assert_eq!(
            exposition.of(tenant.tenant_id, "avepoint_backup_users", &[]),
            Some(0.0)
        );
        assert_eq!(
            simulator.stats().total_requests(),
            2 * pages(tenant, Listing::Security)
        );
    }
}
