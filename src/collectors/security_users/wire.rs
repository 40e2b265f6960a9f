//! The listing of a tenant's users with a security finding. Source: AvePoint's `overview/security/users` and its older
//! form `overview/security/users/batch`.

use url::Url;

use crate::config::{SecurityEndpoint, StatusEncoding};
use crate::domain::{SecurityStatus, Target};
use crate::upstream::{
    ApiError, Ask, Cause, Client, ElementsUser, Endpoint, Page, Progress, Pseudonyms, RequestId,
    UserRows, read_elements_page,
};

/// Reads the rows of one page from the body of an answer, as a poll does with each.
///
/// # Errors
/// What is wrong with the body, without quoting it.
pub fn read_page(
    body: &[u8],
    encoding: StatusEncoding,
    pseudonyms: &Pseudonyms,
) -> Result<Page<ElementsUser>, Cause> {
    let rows = UserRows {
        pseudonyms,
        encoding,
    };
    read_elements_page(body, &rows).map_err(Cause::unreadable)
}

/// The listing in this form.
pub(super) const fn endpoint(form: SecurityEndpoint) -> Endpoint {
    match form {
        SecurityEndpoint::V3 => Endpoint::get(
            "/um/customers/{customerId}/tenants/{tenantId}/overview/security/users",
            "elements.um.user.read.all",
        ),
        SecurityEndpoint::Batch => Endpoint::get(
            "/um/customers/{customerId}/tenants/{tenantId}/overview/security/users/batch",
            "partner.um.user.read.all",
        ),
    }
}

/// Asks how many users have a finding, or any finding at all, without reading them. `Decode` when the answer tells no
/// number; `Implausible` when it shows that the API has not filtered by the finding, or that the number is none of the
/// listing.
pub(super) async fn count(
    elements: &Client,
    target: &Target,
    status: Option<SecurityStatus>,
    progress: &Progress,
) -> Result<u64, ApiError> {
    let endpoint = endpoint(SecurityEndpoint::V3);
    let rows = UserRows {
        pseudonyms: &elements.pseudonyms,
        encoding: StatusEncoding::Codes,
    };
    let listing = elements.listing_url(endpoint.route, target);
    let ask = |index| Ask::new(target.id(), count_url(listing.clone(), index, status));
    let read = |body: &[u8]| read_elements_page(body, &rows);
    let answered = elements.call(&endpoint, &ask(1), read).await?;
    let Some(page) = answered.value else {
        return Ok(0);
    };
    progress.add(&page);
    let fail = |cause, id: Option<&RequestId>| elements.failed(&endpoint, cause, id, None);
    let total =
        count_in(&page, status).map_err(|cause| fail(cause, answered.request_id.as_ref()))?;
    if total == 0 || total > page.rows.len() as u64 {
        return Ok(total);
    }
    // It may be the number of the page's own rows. A service may refuse a page beyond the end.
    match elements.call(&endpoint, &ask(2), read).await {
        Ok(next) => {
            let rows = next.value.map_or(0, |page| page.rows.len());
            if rows > 0 {
                let cause = Cause::Implausible(format!(
                    "a listing of {total} rows has {rows} more on its second page"
                ));
                return Err(fail(cause, next.request_id.as_ref()));
            }
            Ok(total)
        }
        Err(ApiError {
            cause: Cause::NotFound | Cause::BadRequest(_),
            ..
        }) => Ok(total),
        Err(error) => Err(error),
    }
}

fn count_url(mut listing: Url, index: u32, status: Option<SecurityStatus>) -> Url {
    let filter = status.map_or_else(String::new, |status| format!("&status={}", status.code()));
    listing.set_query(Some(&format!("pageIndex={index}&pageSize=1{filter}")));
    listing
}

/// The size of a listing by its first page.
fn count_in(page: &Page<ElementsUser>, status: Option<SecurityStatus>) -> Result<u64, Cause> {
    let has_status =
        |user: &ElementsUser| status.is_none_or(|status| user.statuses.contains(status.code()));
    // A filter that the API does not know would give the same number for each finding.
    if !page.rows.iter().all(has_status) {
        return Err(Cause::Implausible(
            "a listing filtered by status contains users without it".to_owned(),
        ));
    }
    let rows = page.rows.len() as u64;
    match page.total {
        Some(total) if total >= rows && (total == 0) == (rows == 0) => Ok(total),
        Some(total) => Err(Cause::Implausible(format!(
            "a listing of {total} rows has {rows} on its first page"
        ))),
        None => Err(Cause::Decode("totalCount is missing".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CodeSet, UserKeys};

    fn page(statuses: &[i64], total: Option<u64>) -> Page<ElementsUser> {
        let rows = statuses.iter().map(|status| ElementsUser {
            keys: UserKeys::default(),
            statuses: CodeSet::from_iter([*status]),
            is_test_user: false,
        });
        Page {
            total,
            ..Page::of(rows.collect())
        }
    }

    #[test]
    fn a_count_is_the_total_of_a_listing_that_was_filtered_indeed() {
        let high_risk = Some(SecurityStatus::from(3));
        let count = |statuses: &[i64], total, status| {
            count_in(&page(statuses, total), status).map_err(|cause| cause.reason().as_str())
        };
        assert_eq!(count(&[3], Some(17), high_risk), Ok(17));
        assert_eq!(count(&[], Some(0), high_risk), Ok(0));
        assert_eq!(count(&[4], Some(17), None), Ok(17));
        assert_eq!(count(&[4], Some(17), high_risk), Err("implausible"));
        assert_eq!(count(&[], Some(17), high_risk), Err("implausible"));
        assert_eq!(count(&[3], Some(0), high_risk), Err("implausible"));
        assert_eq!(count(&[3, 3, 3], Some(2), high_risk), Err("implausible"));
        assert_eq!(count(&[3], None, high_risk), Err("decode"));
    }
}
