//! Rows made up from a seed: row `k` of a listing costs the same whatever `k` is, and nothing is stored
//! per user. Knows neither HTTP nor JSON.
//!
//! The users `0..n` of a tenant are its directory. The first ones are flagged and form the security
//! listing; the backup listing skips one user in every few, and so does Partner Center's. All else about
//! a user hangs on a hash of the user's number. Shares are counted in ten-thousandths.

mod partner;

use crate::domain::Timestamp;

use super::chance::{below, bits, guid, mix, pick};
use super::dates::{self, DAY, NOT_SET};
use super::names;
use super::rows::{DirectoryUser, Module, ProtectedUser, SecurityUser, Statuses};

/// A share of all.
const WHOLE: usize = 10_000;
/// The status codes that upstream documents: 0 to 8.
const CODES: usize = 9;
/// The code of high risk, as a bit.
const HIGH_RISK: u32 = 1 << 3;
/// In each that many rows of the security listing, one has an empty list of codes.
const CLEARED_ONE_IN: usize = 97;
/// What the days of a world lie around when nobody says otherwise: the start of 2026.
const SOME_DAY: i64 = 20_454 * DAY;
/// Keeps the hashes for different purposes apart.
const ID: u64 = 0x1d;
const FINDINGS: u64 = 0xf1;
const BACKUP: u64 = 0xba;

/// A tenant's rows: what they hang on.
#[derive(Debug, Clone)]
pub(super) struct Seeded {
    seed: u64,
    /// How many users there are.
    pub(super) users: usize,
    domain: String,
    /// The start of the day that dates lie around, in seconds since the epoch.
    today: i64,
    /// The share of flagged users.
    flagged: usize,
    /// The share of flagged users with each code.
    codes: [usize; CODES],
    mailbox: usize,
    onedrive: usize,
    /// The backup listing skips the last user of each so many.
    skip: usize,
    /// So does Partner Center's.
    partner_skip: usize,
    /// Where most of the users are.
    country: &'static str,
    /// After so many ticks an evolving figure is back where it was.
    half_period: usize,
    /// Which way it goes first.
    falling: bool,
    /// The users below this one are high risk, whatever else they are.
    high_risk_below: usize,
}

/// A user as both listings see it.
struct Person {
    id: String,
    first: &'static str,
    last: &'static str,
    principal_name: String,
    mail: String,
}

impl Seeded {
    pub(super) fn new(seed: u64, users: usize, domain: String) -> Self {
        let traits = mix(seed, usize::MAX);
        let between = |n: usize, from: usize, to: usize| from + below(mix(traits, n), to - from);
        Self {
            seed,
            users,
            domain,
            today: SOME_DAY,
            flagged: between(0, 3_500, 4_500),
            codes: [
                between(1, 3_000, 4_500),
                between(2, 400, 1_000),
                between(3, 800, 1_800),
                between(4, 100, 300),
                between(5, 400, 900),
                between(6, 200, 600),
                between(7, 2_000, 3_500),
                between(8, 50, 200),
                between(9, 50, 150),
            ],
            mailbox: between(10, 8_800, 9_600),
            onedrive: between(11, 6_500, 8_500),
            skip: between(12, 7, 15),
            half_period: between(13, 40, 120),
            falling: between(14, 0, 2) == 1,
            partner_skip: between(15, 30, 60),
            country: pick(names::USAGE_LOCATIONS, mix(traits, 16)),
            high_risk_below: 0,
        }
    }

    /// Moves all dates to around this day.
    pub(super) fn date(&mut self, now: Timestamp) {
        let seconds = i64::try_from(now.since_unix().as_secs()).unwrap_or(0);
        self.today = seconds - seconds % DAY;
    }

    /// How far the world has drifted at a tick: from -1000 to 1000 in soft arcs, 0 at tick 0.
    fn wave(&self, tick: u64) -> i64 {
        let half = self.half_period;
        let at = below(tick, 2 * half);
        let x = at % half;
        let height = i64::try_from(4_000 * x * (half - x) / (half * half)).unwrap_or(0);
        if (at < half) == self.falling {
            -height
        } else {
            height
        }
    }

    /// A share that swings by so many percent of itself.
    fn drifted(&self, share: usize, percent: i64, tick: u64) -> usize {
        // Asked for each code of each row, and mostly of a world that stands still.
        if percent == 0 || tick == 0 {
            return share;
        }
        let factor = usize::try_from(100_000 + self.wave(tick) * percent).unwrap_or(0);
        (share * factor / 100_000).min(WHOLE)
    }

