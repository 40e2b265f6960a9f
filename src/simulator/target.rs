//! What a request is for, by its path and query. Knows upstream's paths, methods and permissions; knows
//! nothing of what is answered.

use http::Method;
use serde::Deserialize;

use crate::domain::{CustomerId, TenantId};

use super::faults::Listing;
use super::refresh::PARTNER_TENANT;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) listing: Listing,
    /// The customer, where the path names one.
    pub(super) customer: Option<CustomerId>,
    /// The tenant, where the path names one.
    pub(super) tenant: Option<TenantId>,
}

impl Target {
    /// Reads upstream's path. Only Partner Center tells two listings apart by their query.
    pub(super) fn read(path: &str, query: &str) -> Option<Self> {
        let of_none = |listing| Self {
            listing,
            customer: None,
            tenant: None,
        };
        if path == "/connect/token" {
            return Some(of_none(Listing::Token));
        }
        if let Some(tenant) = path.strip_suffix("/oauth2/v2.0/token") {
            return (tenant.strip_prefix('/')? == PARTNER_TENANT)
                .then(|| of_none(Listing::PartnerToken));
        }
        if let Some(rest) = path.strip_prefix("/v1/customers/") {
            return Some(Self {
                tenant: Some(rest.strip_suffix("/users")?.parse().ok()?),
                ..of_none(partner_listing(query))
            });
        }
        let path = path.strip_prefix("/partner/external/v3/")?;
        if path == "general/customers/batch" {
            return Some(of_none(Listing::Customers));
        }
        let (area, path) = path.split_once("/customers/")?;
        let (customer, path) = path.split_once("/tenants/")?;
        let (tenant, rest) = path.split_once('/')?;
        let listing = match (area, rest) {
            ("um", "overview/security/users") => Listing::Security,
            ("um", "overview/security/users/batch") => Listing::OlderSecurity,
            ("um", "users/batch") => Listing::Directory,
            ("general", "cloud-backup-m365/users/batch") => Listing::Protected,
            _ => return None,
        };
        Some(Self {
            listing,
            customer: Some(customer.parse().ok()?),
            tenant: Some(tenant.parse().ok()?),
        })
    }

    /// How it is asked for.
    pub(super) fn method(&self) -> Method {
        match self.listing {
            Listing::Security
            | Listing::OlderSecurity
            | Listing::Partner
            | Listing::DeletedPartner => Method::GET,
            Listing::Directory
            | Listing::Protected
            | Listing::Customers
            | Listing::Token
            | Listing::PartnerToken => Method::POST,
        }
    }
}

impl Listing {
    /// What a token must allow for it; nothing where any token will do.
    pub(super) const fn permission(self) -> Option<&'static str> {
        match self {
            Self::Security | Self::Directory => Some("elements.um.user.read.all"),
            Self::OlderSecurity => Some("partner.um.user.read.all"),
            Self::Protected => Some("elements.cbprotected.read.all"),
            Self::Customers => Some("elements.customers.read.all"),
            Self::Partner | Self::DeletedPartner | Self::Token | Self::PartnerToken => None,
        }
    }
}

/// The filter of Partner Center, as far as it is simulated: the one that picks deleted users.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    field: String,
    value: String,
    operator: String,
}

/// Whether the value of a `filter` picks deleted users, which is all it can.
pub(super) fn picks_deleted(filter: &str) -> bool {
    serde_json::from_str::<Filter>(filter).is_ok_and(|filter| {
        (&*filter.field, &*filter.value, &*filter.operator) == ("UserStatus", "Inactive", "equals")
    })
}

fn partner_listing(query: &str) -> Listing {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    if pairs.any(|(key, value)| key == "filter" && picks_deleted(&value)) {
        Listing::DeletedPartner
    } else {
        Listing::Partner
    }
}
