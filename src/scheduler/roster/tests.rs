//! What a change of the tenants does to figures, counters, joins and the schedule.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::collectors::customers::{self, ListedTenant};
use crate::collectors::protected_users::{self, Coverage, Joins, Protection};
use crate::collectors::{Exposure, Totals, security_users};
use crate::config::{Config, Source};
use crate::domain::{Reason, Target, Tenant, TenantId};
use crate::fleet::Names;
use crate::scheduler::jobs::{Job, State};
use crate::snapshot::{CollectorSnapshot, Figures, LastPoll, Snapshot, TargetSnapshot};

use Collector::{Directory, ProtectedUsers, SecurityUsers as Security};

const OWN_ID: TenantId = TenantId::from_bits(1);
const FOUND_ID: TenantId = TenantId::from_bits(2);
const OWN: TargetId = TargetId::Tenant(OWN_ID);
const FOUND: TargetId = TargetId::Tenant(FOUND_ID);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_790_000_000 + seconds))
}

/// The tenant `OWN` with these collectors for all; discovery is on.
fn config(collectors: &str) -> Config {
    let text = format!(
        "elements: {{ client_id: a, client_secret: b }}\ncollectors: {{ {collectors} }}\ndiscovery: {{ enabled: true }}\n\
         tenants:\n  - {{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: {OWN_ID} }}\n"
    );
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    Config::parse(&text, &source).unwrap()
}

/// A customer with the tenant `FOUND`, or without any.
fn listed(is_listed: bool) -> Vec<ListedCustomer> {
    let tenant = ListedTenant {
        id: FOUND_ID,
        name: None,
    };
    vec![ListedCustomer {
        tenants: Some(tenant).filter(|_| is_listed).into_iter().collect(),
        ..ListedCustomer::bare(9)
    }]
}

/// A roster, and the configuration and the customers that it goes by.
struct Watching {
    roster: Roster,
    config: Config,
    listed: Vec<ListedCustomer>,
}

impl Watching {
    /// Both tenants, both listings read at the second 10 and planned for the second 300.
    fn polled() -> Self {
        let mut watching = Self {
            roster: Roster::default(),
            config: config(""),
            listed: listed(true),
        };
        watching.change(0);
        for tenant in [OWN, FOUND] {
            watching.pretend_polled(tenant, Security, security());
            watching.pretend_polled(tenant, ProtectedUsers, protected());
            let watched = watching.roster.get_mut(tenant).unwrap();
            let users = security_users::Fold::new(false).finish().users;
            watched.references.insert(Security, users.unwrap());
        }
        watching
    }

    /// Returns how many tenants came and went.
    fn change(&mut self, seconds: u64) -> (usize, usize) {
        let fleet = Fleet::new(&self.config, Some(&self.listed), &Names::default());
        let Change { came, went } = self.roster.change(&fleet, at(seconds));
        (came.len(), went.len())
    }

    /// The roster of the next process, which begins with what this one knew.
    fn restart(&mut self, seconds: u64) {
        let targets = self.roster.targets.iter().chain(&self.roster.gone);
        let targets = targets.map(|one| {
            let mut target = TargetSnapshot::clone(&one.snapshot);
            for one in &mut target.collectors {
                *one = CollectorSnapshot {
                    last_poll: one.last_poll,
                    figures: one.figures.take(),
                    ..CollectorSnapshot::new(one.config)
                };
            }
            Arc::new(target)
        });
        let saved = Saved {
            targets: targets.collect(),
            ..Saved::default()
        };
        self.roster = Roster::restored(&saved, at(seconds));
        self.change(seconds);
    }

    /// What is known of a collector of a target, and when it is polled.
    fn of(&mut self, target: TargetId, collector: Collector) -> (&mut CollectorSnapshot, &mut Job) {
        let watched = self.roster.get_mut(target).unwrap();
        watched.of(collector).unwrap()
    }

    fn pretend_polled(&mut self, tenant: TargetId, collector: Collector, totals: Totals) {
        let (snapshot, job) = self.of(tenant, collector);
        job.state = State::Due(at(300));
        snapshot.polls += 1;
        snapshot.last_poll = Some(LastPoll {
            duration: Duration::ZERO,
            rows: 0,
            failure: None,
        });
        snapshot.figures = Some(Figures {
            at: at(10),
            unreadable_dates: 0,
            pages: 1,
            totals: Arc::new(totals),
            is_restored: false,
        });
    }

    fn snapshot(&self) -> Snapshot {
        let targets = self.roster.targets.iter();
        Snapshot {
            targets: targets.map(|one| Arc::clone(&one.snapshot)).collect(),
            ..Snapshot::default()
        }
    }