    pub(super) fn security_count(&self, tick: u64) -> usize {
        self.users * self.drifted(self.flagged, 15, tick) / WHOLE
    }

    pub(super) fn protected_count(&self) -> usize {
        self.users - self.users / self.skip
    }

    fn person(&self, user: usize) -> Person {
        let hash = mix(self.seed, user);
        let (first, last) = (pick(names::FIRST, hash >> 8), pick(names::LAST, hash >> 24));
        let mut number = itoa::Buffer::new();
        let number = number.format(user);
        let mut mail = [first, ".", last, number, "@", &self.domain, ".example"].concat();
        mail.make_ascii_lowercase();
        // One in eight signs in under another name than the one that mail goes to.
        let principal_name = if hash.is_multiple_of(8) {
            ["u", number, "@", &self.domain, ".onmicrosoft.com"].concat()
        } else {
            mail.clone()
        };
        Person {
            id: guid(bits(self.seed ^ ID, user)),
            first,
            last,
            principal_name,
            mail,
        }
    }

    /// Makes so many more users high risk who are flagged at this tick, the first ones who are not yet; returns how
    /// many now are. Where there are fewer such users nothing is done, and how many there are is the error.
    pub(super) fn raise_high_risk(&mut self, tick: u64, users: usize) -> Result<usize, usize> {
        let flagged = 0..self.security_count(tick);
        let is_not = |user: &usize| self.findings(tick, *user) & HIGH_RISK == 0;
        if let Some(last) = users.checked_sub(1) {
            let mut others = flagged.clone().filter(is_not);
            let Some(last) = others.nth(last) else {
                return Err(flagged.filter(is_not).count());
            };
            self.high_risk_below = last + 1;
        }
        let is = |user: &usize| self.findings(tick, *user) & HIGH_RISK != 0;
        Ok(flagged.filter(is).count())
    }

    /// The codes of a flagged user, code `n` as bit `n`.
    fn findings(&self, tick: u64, user: usize) -> u32 {
        let found = self.own_findings(tick, user);
        if user < self.high_risk_below {
            found | HIGH_RISK
        } else {
            found
        }
    }

    /// The same as the seed has it.
    fn own_findings(&self, tick: u64, user: usize) -> u32 {
        if user % CLEARED_ONE_IN == CLEARED_ONE_IN / 2 {
            return 0;
        }
        let hash = mix(self.seed ^ FINDINGS, user);
        let found = self.codes.iter().enumerate().map(|(code, share)| {
            let percent = match code {
                3 => 60,
                4 | 6 => 25,
                _ => 0,
            };
            let hit = below(mix(hash, code), WHOLE) < self.drifted(*share, percent, tick);
            u32::from(hit) << code
        });
        // Whoever is flagged for nothing else is so for the most common reason.
        match found.fold(0, |all, bit| all | bit) {
            0 => 1,
            codes => codes,
        }
    }

    pub(super) fn has_status(&self, tick: u64, user: usize, code: i64) -> bool {
        match usize::try_from(code) {
            Ok(code @ 0..CODES) => self.findings(tick, user) >> code & 1 == 1,
            _ => false,
        }
    }

    /// Row `k` of the security listing: user `k`, with what the older form of the listing says besides.
    pub(super) fn flagged_user(&self, tick: u64, k: usize, company: &str) -> DirectoryUser {
        self.user(k, self.findings(tick, k), company)
    }

    /// Row `k` of the directory: user `k`, flagged or not.
    pub(super) fn directory_user(&self, tick: u64, k: usize, company: &str) -> DirectoryUser {
        let findings = if k < self.security_count(tick) {
            self.findings(tick, k)
        } else {
            0
        };
        let mut row = self.user(k, findings, company);
        if let Some(Statuses::One(code)) = row.user.statuses {
            row.user.statuses = Some(Statuses::Codes(vec![code]));
        }
        row
    }

