//! One row for each fault, played on either listing of one tenant of three: what is shown of that listing, in
//! how many requests, and that all else goes on as if nothing were wrong. `listings` plays the same rows on all
//! other listings.

use std::ops::RangeInclusive;
use std::time::Duration;

use avepoint_exporter::app::Exporter;
use avepoint_exporter::domain::Clock;
use avepoint_exporter::simulator::{Distort, Fault, Listing, Rule, Simulator, Tenant, When, World};
use tokio::task::JoinSet;

use super::figures::{self, Figures, shown};
use super::{PAGE, collector, failure, listings, options, pages, requests, rows};
use crate::support::{Exposition, config, simulator};

/// For what is waited for until the deadline.
const SHORT: &str = "  timeout: 4s\n  retry_deadline: 4s\n";
/// For what gets no whole answer until the timeout.
const SHORTER: &str = "  timeout: 4s\n  retry_deadline: 8s\n";
/// For what is tried so often and no longer.
const COUNTED: &str = "  timeout: 20s\n  retry_deadline: 20s\n";
/// For what takes no time, so that a busy machine is never taken for a fault.
const LONG: &str =
    "  timeout: 30s\n  retry_deadline: 60s\n  limits: { rows: 1000, response_bytes: 1MiB }\n";
/// The same, where the limits are not the point.
const ROOMY: &str = "  timeout: 30s\n  retry_deadline: 60s\n";

/// What is played, and what comes of it.
pub(super) struct Row {
    pub(super) when: When,
    pub(super) elements: &'static str,
    pub(super) expected: Expected,
}

/// How long a listing is, and how long its pages are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) page: usize,
    /// Whether pages are asked for by their index.
    pub(super) has_index: bool,
}

impl Size {
    fn of(tenant: &Tenant, listing: Listing) -> Self {
        Self {
            rows: rows(tenant, listing),
            page: PAGE,
            has_index: true,
        }
    }

    /// How many requests it takes when all goes well: one more where the last page is full, since its total may be that
    /// of the pages so far.
    pub(super) fn pages(self) -> u64 {
        let is_full = self.has_index && self.rows > 0 && self.rows.is_multiple_of(self.page);
        self.rows.div_ceil(self.page).max(1) as u64 + u64::from(is_full)
    }

    /// The same where each page tells the number of its own rows: these are no total once there are several pages, and
    /// only an empty page is the end.
    fn page_total_pages(self) -> u64 {
        let is_one = self.rows < self.page || !self.has_index;
        self.rows.div_ceil(self.page).max(1) as u64 + u64::from(!is_one)
    }

    fn clamped(self) -> Self {
        Self {
            page: self.page / 2,
            ..self
        }
    }
}

