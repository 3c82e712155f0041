//! Who occupies what, when, and which unit a newcomer gets.
//!
//! A resource of capacity n has the units 1..=n; a staff member is a resource of capacity 1. A row that holds a unit
//! is *allocated*. Units are alike: allocated rows may be moved from one to another when that makes room. Rows without a
//! unit are facts from outside that found none; they still count when somebody asks for room.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::{ids::OccupancyId, interval::Interval, words};

words! {
    SubjectKind "What is occupied." {
        Resource = "resource",
        Staff = "staff",
    }
}

words! {
    /// Where a row came from.
    OccupancySource "Source." {
        /// A booking of ours, refused when there is no room.
        Booking = "booking",
        Block = "block",
        Reservation = "reservation",
        /// A busy time of a connected calendar.
        Busy = "busy",
    }
}

/// What a booking takes of a resource: its time with what the resource needs around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceDemand {
    /// The booking's own time.
    pub interval: Interval,
    /// Minutes that the resource needs before, such as for preparation.
    pub buffer_before: u32,
    /// Minutes that the resource needs after, such as for cleaning.
    pub buffer_after: u32,
}

impl ResourceDemand {
    /// The time for which a unit is taken.
    pub fn occupied(&self) -> Interval {
        self.interval.padded(self.buffer_before, self.buffer_after)
    }
}

/// One interval on one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    pub id: OccupancyId,
    pub unit: Option<u32>,
    pub interval: Interval,
}

/// Where a newcomer sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It gets these units (one for each that it asked for), after these allocated rows have moved.
    Allocated {
        /// As many as were asked for.
        units: Vec<u32>,
        /// Rows that change to another unit first.
        moves: Vec<(OccupancyId, u32)>,
    },
    /// There is no room; these rows stand in the way.
    Full {
        /// All rows that overlap the wanted time.
        in_the_way: Vec<OccupancyId>,
    },
}

/// Allocates a booking of ours: every row that overlaps counts, allocated or not, since an outside fact without a unit is
/// no less true.
///
/// `rows` must hold all rows of the subject that overlap `wanted`, and all that overlap those in turn if allocated rows
/// may be moved.
pub fn allocate_booking(rows: &[Allocation], capacity: u32, wanted: Interval, quantity: u32) -> Placement {
    if peak_occupancy(rows.iter(), wanted).saturating_add(quantity) > capacity {
        return full(rows, wanted);
    }
    allocate_units(rows, capacity, wanted, quantity)
}

/// Allocates a fact from outside if a unit can be found or made free; otherwise it stays without one.
pub fn allocate_fact(rows: &[Allocation], capacity: u32, wanted: Interval, quantity: u32) -> Placement {
    if peak_occupancy(rows.iter().filter(|row| row.unit.is_some()), wanted).saturating_add(quantity)
        > capacity
    {
        return full(rows, wanted);
    }
    allocate_units(rows, capacity, wanted, quantity)
}

/// As many units as facts from outside of one time can have at once where no row moves, and how many more of them could be
/// allocated if rows moved.
pub fn allocate_facts(
    rows: &[Allocation],
    capacity: u32,
    wanted: Interval,
    quantity: u32,
) -> (Vec<u32>, u32) {
    let room = capacity.saturating_sub(peak_occupancy(rows.iter().filter(|row| row.unit.is_some()), wanted));
    let most = quantity.min(room);
    let mut units = free_units(rows, capacity, wanted);
    units.truncate(most as usize);
    let allocated = u32::try_from(units.len()).unwrap_or(most);
    (units, most - allocated)
}

/// The units of `1..=capacity` that no allocated row holds at any instant of `wanted`.
pub fn free_units(rows: &[Allocation], capacity: u32, wanted: Interval) -> Vec<u32> {
    let taken: HashSet<u32> =
        rows.iter().filter(|row| row.interval.overlaps(&wanted)).filter_map(|row| row.unit).collect();
    (1..=capacity).filter(|unit| !taken.contains(unit)).collect()
}

/// Rows that change to another unit.
pub type UnitMoves = Vec<(OccupancyId, u32)>;

