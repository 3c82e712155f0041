//! Reminders: planned with the booking, settled once.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus},
    ids::{BookingId, BusinessId, ReminderRuleId},
    job::JobKind,
    mail::{MailKind, MailState},
    reminder::{QuietHours, ReminderChannel, ReminderRuleSettings, ReminderSkip, ReminderState},
};
use concord_storage::{
    Db, bookings,
    businesses::Business,
    jobs,
    mails::{self, NewMail, NewReminderMail, StoredMail},
    reminder_rules::{self, ReminderRule},
    reminders::{self, RemindedBooking, Reminder},
    resources::Resource,
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::{first, is_not_found, precise};

/// Minutes after `monday` at which the booking of these tests begins: the third day, 12:00.
const START: i64 = 3 * 24 * 60 + 4 * 60;

fn rule(minutes_before: u32) -> ReminderRuleSettings {
    ReminderRuleSettings { channel: ReminderChannel::CustomerMail, kind: None, minutes_before }
}

async fn add(db: &Db, business: BusinessId, settings: &ReminderRuleSettings) -> ReminderRule {
    let mut tx = begin(db).await;
    let made = reminder_rules::create(&mut tx, business, settings, precise(0)).await.unwrap();
    commit(tx).await;
    made
}

/// A business that reminds an hour before, and a room.
async fn reminding(db: &Db) -> (Business, Resource, ReminderRule) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let hour = add(db, business.id, &rule(60)).await;
    (business, room, hour)
}

async fn rows(db: &Db, booking: &Booking) -> Vec<Reminder> {
    let mut tx = begin(db).await;
    let rows = reminders::rows(&mut tx, booking.id).await.unwrap();
    drop(tx);
    rows
}

async fn states(db: &Db, booking: &Booking) -> Vec<(DateTime<Utc>, ReminderState, Option<ReminderSkip>)> {
    rows(db, booking).await.into_iter().map(|row| (row.due_at, row.state, row.skip_reason)).collect()
}

fn planned(minute: i64) -> (DateTime<Utc>, ReminderState, Option<ReminderSkip>) {
    (at(minute), ReminderState::Planned, None)
}

fn skipped(minute: i64, why: ReminderSkip) -> (DateTime<Utc>, ReminderState, Option<ReminderSkip>) {
    (at(minute), ReminderState::Skipped, Some(why))
}

async fn rules_are_kept_and_are_of_one_business(db: &TestDb) {
    let business = testing::business(db).await.id;
    let other = testing::business(db).await.id;
    let mut tx = begin(db).await;
    reminder_rules::create_defaults(&mut tx, business, precise(0)).await.unwrap();
    commit(tx).await;
    let all = reminder_rules::list(db, business).await.unwrap();
    let settings: Vec<_> = all.iter().map(|rule| rule.settings).collect();
    assert_eq!(settings, ReminderRuleSettings::defaults());
    assert_eq!(reminder_rules::list(db, other).await.unwrap(), []);

    let kind = Some(BookingKind::Delivery);
    let changed = ReminderRuleSettings { channel: ReminderChannel::StaffMail, kind, minutes_before: 30 };
    let mut tx = begin(db).await;
    is_not_found(reminder_rules::update(&mut tx, other, all[0].id, &changed).await);
    is_not_found(reminder_rules::remove(&mut tx, other, all[0].id, precise(1)).await);
    let after = reminder_rules::update(&mut tx, business, all[0].id, &changed).await.unwrap();
    assert_eq!((after.id, after.settings, after.created_at), (all[0].id, changed, precise(0)));
    reminder_rules::remove(&mut tx, business, all[1].id, precise(1)).await.unwrap();
    is_not_found(reminder_rules::remove(&mut tx, business, all[1].id, precise(1)).await);
    is_not_found(reminder_rules::update(&mut tx, business, all[1].id, &changed).await);
    assert_eq!(reminder_rules::list_in(&mut tx, business).await.unwrap(), [after]);
    commit(tx).await;
}

async fn quiet_hours_are_kept(db: &TestDb) {
    let business = testing::business(db).await.id;
    assert_eq!(reminder_rules::quiet_hours(db, business).await.unwrap(), None);
    let hours: QuietHours = "22:00-07:30".parse().unwrap();
    for wanted in [Some(hours), None] {
        let mut tx = begin(db).await;
        reminder_rules::set_quiet_hours(&mut tx, business, wanted).await.unwrap();
        commit(tx).await;
        assert_eq!(reminder_rules::quiet_hours(db, business).await.unwrap(), wanted);
    }
    let mut tx = begin(db).await;
    is_not_found(reminder_rules::set_quiet_hours(&mut tx, BusinessId(Uuid::nil()), None).await);
}

