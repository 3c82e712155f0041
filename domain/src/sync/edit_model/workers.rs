//! Who writes and who reads, one step at a time: between any two of them everything else may happen, and each may be the
//! last of its process.

use super::{
    calendar::ModelCalendar,
    rows::{ModelEntry, ModelRows, ReconcileOutcome},
};
use crate::sync::{
    plan::{
        Desired, EntryAction, EntryWriteError, EntryWriteState, NextStep, Observation, after, plan_entry,
    },
    read_sequence::ReadSequence,
    synced_fields::SyncedFields,
    unknown_writes::{UnknownWrite, push_unknown_write},
};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelCallFault {
    None,
    /// A limit, a refusal, an access token that cannot be refreshed: it did not happen, and that is known.
    Refused,
    RequestLost,
    AnswerLost,
}

/// An answer on its way.
#[derive(Clone, Debug)]
enum PendingResponse {
    Written(Result<String, EntryWriteError>),
    Seen(Observation),
    Refused,
    Lost,
}

#[derive(Clone, Debug)]
struct WriterRun {
    desired: Desired,
    version: i64,
    known: EntryWriteState,
    entry: ModelEntry,
    action: EntryAction,
    /// What the last write leaves, and what was unknown before it.
    write: Option<UnknownWrite>,
    earlier: Vec<UnknownWrite>,
    answer: Option<PendingResponse>,
    /// The version that stood there when this run last looked.
    looked_at: Option<u32>,
}

/// Brings the entry to what it should be, as `jobs::sync_out::entry`.
#[derive(Debug, Default)]
pub(super) struct EntryWriter(Option<WriterRun>);