/// Which allocated rows must move, and where to, so that all of them fit on fewer units; `None` if they do not.
pub fn fit(rows: &[Allocation], capacity: u32) -> Option<UnitMoves> {
    assign_units(rows, capacity, None).map(|(_, moves)| moves)
}

fn full(rows: &[Allocation], wanted: Interval) -> Placement {
    Placement::Full {
        in_the_way: rows.iter().filter(|row| row.interval.overlaps(&wanted)).map(|row| row.id).collect(),
    }
}

/// The largest number of rows that share an instant of `within`.
fn peak_occupancy<'a>(rows: impl Iterator<Item = &'a Allocation>, within: Interval) -> u32 {
    let mut steps: BTreeMap<DateTime<Utc>, i64> = BTreeMap::new();
    for row in rows.filter(|row| row.interval.overlaps(&within)) {
        *steps.entry(row.interval.start.max(within.start)).or_default() += 1;
        *steps.entry(row.interval.end).or_default() -= 1;
    }
    let mut standing = 0;
    let mut highest = 0;
    for step in steps.values() {
        standing += step;
        highest = highest.max(standing);
    }
    u32::try_from(highest).unwrap_or(0)
}

fn allocate_units(rows: &[Allocation], capacity: u32, wanted: Interval, quantity: u32) -> Placement {
    let free = free_units(rows, capacity, wanted);
    if free.len() >= quantity as usize {
        return Placement::Allocated {
            units: free.into_iter().take(quantity as usize).collect(),
            moves: vec![],
        };
    }
    assign_units(rows, capacity, Some((wanted, quantity)))
        .map_or_else(|| full(rows, wanted), |(units, moves)| Placement::Allocated { units, moves })
}

