//! The ways in which the simulated service misbehaves, and when. Knows only their names and their
//! timing; what they do on the wire is done in `answer`, `page` and `distort`.

use std::fmt;
use std::str::FromStr;

use crate::domain::TenantId;

/// Strikes each time.
const ALWAYS: u64 = 1;
/// For what a client gets over by trying again.
const OFTEN: u64 = 20;
/// For what costs a client its whole timeout, or the poll.
const SELDOM: u64 = 100;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $text:literal every $every:expr),+ $(,)?) => {
        /// A way to misbehave.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $($(#[$doc])* $name),+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// At which of so many requests it strikes when nobody says otherwise.
            pub const fn usual_rate(self) -> u64 {
                match self {
                    $(Self::$name => $every),+
                }
            }
        }
    };
}

faults! {
    /// 429 with `Retry-After` in seconds.
    Throttle => "throttle" every OFTEN,
    /// 429 with `Retry-After` as an HTTP date.
    ThrottleDate => "throttle-date" every OFTEN,
    /// 429 with `Retry-After` in seconds with a fraction.
    ThrottleFraction => "throttle-fraction" every OFTEN,
    /// 429 with several `Retry-After`, one of them a list; the largest counts.
    ThrottleList => "throttle-list" every OFTEN,
    /// 403 with `Retry-After`, which means the same as 429.
    ThrottleForbidden => "throttle-forbidden" every OFTEN,
    /// All tokens die early: 401.
    ExpireTokens => "expire-tokens" every OFTEN,
    /// 503.
    Unavailable => "unavailable" every OFTEN,
    /// 500.
    InternalError => "internal-error" every OFTEN,
    /// 502.
    BadGateway => "bad-gateway" every OFTEN,
    /// 504.
    GatewayTimeout => "gateway-timeout" every OFTEN,
    /// 408 with `Retry-After`.
    RequestTimeout => "request-timeout" every OFTEN,
    /// 529 with `Retry-After`.
    Overloaded => "overloaded" every OFTEN,
    /// `temporarily_unavailable` of a token service, with a 400.
    TokenBusy => "token-busy" every OFTEN,
    /// `slow_down` of a token service, with a 200.
    TokenSlowDown => "token-slow-down" every OFTEN,
    /// `invalid_scope` of AvePoint's token service for each scope with the permission of the protected users, as if the app
    /// lacked it.
    RefusedScope => "refused-scope" every ALWAYS,
    /// The connection ends in the middle of the body, although `Content-Length` promised more.
    Cut => "cut" every OFTEN,
    /// A 200 with a right `Content-Length` whose JSON ends in the middle.
    Truncate => "truncate" every OFTEN,
    /// A body that comes a byte per second.
    Slow => "slow" every SELDOM,
    /// No answer, ever.
    Hang => "hang" every SELDOM,
    /// Pages of half the size that was asked for; `metadata.pageSize` says so, where there is one.
    Clamp => "clamp" every ALWAYS,
    /// All rows move down by three (or a page, if that is less) once the first page is read: three
    /// users come twice, the last three never. `totalCount` stays.
    MoveRows => "move-rows" every ALWAYS,
    /// Codes and words that nobody knows: see [`super::Distort`].
    UnknownCodes => "unknown-codes" every ALWAYS,
    /// Null and missing fields: see [`super::Distort`]. The last page of
    /// Partner Center has an empty `links.next`.
    NullFields => "null-fields" every ALWAYS,
    /// Every other row of a page is `null`.
    NullRows => "null-rows" every SELDOM,
    /// A page of four million rows without any field: 12 MiB.
    EmptyRows => "empty-rows" every SELDOM,
    /// Keys with a capital at their start.
    PascalCase => "pascal-case" every ALWAYS,
    /// A UTF-8 byte order mark before the body.
    Bom => "bom" every ALWAYS,
    /// Full pages for ever; `totalCount` grows along.
    Endless => "endless" every ALWAYS,
    /// Full pages for ever, without a `totalCount`.
    EndlessUncounted => "endless-uncounted" every ALWAYS,
    /// A `totalCount` that is that of the page.
    PageTotal => "page-total" every ALWAYS,
    /// The first page, whatever is asked for.
    IgnoredIndex => "ignored-index" every SELDOM,
    /// A link on each page to the first one.
    Circle => "circle" every SELDOM,
    /// Partner Center tells where the next page is by `continuationToken` alone.
    TokenOnly => "token-only" every ALWAYS,
    /// Ids that are GUIDs in capitals and in braces.
    RespelledIds => "respelled-ids" every ALWAYS,
    /// Times in other forms, and one that is none: see [`super::Distort`].
    OddDates => "odd-dates" every ALWAYS,
    /// Every third customer has a tenant without an id beside its own.
    HalfSetUp => "half-set-up" every ALWAYS,
    /// A streamed body of 64 MiB without a `Content-Length`.
    Oversized => "oversized" every SELDOM,
    /// A small gzip body that decodes to 256 MiB, whatever the client accepts.
    GzipBomb => "gzip-bomb" every SELDOM,
    /// An unknown field nested 20,000 deep.
    Deep => "deep" every SELDOM,
    /// An HTML page with status 200.
    NotJson => "not-json" every SELDOM,
    /// 302 to the foreign origin.
    Redirect => "redirect" every SELDOM,
    /// A `nextLink` (for Partner Center `links.next`) to the foreign origin, on each page.
    ForeignLink => "foreign-link" every SELDOM,
    /// A `nextLink` (for Partner Center `links.next`) that is longer than a request can be, on each page.
    LongLink => "long-link" every SELDOM,
    /// A legal `nextLink` on each page but the last. Partner Center has its own links always.
    NextLink => "next-link" every ALWAYS,
    /// 401, however good the token is; it stays good.
    Unauthorized => "unauthorized" every SELDOM,
    /// 403.
    Forbidden => "forbidden" every SELDOM,
    /// 404.
    NotFound => "not-found" every SELDOM,
    /// 400.
    BadRequest => "bad-request" every SELDOM,
    /// 204 for a page without rows.
    NoContent => "no-content" every ALWAYS,
    /// 400 whose body and `request-id` repeat the token (or the form of a token request) and personal data.
    SecretEcho => "secret-echo" every SELDOM,
    /// A refresh token dies as soon as another is given for it.
    StrictRefresh => "strict-refresh" every ALWAYS,
    /// `invalid_grant`, however good the refresh token is; it stays good.
    RevokeRefresh => "revoke-refresh" every SELDOM,
    /// `links.next` of Partner Center names further headers, `Authorization` among them.
    ForeignHeader => "foreign-header" every ALWAYS,
    /// A `Date` five hours ahead.
    WrongDate => "wrong-date" every ALWAYS,
    /// `isMfaCompliant: false` for requests with `ValidateMfa: true`, whose answers otherwise say `true`.
    MfaNotCompliant => "mfa-not-compliant" every ALWAYS,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listing {
    /// The users with security findings.
    Security,
    /// The older form of the same.
    OlderSecurity,
    /// All users.
    Directory,
    /// The users that Cloud Backup knows.
    Protected,
    /// The customers and their tenants; of no tenant.
    Customers,
    /// The active users in Partner Center.
    Partner,
    /// The deleted users in Partner Center.
    DeletedPartner,
    /// An access token for AvePoint's listings.
    Token,
    /// An access token for Partner Center, for a refresh token.
    PartnerToken,
}

impl Listing {
    /// Whether it is no listing, but what a client needs first.
    pub(super) const fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::PartnerToken)
    }

    /// Whether it is one of Partner Center's.
    pub(super) const fn is_partner(self) -> bool {
        matches!(self, Self::Partner | Self::DeletedPartner)
    }
}

