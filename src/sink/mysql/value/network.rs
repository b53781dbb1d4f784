//! MariaDB's UUID, INET4 and INET6.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::{self, FromStr};

use super::unfit;
use crate::convert::Unfit;
use crate::record::ErrorType;

/// Appends a UUID as the server prints it.
pub fn put_uuid(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let is_uuid = text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match HYPHENS.contains(&at) {
            true => *byte == b'-',
            false => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return Err(unfit(
            ErrorType::TypeMismatch,
            "not a UUID: 32 hexadecimal digits in five groups",
        ));
    }
    out.extend(text.iter().map(u8::to_ascii_lowercase));
    Ok(())
}

pub fn put_inet4(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    put_address::<Ipv4Addr>(text, "not an IPv4 address", out)
}

pub fn put_inet6(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    put_address::<Ipv6Addr>(text, "not an IPv6 address", out)
}

fn put_address<A: FromStr + ToString>(
    text: &[u8],
    reason: &str,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let address: Option<A> = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let address = address.ok_or_else(|| unfit(ErrorType::TypeMismatch, reason))?;
    out.extend_from_slice(address.to_string().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_in_one_way() {
        type Put = fn(&[u8], &mut Vec<u8>) -> Result<(), Unfit>;
        for (put, text, expected) in [
            (
                put_uuid as Put,
                "0191A0B0-1234-7ABC-8000-0123456789AB",
                Some("0191a0b0-1234-7abc-8000-0123456789ab"),
            ),
            (put_uuid, "0191a0b012347abc80000123456789ab", None),
            (put_uuid, "0191a0b0-1234-7abc-8000-0123456789ag", None),
            (put_inet4, "10.0.0.1", Some("10.0.0.1")),
            (put_inet4, "10.0.0.256", None),
            (put_inet4, "010.0.0.1", None),
            (put_inet6, "2001:0DB8::0001", Some("2001:db8::1")),
            (put_inet6, "::ffff:1.2.3.4", Some("::ffff:1.2.3.4")),
            (put_inet6, "1.2.3.4", None),
            (put_inet6, "fe80::1%eth0", None),
            (put_inet6, "", None),
        ] {
            let mut out = Vec::new();
            let found = put(text.as_bytes(), &mut out);
            let found = found.is_ok().then_some(std::str::from_utf8(&out).unwrap());
            assert_eq!(found, expected, "{text}");
        }
    }
}
