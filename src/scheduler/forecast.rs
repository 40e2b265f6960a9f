//! Whether an API can be asked as often as the tenants' intervals need, and what the log says of it. Pure.

use std::fmt;

use crate::collectors::ASSUMED_USERS;
use crate::config::RateLimit;
use crate::domain::Api;
use crate::upstream::Capacity;

/// They fit again when they need less than this part of what is possible, and not at once: what is possible moves
/// with the time that answers take.
const FITS_AGAIN_BELOW: f64 = 0.95;

/// What is asked of an API, and what it gives, in requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    pub(super) api: Api,
    pub(super) required: f64,
    pub(super) capacity: Capacity,
    pub(super) limit: RateLimit,
    /// The number of listings in `required` that were never read, so that nobody knows how long they are.
    pub(super) assumed: usize,
}

/// What the log is to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum News {
    TooMuch(Need),
    FitsAgain(Need),
}

/// The APIs of which the log has said that they are asked for too much: each with the limit that it had then, and whether
/// sizes were assumed.
#[derive(Debug, Default)]
pub(super) struct Forecast {
    said: Vec<(Api, RateLimit, bool)>,
}

impl Forecast {
    /// Says what is new: once when the tenants do not fit, again when the limit is another or the sizes are known and they
    /// still do not, and once when they do.
    pub(super) fn judge(&mut self, needs: &[Need]) -> Vec<News> {
        let mut news = Vec::new();
        let before = std::mem::take(&mut self.said);
        for need in needs {
            let said = before.iter().find(|(api, ..)| *api == need.api);
            let is_assumed = need.assumed > 0;
            let possible = need.capacity.requests_per_second();
            let too_much = match said {
                Some((_, _, was_assumed)) if is_assumed || !was_assumed => {
                    need.required > possible * FITS_AGAIN_BELOW
                }
                // What was assumed says nothing of what is known now.
                _ => need.required > possible,
            };
            if too_much {
                let is_said = said.is_some_and(|(_, limit, was_assumed)| {
                    *limit == need.limit && (is_assumed || !was_assumed)
                });
                if !is_said {
                    news.push(News::TooMuch(*need));
                }
                let was_assumed = said.is_none_or(|(_, _, was_assumed)| *was_assumed);
                self.said
                    .push((need.api, need.limit, is_assumed && was_assumed));
            } else if said.is_some() {
                news.push(News::FitsAgain(*need));
            }
        }
        news
    }

    /// Whether the last judgement was that this API is asked for too much.
    pub(super) fn is_short(&self, api: Api) -> bool {
        self.said.iter().any(|(said, ..)| *said == api)
    }
}

impl News {
    pub(super) fn log(&self) {
        let (Self::TooMuch(need) | Self::FitsAgain(need)) = self;
        let api = need.api;
        let required = need.required;
        let capacity = need.capacity.requests_per_second();
        match self {
            Self::TooMuch(_) => tracing::warn!(
                %api,
                required,
                capacity,
                advice = %need,
                "rate limit is too low for all intervals; polls {} late",
                if need.assumed > 0 { "will be" } else { "are" }
            ),
            Self::FitsAgain(_) => tracing::info!(
                %api,
                required,
                capacity,
                "rate limit is high enough for all intervals again"
            ),
        }
    }
}

