use super::*;
use crate::domain::{CustomerId, TenantId};

const PATIENCE: Duration = Duration::from_secs(60);

fn limiter(requests_per_second: f64, burst: u32, max_concurrent_requests: usize) -> Arc<Limiter> {
    Arc::new(Limiter::new(RateLimit {
        requests_per_second,
        burst,
        max_concurrent_requests,
    }))
}

/// One that gives a slot at once, but for those that are paused.
fn generous() -> Arc<Limiter> {
    limiter(1000.0, 1000, 1000)
}

const FIRST: TargetId = TargetId::Tenant(TenantId::from_bits(1));
const SECOND: TargetId = TargetId::Tenant(TenantId::from_bits(2));
const THIRD: TargetId = TargetId::Tenant(TenantId::from_bits(3));
const FOURTH: TargetId = TargetId::Tenant(TenantId::from_bits(4));

/// Listings of a target.
const USERS: &str = "/users";
const BACKUP: &str = "/backup";
const DIRECTORY: &str = "/directory";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
    let limiter = limiter(10.0, 5, 100);
    let start = Instant::now();
    let mut sent_at = Vec::new();
    for _ in 0..25 {
        drop(limiter.slot(TargetId::Partner, USERS, PATIENCE).await);
        sent_at.push(start.elapsed());
    }
    assert!(sent_at[4] < Duration::from_millis(1));
    // 20 requests at 10 per second.
    assert!(sent_at[24] >= seconds(2), "{:?}", sent_at[24]);
    assert!(
        sent_at[24] < Duration::from_millis(2100),
        "{:?}",
        sent_at[24]
    );
}

