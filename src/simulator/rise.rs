//! A rise that is asked for while the service runs, so that somebody sees what comes of it: of users with high risk.

use http::request::Parts;
use http::{Method, StatusCode, header};

use crate::domain::TenantId;

use super::body::AnswerBody;
use super::reply::{Answer, Refused, error, json, set};
use super::server::Upstream;
use super::tenant::CannotRise;

/// Before the tenant's id; after it, `?users=` says how many.
const PATH: &str = "/simulator/high-risk/";

impl Upstream {
    /// The answer to who asks for a rise; nothing when something else is asked for.
    pub(super) fn rise(&self, parts: &Parts) -> Option<Answer> {
        let tenant = parts.uri.path().strip_prefix(PATH)?;
        if parts.method != Method::POST {
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed");
            set(&mut answer, header::ALLOW, "POST");
            return Some(answer);
        }
        let answer = self.raise(tenant, parts.uri.query().unwrap_or_default());
        Some(answer.unwrap_or_else(Refused::answer))
    }

    fn raise(&self, tenant: &str, query: &str) -> Result<Answer, Refused> {
        let bad = |text: &str| Refused::new(StatusCode::BAD_REQUEST, text);
        let id: TenantId = tenant
            .parse()
            .map_err(|_| bad("the path does not end with a tenant's id"))?;
        let users = url::form_urlencoded::parse(query.as_bytes())
            .find_map(|(key, value)| (key == "users").then_some(value))
            .and_then(|users| users.parse().ok())
            .ok_or_else(|| bad("missing parameter, for example ?users=5"))?;
        let now = self
            .change_world(|world, tick| world.raise_high_risk(id, tick, users))
            .map_err(|why| {
                let status = match why {
                    CannotRise::NoTenant(_) => StatusCode::NOT_FOUND,
                    CannotRise::Given | CannotRise::TooMany(_) => StatusCode::CONFLICT,
                };
                Refused::new(status, &why.to_string())
            })?;
        let text = serde_json::json!({ "tenant_id": id.to_string(), "high_risk_users": now });
        Ok(json(
            StatusCode::OK,
            AnswerBody::Whole(text.to_string().into()),
        ))
    }
}
