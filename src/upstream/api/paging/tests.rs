//! Listings that end as they say, listings that lie, and a random service that does both.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::Reason;

const ELEMENTS: Bounds = Bounds {
    page_size: 100,
    has_index: true,
    rows: 1000,
    ignores_totals: false,
};

fn page(rows: usize, total: Option<u64>) -> Page<()> {
    Page {
        total,
        ..Page::of(vec![(); rows])
    }
}

fn link(to: &str) -> Place {
    Place::Link {
        url: format!("https://graph.avepoint.example/{to}")
            .parse()
            .unwrap(),
        token: None,
    }
}

/// Follows pages of so many rows, all of them new, each with a total. Returns what comes after the last.
fn after(bounds: Bounds, pages: &[(usize, Option<u64>)]) -> Result<Option<Place>, String> {
    let mut listing = Pager::new(bounds);
    let mut rows = 0;
    let mut next = Ok(Some(Place::Index(1)));
    for (at, (new, total)) in pages.iter().enumerate() {
        assert!(
            matches!(next, Ok(Some(_))),
            "ended before page {}: {next:?}",
            at + 1
        );
        rows += *new as u64;
        next = listing
            .after(&page(*new, *total), rows, None)
            .map_err(|cause| cause.to_string());
    }
    next
}

#[track_caller]
fn ends(pages: &[(usize, Option<u64>)]) {
    assert_eq!(after(ELEMENTS, pages), Ok(None), "{pages:?}");
}

#[track_caller]
fn goes_on(pages: &[(usize, Option<u64>)]) {
    let next = pages.len() as u64 + 1;
    assert_eq!(
        after(ELEMENTS, pages),
        Ok(Some(Place::Index(next))),
        "{pages:?}"
    );
}

#[track_caller]
fn fails(pages: &[(usize, Option<u64>)], words: &str) {
    let error = after(ELEMENTS, pages).unwrap_err();
    assert!(error.contains(words), "{pages:?}: {error}");
}

#[test]
fn a_listing_ends_when_as_many_rows_came_as_it_has() {
    goes_on(&[(100, Some(150))]);
    ends(&[(100, Some(150)), (50, Some(150))]);
    ends(&[(0, Some(0))]);
    ends(&[(0, None)]);
    // Clamped pages, and a total that is told once.
    goes_on(&[(7, Some(20)), (7, Some(20))]);
    ends(&[(7, Some(20)), (7, Some(20)), (6, None)]);
}

#[test]
fn a_total_that_is_reached_with_a_full_page_may_be_that_of_the_page_and_is_looked_behind() {
    let beyond = |page| Ok(Some(Place::Beyond(page)));
    assert_eq!(after(ELEMENTS, &[(100, Some(100))]), beyond(2));
    ends(&[(100, Some(100)), (0, Some(100))]);
    // The total of each page, and the highest that is told.
    goes_on(&[(100, Some(100)), (100, Some(100))]);
    goes_on(&[(100, Some(100)), (35, Some(35))]);
    goes_on(&[(100, Some(200)), (100, Some(200)), (100, Some(200))]);
    // A service that repeats its last page.
    let mut pager = Pager::new(ELEMENTS);
    pager.after(&page(100, Some(100)), 100, None).unwrap();
    assert_eq!(pager.after(&page(100, Some(100)), 100, None).unwrap(), None);
}

#[test]
fn a_total_below_the_rows_is_no_total_and_the_listing_is_read_until_nothing_comes() {
    for wrong in [Some(0), Some(1), Some(99), None] {
        goes_on(&[(100, wrong)]);
        goes_on(&[(100, wrong), (100, wrong), (35, wrong)]);
        ends(&[(100, wrong), (100, wrong), (35, wrong), (0, wrong)]);
    }
    goes_on(&[(100, Some(235)), (100, Some(0)), (35, Some(0))]);
}

#[test]
fn a_page_that_repeats_the_last_one_ends_a_listing_without_a_total() {
    let mut pager = Pager::new(ELEMENTS);
    assert!(pager.after(&page(35, None), 35, None).unwrap().is_some());
    assert_eq!(pager.after(&page(35, None), 35, None).unwrap(), None);
}

