//! Pages of both kinds of rows.

use crate::config::StatusEncoding;
use crate::upstream::Page;
use crate::upstream::json::JsonError;
use crate::upstream::personal::Pseudonyms;

use super::SecurityUser;
use super::listing::read_page;
use super::protected_users::ProtectedRows;
use super::security_users::SecurityRows;

fn security_page(body: &str) -> Result<Page<SecurityUser>, JsonError> {
    let rows = SecurityRows {
        pseudonyms: &Pseudonyms::default(),
        encoding: StatusEncoding::Codes,
    };
    read_page(body.as_bytes(), &rows)
}

#[track_caller]
fn check(body: &str, rows: usize, total: Option<u64>, next_link: Option<&str>) {
    let page = security_page(body).unwrap();
    assert_eq!(
        (page.rows.len(), page.total, page.next_link.as_deref()),
        (rows, total, next_link)
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
        let page = security_page(body);
        assert!(matches!(page, Err(JsonError::Unexpected(_))), "{body}");
    }
}

#[test]
fn a_row_that_nothing_tells_apart_fails_its_page() {
    let Err(JsonError::Unexpected(text)) = read_page(
        br#"{"data": [{"id": "a"}, {"email": ""}]}"#,
        &ProtectedRows(&Pseudonyms::default()),
    ) else {
        panic!("accepted")
    };
    assert_eq!(
        text,
        "row 2 of the page has neither id nor mail address nor principal name"
    );
}
