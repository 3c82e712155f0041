//! What follows from a person's change, by cases and by chance.

use chrono::Duration;
use proptest::prelude::*;

use super::*;
use crate::{
    booking::BookingKind,
    ical::fixtures::{PLATFORMS, at, booking, booking_at, timed},
    ids::EntryId,
    privacy::TextContext,
    sync::entry_content::{EntryContext, EntrySettings, desired_entry},
};

const LISBON: Tz = Tz::Europe__Lisbon;
const FOLLOW: RemoteChangeRules =
    RemoteChangeRules { moves: RemoteChangePolicy::Follow, deletions: RemoteChangePolicy::Follow };

/// Before every booking of these tests.
fn now() -> DateTime<Utc> {
    at("2026-11-20T12:00:00Z")
}

/// The entry of a booking, as the last write left it.
struct LinkedFixture {
    booking: Booking,
    base: Option<SyncedFields>,
    desired: Desired,
}

impl LinkedFixture {
    fn of(booking: Booking) -> Self {
        let desired = desired(&booking);
        let base = match &desired {
            Desired::Present(content) => Some(SyncedFields::from(content)),
            Desired::Absent => None,
        };
        Self { booking, base, desired }
    }

    /// Our own change, which is not written yet.
    fn changed_here(mut self, change: impl FnOnce(&mut BookingDraft)) -> Self {
        change(&mut self.booking.draft);
        self.booking.interval = self.booking.draft.time.interval(LISBON).unwrap();
        self.desired = desired(&self.booking);
        self
    }

    fn plan(&self, sight: &RemoteEntry, rules: RemoteChangeRules, now: DateTime<Utc>) -> RemoteChangePlan {
        let linked = LinkedBooking {
            booking: &self.booking,
            platforms: &PLATFORMS,
            resource: "Sea View",
            zone: LISBON,
            base: self.base.as_ref(),
            desired: &self.desired,
        };
        plan_remote_change(&linked, sight, rules, now)
    }

    fn title(&self) -> String {
        self.base.as_ref().unwrap().title.clone()
    }
}

fn desired(booking: &Booking) -> Desired {
    let names = EntryContext {
        names: TextContext { resource: "Sea View", business: "Casa", platforms: &PLATFORMS },
        zone: LISBON,
        round: None,
    };
    desired_entry(booking, EntryId(uuid::Uuid::from_u128(9)), &names, &EntrySettings::default())
}

fn massage() -> LinkedFixture {
    LinkedFixture::of(booking_at(4, timed("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z")))
}

fn hours(from: &str, until: &str) -> EntryTime {
    EntryTime::Timed { starts_at: at(from), ends_at: at(until), zone: Tz::UTC }
}

fn days(from: &str, until: &str) -> EntryTime {
    EntryTime::AllDay { from: from.parse().unwrap(), until: until.parse().unwrap() }
}

fn there(title: &str, time: impl Into<Option<EntryTime>>) -> RemoteEntry {
    RemoteEntry::There { title: title.into(), time: time.into() }
}

#[test]
fn own_write_is_echo_whether_or_not_acknowledged() {
    let fixture = massage();
    let as_written = there(&fixture.title(), hours("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z"));
    assert_eq!(fixture.plan(&as_written, FOLLOW, now()), RemoteChangePlan::Echo);
    // Providers trim, and one that hides the time says nothing of it.
    let spaced = there(&format!("  {} ", fixture.title()), None);
    assert_eq!(fixture.plan(&spaced, FOLLOW, now()), RemoteChangePlan::Echo);
    // Ours is under way: either side of it is ours.
    let fixture =
        fixture.changed_here(|draft| draft.time = timed("2026-12-06T09:00:00Z", "2026-12-06T10:00:00Z"));
    assert_eq!(fixture.plan(&as_written, FOLLOW, now()), RemoteChangePlan::Echo);
    let arrived = there(&fixture.title(), hours("2026-12-06T09:00:00Z", "2026-12-06T10:00:00Z"));
    assert_eq!(fixture.plan(&arrived, FOLLOW, now()), RemoteChangePlan::Echo);
}