    fn state(&mut self, tenant: TargetId, collector: Collector) -> State {
        self.of(tenant, collector).1.state
    }

    fn known(&mut self, tenant: TargetId, collector: Collector) -> &CollectorSnapshot {
        self.of(tenant, collector).0
    }

    fn is_joined(&self, tenant: TargetId) -> bool {
        let mut targets = self.roster.targets.iter();
        let watched = targets.find(|one| one.id() == tenant).unwrap();
        has_exposure(&watched.snapshot, at(11))
    }

    /// The tenants that are polled.
    fn tenants(&self) -> Vec<&Watched> {
        let targets = self.roster.targets.iter();
        targets
            .filter(|one| one.id() != TargetId::Partner)
            .collect()
    }
}

/// Whether the join with the security users is shown.
fn has_exposure(target: &TargetSnapshot, now: Timestamp) -> bool {
    let figures = target.fresh::<protected_users::ProtectedUsers>(now);
    figures.is_some_and(|figures| figures.joins.exposure.is_some())
}

fn security() -> Totals {
    Totals::SecurityUsers(security_users::Figures {
        users: 1,
        by_status: BTreeMap::new(),
    })
}

fn protected() -> Totals {
    let protection = Protection {
        users: 1,
        protected: BTreeMap::new(),
        unprotected: BTreeMap::new(),
        coverage: Coverage {
            full: 1,
            partial: 0,
            none: 0,
        },
    };
    let joins = Joins {
        exposure: Some(Exposure {
            users: BTreeMap::new(),
            by_module: BTreeMap::new(),
            unlisted: BTreeMap::new(),
        }),
        missing: BTreeMap::new(),
    };
    Totals::ProtectedUsers(protected_users::Figures { protection, joins })
}

#[test]
fn a_new_tenant_is_polled_at_once_and_its_protected_users_after_the_others() {
    let mut watching = Watching::polled();
    watching.roster = Roster::default();
    assert_eq!(watching.change(5), (2, 0));
    for tenant in [OWN, FOUND] {
        assert_eq!(watching.state(tenant, Security), State::Due(at(5)));
        assert_eq!(
            watching.state(tenant, ProtectedUsers),
            State::WaitsForOthers
        );
        assert_eq!(watching.known(tenant, Security).next_poll, Some(at(5)));
        assert_eq!(watching.known(tenant, ProtectedUsers).next_poll, None);
    }
    watching.config = config("security_users: { enabled: false }");
    watching.roster = Roster::default();
    watching.change(5);
    assert_eq!(watching.state(OWN, ProtectedUsers), State::Due(at(5)));
}

#[test]
fn what_stays_the_same_keeps_its_figures_its_counters_its_place_and_its_running_poll() {
    let mut watching = Watching::polled();
    let running = State::Running { due: at(12) };
    watching.of(OWN, Security).1.state = running;
    watching.of(FOUND, ProtectedUsers).1.state = State::Due(at(15));
    assert_eq!(watching.change(20), (0, 0));
    assert_eq!(watching.state(OWN, Security), running);
    assert!(watching.roster.runs(OWN, Security));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::Due(at(300)));
    assert_eq!(
        watching.state(FOUND, ProtectedUsers),
        State::Due(at(15)),
        "what is overdue is not put off"
    );
    for tenant in [OWN, FOUND] {
        assert!(watching.is_joined(tenant));
        for collector in [Security, ProtectedUsers] {
            let known = watching.known(tenant, collector);
            assert_eq!((known.polls, known.figures.is_some()), (1, true));
        }
    }
}

#[test]
fn another_interval_moves_the_next_poll_to_a_slot_of_its_own_and_nothing_else() {
    let mut watching = Watching::polled();
    watching.config = config("security_users: { interval: 1m }");
    watching.of(FOUND, Security).1.state = State::Due(at(15));
    watching.change(20);
    let due = watching.state(OWN, Security).due().unwrap();
    assert!(due >= at(20) && due <= at(80), "{due:?}");
    assert_eq!(watching.known(OWN, Security).next_poll, Some(due));
    assert_eq!(watching.state(FOUND, Security), State::Due(at(15)));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::Due(at(300)));
    let known = watching.known(OWN, Security);
    assert_eq!(known.config.interval, Duration::from_secs(60));
    assert!(known.figures.is_some() && watching.is_joined(OWN));
}

