//! Where a run is asked: from what somebody typed to the address of its document.

use crate::export::Target;

const FLAG: &str = "top";
const DOCUMENT: &str = "/run.json";

/// `localhost:8000` and `http://localhost:8000/metrics` are the same run. What is wrong is said without the
/// URL, which may hold a password.
pub fn target(typed: &str, authority: &[u8]) -> Result<Target, String> {
    let typed = typed.trim();
    let whole = match typed.contains("://") {
        true => typed.to_string(),
        false => format!("http://{typed}"),
    };
    let mut target = Target::parse(FLAG, &whole)?;
    target.authority_option = "--ca".to_string();
    target.url.set_path(DOCUMENT);
    target.url.set_query(None);
    if !authority.is_empty() {
        target.trust(authority).map_err(|mistake| format!("--ca: {mistake}"))?;
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_somebody_would_type() {
        for (typed, asked) in [
            ("localhost:8000", "http://localhost:8000/run.json"),
            ("127.0.0.1:8000/", "http://127.0.0.1:8000/run.json"),
            ("[::1]:8000", "http://[::1]:8000/run.json"),
            ("http://h:8000/metrics", "http://h:8000/run.json"),
            ("https://me:secret@h/metrics?x=1", "https://h/run.json"),
        ] {
            assert_eq!(target(typed, b"").unwrap().url.as_str(), asked, "{typed}");
        }
        for typed in ["", "ftp://h", "http://u:geheim@", "h:99999", "a b"] {
            let mistake = target(typed, b"").unwrap_err();
            assert!(!mistake.contains("geheim"), "{mistake}");
        }
    }
}
