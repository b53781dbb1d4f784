//! Keeps segments apart that hold the same key: the later one starts when the earlier one is
//! settled, so that a table ends as if rows had come one at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

/// Keys of the segments that were let through and are not settled.
#[derive(Default)]
pub struct KeysInFlight {
    /// Ascending, by ticket. A lane has few segments, so there are few of these.
    by_ticket: Mutex<BTreeMap<u64, Arc<[u64]>>>,
    changed: Notify,
}

impl KeysInFlight {
    /// Waits until no segment in flight shares a key with this one, and adds it.
    pub async fn enter(&self, ticket: u64, keys: Vec<u64>) {
        if keys.is_empty() {
            return;
        }
        let keys: Arc<[u64]> = keys.into();
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            if self.try_enter(ticket, &keys) {
                return;
            }
            changed.await;
        }
    }

    pub fn leave(&self, ticket: u64) {
        if self.lock().remove(&ticket).is_some() {
            self.changed.notify_waiters();
        }
    }

    fn try_enter(&self, ticket: u64, keys: &Arc<[u64]>) -> bool {
        let mut by_ticket = self.lock();
        let is_free = by_ticket.values().all(|others| !have_common(others, keys));
        if is_free {
            by_ticket.insert(ticket, Arc::clone(keys));
        }
        is_free
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<[u64]>>> {
        self.by_ticket.lock().expect("nobody panics while holding the keys")
    }
}

/// Whether two ascending lists share a value.
fn have_common(one: &[u64], other: &[u64]) -> bool {
    let (mut one, mut other) = (one, other);
    while let (Some(&first), Some(&second)) = (one.first(), other.first()) {
        match first.cmp(&second) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => one = &one[1..],
            std::cmp::Ordering::Greater => other = &other[1..],
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn common_values_are_found(
            mut one in proptest::collection::vec(0_u64..50, 0..10),
            mut other in proptest::collection::vec(0_u64..50, 0..10),
        ) {
            one.sort_unstable();
            other.sort_unstable();
            let expected = one.iter().any(|value| other.contains(value));
            prop_assert_eq!(have_common(&one, &other), expected);
        }
    }

    #[tokio::test]
    async fn a_segment_waits_for_the_one_that_holds_its_key() {
        let keys = Arc::new(KeysInFlight::default());
        keys.enter(0, vec![1, 5]).await;
        keys.enter(1, vec![2, 6]).await;
        let mut third = Box::pin(keys.enter(2, vec![3, 5]));
        assert!(futures_pending(&mut third).await);
        keys.leave(1);
        assert!(futures_pending(&mut third).await);
        keys.leave(0);
        third.await;
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            let is_pending = std::pin::Pin::new(&mut *future).poll(context).is_pending();
            std::task::Poll::Ready(is_pending)
        })
        .await
    }
}
