//! Pages of users.

use crate::config::StatusEncoding;
use crate::upstream::api::Page;
use crate::upstream::api::personal::Pseudonyms;
use crate::upstream::api::rows::Rows;
use crate::upstream::http::json::JsonError;

use super::{ElementsUser, UserRows, read_page};

fn page(body: &str) -> Result<Page<ElementsUser>, JsonError> {
    let rows = UserRows {
        pseudonyms: &Pseudonyms::default(),
        encoding: StatusEncoding::Codes,
    };
    read_page(body.as_bytes(), &rows)
}

#[track_caller]
fn check(body: &str, rows: usize, total: Option<u64>, next_link: Option<&str>) {
    let page = page(body).unwrap();
    assert_eq!(
        (page.rows.len(), page.total, page.link.map(|link| link.uri)),
        (rows, total, next_link.map(str::to_owned))
    );
}

#[test]
fn a_page_is_read_with_its_paging_figures() {
    check(
        r#"{"data": [{"id": "a"}], "metadata": {"pageIndex": 1, "totalCount": 7}}"#,
        1,
        Some(7),
        None,
    );
    check(
        r#"{"Data": [{"Id": "a"}], "Metadata": {"TotalCount": 7}}"#,
        1,
        Some(7),
        None,
    );
    check(r#"{"data": [], "metadata": null}"#, 0, None, None);
    check(r#"{"data": [], "nextLink": "/x"}"#, 0, None, Some("/x"));
    check(
        r#"{"data": [], "metadata": {"nextLink": "/x"}, "nextLink": null}"#,
        0,
        None,
        Some("/x"),
    );
    check(r#"{"data": [], "nextLink": ""}"#, 0, None, None);
    check(
        r#"{"data": null, "metadata": {"totalCount": 0}}"#,
        0,
        Some(0),
        None,
    );
}

#[test]
fn an_answer_without_rows_is_no_empty_listing() {
    for body in [
        r#"{"error": "x"}"#,
        r#"{"data": null}"#,
        "[]",
        "{}",
        r#"{"metadata": {"totalCount": 3}}"#,
    ] {
        let page = page(body);
        assert!(matches!(page, Err(JsonError::Unexpected(_))), "{body}");
    }
}

#[test]
fn a_row_that_nothing_tells_apart_fails_its_page() {
    let Err(JsonError::Unexpected(text)) = page(r#"{"data": [{"id": "a"}, {"mail": ""}]}"#) else {
        panic!("accepted")
    };
    assert_eq!(
        text,
        "row 2 of the page has neither id nor mail address nor principal name"
    );
}

/// How many allocations it takes to read a page that repeats this row.
#[track_caller]
fn allocations<R: Rows>(reader: &R, row: &str, rows: usize) -> u64 {
    let body = format!(r#"{{"data": [{}]}}"#, vec![row; rows].join(","));
    let mut read = 0;
    let info = allocation_counter::measure(|| {
        read = read_page(body.as_bytes(), reader).unwrap().rows.len();
    });
    assert_eq!(read, rows);
    info.count_total
}

/// Checks that rows like this are read without an allocation.
#[track_caller]
pub(crate) fn check_allocations<R: Rows>(reader: &R, row: &str) {
    for rows in [16, 128, 1024] {
        // A list doubles its room when it is full: that is all that more rows cost.
        assert_eq!(
            allocations(reader, row, 2 * rows),
            allocations(reader, row, rows) + 1,
            "{row}"
        );
    }
}

#[test]
fn a_row_is_read_without_an_allocation() {
    let pseudonyms = Pseudonyms::default();
    let security = UserRows {
        pseudonyms: &pseudonyms,
        encoding: StatusEncoding::Codes,
    };
    let user = r#""id": "a", "mail": "A@contoso.example", "userPrincipalName": "b@contoso.example",
        "isTestUser": false, "status": [0, 3, 8], "jobTitle": "K\u00f6chin", "x": [{"y": "z"}]"#;
    let user_in_pascal_case = r#""Id": "a", "Mail": "A@contoso.example", "UserPrincipalName": "b@contoso.example",
        "IsTestUser": false, "Status": 3, "JobTitle": null"#;
    for user in [user, user_in_pascal_case] {
        check_allocations(&security, &format!("{{{user}}}"));
    }
}
