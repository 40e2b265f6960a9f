//! Answers as HTTP has them: statuses, types and encodings. Knows nothing of the requests.

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, VARY,
};
use http::{Response, StatusCode};

use super::parts::{Parts, Piece};

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
    let mut response = Response::new(Parts::new([Piece::Ready(body.into())]));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
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
    let mut response = text(
        StatusCode::PERMANENT_REDIRECT,
        "add a slash at the end of the path\n",
    );
    response.headers_mut().insert(LOCATION, to);
    response
}

pub(super) fn not_allowed(allowed: &'static str, why: &'static str) -> Response<Parts> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, why);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn too_many() -> Response<Parts> {
    let mut response = text(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many concurrent scrapes; see --web.max-requests\n",
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
