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
mod row;
mod workers;

use std::fmt;

use proptest::prelude::*;

use self::{
    calendar::{Calendar, Edit, Style, hour},
    row::Rows,
    workers::{CallFault, Reader, Writer},
};
use crate::{
    booking::BookingTime,
    ical::sample::{booking_at, timed},
    sync::{
        plan::MAX_STEPS,
        remote_change::{RemoteChangePolicy, RemoteChangeRules},
    },
};

#[derive(Clone, Debug)]
enum Op {
    /// One of two writers takes a step; its lease may have passed to the other one meanwhile.
    Write(usize, CallFault),
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
struct Ops(Vec<Op>);

impl fmt::Debug for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{:?}", self.0))
    }
}

struct Model {
    rows: Rows,
    calendar: Calendar,
    writers: [Writer; 2],
    readers: [Reader; 2],
}

impl Model {
    fn new(style: Style, rules: RemoteChangeRules) -> Self {
        let booking = booking_at(4, timed("2026-12-04T09:00:00Z", "2026-12-04T10:00:00Z"));
        Self {
            rows: Rows::new(booking, rules),
            calendar: Calendar::new(style),
            writers: Default::default(),
            readers: Default::default(),
        }
    }

    fn play(&mut self, op: &Op) {
        let Self { rows, calendar, writers, readers } = self;
        match op {
            Op::Write(one, fault) => writers[*one].step(rows, calendar, *fault),
            Op::Read(one) => {
                let is_written = !writers.iter().all(Writer::is_at_rest);
                readers[*one].step(rows, calendar, is_written);
            }
            Op::Crash(one) => {
                writers[*one].crash();
                readers[*one].crash();
            }
            Op::Move(day) => rows.move_to(BookingTime::from(&hour(*day))),
            Op::Rename(title) => rows.rename(&format!("here {title}")),
            Op::Cancel => rows.cancel(),
            Op::PersonMoves(day) => calendar.edit(|shape| shape.time = hour(*day), false),
            Op::PersonRenames(title) => calendar.edit(|shape| shape.title = format!("there {title}"), false),
            Op::PersonDeletes => calendar.edit(|_| {}, true),
            Op::Answer(follow) => rows.answer(*follow),
        }
    }

    /// Without faults and edits, until nobody has anything to do.
    fn settle(&mut self) {
        for _ in 0..200 {
            for one in 0..2 {
                self.play(&Op::Read(one));
                while self.readers[one].is_reading() {
                    self.play(&Op::Read(one));
                }
                self.play(&Op::Write(one, CallFault::None));
                // It has the lease from now on.
                for _ in 0..MAX_STEPS * 2 {
                    if !self.writers[one].is_at_rest() {
                        self.play(&Op::Write(one, CallFault::None));
                    }
                }
            }
            let at_rest = self.readers.iter().all(|reader| reader.has_read_all(&self.calendar))
                && self.writers.iter().all(Writer::is_at_rest);
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
        assert!(self.calendar.edits.iter().filter(|edit| **edit == Edit::Unseen).count() <= 1);
    }
}

fn fault() -> impl Strategy<Value = CallFault> {
    prop_oneof![
        5 => Just(CallFault::None),
        1 => Just(CallFault::Refused),
        1 => Just(CallFault::RequestLost),
        2 => Just(CallFault::AnswerLost),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        16 => (0_usize..2, fault()).prop_map(|(one, fault)| Op::Write(one, fault)),
        10 => (0_usize..2).prop_map(Op::Read),
        1 => (0_usize..2).prop_map(Op::Crash),
        2 => (4_u32..8).prop_map(Op::Move),
        1 => (0_u8..3).prop_map(Op::Rename),
        1 => Just(Op::Cancel),
        2 => (4_u32..12).prop_map(Op::PersonMoves),
        1 => (0_u8..3).prop_map(Op::PersonRenames),
        1 => Just(Op::PersonDeletes),
        1 => any::<bool>().prop_map(Op::Answer),
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

fn ops() -> impl Strategy<Value = Ops> {
    prop::collection::vec(op(), 0..60).prop_map(Ops)
}

fn play(style: Style, rules: RemoteChangeRules, ops: &Ops) {
    let mut model = Model::new(style, rules);
    for op in &ops.0 {
        model.play(op);
    }
    model.check();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_is_lost_at_google(rules in rules(), ops in ops()) {
        play(Style::Google, rules, &ops);
    }

    #[test]
    fn no_edit_is_lost_at_microsoft(rules in rules(), ops in ops()) {
        play(Style::Microsoft, rules, &ops);
    }

    #[test]
    fn no_edit_is_lost_at_caldav(rules in rules(), ops in ops()) {
        play(Style::Caldav, rules, &ops);
    }
}
