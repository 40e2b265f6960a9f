//! Killed at random moments, again and again in the same folder.

use tokio::time::Instant;

use super::{OK, Place, Service, SignedIn};

/// With each of the two services.
const KILLS: u32 = 100;

/// Of the moments, unless the environment's `ROTATION_SEED` is another one.
const SEED: u64 = 0xa7e9_0147;

/// Kills runs at random moments, and signs in after each. Returns after how many of them a person had to help.
async fn kill_at_random_moments(service: Service) -> u32 {
    let seed = std::env::var("ROTATION_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("ROTATION_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new(service).await;
    let start = Instant::now();
    let ended = place.poll().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    let mut whole = start.elapsed();
    let mut helped = 0;
    for n in 1..=KILLS {
        let delay = whole.mul_f64(random.f64());
        let poll = place.start(&["poll"]);
        // Waits for nothing: the moment is what is tried.
        tokio::time::sleep(delay).await;
        drop(poll);
        let kill = format!("kill {n} after {delay:?} of {whole:?}, ROTATION_SEED={seed}");
        let start = Instant::now();
        match place.sign_in_again(service, &kill).await {
            // One whole run: how long they take changes with what else the machine does.
            SignedIn::ByItself => whole = start.elapsed(),
            SignedIn::WithHelp => helped += 1,
        }
    }
    let refreshes = place.upstream.stats().refreshes;
    // Each start after a kill is one. More than that: some runs were killed after they had asked.
    assert!(refreshes > u64::from(KILLS) + 1, "{refreshes}");
    helped
}

#[tokio::test]
async fn killed_at_100_moments_it_signs_in_again_with_a_service_like_microsofts() {
    assert_eq!(kill_at_random_moments(Service::LikeMicrosoft).await, 0);
}

#[tokio::test]
async fn killed_at_100_moments_it_signs_in_again_with_a_strict_service_or_says_what_was_lost() {
    let helped = kill_at_random_moments(Service::Strict).await;
    assert!(
        helped < KILLS / 2,
        "{helped} times: the moment in which a token can be lost is a short one"
    );
}
