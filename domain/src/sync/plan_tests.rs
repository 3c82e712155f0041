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
    let tried = Known::new("ours").begun(&EntryAction::Create);
    assert_eq!(tried.written("theirs", "e1", &content("a")).external_id, "theirs");
    assert_eq!(tried.seen(&found("e1", false)), Known { external_id: "abc".into(), ..tried.clone() });
    assert_eq!(tried.seen(&Observation::Missing), tried);
}

#[test]
fn the_plan_by_cases() {
    let new = Known::new("abc");
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
    use WriteFault::{NotFound, Precondition};
    let look = Next::Do(EntryAction::Look);
    assert_eq!(after(&EntryAction::Create, Precondition), look);
    assert_eq!(after(&update("e1"), Precondition), look);
    assert_eq!(after(&EntryAction::Remove, Precondition), look);
    assert_eq!(after(&update("e1"), NotFound), Next::LookUnlessCalendarGone);
    assert_eq!(after(&EntryAction::Create, NotFound), Next::CalendarGone);
    assert_eq!(after(&EntryAction::Look, NotFound), Next::CalendarGone);
    assert_eq!(after(&EntryAction::Remove, NotFound), Next::Gone);
}

/// How a provider treats ids.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ids {
    /// One entry an id for ever; deleted ones stay and can be revived (Google).
    Unique,
    /// Every create makes an entry; ours are found again by a property that we wrote (Microsoft, once it has
    /// forgotten the transaction).
    Loose,
}

/// What a provider keeps under our id.
struct World {
    ids: Ids,
    entries: Vec<Stored>,
    writes: u32,
}

struct Stored {
    title: String,
    etag: String,
    deleted: bool,
}

impl World {
    fn etag(&mut self) -> String {
        self.writes += 1;
        format!("e{}", self.writes)
    }

    fn live(&self) -> Vec<&str> {
        self.entries.iter().filter(|entry| !entry.deleted).map(|entry| entry.title.as_str()).collect()
    }

    fn find(&mut self) -> Option<&mut Stored> {
        let ids = self.ids;
        self.entries.iter_mut().find(|entry| ids == Ids::Unique || !entry.deleted)
    }

    fn look(&mut self) -> Observation {
        self.find().map_or(Observation::Missing, |entry| found(&entry.etag, entry.deleted))
    }

