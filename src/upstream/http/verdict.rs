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
        429 => Err(Fault::Throttled { retry_after }),
        status @ 500..600 => Err(Fault::Unavailable {
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
                429 | 500 | 502 | 503 | 504 => Err(again),
                _ => Err(Failure::Final),
            };
            let read = verdict(Ok(Answer::of(status, "four")), |body| Ok(body.len()));
            let read = read.map(|answered| answered.value);
            assert_eq!(read.map_err(|failed| failed.failure), expected, "{status}");
        }
    }

    #[test]
    fn a_try_without_a_whole_answer_is_made_again_unless_it_would_meet_the_same() {
        let text = String::new;
        for (fault, expected) in [
            (Fault::Timeout, Failure::NoAnswer),
            (Fault::Connection(text()), Failure::NoAnswer),
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