/// At which requests a fault strikes. Requests are counted per rule, and only those that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// Requests for this tenant, or for any.
    pub tenant: Option<TenantId>,
    /// Requests for this, or for any listing. A token request matches only when named, or by a fault
    /// that strikes at nothing else.
    pub listing: Option<Listing>,
    /// So many requests go well first.
    pub skip: u64,
    /// After so many strikes it is over.
    pub times: Option<u64>,
    /// Then at the first of each so many.
    pub every: u64,
}

impl When {
    /// At each request.
    pub const fn always() -> Self {
        Self {
            tenant: None,
            listing: None,
            skip: 0,
            times: None,
            every: 1,
        }
    }

    /// At the first `n` requests.
    pub const fn first(n: u64) -> Self {
        let mut when = Self::always();
        when.times = Some(n);
        when
    }

    /// At the last of each `n` requests; 0 is read as 1.
    pub const fn every(n: u64) -> Self {
        let mut when = Self::always();
        when.skip = n.saturating_sub(1);
        when.every = n;
        when
    }

    /// The same, after `n` requests that go well.
    #[must_use]
    pub const fn after(mut self, n: u64) -> Self {
        self.skip = n;
        self
    }

    /// The same, for this tenant only.
    #[must_use]
    pub const fn for_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The same, for this listing (or for these tokens) only.
    #[must_use]
    pub const fn on(mut self, listing: Listing) -> Self {
        self.listing = Some(listing);
        self
    }