#[tokio::test(start_paused = true)]
async fn never_more_than_the_cap_are_under_way() {
    let limiter = limiter(1000.0, 1000, 2);
    let (first, _second) = (
        limiter.slot(FIRST, USERS, PATIENCE).await,
        limiter.slot(SECOND, USERS, PATIENCE).await,
    );
    let third = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.slot(THIRD, USERS, PATIENCE).await }
    });
    tokio::time::advance(seconds(60)).await;
    assert!(!third.is_finished());
    drop(first);
    assert!(third.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_takes_no_token_with_it() {
    let limiter = limiter(1.0, 1, 100);
    drop(limiter.slot(TargetId::Partner, USERS, PATIENCE).await);
    for _ in 0..10 {
        let waits = limiter.slot(TargetId::Partner, USERS, PATIENCE);
        let gave_up = tokio::time::timeout(Duration::from_millis(10), waits).await;
        assert!(gave_up.is_err());
    }
    let start = Instant::now();
    drop(limiter.slot(TargetId::Partner, USERS, PATIENCE).await);
    assert!(start.elapsed() < seconds(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_tenant_never_has_more_than_half_of_the_cap_under_way() {
    let limiter = limiter(1000.0, 1000, 4);
    let first = limiter.slot(FIRST, USERS, PATIENCE).await.unwrap();
    let _second = limiter.slot(FIRST, USERS, PATIENCE).await.unwrap();
    let third = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.slot(FIRST, USERS, PATIENCE).await }
    });
    tokio::time::advance(seconds(60)).await;
    assert!(!third.is_finished());
    assert!(limiter.slot(SECOND, USERS, PATIENCE).await.is_ok());
    drop(first);
    assert!(third.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_with_a_hundred_requests_waiting_takes_turns_with_those_that_have_one() {
    let limiter = limiter(1.0, 1, 1);
    let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
    let ask = |whose| {
        let (limiter, order) = (Arc::clone(&limiter), order.clone());
        tokio::spawn(async move {
            let _slot = limiter.slot(whose, USERS, PATIENCE).await.unwrap();
            order.send(whose).unwrap();
        })
    };
    for _ in 0..100 {
        ask(FIRST);
    }
    // All of them wait before the others come.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let small = [SECOND, THIRD, FOURTH];
    for whose in small {
        ask(whose);
    }
    let mut first = Vec::new();
    served.recv_many(&mut first, 8).await;
    while first.len() < 8 {
        first.push(served.recv().await.unwrap());
    }
    for whose in small {
        assert!(first.contains(&whose), "{first:?}");
    }
}

/// Lets all tasks go as far as they can before time passes.
async fn all_wait() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Who is served first when these ask at once, each so many times, the first of them before the others. Time passes
/// with each request that is served.
async fn first_served(
    limiter: &Arc<Limiter>,
    waiting: &[(TargetId, &'static str, usize)],
    served: usize,
) -> Vec<(TargetId, &'static str)> {
    let (order, mut first) = tokio::sync::mpsc::unbounded_channel();
    for (target, route, requests) in waiting.iter().copied() {
        for _ in 0..requests {
            let (limiter, order) = (Arc::clone(limiter), order.clone());
            tokio::spawn(async move {
                let _slot = limiter.slot(target, route, PATIENCE).await.unwrap();
                order.send((target, route)).unwrap();
                tokio::time::sleep(seconds(1)).await;
            });
        }
        all_wait().await;
    }
    let mut found = Vec::new();
    while found.len() < served {
        found.push(first.recv().await.unwrap());
    }
    found
}

fn count(served: &[(TargetId, &'static str)], target: TargetId, route: &str) -> usize {
    let of_listing = |one: &&(TargetId, &'static str)| **one == (target, route);
    served.iter().filter(of_listing).count()
}

#[tokio::test(start_paused = true)]
async fn a_listing_with_a_thousand_pages_takes_turns_with_the_other_listings_of_its_target() {
    // Whether the rate is short, or the requests that may be under way.
    for limiter in [limiter(1.0, 1, 100), limiter(1000.0, 1000, 8)] {
        let waiting = [
            (FIRST, DIRECTORY, 1000),
            (FIRST, USERS, 10),
            (FIRST, BACKUP, 10),
        ];
        // Half of the cap was given to the first, alone then; later requests are served in turn.
        let served = first_served(&limiter, &waiting, 4 + 30).await;
        for route in [USERS, BACKUP] {
            let of_small = count(&served, FIRST, route);
            assert!(of_small >= 9, "{of_small} of {route}: {served:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_with_more_listings_has_no_more_turns_than_one_with_a_single_listing() {
    let limiter = limiter(1.0, 1, 100);
    let waiting = [
        (FIRST, DIRECTORY, 100),
        (FIRST, USERS, 100),
        (FIRST, BACKUP, 100),
        (SECOND, USERS, 100),
    ];
    let served = first_served(&limiter, &waiting, 41).await;
    let of_second = count(&served, SECOND, USERS);
    assert!((19..=21).contains(&of_second), "{of_second}: {served:?}");
    for route in [DIRECTORY, USERS, BACKUP] {
        let each = count(&served, FIRST, route);
        assert!((5..=9).contains(&each), "{each} of {route}: {served:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_listings_of_a_target_share_its_half_of_the_cap_and_its_pause() {
    let limiter = limiter(1000.0, 1000, 4);
    let held = [
        limiter.slot(FIRST, USERS, PATIENCE).await.unwrap(),
        limiter.slot(FIRST, BACKUP, PATIENCE).await.unwrap(),
    ];
    let third = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.slot(FIRST, DIRECTORY, PATIENCE).await.is_ok() }
    });
    all_wait().await;
    assert!(!third.is_finished());
    let start = Instant::now();
    limiter.throttled(FIRST, seconds(20));
    drop(held);
    assert!(third.await.unwrap());
    assert_eq!(start.elapsed(), seconds(20));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_in_its_lane_holds_up_no_other_of_its_listing() {
    let limiter = limiter(1000.0, 1000, 2);
    let under_way = limiter.slot(FIRST, USERS, PATIENCE).await.unwrap();
    for _ in 0..10 {
        let waits = limiter.slot(FIRST, USERS, PATIENCE);
        let gave_up = tokio::time::timeout(Duration::from_millis(10), waits).await;
        assert!(gave_up.is_err());
    }
    drop(under_way);
    assert!(limiter.slot(FIRST, USERS, PATIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn customers_have_lanes_of_their_own_and_a_refused_one_pauses_alone() {
    let limiter = limiter(1000.0, 1000, 4);
    let [contoso, fabrikam] = [1, 2].map(|id| TargetId::Customer(CustomerId::from_bits(id)));
    let start = Instant::now();
    // Together they may have the whole concurrency under way, although each has half of it at most.
    let mut held = Vec::new();
    for target in [contoso, contoso, fabrikam, fabrikam] {
        held.push(limiter.slot(target, USERS, PATIENCE).await.unwrap());
    }
    held.clear();
    // FIRST is a tenant whose id is the same number as that of contoso.
    assert_eq!(limiter.throttled(contoso, seconds(20)).turn, None);
    for target in [fabrikam, FIRST, TargetId::Partner] {
        drop(limiter.slot(target, USERS, PATIENCE).await.unwrap());
    }
    assert_eq!(start.elapsed(), seconds(0));
    drop(limiter.slot(contoso, USERS, PATIENCE).await.unwrap());
    assert_eq!(start.elapsed(), seconds(20));
}

#[tokio::test(start_paused = true)]
async fn two_refused_customers_lower_the_rate_and_one_alone_does_not() {
    let limiter = limiter(10.0, 20, 8);
    let [contoso, fabrikam] = [1, 2].map(|id| TargetId::Customer(CustomerId::from_bits(id)));
    drop(limiter.slot(fabrikam, USERS, PATIENCE).await);
    for _ in 0..3 {
        assert_eq!(limiter.throttled(contoso, seconds(1)).turn, None);
    }
    assert_eq!(
        limiter.throttled(fabrikam, seconds(1)),
        RateNow {
            per_second: 5.0,
            turn: Some(Turn::Fell),
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_longer_pause_is_not_cut_short_by_a_shorter_one() {
    let limiter = generous();
    let start = Instant::now();
    limiter.throttled(FIRST, seconds(20));
    limiter.throttled(FIRST, seconds(1));
    drop(limiter.slot(FIRST, USERS, PATIENCE).await.unwrap());
    assert_eq!(start.elapsed(), seconds(20));
}

#[tokio::test(start_paused = true)]
async fn who_would_have_to_wait_too_long_is_told_at_once() {
    let limiter = generous();
    limiter.throttled(FIRST, seconds(90));
    let refused = limiter.slot(FIRST, USERS, PATIENCE).await.unwrap_err();
    assert_eq!(refused, Paused(seconds(90)));
    tokio::time::advance(seconds(30)).await;
    assert!(limiter.slot(FIRST, USERS, PATIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_longer_than_the_longest_whatever_the_host_asks_for() {
    let limiter = generous();
    limiter.pause_at_most(seconds(300));
    limiter.throttled(FIRST, Duration::MAX);
    let refused = limiter.slot(FIRST, USERS, PATIENCE).await.unwrap_err();
    assert_eq!(refused, Paused(seconds(300)));
}

#[tokio::test(start_paused = true)]
async fn a_request_in_the_queue_goes_back_to_wait_when_its_tenant_is_paused_meanwhile() {
    let limiter = limiter(1000.0, 1000, 1);
    let start = Instant::now();
    let under_way = limiter.slot(SECOND, USERS, PATIENCE).await.unwrap();
    let waiting = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move {
            drop(limiter.slot(FIRST, USERS, PATIENCE).await.unwrap());
            Instant::now()
        }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    limiter.throttled(FIRST, seconds(20));
    drop(under_way);
    // Nor does it keep its place while it waits.
    drop(limiter.slot(SECOND, USERS, PATIENCE).await.unwrap());
    assert_eq!(start.elapsed(), seconds(0));
    assert_eq!(waiting.await.unwrap(), start + seconds(20));
}

#[tokio::test(start_paused = true)]
async fn the_rate_falls_when_several_tenants_are_throttled_and_says_when_it_turns() {
    let limiter = limiter(10.0, 20, 8);
    // Alone so far, beside the partner's own listings.
    drop(limiter.slot(TargetId::Partner, USERS, PATIENCE).await);
    let fallen = RateNow {
        per_second: 5.0,
        turn: Some(Turn::Fell),
    };
    assert_eq!(limiter.throttled(FIRST, seconds(1)), fallen);
    tokio::time::advance(seconds(30)).await;
    assert_eq!(limiter.succeeded().turn, Some(Turn::Recovered));
    assert_eq!(limiter.throttled(SECOND, seconds(1)).turn, None);
    assert_eq!(limiter.throttled(FIRST, seconds(1)), fallen);
    assert_eq!(limiter.throttled(SECOND, seconds(1)).turn, None);
    tokio::time::advance(seconds(10)).await;
    let further = RateNow {
        per_second: 2.5,
        ..fallen
    };
    assert_eq!(limiter.throttled(FIRST, seconds(1)), further);
}
