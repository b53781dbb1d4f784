//! Who may ask: basic authentication with bcrypt, as the exporters of Prometheus have it.
//!
//! Checking a password is made to take long. So it is done on a thread of its own, one at a time and in the
//! order in which they came; what was right once, and what was wrong lately, is known and costs nothing. Until a
//! scraper is known it waits for those before it, of whom no address can have more than a part.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// They fit the places that there are. More would wait longer than a scrape lasts.
const WAITING_MAX: usize = 96;
const WAITING_OF_ADDRESS_MAX: usize = 48;
/// Wrong ones that are remembered: misconfigured clients say the same again and again.
const WRONG_MAX: usize = 64;
const COST_MIN: u32 = 4;
/// Salt and hash for a name that nobody has: it takes as long as one that somebody has.
const NOBODY: &str = "abcdefghijklmnopqrstuuIhK6FG1rgNMd5jqj5xWbp2yjaSs16bq";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    Refused,
    /// Too many others wait for an answer.
    Busy,
}

pub struct Users {
    hashes: HashMap<String, String>,
    nobody: String,
    /// For tags of credentials, so that no password stays in memory.
    key: hmac::Key,
    known: Mutex<Known>,
    waiting: Mutex<HashMap<IpAddr, usize>>,
    /// Held by the one that is checked.
    checking: Arc<Semaphore>,
}

#[derive(Default)]
struct Known {
    /// By user.
    right: HashMap<String, hmac::Tag>,
    wrong: VecDeque<hmac::Tag>,
}

impl Users {
    pub fn new(hashes: HashMap<String, String>) -> Option<Users> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let costs = hashes.values().filter_map(|hash| hash.parse::<HashParts>().ok());
        let cost = costs.map(|parts| parts.get_cost()).max().unwrap_or(COST_MIN);
        Some(Users {
            nobody: format!("$2b${cost:02}${NOBODY}"),
            hashes,
            key,
            known: Mutex::default(),
            waiting: Mutex::default(),
            checking: Arc::new(Semaphore::new(1)),
        })
    }

    /// `authorization` is what the header says, if there is exactly one.
    pub async fn admit(&self, from: IpAddr, authorization: Option<&str>) -> Admission {
        let Some(Credentials { user, password }) = authorization.and_then(Credentials::parse)
        else {
            return Admission::Refused;
        };
        // Names and passwords hold any byte but names no colon, as the header has it.
        let tagged = format!("{user}:{password}").into_bytes();
        if let Some(known) = self.known(&user, &tagged) {
            return known;
        }
        let Some(_waiting) = self.wait(from) else { return Admission::Busy };
        let Ok(checking) = Arc::clone(&self.checking).acquire_owned().await else {
            return Admission::Busy;
        };
        // Somebody before may have said the same.
        if let Some(known) = self.known(&user, &tagged) {
            return known;
        }
        let is_somebody = self.hashes.contains_key(&user);
        let hash = self.hashes.get(&user).unwrap_or(&self.nobody).clone();
        let checked = spawn_blocking(move || {
            // It is held until the work is done, also where nobody waits for it any more.
            let _checking = checking;
            bcrypt::verify(password.as_bytes(), &hash).unwrap_or(false)
        });
        let is_right = checked.await.unwrap_or(false) && is_somebody;
        self.learn(user, &tagged, is_right);
        if is_right { Admission::Admitted } else { Admission::Refused }
    }

    fn wait(&self, from: IpAddr) -> Option<Waiting<'_>> {
        let from = neighbourhood(from);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = waiting.values().sum();
        let of_address = waiting.entry(from).or_default();
        if all >= WAITING_MAX || *of_address >= WAITING_OF_ADDRESS_MAX {
            return None;
        }
        *of_address += 1;
        Some(Waiting { users: self, from })
    }

    fn known(&self, user: &str, tagged: &[u8]) -> Option<Admission> {
        let is = |tag: &hmac::Tag| hmac::verify(&self.key, tagged, tag.as_ref()).is_ok();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.right.get(user).is_some_and(is) {
            return Some(Admission::Admitted);
        }
        known.wrong.iter().any(is).then_some(Admission::Refused)
    }

    fn learn(&self, user: String, tagged: &[u8], is_right: bool) {
        let tag = hmac::sign(&self.key, tagged);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if is_right {
            known.right.insert(user, tag);
        } else {
            known.wrong.push_back(tag);
            if known.wrong.len() > WRONG_MAX {
                known.wrong.pop_front();
            }
        }
    }
}