#[test]
fn a_listing_that_ends_more_than_a_page_early_is_implausible_and_both_numbers_are_named() {
    let early = "the listing ends early: 100 of 235 rows after 2 pages; if the totals of this account are always wrong";
    fails(&[(100, Some(235)), (0, Some(235))], early);
    fails(&[(100, Some(235)), (0, None)], early);
    fails(&[(0, Some(235))], "0 of 235 rows after 1 pages");
    fails(&[(0, Some(1))], "0 of 1 rows");
    ends(&[(100, Some(235)), (100, Some(235)), (0, Some(235))]);
    ends(&[(1, Some(3)), (0, Some(3))]);
    // Pages of 50, which say so or not.
    fails(&[(50, Some(120)), (0, Some(120))], "50 of 120 rows");
    let mut pager = Pager::new(ELEMENTS);
    let sized = |rows, size| Page {
        size: Some(size),
        ..page(rows, Some(600))
    };
    pager.after(&sized(100, 1_000_000), 100, None).unwrap();
    let error = pager.after(&sized(0, 1_000_000), 100, None).unwrap_err();
    assert_eq!(error.reason(), Reason::Implausible);
}

#[test]
fn a_page_after_the_first_that_brings_nobody_new_although_it_is_full_is_implausible() {
    for (rows, total, size) in [
        (100, None, None),
        (100, Some(235), None),
        (100, Some(200), None),
        (50, None, Some(50)),
        (50, Some(100), Some(50)),
        (50, Some(100), None),
        (50, Some(120), None),
    ] {
        let mut pager = Pager::new(ELEMENTS);
        let page = Page {
            size,
            ..page(rows, total)
        };
        let next = pager.after(&page, rows as u64, None);
        assert_eq!(next.unwrap(), Some(Place::Index(2)), "{rows} {total:?}");
        let error = pager.after(&page, rows as u64, None).unwrap_err();
        assert_eq!(error.reason(), Reason::Implausible, "{rows} {total:?}");
        assert!(
            error.to_string().contains("the page index is ignored"),
            "{error}"
        );
    }
}

#[test]
fn rows_that_moved_are_no_contradiction() {
    // Two users came while the listing was read: the last page holds the last two again.
    let mut pager = Pager::new(ELEMENTS);
    pager.after(&page(100, Some(102)), 100, None).unwrap();
    assert_eq!(pager.after(&page(2, Some(102)), 100, None).unwrap(), None);
}

#[test]
fn without_totals_the_rows_alone_count() {
    let bounds = Bounds {
        ignores_totals: true,
        ..ELEMENTS
    };
    assert_eq!(
        after(bounds, &[(100, Some(5000)), (0, Some(5000))]),
        Ok(None)
    );
    let next = after(bounds, &[(100, Some(100))]);
    assert_eq!(next, Ok(Some(Place::Index(2))));
}

#[test]
fn a_link_is_followed_whatever_the_total_says_and_never_twice() {
    let mut pager = Pager::new(ELEMENTS);
    let mut after =
        |rows, users, to: &str| pager.after(&page(rows, Some(100)), users, Some(link(to)));
    assert_eq!(after(100, 100, "b").unwrap(), Some(link("b")));
    assert_eq!(after(100, 200, "c").unwrap(), Some(link("c")));
    let error = after(100, 300, "b").unwrap_err();
    assert_eq!(error.reason(), Reason::Limit);
    assert!(
        error
            .to_string()
            .contains("page 3 links to a page that was read before"),
        "{error}"
    );
}

#[test]
fn links_that_lead_to_nothing_new_are_followed_a_few_times_only() {
    let mut pager = Pager::new(ELEMENTS);
    pager.after(&page(10, None), 10, Some(link("0"))).unwrap();
    let failed_at = (1..100).find(|at| {
        let next = pager.after(&page(10, None), 10, Some(link(&at.to_string())));
        next.is_err()
    });
    assert_eq!(failed_at, Some(MOST_IDLE + 1));
}

#[test]
fn after_links_the_next_index_is_tried_and_may_repeat_a_page() {
    let mut pager = Pager::new(ELEMENTS);
    pager.after(&page(100, None), 100, Some(link("b"))).unwrap();
    let next = pager.after(&page(100, None), 200, None);
    assert_eq!(next.unwrap(), Some(Place::Beyond(3)));
    assert_eq!(pager.after(&page(100, None), 200, None).unwrap(), None);
}

#[test]
fn a_last_page_that_repeats_rows_is_no_ignored_index_where_a_link_led_to_it() {
    let mut pager = Pager::new(ELEMENTS);
    let full = page(100, Some(200));
    pager.after(&full, 100, Some(link("b"))).unwrap();
    let next = pager.after(&full, 100, None);
    assert_eq!(next.unwrap(), Some(Place::Beyond(3)));
}

#[test]
fn a_listing_without_an_index_ends_without_a_link() {
    let partner = Bounds {
        page_size: 500,
        has_index: false,
        ..ELEMENTS
    };
    assert_eq!(after(partner, &[(100, None)]), Ok(None));
    assert_eq!(after(partner, &[(100, Some(150))]), Ok(None));
    let error = after(partner, &[(100, Some(235))]).unwrap_err();
    assert!(error.contains("100 of 235 rows after 1 pages"), "{error}");
}