#[test]
fn figures_that_would_mean_something_else_go_with_their_join_and_are_made_again() {
    let mut watching = Watching::polled();
    watching.config = config("security_users: { exclude_test_users: true }");
    let running = State::Running { due: at(12) };
    watching.of(OWN, Security).1.state = running;
    watching.of(OWN, ProtectedUsers).1.state = running;
    watching.change(20);
    assert_eq!(watching.state(OWN, Security), State::Due(at(20)));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::WaitsForOthers);
    assert!(!watching.roster.runs(OWN, Security) && !watching.roster.runs(OWN, ProtectedUsers));
    assert!(watching.tenants()[0].references.is_empty());
    let known = watching.known(OWN, Security);
    assert_eq!((known.polls, known.last_poll.is_none()), (1, true));
    assert!(known.figures.is_none());
    let known = watching.known(OWN, ProtectedUsers);
    assert!(known.figures.is_some(), "who is backed up stays true");

    watching.pretend_polled(OWN, Security, security());
    assert!(
        !watching.is_joined(OWN),
        "it was made with the users of before"
    );
    let watched = watching.roster.get_mut(OWN).unwrap();
    watched.start_those_who_waited(at(21));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::Due(at(21)));
}

#[test]
fn a_collector_that_is_switched_off_goes_and_nobody_waits_for_it() {
    let mut watching = Watching::polled();
    watching.config = config("security_users: { enabled: false }");
    let before = watching.state(OWN, ProtectedUsers);
    watching.of(FOUND, ProtectedUsers).1.state = State::WaitsForOthers;
    watching.change(20);
    for tenant in [OWN, FOUND] {
        let watched = watching.roster.get_mut(tenant).unwrap();
        assert!(watched.of(Security).is_none() && watched.references.is_empty());
    }
    assert_eq!(watching.state(OWN, ProtectedUsers), before, "as planned");
    assert_eq!(watching.state(FOUND, ProtectedUsers), State::Due(at(20)));
    watching.config = config("");
    watching.change(30);
    watching.pretend_polled(OWN, Security, security());
    assert!(!watching.is_joined(OWN));
}

#[test]
fn a_collector_that_is_switched_on_takes_nothing_away_and_holds_nothing_up() {
    let mut watching = Watching::polled();
    let before = watching.state(OWN, ProtectedUsers);
    watching.config = config("directory: { enabled: true }");
    watching.change(20);
    assert!(watching.is_joined(OWN));
    assert_eq!(watching.state(OWN, Directory), State::Due(at(20)));
    assert_eq!(watching.state(OWN, ProtectedUsers), before);
}

#[test]
fn a_tenant_of_the_file_that_is_left_to_discovery_goes_on_as_it_was() {
    let mut watching = Watching::polled();
    let own = Target::Tenant(Arc::clone(&watching.config.tenants[0].tenant));
    watching.config.tenants.clear();
    let unread = Fleet::new(&watching.config, None, &Names::default());
    assert!(
        unread.only_misses(&own),
        "nobody knows yet what the API lists"
    );
    let change = watching.roster.change(&unread, at(20));
    assert_eq!((change.went.len(), watching.roster.gone.len()), (2, 2));
    watching.listed[0].tenants.push(ListedTenant {
        id: OWN_ID,
        name: None,
    });
    watching.change(30);
    assert!(watching.roster.gone.is_empty());
    assert!(watching.is_joined(OWN) && watching.is_joined(FOUND));
}

#[test]
fn a_tenant_that_is_not_wanted_goes_at_once_with_all_it_has() {
    let mut watching = Watching::polled();
    watching.config.tenants.clear();
    assert_eq!(watching.change(20), (0, 1));
    assert!(watching.roster.gone.is_empty());
    watching.config.discovery = None;
    assert_eq!(watching.change(20), (0, 1));
    assert!(watching.tenants().is_empty() && watching.roster.gone.is_empty());
}

#[test]
fn a_tenant_that_disappears_stays_until_its_last_figures_are_stale() {
    let mut watching = Watching::polled();
    watching.of(FOUND, Security).1.state = State::Running { due: at(12) };
    watching.listed = listed(false);
    assert_eq!(watching.change(20), (0, 1));
    assert!(!watching.roster.runs(FOUND, Security));
    let [gone] = watching.roster.gone.as_slice() else {
        panic!("{:?}", watching.roster.gone);
    };
    assert!(has_exposure(&gone.snapshot, at(20)));
    let mut collectors = gone.snapshot.collectors.iter();
    assert!(collectors.all(|one| one.next_poll.is_none()));

    // A change of something else does nothing to it, however often.
    assert_eq!(watching.change(30), (0, 0));
    // Its protected users, which are read every 15 minutes, are the last to be stale.
    let stale_at = at(10 + 3 * 900);
    assert_eq!(watching.roster.next_stale(), Some(stale_at));
    assert!(!watching.roster.drop_stale(at(2709)));
    assert_eq!(watching.roster.gone.len(), 1);
    assert!(watching.roster.drop_stale(at(2710)));
    assert!(watching.roster.gone.is_empty());
}

