//! Which connections are open, what each is waiting for, and which one has to go: it has sent no complete head for too
//! long, or it does not read its answer, or its place is needed by another.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::Limits;

/// A reader that has taken nothing for so long is cut off if its place is needed. With what the kernel keeps for it, one
/// that takes 200 kB a second is seen to take something in this time.
const STALLED: Duration = Duration::from_millis(500);

/// Between two looks for a place among the large answers.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The most requests that wait for such a place.
const MOST_WAITING: usize = 1024;

/// The most readers that are cut off at each of these looks.
const CUT_AT_ONCE: usize = 64;

/// Between two log lines about connections that had to go for others.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// All open connections.
#[derive(Debug)]
pub(super) struct Traffic {
    limits: Limits,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    numbers: AtomicU64,
    displaced: Mutex<Displaced>,
    /// The requests that wait for a place among the large answers: their connections, and numbers of their own.
    waiting: Mutex<BTreeSet<(u64, u64)>>,
}

/// Connections that had to go for others, since the last log line.
#[derive(Debug, Default)]
struct Displaced {
    count: u64,
    logged_at: Option<Instant>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    /// Cancelled when it has to go.
    close: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When it was opened, or its last answer ended.
    waiting_since: Instant,
    /// Its answers under way.
    answers: Vec<Progress>,
    numbers: u64,
}

/// How far an answer is.
#[derive(Debug)]
struct Progress {
    number: u64,
    /// When its request came, or the client last took something of it.
    since: Instant,
    /// Whether it is being sent. Otherwise it is made, or its request waits.
    is_sent: bool,
}

/// The place of a connection among those that are open; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    traffic: Arc<Traffic>,
    pub(super) connection: Arc<Connection>,
}

/// A request that waits for a place among the large answers, until it has one or its client is gone.
struct Waiting<'a> {
    traffic: &'a Traffic,
    number: (u64, u64),
}