pub(super) enum Expected {
    /// The figures are those of the rows that were delivered, after so many requests more than pages.
    Right { more_requests: u64 },
    /// Nothing is shown, after so many requests.
    Fails(&'static str, RangeInclusive<u64>),
}

/// What to expect of each fault. A new fault needs a row here, or the tests do not compile.
pub(super) fn row(fault: Fault, size: Size) -> Row {
    let right = |more_requests| Row {
        when: When::always(),
        elements: ROOMY,
        expected: Expected::Right { more_requests },
    };
    let fails = |elements, reason, requests| Row {
        when: When::always(),
        elements,
        expected: Expected::Fails(reason, requests),
    };
    match fault {
        // A second each time; a date is rounded up to a whole second.
        Fault::Throttle
        | Fault::ThrottleDate
        | Fault::ThrottleFraction
        | Fault::ThrottleList
        | Fault::ThrottleForbidden => fails(SHORT, "throttled", 2..=4),
        Fault::RequestTimeout | Fault::Overloaded => fails(SHORT, "unavailable", 2..=4),
        // Waits of 0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s, 2 to 4 s.
        Fault::Unavailable | Fault::InternalError | Fault::BadGateway | Fault::GatewayTimeout => {
            fails(SHORT, "unavailable", 2..=5)
        }
        Fault::Cut => fails(SHORT, "connection", 2..=5),
        Fault::Slow | Fault::Hang => fails(SHORTER, "timeout", 2..=2),
        Fault::Truncate => fails(COUNTED, "decode", 3..=3),
        // They strike at all tenants, so more than once would be no fault of one tenant.
        Fault::ExpireTokens | Fault::TokenBusy | Fault::TokenSlowDown => Row {
            when: When::first(1),
            ..right(1)
        },
        Fault::Unauthorized => fails(LONG, "unauthorized", 2..=2),
        Fault::Forbidden => fails(ROOMY, "forbidden", 1..=1),
        Fault::NotFound => fails(ROOMY, "not_found", 1..=1),
        Fault::BadRequest | Fault::SecretEcho => fails(ROOMY, "bad_request", 1..=1),
        Fault::NotJson | Fault::NullRows => fails(ROOMY, "decode", 1..=1),
        Fault::Oversized | Fault::GzipBomb => fails(LONG, "limit", 1..=1),
        Fault::Deep | Fault::EmptyRows | Fault::LongLink => fails(ROOMY, "limit", 1..=1),
        // Page `n` says that there are `n` + 1 pages, and a thousand rows are allowed.
        Fault::Endless | Fault::EndlessUncounted => {
            let counted = fault == Fault::Endless;
            let most = 1000 / size.page as u64 + u64::from(!counted);
            fails(LONG, "limit", most..=most)
        }
        Fault::Redirect | Fault::ForeignLink => fails(ROOMY, "refused", 1..=1),
        // Behind the last page, where the first one was full.
        Fault::PageTotal => right(size.page_total_pages() - size.pages()),
        // Once more, and then it is known; some pages may have been requested ahead.
        Fault::IgnoredIndex if size.pages() == 1 => right(0),
        Fault::IgnoredIndex if size.has_index => fails(ROOMY, "implausible", 2..=5),
        Fault::IgnoredIndex | Fault::Circle => fails(ROOMY, "limit", 2..=2),
        Fault::Clamp => right(size.clamped().pages() - size.pages()),
        // With all others, and each by itself.
        Fault::RefusedScope => fails(ROOMY, "credential", 3..=4),
        // Once for all polls.
        Fault::RevokeRefresh => fails(ROOMY, "credential", 1..=1),
        Fault::MoveRows
        | Fault::UnknownCodes
        | Fault::NullFields
        | Fault::PascalCase
        | Fault::Bom
        | Fault::NextLink
        | Fault::NoContent
        | Fault::StrictRefresh
        | Fault::TokenOnly
        | Fault::RespelledIds
        | Fault::OddDates
        | Fault::HalfSetUp
        | Fault::ForeignHeader
        | Fault::WrongDate
        | Fault::MfaNotCompliant => right(0),
    }
}

/// The figures of the rows as the fault leaves them.
fn delivered(fault: Fault, tenant: &Tenant, listing: Listing) -> Figures {
    // The last three rows never come.
    let rows = match fault {
        Fault::MoveRows => rows(tenant, listing) - 3,
        _ => rows(tenant, listing),
    };
    if listing == Listing::Protected {
        let rows = tenant.protected_users(0).take(rows).enumerate();
        figures::protected(rows.map(|(k, row)| {
            let mut row = row.into_owned();
            row.distort(k, &[fault]);
            row
        }))
    } else {
        let rows = tenant.security_users(0).take(rows).enumerate();
        figures::security(rows.map(|(k, row)| {
            let mut row = row.into_owned();
            row.distort(k, &[fault]);
            row
        }))
    }
}

/// A fault in one listing of the second tenant, and an exporter that is about to meet it.
struct Case {
    fault: Fault,
    listing: Listing,
    bad: Tenant,
    expected: Expected,
    simulator: Simulator,
    exporter: Exporter,
}

impl Case {
    async fn new(world: World, fault: Fault, listing: Listing) -> Self {
        let bad = world.tenants()[1].clone();
        let Row {
            when,
            elements,
            expected,
        } = row(fault, Size::of(&bad, listing));
        let when = when.for_tenant(bad.tenant_id).on(listing);
        let mut options = options(world, &[Rule::new(fault, when)]);
        options.retry_after = Duration::from_secs(1);
        let simulator = simulator(options).await;
        let config = config(&simulator, elements, "");
        Self {
            fault,
            listing,
            bad,
            expected,
            exporter: Exporter::new(&config, Clock::system()).unwrap(),
            simulator,
        }
    }