    /// User `k`, with these findings.
    fn user(&self, k: usize, findings: u32, company: &str) -> DirectoryUser {
        let person = self.person(k);
        let hash = mix(self.seed ^ FINDINGS ^ ID, k);
        let codes: Vec<i64> = (0..CODES)
            .filter(|code| findings >> code & 1 == 1)
            .filter_map(|code| i64::try_from(code).ok())
            .collect();
        let statuses = match codes.as_slice() {
            [only] if hash.is_multiple_of(40) => Statuses::One(*only),
            _ => Statuses::Codes(codes),
        };
        // Who has no mailbox address is known by principal name only.
        let mail = (hash % 50 != 1).then_some(person.mail);
        let user = SecurityUser {
            id: Some(person.id),
            user_principal_name: Some(person.principal_name),
            mail,
            display_name: Some([person.first, " ", person.last].concat()),
            first_name: Some(person.first.to_owned()),
            last_name: Some(person.last.to_owned()),
            employee_id: Some(format!("E{:05}", k + 1)),
            location: Some(pick(names::LOCATIONS, hash >> 4).to_owned()),
            company: Some(company.to_owned()),
            department: Some(pick(names::DEPARTMENTS, hash >> 12).to_owned()),
            mobile: Some(phone("01", hash, hash >> 20)),
            job_title: Some(pick(names::JOBS, hash >> 16).to_owned()),
            is_test_user: Some(findings >> 8 & 1 == 1),
            age: password_age(mix(hash, 0)),
            start_date: Some(date(hash >> 28)),
            end_date: self.end_date(mix(hash, 1)),
            country_or_region: Some(pick(names::COUNTRIES, hash >> 40).to_owned()),
            statuses: Some(statuses),
        };
        DirectoryUser {
            user,
            office_phone: Some(phone("02", hash >> 8, hash >> 36)),
        }
    }

    /// When an account ends: mostly not at all. A day that is ahead stays in the same week or month of
    /// today until the day ends.
    fn end_date(&self, hash: u64) -> Option<String> {
        let some = hash / 100;
        let days = match hash % 100 {
            0..3 => 1 + below(some, 6),
            3..7 => 9 + below(some, 21),
            7..9 => 32 + below(some, 400),
            9..11 => return Some(self.day(-1 - i64::try_from(below(some, 300)).unwrap_or(0))),
            11..15 => return None,
            _ => return Some(NOT_SET.to_owned()),
        };
        Some(self.day(i64::try_from(days).unwrap_or(0)))
    }

    /// A day from today.
    fn day(&self, days: i64) -> String {
        dates::text(self.today + days * DAY)
    }

    /// Row `k` of the backup listing: the users without the last of each `skip`.
    pub(super) fn protected_user(&self, tick: u64, k: usize) -> ProtectedUser {
        let user = k + k / (self.skip - 1);
        let person = self.person(user);
        let hash = mix(self.seed ^ BACKUP, user);
        // Rows of the older form have no id, and some of them the principal name for a mail address.
        let older = hash.is_multiple_of(23);
        let no_mail = mix(self.seed ^ FINDINGS ^ ID, user) % 50 == 1;
        let mut email = if no_mail || older && hash.is_multiple_of(2) {
            person.principal_name
        } else {
            person.mail
        };
        if hash % 11 == 3 {
            email.make_ascii_uppercase();
        }
        let module = |module: i64, n: usize, share: usize| Module {
            module,
            is_protected: below(mix(hash, n), WHOLE) < self.drifted(share, 5, tick),
        };
        let mut modules = vec![module(0, 0, self.mailbox), module(2, 1, self.onedrive)];
        modules.truncate(match below(hash >> 32, 50) {
            0 => 0,
            1..4 => 1,
            _ => 2,
        });
        ProtectedUser {
            id: (!older).then_some(person.id),
            email: Some(email),
            display_name: Some([person.first, " ", person.last].concat()),
            modules: Some(modules),
        }
    }
}

/// The age of a password in days: mostly below 90, unknown now and then.
fn password_age(hash: u64) -> Option<i64> {
    let (from, to) = match hash % 100 {
        0..3 => return None,
        3..45 => (0, 91),
        45..85 => (0, 366),
        _ => (366, 2_000),
    };
    i64::try_from(from + below(hash / 100, to - from)).ok()
}

/// A telephone number that is nobody's.
fn phone(kind: &str, one: u64, other: u64) -> String {
    format!("+1 555 {kind}{:02} {:04}", one % 100, other % 10_000)
}

/// A day of some past year.
fn date(hash: u64) -> String {
    let (year, month, day) = (2012 + hash % 12, 1 + hash / 12 % 12, 1 + hash / 144 % 28);
    format!("{year}-{month:02}-{day:02}T00:00:00Z")
}
