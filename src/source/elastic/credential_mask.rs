//! What is never shown of a server's own words: the credentials that it was asked with, in any form in
//! which it may repeat them. Pure.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::Auth;
use crate::error::Error;

/// What stands in their place.
const STARS: &[u8] = b"***";
/// Shorter ones are part of many words that mean nothing, so they are hidden as whole words only.
const CHARS_MIN: usize = 6;

#[derive(Default)]
pub struct CredentialMask {
    /// The longest first, because one may be part of another.
    words: Vec<Vec<u8>>,
}

impl CredentialMask {
    pub fn new<'a>(all: impl IntoIterator<Item = &'a Auth>) -> CredentialMask {
        let mut plain: Vec<String> = Vec::new();
        for auth in all {
            match auth {
                Auth::None => {}
                Auth::Basic { user, password } => {
                    plain.push(password.reveal().to_string());
                    plain.push(format!("{user}:{}", password.reveal()));
                }
                Auth::ApiKey(key) => plain.extend(key_parts(key.reveal().trim())),
                Auth::Bearer(token) => plain.push(token.reveal().trim().to_string()),
            }
        }
        plain.retain(|word| !word.is_empty());
        let mut words: Vec<Vec<u8>> = Vec::new();
        for word in &plain {
            words.push(word.clone().into_bytes());
            words.push(STANDARD_NO_PAD.encode(word).into_bytes());
            words.push(URL_SAFE_NO_PAD.encode(word).into_bytes());
            words.push(percent_encoded(word).into_bytes());
            words.push(in_json(word).into_bytes());
        }
        words.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.dedup();
        CredentialMask { words }
    }

    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    pub fn bytes(&self, text: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let begins = |word: &&Vec<u8>| text[at..].starts_with(word) && is_whole(text, at, word);
            match self.words.iter().find(begins) {
                Some(word) => {
                    shown.extend_from_slice(STARS);
                    at += word.len();
                }
                None => {
                    shown.push(text[at]);
                    at += 1;
                }
            }
        }
        shown
    }

    /// The same error in words that may be shown.
    pub fn error(&self, error: Error) -> Error {
        if self.words.is_empty() { error } else { error.reworded(|words| self.text(words)) }
    }
}

fn is_whole(text: &[u8], at: usize, word: &[u8]) -> bool {
    let is_letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    word.len() >= CHARS_MIN || !((at > 0 && is_letter(at - 1)) || is_letter(at + word.len()))
}

/// A key as it was written, and what can be read from it: `id:key`, plain or encoded as one.
fn key_parts(key: &str) -> Vec<String> {
    let decoded = STANDARD.decode(key).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = if key.contains(':') { Some(key.to_string()) } else { decoded };
    let pair = pair.filter(|pair| pair.contains(':'));
    let secret =
        pair.as_ref().and_then(|pair| pair.split_once(':')).map(|(_, key)| key.to_string());
    [Some(key.to_string()), pair, secret].into_iter().flatten().collect()
}

/// As in the user of a URL.
fn percent_encoded(word: &str) -> String {
    let mut encoded = String::new();
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(byte as char);
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn in_json(word: &str) -> String {
    let quoted = serde_json::Value::from(word).to_string();
    quoted[1..quoted.len() - 1].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::record::ErrorType;
    use crate::secret::Secret;

    #[track_caller]
    fn check(auth: &Auth, text: &str, expected: &str) {
        assert_eq!(CredentialMask::new([auth]).text(text), expected);
    }

    #[test]
    fn credentials_are_hidden_in_each_form() {
        let basic = |user: &str, password: &str| Auth::Basic {
            user: user.to_string(),
            password: Secret::new(password),
        };
        let me = basic("me", "hun@er2");
        for (text, shown) in [
            ("Authorization: Basic bWU6aHVuQGVyMg==", "Authorization: Basic ***=="),
            ("bWU6aHVuQGVyMg", "***"),
            (
                "http://me:hun@er2@h/ and http://me:hun%40er2@h/",
                "http://***@h/ and http://me:***@h/",
            ),
            ("user me with hun@er2hun@er2", "user me with ******"),
            ("nothing", "nothing"),
            ("", ""),
            ("hun@er", "hun@er"),
        ] {
            check(&me, text, shown);
        }
        check(&basic("me", "a\"b\\c d"), "say a\"b\\c d or a\\\"b\\\\c d", "say *** or ***");
        // A password that is part of every other word.
        check(&basic("me", "an"), "an answer, (an) banana", "*** answer, (***) banana");
        check(&basic("me", ""), "an answer", "an answer");
        check(&Auth::None, "an answer", "an answer");
        check(
            &Auth::Bearer(Secret::new(" t0ken==\n")),
            "Bearer t0ken==, t0ken",
            "Bearer ***, t0ken",
        );
        let encoded = STANDARD.encode("id:secret-key");
        for (key, shown) in [("id:secret-key", "ApiKey ***=="), (&encoded, "ApiKey ***")] {
            let key = Auth::ApiKey(Secret::new(key));
            check(&key, &format!("ApiKey {encoded}"), shown);
            check(&key, "secret-key of id, id:secret-key", "*** of id, ***");
        }
    }

    #[test]
    fn an_error_keeps_everything_but_its_secrets() {
        let mask = CredentialMask::new([&Auth::Bearer(Secret::new("hunter2"))]);
        let error = Error::new(Kind::Unavailable, ErrorType::Timeout, "no hunter2")
            .because(std::io::Error::other("hunter2 again"))
            .help("leave hunter2 alone");
        let error = mask.error(error);
        assert_eq!(error.to_string(), "no ***: *** again; leave *** alone");
        assert_eq!((error.kind, error.error_type), (Kind::Unavailable, ErrorType::Timeout));
    }

    proptest::proptest! {
        #[test]
        fn no_secret_is_left_whatever_stands_around_it(
            secret in "[a-zA-Z0-9:/+\" é]{6,20}",
            parts in proptest::collection::vec(".{0,12}", 0..6),
        ) {
            let auth = Auth::Basic { user: "me".to_string(), password: Secret::new(&secret) };
            let basic = STANDARD_NO_PAD.encode(format!("me:{secret}"));
            let mask = CredentialMask::new([&auth]);
            for word in [&secret, &basic, &in_json(&secret), &percent_encoded(&secret)] {
                let shown = mask.text(&parts.join(word));
                proptest::prop_assert!(!shown.contains(word), "{shown}");
            }
        }
    }
}
