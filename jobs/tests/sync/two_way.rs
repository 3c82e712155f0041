//! What people do to entries of ours in their own calendars, and what becomes of the bookings.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingStatus, BookingTime},
    connection::{Coverage, Direction, EntryState},
    people::Actor,
    sync::remote_change::{
        Refusal, RemoteChangeKind, RemoteChangePolicy, RemoteChangeRules, RemoteChangeState,
    },
};
use concord_services::remote_changes::{AnswerError, RemoteChangeAnswer, answer, apply_answer};
use concord_storage::{
    PageRequest, bookings, history, on_both_databases,
    remote_changes::{self, RemoteChange},
    testing::{TestDb, at},
};
use serde_json::json;

use crate::fixture::{ANA, RUI, SyncFixture, titled};

impl SyncFixture<'_> {
    pub(crate) async fn now(&self, booking: &Booking) -> Booking {
        bookings::by_id(self.db, self.business.id, booking.id).await.unwrap().unwrap()
    }

    pub(crate) async fn changes(&self, booking: &Booking) -> Vec<RemoteChange> {
        remote_changes::of_booking(self.db, self.business.id, booking.id).await.unwrap()
    }

    /// The only change that a booking has seen.
    pub(crate) async fn change_of(&self, booking: &Booking) -> RemoteChange {
        let mut changes = self.changes(booking).await;
        assert_eq!(changes.len(), 1, "{changes:#?}");
        changes.remove(0)
    }

    pub(crate) async fn decide(
        &self,
        change: &RemoteChange,
        with: RemoteChangeAnswer,
    ) -> Result<(), AnswerError> {
        let answered = answer(&self.context, &self.change(), change.id, with).await;
        self.settle().await;
        answered
    }

    pub(crate) async fn set_rules(&self, moves: RemoteChangePolicy, deletions: RemoteChangePolicy) {
        self.change_business(|settings| settings.outside = RemoteChangeRules { moves, deletions }).await;
        self.settle().await;
    }

    /// Ana is connected and has a booking of an hour, an hour after the beginning, as her calendar calls it.
    pub(crate) async fn booked(&self) -> (Booking, String) {
        self.connected(&self.ana).await;
        let booking = self.put("A-1", &self.hour()).await;
        self.settle().await;
        self.poll().await;
        (booking, self.outside.one_seen_by(ANA).await.id)
    }

    /// Ana is connected and has as many bookings as nobody deletes one by one, each an hour.
    pub(crate) async fn booked_often(&self) -> Vec<Booking> {
        self.connected(&self.ana).await;
        let mut booked = Vec::new();
        for number in 0..8 {
            let from = 6_000 + number * 100;
            booked.push(self.put(&format!("A-{number}"), &self.draft(&[&self.ana], from, from + 60)).await);
        }
        self.settle().await;
        self.poll().await;
        booked
    }

    /// One deletion was followed, and somebody is asked about all that came together.
    pub(crate) async fn only_the_first_was_cancelled(&self, booked: &[Booking]) {
        let mut cancelled = 0;
        for booking in booked {
            cancelled += usize::from(self.now(booking).await.draft.status == BookingStatus::Cancelled);
        }
        assert_eq!(cancelled, 1, "an emptied calendar cancels no bookings");
        let open = remote_changes::open(self.db, self.business.id, None).await.unwrap();
        assert_eq!(open.len(), 7);
    }

    /// Later than all that is waited for here.
    pub(crate) fn hour(&self) -> BookingDraft {
        self.draft(&[&self.ana], 6_000, 6_060)
    }

    pub(crate) async fn person_moves(&self, id: &str, from: i64, to: i64) {
        let times = json!({ "starts_at": at(from), "ends_at": at(to) });
        self.outside.person_changes(ANA, id, times).await;
    }
}

pub(crate) fn minutes(booking: &Booking) -> (i64, i64) {
    let of = |instant: DateTime<Utc>| (instant - at(0)).num_minutes();
    (of(booking.interval.start), of(booking.interval.end))
}