#[test]
fn how_many_pages_follow_is_told_by_the_rows_that_are_left_and_the_size_of_the_last_page() {
    let mut pager = Pager::new(ELEMENTS);
    let mut users = 0;
    let mut last_known = |rows, total| {
        let page = page(rows, total);
        users += rows as u64;
        pager.after(&page, users, None).unwrap();
        pager.last_known(&page)
    };
    assert_eq!(last_known(50, Some(201)), 5);
    assert_eq!(last_known(100, Some(201)), 3);
    assert_eq!(last_known(10, None), 8);
    assert_eq!(last_known(1, Some(163)), 6);
}

#[test]
fn a_listing_that_says_it_is_too_large_fails_at_its_first_page() {
    fails(
        &[(100, Some(1001))],
        "the listing has 1001 rows, at most 1000 are allowed",
    );
}

#[test]
fn a_listing_that_never_ends_is_cut_off() {
    let large = Bounds {
        rows: 1_000_000,
        ..ELEMENTS
    };
    for (bounds, rows, pages) in [(ELEMENTS, 100, 11), (large, 1, 100_001)] {
        let mut pager = Pager::new(bounds);
        let failed_at = (1..1_000_000).find(|at| {
            pager
                .after(&page(rows, None), at * rows as u64, None)
                .is_err()
        });
        assert_eq!(failed_at, Some(pages));
    }
}

#[test]
fn a_link_leads_to_the_same_origin_only() {
    let base = "https://graph.avepoint.example/partner/x".parse().unwrap();
    let there = "https://graph.avepoint.example/partner/x?pageIndex=2";
    for link in [there, "?pageIndex=2"] {
        assert_eq!(within(&base, link).unwrap().as_str(), there);
    }
    for link in [
        "https://evil.example/partner/x",
        "//evil.example/",
        "http://graph.avepoint.example/partner/x",
        "https://graph.avepoint.example:8443/x",
        "https://a@graph.avepoint.example/x",
        "file:///etc/passwd",
        "https://",
    ] {
        assert_eq!(
            within(&base, link).unwrap_err().reason(),
            Reason::Refused,
            "{link}"
        );
    }
}

#[test]
fn a_link_that_no_request_can_have_is_refused_at_once() {
    // The address of 65,534 bytes is the longest that the HTTP library takes.
    let base: Url = "https://graph.avepoint.example/x".parse().unwrap();
    let link = |bytes: usize| format!("?{}", "a".repeat(bytes - base.as_str().len() - 1));
    assert!(within(&base, &link(65_534)).is_ok());
    for bytes in [65_535, 70_000, 10_000_000] {
        let cause = within(&base, &link(bytes)).unwrap_err();
        assert_eq!(cause.reason(), Reason::Limit, "{bytes}");
        assert!(
            cause.to_string().contains(&format!(" {bytes} bytes")),
            "{cause}"
        );
    }
    // Three bytes for each, once they are written as a URL.
    let spaces = format!("?a={}b", " ".repeat(30_000));
    assert_eq!(within(&base, &spaces).unwrap_err().reason(), Reason::Limit);
}

