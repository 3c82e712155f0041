//! The plan by cases, and against a provider that loses requests and answers, people who meddle, workers that crash
//! and workers that come late.

use proptest::prelude::*;

use super::*;
use crate::{
    entry::EntryTime,
    ids::{BookingId, EntryId},
};

fn content(title: &str) -> EntryContent {
    EntryContent {
        booking: BookingId(uuid::Uuid::from_u128(1)),
        entry: EntryId(uuid::Uuid::from_u128(2)),
        title: title.to_owned(),
        description: String::new(),
        location: String::new(),
        time: EntryTime::AllDay { from: "2026-12-01".parse().unwrap(), until: "2026-12-02".parse().unwrap() },
        colour: None,
        tentative: false,
        busy: true,
        reminders: vec![],
    }
}

fn present(title: &str) -> Desired {
    Desired::Present(content(title))
}

fn found(etag: &str, deleted: bool) -> Observation {
    Observation::Found(ObservedEntry {
        external_id: "abc".into(),
        series: None,
        etag: Some(etag.into()),
        deleted,
        busy: true,
        tentative: false,
        title: String::new(),
        time: None,
        entry: None,
        updated_at: None,
        unreadable: false,
    })
}

fn update(etag: &str) -> EntryAction {
    EntryAction::Update { if_match: Some(etag.into()) }
}

#[test]
fn an_id_that_the_provider_gave_takes_the_place_of_ours() {
    let tried = EntryWriteState::new("ours").begun(&EntryAction::Create);
    assert_eq!(tried.written("theirs", "e1", &content("a")).external_id, "theirs");
    assert_eq!(
        tried.seen(&found("e1", false)),
        EntryWriteState { external_id: "abc".into(), ..tried.clone() }
    );
    assert_eq!(tried.seen(&Observation::Missing), tried);
}

#[test]
fn the_plan_by_cases() {
    let new = EntryWriteState::new("abc");
    let tried = new.begun(&EntryAction::Create);
    let synced = new.written("abc", "e1", &content("a"));
    let dirty = synced.begun(&update("e1"));
    let removed = synced.removed();
    let gone = Observation::Missing;
    for (case, desired, known, observed, expected) in [
        ("first write", present("a"), &new, None, EntryAction::Create),
        ("the answer to the create was lost", present("a"), &tried, None, EntryAction::Look),
        ("as it should be", present("a"), &synced, None, EntryAction::Nothing),
        ("the booking changed", present("b"), &synced, None, update("e1")),
        ("the answer to an update was lost", present("a"), &dirty, None, EntryAction::Look),
        ("an update was refused", present("b"), &dirty.refused(false), None, update("e1")),
        ("seen: as we left it", present("a"), &synced, Some(found("e1", false)), EntryAction::Nothing),
        ("seen: as we left it, to be changed", present("b"), &synced, Some(found("e1", false)), update("e1")),
        ("seen: edited outside", present("a"), &synced, Some(found("e2", false)), update("e2")),
        ("seen: deleted outside", present("a"), &synced, Some(found("e1", true)), update("e1")),
        ("seen: our own lost write", present("a"), &tried, Some(found("e1", false)), update("e1")),
        ("seen: a tombstone", present("a"), &new, Some(found("e9", true)), update("e9")),
        ("seen: nothing", present("a"), &tried, Some(gone.clone()), EntryAction::Create),
        ("seen: nothing any more", present("a"), &synced, Some(gone.clone()), EntryAction::Create),
        ("never there", Desired::Absent, &new, None, EntryAction::Nothing),
        ("perhaps there", Desired::Absent, &tried, None, EntryAction::Look),
        ("seen: not there", Desired::Absent, &tried, Some(Observation::Missing), EntryAction::Remove),
        ("there", Desired::Absent, &synced, None, EntryAction::Look),
        ("seen: there", Desired::Absent, &new, Some(found("e1", false)), EntryAction::Remove),
        ("seen: deleted outside", Desired::Absent, &synced, Some(found("e2", true)), EntryAction::Remove),
        ("removed", Desired::Absent, &removed, None, EntryAction::Nothing),
        ("seen: removed", Desired::Absent, &removed, Some(found("e2", true)), EntryAction::Nothing),
        ("seen: brought back", Desired::Absent, &removed, Some(found("e3", false)), EntryAction::Remove),
        ("seen: gone", Desired::Absent, &removed, Some(gone), EntryAction::Nothing),
        ("wanted again", present("a"), &removed, None, EntryAction::Look),
    ] {
        assert_eq!(plan_entry(&desired, known, observed.as_ref()), expected, "{case}");
    }
}

#[test]
fn after_a_fault() {
    use EntryWriteError::{NotFound, Precondition};
    let look = NextStep::Do(EntryAction::Look);
    assert_eq!(after(&EntryAction::Create, Precondition), look);
    assert_eq!(after(&update("e1"), Precondition), look);
    assert_eq!(after(&EntryAction::Remove, Precondition), look);
    assert_eq!(after(&update("e1"), NotFound), NextStep::LookUnlessCalendarGone);
    assert_eq!(after(&EntryAction::Create, NotFound), NextStep::CalendarGone);
    assert_eq!(after(&EntryAction::Look, NotFound), NextStep::CalendarGone);
    assert_eq!(after(&EntryAction::Remove, NotFound), NextStep::Gone);
}