/// The cause, and the settings to change, where the limit is too low.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api,
            required,
            capacity,
            limit,
            assumed,
        } = self;
        let possible = capacity.requests_per_second();
        write!(
            f,
            "{api} needs {required:.2} requests/s, {possible:.2} are available, limited by "
        )?;
        if capacity.by_rate <= capacity.by_concurrency {
            write!(
                f,
                "the configured rate; raise {api}.rate_limit.requests_per_second if the API allows it"
            )?;
        } else {
            let at_once = limit.max_concurrent_requests;
            let latency = at_once as f64 / capacity.by_concurrency;
            write!(
                f,
                "{at_once} concurrent requests of {latency:.2} s on average; raise \
                 {api}.rate_limit.max_concurrent_requests"
            )?;
        }
        // Rounded up, so that it is enough.
        let factor = (required / possible * 10.0).ceil() / 10.0;
        write!(
            f,
            ", or lengthen the collectors' intervals by a factor of {factor:.1}"
        )?;
        if *assumed > 0 {
            write!(
                f,
                "; this assumes {ASSUMED_USERS} users in each of {assumed} listings that were never read"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        requests_per_second: 10.0,
        burst: 20,
        max_concurrent_requests: 8,
    };

    /// What an API needs that gives 10 requests per second.
    fn need(api: Api, required: f64) -> Need {
        Need {
            api,
            required,
            capacity: Capacity {
                by_rate: 10.0,
                by_concurrency: 80.0,
            },
            limit: LIMIT,
            assumed: 0,
        }
    }

    #[track_caller]
    fn check(forecast: &mut Forecast, required: f64, expected: fn(Need) -> Option<News>) {
        let need = need(Api::Elements, required);
        let expected: Vec<_> = expected(need).into_iter().collect();
        assert_eq!(forecast.judge(&[need]), expected);
    }

    #[test]
    fn what_does_not_fit_is_said_once_and_so_is_what_fits_again() {
        let mut forecast = Forecast::default();
        check(&mut forecast, 10.0, |_| None);
        check(&mut forecast, 10.1, |need| Some(News::TooMuch(need)));
        check(&mut forecast, 25.0, |_| None);
        check(&mut forecast, 9.6, |_| None);
        check(&mut forecast, 10.1, |_| None);
        check(&mut forecast, 9.5, |need| Some(News::FitsAgain(need)));
        check(&mut forecast, 9.9, |_| None);
        check(&mut forecast, 11.0, |need| Some(News::TooMuch(need)));
    }

    #[test]
    fn what_was_assumed_is_said_again_when_it_is_known_or_turns_out_to_fit() {
        let assumed = Need {
            assumed: 3,
            ..need(Api::Elements, 30.0)
        };
        let known = need(Api::Elements, 20.0);
        let fits = need(Api::Elements, 2.0);
        let mut forecast = Forecast::default();
        assert_eq!(forecast.judge(&[assumed]), [News::TooMuch(assumed)]);
        assert_eq!(forecast.judge(&[assumed]), []);
        assert_eq!(forecast.judge(&[known]), [News::TooMuch(known)]);
        assert_eq!(forecast.judge(&[known]), []);
        assert_eq!(forecast.judge(&[assumed]), [], "a new tenant");
        assert_eq!(forecast.judge(&[fits]), [News::FitsAgain(fits)]);
        // What is known is not judged by what was assumed.
        assert_eq!(forecast.judge(&[assumed]), [News::TooMuch(assumed)]);
        let just_fits = need(Api::Elements, 10.0);
        assert_eq!(forecast.judge(&[just_fits]), [News::FitsAgain(just_fits)]);
        assert!(
            assumed
                .to_string()
                .ends_with("; this assumes 1000 users in each of 3 listings that were never read")
        );
    }

    #[test]
    fn another_limit_that_is_too_low_is_said_again() {
        let mut forecast = Forecast::default();
        let short = need(Api::Elements, 30.0);
        assert_eq!(forecast.judge(&[short]), [News::TooMuch(short)]);
        let raised = Need {
            limit: RateLimit {
                requests_per_second: 20.0,
                ..LIMIT
            },
            ..short
        };
        assert_eq!(forecast.judge(&[raised]), [News::TooMuch(raised)]);
        assert_eq!(forecast.judge(&[raised]), []);
    }

    #[test]
    fn each_api_is_judged_for_itself_and_forgotten_when_it_is_asked_no_more() {
        let mut forecast = Forecast::default();
        let fits = need(Api::Elements, 1.0);
        let short = need(Api::PartnerCenter, 11.0);
        assert_eq!(forecast.judge(&[fits, short]), [News::TooMuch(short)]);
        assert_eq!(forecast.judge(&[fits]), []);
        assert_eq!(forecast.judge(&[fits, short]), [News::TooMuch(short)]);
    }

    #[test]
    fn the_log_says_what_bounds_it_and_what_to_change() {
        assert_eq!(
            need(Api::Elements, 25.01).to_string(),
            "elements needs 25.01 requests/s, 10.00 are available, limited by the configured rate; raise \
             elements.rate_limit.requests_per_second if the API allows it, or lengthen the collectors' intervals by a \
             factor of 2.6"
        );
        let slow = Need {
            capacity: Capacity {
                by_rate: 10.0,
                by_concurrency: 4.0,
            },
            ..need(Api::PartnerCenter, 6.0)
        };
        assert_eq!(
            slow.to_string(),
            "partner_center needs 6.00 requests/s, 4.00 are available, limited by 8 concurrent requests of 2.00 s on \
             average; raise partner_center.rate_limit.max_concurrent_requests, or lengthen the collectors' intervals by \
             a factor of 1.5"
        );
    }
}
