//! Reading the pages of a listing in their order, while some of those that follow are under way already.

use std::pin::pin;

use futures_util::stream::{FuturesOrdered, StreamExt as _};

use super::paging::Place;

/// What to do after a page.
#[derive(Debug)]
pub(super) struct Step {
    /// Where the listing continues; `None` at its end.
    pub(super) next: Option<Place>,
    /// The index of the last page that the listing is known to have.
    pub(super) last: u64,
}

/// Reads pages until the listing ends, and hands each to `take`, in order, which says where it continues. Up to
/// `at_once` of the pages that the listing is known to have are fetched at once. The result is the same as with one
/// page after another: a page that was requested ahead is used if the listing continues there, and else dropped unread.
///
/// # Errors
/// The first error in the order of the pages, of fetching or of taking.
pub(super) async fn read_in_order<P, E, F: Future<Output = Result<P, E>>>(
    at_once: usize,
    first: Place,
    fetch: impl Fn(Place) -> F,
    mut take: impl FnMut(P) -> Result<Step, E>,
) -> Result<(), E> {
    let mut ahead = pin!(FuturesOrdered::new());
    let mut asked = 0;
    let mut step = Step {
        next: Some(first),
        last: 1,
    };
    while let Some(place) = step.next {
        let page = if let Place::Index(index) = place {
            if ahead.is_empty() {
                asked = index - 1;
            }
            let until = step.last.min(index + at_once as u64 - 1).max(index);
            while asked < until {
                asked += 1;
                ahead.push_back(fetch(Place::Index(asked)));
            }
            let Some(page) = ahead.next().await else {
                unreachable!("the page was requested")
            };
            page?
        } else {
            ahead.set(FuturesOrdered::new());
            fetch(place).await?
        };
        step = take(page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::upstream::api::Cause;
    use crate::upstream::api::paging::{Bounds, Page, Pager};

    /// What a service answers for a page.
    #[derive(Debug, Clone)]
    struct Answer {
        rows: usize,
        total: Option<u64>,
        /// The page that its link leads to, if it has one.
        link: Option<u64>,
        fails: bool,
        millis: u64,
    }

    fn answer() -> impl Strategy<Value = Answer> {
        let total = prop_oneof![Just(None), (0_u64..60).prop_map(Some), Just(Some(25))];
        let link = prop_oneof![9 => Just(None), 1 => (1_u64..12).prop_map(Some)];
        (
            0_usize..8,
            total,
            link,
            prop::bool::weighted(0.05),
            0_u64..100,
        )
            .prop_map(|(rows, total, link, fails, millis)| Answer {
                rows,
                total,
                link,
                fails,
                millis,
            })
    }

    /// A request, until it ends or is given up.
    struct UnderWay<'a>(&'a Cell<usize>);

    impl<'a> UnderWay<'a> {
        fn begin(count: &'a Cell<usize>) -> Self {
            count.set(count.get() + 1);
            Self(count)
        }
    }

    impl Drop for UnderWay<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    /// How the listing of these answers is read: the pages that were taken, how it ended, the most requests that
    /// were under way at once, and how many there were.
    async fn read(answers: &[Answer], at_once: usize) -> (Vec<u64>, String, usize, usize) {
        let mut pager = Pager::new(Bounds {
            page_size: 10,
            has_index: true,
            rows: 1000,
            ignores_totals: false,
        });
        let mut users = 0;
        let taken = RefCell::new(Vec::new());
        let (under_way, most, requests) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let fetch = |place: Place| {
            let (under_way, most, requests) = (&under_way, &most, &requests);
            async move {
                let index = match place {
                    Place::Index(index) | Place::Beyond(index) => index,
                    Place::Link { url, .. } => url.fragment().unwrap().parse().unwrap(),
                };
                let _under_way = UnderWay::begin(under_way);
                most.set(most.get().max(under_way.get()));
                requests.set(requests.get() + 1);
                let place = usize::try_from(index - 1).unwrap() % answers.len();
                let answer = &answers[place];
                tokio::time::sleep(Duration::from_millis(answer.millis)).await;
                if answer.fails {
                    return Err(format!("page {index} failed"));
                }
                Ok((index, answer))
            }
        };
        let ended = read_in_order(at_once, Place::Index(1), fetch, |(index, answer)| {
            taken.borrow_mut().push(index);
            if taken.borrow().len() > 200 {
                return Err("in a circle".to_owned());
            }
            let page = Page {
                total: answer.total,
                ..Page::of(vec![(); answer.rows])
            };
            users += answer.rows as u64;
            let link = answer.link.map(|to| Place::Link {
                url: format!("https://graph.avepoint.example/x#{to}")
                    .parse()
                    .unwrap(),
                token: None,
            });
            let next = pager
                .after(&page, users, link)
                .map_err(|cause: Cause| cause.to_string())?;
            Ok(Step {
                next,
                last: pager.last_known(&page),
            })
        })
        .await;
        (
            taken.into_inner(),
            format!("{ended:?}"),
            most.get(),
            requests.get(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_read_is_the_same_however_many_are_asked_for_at_once(
            answers in prop::collection::vec(answer(), 1..12),
            at_once in 2_usize..6,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let (taken, ended, ..) = runtime.block_on(read(&answers, 1));
            let ahead = runtime.block_on(read(&answers, at_once));
            prop_assert_eq!((taken, ended), (ahead.0, ahead.1));
            prop_assert!(ahead.2 <= at_once);
        }
    }

    fn plain(pages: usize, rows: usize) -> Vec<Answer> {
        let answer = Answer {
            rows,
            total: Some((pages * rows) as u64),
            link: None,
            fails: false,
            millis: 10,
        };
        vec![answer; pages]
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_under_way_as_allowed_once_the_first_has_told_how_many_rows_there_are() {
        let start = tokio::time::Instant::now();
        let (taken, ended, most, requests) = read(&plain(9, 5), 4).await;
        assert_eq!(taken, (1..=9).collect::<Vec<_>>());
        assert_eq!(ended, "Ok(())");
        assert_eq!((most, requests), (4, 9));
        // The first alone, then two rounds of four.
        assert_eq!(start.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_that_does_not_say_how_long_it_is_is_read_page_by_page() {
        let mut answers = plain(5, 5);
        for answer in &mut answers {
            answer.total = None;
        }
        answers[4].rows = 0;
        let (taken, _, most, requests) = read(&answers, 4).await;
        assert_eq!((taken.len(), most, requests), (5, 1, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn no_page_is_asked_for_that_the_listing_is_not_known_to_have() {
        for pages in 1..8 {
            let (taken, _, _, requests) = read(&plain(pages, 3), 4).await;
            assert_eq!((taken.len(), requests), (pages, pages));
        }
    }
}