    /// Whether it strikes at a matching request, the `n`-th counted from 0.
    pub(super) fn strikes(&self, n: u64) -> bool {
        let every = self.every.max(1);
        n.checked_sub(self.skip).is_some_and(|n| {
            n.is_multiple_of(every) && self.times.is_none_or(|times| n / every < times)
        })
    }
}

/// A fault and when it strikes. Read from `name` (at its usual rate) or `name:n` (at each `n`-th request),
/// with `@tenant` at its end where it strikes at one tenant only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// When it happens.
    pub when: When,
}

impl Rule {
    /// A fault and when it strikes.
    pub const fn new(fault: Fault, when: When) -> Self {
        Self { fault, when }
    }

    /// Whether such a request counts.
    pub(super) fn matches(&self, listing: Listing, tenant: Option<TenantId>) -> bool {
        let listed = match (self.when.listing, self.fault) {
            (Some(wanted), _) => wanted == listing,
            (None, Fault::StrictRefresh | Fault::RevokeRefresh) => listing == Listing::PartnerToken,
            (None, Fault::TokenBusy | Fault::TokenSlowDown) => listing.is_token(),
            (None, Fault::RefusedScope) => listing == Listing::Token,
            (None, _) => !listing.is_token(),
        };
        listed && (self.when.tenant.is_none() || self.when.tenant == tenant)
    }
}

/// The text names no fault, or its rate is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    /// There is no such fault.
    #[error("unknown fault `{0}`; known are {list}", list = names())]
    Name(String),
    /// The text after the colon is not a rate.
    #[error(
        "`{0}` is not a rate; expected a whole number of at least 1 after the colon, as in throttle:20"
    )]
    Rate(String),
    /// The text after the at sign is not a tenant id.
    #[error("`{0}` is not a tenant id; expected a tenant's id after the at sign")]
    Tenant(String),
}

fn names() -> String {
    let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
    names.join(", ")
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let found = Self::ALL.iter().find(|fault| fault.as_str() == text);
        found
            .copied()
            .ok_or_else(|| InvalidFault::Name(text.to_owned()))
    }
}