/// One who waits or is checked.
struct Waiting<'a> {
    users: &'a Users,
    from: IpAddr,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.users.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.from) {
            *count -= 1;
        }
        waiting.retain(|_, count| *count > 0);
    }
}

/// Whoever has one address of IPv6 has all those that begin alike.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    fn parse(authorization: &str) -> Option<Credentials> {
        let (scheme, encoded) = authorization.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Credentials { user: user.to_string(), password: password.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn users() -> Users {
        let hashes = [("a", "one"), ("b", "two:three")]
            .map(|(user, password)| (user.to_string(), bcrypt::hash(password, 4).unwrap()));
        Users::new(HashMap::from(hashes)).unwrap()
    }

    fn basic(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[tokio::test]
    async fn right_passwords_are_admitted_and_no_others() {
        let users = users();
        // Twice, because the second time they are known.
        for _ in 0..2 {
            for right in ["a:one", "b:two:three"] {
                assert_eq!(
                    users.admit(HERE, Some(&basic(right))).await,
                    Admission::Admitted,
                    "{right}"
                );
            }
            for wrong in ["a:two:three", "a:", "a", ":one", "", "c:one", "A:one", "a:one\n"] {
                assert_eq!(
                    users.admit(HERE, Some(&basic(wrong))).await,
                    Admission::Refused,
                    "{wrong}"
                );
            }
            for header in [None, Some(""), Some("Basic"), Some("Bearer YTpvbmU="), Some("Basic %")]
            {
                assert_eq!(users.admit(HERE, header).await, Admission::Refused, "{header:?}");
            }
        }
        assert_eq!(users.admit(HERE, Some("bASIC YTpvbmU=")).await, Admission::Admitted);
    }

    #[tokio::test]
    async fn a_right_one_is_not_held_up_by_wrong_ones() {
        let users = Arc::new(users());
        assert_eq!(users.admit(HERE, Some(&basic("a:one"))).await, Admission::Admitted);
        // Nobody can be checked now.
        let checking = Arc::clone(&users.checking).acquire_owned().await.unwrap();
        let ask = |from: IpAddr, said: String| {
            let users = Arc::clone(&users);
            tokio::spawn(async move { users.admit(from, Some(&basic(&said))).await })
        };
        let wrong: Vec<_> =
            (0..WAITING_OF_ADDRESS_MAX).map(|number| ask(HERE, format!("a:{number}"))).collect();
        let waiting = || users.waiting.lock().unwrap().values().sum::<usize>();
        while waiting() < WAITING_OF_ADDRESS_MAX {
            tokio::task::yield_now().await;
        }
        // Nor waited for, of this address; one that is known does not wait.
        assert_eq!(ask(HERE, "a:another".to_string()).await.unwrap(), Admission::Busy);
        assert_eq!(ask(HERE, "a:one".to_string()).await.unwrap(), Admission::Admitted);
        let other = ask(IpAddr::from([192, 0, 2, 1]), "b:two:three".to_string());
        while waiting() == WAITING_OF_ADDRESS_MAX {
            tokio::task::yield_now().await;
        }
        drop(checking);
        for wrong in wrong {
            assert_eq!(wrong.await.unwrap(), Admission::Refused);
        }
        assert_eq!(other.await.unwrap(), Admission::Admitted);
        assert!(users.waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn addresses_that_begin_alike_are_one() {
        let of = |address: &str| neighbourhood(address.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }

    #[tokio::test]
    async fn wrong_ones_are_remembered_within_bounds() {
        let users = users();
        for number in 0..WRONG_MAX + 8 {
            users.admit(HERE, Some(&basic(&format!("a:{number}")))).await;
        }
        let known = users.known.lock().unwrap();
        assert_eq!((known.wrong.len(), known.right.len()), (WRONG_MAX, 0));
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(bcrypt::verify("", &users().nobody).is_ok_and(|is_right| !is_right));
    }
}
