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
        self.nulls = false;
        self.object("metadata", |object| {
            object.field("pageIndex", Some(metadata.page_index));
            object.field("pageSize", Some(metadata.page_size));
            object.field("totalCount", metadata.total_count);
        });
        self.field("nextLink", next);
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
        self.field("startDate", millis(&row.user.start_date));
        self.field("endDate", millis(&row.user.end_date));
        self.field("countryRegion", row.user.country_or_region.as_deref());
        self.field("officePhone", row.office_phone.as_deref());
        self.field("status", row.status);
        self.raw("}");
    }

    /// A row of the directory; `k` is its index in it.
    pub(in super::super) fn directory_user(&mut self, row: &DirectoryUser, k: usize) {
        self.row(k);
        self.user(&row.user);
        self.dates_and_country(&row.user);
        self.field("officePhone", row.office_phone.as_deref());
        self.statuses(row.user.statuses.as_ref());
        self.raw("}");
    }

    /// What all forms of a user say alike.
    fn user(&mut self, row: &SecurityUser) {
        self.field("id", row.id.as_deref());
        self.field("userPrincipalName", row.user_principal_name.as_deref());
        self.field("mail", row.mail.as_deref());
        self.field("displayName", row.display_name.as_deref());
        self.field("firstName", row.first_name.as_deref());
        self.field("lastName", row.last_name.as_deref());
        self.field("employeeId", row.employee_id.as_deref());
        self.field("location", row.location.as_deref());
        self.field("company", row.company.as_deref());
        self.field("department", row.department.as_deref());
        self.field("mobile", row.mobile.as_deref());
        self.field("jobTitle", row.job_title.as_deref());
        self.field("isTestUser", row.is_test_user);
        self.field("age", row.age);
    }

    fn dates_and_country(&mut self, row: &SecurityUser) {
        self.field("startDate", row.start_date.as_deref());
        self.field("endDate", row.end_date.as_deref());
        self.field("countryOrRegion", row.country_or_region.as_deref());
    }

    fn statuses(&mut self, statuses: Option<&Statuses>) {
        match statuses {
            None => self.nothing("status"),
            Some(Statuses::One(code)) => self.field("status", Some(code)),
            Some(Statuses::Codes(codes)) => self.field("status", Some(codes)),
        }
    }

    /// A row of the backup listing; `k` is its index in it.
    pub(in super::super) fn protected_user(&mut self, row: &ProtectedUser, k: usize) {
        self.row(k);
        self.field("id", row.id.as_deref());
        self.field("email", row.email.as_deref());
        self.field("displayName", row.display_name.as_deref());
        self.objects("moduleStatus", row.modules.as_deref(), |object, module| {
            object.field("module", Some(module.module));
            object.field("isProtected", Some(module.is_protected));
        });
        self.raw("}");
    }

    /// A row of the listing of customers; `k` is its index in it.
    pub(in super::super) fn customer(&mut self, row: &Customer, k: usize) {
        self.row(k);
        self.field("id", row.id.as_deref());
        self.field("organization", row.organization.as_deref());
        self.field("ownerEmail", row.owner_email.as_deref());
        self.field("jobStatus", row.job_status);
        self.field("countryOrRegion", row.country_or_region.as_deref());
        self.field("managementMode", row.management_mode);
        self.objects("tenants", row.tenants.as_deref(), |object, tenant| {
            object.field("id", tenant.id.as_deref());
            object.field("name", tenant.name.as_deref());
        });
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
