//! Rows made up from a seed: row `k` of a listing costs the same whatever `k` is, and nothing is stored
//! per user. Knows neither HTTP nor JSON.
//!
//! Of the users `0..n` of a tenant the first ones are flagged and form the security listing; the backup
//! listing skips one user in every few. All else about a user hangs on a hash of the user's number.
//! Shares are counted in ten-thousandths.

use super::chance::{below, bits, guid, mix, pick};
use super::names;
use super::rows::{Module, ProtectedUser, SecurityUser, Statuses};

/// A share of all.
const WHOLE: usize = 10_000;
/// The status codes that upstream documents: 0 to 8.
const CODES: usize = 9;
/// In each that many rows of the security listing, one has an empty list of codes.
const CLEARED_ONE_IN: usize = 97;
/// What upstream writes for a date that is not set.
const NOT_SET: &str = "1970-01-01T00:00:00Z";
/// Keeps the hashes for different purposes apart.
const ID: u64 = 0x1d;
const FINDINGS: u64 = 0xf1;
const BACKUP: u64 = 0xba;

/// A tenant's rows: what they hang on.
#[derive(Debug, Clone)]
pub(super) struct Seeded {
    seed: u64,
    users: usize,
    domain: String,
    /// The share of flagged users.
    flagged: usize,
    /// The share of flagged users with each code.
    codes: [usize; CODES],
    mailbox: usize,
    onedrive: usize,
    /// The backup listing skips the last user of each so many.
    skip: usize,
    /// After so many ticks an evolving figure is back where it was.
    half_period: usize,
    /// Which way it goes first.
    falling: bool,
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
        }
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

    /// The codes of a flagged user, code `n` as bit `n`.
    fn findings(&self, tick: u64, user: usize) -> u32 {
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

    /// Row `k` of the security listing: user `k`.
    pub(super) fn security_user(&self, tick: u64, k: usize, company: &str) -> SecurityUser {
        let person = self.person(k);
        let hash = mix(self.seed ^ FINDINGS ^ ID, k);
        let findings = self.findings(tick, k);
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
        SecurityUser {
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
            mobile: Some(format!(
                "+1 555 01{:02} {:04}",
                hash % 100,
                (hash >> 20) % 10_000
            )),
            job_title: Some(pick(names::JOBS, hash >> 16).to_owned()),
            is_test_user: Some(findings >> 8 & 1 == 1),
            age: i64::try_from(hash % 700).ok(),
            start_date: Some(date(hash >> 28)),
            end_date: Some(NOT_SET.to_owned()),
            country_or_region: Some(pick(names::COUNTRIES, hash >> 40).to_owned()),
            statuses: Some(statuses),
        }
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

/// A day of some past year.
fn date(hash: u64) -> String {
    let (year, month, day) = (2012 + hash % 12, 1 + hash / 12 % 12, 1 + hash / 144 % 28);
    format!("{year}-{month:02}-{day:02}T00:00:00Z")
}
