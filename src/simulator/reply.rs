//! Answers as HTTP has them: statuses, headers and bodies. Knows nothing of what is asked.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

use super::body::AnswerBody;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

pub(super) type Answer = Response<AnswerBody>;

pub(super) fn json(status: StatusCode, body: AnswerBody) -> Answer {
    let mut answer = Answer::new(body);
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

/// Why a request is not answered as it wishes.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// The answer's JSON.
    pub(super) body: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        let message = serde_json::to_string(message).unwrap_or_default();
        let body = format!(r#"{{"code":{},"message":{message}}}"#, status.as_u16());
        Self { status, body }
    }

    pub(super) fn answer(self) -> Answer {
        json(self.status, AnswerBody::Whole(self.body.into()))
    }
}

pub(super) fn error(status: StatusCode, message: &str) -> Answer {
    Refused::new(status, message).answer()
}

pub(super) fn no_content() -> Answer {
    let mut answer = Answer::new(AnswerBody::Whole(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// This status, and when to come back.
pub(super) fn later(status: StatusCode, retry_after: &str) -> Answer {
    let mut answer = error(status, "come back later");
    set(&mut answer, header::RETRY_AFTER, retry_after);
    answer
}

/// Sets a header; a value that cannot stand in one is left out.
pub(super) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The value of a header of a request, if it is there and is text.
pub(super) fn sent<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

/// Whether the body of a request is said to be of this type.
pub(super) fn has_type(parts: &Parts, media_type: &str) -> bool {
    sent(parts, &header::CONTENT_TYPE).is_some_and(|value| value.starts_with(media_type))
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    encoder.write_all(bytes).unwrap_or_default();
    encoder.finish().unwrap_or_default()
}
