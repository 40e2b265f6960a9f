//! Answers as HTTP has them: statuses, types and encodings. Knows nothing of the requests.

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, VARY,
};
use http::{Response, StatusCode};

use super::parts::Parts;

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Parts> {
    respond(status, TEXT, Bytes::from_static(text.as_bytes()))
}

/// A page for people. `content` is HTML.
pub(super) fn html(title: &str, content: &str) -> Response<Parts> {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{content}</body>\n</html>\n"
    );
    respond(StatusCode::OK, HTML, page)
}

pub(super) fn respond(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Parts> {
    let mut response = Response::new(Parts::new(body.into()));
    *response.status_mut() = status;
    with_header(response, CONTENT_TYPE, content_type)
}

/// An answer that comes compressed to those who accept that.
pub(super) fn encoded(body: Parts, content_type: HeaderValue, gzip: bool) -> Response<Parts> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

pub(super) fn moved(to: HeaderValue) -> Response<Parts> {
    let why = "add a slash at the end of the path\n";
    with_header(text(StatusCode::PERMANENT_REDIRECT, why), LOCATION, to)
}

pub(super) fn not_allowed(allowed: &'static str, why: &'static str) -> Response<Parts> {
    let allowed = HeaderValue::from_static(allowed);
    with_header(text(StatusCode::METHOD_NOT_ALLOWED, why), ALLOW, allowed)
}

pub(super) fn too_many() -> Response<Parts> {
    let why = "too many concurrent scrapes; see --web.max-requests\n";
    let response = text(StatusCode::SERVICE_UNAVAILABLE, why);
    with_header(response, RETRY_AFTER, HeaderValue::from_static("1"))
}

/// The answer with one more header.
pub(super) fn with_header(
    mut response: Response<Parts>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<Parts> {
    response.headers_mut().insert(name, value);
    response
}
