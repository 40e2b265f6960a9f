//! What the simulated service has been asked, for tests to see. Knows nothing of how it answers.

use std::collections::BTreeMap;

use crate::domain::TenantId;

use super::faults::{Fault, Listing};

/// Stands for the tenant of what is of no tenant, such as the listing of customers.
pub const NO_TENANT: TenantId = TenantId::from_bits(0);

/// Where other processes see what the service has been asked.
pub(super) const STATS_PATH: &str = "/simulator/stats";

/// The log of requests ends here: a service may run for days.
const LOG_LENGTH: usize = 10_000;

/// A moment in the life of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has come.
    Arrived,
    /// Its answer is about to be sent, or nobody waits for it any more.
    Ended,
}

/// What the service has been asked so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests per listing and tenant ([`NO_TENANT`] for customers), well answered or not, known
    /// tenants or not.
    pub requests: BTreeMap<(Listing, TenantId), u64>,
    /// Requests for tokens of AvePoint.
    pub token_requests: u64,
    /// Requests for tokens of Partner Center.
    pub partner_token_requests: u64,
    /// Refresh tokens that were given for another one.
    pub refreshes: u64,
    /// Requests for listings that are being answered now.
    pub in_flight: usize,
    /// The most that were at once.
    pub peak_in_flight: usize,
    /// Requests for listings answered with 401.
    pub unauthorized: u64,
    /// Requests for listings whose query was taken from a `nextLink` or `links.next`.
    pub links_followed: u64,
    /// Requests to Partner Center with a header that only the fault `foreign-header` names.
    pub foreign_headers: u64,
    /// How often each fault struck.
    pub struck: BTreeMap<Fault, u64>,
    /// Requests for listings as they came and ended: the first 10,000 moments.
    pub log: Vec<(Moment, Listing, TenantId)>,
    /// Requests to Partner Center as they came: the first 10,000.
    pub partner_log: Vec<PartnerRequest>,
}

/// A request to Partner Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerRequest {
    /// One of its two listings.
    pub listing: Listing,
    /// Whose users are asked for.
    pub tenant: TenantId,
    /// `MS-RequestId` as sent; a GUID, or the request was refused.
    pub request_id: Option<String>,
    /// `MS-CorrelationId` as sent; a GUID, or the request was refused.
    pub correlation_id: Option<String>,
}

impl Stats {
    /// Requests for listings, all tenants together.
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The sums as JSON.
    pub(super) fn as_json(&self) -> String {
        let struck = self.struck.iter();
        let struck: BTreeMap<_, _> = struck
            .map(|(fault, times)| (fault.as_str(), *times))
            .collect();
        serde_json::json!({
            "requests": self.total_requests(),
            "token_requests": self.token_requests + self.partner_token_requests,
            "peak_in_flight": self.peak_in_flight,
            "struck": struck,
        })
        .to_string()
    }

    pub(super) fn log(&mut self, moment: Moment, listing: Listing, tenant: TenantId) {
        if self.log.len() < LOG_LENGTH {
            self.log.push((moment, listing, tenant));
        }
    }

    pub(super) fn log_partner(&mut self, request: PartnerRequest) {
        if self.partner_log.len() < LOG_LENGTH {
            self.partner_log.push(request);
        }
    }
}