async fn reminder_is_planned_with_its_booking_and_follows_it(db: &TestDb) {
    let (business, room, _) = reminding(db).await;
    let draft = testing::draft(&room, START, START + 60);
    let booking = testing::booking(db, &business, "tasting", &draft).await;
    assert_eq!(states(db, &booking).await, [planned(START - 60)]);
    let next = jobs::next_due_at(db, business.id, JobKind::Remind, booking.id.0).await;
    assert_eq!(next.unwrap(), Some(at(START - 60)), "the job comes when it is due");

    let moved = testing::draft(&room, START + 120, START + 180);
    testing::booking(db, &business, "tasting", &moved).await;
    let of_old_time = skipped(START - 60, ReminderSkip::Moved);
    assert_eq!(states(db, &booking).await, [of_old_time, planned(START + 60)]);
    testing::booking(db, &business, "tasting", &draft).await;
    let of_new_time = skipped(START + 60, ReminderSkip::Moved);
    assert_eq!(states(db, &booking).await, [planned(START - 60), of_new_time], "it came back");

    let off = BookingDraft { status: BookingStatus::Cancelled, ..draft.clone() };
    testing::booking(db, &business, "tasting", &off).await;
    let cancelled = skipped(START - 60, ReminderSkip::Cancelled);
    assert_eq!(states(db, &booking).await, [cancelled, of_new_time]);
    testing::booking(db, &business, "tasting", &draft).await;
    assert_eq!(states(db, &booking).await[0], planned(START - 60));

    // Made when the hour before had begun; and what was there before the rule is planned by `replan` alone.
    let late = testing::booking(db, &business, "late", &testing::draft(&room, 30, 90)).await;
    assert_eq!(states(db, &late).await, [skipped(0, ReminderSkip::BookedLate)]);
    let over = testing::booking(db, &business, "over", &testing::draft(&room, -90, -30)).await;
    assert_eq!(states(db, &over).await, []);
}

async fn new_and_removed_rules_are_followed_by_bookings_to_come(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let draft = testing::draft(&room, START, START + 60);
    let booking = testing::booking(db, &business, "tasting", &draft).await;
    let later =
        testing::booking(db, &business, "later", &testing::draft(&room, START + 60, START + 90)).await;
    assert_eq!(states(db, &booking).await, []);
    let after = (monday(), BookingId(Uuid::nil()));
    let coming = reminders::bookings_to_come(db, business.id, after, 1).await.unwrap();
    assert_eq!(coming, [(at(START), booking.id)]);
    let coming = reminders::bookings_to_come(db, business.id, coming[0], 5).await.unwrap();
    assert_eq!(coming, [(at(START + 60), later.id)]);

    let replan = async || {
        let mut tx = begin(db).await;
        assert!(bookings::hold(&mut tx, booking.id, booking.version).await.unwrap());
        reminders::replan(&mut tx, &booking, monday()).await.unwrap();
        commit(tx).await;
    };
    let hour = add(db, business.id, &rule(60)).await;
    replan().await;
    assert_eq!(states(db, &booking).await, [planned(START - 60)]);
    let mut tx = begin(db).await;
    reminder_rules::update(&mut tx, business.id, hour.id, &rule(120)).await.unwrap();
    let noon: QuietHours = "09:00-11:00".parse().unwrap();
    reminder_rules::set_quiet_hours(&mut tx, business.id, Some(noon)).await.unwrap();
    let clocks = reminders::quiet_clocks(&mut tx, booking.id).await.unwrap();
    assert_eq!(clocks.of(ReminderChannel::CustomerMail), (Some(noon), chrono_tz::Europe::Lisbon));
    assert_eq!(clocks.of(ReminderChannel::Webhook), (None, chrono_tz::Europe::Lisbon));
    commit(tx).await;
    replan().await;
    assert_eq!(states(db, &booking).await, [planned(START - 60)], "two hours before is quiet until eleven");
    let mut tx = begin(db).await;
    reminder_rules::remove(&mut tx, business.id, hour.id, monday()).await.unwrap();
    commit(tx).await;
    replan().await;
    assert_eq!(states(db, &booking).await, [skipped(START - 60, ReminderSkip::RuleChanged)]);
}

