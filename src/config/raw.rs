//! The configuration as written: names and shapes of the keys, no meaning yet. Every key is optional here, so
//! that a missing one is reported together with all else that is wrong.
//!
//! Where a `String` stands, a number is taken as its text (`timeout: 30`) and refused later by what it means;
//! where [`Text`] stands, a number is refused here, since YAML reads `0012` or `1e3` as something else.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use url::Url;

use super::options::{self, Options};
use crate::domain::{Collector, Secret, collectors};

/// What is shown in place of a secret.
const HIDDEN: &str = "<secret>";

/// The whole file.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct File {
    pub(super) elements: Option<Elements>,
    pub(super) partner_center: Option<PartnerCenter>,
    pub(super) collectors: Option<Collectors>,
    pub(super) discovery: Option<Discovery>,
    #[serde(skip_serializing)]
    pub(super) tenants: Option<Vec<Tenant>>,
    pub(super) state_dir: Option<Text>,
}

/// `elements`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct Elements {
    pub(super) environment: Option<String>,
    pub(super) api_url: Option<String>,
    pub(super) token_url: Option<String>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret: Option<SecretText>,
    pub(super) client_secret_file: Option<Text>,
    /// Should be the name of a variable; people put the secret itself here.
    pub(super) client_secret_env: Option<SecretText>,
    pub(super) certificate: Option<Certificate>,
    pub(super) timeout: Option<String>,
    pub(super) connect_timeout: Option<String>,
    pub(super) retry_deadline: Option<String>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) limits: Option<Limits>,
    pub(super) ca_file: Option<Text>,
    /// May hold a password.
    #[serde(serialize_with = "hide_password")]
    pub(super) proxy_url: Option<SecretText>,
}

/// `certificate`, of each section with a credential.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct Certificate {
    pub(super) file: Option<Text>,
    pub(super) key_file: Option<Text>,
    pub(super) password_file: Option<Text>,
    /// Should be the name of a variable; people put the password itself here.
    pub(super) password_env: Option<SecretText>,
}

/// `partner_center`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct PartnerCenter {
    pub(super) tenant: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret: Option<SecretText>,
    pub(super) client_secret_file: Option<Text>,
    /// As above.
    pub(super) client_secret_env: Option<SecretText>,
    pub(super) certificate: Option<Certificate>,
    pub(super) refresh_token_file: Option<Text>,
    /// As above: people put the token itself here.
    pub(super) refresh_token_env: Option<SecretText>,
    pub(super) api_url: Option<String>,
    pub(super) token_url: Option<String>,
    pub(super) scope: Option<Text>,
    pub(super) rate_limit: Option<RateLimit>,
}

/// `rate_limit` of an API.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct RateLimit {
    pub(super) requests_per_second: Option<f64>,
    pub(super) burst: Option<f64>,
    pub(super) max_concurrent_requests: Option<f64>,
}

/// `elements.limits`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct Limits {
    pub(super) response_bytes: Option<String>,
    pub(super) rows: Option<f64>,
    pub(super) ignore_totals: Option<bool>,
}

/// The keys that the section of every collector has.
#[derive(Default)]
pub(super) struct Schedule<'a> {
    pub(super) enabled: Option<bool>,
    pub(super) interval: Option<&'a str>,
    pub(super) stale_after: Option<&'a str>,
}

macro_rules! sections {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        /// `collectors`, for all targets or for one tenant.
        #[derive(Default, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
        pub(super) struct Collectors {
            $(pub(super) $key: Option<<options::$options as Options>::Section>,)*
        }

        impl Collectors {
            /// When this collector polls, if it has a section.
            pub(super) fn schedule(&self, collector: Collector) -> Option<Schedule<'_>> {
                match collector {
                    $(Collector::$variant => self.$key.as_ref().map(|section| Schedule {
                        enabled: section.enabled,
                        interval: section.interval.as_deref(),
                        stale_after: section.stale_after.as_deref(),
                    }),)*
                    // It has none here.
                    _ => None,
                }
            }
        }

        /// The collectors with the keys of their sections, and the headings that these have in the documentation.
        #[cfg(test)]
        fn sections_of_collectors() -> Vec<(String, Vec<String>)> {
            vec![$({
                let keys = tests::keys::<<options::$options as Options>::Section>();
                let heading = match stringify!($options) {
                    "NoOptions" => "`collectors`".to_owned(),
                    _ => format!("`collectors.{}`", stringify!($key)),
                };
                (heading, keys)
            }),*]
        }
    };
}
collectors!(configured sections);

