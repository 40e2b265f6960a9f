//! The answers of AvePoint.

use super::super::dates;
use super::super::rows::{
    Customer, DirectoryUser, OlderSecurityUser, ProtectedUser, SecurityUser, Statuses,
};
use super::Writer;

/// What an answer says about the place of its rows in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Metadata {
    pub(in super::super) page_index: usize,
    pub(in super::super) page_size: usize,
    pub(in super::super) total_count: Option<usize>,
}

impl Writer {
    /// Starts the answer and its array of rows; before it, where `depth` is not 0, a field that no
    /// documentation mentions.
    pub(in super::super) fn start(&mut self, depth: usize) {
        self.raw("{");
        self.extension(depth);
        self.key("data");
        self.raw("[");
    }

    /// Ends the array of rows and the answer.
    pub(in super::super) fn end(mut self, metadata: Metadata, next: Option<&str>) -> Vec<u8> {
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
    pub(in super::super) fn security_user(&mut self, row: &SecurityUser, k: usize) {
        self.row(k);
        self.user(row);
        self.dates_and_country(row);
        self.statuses(row.statuses.as_ref());
        self.raw("}");
    }

    /// A row of the older form of the security listing; `k` is its index in it.
    pub(in super::super) fn older_security_user(&mut self, row: &OlderSecurityUser, k: usize) {
        self.row(k);
        self.user(&row.user);
        let millis = |date: &Option<String>| date.as_deref().map(dates::millis);
        self.number("startDate", millis(&row.user.start_date));
        self.number("endDate", millis(&row.user.end_date));
        self.text("countryRegion", row.user.country_or_region.as_deref());
        self.text("officePhone", row.office_phone.as_deref());
        self.number("status", row.status);
        self.raw("}");
    }

    /// A row of the directory; `k` is its index in it.
    pub(in super::super) fn directory_user(&mut self, row: &DirectoryUser, k: usize) {
        self.row(k);
        self.user(&row.user);
        self.dates_and_country(&row.user);
        self.text("officePhone", row.office_phone.as_deref());
        self.statuses(row.user.statuses.as_ref());
        self.raw("}");
    }

    /// What all forms of a user say alike.
    fn user(&mut self, row: &SecurityUser) {
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
    }

    fn dates_and_country(&mut self, row: &SecurityUser) {
        self.text("startDate", row.start_date.as_deref());
        self.text("endDate", row.end_date.as_deref());
        self.text("countryOrRegion", row.country_or_region.as_deref());
    }

    fn statuses(&mut self, statuses: Option<&Statuses>) {
        match statuses {
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
    }

    /// A row of the backup listing; `k` is its index in it.
    pub(in super::super) fn protected_user(&mut self, row: &ProtectedUser, k: usize) {
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

    /// A row of the listing of customers; `k` is its index in it.
    pub(in super::super) fn customer(&mut self, row: &Customer, k: usize) {
        self.row(k);
        self.text("id", row.id.as_deref());
        self.text("organization", row.organization.as_deref());
        self.text("ownerEmail", row.owner_email.as_deref());
        self.number("jobStatus", row.job_status);
        self.text("countryOrRegion", row.country_or_region.as_deref());
        self.number("managementMode", row.management_mode);
        if let Some(tenants) = &row.tenants {
            self.key("tenants");
            self.raw("[");
            for tenant in tenants {
                self.comma();
                self.raw("{");
                self.text("id", tenant.id.as_deref());
                self.text("name", tenant.name.as_deref());
                self.raw("}");
            }
            self.raw("]");
        } else {
            self.nothing("tenants");
        }
        self.raw("}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::rows::Module;
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
