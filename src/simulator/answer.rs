//! Answers a request: checks it as the real service would, and lets faults strike. Knows HTTP; knows
//! nothing of sockets and leaves the JSON of pages to `page` and `partner_page`.

use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderName};
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::domain::{TenantId, Timestamp};

use super::ask::{Ask, VIA_LINK};
use super::body::AnswerBody;
use super::faults::{Fault, Listing};
use super::form::Refusal;
use super::grants::{Grant, Grants};
use super::listed::Listed;
use super::page;
use super::partner_page::{FOREIGN_HEADER, PartnerAsk};
use super::reply::{
    Answer, FORM, JSON, REQUEST_ID, Refused, error, gzip, has_type, json, no_content, sent, set,
};
use super::server::Upstream;
use super::stats::{Moment, NO_TENANT, PartnerRequest, STATS_PATH};
use super::target::Target;

/// Bodies of requests are bounded.
const REQUEST_BYTES: usize = 1 << 20;
const MS_REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
const MS_CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlationid");
const VALIDATE_MFA: HeaderName = HeaderName::from_static("validatemfa");
const IS_MFA_COMPLIANT: HeaderName = HeaderName::from_static("ismfacompliant");
const MS_CONTINUATION_TOKEN: HeaderName = HeaderName::from_static("ms-continuationtoken");

/// How wrong a date is that is wrong.
const AHEAD: Duration = Duration::from_hours(5);

