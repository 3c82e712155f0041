//! The entries of a booking: how they are counted, listed and given up, and what other files test them with.

use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft},
    connection::{ConnectionState, EntryState},
    entry::EntryTime,
    ids::{BusinessId, CalendarId, ConnectionId, EntryId, new_uuid},
    job::{JobKind, QueueClass},
    people::Actor,
    sync::{synced_fields::SyncedFields, unknown_writes::UnknownWrite},
};
use concord_storage::{
    ChangeContext, Db,
    bookings::{self, WrittenBooking},
    businesses::{self, Business, BusinessSettings},
    connections,
    entries::{self, Entry, EntryCounts, PlannedWrite, WrittenEntry},
    jobs::{self, ClaimedJob, JobOutcome, JobRef, NewJob},
    people::Staff,
    resources::Resource,
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

/// Two people whose calendars are written, and somebody who has none.
pub(crate) struct EntryFixture {
    pub(crate) business: Business,
    pub(crate) room: Resource,
    pub(crate) ana: Staff,
    pub(crate) rui: Staff,
    pub(crate) eva: Staff,
    pub(crate) of_ana: ConnectionId,
    pub(crate) of_rui: ConnectionId,
}

pub(crate) async fn fixture(db: &Db) -> EntryFixture {
    let business = testing::business(db).await;
    let ring = testing::keyring();
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let rui = testing::staff(db, &business, "Rui").await;
    let eva = testing::staff(db, &business, "Eva").await;
    let of_ana = testing::connection(db, &ring, &ana).await;
    let of_rui = testing::connection(db, &ring, &rui).await;
    testing::calendar(db, &ana, of_ana).await;
    testing::calendar(db, &rui, of_rui).await;
    EntryFixture { business, room, ana, rui, eva, of_ana, of_rui }
}

impl EntryFixture {
    pub(crate) async fn put(&self, db: &Db, staff: &[&Staff], title: &str) -> WrittenBooking {
        let change = ChangeContext { business: self.business.id, actor: Actor::System, now: monday() };
        let draft = BookingDraft {
            staff: staff.iter().map(|one| one.id).collect(),
            title: title.to_owned(),
            ..testing::draft(&self.room, 60, 120)
        };
        bookings::put(db, &change, "A-1", &draft, None).await.unwrap()
    }

    pub(crate) async fn cancel(&self, db: &Db) -> WrittenBooking {
        let change = ChangeContext { business: self.business.id, actor: Actor::System, now: monday() };
        bookings::cancel(db, &change, "A-1", None).await.unwrap()
    }

    /// `name: state` of each calendar that the booking concerns or concerned.
    pub(crate) async fn states(&self, db: &Db, booking: &Booking) -> Vec<String> {
        let states = entries::sync_states(db, self.business.id, booking.id).await.unwrap();
        let mut shown: Vec<String> =
            states.iter().map(|one| format!("{}: {}", one.staff_name, one.state)).collect();
        shown.sort();
        shown
    }

    pub(crate) async fn entry(&self, db: &Db, booking: &Booking, of: ConnectionId) -> Entry {
        let ids = ids(db, booking, of).await;
        entries::find(db, self.business.id, ids).await.unwrap().unwrap()
    }
}

/// The entry of a booking in a connection: no query function needs to know it by these.
pub(crate) async fn ids(db: &Db, booking: &Booking, of: ConnectionId) -> EntryId {
    let query = "SELECT id FROM entries WHERE booking_id = $1 AND connection_id = $2";
    match db {
        Db::Sqlite { read, .. } => {
            sqlx::query_scalar(query).bind(booking.id).bind(of).fetch_one(read).await.unwrap()
        }
        Db::Postgres(pool) => {
            sqlx::query_scalar(query).bind(booking.id).bind(of).fetch_one(pool).await.unwrap()
        }
    }
}

/// An entry, the calendar that it is in, and the revision of what is known of it.
pub(crate) async fn stands(db: &Db, entry: EntryId) -> (EntryId, CalendarId, i64) {
    const STANDS: &str = "SELECT id, calendar_id, revision FROM entries WHERE id = $1";
    let stands = match db {
        Db::Sqlite { read, .. } => sqlx::query_as(STANDS).bind(entry).fetch_one(read).await,
        Db::Postgres(pool) => sqlx::query_as(STANDS).bind(entry).fetch_one(pool).await,
    };
    stands.unwrap()
}

/// Marks that a write has begun which leaves an entry of that title.
pub(crate) async fn begun(db: &Db, entry: EntryId, title: &str) {
    let (_, _, revision) = stands(db, entry).await;
    let unknown = [UnknownWrite::Left(shape(title))];
    let held = held(db).await;
    let planned = planned(db, entry, &unknown, &held).await;
    assert!(entries::begin_write(db, (entry, revision), &planned).await.unwrap());
}

/// A job whose lease holds.
pub(crate) async fn held(db: &Db) -> ClaimedJob {
    let (kind, queue, subject) = (JobKind::Remind, QueueClass::Interactive, new_uuid(monday()));
    let mut tx = begin(db).await;
    let new = NewJob { business: None, kind, subject, queue, due_at: at(0) };
    let enqueued = jobs::enqueue(&mut tx, new, at(0)).await.unwrap();
    commit(tx).await;
    jobs::claim(db, enqueued, "w#held", at(9_000), at(0)).await.unwrap().unwrap()
}

/// A write of the booking and the entry as they are.
pub(crate) async fn planned<'a>(
    db: &Db,
    entry: EntryId,
    unknown: &'a [UnknownWrite],
    held: &'a ClaimedJob,
) -> PlannedWrite<'a> {
    const NOW: &str =
        "SELECT e.desired, b.version FROM entries e JOIN bookings b ON b.id = e.booking_id WHERE e.id = $1";
    let (desired, version): (bool, i64) = match db {
        Db::Sqlite { read, .. } => sqlx::query_as(NOW).bind(entry).fetch_one(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_as(NOW).bind(entry).fetch_one(pool).await.unwrap(),
    };
    PlannedWrite { external_id: "given", etag: None, desired, version: Some(version), unknown, held }
}