#[test]
fn what_is_moved_resized_or_renamed_is_followed() {
    let fixture = massage();
    let moved = there(&fixture.title(), hours("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"));
    let to = timed("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z");
    let edit = BookingEdit { time: Some(to), ..BookingEdit::of(RemoteChangeKind::Moved) };
    assert_eq!(fixture.plan(&moved, FOLLOW, now()), RemoteChangePlan::Follow(edit.clone()));
    let ask = RemoteChangeRules { moves: RemoteChangePolicy::Ask, ..FOLLOW };
    assert_eq!(fixture.plan(&moved, ask, now()), RemoteChangePlan::Ask(edit));
    let revert = RemoteChangeRules { moves: RemoteChangePolicy::Revert, ..FOLLOW };
    let refused = RemoteChangePlan::Revert(RemoteChangeKind::Moved, Refusal::Policy);
    assert_eq!(fixture.plan(&moved, revert, now()), refused);

    let longer = there(&fixture.title(), hours("2026-12-05T09:00:00Z", "2026-12-05T11:00:00Z"));
    let to = timed("2026-12-05T09:00:00Z", "2026-12-05T11:00:00Z");
    let edit = BookingEdit { time: Some(to), ..BookingEdit::of(RemoteChangeKind::Resized) };
    assert_eq!(fixture.plan(&longer, FOLLOW, now()), RemoteChangePlan::Follow(edit));

    let renamed = there("Sea View — Maria (Hot stones)", None);
    let edit = BookingEdit { title: Some("Hot stones".into()), ..BookingEdit::of(RemoteChangeKind::Renamed) };
    assert_eq!(fixture.plan(&renamed, FOLLOW, now()), RemoteChangePlan::Follow(edit));

    let both = there("Hot stones", hours("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"));
    let edit = BookingEdit {
        time: Some(timed("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z")),
        title: Some("Hot stones".into()),
        ..BookingEdit::of(RemoteChangeKind::Moved)
    };
    assert_eq!(fixture.plan(&both, FOLLOW, now()), RemoteChangePlan::Follow(edit));
}

#[test]
fn a_stay_follows_by_whole_days_only() {
    let fixture = LinkedFixture::of(booking());
    let longer = there(&fixture.title(), days("2026-12-01", "2026-12-05"));
    let to = BookingTime::Stay {
        check_in: "2026-12-01".parse().unwrap(),
        check_out: "2026-12-05".parse().unwrap(),
    };
    let edit = BookingEdit { time: Some(to), ..BookingEdit::of(RemoteChangeKind::Resized) };
    assert_eq!(fixture.plan(&longer, FOLLOW, now()), RemoteChangePlan::Follow(edit));
    let by_hours = there(&fixture.title(), hours("2026-12-01T15:00:00Z", "2026-12-03T10:00:00Z"));
    let refused = RemoteChangePlan::Revert(RemoteChangeKind::Moved, Refusal::WholeDays);
    assert_eq!(fixture.plan(&by_hours, FOLLOW, now()), refused);
    let by_days = there(&massage().title(), days("2026-12-05", "2026-12-06"));
    assert_eq!(massage().plan(&by_days, FOLLOW, now()), refused);
}

#[test]
fn what_is_over_completed_or_moved_into_the_past_is_revert() {
    let later = there(&massage().title(), hours("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"));
    let revert = |refusal| RemoteChangePlan::Revert(RemoteChangeKind::Moved, refusal);
    assert_eq!(massage().plan(&later, FOLLOW, at("2026-12-05T10:00:00Z")), revert(Refusal::Over));
    let past = there(&massage().title(), hours("2026-11-05T09:00:00Z", "2026-11-05T10:00:00Z"));
    assert_eq!(massage().plan(&past, FOLLOW, now()), revert(Refusal::IntoThePast));
    let mut completed = booking_at(4, timed("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z"));
    completed.draft.status = BookingStatus::Completed;
    assert_eq!(LinkedFixture::of(completed).plan(&later, FOLLOW, now()), revert(Refusal::Completed));
    // It has begun: it may last longer, but not have begun at another time.
    let during = at("2026-12-05T09:30:00Z");
    let longer = there(&massage().title(), hours("2026-12-05T09:00:00Z", "2026-12-05T11:00:00Z"));
    assert!(matches!(massage().plan(&longer, FOLLOW, during), RemoteChangePlan::Follow(_)));
    let earlier = there(&massage().title(), hours("2026-12-05T08:00:00Z", "2026-12-05T11:00:00Z"));
    assert_eq!(massage().plan(&earlier, FOLLOW, during), revert(Refusal::IntoThePast));
}