    async fn check(self) {
        let (text, _) = self.exporter.poll_once().await;
        let exposition = Exposition::read(&text);
        let Self {
            fault,
            listing,
            bad,
            expected,
            simulator,
            ..
        } = self;
        let case = format!("{fault} in the listing {listing:?}");
        assert!(simulator.stats().struck[&fault] > 0, "{case}");
        for tenant in simulator.world().tenants() {
            for other in [Listing::Security, Listing::Protected] {
                if (tenant.tenant_id, other) != (bad.tenant_id, listing) {
                    let case = format!("{case}, seen from {other:?} of {}", tenant.tenant_id);
                    check_undisturbed(&simulator, &exposition, tenant, other, fault, &case);
                }
            }
        }

        let id = bad.tenant_id;
        let figures = shown(&exposition, id, listing);
        let failure = failure(&exposition, id, listing);
        let asked = requests(&simulator, id, listing);
        let exposed = exposition.of(id, "avepoint_exposed_users", &[("status", "high_risk")]);
        match expected {
            Expected::Right { more_requests } => {
                assert_eq!(figures, delivered(fault, &bad, listing), "{case}");
                assert_eq!(failure, None, "{case}");
                assert_eq!(asked, pages(&bad, listing) + more_requests, "{case}");
                assert!(exposed.is_some(), "{case}");
            }
            Expected::Fails(reason, range) => {
                assert_eq!(figures, Figures::new(), "{case}");
                assert_eq!(failure.as_deref(), Some(reason), "{case}");
                assert!(range.contains(&asked), "{case}: {asked} requests");
                assert_eq!(exposed, None, "{case}: half a join");
                let labels = [("collector", collector(listing)), ("reason", reason)];
                let failures = exposition.get("avepoint_poll_failures_total", &labels);
                assert_eq!(failures, Some(1.0), "{case}");
                let retries = match fault {
                    Fault::Endless
                    | Fault::EndlessUncounted
                    | Fault::IgnoredIndex
                    | Fault::Circle => 0,
                    _ => asked - 1,
                };
                let labels = [("api", "elements"), ("reason", reason)];
                let counted = exposition.get("avepoint_api_retries_total", &labels);
                assert_eq!(
                    counted.or(Some(0.0)),
                    Some(retries as f64),
                    "{case}: retries"
                );
            }
        }
    }
}

fn check_undisturbed(
    simulator: &Simulator,
    exposition: &Exposition,
    tenant: &Tenant,
    listing: Listing,
    fault: Fault,
    case: &str,
) {
    let figures = shown(exposition, tenant.tenant_id, listing);
    assert_eq!(figures, figures::of(tenant, listing), "{case}");
    assert_eq!(
        failure(exposition, tenant.tenant_id, listing),
        None,
        "{case}"
    );
    // A token that dies is everyone's.
    let most = pages(tenant, listing) + u64::from(fault == Fault::ExpireTokens);
    let asked = requests(simulator, tenant.tenant_id, listing);
    assert!(
        (pages(tenant, listing)..=most).contains(&asked),
        "{case}: {asked} requests"
    );
}

/// The faults that are waited for.
pub(super) fn takes_its_time(fault: Fault) -> bool {
    let any = Size {
        rows: 1,
        page: PAGE,
        has_index: true,
    };
    [SHORT, SHORTER, COUNTED].contains(&row(fault, any).elements)
}

/// The listings of this table that a fault can strike at.
fn listings_of(fault: Fault) -> &'static [Listing] {
    match fault {
        Fault::StrictRefresh
        | Fault::RevokeRefresh
        | Fault::TokenBusy
        | Fault::TokenSlowDown
        | Fault::RefusedScope
        | Fault::ForeignHeader
        | Fault::TokenOnly
        | Fault::HalfSetUp
        | Fault::MfaNotCompliant => &[],
        _ => &[Listing::Security, Listing::Protected],
    }
}

async fn check(fault: Fault) {
    for listing in listings_of(fault) {
        let case = Case::new(World::seeded(1, 3, 400), fault, *listing).await;
        case.check().await;
    }
    for listing in listings::of(fault) {
        listings::Case::new(fault, *listing, 400)
            .await
            .check()
            .await;
    }
}

/// A sentence for each fault, and a test of that name.
macro_rules! sentences {
    ($($sentence:ident: $fault:ident,)+) => {
        const SAID: &[Fault] = &[$(Fault::$fault),+];

        $(
            #[tokio::test]
            async fn $sentence() {
                check(Fault::$fault).await;
            }
        )+
    };
}