async fn a_booking_follows_its_entry_and_everybody_elses(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana, &fixture.rui], 6_000, 6_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    let id = fixture.outside.one_seen_by(ANA).await.id;

    fixture.person_moves(&id, 7_000, 7_090).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (7_000, 7_090));
    for who in [ANA, RUI] {
        let seen = fixture.outside.one_seen_by(who).await;
        assert_eq!(seen.starts_at, at(7_000).format("%Y-%m-%dT%H:%M:%SZ").to_string(), "{who}");
    }
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Moved, RemoteChangeState::Followed));
    assert_eq!((change.staff_name.as_str(), change.can_be_undone()), ("Ana", true));
    let ask = PageRequest { limit: 1, after: None };
    let line =
        history::list_for_subject(db, fixture.business.id, booking.id.0, &ask).await.unwrap().items.remove(0);
    assert_eq!(line.actor, Actor::Calendar { staff: fixture.ana.id, name: "Ana".into() });
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: synced", "Rui: synced"]);

    // Nothing of it comes back as another change.
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    assert_eq!(fixture.changes(&booking).await.len(), 1);

    // And a person takes it back.
    fixture.decide(&change, RemoteChangeAnswer::Undo).await.unwrap();
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    let seen = fixture.outside.one_seen_by(RUI).await;
    assert_eq!(seen.starts_at, at(6_000).format("%Y-%m-%dT%H:%M:%SZ").to_string());
    assert!(matches!(fixture.decide(&change, RemoteChangeAnswer::Undo).await, Err(AnswerError::Overtaken)));
}

async fn what_is_renamed_or_resized_is_followed_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_changes(ANA, &id, json!({ "title": "Sea View — Maria (Hot stones)" })).await;
    fixture.poll().await;
    assert_eq!(fixture.now(&booking).await.draft.title, "Hot stones");
    let longer = json!({ "title": "Feet", "ends_at": at(6_120) });
    fixture.outside.person_changes(ANA, &id, longer).await;
    fixture.poll().await;
    let now = fixture.now(&booking).await;
    assert_eq!((now.draft.title.as_str(), minutes(&now)), ("Feet", (6_000, 6_120)));
    assert_eq!(fixture.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Feet)");
    let kinds: Vec<_> = fixture.changes(&booking).await.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [RemoteChangeKind::Resized, RemoteChangeKind::Renamed]);
}

async fn what_has_no_room_is_revert_and_says_what_stands_there(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    fixture.person_moves(&id, 7_030, 7_090).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.state, change.refusal), (RemoteChangeState::Revert, Some(Refusal::Taken)));
    assert_eq!(change.detail, "Ana: A-2");
    let seen = fixture.outside.seen_by(ANA).await.into_iter().find(|seen| seen.id == id).unwrap();
    assert_eq!(seen.starts_at, at(6_000).format("%Y-%m-%dT%H:%M:%SZ").to_string());
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
}

async fn what_is_over_or_completed_is_revert(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.person_moves(&id, -600, -540).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!(change.refusal, Some(Refusal::IntoThePast));
    let wanted = BookingTime::Timed { starts_at: at(-600), ends_at: at(-540) };
    assert_eq!((change.edit.time, change.before.time), (Some(wanted), Some(booking.draft.time)));
    let completed = BookingDraft { status: BookingStatus::Completed, ..fixture.hour() };
    fixture.put("A-1", &completed).await;
    fixture.settle().await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.poll().await;
    assert_eq!(fixture.changes(&booking).await[0].refusal, Some(Refusal::Completed));
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert_eq!(seen.starts_at, at(6_000).format("%Y-%m-%dT%H:%M:%SZ").to_string());
}

async fn what_is_made_to_recur_is_revert(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_changes(ANA, &id, json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"] })).await;
    assert_eq!(fixture.outside.one_seen_by(ANA).await.raw["recurrence"].as_array().unwrap().len(), 1);
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::MadeRecurring, RemoteChangeState::Revert));
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert!(seen.raw["recurrence"].is_null(), "{:#}", seen.raw);
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 6000 - 6060"]);
    assert_eq!(fixture.changes(&booking).await.len(), 1);
}

async fn a_business_may_want_to_be_asked_or_to_put_everything_back(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Revert).await;
    let (booking, id) = fixture.booked().await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!(change.state, RemoteChangeState::Open);
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    fixture.decide(&change, RemoteChangeAnswer::Follow).await.unwrap();
    assert_eq!(minutes(&fixture.now(&booking).await), (7_000, 7_060));
    assert_eq!(
        fixture.outside.one_seen_by(ANA).await.starts_at,
        at(7_000).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    );

    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    assert_eq!(fixture.outside.one_seen_by(ANA).await.id, id);
    let revert = fixture.changes(&booking).await.remove(0);
    assert_eq!((revert.state, revert.refusal), (RemoteChangeState::Revert, Some(Refusal::Policy)));

    // The other way round, and the connection has the last word.
    fixture.set_rules(RemoteChangePolicy::Revert, RemoteChangePolicy::Revert).await;
    fixture.person_moves(&id, 7_100, 7_160).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (7_000, 7_060));
}

