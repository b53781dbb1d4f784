//! ENUM and SET: names from a list, byte by byte. The collation would take other spellings and
//! store its own; a number would be taken for an index.

use super::unfit;
use crate::convert::Unfit;
use crate::record::ErrorType;
use crate::sink::mysql::column::MemberList;

pub fn put_one(text: &[u8], members: &MemberList, out: &mut Vec<u8>) -> Result<(), Unfit> {
    if members.find(text).is_none() {
        return Err(not_a_member(members));
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Appends members in the order of the definition, as the server keeps them: a set has no other.
/// No names at all are the empty set.
pub fn put_set<'a>(
    names: impl Iterator<Item = &'a [u8]>,
    members: &MemberList,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let mut chosen: u64 = 0;
    for name in names {
        let index = members.find(name).filter(|index| *index < 64);
        let index = index.ok_or_else(|| not_a_member(members))?;
        if chosen & (1 << index) != 0 {
            return Err(unfit(
                ErrorType::TypeMismatch,
                "a member named twice, which a SET column keeps once",
            ));
        }
        chosen |= 1 << index;
    }
    let chosen = (0..64).filter(|index| chosen & (1 << index) != 0);
    for (place, name) in chosen.filter_map(|index| members.name(index)).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    }
    Ok(())
}

/// The members a text lists; the server has no way to write a comma inside of one.
pub fn listed(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_empty = text.is_empty();
    text.split(|byte| *byte == b',').filter(move |_| !is_empty)
}

fn not_a_member(members: &MemberList) -> Unfit {
    let doubts = members.doubts();
    unfit(
        ErrorType::TypeMismatch,
        if doubts.has_hidden {
            "not a member of the column that is known for certain: servers show ? for characters \
             beyond U+FFFF, and the names are read with the right CREATE TEMPORARY TABLES"
        } else if doubts.has_shadowed {
            "not a member of the column, letter by letter, or one that its collation takes for \
             another member"
        } else {
            "not a member of the column, letter by letter"
        },
    )
}