/// How a provider treats ids.
#[derive(Clone, Copy, Debug, PartialEq)]
enum IdPolicy {
    /// One entry an id for ever; deleted ones stay and can be revived (Google).
    Unique,
    /// Every create makes an entry; ours are found again by a property that we wrote (Microsoft, once it has
    /// forgotten the transaction).
    Loose,
}

/// What a provider keeps under our id.
struct ProviderModel {
    ids: IdPolicy,
    entries: Vec<ProviderEntry>,
    writes: u32,
}

struct ProviderEntry {
    title: String,
    etag: String,
    deleted: bool,
}

impl ProviderModel {
    fn etag(&mut self) -> String {
        self.writes += 1;
        format!("e{}", self.writes)
    }

    fn live(&self) -> Vec<&str> {
        self.entries.iter().filter(|entry| !entry.deleted).map(|entry| entry.title.as_str()).collect()
    }

    fn find(&mut self) -> Option<&mut ProviderEntry> {
        let ids = self.ids;
        self.entries.iter_mut().find(|entry| ids == IdPolicy::Unique || !entry.deleted)
    }

    fn look(&mut self) -> Observation {
        self.find().map_or(Observation::Missing, |entry| found(&entry.etag, entry.deleted))
    }

    fn write(&mut self, action: &EntryAction, title: &str) -> Result<String, EntryWriteError> {
        let etag = self.etag();
        match action {
            EntryAction::Create => {
                if self.ids == IdPolicy::Unique && !self.entries.is_empty() {
                    return Err(EntryWriteError::Precondition);
                }
                self.entries.push(ProviderEntry { title: title.into(), etag: etag.clone(), deleted: false });
            }
            EntryAction::Update { if_match } => {
                let entry = self.find().ok_or(EntryWriteError::NotFound)?;
                if if_match.as_ref().is_some_and(|expected| *expected != entry.etag) {
                    return Err(EntryWriteError::Precondition);
                }
                *entry = ProviderEntry { title: title.into(), etag: etag.clone(), deleted: false };
            }
            EntryAction::Remove => {
                if let Some(entry) = self.find() {
                    entry.deleted = true;
                    entry.etag.clone_from(&etag);
                }
            }
            EntryAction::Look | EntryAction::Nothing => unreachable!("no write"),
        }
        Ok(etag)
    }