async fn a_change_is_found_by_whoever_writes_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    // Moved there and renamed here before anybody has read the calendar: both hold.
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.put("A-1", &titled(&fixture.hour(), "Second")).await;
    fixture.settle().await;
    let now = fixture.now(&booking).await;
    assert_eq!((now.draft.title.as_str(), minutes(&now)), ("Second", (7_000, 7_060)));
    assert_eq!(fixture.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Second)");
    assert_eq!(fixture.change_of(&booking).await.kind, RemoteChangeKind::Moved);

    // Moved on both sides: the booking stands.
    fixture.person_moves(&id, 8_000, 8_060).await;
    fixture.put("A-1", &titled(&fixture.draft(&[&fixture.ana], 9_000, 9_060), "Second")).await;
    fixture.settle().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (9_000, 9_060));
    let change = fixture.changes(&booking).await.remove(0);
    assert_eq!((change.state, change.refusal), (RemoteChangeState::Revert, Some(Refusal::ChangedHere)));
    let told = "it was changed in the calendar and reverted";
    assert!(fixture.log_lines().await.iter().any(|line| line.detail == told));
    assert_eq!(
        fixture.outside.one_seen_by(ANA).await.starts_at,
        at(9_000).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    );

    // Deleted there and cancelled here: it is gone as it should be.
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!((fixture.outside.seen_by(ANA).await.len(), fixture.failed().await.len()), (0, 0));
}

/// Written there, then changed back here before anybody knew: it looks like a person's move, and is ours.
async fn a_write_whose_answer_was_lost_is_no_persons_doing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, _) = fixture.booked().await;
    fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.hits().await, 1);
    assert_eq!(
        fixture.outside.one_seen_by(ANA).await.starts_at,
        at(7_000).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    );
    fixture.put("A-1", &fixture.hour()).await;
    concord_services::connections::import_all(&fixture.context, fixture.business.id).await.unwrap();
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    assert!(fixture.changes(&booking).await.is_empty());
    assert_eq!(
        fixture.outside.one_seen_by(ANA).await.starts_at,
        at(6_000).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    );
}

async fn a_calendar_that_is_only_written_has_nothing_to_say(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let connection = fixture.connected(&fixture.ana).await;
    fixture.set(connection, Direction::Out, Coverage::Assigned).await;
    let booking = fixture.put("A-1", &fixture.hour()).await;
    fixture.settle().await;
    let id = fixture.outside.one_seen_by(ANA).await.id;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.put("A-1", &titled(&fixture.hour(), "Second")).await;
    fixture.settle().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    assert_eq!(
        fixture.outside.one_seen_by(ANA).await.starts_at,
        at(6_000).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    );
}

async fn a_move_out_of_sight_is_no_deletion(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    let far = Duration::days(400).num_minutes();
    fixture.person_moves(&id, far, far + 60).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (far, far + 60));
}

async fn what_we_do_not_follow_is_left_alone_until_the_next_write(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_changes(ANA, &id, json!({ "description": "Bring towels" })).await;
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    concord_services::connections::sync_all_pending(&fixture.context, fixture.business.id).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    assert_eq!(fixture.outside.one_seen_by(ANA).await.description, "Bring towels");
    assert!(fixture.changes(&booking).await.is_empty());
}

async fn undo_of_an_older_change_takes_back_nothing_newer(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert!(change.can_be_undone());
    // Since they have seen it, somebody else has moved the booking on.
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 8_000, 8_060)).await;
    let refused = apply_answer(&fixture.context, &fixture.change(), &change, RemoteChangeAnswer::Undo).await;
    assert!(matches!(refused, Err(AnswerError::Overtaken)), "{refused:?}");
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("the booking has changed since"), "{words}");
    assert_eq!(minutes(&fixture.now(&booking).await), (8_000, 8_060));
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Followed);
}

on_both_databases!(
    undo_of_an_older_change_takes_back_nothing_newer,
    a_booking_follows_its_entry_and_everybody_elses,
    what_is_renamed_or_resized_is_followed_too,
    what_has_no_room_is_revert_and_says_what_stands_there,
    what_is_over_or_completed_is_revert,
    what_is_made_to_recur_is_revert,
    a_business_may_want_to_be_asked_or_to_put_everything_back,
    a_change_is_found_by_whoever_writes_too,
    a_write_whose_answer_was_lost_is_no_persons_doing,
    a_calendar_that_is_only_written_has_nothing_to_say,
    a_move_out_of_sight_is_no_deletion,
    what_we_do_not_follow_is_left_alone_until_the_next_write,
);
