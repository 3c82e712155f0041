//! Who writes and who reads, one step at a time: between any two of them everything else may happen, and each may be the
//! last of its process.

use super::{
    calendar::Calendar,
    row::{Entry, Met, Rows},
};
use crate::sync::{
    plan::{Desired, EntryAction, Known, Next, Observation, WriteFault, after, plan_entry},
    reading::Reading,
    shape::Shape,
    unknown::{UnknownWrite, with_write},
};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFault {
    None,
    /// A limit, a refusal, an access token that cannot be refreshed: it did not happen, and that is known.
    Refused,
    RequestLost,
    AnswerLost,
}

/// An answer on its way.
#[derive(Clone, Debug)]
enum Answer {
    Written(Result<String, WriteFault>),
    Seen(Observation),
    Refused,
    Lost,
}

#[derive(Clone, Debug)]
struct Run {
    desired: Desired,
    version: i64,
    known: Known,
    entry: Entry,
    action: EntryAction,
    /// What the last write leaves, and what was unknown before it.
    write: Option<UnknownWrite>,
    earlier: Vec<UnknownWrite>,
    answer: Option<Answer>,
    /// The version that stood there when this run last looked.
    looked_at: Option<u32>,
}

/// Brings the entry to what it should be, as `jobs::entry`.
#[derive(Debug, Default)]
pub(super) struct Writer(Option<Run>);

impl Writer {
    pub(super) fn crash(&mut self) {
        self.0 = None;
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn step(&mut self, rows: &mut Rows, calendar: &mut Calendar, fault: CallFault) {
        let Some(mut run) = self.0.take() else {
            self.0 = Self::begin(rows);
            return;
        };
        let goes_on = match run.answer.take() {
            None => run.call(rows, calendar, fault),
            Some(answer) => run.follow(rows, calendar, answer),
        };
        self.0 = goes_on.then_some(run);
    }

    fn begin(rows: &mut Rows) -> Option<Run> {
        if !rows.is_due || rows.question.is_some() {
            return None;
        }
        let (desired, entry) = (rows.desired(), rows.entry.clone());
        let known = entry.known.clone();
        let action = plan_entry(&desired, &known, None);
        let version = rows.booking.version;
        Some(Run {
            desired,
            version,
            known,
            entry,
            action,
            write: None,
            earlier: vec![],
            answer: None,
            looked_at: None,
        })
    }
}

impl Run {
    fn shape(&self) -> Option<Shape> {
        match &self.desired {
            Desired::Present(content) => Some(Shape::from(content)),
            Desired::Absent => None,
        }
    }

    /// Marks and calls: a worker that is frozen in between is not modelled. `false`: the run is over.
    fn call(&mut self, rows: &mut Rows, calendar: &mut Calendar, fault: CallFault) -> bool {
        if self.action == EntryAction::Nothing {
            let shape = self.shape();
            rows.record(self.entry.revision, &self.known, (self.version, shape.as_ref()), self.write.take());
            return false;
        }
        let shape = self.shape().filter(|_| self.action != EntryAction::Remove);
        if self.action.writes() {
            let write = shape.clone().map_or(UnknownWrite::Removed, UnknownWrite::Left);
            let unknown = with_write(self.entry.unknown.clone(), write.clone());
            if !rows.begin_write(self.entry.revision, self.version, &self.action, &unknown) {
                return false;
            }
            calendar.ours.push(write.clone());
            self.earlier = std::mem::replace(&mut self.entry.unknown, unknown);
            (self.known, self.write) = (self.known.begun(&self.action), Some(write));
            self.entry.revision += 1;
        }
        self.answer = Some(match fault {
            CallFault::Refused => Answer::Refused,
            CallFault::RequestLost => Answer::Lost,
            CallFault::None | CallFault::AnswerLost => {
                let answer = if self.action.writes() {
                    Answer::Written(calendar.write(
                        &self.action,
                        shape.as_ref(),
                        (rows.desired_shape().as_ref(), self.looked_at),
                    ))
                } else {
                    self.looked_at = Some(calendar.version().unwrap_or_default());
                    Answer::Seen(calendar.look())
                };
                if fault == CallFault::None { answer } else { Answer::Lost }
            }
        });
        true
    }

