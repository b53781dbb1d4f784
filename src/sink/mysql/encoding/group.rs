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
pub const GROUPS_MAX: usize = 16;

/// Rows are not put together where they leave out so many different columns: what that would be worth
/// is gone by then.
pub const SETS_MAX: usize = 1024;

/// As many rows of a group in a row are a good part of a page, and better off in their order.
const RUN_ROWS: usize = 32;

/// How far every second row of a group stands behind those before and after it. Odd.
const LAG: usize = 3;

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
            // Not by memcmp: of the address of an empty Vec it takes 130 ns where it reads by masks, which
            // was a tenth of the time of all.
            Some(group) if group.left.iter().eq(left) => {
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
/// same, or there are more than `sets_max` numbers.
pub fn sets(
    rows: impl Iterator<Item = impl Iterator<Item = bool>>,
    sets_max: usize,
) -> Option<Vec<u32>> {
    let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut sets = Vec::with_capacity(rows.size_hint().0);
    let mut left = Vec::new();
    for row in rows {
        left.clear();
        left.extend((0..).zip(row).filter(|(_, is_left)| *is_left).map(|(column, _)| column));
        let number = match numbers.get(&left[..]) {
            Some(number) => *number,
            None if numbers.len() == sets_max => return None,
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

/// Puts rows of the same set together, in the order in which they stand.
pub fn together(rows: &mut [u32], sets: &[u32]) {
    rows.sort_by_key(|row| sets[*row as usize]);
}

/// Whether rows of different sets stand between one another.
pub fn are_between(rows: &[u32], sets: &[u32]) -> bool {
    let set = |row: u32| sets[row as usize];
    let changes = rows.windows(2).filter(|two| set(two[0]) != set(two[1])).count();
    changes * RUN_ROWS > rows.len()
}

/// Changes the order of rows that go between those of the first set, so that none comes right after
/// its neighbour. InnoDB takes two neighbours in turn for the beginning of many: it splits a full page
/// right behind them and not in its middle, again and again, and leaves pages nearly empty. Of three
/// sets at random the table had 2.6 times the pages of one, and so it has 1.7 times.
pub fn weave(rows: &mut [u32], sets: &[u32]) {
    let groups = rows.chunk_by_mut(|a, b| sets[*a as usize] == sets[*b as usize]);
    for group in groups.skip(1) {
        let places = (0..group.len() + LAG).step_by(2);
        let places = places.flat_map(|place| [Some(place), place.checked_sub(LAG)]).flatten();
        let woven: Vec<u32> = places.filter_map(|place| group.get(place).copied()).collect();
        group.copy_from_slice(&woven);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_do_not_come_one_after_the_other() {
        for count in 0..40_u32 {
            let sets: Vec<u32> = (0..2 * count).map(|row| row % 2).collect();
            let mut rows: Vec<u32> = (0..2 * count).collect();
            together(&mut rows, &sets);
            let (first, second) = rows.split_at(count as usize);
            let (first, mut second) = (first.to_vec(), second.to_vec());
            weave(&mut rows, &sets);
            let woven = rows.split_off(count as usize);
            assert_eq!(rows, first);
            if count > 4 {
                assert!(woven.windows(2).all(|two| two[0].abs_diff(two[1]) > 2), "{woven:?}");
            }
            rows = woven;
            rows.sort_unstable();
            second.sort_unstable();
            assert_eq!(rows, second);
        }
    }

    #[test]
    fn sets_stand_between_one_another_where_they_change_often() {
        let rows: Vec<u32> = (0..1_000).collect();
        for (run, expected) in [(1, true), (10, true), (100, false), (1_000, false)] {
            let sets: Vec<u32> = rows.iter().map(|row| row / run % 3).collect();
            assert_eq!(are_between(&rows, &sets), expected, "{run}");
        }
        assert!(!are_between(&[], &[]));
    }

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
        let found = |rows: &[&[bool]]| sets(rows.iter().map(|row| row.iter().copied()), SETS_MAX);
        let (all, second) = (&[false, false][..], &[false, true][..]);
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[all, all]), None);
        assert_eq!(found(&[second, second]), None);
        assert_eq!(found(&[second, all, second]), Some(vec![0, 1, 0]));
        let digit = |row: usize| (0..11).map(move |bit| row >> bit & 1 == 1);
        for sets_max in [GROUPS_MAX, SETS_MAX] {
            assert!(sets((0..sets_max).map(digit), sets_max).is_some());
            assert!(sets((0..=sets_max).map(digit), sets_max).is_none());
        }
    }
}
