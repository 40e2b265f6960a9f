//! A tenant of the simulated service and its rows, given or made up, as plain data that an oracle can
//! count by itself. Knows neither HTTP nor JSON nor faults.

use std::borrow::Cow;

use crate::domain::{CustomerId, TenantId, Timestamp};

use super::partner_rows::PartnerUser;
use super::places::Place;
use super::rows::{DirectoryUser, OlderSecurityUser, ProtectedUser, SecurityUser};
use super::seeded::Seeded;

/// A tenant and its rows.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The customer that the tenant belongs to.
    pub customer_id: CustomerId,
    /// The tenant; unique in a world.
    pub tenant_id: TenantId,
    /// For people.
    pub customer_name: String,
    /// For people.
    pub tenant_name: String,
    given: Given,
    /// What makes up the rows of listings that are not given.
    seeded: Option<Seeded>,
}

/// Listings with exactly these rows, at every tick.
#[derive(Debug, Clone, Default)]
struct Given {
    security: Option<Vec<SecurityUser>>,
    older: Option<Vec<OlderSecurityUser>>,
    protected: Option<Vec<ProtectedUser>>,
    directory: Option<Vec<DirectoryUser>>,
    partner: Option<Vec<PartnerUser>>,
    deleted: Option<Vec<PartnerUser>>,
}

/// Why users cannot be made high risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotRise {
    /// There is no such tenant.
    #[error("there is no tenant {0}")]
    NoTenant(TenantId),
    /// The tenant's rows are given, not made up.
    #[error("the rows of this tenant are fixed")]
    Given,
    /// So many are left, and no more.
    #[error("only {0} more users of this tenant's security listing can become high risk")]
    TooMany(usize),
}

impl Tenant {
    /// A tenant with exactly these rows, at every tick. Nobody is in its directory or in Partner Center.
    pub fn given(
        customer_id: CustomerId,
        tenant_id: TenantId,
        security: Vec<SecurityUser>,
        protected: Vec<ProtectedUser>,
    ) -> Self {
        Self {
            customer_id,
            tenant_id,
            customer_name: customer_id.to_string(),
            tenant_name: tenant_id.to_string(),
            given: Given {
                security: Some(security),
                protected: Some(protected),
                ..Given::default()
            },
            seeded: None,
        }
    }

    /// A tenant whose rows are made up when asked for.
    pub(super) fn seeded(place: Place, users: usize) -> Self {
        Self {
            customer_id: place.customer_id,
            tenant_id: place.tenant_id,
            customer_name: place.customer_name,
            tenant_name: place.tenant_name,
            given: Given::default(),
            seeded: Some(Seeded::new(place.seed, users, place.domain)),
        }
    }

    /// The same, with exactly these rows in the older form of the security listing. Without it they are
    /// those of the current form.
    #[must_use]
    pub fn with_older_security(mut self, rows: Vec<OlderSecurityUser>) -> Self {
        self.given.older = Some(rows);
        self
    }

    /// The same, with exactly these rows in its directory.
    #[must_use]
    pub fn with_directory(mut self, rows: Vec<DirectoryUser>) -> Self {
        self.given.directory = Some(rows);
        self
    }

    /// The same, with exactly these users in Partner Center.
    #[must_use]
    pub fn with_partner_users(
        mut self,
        active: Vec<PartnerUser>,
        deleted: Vec<PartnerUser>,
    ) -> Self {
        self.given.partner = Some(active);
        self.given.deleted = Some(deleted);
        self
    }

    /// Moves made-up dates to around this day.
    pub(super) fn date(&mut self, now: Timestamp) {
        if let Some(seeded) = &mut self.seeded {
            seeded.date(now);
        }
    }

    fn count<T>(&self, given: Option<&Vec<T>>, seeded: impl FnOnce(&Seeded) -> usize) -> usize {
        match given {
            Some(rows) => rows.len(),
            None => self.seeded.as_ref().map_or(0, seeded),
        }
    }

    /// Row `k` of a listing that never ends: made-up rows go on, given rows start over.
    fn endless<'a, T: Clone>(
        &'a self,
        given: Option<&'a Vec<T>>,
        k: usize,
        seeded: impl FnOnce(&Seeded) -> T,
    ) -> Option<Cow<'a, T>> {
        match given {
            Some(rows) => again(rows, k).map(Cow::Borrowed),
            None => self.seeded.as_ref().map(seeded).map(Cow::Owned),
        }
    }
}

/// The listing of users with security findings, in both forms.
impl Tenant {
    /// How many rows the security listing has.
    pub fn security_count(&self, tick: u64) -> usize {
        self.count(self.given.security.as_ref(), |s| s.security_count(tick))
    }

    /// All rows of the security listing.
    pub fn security_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, SecurityUser>> {
        (0..self.security_count(tick)).filter_map(move |k| self.endless_security_user(tick, k))
    }

    pub(super) fn endless_security_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, SecurityUser>> {
        self.endless(self.given.security.as_ref(), k, |seeded| {
            seeded.flagged_user(tick, k, &self.customer_name).user
        })
    }

