//! People edit an entry while it is written and read, in random orders of all their steps, with faults of calls and crashes
//! between transactions. An edit is never lost without a question, a row or a notice; none of these comes of nothing; and in
//! the end the calendar says what the booking does.
//!
//! A look and what is stored of it are one step here, as are the mark of a write and its call; bookings do not end, and no
//! connection does. Those are for the tests of `jobs`.
//!
//! More runs than in the ordinary tests: `PROPTEST_CASES=100000 cargo nextest run -p concord-domain edit_model`, best with
//! `CARGO_PROFILE_TEST_OPT_LEVEL=2`.

mod calendar;
mod rows;
mod workers;

use std::fmt;

use proptest::prelude::*;

use self::{
    calendar::{EditFate, ModelCalendar, ProviderStyle, hour},
    rows::ModelRows,
    workers::{ChangeReader, EntryWriter, ModelCallFault},
};
use crate::{
    booking::BookingTime,
    ical::fixtures::{booking_at, timed},
    sync::{
        plan::MAX_STEPS,
        remote_change::{RemoteChangePolicy, RemoteChangeRules},
    },
};

#[derive(Clone, Debug)]
enum EditOp {
    /// One of two writers takes a step; its lease may have passed to the other one meanwhile.
    Write(usize, ModelCallFault),
    /// One of two readers does.
    Read(usize),
    Crash(usize),
    /// The booking is changed here.
    Move(u32),
    Rename(u8),
    Cancel,
    /// A person edits the entry in their calendar.
    PersonMoves(u32),
    PersonRenames(u8),
    PersonDeletes,
    Answer(bool),
}

/// What happens, on one line where a test fails.
#[derive(Clone)]
struct EditOps(Vec<EditOp>);

impl fmt::Debug for EditOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{:?}", self.0))
    }
}

struct EditModel {
    rows: ModelRows,
    calendar: ModelCalendar,
    writers: [EntryWriter; 2],
    readers: [ChangeReader; 2],
}

impl EditModel {
    fn new(style: ProviderStyle, rules: RemoteChangeRules) -> Self {
        let booking = booking_at(4, timed("2026-12-04T09:00:00Z", "2026-12-04T10:00:00Z"));
        Self {
            rows: ModelRows::new(booking, rules),
            calendar: ModelCalendar::new(style),
            writers: Default::default(),
            readers: Default::default(),
        }
    }

    fn play(&mut self, op: &EditOp) {
        let Self { rows, calendar, writers, readers } = self;
        match op {
            EditOp::Write(one, fault) => writers[*one].step(rows, calendar, *fault),
            EditOp::Read(one) => {
                let is_written = !writers.iter().all(EntryWriter::is_at_rest);
                readers[*one].step(rows, calendar, is_written);
            }
            EditOp::Crash(one) => {
                writers[*one].crash();
                readers[*one].crash();
            }
            EditOp::Move(day) => rows.move_to(BookingTime::from(&hour(*day))),
            EditOp::Rename(title) => rows.rename(&format!("here {title}")),
            EditOp::Cancel => rows.cancel(),
            EditOp::PersonMoves(day) => calendar.edit(|shape| shape.time = hour(*day), false),
            EditOp::PersonRenames(title) => {
                calendar.edit(|shape| shape.title = format!("there {title}"), false);
            }
            EditOp::PersonDeletes => calendar.edit(|_| {}, true),
            EditOp::Answer(follow) => rows.answer(*follow),
        }
    }

    /// Without faults and edits, until nobody has anything to do.
    fn settle(&mut self) {
        for _ in 0..200 {
            for one in 0..2 {
                self.play(&EditOp::Read(one));
                while self.readers[one].is_reading() {
                    self.play(&EditOp::Read(one));
                }
                self.play(&EditOp::Write(one, ModelCallFault::None));
                // It has the lease from now on.
                for _ in 0..MAX_STEPS * 2 {
                    if !self.writers[one].is_at_rest() {
                        self.play(&EditOp::Write(one, ModelCallFault::None));
                    }
                }
            }
            let at_rest = self.readers.iter().all(|reader| reader.has_read_all(&self.calendar))
                && self.writers.iter().all(EntryWriter::is_at_rest);
            if at_rest && (!self.rows.is_due || self.rows.question.is_some()) {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn check(&mut self) {
        self.settle();
        if let Some(edit) = self.calendar.unseen() {
            let is_moot = self.calendar.is_moot(self.rows.desired_shape().as_ref());
            assert!(is_moot, "edit {edit} was never seen: {:?}", self.calendar);
        }
        self.rows.answer(true);
        self.settle();
        let says = self.calendar.shown().cloned();
        let (should, says) = (self.rows.desired_shape(), says);
        let alike = match (&should, &says) {
            (Some(should), Some(says)) => should.tells(says),
            (None, None) => true,
            _ => false,
        };
        assert!(alike, "it should say {should:?} and says {says:?}");
        assert!(self.calendar.edits.iter().filter(|edit| **edit == EditFate::Unseen).count() <= 1);
    }
}

fn fault() -> impl Strategy<Value = ModelCallFault> {
    prop_oneof![
        5 => Just(ModelCallFault::None),
        1 => Just(ModelCallFault::Refused),
        1 => Just(ModelCallFault::RequestLost),
        2 => Just(ModelCallFault::AnswerLost),
    ]
}

fn op() -> impl Strategy<Value = EditOp> {
    prop_oneof![
        16 => (0_usize..2, fault()).prop_map(|(one, fault)| EditOp::Write(one, fault)),
        10 => (0_usize..2).prop_map(EditOp::Read),
        1 => (0_usize..2).prop_map(EditOp::Crash),
        2 => (4_u32..8).prop_map(EditOp::Move),
        1 => (0_u8..3).prop_map(EditOp::Rename),
        1 => Just(EditOp::Cancel),
        2 => (4_u32..12).prop_map(EditOp::PersonMoves),
        1 => (0_u8..3).prop_map(EditOp::PersonRenames),
        1 => Just(EditOp::PersonDeletes),
        1 => any::<bool>().prop_map(EditOp::Answer),
    ]
}

fn rules() -> impl Strategy<Value = RemoteChangeRules> {
    let policy = || {
        prop::sample::select(vec![
            RemoteChangePolicy::Follow,
            RemoteChangePolicy::Ask,
            RemoteChangePolicy::Revert,
        ])
    };
    (policy(), policy()).prop_map(|(moves, deletions)| RemoteChangeRules { moves, deletions })
}

fn ops() -> impl Strategy<Value = EditOps> {
    prop::collection::vec(op(), 0..60).prop_map(EditOps)
}

fn play(style: ProviderStyle, rules: RemoteChangeRules, ops: &EditOps) {
    let mut model = EditModel::new(style, rules);
    for op in &ops.0 {
        model.play(op);
    }
    model.check();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_is_lost_at_google(rules in rules(), ops in ops()) {
        play(ProviderStyle::Google, rules, &ops);
    }

    #[test]
    fn no_edit_is_lost_at_microsoft(rules in rules(), ops in ops()) {
        play(ProviderStyle::Microsoft, rules, &ops);
    }

    #[test]
    fn no_edit_is_lost_at_caldav(rules in rules(), ops in ops()) {
        play(ProviderStyle::Caldav, rules, &ops);
    }
}
