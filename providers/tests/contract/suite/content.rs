//! What an entry says is what a person reads, and comes back as it was.

use chrono_tz::Tz;
use concord_domain::entry::{EntryContent, EntryReminder, EntryTime, ReminderMeans};

use super::{at, content};
use crate::fixture::{ProviderFixture, TestAccount, VisibleEntry};

async fn write(fixture: &dyn ProviderFixture, place: &TestAccount, content: &EntryContent) -> String {
    let provider = fixture.provider();
    let id = fixture.external_id(content.entry);
    provider.create(&place.credentials, &place.calendar, &id, content).await.unwrap().external_id
}

pub(crate) async fn texts_come_back_as_they_were(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let long = "Ünïcödé 予約 🛎️ ".repeat(60);
    for title in ["<b>Ana & Ben</b> \"quoted\" \\ back", "שלום עולם", "💆🏽‍♀️", long.trim()]
    {
        let content = EntryContent {
            description: format!("First line\nSecond line; {title}\n\tThird, with a tab"),
            location: "Rua de São Bento 1, 1200-109 Lisboa".to_owned(),
            ..content(title)
        };
        let id = write(fixture, &place, &content).await;
        let found = provider.find(&place.credentials, &place.calendar, &id).await.unwrap().unwrap();
        let kept = fixture.kept(title);
        assert_eq!(found.title, kept);
        let expected = VisibleEntry {
            title: kept.to_owned(),
            description: content.description,
            location: content.location,
        };
        assert!(fixture.person_sees(&place).await.contains(&expected), "{expected:?}");
    }
}

pub(crate) async fn times_come_back_as_they_were(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let timed = |start, end, zone| EntryTime::Timed { starts_at: at(start), ends_at: at(end), zone };
    let all_day = |from: &str, until: &str| EntryTime::AllDay {
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
    };
    for time in [
        // Into the gap of the change to summer time, over it, and over the doubled hour in autumn.
        timed("2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", Tz::Europe__Lisbon),
        timed("2026-03-28T22:00:00Z", "2026-03-29T03:00:00Z", Tz::Europe__Berlin),
        timed("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", Tz::Europe__Lisbon),
        timed("2026-11-01T05:15:00Z", "2026-11-01T06:45:00Z", Tz::America__New_York),
        timed("2026-03-10T09:00:00Z", "2026-03-10T09:45:00Z", Tz::Asia__Kathmandu),
        timed("2026-03-10T09:00:00Z", "2026-03-12T09:00:00Z", Tz::Pacific__Auckland),
        timed("2026-03-10T09:00:00Z", "2026-03-10T10:00:00Z", Tz::UTC),
        all_day("2026-03-28", "2026-03-30"),
        all_day("2026-12-31", "2027-01-01"),
        all_day("2028-02-28", "2028-03-01"),
    ] {
        let content = EntryContent { time: time.clone(), ..content("Time") };
        let id = write(fixture, &place, &content).await;
        let found = provider.find(&place.credentials, &place.calendar, &id).await.unwrap().unwrap();
        assert_eq!(found.time, Some(time));
    }
}

pub(crate) async fn a_cleared_field_is_clear(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let mut content = EntryContent {
        description: "Call before you come".to_owned(),
        location: "Room 1".to_owned(),
        colour: Some("5".to_owned()),
        reminders: vec![EntryReminder { by: ReminderMeans::Popup, minutes: 30 }],
        ..content("Massage")
    };
    let id = write(fixture, &place, &content).await;
    content.description = String::new();
    content.location = String::new();
    content.colour = None;
    content.reminders = Vec::new();
    provider.update(&place.credentials, &place.calendar, &id, &content, None).await.unwrap();
    let expected =
        VisibleEntry { title: "Massage".to_owned(), description: String::new(), location: String::new() };
    assert_eq!(fixture.person_sees(&place).await, [expected]);
}

pub(crate) async fn a_pending_booking_is_tentative(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let mut content = EntryContent { tentative: true, ..content("Massage?") };
    let id = write(fixture, &place, &content).await;
    let found = provider.find(&place.credentials, &place.calendar, &id).await.unwrap().unwrap();
    assert!(found.tentative && found.busy);
    content.tentative = false;
    provider.update(&place.credentials, &place.calendar, &id, &content, None).await.unwrap();
    let found = provider.find(&place.credentials, &place.calendar, &id).await.unwrap().unwrap();
    assert!(!found.tentative && found.busy);
}

pub(crate) async fn what_is_kept_of_a_cancelled_booking_leaves_its_owner_free(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let (token, calendar) = (&place.credentials, place.calendar.as_str());
    let mut content = content("Massage");
    let id = write(fixture, &place, &content).await;
    let busy = async || provider.busy(token, calendar, super::window()).await.unwrap().len();
    assert_eq!(busy().await, 1);
    content.busy = false;
    provider.update(token, calendar, &id, &content, None).await.unwrap();
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert!(!found.busy && !found.deleted);
    assert_eq!(busy().await, 0);
    // The booking takes place after all.
    content.busy = true;
    provider.update(token, calendar, &id, &content, None).await.unwrap();
    assert!(provider.find(token, calendar, &id).await.unwrap().unwrap().busy);
    assert_eq!(busy().await, 1);
}