fn set_date(answer: &mut Answer, date: Timestamp) {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + date.since_unix());
    set(answer, header::DATE, &date);
}

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
        if !answer.headers().contains_key(header::DATE) {
            set_date(&mut answer, self.options.clock.now());
        }
        answer
    }

    async fn route(&self, parts: &Parts, body: &Bytes) -> Answer {
        if parts.uri.path() == STATS_PATH {
            let text = self.stats().as_json();
            return json(StatusCode::OK, AnswerBody::Whole(text.into()));
        }
        if let Some(answer) = self.rise(parts) {
            return answer;
        }
        let query = parts.uri.query().unwrap_or("");
        let Some(target) = Target::read(parts.uri.path(), query) else {
            return error(StatusCode::NOT_FOUND, "there is nothing here");
        };
        let strikes = self.strikes(&target);
        let _in_flight = self.arrived(parts, &target);
        if !self.options.latency.is_zero() {
            tokio::time::sleep(self.options.latency).await;
        }
        if strikes.contains(&Fault::Hang) {
            std::future::pending::<()>().await;
        }
        if let Some(answer) = self.refusal(&strikes, &target, parts, body) {
            return answer;
        }
        let method = target.method();
        if parts.method != method {
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "the method is wrong");
            set(&mut answer, header::ALLOW, method.as_str());
            return answer;
        }
        let answer = match target.listing {
            Listing::Token => self.token(parts, body, &strikes),
            Listing::PartnerToken => self.partner_token(parts, body, &strikes),
            Listing::Partner | Listing::DeletedPartner => {
                self.partner_listing(parts, &target, &strikes)
            }
            _ => self.listing(parts, body, &target, &strikes),
        };
        let mut answer = answer.unwrap_or_else(Refused::answer);
        if strikes.contains(&Fault::WrongDate) {
            set_date(&mut answer, self.options.clock.now().after(AHEAD));
        }
        answer
    }

    /// Counts a request; it is in flight until what is returned is dropped.
    fn arrived(&self, parts: &Parts, target: &Target) -> Option<InFlight<'_>> {
        let mut stats = self.stats();
        match target.listing {
            Listing::Token => stats.token_requests += 1,
            Listing::PartnerToken => stats.partner_token_requests += 1,
            _ => {}
        }
        if target.listing.is_token() {
            return None;
        }
        let (listing, tenant) = (target.listing, target.tenant.unwrap_or(NO_TENANT));
        *stats.requests.entry((listing, tenant)).or_default() += 1;
        let query = parts.uri.query().unwrap_or("");
        let by_link = query.contains(VIA_LINK) || query.contains("seekOperation=");
        stats.links_followed += u64::from(by_link);
        stats.in_flight += 1;
        stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
        stats.log(Moment::Arrived, listing, tenant);
        if listing.is_partner() {
            stats.foreign_headers += u64::from(parts.headers.contains_key(FOREIGN_HEADER));
            stats.log_partner(PartnerRequest {
                listing,
                tenant,
                request_id: sent(parts, &MS_REQUEST_ID).map(str::to_owned),
                correlation_id: sent(parts, &MS_CORRELATION_ID).map(str::to_owned),
            });
        }
        Some(InFlight(self, listing, tenant))
    }

    /// The faults that strike at this request.
    fn strikes(&self, target: &Target) -> Vec<Fault> {
        let mut strikes = Vec::new();
        if self.is_calm() {
            return strikes;
        }
        for (rule, seen) in self.options.rules.iter().zip(&self.seen) {
            if rule.matches(target.listing, target.tenant)
                && rule.when.strikes(seen.fetch_add(1, Ordering::Relaxed))
            {
                strikes.push(rule.fault);
                *self.stats().struck.entry(rule.fault).or_default() += 1;
            }
        }
        strikes
    }

    fn token(&self, parts: &Parts, form: &[u8], strikes: &[Fault]) -> Result<Answer, Refused> {
        let form = if has_type(parts, FORM) { form } else { b"" };
        let (here, now) = (self.link(parts, false), self.options.clock.now());
        let grant = self.identity.give(form, &here, now).map_err(refused)?;
        let lifetime = self.options.token_lifetime.as_secs();
        let text = format!(
            r#"{{"access_token":"{}","expires_in":{lifetime},"token_type":"Bearer","scope":"{}"}}"#,
            grant.token, grant.scope
        );
        Ok(self.send(text.into_bytes(), parts, strikes))
    }

    fn partner_token(
        &self,
        parts: &Parts,
        form: &[u8],
        strikes: &[Fault],
    ) -> Result<Answer, Refused> {
        let form = if has_type(parts, FORM) { form } else { b"" };
        let (here, now) = (self.link(parts, false), self.options.clock.now());
        if strikes.contains(&Fault::RevokeRefresh) {
            return Err(refused(Refusal::INVALID_GRANT));
        }
        let strict = strikes.contains(&Fault::StrictRefresh);
        let given = self.partner_identity.refresh(form, &here, now, strict);
        let (grant, refresh_token) = given.map_err(refused)?;
        self.stats().refreshes += 1;
        let lifetime = self.options.token_lifetime.as_secs();
        let text = format!(
            r#"{{"token_type":"Bearer","scope":"{}","expires_in":{lifetime},"ext_expires_in":{lifetime},"access_token":"{}","refresh_token":"{refresh_token}"}}"#,
            grant.scope, grant.token
        );
        Ok(self.send(text.into_bytes(), parts, strikes))
    }

    /// The page of AvePoint that is asked for.
    fn listing(
        &self,
        parts: &Parts,
        body: &[u8],
        target: &Target,
        strikes: &[Fault],
    ) -> Result<Answer, Refused> {
        let grant = self.grant(&self.identity.grants, parts, strikes)?;
        if let Some(permission) = target.listing.permission()
            && !grant.allows(permission)
        {
            let text = format!("the app lacks the permission {permission}");
            return Err(Refused::new(StatusCode::FORBIDDEN, &text));
        }
        let world = self.world();
        let listed = match (target.customer, target.tenant) {
            (Some(customer), Some(tenant)) => Listed::Users {
                listing: target.listing,
                tenant: world.tenant_of(customer, tenant).ok_or_else(unknown)?,
                tick: self.tick(),
            },
            _ => Listed::Customers(world.customers()),
        };
        if parts.method == http::Method::POST && !has_type(parts, JSON) {
            return Err(bad("the body is not JSON"));
        }
        let query = parts.uri.query().unwrap_or("");
        let ask = Ask::read(target.listing, query, body).map_err(bad)?;
        let link = |foreign| self.link(parts, foreign);
        let page = page::write(&ask, listed, strikes, self.options.page_limit, link);
        Ok(page.map_or_else(no_content, |json| self.send(json, parts, strikes)))
    }

    /// The page of Partner Center that is asked for.
    fn partner_listing(
        &self,
        parts: &Parts,
        target: &Target,
        strikes: &[Fault],
    ) -> Result<Answer, Refused> {
        self.grant(&self.partner_identity.grants, parts, strikes)?;
        for name in [MS_REQUEST_ID, MS_CORRELATION_ID] {
            if !sent(parts, &name).is_some_and(is_guid) {
                return Err(bad(&format!("{name} is not a GUID")));
            }
        }
        let id = target.tenant.ok_or_else(unknown)?;
        let world = self.world();
        let listed = Listed::Users {
            listing: target.listing,
            tenant: world.tenant(id).ok_or_else(unknown)?,
            tick: self.tick(),
        };
        let token = sent(parts, &MS_CONTINUATION_TOKEN);
        let query = parts.uri.query().unwrap_or("");
        let ask = PartnerAsk::read(target.listing, id, query, token).map_err(bad)?;
        let (limit, origin) = (
            self.options.partner_page_limit,
            &self.options.foreign_origin,
        );
        let page = ask.write(listed, strikes, limit, origin);
        let mut answer = page.map_or_else(no_content, |json| self.send(json, parts, strikes));
        for name in [MS_REQUEST_ID, MS_CORRELATION_ID] {
            let value = sent(parts, &name).unwrap_or_default();
            set(&mut answer, name, value);
        }
        if sent(parts, &VALIDATE_MFA) == Some("true") {
            let is_compliant = !strikes.contains(&Fault::MfaNotCompliant);
            set(&mut answer, IS_MFA_COMPLIANT, &is_compliant.to_string());
        }
        Ok(answer)
    }

    /// What was given with the token of a request, or a 401.
    fn grant(&self, grants: &Grants, parts: &Parts, strikes: &[Fault]) -> Result<Grant, Refused> {
        if strikes.contains(&Fault::ExpireTokens) {
            grants.revoke_all();
        }
        let value = sent(parts, &header::AUTHORIZATION);
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        token.and_then(|token| grants.check(token)).ok_or_else(|| {
            self.stats().unauthorized += 1;
            let text = "the token is missing or has expired";
            Refused::new(StatusCode::UNAUTHORIZED, text)
        })
    }

    /// The address of the request, here or at the foreign origin, without its query.
    fn link(&self, parts: &Parts, foreign: bool) -> String {
        let path = parts.uri.path();
        if foreign {
            return format!("{}{path}", self.options.foreign_origin);
        }
        format!("http://{}{path}", sent(parts, &header::HOST).unwrap_or(""))
    }

    /// Sends JSON, less what faults break of it.
    fn send(&self, mut bytes: Vec<u8>, parts: &Parts, strikes: &[Fault]) -> Answer {
        if strikes.contains(&Fault::Bom) && !bytes.starts_with(BOM) {
            bytes.splice(..0, *BOM);
        }
        if strikes.contains(&Fault::Truncate) {
            bytes.truncate(bytes.len() / 2);
        }
        let accepted = sent(parts, &header::ACCEPT_ENCODING).unwrap_or("");
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

/// The byte order mark of UTF-8.
const BOM: &[u8; 3] = b"\xEF\xBB\xBF";

fn bad(text: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, text)
}

/// Whether a text is that of a GUID, as a tenant's id is.
fn is_guid(text: &str) -> bool {
    text.parse::<TenantId>().is_ok()
}

fn unknown() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "no such customer or tenant")
}

/// The answer of a token service that gives no token.
pub(super) fn refused(refusal: Refusal) -> Refused {
    let Refusal { status, name, text } = refusal;
    let body = format!(r#"{{"error":"{name}","error_description":"{text}"}}"#);
    Refused { status, body }
}

/// A request that is being answered.
struct InFlight<'a>(&'a Upstream, Listing, TenantId);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut stats = self.0.stats();
        stats.in_flight -= 1;
        stats.log(Moment::Ended, self.1, self.2);
    }
}
