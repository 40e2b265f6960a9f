//! The faults that leave nothing of the right answer. Knows HTTP; knows nothing of pages.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use http::header::{self, HeaderValue};
use http::request::Parts;

use super::answer::refused;
use super::body::AnswerBody;
use super::faults::{Fault, Listing};
use super::form::{Form, Refusal};
use super::reply::{Answer, REQUEST_ID, error, json, later, sent, set};
use super::server::Upstream;
use super::target::Target;

const HTML: &str = "<!DOCTYPE html><title>Maintenance</title><p>We will be back soon.";

/// Whether a token is asked for that allows to list the protected users.
fn asks_for_protected_users(form: &[u8]) -> bool {
    let permission = Listing::Protected.permission();
    let form = Form::read(form);
    form.field("scope")
        .is_ok_and(|scope| scope.split(' ').any(|one| Some(one) == permission))
}

impl Upstream {
    /// The answer of the first fault that leaves nothing of the right one.
    pub(super) fn refusal(
        &self,
        strikes: &[Fault],
        target: &Target,
        parts: &Parts,
        body: &[u8],
    ) -> Option<Answer> {
        let wait = self.options.retry_after.as_secs();
        let throttled = |wait: &str| later(StatusCode::TOO_MANY_REQUESTS, wait);
        strikes.iter().find_map(|fault| {
            Some(match fault {
                Fault::Throttle => throttled(&wait.to_string()),
                Fault::ThrottleFraction => throttled(&format!("{wait}.128")),
                Fault::ThrottleList => {
                    let mut answer = throttled("0");
                    let list = HeaderValue::try_from(format!("0, {wait}s")).ok();
                    answer
                        .headers_mut()
                        .extend(list.map(|list| (header::RETRY_AFTER, list)));
                    answer
                }
                Fault::ThrottleForbidden => later(StatusCode::FORBIDDEN, &wait.to_string()),
                Fault::RequestTimeout => later(StatusCode::REQUEST_TIMEOUT, &wait.to_string()),
                Fault::Overloaded => {
                    let status =
                        StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                    later(status, &wait.to_string())
                }
                Fault::TokenBusy => refused(Refusal::TEMPORARILY_UNAVAILABLE).answer(),
                Fault::TokenSlowDown => refused(Refusal::SLOW_DOWN).answer(),
                Fault::RefusedScope if asks_for_protected_users(body) => {
                    refused(Refusal::INVALID_SCOPE).answer()
                }
                Fault::ThrottleDate => {
                    let until = self.options.clock.now().after(self.options.retry_after);
                    // An HTTP date has whole seconds; rounding up keeps it from being over at once.
                    let whole_second = Duration::from_secs(until.since_unix().as_secs() + 1);
                    throttled(&httpdate::fmt_http_date(UNIX_EPOCH + whole_second))
                }
                Fault::Unavailable => error(StatusCode::SERVICE_UNAVAILABLE, "try again later"),
                Fault::InternalError => error(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
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
                Fault::EmptyRows => {
                    let body = AnswerBody::empty_rows(target.listing.is_partner());
                    json(StatusCode::OK, body)
                }
                Fault::Oversized => json(StatusCode::OK, AnswerBody::oversized()),
                Fault::GzipBomb => {
                    let mut answer = json(StatusCode::OK, AnswerBody::gzip_bomb());
                    set(&mut answer, header::CONTENT_ENCODING, "gzip");
                    answer
                }
                Fault::SecretEcho => self.secret_echo(target, parts, body),
                _ => return None,
            })
        })
    }

    /// Says in the body and in the request's id what a client must not log: the token or the form that
    /// was sent, and what is somebody's.
    fn secret_echo(&self, target: &Target, parts: &Parts, body: &[u8]) -> Answer {
        let form = target
            .listing
            .is_token()
            .then(|| String::from_utf8_lossy(body));
        let token = sent(parts, &header::AUTHORIZATION).unwrap_or("");
        let world = self.world();
        let personal = match target.tenant.and_then(|tenant| world.tenant(tenant)) {
            Some(tenant) if target.listing.is_partner() => {
                let user = tenant.endless_partner_user(0, 0);
                user.map(|user| format!("{:?} {:?}", user.user_principal_name, user.password))
            }
            Some(tenant) => tenant
                .security_users(0)
                .next()
                .and_then(|user| user.mail.clone().or(user.user_principal_name.clone())),
            None => {
                let customer = world.customers().first();
                customer.and_then(|customer| customer.owner_email.clone())
            }
        };
        let text = format!(
            "{token}{} {}",
            form.unwrap_or_default(),
            personal.unwrap_or_default()
        );
        let mut answer = error(StatusCode::BAD_REQUEST, &text);
        set(&mut answer, REQUEST_ID, &text);
        answer
    }
}