    /// Whether row `k` of the security listing has this code; found without making the row up.
    pub(super) fn has_status(&self, tick: u64, k: usize, code: i64) -> bool {
        match (&self.given.security, &self.seeded) {
            (Some(rows), _) => rows
                .get(k)
                .and_then(|row| row.statuses.as_ref())
                .is_some_and(|statuses| statuses.codes().contains(&code)),
            (None, Some(seeded)) => seeded.has_status(tick, k, code),
            (None, None) => false,
        }
    }

    /// Makes so many more of its users high risk; returns how many now are.
    pub(super) fn raise_high_risk(&mut self, tick: u64, users: usize) -> Result<usize, CannotRise> {
        let are_given = self.given.security.is_some() || self.given.older.is_some();
        match &mut self.seeded {
            Some(seeded) if !are_given => seeded
                .raise_high_risk(tick, users)
                .map_err(CannotRise::TooMany),
            _ => Err(CannotRise::Given),
        }
    }

    /// How many rows the older form of the security listing has.
    pub fn older_security_count(&self, tick: u64) -> usize {
        let given = self.given.older.as_ref();
        given.map_or_else(|| self.security_count(tick), Vec::len)
    }

    /// All rows of the older form of the security listing.
    pub fn older_security_users(
        &self,
        tick: u64,
    ) -> impl Iterator<Item = Cow<'_, OlderSecurityUser>> {
        (0..self.older_security_count(tick))
            .filter_map(move |k| self.endless_older_security_user(tick, k))
    }

    pub(super) fn endless_older_security_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, OlderSecurityUser>> {
        if let Some(rows) = &self.given.older {
            return again(rows, k).map(Cow::Borrowed);
        }
        let row = match (&self.given.security, &self.seeded) {
            (Some(rows), _) => DirectoryUser {
                user: again(rows, k)?.clone(),
                office_phone: None,
            },
            (None, seeded) => seeded.as_ref()?.flagged_user(tick, k, &self.customer_name),
        };
        Some(Cow::Owned(row.into()))
    }

    /// Whether row `k` of the older form has the bit of this code.
    pub(super) fn has_older_status(&self, tick: u64, k: usize, code: u32) -> bool {
        match &self.given.older {
            Some(rows) => rows
                .get(k)
                .and_then(|row| row.status)
                .is_some_and(|flags| flags >> code & 1 == 1),
            None => self.has_status(tick, k, code.into()),
        }
    }
}

/// The other listings of AvePoint.
impl Tenant {
    /// How many rows the backup listing has; the same at every tick, only what they say changes.
    pub fn protected_count(&self) -> usize {
        self.count(self.given.protected.as_ref(), Seeded::protected_count)
    }

    /// All rows of the backup listing.
    pub fn protected_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, ProtectedUser>> {
        (0..self.protected_count()).filter_map(move |k| self.endless_protected_user(tick, k))
    }

    pub(super) fn endless_protected_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, ProtectedUser>> {
        self.endless(self.given.protected.as_ref(), k, |seeded| {
            seeded.protected_user(tick, k)
        })
    }

    /// How many users the directory has; the same at every tick.
    pub fn directory_count(&self) -> usize {
        self.count(self.given.directory.as_ref(), |seeded| seeded.users)
    }

    /// All rows of the directory.
    pub fn directory_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, DirectoryUser>> {
        (0..self.directory_count()).filter_map(move |k| self.endless_directory_user(tick, k))
    }

    pub(super) fn endless_directory_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, DirectoryUser>> {
        self.endless(self.given.directory.as_ref(), k, |seeded| {
            seeded.directory_user(tick, k, &self.customer_name)
        })
    }
}

/// The listings of Partner Center.
impl Tenant {
    /// How many active users Partner Center has; the same at every tick, only what they say changes.
    pub fn partner_count(&self) -> usize {
        self.count(self.given.partner.as_ref(), Seeded::partner_count)
    }

    /// All active users of Partner Center.
    pub fn partner_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, PartnerUser>> {
        (0..self.partner_count()).filter_map(move |k| self.endless_partner_user(tick, k))
    }

    pub(super) fn endless_partner_user(&self, tick: u64, k: usize) -> Option<Cow<'_, PartnerUser>> {
        self.endless(self.given.partner.as_ref(), k, |seeded| {
            seeded.partner_user(tick, k)
        })
    }

    /// How many deleted users Partner Center has.
    pub fn deleted_partner_count(&self, tick: u64) -> usize {
        self.count(self.given.deleted.as_ref(), |seeded| {
            seeded.deleted_partner_count(tick)
        })
    }

    /// All deleted users of Partner Center.
    pub fn deleted_partner_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, PartnerUser>> {
        (0..self.deleted_partner_count(tick))
            .filter_map(move |k| self.endless_deleted_partner_user(tick, k))
    }

    pub(super) fn endless_deleted_partner_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, PartnerUser>> {
        self.endless(self.given.deleted.as_ref(), k, |seeded| {
            seeded.deleted_partner_user(tick, k)
        })
    }
}

/// Row `k` of rows that start over at their end.
pub(super) fn again<T>(rows: &[T], k: usize) -> Option<&T> {
    rows.get(k.checked_rem(rows.len())?)
}