#[test]
fn a_tenant_that_comes_back_in_time_goes_on_as_it_was() {
    let mut watching = Watching::polled();
    watching.listed = listed(false);
    watching.change(20);
    watching.listed = listed(true);
    assert_eq!(watching.change(400), (1, 0));
    assert!(watching.roster.gone.is_empty());
    assert!(watching.is_joined(FOUND));
    for collector in [Security, ProtectedUsers] {
        let due = watching.state(FOUND, collector).due().unwrap();
        let known = watching.known(FOUND, collector);
        assert_eq!((known.polls, known.next_poll), (1, Some(due)));
        let interval = known.config.interval;
        assert!(due >= at(400) && due <= at(400).after(interval), "{due:?}");
    }
}

#[test]
fn a_tenant_that_disappears_before_it_had_figures_goes_at_once() {
    let mut watching = Watching::polled();
    watching.roster = Roster::default();
    watching.change(0);
    watching.listed = listed(false);
    watching.change(1);
    assert!(watching.roster.gone.is_empty());
}

#[test]
fn after_a_restart_all_is_known_and_all_is_polled_at_once_in_the_order_of_a_first_round() {
    let mut watching = Watching::polled();
    watching.restart(20);
    for tenant in [OWN, FOUND] {
        assert!(watching.is_joined(tenant));
        assert_eq!(watching.state(tenant, Security), State::Due(at(20)));
        assert_eq!(watching.known(tenant, Security).next_poll, Some(at(20)));
        // Of the users of before nothing is known.
        assert_eq!(
            watching.state(tenant, ProtectedUsers),
            State::WaitsForOthers
        );
        assert_eq!(watching.known(tenant, ProtectedUsers).next_poll, None);
    }
    assert!(!watching.snapshot().first_round_ended());
    assert!(watching.snapshot().has_fresh(at(20)));
    assert!(!watching.snapshot().has_fresh(at(10 + 3 * 900)), "stale");

    watching.pretend_polled(OWN, Security, security());
    let watched = watching.roster.get_mut(OWN).unwrap();
    watched.start_those_who_waited(at(21));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::Due(at(21)));
    watching.pretend_polled(OWN, ProtectedUsers, protected());
    assert!(!watching.snapshot().first_round_ended());
    watching.pretend_polled(FOUND, Security, security());
    watching.pretend_polled(FOUND, ProtectedUsers, protected());
    assert!(!watching.snapshot().first_round_ended());
    let found = Totals::Customers(customers::Figures::default());
    watching.pretend_polled(TargetId::Partner, Collector::Customers, found);
    assert!(watching.snapshot().first_round_ended());
}

#[test]
fn a_reload_before_the_first_round_has_ended_changes_nothing_of_who_waits() {
    let mut watching = Watching::polled();
    watching.restart(20);
    watching.change(21);
    assert_eq!(watching.state(OWN, Security), State::Due(at(20)));
    assert_eq!(watching.state(OWN, ProtectedUsers), State::WaitsForOthers);
}

#[test]
fn after_a_restart_with_other_options_figures_and_joins_that_would_mean_something_else_are_gone() {
    let mut watching = Watching::polled();
    watching.config = config("security_users: { mode: counts }");
    watching.restart(20);
    let known = watching.known(OWN, Security);
    assert!(known.figures.is_none() && known.last_poll.is_none());
    assert!(watching.known(OWN, ProtectedUsers).figures.is_some());
    watching.pretend_polled(OWN, Security, security());
    assert!(!watching.is_joined(OWN));

    let mut watching = Watching::polled();
    watching.config = config("security_users: { interval: 1m, stale_after: 2m }");
    watching.restart(20);
    assert!(watching.is_joined(OWN), "they mean the same");
    let known = watching.known(OWN, Security);
    assert_eq!(known.config.interval, Duration::from_secs(60));
    assert!(known.fresh(at(129)).is_some() && known.fresh(at(130)).is_none());
}

#[test]
fn after_a_restart_a_tenant_that_is_not_wanted_any_more_is_not_known() {
    let mut watching = Watching::polled();
    watching.config.tenants.clear();
    watching.restart(20);
    assert_eq!(watching.tenants().len(), 1);
    assert!(watching.roster.gone.is_empty());
}

