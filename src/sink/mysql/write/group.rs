//! Rows of a segment that leave out the same columns: one statement names those columns for all of its
//! rows. Pure.

use std::collections::HashMap;

/// Rows one after another that leave out the same columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The columns, ascending.
    pub left: Vec<usize>,
    pub rows: u64,
    /// Where their text ends.
    pub end: usize,
}

/// More LOAD DATA than this take as long as INSERT: 16 for 50,000 rows were measured at 1.25 times one.
const GROUPS_MAX: usize = 16;

/// Rows are not put together where they leave out so many different columns: what that would be worth
/// is gone by then.
const SETS_MAX: usize = 1024;

/// The groups so far.
#[derive(Debug, Default)]
pub struct Groups {
    all: Vec<Group>,
    are_too_many: bool,
}

impl Groups {
    /// Another row, whose text ends there.
    pub fn add(&mut self, left: &[usize], end: usize) {
        let has_most = self.all.len() == GROUPS_MAX;
        match self.all.last_mut() {
            Some(group) if group.left == left => {
                group.rows += 1;
                group.end = end;
            }
            _ if has_most => self.are_too_many = true,
            _ => self.all.push(Group { left: left.to_vec(), rows: 1, end }),
        }
    }

    /// None where there are too many for statements of their own.
    pub fn finish(self) -> Option<Vec<Group>> {
        (!self.are_too_many).then_some(self.all)
    }
}

/// For each row a number, in the order in which they first come: the same for rows that leave out the
/// same columns. `rows` says of each column of a row whether it does. None where all leave out the
/// same, or each something else.
pub fn sets(rows: impl Iterator<Item = impl Iterator<Item = bool>>) -> Option<Vec<u32>> {
    let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut sets = Vec::with_capacity(rows.size_hint().0);
    let mut left = Vec::new();
    for row in rows {
        left.clear();
        left.extend((0..).zip(row).filter(|(_, is_left)| *is_left).map(|(column, _)| column));
        let number = match numbers.get(&left[..]) {
            Some(number) => *number,
            None if numbers.len() == SETS_MAX => return None,
            None => {
                let number = numbers.len() as u32;
                numbers.insert(left.clone(), number);
                number
            }
        };
        sets.push(number);
    }
    (numbers.len() > 1).then_some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_up_to_a_number_of_groups() {
        for (group_count, is_some) in
            [(0, true), (1, true), (GROUPS_MAX, true), (GROUPS_MAX + 1, false)]
        {
            let mut groups = Groups::default();
            for at in 0..group_count {
                groups.add(&[at % 2], 2 * at + 1);
                groups.add(&[at % 2], 2 * at + 2);
            }
            let groups = groups.finish();
            assert_eq!(groups.is_some(), is_some, "{group_count}");
            let ends = groups.into_iter().flatten().map(|group| (group.rows, group.end));
            let expected = (0..group_count).filter(|_| is_some).map(|at| (2, 2 * at + 2));
            assert!(ends.eq(expected));
        }
    }

    #[test]
    fn rows_that_leave_out_the_same_have_one_number() {
        let found = |rows: &[&[bool]]| sets(rows.iter().map(|row| row.iter().copied()));
        let (all, second) = (&[false, false][..], &[false, true][..]);
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[all, all]), None);
        assert_eq!(found(&[second, second]), None);
        assert_eq!(found(&[second, all, second]), Some(vec![0, 1, 0]));
        let digit = |row: usize| (0..11).map(move |bit| row >> bit & 1 == 1);
        assert!(sets((0..SETS_MAX).map(digit)).is_some());
        assert!(sets((0..=SETS_MAX).map(digit)).is_none());
    }
}