async fn write(db: &Db, row: &Reminder, key: &str) -> StoredMail {
    let reminder =
        NewReminderMail { reminder: row.id, unsubscribe_url: Some("https://book.example/b/x/reminders/off") };
    let new = NewMail {
        business: row.business_id,
        kind: MailKind::Reminder,
        to_address: "maria@example.com",
        to_name: "Maria",
        subject: "Reminder",
        text: "",
        html: "",
        from_domain: "book.example",
        dedupe_key: key,
        sender: None,
        invitation: None,
        reminder: Some(reminder),
        useful_until: Some(row.starts_at),
    };
    let mut tx = begin(db).await;
    assert!(mails::create(&mut tx, &new, precise(1)).await.unwrap().is_some());
    reminders::record_queued(&mut tx, row.id, precise(1)).await.unwrap();
    commit(tx).await;
    let found = mails::list(db, row.business_id, None, &first(50)).await.unwrap().items;
    found.into_iter().find(|mail| mail.state == MailState::Waiting).unwrap()
}

async fn of_one_booking(db: &Db) -> (Business, Resource, Booking, Reminder) {
    let (business, room, _) = reminding(db).await;
    let booking = testing::booking(db, &business, "tasting", &testing::draft(&room, START, START + 60)).await;
    let row = rows(db, &booking).await.remove(0);
    (business, room, booking, row)
}

async fn mail_of_a_reminder_settles_it(db: &TestDb) {
    let (business, _, booking, row) = of_one_booking(db).await;
    let mail = write(db, &row, "a").await;
    assert_eq!(mail.reminder_id, Some(row.id));
    assert_eq!(mail.unsubscribe_url.as_deref(), Some("https://book.example/b/x/reminders/off"));
    assert_eq!(rows(db, &booking).await[0].state, ReminderState::Queued);
    let mut tx = begin(db).await;
    assert!(!reminders::record_queued(&mut tx, row.id, precise(2)).await.unwrap(), "once");
    // Another mail of it is not settled.
    let left = reminders::record_failed(&mut tx, row.id, "no such mailbox", precise(2)).await.unwrap();
    assert_eq!(left, None);
    commit(tx).await;
    assert_eq!(rows(db, &booking).await[0].state, ReminderState::Queued);
    let mut tx = begin(db).await;
    assert!(mails::record_failure(&mut tx, mail.id, MailState::Failed, "no such mailbox").await.unwrap());
    let failed = reminders::record_failed(&mut tx, row.id, "no such mailbox", precise(2)).await.unwrap();
    commit(tx).await;
    assert_eq!(failed, Some(RemindedBooking { id: booking.id, reference: "tasting".to_owned() }));
    assert!(reminders::is_wanted(db, row.id).await.unwrap());
    let failed = reminders::of_booking(db, business.id, booking.id).await.unwrap().remove(0);
    assert_eq!((failed.reminder.state, failed.reminder.changed_at), (ReminderState::Failed, precise(2)));
    assert_eq!(failed.reminder.error.as_deref(), Some("no such mailbox"));
    assert_eq!((failed.reference.as_str(), failed.rule), ("tasting", rule(60)));
    let mut tx = begin(db).await;
    mails::record_sent(&mut tx, &mail, precise(3)).await.unwrap();
    commit(tx).await;
    let sent = rows(db, &booking).await.remove(0);
    assert_eq!((sent.state, sent.error, sent.changed_at), (ReminderState::Sent, None, precise(3)));
    let other = testing::business(db).await;
    assert_eq!(reminders::of_booking(db, other.id, booking.id).await.unwrap(), []);
}

async fn customer_who_wants_none_is_sent_none_that_waits(db: &TestDb) {
    let (business, _, booking, row) = of_one_booking(db).await;
    write(db, &row, "a").await;
    let mut tx = begin(db).await;
    reminders::turn_off(&mut tx, booking.id, precise(2)).await.unwrap();
    commit(tx).await;
    assert_eq!(states(db, &booking).await, [skipped(START - 60, ReminderSkip::TurnedOff)]);
    assert_eq!(mails::list(db, business.id, None, &first(5)).await.unwrap().items, []);
    assert!(!reminders::is_wanted(db, row.id).await.unwrap(), "it has not failed");
}

async fn event_of_a_reminder_settles_it_once(db: &TestDb) {
    let (business, room, booking, row) = of_one_booking(db).await;
    let mut tx = begin(db).await;
    assert!(reminders::record_published(&mut tx, row.id, precise(1)).await.unwrap());
    assert!(!reminders::record_published(&mut tx, row.id, precise(2)).await.unwrap(), "once");
    commit(tx).await;
    let sent = rows(db, &booking).await.remove(0);
    assert_eq!((sent.state, sent.changed_at), (ReminderState::Sent, precise(1)));
    // What was told stays told, whatever becomes of the booking.
    let moved = testing::draft(&room, START + 120, START + 180);
    let booking = testing::booking(db, &business, "tasting", &moved).await;
    assert_eq!(
        states(db, &booking).await,
        [(at(START - 60), ReminderState::Sent, None), planned(START + 60)]
    );
    let next = rows(db, &booking).await.remove(1);
    let mut tx = begin(db).await;
    reminders::record_skipped(&mut tx, next.id, ReminderSkip::TooLate, precise(3)).await.unwrap();
    assert!(!reminders::record_published(&mut tx, next.id, precise(4)).await.unwrap(), "it is skipped");
    commit(tx).await;
}