    fn write(&mut self, action: &EntryAction, title: &str) -> Result<String, WriteFault> {
        let etag = self.etag();
        match action {
            EntryAction::Create => {
                if self.ids == Ids::Unique && !self.entries.is_empty() {
                    return Err(WriteFault::Precondition);
                }
                self.entries.push(Stored { title: title.into(), etag: etag.clone(), deleted: false });
            }
            EntryAction::Update { if_match } => {
                let entry = self.find().ok_or(WriteFault::NotFound)?;
                if if_match.as_ref().is_some_and(|expected| *expected != entry.etag) {
                    return Err(WriteFault::Precondition);
                }
                *entry = Stored { title: title.into(), etag: etag.clone(), deleted: false };
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

    fn meddle(&mut self, how: Meddling) {
        let etag = self.etag();
        match how {
            Meddling::Purge => self.entries.retain(|entry| !entry.deleted),
            Meddling::Edit => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| !entry.deleted) {
                    entry.title = "meddled with".into();
                    entry.etag = etag;
                }
            }
            Meddling::Delete => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| !entry.deleted) {
                    entry.deleted = true;
                    entry.etag = etag;
                }
            }
            Meddling::Restore => {
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
enum Meddling {
    Edit,
    Delete,
    Restore,
    Purge,
}

#[derive(Clone, Copy, Debug)]
enum CallFault {
    None,
    RequestLost,
    AnswerLost,
}

#[derive(Clone, Debug)]
enum Op {
    /// The booking now reads so, or is cancelled.
    Change(Option<u8>),
    /// Worker 0 or 1 reads what is desired and known, and then waits for its turn.
    Load(usize),
    /// It has its turn, with what it has read or with fresh values.
    Run {
        worker: usize,
        faults: Vec<CallFault>,
        crash: Option<u8>,
        look_first: bool,
    },
    Meddle(Meddling),
}

/// The rows of the database that matter here.
#[derive(Clone)]
struct Rows {
    desired: Desired,
    known: Known,
}

fn title_of(desired: &Desired) -> Vec<&str> {
    match desired {
        Desired::Present(content) => vec![content.title.as_str()],
        Desired::Absent => vec![],
    }
}

/// A worker's turn as the module's description says. `true`: it got to `Nothing`, or did what was to be done.
fn run(
    rows: &mut Rows,
    read: &Rows,
    world: &mut World,
    faults: &[CallFault],
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
        let fault = faults.next().unwrap_or(CallFault::None);
        if matches!(fault, CallFault::RequestLost) {
            return false;
        }
        if action == EntryAction::Look {
            let observation = world.look();
            if matches!(fault, CallFault::AnswerLost) {
                return false;
            }
            action = plan_entry(&read.desired, &known, Some(&observation));
            continue;
        }
        let title = title_of(&read.desired).first().copied().unwrap_or_default();
        let answer = world.write(&action, title);
        assert!(world.live().len() <= 1, "two entries: {:?}", world.live());
        if matches!(fault, CallFault::AnswerLost) || !survives() {
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
                Next::Do(next) => action = next,
                Next::LookUnlessCalendarGone => action = EntryAction::Look,
                Next::Gone | Next::CalendarGone => unreachable!("the calendar is always there"),
            },
        }
    }
    false
}

/// Runs `ops`, then quietly until nothing is left to do, and holds the world against what is desired.
fn play(ids: Ids, ops: &[Op]) {
    let mut world = World { ids, entries: vec![], writes: 0 };
    let mut rows = Rows { desired: Desired::Absent, known: Known::new("abc") };
    let mut waiting: [Option<Rows>; 2] = [None, None];
    let mut meddled = false;
    for op in ops {
        match op {
            Op::Change(None) => rows.desired = Desired::Absent,
            Op::Change(Some(title)) => rows.desired = present(&format!("booking {title}")),
            Op::Load(worker) => waiting[*worker] = Some(rows.clone()),
            Op::Run { worker, faults, crash, look_first } => {
                let read = waiting[*worker].take().unwrap_or_else(|| rows.clone());
                run(&mut rows, &read, &mut world, faults, *crash, *look_first);
            }
            Op::Meddle(how) => {
                world.meddle(*how);
                meddled = true;
            }
        }
        assert!(world.live().len() <= 1);
    }
    // Without meddlers the rows alone must be enough; what meddlers did is found by looking.
    for round in 0.. {
        let read = rows.clone();
        let settled = run(&mut rows, &read, &mut world, &[], None, meddled);
        assert!(settled, "the longest way takes no more than {MAX_STEPS} calls");
        if plan_entry(&rows.desired, &rows.known, None) == EntryAction::Nothing {
            break;
        }
        assert!(round < 2, "it never comes to rest");
    }
    assert_eq!(world.live(), title_of(&rows.desired));
}

fn fault() -> impl Strategy<Value = CallFault> {
    prop_oneof![
        3 => Just(CallFault::None),
        1 => Just(CallFault::RequestLost),
        2 => Just(CallFault::AnswerLost),
    ]
}

fn op(late_workers: bool, meddlers: bool) -> impl Strategy<Value = Op> {
    let meddling = prop_oneof![
        2 => Just(Meddling::Edit),
        2 => Just(Meddling::Delete),
        1 => Just(Meddling::Restore),
        1 => Just(Meddling::Purge),
    ];
    prop_oneof![
        3 => proptest::option::weighted(0.7, 0_u8..3).prop_map(Op::Change),
        u32::from(late_workers) * 2 => (0_usize..2).prop_map(Op::Load),
        5 => (
            0_usize..2,
            proptest::collection::vec(fault(), 0..4),
            proptest::option::weighted(0.3, 1_u8..6),
            proptest::bool::weighted(0.1),
        )
            .prop_map(|(worker, faults, crash, look_first)| Op::Run { worker, faults, crash, look_first }),
        u32::from(meddlers) * 2 => meddling.prop_map(Op::Meddle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn one_entry_whatever_happens(ops in proptest::collection::vec(op(true, true), 0..30)) {
        play(Ids::Unique, &ops);
    }

    #[test]
    fn what_is_stored_is_enough_without_looking(ops in proptest::collection::vec(op(true, false), 0..30)) {
        play(Ids::Unique, &ops);
    }

    /// Where the provider does not guard the id, the lease must: nobody acts on what was read before its turn.
    #[test]
    fn one_entry_where_ids_do_not_bind(ops in proptest::collection::vec(op(false, true), 0..30)) {
        play(Ids::Loose, &ops);
    }
}
