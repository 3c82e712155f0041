//! What every provider must do. A case is a function of a world; `contract!` makes a test of each.

pub(crate) mod changes;
pub(crate) mod content;
pub(crate) mod faults;
pub(crate) mod lifecycle;
pub(crate) mod permission;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryTime, ObservedEntry},
    ids::{BookingId, EntryId},
    interval::Interval,
};
use concord_providers::{CalendarProvider, NextPage, ProviderError, SyncPosition};

use crate::fixture::{Appointment, TestAccount};

/// A test of each case, each in a world of its own, and `all`, which runs them one after the other in one fixture: what
/// every provider must do, and with `oauth` what those must who ask a person for their consent. `all_writable`: nobody
/// there has a calendar that they may only read.
macro_rules! contract {
    ($fixture:expr, oauth) => {
        contract! { @with $fixture;
            permission: a_read_only_calendar_is_read_and_not_written,
            permission: consent_becomes_a_grant,
            permission: a_denied_consent_comes_back_as_such,
            permission: a_code_is_good_once,
            permission: an_expired_token_is_said_and_refreshed,
            permission: a_revoked_grant_is_dead,
            permission: we_can_end_it_ourselves_and_twice,
        }
    };
    ($fixture:expr) => {
        contract! { @with $fixture; permission: a_read_only_calendar_is_read_and_not_written, }
    };
    ($fixture:expr, all_writable) => {
        contract! { @with $fixture; }
    };
    (@with $fixture:expr; $($module:ident: $case:ident,)*) => {
        contract! { @cases $fixture;
            $($module: $case,)*
            lifecycle: an_entry_is_created_found_changed_and_removed,
            lifecycle: creating_twice_is_noticed,
            lifecycle: what_a_person_deleted_comes_back_to_life,
            lifecycle: a_stale_version_is_noticed,
            lifecycle: removing_twice_succeeds,
            content: texts_come_back_as_they_were,
            content: times_come_back_as_they_were,
            content: a_cleared_field_is_clear,
            content: a_pending_booking_is_tentative,
            content: what_is_kept_of_a_cancelled_booking_leaves_its_owner_free,
            changes: what_a_person_does_is_seen,
            changes: what_we_write_is_known_again,
            changes: a_first_read_keeps_to_the_window,
            changes: a_large_calendar_comes_in_pages,
            changes: a_recurring_appointment_comes_as_instances,
            changes: an_expired_cursor_is_said,
            changes: busy_times_are_what_takes_up_time,
            changes: busy_times_come_for_half_a_year,
            permission: the_account_and_its_calendars_are_told,
            permission: a_hidden_calendar_is_told_too,
            faults: too_many_requests_names_a_wait,
            faults: a_server_error_is_passing,
            faults: silence_is_passing,
            faults: a_lost_answer_leaves_one_entry,
            faults: an_unknown_calendar_is_not_found,
            faults: a_strange_id_reaches_nothing_else,
        }
    };
    (@cases $fixture:expr; $($module:ident: $case:ident,)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                crate::suite::$module::$case(&$fixture.await).await;
            }
        )+

        /// Every case, one after the other, in one fixture.
        #[allow(dead_code, reason = "only where the traffic is recorded")]
        pub(crate) async fn all(fixture: &dyn crate::fixture::ProviderFixture) {
            $( crate::suite::$module::$case(fixture).await; )+
        }
    };
}
pub(crate) use contract;

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn interval(start: &str, end: &str) -> Interval {
    Interval::new(at(start), at(end)).unwrap()
}

/// Spring 2026, with Europe's change to summer time in it.
pub(crate) fn window() -> Interval {
    interval("2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z")
}

/// A booking of one hour.
pub(crate) fn content(title: &str) -> EntryContent {
    EntryContent {
        booking: BookingId(uuid::Uuid::now_v7()),
        entry: EntryId(uuid::Uuid::now_v7()),
        title: title.to_owned(),
        description: String::new(),
        location: String::new(),
        time: EntryTime::Timed {
            starts_at: at("2026-03-10T09:00:00Z"),
            ends_at: at("2026-03-10T10:00:00Z"),
            zone: Tz::Europe__Lisbon,
        },
        colour: None,
        tentative: false,
        busy: true,
        reminders: Vec::new(),
    }
}

/// A person's appointment that takes up time.
pub(crate) fn appointment(title: &'static str, start: &str, end: &str) -> Appointment {
    Appointment { title, time: interval(start, end), free: false, recurrence: None }
}

/// A read to its end: all entries, how many pages they came in, and the cursor.
pub(crate) async fn read(
    provider: &dyn CalendarProvider,
    place: &TestAccount,
    from: Option<&str>,
) -> Result<(Vec<ObservedEntry>, usize, String), ProviderError> {
    let mut from = from.map_or(SyncPosition::Start, |cursor| SyncPosition::Cursor(cursor.to_owned()));
    let (mut entries, mut pages) = (Vec::new(), 0);
    loop {
        let page = provider.changes(&place.credentials, &place.calendar, window(), &from).await?;
        entries.extend(page.entries);
        pages += 1;
        match page.next {
            NextPage::Cursor(cursor) => return Ok((entries, pages, cursor)),
            NextPage::Page(page) => {
                let cursor = match from {
                    SyncPosition::Start => None,
                    SyncPosition::Cursor(cursor) => Some(cursor),
                    SyncPosition::Page { cursor, .. } => cursor,
                };
                from = SyncPosition::Page { page, cursor };
            }
        }
    }
}

/// The code of an error that must have come.
pub(crate) fn code<T>(outcome: Result<T, ProviderError>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |_| "ok")
}