    fn follow(&mut self, rows: &mut Rows, calendar: &mut Calendar, answer: Answer) -> bool {
        match answer {
            Answer::Lost => false,
            Answer::Refused => {
                if self.action.writes() {
                    self.refuse(rows);
                }
                false
            }
            Answer::Written(Ok(etag)) => {
                self.known = match &self.desired {
                    Desired::Present(content) => self.known.written("abc", etag, content),
                    Desired::Absent => self.known.removed(),
                };
                self.action = EntryAction::Nothing;
                true
            }
            Answer::Written(Err(fault)) => {
                self.refuse(rows);
                match after(&self.action, fault) {
                    Next::Do(next) => self.action = next,
                    Next::LookUnlessCalendarGone => self.action = EntryAction::Look,
                    Next::Gone | Next::CalendarGone => unreachable!("the calendar is always there"),
                }
                true
            }
            Answer::Seen(observation) => self.meet(rows, calendar, &observation),
        }
    }

    fn refuse(&mut self, rows: &mut Rows) {
        let earlier = std::mem::take(&mut self.earlier);
        self.entry.revision += u32::from(rows.refuse_write(self.entry.revision, &earlier));
        self.known = self.known.refused(!earlier.is_empty());
        (self.entry.unknown, self.write) = (earlier, None);
    }

    fn meet(&mut self, rows: &mut Rows, calendar: &mut Calendar, observation: &Observation) -> bool {
        match rows.meet(calendar, &mut self.entry, observation) {
            Met::Echo | Met::Unclear | Met::Revert => {
                self.action = plan_entry(&self.desired, &self.known, Some(observation));
                true
            }
            Met::LetBe => {
                rows.is_due = false;
                false
            }
            Met::Recorded | Met::Outdated => false,
        }
    }
}

/// Reads the calendar's changes since its cursor, as `jobs::import_availability` and `jobs::drift`.
#[derive(Debug, Default)]
pub(super) struct Reader {
    cursor: Option<u32>,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// It has its number.
    Begun(Reading),
    /// It has its page, which goes up to that version.
    Read(Reading, Option<u32>, Observation),
    /// The page is older than what is stored: it has taken the row, and asks by id.
    Asks(Option<u32>, Entry),
}

impl Reader {
    pub(super) fn crash(&mut self) {
        self.stage = Stage::Idle;
    }

    pub(super) fn is_reading(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    pub(super) fn has_read_all(&self, calendar: &Calendar) -> bool {
        self.cursor == calendar.version()
    }

    /// `is_written`: whether a writer is at work, so that an answer may be on its way.
    pub(super) fn step(&mut self, rows: &mut Rows, calendar: &mut Calendar, is_written: bool) {
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Idle => Stage::Begun(rows.begin_reading()),
            Stage::Begun(_) if self.cursor == calendar.version() => Stage::Idle,
            Stage::Begun(reading) => Stage::Read(reading, calendar.version(), calendar.look()),
            Stage::Read(reading, version, page) => {
                self.meet(rows, calendar, (reading, version, &page), is_written)
            }
            Stage::Asks(version, mut entry) => {
                let observation = calendar.look();
                let met = rows.meet(calendar, &mut entry, &observation);
                let is_newer = rows.entry.revision != entry.revision;
                self.advance(met, version, is_written || is_newer);
                Stage::Idle
            }
        };
    }

    fn meet(
        &mut self,
        rows: &mut Rows,
        calendar: &mut Calendar,
        (reading, version, page): (Reading, Option<u32>, &Observation),
        is_written: bool,
    ) -> Stage {
        let mut entry = rows.entry.clone();
        let (is_deleted, etag) = match page {
            Observation::Missing => (true, None),
            Observation::Found(seen) => (seen.deleted, seen.etag.clone()),
        };
        let is_as_known = !is_deleted && etag.is_some() && etag == entry.known.etag;
        if is_as_known || (is_deleted && entry.base.is_none() && entry.unknown.is_empty()) {
            self.cursor = version;
            return Stage::Idle;
        }
        // A deletion is asked about by id, at whichever provider.
        if is_deleted || !reading.is_newer_than(entry.reading) {
            return Stage::Asks(version, entry);
        }
        let met = rows.meet(calendar, &mut entry, page);
        let is_newer = rows.entry.revision != entry.revision;
        self.advance(met, version, is_written || is_newer);
        Stage::Idle
    }

    /// What was stored meanwhile, and what an answer on its way would explain, is read again.
    fn advance(&mut self, met: Met, version: Option<u32>, may_be_explained: bool) {
        if met != Met::Outdated && (met != Met::Unclear || !may_be_explained) {
            self.cursor = version;
        }
    }
}