/// An answer under way; over when dropped.
#[derive(Debug)]
pub(super) struct Answer {
    connection: Arc<Connection>,
    number: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Traffic {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: Mutex::default(),
            numbers: AtomicU64::new(0),
            displaced: Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    /// Takes one of these places for large answers, for which readers that have stopped are cut off. The last connection
    /// is served first: clients that do not read cannot make a queue before one that does. `None` after a while.
    pub(super) async fn take(
        &self,
        places: &Arc<Semaphore>,
        connection: &Connection,
    ) -> Option<OwnedSemaphorePermit> {
        if lock(&self.waiting).len() >= MOST_WAITING {
            return None;
        }
        let own = self.numbers.fetch_add(1, Ordering::Relaxed);
        let number = (connection.number, own);
        lock(&self.waiting).insert(number);
        let _waiting = Waiting {
            traffic: self,
            number,
        };
        let since = Instant::now();
        loop {
            let later = lock(&self.waiting).range(number..).count() - 1;
            if later < places.available_permits()
                && let Ok(place) = Arc::clone(places).try_acquire_owned()
            {
                return Some(place);
            }
            if since.elapsed() >= self.limits.place {
                return None;
            }
            // One for each place that the next ones need; more would only take time.
            if later < CUT_AT_ONCE {
                self.cut_off_one();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A place for a new connection. Where all are taken, the one that has waited longest for a complete head goes, else
    /// the one whose reader has stalled longest, else the one whose request has waited longest. `None` if all are being
    /// read.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let now = Instant::now();
        let mut open = lock(&self.open);
        if open.len() >= self.limits.connections {
            let longest = |since: fn(&Connection) -> Option<Instant>| {
                let all = open.values();
                all.filter_map(|one| Some((since(one)?, one.number))).min()
            };
            let stalled =
                || longest(Connection::stalled_since).filter(|(since, _)| now - *since >= STALLED);
            let (_, number) = longest(Connection::waiting_since)
                .or_else(stalled)
                .or_else(|| longest(Connection::asking_since))?;
            if let Some(gone) = open.remove(&number) {
                gone.close.cancel();
                self.note_displaced(now);
            }
        }
        let connection = Arc::new(Connection {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            close: CancellationToken::new(),
            state: Mutex::new(State {
                waiting_since: now,
                answers: Vec::new(),
                numbers: 0,
            }),
        });
        open.insert(connection.number, Arc::clone(&connection));
        Some(Place {
            traffic: Arc::clone(self),
            connection,
        })
    }

    /// Cuts off the reader that has stalled longest, if one has.
    fn cut_off_one(&self) {
        let now = Instant::now();
        let mut open = lock(&self.open);
        let stalled = open
            .values()
            .filter_map(|one| Some((one.stalled_since()?, one.number)));
        let longest = stalled.min().filter(|(since, _)| now - *since >= STALLED);
        // One that is cut off is not found again while it ends.
        if let Some(gone) = longest.and_then(|(_, number)| open.remove(&number)) {
            gone.close.cancel();
            self.note_displaced(now);
        }
    }

    /// Closes all connections that are overdue, again and again.
    pub(super) async fn sweep(&self) {
        let shortest = self.limits.head.min(self.limits.stall);
        let pause = (shortest / 10).clamp(Duration::from_millis(1), Duration::from_secs(1));
        loop {
            tokio::time::sleep(pause).await;
            let now = Instant::now();
            let is_over =
                |since: Option<Instant>, limit| since.is_some_and(|since| now - since >= limit);
            for one in lock(&self.open).values() {
                if is_over(one.waiting_since(), self.limits.head)
                    || is_over(one.stalled_since(), self.limits.stall)
                {
                    one.close.cancel();
                }
            }
        }
    }

    fn note_displaced(&self, now: Instant) {
        let mut displaced = lock(&self.displaced);
        displaced.count += 1;
        let is_due = displaced.logged_at.is_none_or(|at| now - at >= LOG_EVERY);
        if is_due {
            tracing::warn!(
                closed = displaced.count,
                "too many connections or stopped readers; closed those that waited longest"
            );
            *displaced = Displaced {
                count: 0,
                logged_at: Some(now),
            };
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.traffic.waiting).remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.traffic.open).remove(&self.connection.number);
    }
}

impl Connection {
    /// Ends when the connection has to go.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// A head is complete, so an answer begins.
    pub(super) fn begin(self: &Arc<Self>) -> Answer {
        let mut state = lock(&self.state);
        let number = state.numbers;
        state.numbers += 1;
        state.answers.push(Progress {
            number,
            since: Instant::now(),
            is_sent: false,
        });
        Answer {
            connection: Arc::clone(self),
            number,
        }
    }

    /// The client took something of the only answer.
    pub(super) fn moved(&self) {
        for answer in &mut lock(&self.state).answers {
            if answer.is_sent {
                answer.since = Instant::now();
            }
        }
    }

    /// Since when it waits for a complete head; `None` while it answers.
    fn waiting_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        state.answers.is_empty().then_some(state.waiting_since)
    }

    /// Since when the client has taken nothing of an answer; of several, of the one that stalled first.
    fn stalled_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        let sent = state.answers.iter().filter(|answer| answer.is_sent);
        sent.map(|answer| answer.since).min()
    }

    /// Since when its first request waits, if nothing is sent to it.
    fn asking_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        let answers = state.answers.iter();
        let is_idle = answers.clone().all(|answer| !answer.is_sent);
        answers.map(|answer| answer.since).min().filter(|_| is_idle)
    }
}

