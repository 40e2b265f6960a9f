//! All users of a tenant.

use avepoint_exporter::simulator::{DirectoryUser, Listing, Tenant};

use super::people::{Who, once};
use super::security::{Person, STATUSES, codes};
use super::{Circumstances, MOST_CODES, Out, dates, named};

const DAY: i64 = 86_400;
const PENDING_DELETION: i64 = 7;

/// A user, the days since the last change of the password, and when the account ends.
struct Account {
    person: Person,
    age: Option<i64>,
    end: Option<i64>,
}

impl Account {
    /// The account of a row; nothing for one that names nobody.
    fn new(row: &DirectoryUser) -> Option<Self> {
        Some(Self {
            person: Person::new(&row.user, false)?,
            age: row.user.age,
            end: dates::seconds(row.user.end_date.as_deref()),
        })
    }
}

/// Puts out the listing's figures. Returns the active users; nothing when reading it must fail.
pub(super) fn put(
    tenant: &Tenant,
    how: &Circumstances,
    now: i64,
    out: &mut Out<'_>,
) -> Option<Vec<Who>> {
    let accounts = listing(tenant, how);
    out.up("directory", accounts.is_some());
    let accounts = accounts?;
    let users: Vec<Person> = accounts.iter().map(|one| one.person.clone()).collect();
    out.count("avepoint_directory_users", &[], users.len());
    for (code, status) in named(STATUSES, codes(&users).into_iter()) {
        let those = users.iter().filter(|user| user.statuses.contains(&code));
        let labels = [("status", &*status)];
        out.count("avepoint_directory_users_by_status", &labels, those.count());
    }
    let marked = users.iter().filter(|user| user.is_marked);
    out.count("avepoint_directory_test_users", &[], marked.count());

    let mut known = 0;
    for (band, first, last) in [
        ("0-30d", 0, 30),
        ("31-60d", 31, 60),
        ("61-90d", 61, 90),
        ("91-180d", 91, 180),
        ("181-365d", 181, 365),
        ("over_365d", 366, i64::MAX),
    ] {
        let ages = accounts.iter().filter_map(|account| account.age);
        let users = ages.filter(|age| (first..=last).contains(age)).count();
        known += users;
        let labels = [("password_age", band)];
        out.count("avepoint_directory_users_by_password_age", &labels, users);
    }
    let labels = [("password_age", "unknown")];
    let unknown = accounts.len() - known;
    out.count("avepoint_directory_users_by_password_age", &labels, unknown);

    for (band, from, to) in [
        ("0-7d", now + 1, now + 8 * DAY),
        ("8-30d", now + 8 * DAY, now + 31 * DAY),
    ] {
        let ends = accounts.iter().filter_map(|account| account.end);
        let users = ends.filter(|end| (from..to).contains(end)).count();
        let labels = [("ending", band)];
        out.count("avepoint_directory_accounts_ending", &labels, users);
    }
    let active = users
        .into_iter()
        .filter(|user| !user.statuses.contains(&PENDING_DELETION));
    Some(active.map(|user| user.who).collect())
}

/// The accounts of the listing, each once; nothing when reading it must fail.
fn listing(tenant: &Tenant, how: &Circumstances) -> Option<Vec<Account>> {
    let rows = tenant.directory_users(how.tick);
    let rows = how.read(Listing::Directory, tenant.tenant_id, rows)?;
    let accounts: Option<Vec<Account>> = rows.iter().map(Account::new).collect();
    let accounts = once(
        accounts?,
        Some(how.pages(Listing::Directory, tenant.tenant_id)),
        |account| &account.person.who,
    )?;
    let users: Vec<Person> = accounts.iter().map(|one| one.person.clone()).collect();
    (codes(&users).len() <= MOST_CODES).then_some(accounts)
}