/// `discovery`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct Discovery {
    pub(super) enabled: Option<bool>,
    pub(super) interval: Option<String>,
    pub(super) include: Option<NamePatterns>,
    pub(super) exclude: Option<NamePatterns>,
}

/// `discovery.include` and `discovery.exclude`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(super) struct NamePatterns {
    pub(super) customer_name: Option<Text>,
    pub(super) tenant_name: Option<Text>,
}

/// An item of `tenants`.
#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
#[expect(clippy::struct_field_names, reason = "these are the keys' names")]
pub(super) struct Tenant {
    pub(super) customer_id: Option<String>,
    pub(super) tenant_id: Option<String>,
    pub(super) customer_name: Option<Text>,
    pub(super) tenant_name: Option<Text>,
    pub(super) labels: Option<BTreeMap<String, Text>>,
    pub(super) collectors: Option<Collectors>,
}

/// Text that must be text in YAML already. Its errors never hold the value.
#[derive(serde::Serialize)]
pub(super) struct Text(pub(super) String);

/// [`Text`] that is a secret, or may be one by mistake.
pub(super) struct SecretText(pub(super) Secret);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(TextVisitor)?;
        Ok(Self(Secret::from(text)))
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// A URL without its user name and its password.
#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn hide_password<S: Serializer>(url: &Option<SecretText>, to: S) -> Result<S::Ok, S::Error> {
    let text = url.as_ref().map(|url| url.0.expose());
    let Some(Ok(parsed)) = text.map(Url::parse) else {
        return url.serialize(to);
    };
    let start = format!("{}://", parsed.scheme());
    match text.and_then(|text| text.rsplit_once('@')) {
        Some((_, host)) => to.serialize_str(&format!("{start}{HIDDEN}@{host}")),
        None => to.serialize_str(parsed.as_str()),
    }
}

struct TextVisitor;

impl TextVisitor {
    fn refuse<E: Error>(found: &str) -> Result<String, E> {
        Err(E::custom(format_args!(
            "{found}; expected text: put the value in quotes"
        )))
    }
}

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Self::refuse("is true or false")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        Self::refuse("is a number")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        Self::refuse("is a number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Self::refuse("is a number")
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Self::refuse("has no value")
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// The keys of a section, from serde's own list of them.
    pub(super) fn keys<T: DeserializeOwned>() -> Vec<String> {
        let error = serde_yaml::from_str::<T>("{no_such_key: 1}").err().unwrap();
        let text = error.to_string();
        let (_, list) = text.split_once("expected ").unwrap();
        list.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// The sections by the headings that they have in the documentation, with their keys.
    fn sections() -> Vec<(String, Vec<String>)> {
        let others = [
            ("The file", keys::<File>()),
            ("`elements`", keys::<Elements>()),
            ("`certificate`", keys::<Certificate>()),
            ("`rate_limit`", keys::<RateLimit>()),
            ("`elements.limits`", keys::<Limits>()),
            ("`partner_center`", keys::<PartnerCenter>()),
            ("`collectors`", keys::<Collectors>()),
            ("`discovery`", keys::<Discovery>()),
            ("`discovery`", keys::<NamePatterns>()),
            ("`tenants`", keys::<Tenant>()),
        ];
        let others = others.map(|(heading, keys)| (heading.to_owned(), keys));
        others.into_iter().chain(sections_of_collectors()).collect()
    }

    #[test]
    fn the_example_shows_every_key() {
        let example = include_str!("../../config.example.yaml");
        let sections = sections();
        let count: usize = sections.iter().map(|(_, keys)| keys.len()).sum();
        assert_eq!(count, 76, "{sections:?}");
        for key in sections.iter().flat_map(|(_, keys)| keys) {
            let shown = example.match_indices(&format!("{key}:")).any(|(at, _)| {
                !example[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            });
            assert!(shown, "{key} is not in config.example.yaml");
        }
    }

    #[test]
    fn the_documentation_describes_every_key_in_its_section() {
        let document = include_str!("../../docs/configuration.md");
        for (heading, keys) in sections() {
            let (_, section) = document
                .split_once(&format!("# {heading}\n"))
                .expect(&heading);
            let section = section.split("\n#").next().unwrap();
            for key in keys {
                let row = format!("\n| `{key}` |");
                assert!(section.contains(&row), "{key} has no row under {heading}");
            }
        }
    }
}