impl FromStr for Rule {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        if let Some((rest, tenant)) = text.rsplit_once('@') {
            let rule: Self = rest.parse()?;
            let tenant: TenantId = tenant
                .parse()
                .map_err(|_| InvalidFault::Tenant(tenant.to_owned()))?;
            return Ok(Self::new(rule.fault, rule.when.for_tenant(tenant)));
        }
        let Some((name, rate)) = text.split_once(':') else {
            let fault: Fault = text.parse()?;
            return Ok(Self::new(fault, When::every(fault.usual_rate())));
        };
        match rate.parse() {
            Ok(n @ 1..) => Ok(Self::new(name.parse()?, When::every(n))),
            _ => Err(InvalidFault::Rate(rate.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(when: When) -> Vec<u64> {
        (0..10).filter(|n| when.strikes(*n)).collect()
    }

    #[test]
    fn rules_strike_when_they_should() {
        assert_eq!(struck(When::first(2)), [0, 1]);
        assert_eq!(struck(When::first(2).after(3)), [3, 4]);
        assert_eq!(struck(When::every(4)), [3, 7]);
        assert_eq!(struck(When::always()).len(), 10);
    }

    #[test]
    fn a_rule_without_a_listing_spares_the_token_services() {
        let tenant = TenantId::from_bits(7);
        let rule = |when| Rule::new(Fault::Cut, when);
        let any = rule(When::always());
        assert!(any.matches(Listing::Security, Some(tenant)));
        assert!(any.matches(Listing::Customers, None));
        for service in [Listing::Token, Listing::PartnerToken] {
            assert!(!any.matches(service, None));
            assert!(rule(When::always().on(service)).matches(service, None));
        }
        let mine = rule(When::always().for_tenant(tenant));
        assert!(mine.matches(Listing::Protected, Some(tenant)));
        assert!(!mine.matches(Listing::Protected, Some(TenantId::from_bits(8))));
        let mine = rule(mine.when.on(Listing::Security));
        assert!(!mine.matches(Listing::Protected, Some(tenant)));
    }

    #[test]
    fn a_fault_of_refreshes_strikes_at_them_alone() {
        for name in ["strict-refresh", "revoke-refresh:2"] {
            let rule: Rule = name.parse().unwrap();
            assert!(rule.matches(Listing::PartnerToken, None));
            assert!(!rule.matches(Listing::Token, None));
            assert!(!rule.matches(Listing::Partner, Some(TenantId::from_bits(7))));
        }
    }

    #[test]
    fn a_fault_of_tokens_strikes_at_both_token_services_alone() {
        for name in ["token-busy", "token-slow-down:2"] {
            let rule: Rule = name.parse().unwrap();
            assert!(rule.matches(Listing::Token, None));
            assert!(rule.matches(Listing::PartnerToken, None));
            assert!(!rule.matches(Listing::Customers, None));
        }
    }

    #[test]
    fn a_rule_is_read_from_its_name_and_rate() {
        for fault in Fault::ALL {
            let rule: Rule = fault.to_string().parse().unwrap();
            assert_eq!(rule, Rule::new(*fault, When::every(fault.usual_rate())));
        }
        let rule: Rule = "throttle:7".parse().unwrap();
        assert_eq!(rule, Rule::new(Fault::Throttle, When::every(7)));
    }

    #[test]
    fn a_rule_is_aimed_at_a_tenant_by_its_id() {
        let tenant = TenantId::from_bits(7);
        for (text, every) in [("hang", SELDOM), ("hang:2", 2)] {
            let rule: Rule = format!("{text}@{tenant}").parse().unwrap();
            let when = When::every(every).for_tenant(tenant);
            assert_eq!(rule, Rule::new(Fault::Hang, when));
        }
        let error = "hang:1@contoso".parse::<Rule>().unwrap_err();
        assert_eq!(error, InvalidFault::Tenant("contoso".to_owned()));
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = "throtle".parse::<Rule>().unwrap_err().to_string();
        assert!(error.starts_with("unknown fault `throtle`; known are throttle, throttle-date, "));
        for text in ["cut:0", "cut:", "cut:x", "cut:-1"] {
            let rate = text.trim_start_matches("cut:").to_owned();
            assert_eq!(text.parse::<Rule>(), Err(InvalidFault::Rate(rate)));
        }
    }
}