    fn meddle(&mut self, how: OutsideEdit) {
        let etag = self.etag();
        match how {
            OutsideEdit::Purge => self.entries.retain(|entry| !entry.deleted),
            OutsideEdit::Edit => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| !entry.deleted) {
                    entry.title = "meddled with".into();
                    entry.etag = etag;
                }
            }
            OutsideEdit::Delete => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| !entry.deleted) {
                    entry.deleted = true;
                    entry.etag = etag;
                }
            }
            OutsideEdit::Restore => {
                if self.live().is_empty()
                    && let Some(entry) = self.entries.last_mut()
                {
                    entry.deleted = false;
                    entry.etag = etag;
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum OutsideEdit {
    Edit,
    Delete,
    Restore,
    Purge,
}

#[derive(Clone, Copy, Debug)]
enum PlanCallFault {
    None,
    RequestLost,
    AnswerLost,
}

#[derive(Clone, Debug)]
enum PlanOp {
    /// The booking now reads so, or is cancelled.
    Change(Option<u8>),
    /// Worker 0 or 1 reads what is desired and known, and then waits for its turn.
    Load(usize),
    /// It has its turn, with what it has read or with fresh values.
    Run {
        worker: usize,
        faults: Vec<PlanCallFault>,
        crash: Option<u8>,
        look_first: bool,
    },
    Meddle(OutsideEdit),
}

/// The rows of the database that matter here.
#[derive(Clone)]
struct EntryRows {
    desired: Desired,
    known: EntryWriteState,
}

fn title_of(desired: &Desired) -> Vec<&str> {
    match desired {
        Desired::Present(content) => vec![content.title.as_str()],
        Desired::Absent => vec![],
    }
}

/// A worker's turn as the module's description says. `true`: it got to `Nothing`, or did what was to be done.
fn run(
    rows: &mut EntryRows,
    read: &EntryRows,
    fixture: &mut ProviderModel,
    faults: &[PlanCallFault],
    crash: Option<u8>,
    look_first: bool,
) -> bool {
    let mut lives = crash.map_or(u32::MAX, u32::from);
    let mut survives = || {
        lives = lives.saturating_sub(1);
        lives > 0
    };
    let mut faults = faults.iter().copied();
    let mut known = read.known.clone();
    let mut action = if look_first { EntryAction::Look } else { plan_entry(&read.desired, &known, None) };
    for _ in 0..MAX_STEPS {
        if action == EntryAction::Nothing {
            return true;
        }
        if action.writes() {
            known = known.begun(&action);
            rows.known = known.clone();
        }
        if !survives() {
            return false;
        }
        let fault = faults.next().unwrap_or(PlanCallFault::None);
        if matches!(fault, PlanCallFault::RequestLost) {
            return false;
        }
        if action == EntryAction::Look {
            let observation = fixture.look();
            if matches!(fault, PlanCallFault::AnswerLost) {
                return false;
            }
            action = plan_entry(&read.desired, &known, Some(&observation));
            continue;
        }
        let title = title_of(&read.desired).first().copied().unwrap_or_default();
        let answer = fixture.write(&action, title);
        assert!(fixture.live().len() <= 1, "two entries: {:?}", fixture.live());
        if matches!(fault, PlanCallFault::AnswerLost) || !survives() {
            return false;
        }
        match answer {
            Ok(etag) => {
                rows.known = match &read.desired {
                    Desired::Present(content) => known.written("abc", etag, content),
                    Desired::Absent => known.removed(),
                };
                return true;
            }
            Err(fault) => match after(&action, fault) {
                NextStep::Do(next) => action = next,
                NextStep::LookUnlessCalendarGone => action = EntryAction::Look,
                NextStep::Gone | NextStep::CalendarGone => unreachable!("the calendar is always there"),
            },
        }
    }
    false
}

/// Runs `ops`, then quietly until nothing is left to do, and holds the world against what is desired.
fn play(ids: IdPolicy, ops: &[PlanOp]) {
    let mut fixture = ProviderModel { ids, entries: vec![], writes: 0 };
    let mut rows = EntryRows { desired: Desired::Absent, known: EntryWriteState::new("abc") };
    let mut waiting: [Option<EntryRows>; 2] = [None, None];
    let mut meddled = false;
    for op in ops {
        match op {
            PlanOp::Change(None) => rows.desired = Desired::Absent,
            PlanOp::Change(Some(title)) => rows.desired = present(&format!("booking {title}")),
            PlanOp::Load(worker) => waiting[*worker] = Some(rows.clone()),
            PlanOp::Run { worker, faults, crash, look_first } => {
                let read = waiting[*worker].take().unwrap_or_else(|| rows.clone());
                run(&mut rows, &read, &mut fixture, faults, *crash, *look_first);
            }
            PlanOp::Meddle(how) => {
                fixture.meddle(*how);
                meddled = true;
            }
        }
        assert!(fixture.live().len() <= 1);
    }
    // Without meddlers the rows alone must be enough; what meddlers did is found by looking.
    for round in 0.. {
        let read = rows.clone();
        let settled = run(&mut rows, &read, &mut fixture, &[], None, meddled);
        assert!(settled, "the longest way takes no more than {MAX_STEPS} calls");
        if plan_entry(&rows.desired, &rows.known, None) == EntryAction::Nothing {
            break;
        }
        assert!(round < 2, "it never comes to rest");
    }
    assert_eq!(fixture.live(), title_of(&rows.desired));
}

fn fault() -> impl Strategy<Value = PlanCallFault> {
    prop_oneof![
        3 => Just(PlanCallFault::None),
        1 => Just(PlanCallFault::RequestLost),
        2 => Just(PlanCallFault::AnswerLost),
    ]
}

fn op(late_workers: bool, meddlers: bool) -> impl Strategy<Value = PlanOp> {
    let meddling = prop_oneof![
        2 => Just(OutsideEdit::Edit),
        2 => Just(OutsideEdit::Delete),
        1 => Just(OutsideEdit::Restore),
        1 => Just(OutsideEdit::Purge),
    ];
    prop_oneof![
        3 => proptest::option::weighted(0.7, 0_u8..3).prop_map(PlanOp::Change),
        u32::from(late_workers) * 2 => (0_usize..2).prop_map(PlanOp::Load),
        5 => (
            0_usize..2,
            proptest::collection::vec(fault(), 0..4),
            proptest::option::weighted(0.3, 1_u8..6),
            proptest::bool::weighted(0.1),
        )
            .prop_map(|(worker, faults, crash, look_first)| PlanOp::Run { worker, faults, crash, look_first }),
        u32::from(meddlers) * 2 => meddling.prop_map(PlanOp::Meddle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn one_entry_whatever_happens(ops in proptest::collection::vec(op(true, true), 0..30)) {
        play(IdPolicy::Unique, &ops);
    }

    #[test]
    fn what_is_stored_is_enough_without_looking(ops in proptest::collection::vec(op(true, false), 0..30)) {
        play(IdPolicy::Unique, &ops);
    }

    /// Where the provider does not guard the id, the lease must: nobody acts on what was read before its turn.
    #[test]
    fn one_entry_where_ids_do_not_bind(ops in proptest::collection::vec(op(false, true), 0..30)) {
        play(IdPolicy::Loose, &ops);
    }
}