sentences! {
    a_token_that_dies_in_a_listing_is_renewed_and_the_listing_is_read_to_its_end: ExpireTokens,
    a_401_with_a_fresh_token_fails_the_poll_as_unauthorized: Unauthorized,
    a_403_fails_the_poll_at_once_as_forbidden: Forbidden,
    a_404_fails_the_poll_at_once_as_not_found: NotFound,
    a_400_fails_the_poll_at_once_as_bad_request: BadRequest,
    an_error_that_echoes_secrets_fails_the_poll_at_once_as_bad_request: SecretEcho,
    an_answer_that_is_no_json_fails_the_poll_at_once_as_decode: NotJson,
    a_page_of_nulls_fails_the_poll_at_once_as_decode: NullRows,
    a_page_of_millions_of_empty_rows_fails_the_poll_at_once_as_limit: EmptyRows,
    an_oversized_body_fails_the_poll_at_once_as_limit: Oversized,
    a_small_body_that_decompresses_to_a_huge_one_fails_the_poll_at_once_as_limit: GzipBomb,
    an_answer_that_nests_too_deep_fails_the_poll_at_once_as_limit: Deep,
    an_endless_listing_that_counts_along_is_cut_off_as_limit: Endless,
    an_endless_listing_that_counts_nothing_is_cut_off_as_limit: EndlessUncounted,
    a_redirect_fails_the_poll_at_once_as_refused: Redirect,
    a_link_to_another_host_fails_the_poll_at_once_as_refused: ForeignLink,
    a_link_that_is_too_long_for_a_request_fails_the_poll_at_once_as_limit: LongLink,
    a_server_that_clamps_the_page_size_is_asked_for_more_pages: Clamp,
    rows_that_move_between_pages_are_counted_once: MoveRows,
    unknown_codes_are_shown_by_their_number: UnknownCodes,
    missing_and_null_fields_say_nothing_and_fail_nothing: NullFields,
    capitalised_keys_are_read_like_others: PascalCase,
    a_byte_order_mark_is_skipped: Bom,
    a_next_link_within_the_api_is_followed: NextLink,
    an_answer_without_content_ends_the_listing: NoContent,
    a_refresh_token_that_dies_when_it_is_exchanged_is_replaced_by_the_one_that_came_for_it: StrictRefresh,
    a_refresh_token_that_is_refused_fails_the_polls_of_partner_center_as_credential: RevokeRefresh,
    a_total_that_is_that_of_the_page_ends_no_listing: PageTotal,
    a_service_that_ignores_the_index_fails_the_poll_as_implausible: IgnoredIndex,
    links_in_a_circle_fail_the_poll_at_once_as_limit: Circle,
    a_continuation_token_without_a_link_is_followed: TokenOnly,
    ids_are_the_same_in_capitals_and_in_braces: RespelledIds,
    odd_dates_count_as_missing_or_by_their_day: OddDates,
    a_customer_that_is_half_set_up_is_left_out_alone: HalfSetUp,
    a_token_service_that_is_unavailable_for_a_moment_is_asked_again: TokenBusy,
    a_token_service_that_says_slow_down_with_a_200_is_asked_again: TokenSlowDown,
    a_permission_that_is_refused_fails_only_the_listings_that_need_it: RefusedScope,
    headers_of_a_link_other_than_the_continuation_token_are_ignored: ForeignHeader,
    a_service_with_another_clock_is_read_like_others: WrongDate,
    a_sign_in_that_partner_center_will_not_accept_for_long_fails_no_poll: MfaNotCompliant,
}

#[test]
fn each_fault_has_its_sentence_or_is_one_of_those_that_are_waited_for() {
    for fault in Fault::ALL {
        assert!(SAID.contains(fault) != takes_its_time(*fault), "{fault}");
    }
}

#[tokio::test]
async fn throttling_5xx_cut_and_slow_answers_are_tried_again_until_the_deadline_and_hit_their_own_listing_only()
 {
    // All of them wait at once, and little is computed meanwhile, so that deadlines mean what they say.
    let (mut cases, mut others) = (Vec::new(), Vec::new());
    for fault in Fault::ALL.iter().filter(|fault| takes_its_time(**fault)) {
        for listing in listings_of(*fault) {
            cases.push(Case::new(World::seeded(1, 2, 120), *fault, *listing).await);
        }
        for listing in listings::of(*fault) {
            others.push(listings::Case::new(*fault, *listing, 40).await);
        }
    }
    let checks: JoinSet<()> = cases.into_iter().map(Case::check).collect();
    checks.join_all().await;
    let checks: JoinSet<()> = others.into_iter().map(listings::Case::check).collect();
    checks.join_all().await;
}