/// What a test's entry says.
pub(crate) fn shape(title: &str) -> SyncedFields {
    let time = EntryTime::Timed { starts_at: at(60), ends_at: at(120), zone: chrono_tz::UTC };
    SyncedFields { title: title.to_owned(), time }
}

pub(crate) async fn written(db: &Db, entry: EntryId, version: i64) {
    begun(db, entry, "Massage").await;
    let shape = &shape("Massage");
    let written = WrittenEntry { external_id: "given", etag: "\"1\"", content_hash: "hash", version, shape };
    let here = stands(db, entry).await;
    let mut tx = begin(db).await;
    assert!(entries::record_written(&mut tx, here, &written, at(1)).await.unwrap());
    commit(tx).await;
}

pub(crate) fn kinds(jobs: &[JobRef]) -> Vec<JobKind> {
    let mut kinds: Vec<JobKind> = jobs.iter().map(|job| job.kind).collect();
    kinds.sort_unstable();
    kinds
}

async fn a_business_may_keep_cancelled_entries(db: &TestDb) {
    let fixture = fixture(db).await;
    let settings = BusinessSettings { mark_cancelled: true, ..fixture.business.settings() };
    let mut tx = begin(db).await;
    businesses::update(&mut tx, fixture.business.id, &settings, monday()).await.unwrap();
    commit(tx).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    assert_eq!(kinds(&fixture.cancel(db).await.jobs), [JobKind::SyncBooking]);
    assert!(fixture.entry(db, &put.booking, fixture.of_ana).await.desired);
}

async fn what_a_disconnection_would_remove_is_counted(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let business: BusinessId = fixture.business.id;
    let first = EntryId(Uuid::nil());
    assert_eq!(entries::count_present(db, business, fixture.of_ana).await.unwrap(), 0, "never attempted");
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    assert_eq!(entries::count_present(db, business, fixture.of_ana).await.unwrap(), 1);
    assert_eq!(entries::list_present(db, business, fixture.of_ana, first, 10).await.unwrap(), [id]);
    assert_eq!(entries::list_present(db, business, fixture.of_ana, id, 10).await.unwrap(), []);
    assert_eq!(entries::list_present(db, business, fixture.of_rui, first, 10).await.unwrap(), []);
    let mut tx = begin(db).await;
    entries::mark_undesired(&mut tx, id).await.unwrap();
    commit(tx).await;
    assert!(fixture.entry(db, &put.booking, fixture.of_ana).await.desired, "its connection is served");
    let mut tx = begin(db).await;
    let state = ConnectionState::Disconnected;
    connections::set_state(&mut tx, business, fixture.of_ana, state, None, at(1)).await.unwrap();
    entries::mark_undesired(&mut tx, id).await.unwrap();
    commit(tx).await;
    assert!(!fixture.entry(db, &put.booking, fixture.of_ana).await.desired);
    assert_eq!(
        entries::count_present(db, business, fixture.of_ana).await.unwrap(),
        1,
        "it still stands there"
    );
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, id).await, None, at(2)).await.unwrap();
    commit(tx).await;
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.state, EntryState::Removed);
    assert_eq!(entries::count_present(db, business, fixture.of_ana).await.unwrap(), 0);
}

