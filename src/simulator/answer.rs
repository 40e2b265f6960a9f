//! Answers a request: checks it as the real service would, and lets faults strike. Knows HTTP; knows
//! nothing of sockets and leaves the JSON of pages to `page`.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::domain::TenantId;

use super::body::AnswerBody;
use super::faults::{Fault, Listing};
use super::identity::{Grant, Refusal};
use super::page::{Ask, Page, Target, VIA_LINK};
use super::server::{Moment, Stats, Upstream};

/// Bodies of requests are bounded.
const REQUEST_BYTES: usize = 1 << 20;
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const HTML: &str = "<!DOCTYPE html><title>Maintenance</title><p>We will be back soon.";

type Answer = Response<AnswerBody>;

impl Upstream {
    /// The answer to a request.
    pub(super) async fn answer(&self, request: http::Request<Incoming>) -> Answer {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES).collect().await;
        let mut answer = match body {
            Ok(body) => self.route(&parts, &body.to_bytes()).await,
            Err(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        };
        if !answer.headers().contains_key(REQUEST_ID) {
            let id = format!("5151a7ed-0000-4000-8000-{number:012x}");
            set(&mut answer, REQUEST_ID, &id);
        }
        answer
    }

    async fn route(&self, parts: &Parts, body: &Bytes) -> Answer {
        let path = parts.uri.path();
        let (listing, target, method) = if path == "/connect/token" {
            (Listing::Token, None, Method::POST)
        } else if let Some(target) = Target::from_path(path) {
            let method = match target.listing {
                Listing::Security => Method::GET,
                Listing::Protected | Listing::Token => Method::POST,
            };
            (target.listing, Some(target), method)
        } else {
            return error(StatusCode::NOT_FOUND, "there is nothing here");
        };
        let strikes = self.strikes(listing, target.map(|target| target.tenant));
        let _in_flight = self.arrived(parts, target);
        if !self.options.latency.is_zero() {
            tokio::time::sleep(self.options.latency).await;
        }
        if strikes.contains(&Fault::Hang) {
            std::future::pending::<()>().await;
        }
        if let Some(answer) = self.refusal(&strikes, parts) {
            return answer;
        }
        if parts.method != method {
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "the method is wrong");
            set(&mut answer, header::ALLOW, method.as_str());
            return answer;
        }
        match target {
            None => self.token(parts, body, &strikes),
            Some(target) => self.listing(parts, body, target, &strikes),
        }
    }

    /// Counts a request; it is in flight until what is returned is dropped.
    fn arrived(&self, parts: &Parts, target: Option<Target>) -> Option<InFlight<'_>> {
        let mut stats = self.stats();
        let Some(target) = target else {
            stats.token_requests += 1;
            return None;
        };
        let key = (target.listing, target.tenant);
        *stats.requests.entry(key).or_default() += 1;
        stats.links_followed += u64::from(parts.uri.query().is_some_and(|q| q.contains(VIA_LINK)));
        stats.in_flight += 1;
        stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
        stats.log(Moment::Arrived, target.listing, target.tenant);
        Some(InFlight(&self.stats, target))
    }

    /// The faults that strike at this request.
    fn strikes(&self, listing: Listing, tenant: Option<TenantId>) -> Vec<Fault> {
        let mut strikes = Vec::new();
        for (rule, seen) in self.options.rules.iter().zip(&self.seen) {
            if rule.when.matches(listing, tenant)
                && rule.when.strikes(seen.fetch_add(1, Ordering::Relaxed))
            {
                strikes.push(rule.fault);
                *self.stats().struck.entry(rule.fault).or_default() += 1;
            }
        }
        strikes
    }

    /// The answer of the first fault that leaves nothing of the right one.
    fn refusal(&self, strikes: &[Fault], parts: &Parts) -> Option<Answer> {
        strikes.iter().find_map(|fault| {
            Some(match fault {
                Fault::Throttle => throttled(&self.options.retry_after.as_secs().to_string()),
                Fault::ThrottleDate => {
                    let until = self.options.clock.now().after(self.options.retry_after);
                    // An HTTP date has whole seconds; rounding up keeps it from being over at once.
                    let whole_second = Duration::from_secs(until.since_unix().as_secs() + 1);
                    throttled(&httpdate::fmt_http_date(UNIX_EPOCH + whole_second))
                }
                Fault::Unavailable => error(StatusCode::SERVICE_UNAVAILABLE, "try again later"),
                Fault::InternalError => error(StatusCode::INTERNAL_SERVER_ERROR, "a fault of ours"),
                Fault::BadGateway => error(StatusCode::BAD_GATEWAY, "nobody there"),
                Fault::GatewayTimeout => error(StatusCode::GATEWAY_TIMEOUT, "nobody answers"),
                Fault::Unauthorized => error(StatusCode::UNAUTHORIZED, "not with this token"),
                Fault::Forbidden => error(StatusCode::FORBIDDEN, "out of the app's scope"),
                Fault::NotFound => error(StatusCode::NOT_FOUND, "no such customer or tenant"),
                Fault::BadRequest => error(StatusCode::BAD_REQUEST, "a parameter is wrong"),
                Fault::Redirect => {
                    let mut answer = error(StatusCode::FOUND, "moved");
                    let place = format!("{}{}", self.options.foreign_origin, parts.uri);
                    set(&mut answer, header::LOCATION, &place);
                    answer
                }
                Fault::NotJson => {
                    let mut answer = Answer::new(AnswerBody::Whole(HTML.into()));
                    set(&mut answer, header::CONTENT_TYPE, "text/html");
                    answer
                }
                Fault::EmptyRows => json(StatusCode::OK, AnswerBody::empty_rows()),
                Fault::Oversized => json(StatusCode::OK, AnswerBody::oversized()),
                Fault::GzipBomb => {
                    let mut answer = json(StatusCode::OK, AnswerBody::gzip_bomb());
                    set(&mut answer, header::CONTENT_ENCODING, "gzip");
                    answer
                }
                Fault::SecretEcho => self.secret_echo(parts),
                _ => return None,
            })
        })
    }

    /// Says in the body and in the request's id what a client must not log.
    fn secret_echo(&self, parts: &Parts) -> Answer {
        let sent = parts.headers.get(header::AUTHORIZATION);
        let sent = sent.and_then(|value| value.to_str().ok()).unwrap_or("");
        let target = Target::from_path(parts.uri.path());
        let tenant = target.and_then(|target| self.options.world.tenant(target.tenant));
        let user = tenant.and_then(|tenant| tenant.security_user(0, 0));
        let mail = user.and_then(|user| user.mail.clone().or(user.user_principal_name.clone()));
        let text = format!("{sent} {}", mail.unwrap_or_default());
        let mut answer = error(StatusCode::BAD_REQUEST, &text);
        set(&mut answer, REQUEST_ID, &text);
        answer
    }

    fn token(&self, parts: &Parts, form: &[u8], strikes: &[Fault]) -> Answer {
        let form = if has_type(parts, FORM) { form } else { b"" };
        let grant = match self.identity.give(form) {
            Ok(grant) => grant,
            Err(Refusal(status, name)) => {
                let body = format!(r#"{{"error":"{name}"}}"#);
                return json(status, AnswerBody::Whole(body.into()));
            }
        };
        let lifetime = self.options.token_lifetime.as_secs();
        let text = format!(
            r#"{{"access_token":"{}","expires_in":{lifetime},"token_type":"Bearer","scope":"{}"}}"#,
            grant.token, grant.scope
        );
        self.send(text.into_bytes(), parts, strikes)
    }

    /// The page that is asked for.
    fn listing(&self, parts: &Parts, body: &[u8], target: Target, strikes: &[Fault]) -> Answer {
        if strikes.contains(&Fault::ExpireTokens) {
            self.identity.revoke_all();
        }
        let Some(grant) = self.grant(parts) else {
            self.stats().unauthorized += 1;
            let text = "the token is missing or has expired";
            return error(StatusCode::UNAUTHORIZED, text);
        };
        let permission = match target.listing {
            Listing::Protected => "elements.cbprotected.read.all",
            Listing::Security | Listing::Token => "elements.um.user.read.all",
        };
        if !grant.allows(permission) {
            let text = format!("the app lacks the permission {permission}");
            return error(StatusCode::FORBIDDEN, &text);
        }
        let tenant = self.options.world.tenant(target.tenant);
        let Some(tenant) = tenant.filter(|tenant| tenant.customer_id == target.customer) else {
            return error(StatusCode::NOT_FOUND, "no such customer or tenant");
        };
        if target.listing == Listing::Protected && !has_type(parts, JSON) {
            return error(StatusCode::BAD_REQUEST, "the body is not JSON");
        }
        let query = parts.uri.query().unwrap_or("");
        let ask = match Ask::read(target.listing, query, body) {
            Ok(ask) => ask,
            Err(text) => return error(StatusCode::BAD_REQUEST, text),
        };
        let page = Page {
            tenant,
            tick: self.tick(),
            listing: target.listing,
            ask: &ask,
            strikes,
            limit: self.options.page_limit,
            link: &|foreign| self.link(parts, foreign),
        };
        if let Some(json) = page.write() {
            return self.send(json, parts, strikes);
        }
        let mut answer = Answer::new(AnswerBody::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
    }

    fn grant(&self, parts: &Parts) -> Option<Grant> {
        let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        self.identity.check(value.strip_prefix("Bearer ")?)
    }

    /// The address of the request, here or at the foreign origin, without its query.
    fn link(&self, parts: &Parts, foreign: bool) -> String {
        let path = parts.uri.path();
        if foreign {
            return format!("{}{path}", self.options.foreign_origin);
        }
        let host = parts.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or("");
        format!("http://{host}{path}")
    }

    /// Sends JSON, less what faults break of it.
    fn send(&self, mut bytes: Vec<u8>, parts: &Parts, strikes: &[Fault]) -> Answer {
        if strikes.contains(&Fault::Bom) {
            bytes.splice(..0, *b"\xEF\xBB\xBF");
        }
        if strikes.contains(&Fault::Truncate) {
            bytes.truncate(bytes.len() / 2);
        }
        let accepted = parts.headers.get(header::ACCEPT_ENCODING);
        let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or("");
        let zipped = (self.options.gzip && accepted.contains("gzip")).then(|| gzip(&bytes));
        let is_zipped = zipped.is_some();
        let bytes = Bytes::from(zipped.unwrap_or(bytes));
        let body = if strikes.contains(&Fault::Cut) {
            AnswerBody::cut(bytes)
        } else if strikes.contains(&Fault::Slow) {
            AnswerBody::slow(bytes)
        } else {
            AnswerBody::Whole(bytes)
        };
        let mut answer = json(StatusCode::OK, body);
        if is_zipped {
            set(&mut answer, header::CONTENT_ENCODING, "gzip");
        }
        answer
    }
}

fn throttled(retry_after: &str) -> Answer {
    let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    set(&mut answer, header::RETRY_AFTER, retry_after);
    answer
}

/// A request that is being answered.
struct InFlight<'a>(&'a Mutex<Stats>, Target);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut stats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stats.in_flight -= 1;
        stats.log(Moment::Ended, self.1.listing, self.1.tenant);
    }
}

/// Whether the body of a request is said to be of this type.
fn has_type(parts: &Parts, media_type: &str) -> bool {
    let value = parts.headers.get(header::CONTENT_TYPE);
    value.is_some_and(|value| value.as_bytes().starts_with(media_type.as_bytes()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    encoder.write_all(bytes).unwrap_or_default();
    encoder.finish().unwrap_or_default()
}

fn json(status: StatusCode, body: AnswerBody) -> Answer {
    let mut answer = Answer::new(body);
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

fn error(status: StatusCode, message: &str) -> Answer {
    let message = serde_json::to_string(message).unwrap_or_default();
    let body = format!(r#"{{"code":{},"message":{message}}}"#, status.as_u16());
    json(status, AnswerBody::Whole(body.into()))
}

/// Sets a header; a value that cannot stand in one is left out.
fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