impl EntryWriter {
    pub(super) fn crash(&mut self) {
        self.0 = None;
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn step(&mut self, rows: &mut ModelRows, calendar: &mut ModelCalendar, fault: ModelCallFault) {
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

    fn begin(rows: &mut ModelRows) -> Option<WriterRun> {
        if !rows.is_due || rows.question.is_some() {
            return None;
        }
        let (desired, entry) = (rows.desired(), rows.entry.clone());
        let known = entry.known.clone();
        let action = plan_entry(&desired, &known, None);
        let version = rows.booking.version;
        Some(WriterRun {
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

impl WriterRun {
    fn shape(&self) -> Option<SyncedFields> {
        match &self.desired {
            Desired::Present(content) => Some(SyncedFields::from(content)),
            Desired::Absent => None,
        }
    }

    /// Marks and calls: a worker that is frozen in between is not modelled. `false`: the run is over.
    fn call(&mut self, rows: &mut ModelRows, calendar: &mut ModelCalendar, fault: ModelCallFault) -> bool {
        if self.action == EntryAction::Nothing {
            let shape = self.shape();
            rows.record(self.entry.revision, &self.known, (self.version, shape.as_ref()), self.write.take());
            return false;
        }
        let shape = self.shape().filter(|_| self.action != EntryAction::Remove);
        if self.action.writes() {
            let write = shape.clone().map_or(UnknownWrite::Removed, UnknownWrite::Left);
            let unknown = push_unknown_write(self.entry.unknown.clone(), write.clone());
            if !rows.begin_write(self.entry.revision, self.version, &self.action, &unknown) {
                return false;
            }
            calendar.ours.push(write.clone());
            self.earlier = std::mem::replace(&mut self.entry.unknown, unknown);
            (self.known, self.write) = (self.known.begun(&self.action), Some(write));
            self.entry.revision += 1;
        }
        self.answer = Some(match fault {
            ModelCallFault::Refused => PendingResponse::Refused,
            ModelCallFault::RequestLost => PendingResponse::Lost,
            ModelCallFault::None | ModelCallFault::AnswerLost => {
                let answer = if self.action.writes() {
                    PendingResponse::Written(calendar.write(
                        &self.action,
                        shape.as_ref(),
                        (rows.desired_shape().as_ref(), self.looked_at),
                    ))
                } else {
                    self.looked_at = Some(calendar.version().unwrap_or_default());
                    PendingResponse::Seen(calendar.look())
                };
                if fault == ModelCallFault::None { answer } else { PendingResponse::Lost }
            }
        });
        true
    }

    fn follow(
        &mut self,
        rows: &mut ModelRows,
        calendar: &mut ModelCalendar,
        answer: PendingResponse,
    ) -> bool {
        match answer {
            PendingResponse::Lost => false,
            PendingResponse::Refused => {
                if self.action.writes() {
                    self.refuse(rows);
                }
                false
            }
            PendingResponse::Written(Ok(etag)) => {
                self.known = match &self.desired {
                    Desired::Present(content) => self.known.written("abc", etag, content),
                    Desired::Absent => self.known.removed(),
                };
                self.action = EntryAction::Nothing;
                true
            }
            PendingResponse::Written(Err(fault)) => {
                self.refuse(rows);
                match after(&self.action, fault) {
                    NextStep::Do(next) => self.action = next,
                    NextStep::LookUnlessCalendarGone => self.action = EntryAction::Look,
                    NextStep::Gone | NextStep::CalendarGone => unreachable!("the calendar is always there"),
                }
                true
            }
            PendingResponse::Seen(observation) => self.meet(rows, calendar, &observation),
        }
    }

    fn refuse(&mut self, rows: &mut ModelRows) {
        let earlier = std::mem::take(&mut self.earlier);
        self.entry.revision += u32::from(rows.refuse_write(self.entry.revision, &earlier));
        self.known = self.known.refused(!earlier.is_empty());
        (self.entry.unknown, self.write) = (earlier, None);
    }

    fn meet(
        &mut self,
        rows: &mut ModelRows,
        calendar: &mut ModelCalendar,
        observation: &Observation,
    ) -> bool {
        match rows.meet(calendar, &mut self.entry, observation) {
            ReconcileOutcome::Echo | ReconcileOutcome::Unclear | ReconcileOutcome::Revert => {
                self.action = plan_entry(&self.desired, &self.known, Some(observation));
                true
            }
            ReconcileOutcome::LetBe => {
                rows.is_due = false;
                false
            }
            ReconcileOutcome::Recorded | ReconcileOutcome::Outdated => false,
        }
    }
}

/// Reads the calendar's changes since its cursor, as `import_availability` and `drift` of `jobs::sync_in`.
#[derive(Debug, Default)]
pub(super) struct ChangeReader {
    cursor: Option<u32>,
    stage: ReaderStage,
}

#[derive(Debug, Default)]
enum ReaderStage {
    #[default]
    Idle,
    /// It has its number.
    Begun(ReadSequence),
    /// It has its page, which goes up to that version.
    Read(ReadSequence, Option<u32>, Observation),
    /// The page is older than what is stored: it has taken the row, and asks by id.
    Asks(Option<u32>, ModelEntry),
}

impl ChangeReader {
    pub(super) fn crash(&mut self) {
        self.stage = ReaderStage::Idle;
    }

    pub(super) fn is_reading(&self) -> bool {
        !matches!(self.stage, ReaderStage::Idle)
    }

    pub(super) fn has_read_all(&self, calendar: &ModelCalendar) -> bool {
        self.cursor == calendar.version()
    }

    /// `is_written`: whether a writer is at work, so that an answer may be on its way.
    pub(super) fn step(&mut self, rows: &mut ModelRows, calendar: &mut ModelCalendar, is_written: bool) {
        self.stage = match std::mem::take(&mut self.stage) {
            ReaderStage::Idle => ReaderStage::Begun(rows.begin_reading()),
            ReaderStage::Begun(_) if self.cursor == calendar.version() => ReaderStage::Idle,
            ReaderStage::Begun(reading) => ReaderStage::Read(reading, calendar.version(), calendar.look()),
            ReaderStage::Read(reading, version, page) => {
                self.meet(rows, calendar, (reading, version, &page), is_written)
            }
            ReaderStage::Asks(version, mut entry) => {
                let observation = calendar.look();
                let met = rows.meet(calendar, &mut entry, &observation);
                let is_newer = rows.entry.revision != entry.revision;
                self.advance(met, version, is_written || is_newer);
                ReaderStage::Idle
            }
        };
    }

    fn meet(
        &mut self,
        rows: &mut ModelRows,
        calendar: &mut ModelCalendar,
        (reading, version, page): (ReadSequence, Option<u32>, &Observation),
        is_written: bool,
    ) -> ReaderStage {
        let mut entry = rows.entry.clone();
        let (is_deleted, etag) = match page {
            Observation::Missing => (true, None),
            Observation::Found(seen) => (seen.deleted, seen.etag.clone()),
        };
        let is_as_known = !is_deleted && etag.is_some() && etag == entry.known.etag;
        if is_as_known || (is_deleted && entry.base.is_none() && entry.unknown.is_empty()) {
            self.cursor = version;
            return ReaderStage::Idle;
        }
        // A deletion is asked about by id, at whichever provider.
        if is_deleted || !reading.is_newer_than(entry.reading) {
            return ReaderStage::Asks(version, entry);
        }
        let met = rows.meet(calendar, &mut entry, page);
        let is_newer = rows.entry.revision != entry.revision;
        self.advance(met, version, is_written || is_newer);
        ReaderStage::Idle
    }

    /// What was stored meanwhile, and what an answer on its way would explain, is read again.
    fn advance(&mut self, met: ReconcileOutcome, version: Option<u32>, may_be_explained: bool) {
        if met != ReconcileOutcome::Outdated && (met != ReconcileOutcome::Unclear || !may_be_explained) {
            self.cursor = version;
        }
    }
}