/// Gives every allocated row and the newcomer, if there is one, a unit, in order of their starts, each its present one if that is free.
///
/// Whenever no instant asks for more than `capacity` units, a row that starts finds one: at most `capacity - 1` of
/// those before it have not ended. So the order of starts is enough and which free unit is taken does not matter.
fn assign_units(
    rows: &[Allocation],
    capacity: u32,
    newcomer: Option<(Interval, u32)>,
) -> Option<(Vec<u32>, UnitMoves)> {
    let newcomers = newcomer
        .into_iter()
        .flat_map(|(wanted, quantity)| std::iter::repeat_n((None, wanted), quantity as usize));
    let mut order: Vec<(Option<Allocation>, Interval)> = rows
        .iter()
        .filter(|row| row.unit.is_some())
        .map(|row| (Some(*row), row.interval))
        .chain(newcomers)
        .collect();
    order.sort_by_key(|(row, interval)| (interval.start, interval.end, row.map(|row| row.id)));

    let mut free_from: Vec<Option<DateTime<Utc>>> = vec![None; capacity as usize];
    let mut units = Vec::new();
    let mut moves = Vec::new();
    for (row, interval) in order {
        let is_free = |unit: u32| {
            free_from
                .get(unit as usize - 1)
                .is_some_and(|until| until.is_none_or(|until| until <= interval.start))
        };
        let present = row.and_then(|row| row.unit);
        let unit =
            present.filter(|unit| is_free(*unit)).or_else(|| (1..=capacity).find(|unit| is_free(*unit)))?;
        free_from[unit as usize - 1] = Some(interval.end);
        match row {
            None => units.push(unit),
            Some(row) if present != Some(unit) => moves.push((row.id, unit)),
            Some(_) => {}
        }
    }
    Some((units, moves))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn interval(start: i64, end: i64) -> Interval {
        let at = |hour| DateTime::UNIX_EPOCH + Duration::hours(hour);
        Interval::new(at(start), at(end)).unwrap()
    }

    fn allocation(number: u128, unit: Option<u32>, start: i64, end: i64) -> Allocation {
        Allocation { id: OccupancyId(Uuid::from_u128(number)), unit, interval: interval(start, end) }
    }

    #[test]
    fn touching_bookings_share_a_unit() {
        let rows = [allocation(1, Some(1), 0, 5)];
        assert_eq!(
            allocate_booking(&rows, 1, interval(5, 6), 1),
            Placement::Allocated { units: vec![1], moves: vec![] }
        );
        assert!(matches!(allocate_booking(&rows, 1, interval(4, 6), 1), Placement::Full { .. }));
    }

    #[test]
    fn alike_units_are_rearranged_to_make_room() {
        // Unit 1: [0,2) and [4,6); unit 2: [2,4). [0,4) fits nowhere until [2,4) joins unit 1.
        let rows = [allocation(1, Some(1), 0, 2), allocation(2, Some(1), 4, 6), allocation(3, Some(2), 2, 4)];
        let Placement::Allocated { units, moves } = allocate_booking(&rows, 2, interval(0, 4), 1) else {
            panic!("there is room for it");
        };
        assert_eq!((units, moves), (vec![2], vec![(rows[2].id, 1)]));
    }

    #[test]
    fn facts_take_what_is_free_at_once() {
        let rows = [
            allocation(1, Some(1), 0, 2),
            allocation(2, Some(1), 4, 6),
            allocation(3, Some(2), 2, 4),
            allocation(4, None, 0, 6),
        ];
        assert_eq!(
            allocate_facts(&rows, 5, interval(0, 6), 4),
            (vec![3, 4, 5], 1),
            "one more, if [2,4) moves"
        );
        assert_eq!(allocate_facts(&rows, 5, interval(0, 6), 2), (vec![3, 4], 0));
        assert_eq!(allocate_facts(&rows, 1, interval(1, 3), 7), (vec![], 0));
        assert_eq!(allocate_facts(&[], 1_000, interval(1, 3), 1_000).0.len(), 1_000);
    }

    #[test]
    fn fewer_units_are_enough_when_alike_ones_can_be_moved() {
        let rows = [allocation(1, Some(3), 0, 2), allocation(2, Some(1), 2, 4), allocation(3, Some(2), 1, 3)];
        assert_eq!(fit(&rows, 2), Some(vec![(rows[0].id, 1)]));
        assert_eq!(fit(&rows, 1), None);
    }

    #[test]
    fn a_fact_without_a_unit_still_stands_in_the_way() {
        // The outside said [0,3) and [2,6): the second found no unit, and yet [4,5) is not free.
        let rows = [allocation(1, Some(1), 0, 3), allocation(2, None, 2, 6)];
        assert_eq!(
            allocate_booking(&rows, 1, interval(4, 5), 1),
            Placement::Full { in_the_way: vec![rows[1].id] }
        );
    }

    fn allocated_world(capacity: u32) -> impl Strategy<Value = Vec<Allocation>> {
        prop::collection::vec((0_i64..40, 1_i64..8), 0..40).prop_map(move |wishes| {
            let mut rows: Vec<Allocation> = Vec::new();
            for (number, (start, length)) in wishes.into_iter().enumerate() {
                let wanted = interval(start, start + length);
                if let Placement::Allocated { units, moves } = allocate_booking(&rows, capacity, wanted, 1) {
                    for (id, unit) in moves {
                        rows.iter_mut().find(|row| row.id == id).unwrap().unit = Some(unit);
                    }
                    rows.push(Allocation {
                        id: OccupancyId(Uuid::from_u128(number as u128)),
                        unit: Some(units[0]),
                        interval: wanted,
                    });
                }
            }
            rows
        })
    }

    proptest! {
        #[test]
        fn no_two_rows_ever_share_a_unit(rows in (1_u32..5).prop_flat_map(allocated_world)) {
            for (index, row) in rows.iter().enumerate() {
                for other in &rows[index + 1..] {
                    prop_assert!(row.unit != other.unit || !row.interval.overlaps(&other.interval));
                }
            }
        }

        #[test]
        fn room_is_found_exactly_when_the_peak_allows_it(
            rows in allocated_world(3), start in 0_i64..40, length in 1_i64..8, quantity in 1_u32..4
        ) {
            let wanted = interval(start, start + length);
            let busiest = (start..start + length)
                .map(|hour| rows.iter().filter(|row| row.interval.overlaps(&interval(hour, hour + 1))).count())
                .max()
                .unwrap();
            let fits = busiest + quantity as usize <= 3;
            let allocated = matches!(allocate_booking(&rows, 3, wanted, quantity), Placement::Allocated { .. });
            prop_assert_eq!(allocated, fits);
        }
    }
}
