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
    ForClient { since: Instant },
    ForUs,
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
        if taken.places.len() >= PLACES {
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
        if let Some(taker) = taken.places.iter_mut().find(|taker| taker.id == id) {
            let was_ours = taker.waiting == Waiting::ForUs;
            taker.waiting = waiting;
            drop(taken);
            if was_ours {
                self.changed.notify_one();
            }
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
            Waiting::ForUs => None,
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
}