#[test]
fn after_a_restart_a_tenant_that_had_disappeared_still_stays_until_its_figures_are_stale() {
    let mut watching = Watching::polled();
    watching.listed = listed(false);
    watching.change(15);
    watching.restart(20);
    let [gone] = watching.roster.gone.as_slice() else {
        panic!("{:?}", watching.roster.gone);
    };
    assert!(has_exposure(&gone.snapshot, at(20)));
    watching.restart(10 + 3 * 900);
    assert!(watching.roster.gone.is_empty());
}

/// Lets the security listing of a tenant be refused until its quarantine leaves out seven slots of eight, from the
/// second 3000 on.
fn refuse(watching: &mut Watching, tenant: TargetId) {
    let (snapshot, job) = watching.of(tenant, Security);
    for poll in 0..4 {
        let refused = Some(Reason::Forbidden);
        job.plan(Directory, at(3000), refused, true, at(3001));
        assert_eq!(job.quarantine.is_on(), poll > 0);
    }
    snapshot.quarantined = job.quarantine.is_on();
    snapshot.next_poll = job.state.due();
}

fn due(watching: &mut Watching, tenant: TargetId, seconds: u64) -> Option<Timestamp> {
    watching.of(tenant, Security).1.due(at(seconds))
}

#[test]
fn a_quarantine_outlives_a_change_of_the_tenants_and_ends_with_what_was_refused() {
    let mut watching = Watching::polled();
    refuse(&mut watching, OWN);
    let planned = due(&mut watching, OWN, 3001);
    let ahead = planned.unwrap().since(at(3000));
    assert!(ahead >= Duration::from_secs(300 * 7), "{ahead:?}");
    watching.change(3002);
    assert_eq!(due(&mut watching, OWN, 3002), planned);
    assert!(watching.known(OWN, Security).quarantined);

    watching.config = config("security_users: { exclude_test_users: true }");
    watching.change(3003);
    assert_eq!(due(&mut watching, OWN, 3003), Some(at(3003)));
    assert!(!watching.known(OWN, Security).quarantined);
    assert!(!watching.of(OWN, Security).1.quarantine.is_on());
}

#[test]
fn a_clock_that_is_set_back_leaves_no_poll_in_quarantine_for_ever() {
    let mut watching = Watching::polled();
    refuse(&mut watching, OWN);
    let planned = due(&mut watching, OWN, 3001).unwrap();
    assert_eq!(due(&mut watching, OWN, 2900), Some(planned));
    let back = due(&mut watching, OWN, 0).unwrap();
    assert_eq!(
        back,
        at(300 * 9),
        "one interval more than it would be in use"
    );
}

#[test]
fn another_client_asks_at_the_next_slot_for_what_is_in_quarantine_and_for_nothing_else() {
    let mut watching = Watching::polled();
    for tenant in [OWN, FOUND] {
        refuse(&mut watching, tenant);
    }
    let planned = due(&mut watching, FOUND, 3001);
    let protected = watching.state(OWN, ProtectedUsers);
    let watched = watching.roster.get_mut(OWN).unwrap();
    watched.ask_again(|collector| collector == Security, at(3002));
    let next = due(&mut watching, OWN, 3002).unwrap();
    assert!(next >= at(3002) && next <= at(3302), "{next:?}");
    let known = watching.known(OWN, Security);
    assert_eq!((known.quarantined, known.next_poll), (false, Some(next)));
    assert_eq!(watching.state(OWN, ProtectedUsers), protected);

    let watched = watching.roster.get_mut(FOUND).unwrap();
    watched.ask_again(|collector| collector != Security, at(3002));
    assert_eq!(due(&mut watching, FOUND, 3002), planned);
    assert!(watching.known(FOUND, Security).quarantined);
}

#[test]
fn who_came_and_went_is_named_by_the_first_names_and_the_number_of_the_others() {
    assert_eq!(some(&[]), None);
    let names: Vec<_> = (1..=22).map(|n| format!("Contoso {n}")).collect();
    assert_eq!(some(&names[..2]).unwrap(), "Contoso 1, Contoso 2");
    let text = some(&names).unwrap();
    assert!(text.ends_with(", Contoso 20 and 2 more"), "{text}");
    let tenant = Arc::new(Tenant {
        customer_name: Some("Contoso".to_owned()),
        ..Tenant::bare(1, 2)
    });
    assert_eq!(
        name(&Target::Tenant(tenant)).unwrap(),
        "Contoso (00000000-0000-0000-0000-000000000002)"
    );
    assert_eq!(name(&Target::Partner("p".into())), None);
}