/// A service with rows 0, 1, 2 and so on, and with habits of its own.
#[derive(Debug, Clone)]
struct Service {
    rows: usize,
    /// Rows of its pages, if it does not do as asked.
    clamp: Option<usize>,
    says_size: Option<u64>,
    total: Total,
    /// Whether every index gives the first page, or one beyond the end the last.
    index: Index,
    links: Links,
    /// Pages that are empty, or hold what the page before holds.
    lost: BTreeSet<usize>,
    repeated: BTreeSet<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Total {
    None,
    True,
    /// Of the page.
    Page,
    /// The true one, but at most this.
    Capped(u64),
    Lie(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Index {
    Heeded,
    Ignored,
    Clamped,
    /// A page beyond the end is refused.
    Refused,
}

#[derive(Debug, Clone, Copy)]
enum Links {
    None,
    /// Each page but the last links to the next.
    All,
    /// Up to this page.
    Until(usize),
    /// The page links back to that one.
    Circle(usize, usize),
    /// Each page has a link that was never seen before, to the same page.
    Fresh,
}

impl Service {
    const ASKED: usize = 10;

    fn size(&self) -> usize {
        self.clamp.unwrap_or(Self::ASKED)
    }

    fn pages(&self) -> usize {
        self.rows.div_ceil(self.size()).max(1)
    }

    /// The rows of a page, counted from 1.
    fn page(&self, at: usize) -> Vec<usize> {
        let at = match self.index {
            Index::Ignored => 1,
            Index::Clamped => at.min(self.pages()),
            _ => at,
        };
        let at = if self.repeated.contains(&at) {
            at - 1
        } else {
            at
        };
        if self.lost.contains(&at) {
            return Vec::new();
        }
        let first = (at - 1) * self.size();
        (first.min(self.rows)..(first + self.size()).min(self.rows)).collect()
    }

    fn total_of(&self, page: &[usize]) -> Option<u64> {
        match self.total {
            Total::None => None,
            Total::True => Some(self.rows as u64),
            Total::Page => Some(page.len() as u64),
            Total::Capped(most) => Some(most.min(self.rows as u64)),
            Total::Lie(total) => Some(total),
        }
    }

    /// The page that one links to, and what the link is called.
    fn link_of(&self, at: usize, asked: usize) -> Option<(usize, String)> {
        let next = (at < self.pages()).then(|| (at + 1, (at + 1).to_string()));
        match self.links {
            Links::None => None,
            Links::Until(last) => next.filter(|_| at <= last),
            Links::Circle(from, to) if from == at => Some((to, to.to_string())),
            Links::All | Links::Circle(..) => next,
            Links::Fresh => Some((at, format!("fresh-{asked}"))),
        }
    }

    /// All rows of the pages that its links lead to, from the first page on.
    fn links_to(&self) -> BTreeSet<usize> {
        let (mut all, mut at) = (BTreeSet::new(), Some(1));
        for asked in 1..=self.pages() {
            let Some(page) = at else { break };
            all.extend(self.page(page));
            at = self.link_of(page, asked).map(|(to, _)| to);
        }
        all
    }

    /// All rows that it ever gives to somebody who asks for its pages until one is empty, or until there are no more
    /// links.
    fn gives(&self) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for at in 1..=self.pages() {
            all.extend(self.page(at));
        }
        all
    }
}

fn service() -> impl Strategy<Value = Service> {
    let total = prop_oneof![
        Just(Total::None),
        Just(Total::True),
        Just(Total::Page),
        (1_u64..60).prop_map(Total::Capped),
        (0_u64..150).prop_map(Total::Lie),
    ];
    let index = prop_oneof![
        4 => Just(Index::Heeded),
        1 => Just(Index::Ignored),
        1 => Just(Index::Clamped),
        1 => Just(Index::Refused),
    ];
    let links = prop_oneof![
        4 => Just(Links::None),
        1 => Just(Links::All),
        1 => (0_usize..12).prop_map(Links::Until),
        1 => (1_usize..12, 1_usize..12).prop_map(|(from, to)| Links::Circle(from, to.min(from))),
        1 => Just(Links::Fresh),
    ];
    let some_pages = || prop::collection::btree_set(2_usize..12, 0..2);
    (
        0_usize..100,
        prop::option::of(1_usize..25),
        prop::option::of(prop_oneof![Just(10_u64), 0..200_u64]),
        total,
        index,
        links,
        some_pages(),
        some_pages(),
    )
        .prop_map(
            |(rows, clamp, size, total, index, links, lost, repeated)| Service {
                rows,
                clamp,
                says_size: size,
                total,
                index,
                links,
                lost,
                repeated,
            },
        )
}

/// What came of reading a listing.
#[derive(Debug)]
struct Read {
    users: BTreeSet<usize>,
    rows: u64,
    requests: usize,
    ended: Result<(), Cause>,
    last: Option<u64>,
    last_rows: u64,
    last_is_new: bool,
    /// Whether there were ever as many rows as the page said that there are.
    is_reached: bool,
}

fn read(service: &Service) -> Read {
    read_within(ELEMENTS, service)
}

fn read_within(bounds: Bounds, service: &Service) -> Read {
    let mut pager = Pager::new(Bounds {
        page_size: Service::ASKED as u64,
        ..bounds
    });
    let mut read = Read {
        users: BTreeSet::new(),
        rows: 0,
        requests: 0,
        ended: Ok(()),
        last: None,
        last_rows: 0,
        last_is_new: false,
        is_reached: false,
    };
    let mut place = Some(Place::Index(1));
    while let Some(now) = place {
        read.requests += 1;
        let at = match &now {
            Place::Index(at) | Place::Beyond(at) => usize::try_from(*at).unwrap(),
            Place::Link { url, .. } => url.query().unwrap().parse().unwrap(),
        };
        let mut rows = service.page(at);
        if service.index == Index::Refused && at > service.pages() {
            if !matches!(now, Place::Beyond(_)) {
                read.ended = Err(Cause::NotFound);
                return read;
            }
            rows = Vec::new();
        }
        read.rows += rows.len() as u64;
        read.last_rows = rows.len() as u64;
        let before = read.users.len();
        read.users.extend(&rows);
        read.last_is_new = read.users.len() > before;
        read.last = service.total_of(&rows);
        read.is_reached |= read.last == Some(read.rows);
        let to = service.link_of(at, read.requests);
        let to = to.map(|(to, name)| link(&format!("{name}?{to}")));
        let page = Page {
            total: read.last,
            size: service.says_size,
            ..Page::of(rows)
        };
        match pager.after(&page, read.users.len() as u64, to) {
            Ok(next) => place = next,
            Err(cause) => {
                read.ended = Err(cause);
                return read;
            }
        }
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_service_does_its_listing_is_read_whole_or_fails(service in service()) {
        let read = read(&service);
        prop_assert!(read.requests <= service.pages() + 10, "{} requests", read.requests);
        if read.ended.is_ok() {
            let missing = service.gives().difference(&read.users).count();
            // A total that the rows reach is believed, once a page is not full or brings nobody new.
            let fits = read.is_reached && (!read.last_is_new || read.last_rows < Service::ASKED as u64);
            // So many rows can have moved to pages that were read before.
            let page = FEW.max(service.size().max(Service::ASKED) as u64);
            let moved = read.last.is_some_and(|total| total >= read.rows && total - read.rows <= page);
            // Without a total nothing tells a lost page from the end, nor a repeated one that is not full.
            let full = service.says_size.filter(|size| *size > 0).unwrap_or(Service::ASKED as u64);
            let is_end = read.last_rows == 0 || (!read.last_is_new && read.last_rows < full);
            // A service that links to its pages need not know an index: what it repeats is nothing.
            let is_beyond_links = !matches!(service.links, Links::None) && !service.repeated.is_empty();
            prop_assert!(
                missing == 0 || fits || moved || is_end || is_beyond_links,
                "{missing} are missing: {service:?} {read:?}"
            );
        }
    }

    #[test]
    fn a_listing_that_is_read_by_links_alone_is_read_as_far_as_they_lead_or_fails(service in service()) {
        let links = Bounds { has_index: false, ..ELEMENTS };
        let read = read_within(links, &service);
        prop_assert!(read.requests <= service.pages() + 10, "{} requests", read.requests);
        if read.ended.is_ok() {
            prop_assert_eq!(&read.users, &service.links_to());
            let page = FEW.max(service.size().max(Service::ASKED) as u64);
            let promised = read.last.filter(|total| *total >= read.rows);
            prop_assert!(promised.is_none_or(|total| total - read.rows <= page), "{service:?} {read:?}");
        }
    }

    #[test]
    fn where_totals_are_ignored_a_listing_is_read_as_if_there_were_none(service in service(), by_links in any::<bool>()) {
        let bounds = Bounds { has_index: !by_links, ..ELEMENTS };
        let ignoring = read_within(Bounds { ignores_totals: true, ..bounds }, &service);
        let silent = read_within(bounds, &Service { total: Total::None, ..service });
        prop_assert_eq!(ignoring.users, silent.users);
        prop_assert_eq!(ignoring.requests, silent.requests);
        let [ignoring, silent] = [ignoring.ended, silent.ended].map(|ended| ended.err().map(|cause| cause.to_string()));
        prop_assert_eq!(ignoring, silent);
    }

    #[test]
    fn an_honest_service_is_read_whole(
        rows in 0_usize..100,
        clamp in prop::option::of(1_usize..=10),
        size in any::<bool>(),
        total in prop_oneof![Just(Total::None), Just(Total::True), Just(Total::Page), Just(Total::Lie(0))],
        index in prop_oneof![Just(Index::Heeded), Just(Index::Clamped)],
        links in prop_oneof![Just(Links::None), Just(Links::All)],
    ) {
        let service = Service {
            rows,
            clamp,
            // Otherwise a page that has as many rows as it says that there are would be the last.
            says_size: (size || matches!(total, Total::Page)).then_some(clamp.unwrap_or(Service::ASKED) as u64),
            total,
            index,
            links,
            lost: BTreeSet::new(),
            repeated: BTreeSet::new(),
        };
        let read = read(&service);
        // Without any figure a repeated full page cannot be told from an index that is ignored.
        if index != Index::Clamped || read.ended.is_ok() {
            prop_assert!(read.ended.is_ok(), "{read:?}");
            prop_assert_eq!(read.users, service.gives());
        }
    }
}
