//! What happens to bookings, and where their entries must stand in the end.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use concord_storage::testing::at;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// How many people there are; each has a calendar.
pub(crate) const PEOPLE: usize = 6;
/// More bookings than this are not made; then those that there are change.
const MOST: u32 = 60;

/// A booking as its business wants it.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedBooking {
    pub(crate) reference: String,
    pub(crate) title: String,
    /// By their numbers; one or two.
    pub(crate) people: Vec<usize>,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) lives: bool,
}

/// An entry that must stand: whose calendar, title, start and end.
pub(crate) type ExpectedEntry = (usize, String, String, String);

/// All bookings, and the dice that change them.
pub(crate) struct EventLog {
    random: StdRng,
    bookings: BTreeMap<u32, ExpectedBooking>,
    changes: u32,
}

impl EventLog {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), bookings: BTreeMap::new(), changes: 0 }
    }

    /// The next change: the whole booking as it is from now on.
    pub(crate) fn change(&mut self) -> ExpectedBooking {
        self.changes += 1;
        let known = u32::try_from(self.bookings.len()).expect("a few");
        let number = if known == 0 || (known < MOST && self.random.random_bool(0.35)) {
            known
        } else {
            // Mostly what was made last: changes that come while the former one is still being written.
            known - 1 - self.random.random_range(0..known).min(self.random.random_range(0..known))
        };
        let mut booking = self.bookings.remove(&number).unwrap_or_else(|| self.new_booking(number));
        // A new one begins to live, and one that was cancelled comes back.
        if booking.lives {
            match self.random.random_range(0..10) {
                0..3 => self.retitle(&mut booking),
                3..6 => self.move_within_its_day(number, &mut booking),
                6..8 => booking.people = self.people(),
                _ => booking.lives = false,
            }
        } else {
            booking.lives = true;
            self.retitle(&mut booking);
        }
        self.bookings.insert(number, booking.clone());
        booking
    }

    fn new_booking(&mut self, number: u32) -> ExpectedBooking {
        let mut booking = ExpectedBooking {
            reference: format!("C-{number}"),
            title: String::new(),
            people: self.people(),
            starts_at: at(0),
            ends_at: at(0),
            lives: false,
        };
        self.move_within_its_day(number, &mut booking);
        booking
    }

    fn retitle(&self, booking: &mut ExpectedBooking) {
        booking.title = format!("Change {}", self.changes);
    }

    /// Each booking has a day of its own, so that none is ever in the way of another.
    fn move_within_its_day(&mut self, number: u32, booking: &mut ExpectedBooking) {
        let day = at(i64::from(number) * 24 * 60);
        booking.starts_at = day + Duration::minutes(self.random.random_range(0..16) * 30);
        booking.ends_at = booking.starts_at + Duration::minutes(self.random.random_range(1..6) * 15);
    }

    fn people(&mut self) -> Vec<usize> {
        let everybody: Vec<usize> = (0..PEOPLE).collect();
        let count = if self.random.random_bool(0.2) { 2 } else { 1 };
        let mut chosen: Vec<usize> = everybody.choose_multiple(&mut self.random, count).copied().collect();
        chosen.sort_unstable();
        chosen
    }

    /// Where entries must stand, in order.
    pub(crate) fn entries(&self) -> Vec<ExpectedEntry> {
        let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut entries = Vec::new();
        for booking in self.bookings.values().filter(|booking| booking.lives) {
            for person in &booking.people {
                let title = format!("Sea View — Maria ({})", booking.title);
                entries.push((*person, title, text(booking.starts_at), text(booking.ends_at)));
            }
        }
        entries.sort();
        entries
    }
}