impl Answer {
    /// It is made, and something of it is taken.
    pub(super) fn moved(&self) {
        let mut state = lock(&self.connection.state);
        let mut answers = state.answers.iter_mut();
        if let Some(own) = answers.find(|answer| answer.number == self.number) {
            own.since = Instant::now();
            own.is_sent = true;
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = lock(&self.connection.state);
        state.answers.retain(|answer| answer.number != self.number);
        if state.answers.is_empty() {
            state.waiting_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_connection_gets_a_place_first_and_nobody_waits_for_ever() {
        let traffic = traffic(9);
        let places = Arc::new(Semaphore::new(1));
        let [busy, first, second] = [(), (), ()].map(|()| traffic.enter().unwrap());
        let taken = traffic.take(&places, &busy.connection).await.unwrap();
        let wait = |place: &Place| {
            let (traffic, places) = (Arc::clone(&traffic), Arc::clone(&places));
            let connection = Arc::clone(&place.connection);
            tokio::spawn(async move { traffic.take(&places, &connection).await })
        };
        let [second, first] = [&second, &first].map(wait);
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(taken);
        let place = second.await.unwrap();
        assert!(place.is_some());
        // Its connection is older, and there is no other place.
        assert!(first.await.unwrap().is_none());
        assert!(lock(&traffic.waiting).is_empty());
    }

    fn traffic(connections: usize) -> Arc<Traffic> {
        Traffic::new(Limits {
            connections,
            ..Limits::default()
        })
    }

    fn is_closed(place: &Place) -> bool {
        place.connection.close.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waited_longest_goes_for_another() {
        let traffic = traffic(2);
        let first = traffic.enter().unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = traffic.enter().unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(first.connection.begin());
        let _third = traffic.enter().unwrap();
        assert_eq!((is_closed(&first), is_closed(&second)), (false, true));
        assert_eq!(lock(&traffic.open).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_read_stays_unless_its_reader_stalls() {
        let traffic = traffic(2);
        let [first, second] = [(), ()].map(|()| traffic.enter().unwrap());
        let [read, sent] = [&first, &second].map(|place| place.connection.begin());
        read.moved();
        sent.moved();
        assert!(traffic.enter().is_none());
        tokio::time::advance(STALLED).await;
        read.moved();
        assert!(traffic.enter().is_some());
        assert_eq!((is_closed(&first), is_closed(&second)), (false, true));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_wait_cannot_keep_all_places() {
        let traffic = traffic(2);
        let first = traffic.enter().unwrap();
        let _asked = first.connection.begin();
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = traffic.enter().unwrap();
        let _asked_later = second.connection.begin();
        assert!(traffic.enter().is_some());
        assert_eq!((is_closed(&first), is_closed(&second)), (true, false));
    }

    #[tokio::test(start_paused = true)]
    async fn who_needs_a_place_cuts_off_the_longest_stalled_reader() {
        let traffic = traffic(3);
        let [slow, stopped] = [(), ()].map(|()| traffic.enter().unwrap());
        let answers = [&stopped, &slow].map(|place| {
            let answer = place.connection.begin();
            answer.moved();
            answer
        });
        traffic.cut_off_one();
        assert!(!is_closed(&stopped));
        tokio::time::advance(STALLED).await;
        slow.connection.moved();
        traffic.cut_off_one();
        assert_eq!((is_closed(&slow), is_closed(&stopped)), (false, true));
        drop(answers);
    }

    #[tokio::test(start_paused = true)]
    async fn overdue_connections_are_closed_and_no_others() {
        let traffic = traffic(9);
        let silent = traffic.enter().unwrap();
        let stopped = traffic.enter().unwrap();
        let stopped_answer = stopped.connection.begin();
        stopped_answer.moved();
        let made = traffic.enter().unwrap();
        let _made_answer = made.connection.begin();
        let sweeping = Arc::clone(&traffic);
        let sweeping = tokio::spawn(async move { sweeping.sweep().await });
        tokio::time::sleep(Duration::from_secs(9)).await;
        let lively = traffic.enter().unwrap();
        assert!(![&silent, &stopped, &made].into_iter().any(is_closed));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let closed = [&silent, &stopped, &made, &lively].map(is_closed);
        assert_eq!(closed, [true, true, false, false]);
        sweeping.abort();
    }
}
