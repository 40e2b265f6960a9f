//! Reads the result of a try, of an API and of a token service alike: sorts an answer by its status.

use super::fault::Fault;
use super::json::{JsonError, repaired};
use super::request_id::RequestId;
use super::transport::{Answer, NoAnswer};
use super::tries::Failed;

/// A request's success.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    /// The contents of the body; `None` for a 204.
    pub(crate) value: Option<T>,
    pub(crate) request_id: Option<RequestId>,
}

/// Reads the result of a try. `decode` reads the body of a 200.
pub(crate) fn verdict<T>(
    answer: Result<Answer, NoAnswer>,
    decode: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Result<Answered<T>, Failed<Fault>> {
    let (request_id, read) = match answer {
        Ok(mut answer) => (answer.request_id.take(), read(answer, decode)),
        Err(NoAnswer { fault, request_id }) => (request_id, Err(fault)),
    };
    match read {
        Ok(value) => Ok(Answered { value, request_id }),
        Err(fault) => Err(Failed {
            failure: fault.failure(),
            problem: fault,
            request_id,
        }),
    }
}

fn read<T>(
    answer: Answer,
    decode: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Result<Option<T>, Fault> {
    let Answer {
        retry_after, body, ..
    } = answer;
    match answer.status.as_u16() {
        200 => decode(&body)
            // Only where it is of use, since it costs a copy.
            .or_else(|error| repaired(&body).map_or(Err(error), |body| decode(&body)))
            .map(Some)
            .map_err(Fault::Unreadable),
        204 => Ok(None),
        status @ 429 => Err(Fault::Throttled {
            status,
            retry_after,
        }),
        // A refusal for good names no time to come back.
        status @ 403 if retry_after.is_some() => Err(Fault::Throttled {
            status,
            retry_after,
        }),
        status @ (408 | 425 | 500..600) => Err(Fault::Unavailable {
            status,
            retry_after,
        }),
        status @ 300..400 => Err(Fault::Redirect(status)),
        status => Err(Fault::Status(status, body)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upstream::http::retry::Failure;

    #[test]
    fn only_a_200_is_decoded_and_only_what_may_pass_is_tried_again() {
        let again = Failure::Transient {
            retry_after: Some(Duration::from_secs(7)),
        };
        for status in 100..1000 {
            let expected = match status {
                200 => Ok(Some(4)),
                204 => Ok(None),
                403 | 408 | 425 | 429 | 500 | 502..=504 | 509 | 520..=529 => Err(again),
                _ => Err(Failure::Final),
            };
            assert_eq!(read_of(Answer::of(status, "four")), expected, "{status}");
        }
    }

    /// What is read of an answer whose body is decoded as its length.
    fn read_of(answer: Answer) -> Result<Option<usize>, Failure> {
        let read = verdict(Ok(answer), |body| Ok(body.len()));
        read.map(|answered| answered.value)
            .map_err(|failed| failed.failure)
    }

    #[test]
    fn without_a_time_to_come_back_a_403_is_final_and_all_else_that_passes_is_tried_again() {
        let again = Failure::Transient { retry_after: None };
        for (status, expected) in [
            (403, Failure::Final),
            (408, again),
            (429, again),
            (503, again),
            (529, again),
        ] {
            let answer = Answer {
                retry_after: None,
                ..Answer::of(status, "")
            };
            assert_eq!(read_of(answer), Err(expected), "{status}");
        }
    }

    #[test]
    fn a_try_without_a_whole_answer_is_made_again_unless_it_would_meet_the_same() {
        let text = String::new;
        for (fault, expected) in [
            (Fault::Timeout(String::new()), Failure::NoAnswer),
            (Fault::connection(text()), Failure::NoAnswer),
            (Fault::TooLarge { max_bytes: 5 }, Failure::Final),
        ] {
            let failed = verdict(Err(NoAnswer::of(fault)), |_| Ok(())).unwrap_err();
            assert_eq!(failed.failure, expected);
        }
        for (error, expected) in [
            (JsonError::Truncated(text()), Failure::CutBody),
            (JsonError::TooMuch(text()), Failure::Final),
            (JsonError::Unexpected(text()), Failure::Final),
        ] {
            let decoded = |_: &[u8]| Err::<(), _>(error.clone());
            let failed = verdict(Ok(Answer::of(200, "")), decoded).unwrap_err();
            assert_eq!(failed.failure, expected);
            let unread = NoAnswer::of(Fault::Unreadable(error));
            let failed = verdict(Err(unread), |_| Ok(())).unwrap_err();
            assert_eq!(failed.failure, expected);
        }
    }
}
