//! Writes JSON as upstream does, straight into bytes. Knows the names of fields; knows nothing of HTTP
//! and never reads anything back.

use super::rows::{ProtectedUser, SecurityUser, Statuses};

/// What an answer says about the place of its rows in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) page_index: usize,
    pub(super) page_size: usize,
    pub(super) total_count: Option<usize>,
}

/// JSON in the making.
pub(super) struct Writer {
    out: Vec<u8>,
    /// Whether keys start with a capital.
    pascal: bool,
    /// Whether what is missing is written as `null`.
    nulls: bool,
}

impl Writer {
    pub(super) fn new(pascal: bool) -> Self {
        Self {
            out: Vec::with_capacity(16 << 10),
            pascal,
            nulls: false,
        }
    }

    /// Starts the answer and its array of rows; before it, where `depth` is not 0, a field that no
    /// documentation mentions, with arrays nested so deep.
    pub(super) fn start(&mut self, depth: usize) {
        self.raw("{");
        if depth > 0 {
            self.key("extension");
            for bracket in [b'[', b']'] {
                self.out.resize(self.out.len() + depth, bracket);
            }
        }
        self.key("data");
        self.raw("[");
    }

    /// Ends the array of rows and the answer.
    pub(super) fn end(mut self, metadata: Metadata, next: Option<&str>) -> Vec<u8> {
        self.raw("]");
        self.key("metadata");
        self.raw("{");
        self.number("pageIndex", Some(metadata.page_index));
        self.number("pageSize", Some(metadata.page_size));
        self.nulls = false;
        self.number("totalCount", metadata.total_count);
        self.raw("}");
        self.text("nextLink", next);
        self.raw("}");
        self.out
    }

    /// A row of the security listing; `k` is its index in it.
    pub(super) fn security_user(&mut self, row: &SecurityUser, k: usize) {
        self.row(k);
        self.text("id", row.id.as_deref());
        self.text("userPrincipalName", row.user_principal_name.as_deref());
        self.text("mail", row.mail.as_deref());
        self.text("displayName", row.display_name.as_deref());
        self.text("firstName", row.first_name.as_deref());
        self.text("lastName", row.last_name.as_deref());
        self.text("employeeId", row.employee_id.as_deref());
        self.text("location", row.location.as_deref());
        self.text("company", row.company.as_deref());
        self.text("department", row.department.as_deref());
        self.text("mobile", row.mobile.as_deref());
        self.text("jobTitle", row.job_title.as_deref());
        self.boolean("isTestUser", row.is_test_user);
        self.number("age", row.age);
        self.text("startDate", row.start_date.as_deref());
        self.text("endDate", row.end_date.as_deref());
        self.text("countryOrRegion", row.country_or_region.as_deref());
        match &row.statuses {
            None => self.nothing("status"),
            Some(Statuses::One(code)) => self.number("status", Some(*code)),
            Some(Statuses::Codes(codes)) => {
                self.key("status");
                self.raw("[");
                for code in codes {
                    self.comma();
                    self.raw(itoa::Buffer::new().format(*code));
                }
                self.raw("]");
            }
        }
        self.raw("}");
    }

    /// A row of the backup listing; `k` is its index in it.
    pub(super) fn protected_user(&mut self, row: &ProtectedUser, k: usize) {
        self.row(k);
        self.text("id", row.id.as_deref());
        self.text("email", row.email.as_deref());
        self.text("displayName", row.display_name.as_deref());
        if let Some(modules) = &row.modules {
            self.key("moduleStatus");
            self.raw("[");
            for module in modules {
                self.comma();
                self.raw("{");
                self.number("module", Some(module.module));
                self.boolean("isProtected", Some(module.is_protected));
                self.raw("}");
            }
            self.raw("]");
        } else {
            self.nothing("moduleStatus");
        }
        self.raw("}");
    }

    /// Nothing where a row should be.
    pub(super) fn null_row(&mut self) {
        self.comma();
        self.raw("null");
    }

    fn row(&mut self, k: usize) {
        self.nulls = k.is_multiple_of(2);
        self.comma();
        self.raw("{");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        let Some(value) = value else {
            return self.nothing(key);
        };
        self.key(key);
        // Writing text into memory cannot fail.
        serde_json::to_writer(&mut self.out, value).unwrap_or_default();
    }

    fn number(&mut self, key: &str, value: Option<impl itoa::Integer>) {
        let Some(value) = value else {
            return self.nothing(key);
        };
        self.key(key);
        self.raw(itoa::Buffer::new().format(value));
    }

    fn boolean(&mut self, key: &str, value: Option<bool>) {
        let Some(value) = value else {
            return self.nothing(key);
        };
        self.key(key);
        self.raw(if value { "true" } else { "false" });
    }

    fn nothing(&mut self, key: &str) {
        if self.nulls {
            self.key(key);
            self.raw("null");
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.raw("\"");
        let start = self.out.len();
        self.raw(key);
        if self.pascal
            && let Some(first) = self.out.get_mut(start)
        {
            first.make_ascii_uppercase();
        }
        self.raw("\":");
    }

    /// A comma, unless nothing stands before.
    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.raw(",");
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Module;
    use super::*;

    const METADATA: Metadata = Metadata {
        page_index: 2,
        page_size: 50,
        total_count: Some(51),
    };

    #[test]
    fn a_security_row_is_written_as_upstream_writes_it() {
        let mut writer = Writer::new(false);
        writer.start(0);
        let row = SecurityUser {
            id: Some("1".to_owned()),
            display_name: Some("\"Ada\"\n".to_owned()),
            age: Some(-3),
            is_test_user: Some(false),
            statuses: Some(Statuses::Codes(vec![0, 3])),
            ..SecurityUser::default()
        };
        writer.security_user(&row, 1);
        let row = SecurityUser {
            statuses: Some(Statuses::One(4)),
            ..row
        };
        writer.security_user(&row, 3);
        assert_eq!(
            String::from_utf8(writer.end(METADATA, Some("http://x/"))).unwrap(),
            concat!(
                r#"{"data":[{"id":"1","displayName":"\"Ada\"\n","isTestUser":false,"age":-3,"status":[0,3]},"#,
                r#"{"id":"1","displayName":"\"Ada\"\n","isTestUser":false,"age":-3,"status":4}],"#,
                r#""metadata":{"pageIndex":2,"pageSize":50,"totalCount":51},"nextLink":"http://x/"}"#
            )
        );
    }

    #[test]
    fn a_protected_row_is_written_as_upstream_writes_it_in_either_case() {
        let mut writer = Writer::new(true);
        writer.start(0);
        let row = ProtectedUser {
            email: Some("a@b.example".to_owned()),
            modules: Some(vec![Module {
                module: 2,
                is_protected: true,
            }]),
            ..ProtectedUser::default()
        };
        writer.protected_user(&row, 0);
        writer.protected_user(&ProtectedUser::default(), 1);
        let metadata = Metadata {
            total_count: None,
            ..METADATA
        };
        assert_eq!(
            String::from_utf8(writer.end(metadata, None)).unwrap(),
            concat!(
                r#"{"Data":[{"Id":null,"Email":"a@b.example","DisplayName":null,"#,
                r#""ModuleStatus":[{"Module":2,"IsProtected":true}]},{}],"#,
                r#""Metadata":{"PageIndex":2,"PageSize":50}}"#
            )
        );
    }
}