#[test]
fn a_deletion_asks_unless_the_business_wants_otherwise() {
    let cancel =
        BookingEdit { status: Some(BookingStatus::Cancelled), ..BookingEdit::of(RemoteChangeKind::Deleted) };
    let fixture = massage();
    assert_eq!(
        fixture.plan(&RemoteEntry::Gone, RemoteChangeRules::default(), now()),
        RemoteChangePlan::Ask(cancel.clone())
    );
    assert_eq!(fixture.plan(&RemoteEntry::Gone, FOLLOW, now()), RemoteChangePlan::Follow(cancel));
    assert_eq!(fixture.plan(&RemoteEntry::Gone, FOLLOW, at("2026-12-05T10:00:00Z")), RemoteChangePlan::LetBe);
    let never_written = LinkedFixture { base: None, ..fixture };
    assert_eq!(never_written.plan(&RemoteEntry::Gone, FOLLOW, now()), RemoteChangePlan::Echo);
}

#[test]
fn who_loses_many_at_once_is_asked() {
    assert_eq!(FOLLOW.with_deleted_count(5), FOLLOW);
    let asks = RemoteChangeRules { deletions: RemoteChangePolicy::Ask, ..FOLLOW };
    assert_eq!(FOLLOW.with_deleted_count(6), asks);
    let puts_back = RemoteChangeRules { deletions: RemoteChangePolicy::Revert, ..FOLLOW };
    assert_eq!(puts_back.with_deleted_count(100), puts_back);
}

#[test]
fn what_comes_back_is_asked_about_or_removed_again() {
    let mut cancelled = booking_at(4, timed("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z"));
    cancelled.draft.status = BookingStatus::Cancelled;
    let fixture = LinkedFixture::of(cancelled);
    let back = there("Sea View — Maria", hours("2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z"));
    let confirm =
        BookingEdit { status: Some(BookingStatus::Confirmed), ..BookingEdit::of(RemoteChangeKind::Restored) };
    assert_eq!(fixture.plan(&back, RemoteChangeRules::default(), now()), RemoteChangePlan::Ask(confirm));
    assert_eq!(fixture.plan(&RemoteEntry::Gone, FOLLOW, now()), RemoteChangePlan::Echo);
    assert_eq!(fixture.plan(&back, FOLLOW, at("2026-12-06T00:00:00Z")), RemoteChangePlan::LetBe);
    // Somebody else serves the customer now.
    let elsewhere = LinkedFixture { base: None, desired: Desired::Absent, ..massage() };
    let refused = RemoteChangePlan::Revert(RemoteChangeKind::Restored, Refusal::NotAssigned);
    assert_eq!(elsewhere.plan(&back, FOLLOW, now()), refused);
    // Our removal has not arrived yet.
    let going = LinkedFixture { desired: Desired::Absent, ..massage() };
    assert_eq!(going.plan(&back, FOLLOW, now()), RemoteChangePlan::Echo);
}

#[test]
fn where_both_sides_changed_it_the_booking_stands() {
    let fixture =
        massage().changed_here(|draft| draft.time = timed("2026-12-06T09:00:00Z", "2026-12-06T10:00:00Z"));
    let moved = there(&fixture.title(), hours("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"));
    let refused = RemoteChangePlan::Revert(RemoteChangeKind::Moved, Refusal::ChangedHere);
    assert_eq!(fixture.plan(&moved, FOLLOW, now()), refused);
    // What was changed here is something else: both hold.
    let fixture = massage().changed_here(|draft| draft.title = "Hot stones".into());
    let plan = fixture.plan(&moved, FOLLOW, now());
    assert!(
        matches!(plan, RemoteChangePlan::Follow(BookingEdit { time: Some(_), title: None, .. })),
        "{plan:?}"
    );
    let both = there("Massage oil", hours("2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"));
    assert_eq!(fixture.plan(&both, FOLLOW, now()), plan);
    let renamed = RemoteChangePlan::Revert(RemoteChangeKind::Renamed, Refusal::ChangedHere);
    assert_eq!(fixture.plan(&there("Massage oil", None), FOLLOW, now()), renamed);
}