async fn what_waits_for_a_paused_calendar_counts_apart(db: &TestDb) {
    let fixture = fixture(db).await;
    fixture.put(db, &[&fixture.ana], "Massage").await;
    let pending = EntryCounts { pending: 1, ..EntryCounts::default() };
    assert_eq!(entries::counts(db, fixture.business.id, None, monday()).await.unwrap(), pending);
    assert_eq!(
        entries::counts(db, fixture.business.id, Some(fixture.ana.id), monday()).await.unwrap(),
        pending
    );
    for staff in [None, Some(fixture.ana.id)] {
        let unsettled = entries::count_unsettled(db, fixture.business.id, staff).await.unwrap();
        assert_eq!(unsettled, pending);
    }
    let nobody = testing::staff(db, &fixture.business, "Rui").await;
    let none = entries::counts(db, fixture.business.id, Some(nobody.id), monday()).await.unwrap();
    assert_eq!(none, EntryCounts::default());
    for state in [ConnectionState::Paused, ConnectionState::NeedsReconnect] {
        let mut tx = begin(db).await;
        connections::set_state(&mut tx, fixture.business.id, fixture.of_ana, state, None, at(1))
            .await
            .unwrap();
        commit(tx).await;
        let waiting = EntryCounts { waiting: 1, ..EntryCounts::default() };
        assert_eq!(
            entries::counts(db, fixture.business.id, None, monday()).await.unwrap(),
            waiting,
            "{state:?}"
        );
    }
}

async fn another_business_finds_no_entry(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    let other = testing::business(db).await.id;
    assert!(entries::find(db, other, id).await.unwrap().is_none());
    assert!(entries::sync_states(db, other, put.booking.id).await.unwrap().is_empty());
    assert!(
        entries::list_present(db, other, fixture.of_ana, EntryId(Uuid::nil()), 10).await.unwrap().is_empty()
    );
    assert_eq!(entries::count_present(db, other, fixture.of_ana).await.unwrap(), 0);
    assert_eq!(entries::counts(db, other, None, monday()).await.unwrap(), EntryCounts::default());
}

async fn what_waits_for_a_provider_is_due_when_it_answers(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let reason = || "Google asks to slow down".to_owned();
    let snooze = JobOutcome::Snooze { until: at(14), reason: reason() };
    let failed = JobOutcome::Failed { retry_at: Some(at(16)), reason: reason() };
    let refused = JobOutcome::Failed { retry_at: Some(at(20)), reason: reason() };
    let longest = Duration::minutes(15);
    let (mut now, mut due) = (0, put.jobs.clone());
    for (outcome, is_rescheduled) in [(snooze, true), (failed, true), (refused, false)] {
        for job in &due {
            let claimed = jobs::claim(db, *job, "w#1", at(now + 1), at(now)).await.unwrap();
            let Some(claimed) = claimed else { continue };
            let mut tx = begin(db).await;
            jobs::finish(&mut tx, &claimed, &outcome, at(now)).await.unwrap();
            commit(tx).await;
        }
        now += 1;
        let mut tx = begin(db).await;
        let (business, of_ana) = (fixture.business.id, fixture.of_ana);
        due = jobs::reschedule_entries(&mut tx, business, of_ana, at(now), longest).await.unwrap();
        let again = jobs::reschedule_entries(&mut tx, business, of_ana, at(now), longest).await.unwrap();
        commit(tx).await;
        assert_eq!((due.len(), again.len()), (usize::from(is_rescheduled), 0), "{outcome:?}");
        assert_eq!(jobs::due(db, at(now), 10).await.unwrap(), due);
    }
}

concord_storage::on_both_databases!(
    what_waits_for_a_provider_is_due_when_it_answers,
    a_business_may_keep_cancelled_entries,
    what_a_disconnection_would_remove_is_counted,
    what_waits_for_a_paused_calendar_counts_apart,
    another_business_finds_no_entry,
);
