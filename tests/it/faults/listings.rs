//! The rows of the table, played on the listings that are off by default and on discovery. An oracle says what all
//! series are to be: those of the listing that the fault strikes at, and all others, which it must not touch.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use avepoint_exporter::app::Exporter;
use avepoint_exporter::domain::TenantId;
use avepoint_exporter::simulator::{
    Fault, Listing, NO_TENANT, Options, Rule, Simulator, Tenant, World,
};

use super::table::{Expected, Row, Size, row, takes_its_time};
use super::{collector, requests};
use crate::oracle::figures::{Circumstances, Security};
use crate::oracle::{everything, judge, now, sections};
use crate::support::{Exposition, PartnerSignIn, config_for, simulator};

const ONE_OF_EACH_API: &[Listing] = &[Listing::Directory, Listing::Partner];

/// The listings that a fault can strike at.
pub(super) fn of(fault: Fault) -> &'static [Listing] {
    match fault {
        Fault::StrictRefresh | Fault::RevokeRefresh | Fault::TokenBusy | Fault::TokenSlowDown => {
            &[Listing::PartnerToken]
        }
        Fault::ForeignHeader | Fault::TokenOnly | Fault::MfaNotCompliant => {
            &[Listing::Partner, Listing::DeletedPartner]
        }
        Fault::RefusedScope => &[Listing::Token],
        Fault::HalfSetUp => &[Listing::Customers],
        // They take a while, whatever the listing: once for each API.
        Fault::Oversized | Fault::GzipBomb | Fault::EmptyRows => ONE_OF_EACH_API,
        _ if takes_its_time(fault) => ONE_OF_EACH_API,
        _ => &[
            Listing::OlderSecurity,
            Listing::Directory,
            Listing::Customers,
            Listing::Partner,
            Listing::DeletedPartner,
        ],
    }
}

/// A fault in one listing of the second tenant, and an exporter that is about to meet it.
pub(super) struct Case {
    fault: Fault,
    listing: Listing,
    /// Whose listing it is.
    struck: TenantId,
    size: Size,
    expected: Expected,
    how: Circumstances,
    simulator: Simulator,
    exporter: Exporter,
    /// Where redirects and links lead to; the token must not follow.
    foreign: TcpListener,
    _sign_in: PartnerSignIn,
}

impl Case {
    pub(super) async fn new(fault: Fault, listing: Listing, users: usize) -> Self {
        let is_partner = matches!(listing, Listing::Partner | Listing::DeletedPartner);
        // Pages are so short that there are several.
        let (world, page) = match listing {
            Listing::Customers => (World::seeded(1, 12, users / 20), 4),
            Listing::DeletedPartner => (World::seeded(1, 2, users / 2), 4),
            _ => (World::seeded(1, 2, users), 100),
        };
        let bad = &world.tenants()[1];
        let struck = match listing {
            Listing::Customers | Listing::Token | Listing::PartnerToken => NO_TENANT,
            _ => bad.tenant_id,
        };
        let size = Size {
            rows: rows(&world, bad, listing),
            page,
            has_index: !is_partner,
        };
        let Row {
            mut when,
            elements,
            mut expected,
        } = row(fault, size);
        // Customers come again where users would be new.
        if listing == Listing::Customers
            && matches!(fault, Fault::Endless | Fault::EndlessUncounted)
        {
            expected = Expected::Fails("implausible", size.pages()..=size.pages());
        }
        if struck != NO_TENANT {
            when = when.for_tenant(struck);
        }
        let how = Circumstances {
            page_limit: page,
            partner_page_limit: page,
            faults: vec![fault],
            struck: Some((listing, struck)),
            fails: matches!(expected, Expected::Fails(..)),
            security: Security::Scan {
                endpoint: if listing == Listing::OlderSecurity {
                    "batch"
                } else {
                    "v3"
                },
                status_encoding: "auto",
                exclude_test_users: false,
            },
            discovery: listing == Listing::Customers,
            ..everything()
        };
        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        foreign.set_nonblocking(true).unwrap();
        let simulator = simulator(Options {
            page_limit: how.page_limit,
            partner_page_limit: how.partner_page_limit,
            rules: vec![Rule::new(fault, when.on(listing))],
            retry_after: Duration::from_secs(1),
            foreign_origin: format!("http://{}", foreign.local_addr().unwrap()),
            clock: now(),
            ..Options::new(world)
        })
        .await;
        let sign_in = PartnerSignIn::to(&simulator);
        let tenants = if how.discovery {
            &[]
        } else {
            simulator.world().tenants()
        };
        let config = config_for(&simulator, tenants, elements, &sections(&how, &sign_in));
        Self {
            fault,
            listing,
            struck,
            size,
            expected,
            how,
            exporter: Exporter::new(&config, now()).unwrap(),
            simulator,
            foreign,
            _sign_in: sign_in,
        }
    }

    pub(super) async fn check(self) {
        let (fault, listing) = (self.fault, self.listing);
        let case = format!("{fault} in the listing {listing:?}");
        let (text, _) = self.exporter.poll_once().await;
        let exposition = Exposition::read(&text);
        if let Err(difference) = judge(&self.simulator, &exposition, &self.how) {
            panic!("{case}: {difference}");
        }
        let stats = self.simulator.stats();
        assert!(stats.struck[&fault] > 0, "{case}");
        assert_eq!(stats.foreign_headers, 0, "{case}");
        // A connection would wait here to be accepted, even if nothing was sent on it.
        let error = self.foreign.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{case}");

        let asked = match listing {
            Listing::Token => stats.token_requests,
            Listing::PartnerToken => stats.partner_token_requests,
            _ => requests(&self.simulator, self.struck, listing),
        };
        match self.expected {
            Expected::Right { more_requests } => {
                assert_eq!(asked, self.size.pages() + more_requests, "{case}");
            }
            Expected::Fails(reason, range) => {
                assert!(range.contains(&asked), "{case}: {asked} requests");
                let failures = match listing {
                    Listing::Customers => {
                        exposition.get("avepoint_discovery_failures_total", &[("reason", reason)])
                    }
                    _ => exposition.get(
                        "avepoint_poll_failures_total",
                        &[("collector", collector(listing)), ("reason", reason)],
                    ),
                };
                // What no token can be had for are the polls of all tenants.
                let failed = match listing {
                    Listing::Token | Listing::PartnerToken => {
                        self.simulator.world().tenants().len()
                    }
                    _ => 1,
                };
                assert_eq!(failures, Some(failed as f64), "{case}");
                let retries = match fault {
                    Fault::Endless
                    | Fault::EndlessUncounted
                    | Fault::IgnoredIndex
                    | Fault::Circle
                    | Fault::RefusedScope => 0,
                    _ => asked - 1,
                };
                let api = match listing {
                    Listing::Partner | Listing::DeletedPartner | Listing::PartnerToken => {
                        "partner_center"
                    }
                    _ => "elements",
                };
                let labels = [("api", api), ("reason", reason)];
                let counted = exposition.get("avepoint_api_retries_total", &labels);
                let retries = Some(retries as f64);
                assert_eq!(counted.or(Some(0.0)), retries, "{case}: retries");
            }
        }
    }
}

fn rows(world: &World, tenant: &Tenant, listing: Listing) -> usize {
    match listing {
        Listing::OlderSecurity => tenant.older_security_count(0),
        Listing::Directory => tenant.directory_count(),
        Listing::Customers => world.customers().len(),
        Listing::Partner => tenant.partner_count(),
        Listing::DeletedPartner => tenant.deleted_partner_count(0),
        _ => 1,
    }
}