async fn what_is_written_is_taken_back_when_the_booking_changes(db: &TestDb) {
    let (business, room, booking, row) = of_one_booking(db).await;
    write(db, &row, "a").await;
    let renamed = BookingDraft { title: "Hot stones".to_owned(), ..booking.draft.clone() };
    testing::booking(db, &business, "tasting", &renamed).await;
    let all = mails::list(db, business.id, None, &first(5)).await.unwrap().items;
    assert_eq!(all, [], "it is written anew");
    assert_eq!(states(db, &booking).await, [planned(START - 60)]);

    // What may have left is not sent again for the old time.
    let mail = write(db, &row, "a").await;
    let mut tx = begin(db).await;
    assert!(mails::begin_sending(&mut tx, mail.id, precise(2)).await.unwrap());
    commit(tx).await;
    let moved = testing::draft(&room, START + 120, START + 180);
    testing::booking(db, &business, "tasting", &moved).await;
    assert_eq!(states(db, &booking).await[0], skipped(START - 60, ReminderSkip::Moved));
    let mut tx = begin(db).await;
    assert!(!mails::begin_sending(&mut tx, mail.id, precise(3)).await.unwrap());
    // But the server took it.
    mails::record_sent(&mut tx, &mail, precise(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(rows(db, &booking).await[0].state, ReminderState::Sent);
}

async fn reminder_is_put_off_and_skipped_once(db: &TestDb) {
    let (business, _, booking, row) = of_one_booking(db).await;
    let mut tx = begin(db).await;
    reminders::postpone(&mut tx, row.id, at(START - 30)).await.unwrap();
    commit(tx).await;
    let next = reminders::planned(db, business.id, 5).await.unwrap();
    assert_eq!(next.iter().map(|one| one.reminder.due_at).collect::<Vec<_>>(), [at(START - 30)]);
    assert_eq!(reminders::settled(db, business.id, 5).await.unwrap(), []);
    let mut tx = begin(db).await;
    reminders::record_skipped(&mut tx, row.id, ReminderSkip::TurnedOff, precise(1)).await.unwrap();
    reminders::record_skipped(&mut tx, row.id, ReminderSkip::TooLate, precise(2)).await.unwrap();
    reminders::postpone(&mut tx, row.id, at(START)).await.unwrap();
    commit(tx).await;
    assert_eq!(states(db, &booking).await, [skipped(START - 30, ReminderSkip::TurnedOff)]);
    assert_eq!(reminders::planned(db, business.id, 5).await.unwrap(), []);
    let settled = reminders::settled(db, business.id, 5).await.unwrap();
    assert_eq!(settled.iter().map(|one| one.reminder.id).collect::<Vec<_>>(), [row.id]);
    assert_ne!(settled[0].reminder.rule_id, ReminderRuleId(Uuid::nil()));
}

async fn old_reminders_go_and_their_mails_stay(db: &TestDb) {
    let (business, _, booking, row) = of_one_booking(db).await;
    let mail = write(db, &row, "a").await;
    let keep = crate::retention::KEEP;
    let now = at(START) + keep.mails - Duration::minutes(1);
    concord_storage::retention::delete_old(db, keep, now).await.unwrap();
    assert_eq!(rows(db, &booking).await.len(), 1);
    let now = at(START) + keep.mails + Duration::minutes(1);
    concord_storage::retention::delete_old(db, keep, now).await.unwrap();
    assert_eq!(rows(db, &booking).await, []);
    let mail = mails::find(db, business.id, mail.id).await.unwrap().unwrap();
    assert_eq!(mail.reminder_id, None);
}

concord_storage::on_both_databases!(
    rules_are_kept_and_are_of_one_business,
    quiet_hours_are_kept,
    reminder_is_planned_with_its_booking_and_follows_it,
    new_and_removed_rules_are_followed_by_bookings_to_come,
    mail_of_a_reminder_settles_it,
    customer_who_wants_none_is_sent_none_that_waits,
    event_of_a_reminder_settles_it_once,
    what_is_written_is_taken_back_when_the_booking_changes,
    reminder_is_put_off_and_skipped_once,
    old_reminders_go_and_their_mails_stay,
);