#[test]
fn what_now_takes_place_many_times_is_revert() {
    let refused = RemoteChangePlan::Revert(RemoteChangeKind::MadeRecurring, Refusal::Recurring);
    assert_eq!(massage().plan(&RemoteEntry::Recurring, FOLLOW, now()), refused);
}

#[test]
fn words_that_are_not_the_bookings_are_revert() {
    let fixture = massage();
    let plan = fixture.plan(&there("Maria", None), FOLLOW, now());
    assert_eq!(plan, RemoteChangePlan::Revert(RemoteChangeKind::Renamed, Refusal::TextNotEditable));
}

fn status() -> impl Strategy<Value = BookingStatus> {
    proptest::sample::select(BookingStatus::ALL)
}

fn sight() -> impl Strategy<Value = RemoteEntry> {
    let time = prop_oneof![
        3 => (-72_i64..400, 1_i64..80).prop_map(|(start, length)| {
            let starts_at = now() + Duration::hours(start);
            Some(EntryTime::Timed { starts_at, ends_at: starts_at + Duration::hours(length), zone: LISBON })
        }),
        2 => (-5_i64..20, 1_i64..9).prop_map(|(start, length)| {
            let from = now().date_naive() + Duration::days(start);
            Some(EntryTime::AllDay { from, until: from + Duration::days(length) })
        }),
        1 => Just(None),
    ];
    prop_oneof![
        1 => Just(RemoteEntry::Gone),
        1 => Just(RemoteEntry::Recurring),
        6 => ("(Sea View — )?(Maria)?( \\(x\\))?|[a-z ]{0,12}", time)
            .prop_map(|(title, time)| RemoteEntry::There { title, time }),
    ]
}

proptest! {
    #[test]
    fn nothing_is_followed_that_the_rules_forbid(
        stays: bool,
        status in status(),
        kind in proptest::sample::select(BookingKind::ALL),
        sight in sight(),
        later in 0_i64..500,
    ) {
        let mut booked = if stays { booking() } else { massage().booking };
        booked.draft.status = status;
        booked.draft.kind = kind;
        let fixture = LinkedFixture::of(booked);
        let now = now() + Duration::hours(later);
        let followed = fixture.plan(&sight, FOLLOW, now);
        let asked = fixture.plan(&sight, RemoteChangeRules { moves: RemoteChangePolicy::Ask, deletions: RemoteChangePolicy::Ask }, now);
        match (&followed, &asked) {
            (RemoteChangePlan::Follow(edit), RemoteChangePlan::Ask(same)) => {
                prop_assert_eq!(edit, same);
                prop_assert!(fixture.booking.interval.end > now);
                prop_assert!(status != BookingStatus::Completed);
                prop_assert!(status.occupies() || edit.kind == RemoteChangeKind::Restored);
                let draft = edit.applied(&fixture.booking.draft);
                prop_assert_ne!(&draft, &fixture.booking.draft, "a change that changes nothing");
                if let Some(time) = edit.time {
                    let interval = time.interval(LISBON).unwrap();
                    prop_assert!(interval.end > now);
                    prop_assert_eq!(matches!(time, BookingTime::Stay { .. }), stays);
                }
                // Once the booking has followed, what stands there is an echo, or only to be written in our words.
                let mut booking = fixture.booking.clone();
                booking.draft = draft;
                booking.interval = booking.draft.time.interval(LISBON).unwrap();
                let after = LinkedFixture::of(booking);
                let again = after.plan(&sight, FOLLOW, now);
                let settled = matches!(
                    again,
                    RemoteChangePlan::Echo | RemoteChangePlan::LetBe | RemoteChangePlan::Revert(_, Refusal::TextNotEditable)
                ) || edit.status.is_some();
                prop_assert!(settled, "{:?} then {:?}", edit, again);
            }
            (one, other) => prop_assert_eq!(one, other),
        }
    }
}
