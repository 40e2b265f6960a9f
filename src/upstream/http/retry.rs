//! When a failed try is worth another one. Pure: no clock, no randomness, no socket.

use std::time::Duration;

use crate::domain::PromDuration;

/// How often and how long a request is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// All tries together, from the first sending on.
    pub(crate) deadline: Duration,
    /// The wait after the first failed try, before jitter; doubled with each further one.
    pub(crate) first_wait: Duration,
    /// The longest wait of our own choice, before jitter.
    pub(crate) longest_wait: Duration,
}

impl Policy {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(15),
        }
    }
}

/// How often a 200 is asked for again whose body ends inside the JSON. More would not help: a server that
/// cuts its answer three times at one place does so for good.
const CUT_BODY_RETRIES: u32 = 2;

/// Why a try failed, as far as another try depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A problem that passes, with what `Retry-After` asked for.
    Transient {
        /// What the answer asked for.
        retry_after: Option<Duration>,
    },
    /// No answer in time, or a connection that failed.
    NoAnswer,
    /// A 200 whose body ends inside the JSON.
    CutBody,
    /// 401.
    Unauthorized,
    /// Anything that the next try would meet again.
    Final,
}

/// What has happened to a request so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct History {
    /// Failed tries, the last one included.
    pub(crate) failures: u32,
    /// Bodies that ended inside the JSON, the last one included.
    pub(crate) cut_bodies: u32,
    /// Whether the token was renewed for this request.
    pub(crate) renewed: bool,
    /// Since the first sending.
    pub(crate) elapsed: Duration,
}

/// What to do about a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Try again after this long.
    Wait(Duration),
    /// Renew the token, then try again at once.
    RenewToken,
    /// Report the failure.
    GiveUp,
}

/// What an answer said of the next try, for the end of a message.
pub(crate) fn asked(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!(", retry after {}", PromDuration(wait)),
        None => String::new(),
    }
}

/// Decides about a failed try. `jitter` is a random number from 0 to 1 that keeps clients from marching in step.
pub(crate) fn decide(
    policy: &Policy,
    history: &History,
    failure: Failure,
    jitter: f64,
) -> Decision {
    let wait = match failure {
        Failure::Final => return Decision::GiveUp,
        Failure::Unauthorized if history.renewed => return Decision::GiveUp,
        Failure::Unauthorized => return Decision::RenewToken,
        Failure::CutBody if history.cut_bodies > CUT_BODY_RETRIES => return Decision::GiveUp,
        // Never earlier than asked; up to a tenth later, so that not all come back in one instant. No wait at
        // all, or a date that has passed by our clock, is no answer to the question of when to come back.
        Failure::Transient {
            retry_after: Some(asked),
        } if !asked.is_zero() => {
            asked.saturating_add(asked.min(Duration::from_secs(10)).mul_f64(jitter / 10.0))
        }
        Failure::Transient { .. } | Failure::NoAnswer | Failure::CutBody => {
            let doublings = history.failures.saturating_sub(1).min(16);
            let wait = policy
                .first_wait
                .saturating_mul(1 << doublings)
                .min(policy.longest_wait);
            wait.mul_f64(0.5 + jitter / 2.0)
        }
    };
    if history.elapsed.saturating_add(wait) >= policy.deadline {
        Decision::GiveUp
    } else {
        Decision::Wait(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn history(failures: u32, elapsed: u64) -> History {
        History {
            failures,
            elapsed: Duration::from_secs(elapsed),
            ..History::default()
        }
    }

    #[track_caller]
    fn check(history: History, failure: Failure, jitter: f64, expected: Decision) {
        assert_eq!(
            decide(&Policy::new(MINUTE), &history, failure, jitter),
            expected
        );
    }

    const fn wait(millis: u64) -> Decision {
        Decision::Wait(Duration::from_millis(millis))
    }

    #[test]
    fn waits_double_up_to_a_cap_and_are_jittered_by_half() {
        check(history(1, 0), Failure::NoAnswer, 1.0, wait(500));
        check(history(1, 0), Failure::NoAnswer, 0.0, wait(250));
        check(history(2, 0), Failure::NoAnswer, 1.0, wait(1000));
        check(
            history(3, 0),
            Failure::Transient { retry_after: None },
            1.0,
            wait(2000),
        );
        check(history(40, 0), Failure::NoAnswer, 1.0, wait(15_000));
    }

    #[test]
    fn retry_after_is_kept_to_the_second_or_a_little_longer() {
        let failure = Failure::Transient {
            retry_after: Some(Duration::from_secs(20)),
        };
        check(history(1, 0), failure, 0.0, wait(20_000));
        check(history(1, 0), failure, 1.0, wait(21_000));
    }

    #[test]
    fn a_retry_after_of_nothing_is_no_leave_to_storm() {
        let failure = Failure::Transient {
            retry_after: Some(Duration::ZERO),
        };
        check(history(1, 0), failure, 1.0, wait(500));
        check(history(5, 0), failure, 1.0, wait(8000));
    }

    #[test]
    fn nothing_is_tried_past_the_deadline() {
        let failure = Failure::Transient {
            retry_after: Some(Duration::from_secs(20)),
        };
        check(history(1, 39), failure, 0.0, wait(20_000));
        check(history(1, 40), failure, 0.0, Decision::GiveUp);
        check(
            history(1, 0),
            Failure::Transient {
                retry_after: Some(Duration::MAX),
            },
            1.0,
            Decision::GiveUp,
        );
        check(history(2, 59), Failure::NoAnswer, 1.0, Decision::GiveUp);
    }

    #[test]
    fn a_refused_token_is_renewed_once() {
        check(
            history(1, 0),
            Failure::Unauthorized,
            0.0,
            Decision::RenewToken,
        );
        check(
            History {
                renewed: true,
                ..history(2, 0)
            },
            Failure::Unauthorized,
            0.0,
            Decision::GiveUp,
        );
    }

    #[test]
    fn a_cut_body_is_asked_for_again_twice() {
        let cut = |cut_bodies| History {
            cut_bodies,
            ..history(cut_bodies, 0)
        };
        check(cut(1), Failure::CutBody, 1.0, wait(500));
        check(cut(2), Failure::CutBody, 1.0, wait(1000));
        check(cut(3), Failure::CutBody, 1.0, Decision::GiveUp);
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        check(history(1, 0), Failure::Final, 0.0, Decision::GiveUp);
    }
}
