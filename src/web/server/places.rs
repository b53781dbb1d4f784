//! How many may be connected at once, and who leaves when one more comes.
//!
//! The places are taken by whoever connects. When they are all taken, the one that has kept us waiting
//! longest gives its place to the new one. Bytes of a request that does not end are no sign of life: only
//! a handshake, a whole request and an answer that is being taken are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

/// Two Prometheus servers, a browser and a probe need a handful. The others are for clients that are
/// slow or silent, so that an honest one has time to ask before its place is needed.
pub const PLACES: usize = 128;

/// Pages that are open, beside those.
pub const FOLLOWERS: usize = 64;

/// Whoever has just connected may be about to ask: for so long a new one waits in the port's own queue.
pub const GRACE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub struct Places {
    taken: Mutex<Taken>,
    /// Somebody left, or became one who can be made to leave.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    places: Vec<Taker>,
    next_id: u64,
}

#[derive(Debug)]
struct Taker {
    id: u64,
    waiting: Waiting,
    evict: oneshot::Sender<()>,
}

/// Who has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    ForClient {
        since: Instant,
    },
    ForUs,
    /// A page that follows the run, which takes no place of who asks once.
    Follows,
}

/// What a new connection gets.
#[derive(Debug)]
pub enum Offer {
    Place(Place, Evicted),
    /// Nobody has been silent long enough; somebody will have been then, if it is known when.
    NotBefore(Option<Instant>),
}

/// Comes when somebody else needs the place.
pub type Evicted = oneshot::Receiver<()>;

impl Places {
    pub fn offer(self: &Arc<Places>, now: Instant) -> Offer {
        let mut taken = self.taken();
        let is_asker = |taker: &&Taker| taker.waiting != Waiting::Follows;
        if taken.places.iter().filter(is_asker).count() >= PLACES {
            let Some((index, since)) = taken.longest_silent() else {
                return Offer::NotBefore(None);
            };
            if now < since + GRACE {
                return Offer::NotBefore(Some(since + GRACE));
            }
            // Its connection may be over at this moment and not hear it.
            let _ = taken.places.swap_remove(index).evict.send(());
        }
        let (evict, evicted) = oneshot::channel();
        let id = taken.next_id;
        taken.next_id += 1;
        taken.places.push(Taker { id, waiting: Waiting::ForClient { since: now }, evict });
        Offer::Place(Place { id, places: Arc::clone(self) }, evicted)
    }

    /// The next offer may be another one.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn set(&self, id: u64, waiting: Waiting) {
        let mut taken = self.taken();
        let taker = taken.places.iter_mut().find(|taker| taker.id == id);
        if let Some(taker) = taker.filter(|taker| taker.waiting != Waiting::Follows) {
            let was_ours = taker.waiting == Waiting::ForUs;
            taker.waiting = waiting;
            drop(taken);
            if was_ours {
                self.changed.notify_one();
            }
        }
    }

    /// Of those that follow, the first one gives way where they are too many: it comes again.
    fn follow(&self, id: u64) {
        self.set(id, Waiting::Follows);
        let mut taken = self.taken();
        let mut following: Vec<(u64, usize)> = (taken.places.iter().enumerate())
            .filter(|(_, taker)| taker.waiting == Waiting::Follows)
            .map(|(index, taker)| (taker.id, index))
            .collect();
        following.sort_unstable();
        if let Some((_, first)) = following.first().filter(|_| following.len() > FOLLOWERS) {
            let _ = taken.places.swap_remove(*first).evict.send(());
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn longest_silent(&self) -> Option<(usize, Instant)> {
        let waiting = self.places.iter().enumerate();
        let silent = waiting.filter_map(|(index, taker)| match taker.waiting {
            Waiting::ForClient { since } => Some((index, since)),
            Waiting::ForUs | Waiting::Follows => None,
        });
        silent.min_by_key(|(_, since)| *since)
    }
}

/// A place, free again when dropped.
#[derive(Debug)]
pub struct Place {
    id: u64,
    places: Arc<Places>,
}

impl Place {
    /// The client did something worth waiting for, and has to do the next thing.
    pub fn heard(&self) {
        self.places.set(self.id, Waiting::ForClient { since: Instant::now() });
    }

    /// A whole request is there: now it is for us to answer.
    pub fn asked(&self) {
        self.places.set(self.id, Waiting::ForUs);
    }

    /// From now on it is sent what is new, until it goes.
    pub fn follow(&self) {
        self.places.follow(self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().places.retain(|taker| taker.id != self.id);
        self.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn place(offer: Offer) -> (Place, Evicted) {
        match offer {
            Offer::Place(place, evicted) => (place, evicted),
            Offer::NotBefore(_) => panic!("there is no place"),
        }
    }

    fn full(places: &Arc<Places>, start: Instant) -> Vec<(Place, Evicted)> {
        let at = |number| start + Duration::from_millis(number as u64);
        (0..PLACES).map(|number| place(places.offer(at(number)))).collect()
    }

    #[test]
    fn the_one_that_was_silent_longest_gives_way() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let mut all = full(&places, start);
        let (_new, _) = place(places.offer(start + GRACE + GRACE));
        let evicted: Vec<bool> = all.iter_mut().map(|(_, is)| is.try_recv().is_ok()).collect();
        assert!(evicted[0] && evicted[1..].iter().all(|is| !is), "{evicted:?}");
    }

    #[test]
    fn nobody_gives_way_within_the_grace() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let all = full(&places, start);
        let Offer::NotBefore(Some(then)) = places.offer(start + GRACE / 2) else { panic!() };
        assert_eq!(then, start + GRACE);
        drop(all);
        place(places.offer(start));
    }

    #[test]
    fn whoever_waits_for_us_keeps_the_place() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let all = full(&places, start);
        all.iter().for_each(|(place, _)| place.asked());
        let late = start + Duration::from_secs(60);
        assert!(matches!(places.offer(late), Offer::NotBefore(None)));
        all[7].0.heard();
        let Offer::Place(..) = places.offer(late) else { panic!() };
    }

    #[test]
    fn a_place_that_was_given_away_frees_no_other() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let mut all = full(&places, start);
        let _new = place(places.offer(start + GRACE + GRACE));
        drop(all.remove(0));
        assert!(matches!(places.offer(start), Offer::NotBefore(Some(_))));
    }

    #[test]
    fn pages_take_no_place_of_scrapes_and_the_oldest_gives_way() {
        let (places, start) = (Arc::new(Places::default()), Instant::now());
        let follow = |_| {
            let (page, evicted) = place(places.offer(start));
            page.asked();
            page.follow();
            // It is a page whatever is written to it.
            page.heard();
            (page, evicted)
        };
        let mut pages: Vec<_> = (0..FOLLOWERS).map(follow).collect();
        let scrapes = full(&places, start);
        assert!(matches!(places.offer(start), Offer::NotBefore(Some(_))));
        drop(scrapes);
        assert!(pages.iter_mut().all(|(_, evicted)| evicted.try_recv().is_err()));
        let _one_more = follow(FOLLOWERS);
        let evicted: Vec<bool> = pages.iter_mut().map(|(_, is)| is.try_recv().is_ok()).collect();
        assert!(evicted[0] && evicted[1..].iter().all(|is| !is), "{evicted:?}");
    }
}
