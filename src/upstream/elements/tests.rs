//! Pages of both kinds of rows.

use crate::upstream::json::JsonError;
use crate::upstream::personal::Pseudonyms;

use super::listing::read_page;
use super::{ProtectedUser, SecurityUser};

#[track_caller]
fn check(body: &str, rows: usize, total: Option<u64>, next_link: Option<&str>) {
    let page = read_page::<SecurityUser>(body.as_bytes(), &Pseudonyms::default()).unwrap();
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
        let page = read_page::<SecurityUser>(body.as_bytes(), &Pseudonyms::default());
        assert!(matches!(page, Err(JsonError::Unexpected(_))), "{body}");
    }
}

#[test]
fn a_row_that_nothing_tells_apart_fails_its_page() {
    let Err(JsonError::Unexpected(text)) = read_page::<ProtectedUser>(
        br#"{"data": [{"id": "a"}, {"email": ""}]}"#,
        &Pseudonyms::default(),
    ) else {
        panic!("accepted")
    };
    assert_eq!(
        text,
        "row 2 of the page has neither id nor mail address nor principal name"
    );
}
