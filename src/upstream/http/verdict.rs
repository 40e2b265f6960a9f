//! Reads the result of a try, of an API and of a token service alike: sorts an answer by its status.

use super::fault::Fault;
use super::json::JsonError;
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
    decode: impl FnOnce(&[u8]) -> Result<T, JsonError>,
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
    decode: impl FnOnce(&[u8]) -> Result<T, JsonError>,
) -> Result<Option<T>, Fault> {
    let Answer {
        retry_after, body, ..
    } = answer;
    match answer.status.as_u16() {
        200 => decode(&body).map(Some).map_err(Fault::Unreadable),
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
