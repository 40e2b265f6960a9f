//! The answers of Partner Center. Each begins with a byte order mark.

use crate::domain::TenantId;

use super::super::partner_rows::{PartnerUser, Word};
use super::Writer;

/// Where an answer says that the listing is and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Links<'a> {
    /// The address of this page, relative and without `/v1`.
    pub(in super::super) this: &'a str,
    /// The address of the next page and the token that it takes.
    pub(in super::super) next: Option<(&'a str, &'a str)>,
    /// Headers that the next page does not take.
    pub(in super::super) more_headers: &'a [(&'a str, &'a str)],
    /// Whether the next page is told by its token alone.
    pub(in super::super) token_only: bool,
    /// Whether a missing next page is written as an empty one.
    pub(in super::super) empty_next: bool,
}

impl Writer {
    /// Starts the answer and its array of rows, as `start` does for AvePoint.
    pub(in super::super) fn start_items(&mut self, depth: usize, total: Option<usize>) {
        self.raw("\u{feff}{");
        self.field("totalCount", total);
        self.extension(depth);
        self.key("items");
        self.raw("[");
    }

    /// Ends the array of rows and the answer.
    pub(in super::super) fn end_items(mut self, links: Links<'_>) -> Vec<u8> {
        self.raw("]");
        self.nulls = false;
        self.field("continuationToken", links.next.map(|(_, token)| token));
        self.object("links", |object| {
            object.link("self", links.this, &[]);
            if let Some((uri, token)) = links.next.filter(|_| !links.token_only) {
                let mut headers = links.more_headers.to_vec();
                headers.push(("MS-ContinuationToken", token));
                object.link("next", uri, &headers);
            } else if links.empty_next {
                object.object("next", |_| {});
            }
        });
        self.object_type("Collection");
        self.raw("}");
        self.out
    }

    /// A row of either listing of users; `k` is its index in it.
    pub(in super::super) fn partner_user(&mut self, row: &PartnerUser, k: usize, tenant: TenantId) {
        self.row(k);
        self.field("id", row.id.as_deref());
        self.field("userPrincipalName", row.user_principal_name.as_deref());
        self.field("displayName", row.display_name.as_deref());
        self.field("firstName", row.first_name.as_deref());
        self.field("lastName", row.last_name.as_deref());
        self.field("usageLocation", row.usage_location.as_deref());
        self.word("state", row.state.as_ref());
        self.word("userDomainType", row.user_domain_type.as_ref());
        self.field("immutableId", row.immutable_id.as_deref());
        self.field("phoneNumber", row.phone_number.as_deref());
        self.field(
            "lastDirectorySyncTime",
            row.last_directory_sync_time.as_deref(),
        );
        self.field("softDeletionTime", row.soft_deletion_time.as_deref());
        if row.force_change_password.is_some() || row.password.is_some() {
            self.object("passwordProfile", |object| {
                object.field("forceChangePassword", row.force_change_password);
                object.field("password", row.password.as_deref());
            });
        } else {
            self.nothing("passwordProfile");
        }
        let id = row.id.as_deref().unwrap_or_default();
        let this = format!("/customers/{tenant}/users/{id}");
        self.object("links", |object| object.link("self", &this, &[]));
        self.object_type("CustomerUser");
        self.raw("}");
    }

    fn word(&mut self, key: &str, word: Option<&Word>) {
        match word {
            None => self.nothing(key),
            Some(Word::Text(text)) => self.field(key, Some(text)),
            Some(Word::Number(number)) => self.field(key, Some(*number)),
        }
    }

    fn link(&mut self, key: &str, uri: &str, headers: &[(&str, &str)]) {
        self.object(key, |object| {
            object.field("uri", Some(uri));
            object.field("method", Some("GET"));
            object.objects("headers", Some(headers), |object, (name, value)| {
                object.field("key", Some(name));
                object.field("value", Some(value));
            });
        });
    }

    fn object_type(&mut self, name: &str) {
        self.object("attributes", |object| {
            object.field("objectType", Some(name));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: Links<'_> = Links {
        this: "/this",
        next: None,
        more_headers: &[],
        token_only: false,
        empty_next: false,
    };

    #[test]
    fn a_page_is_written_as_microsoft_writes_it() {
        let mut writer = Writer::new(false);
        writer.start_items(0, Some(1));
        let row = PartnerUser {
            id: Some("1".to_owned()),
            state: Some(Word::text("active")),
            user_domain_type: Some(Word::Number(2)),
            password: Some("x".to_owned()),
            ..PartnerUser::default()
        };
        writer.partner_user(&row, 1, TenantId::from_bits(7));
        let links = Links {
            next: Some(("/next", "token")),
            more_headers: &[("Other", "y")],
            ..LINKS
        };
        assert_eq!(
            String::from_utf8(writer.end_items(links)).unwrap(),
            concat!(
                "\u{feff}",
                r#"{"totalCount":1,"items":[{"id":"1","state":"active","userDomainType":2,"#,
                r#""passwordProfile":{"password":"x"},"#,
                r#""links":{"self":{"uri":"/customers/00000000-0000-0000-0000-000000000007/users/1","#,
                r#""method":"GET","headers":[]}},"attributes":{"objectType":"CustomerUser"}}],"#,
                r#""continuationToken":"token","links":{"self":{"uri":"/this","method":"GET","headers":[]},"#,
                r#""next":{"uri":"/next","method":"GET","headers":[{"key":"Other","value":"y"},"#,
                r#"{"key":"MS-ContinuationToken","value":"token"}]}},"attributes":{"objectType":"Collection"}}"#
            )
        );
    }

    #[test]
    fn the_end_is_a_missing_link_or_an_empty_one() {
        for (empty_next, end) in [
            (
                false,
                r#""headers":[]}},"attributes":{"objectType":"Collection"}}"#,
            ),
            (
                true,
                r#""headers":[]},"next":{}},"attributes":{"objectType":"Collection"}}"#,
            ),
        ] {
            let mut writer = Writer::new(false);
            writer.start_items(0, None);
            let text = writer.end_items(Links {
                token_only: false,
                empty_next,
                ..LINKS
            });
            let text = String::from_utf8(text).unwrap();
            assert!(
                text.starts_with("\u{feff}{\"items\":[],\"links\"") && text.ends_with(end),
                "{text}"
            );
        }
    }
}
