//! What comes back: incremental reads and busy times.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use concord_domain::{
    entry::{EntryContent, EntryTime},
    interval::Interval,
};
use futures::{StreamExt, stream};

use super::{appointment, at, code, content, interval, read};
use crate::fixture::{Appointment, ProviderFault, ProviderFixture};

pub(crate) async fn what_a_person_does_is_seen(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let (entries, _, cursor) = read(&*provider, &place, None).await.unwrap();
    assert_eq!(entries, []);

    let dentist = appointment("Dentist", "2026-03-12T09:00:00Z", "2026-03-12T10:00:00Z");
    let id = fixture.person_adds(&place, &dentist).await;
    let (entries, _, cursor) = read(&*provider, &place, Some(&cursor)).await.unwrap();
    assert_eq!(entries.len(), 1);
    let added = &entries[0];
    assert_eq!((added.external_id.as_str(), added.title.as_str()), (id.as_str(), "Dentist"));
    assert!(added.busy && !added.deleted && added.entry.is_none());

    fixture.person_moves(&place, &id, at("2026-03-13T09:00:00Z"), at("2026-03-13T10:30:00Z")).await;
    let (entries, _, cursor) = read(&*provider, &place, Some(&cursor)).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_ne!(entries[0].etag, added.etag);
    let Some(EntryTime::Timed { starts_at, ends_at, .. }) = entries[0].time else { panic!("{entries:?}") };
    assert_eq!((starts_at, ends_at), (at("2026-03-13T09:00:00Z"), at("2026-03-13T10:30:00Z")));

    fixture.person_deletes(&place, &id).await;
    let (entries, _, cursor) = read(&*provider, &place, Some(&cursor)).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].deleted && !entries[0].busy && entries[0].external_id == id);

    let (entries, _, _) = read(&*provider, &place, Some(&cursor)).await.unwrap();
    assert_eq!(entries, []);
    let (entries, _, _) = read(&*provider, &place, None).await.unwrap();
    assert!(entries.iter().all(|entry| entry.deleted), "{entries:?}");
}

pub(crate) async fn what_we_write_is_known_again(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (_, _, cursor) = read(&*provider, &place, None).await.unwrap();
    let id = fixture.external_id(content.entry);
    let written = provider.create(&place.credentials, &place.calendar, &id, &content).await.unwrap();
    for from in [None, Some(cursor.as_str())] {
        let (entries, _, _) = read(&*provider, &place, from).await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].external_id, written.external_id);
        assert_eq!(entries[0].etag.as_ref(), Some(&written.etag));
        assert_eq!(entries[0].entry, Some(content.entry));
        // Some name a neighbour's zone; the instants are the same.
        assert_eq!(instants(entries[0].time.as_ref().unwrap()), instants(&content.time));
    }
}

fn instants(time: &EntryTime) -> (DateTime<Utc>, DateTime<Utc>) {
    let EntryTime::Timed { starts_at, ends_at, .. } = time else { panic!("{time:?}") };
    (*starts_at, *ends_at)
}

pub(crate) async fn a_first_read_keeps_to_the_window(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    for (title, start, end) in [
        ("before", "2026-02-28T22:00:00Z", "2026-02-28T23:00:00Z"),
        ("over the start", "2026-02-28T23:30:00Z", "2026-03-01T00:30:00Z"),
        ("inside", "2026-04-01T10:00:00Z", "2026-04-01T11:00:00Z"),
        ("over the end", "2026-04-30T23:30:00Z", "2026-05-01T00:30:00Z"),
        ("after", "2026-05-01T01:00:00Z", "2026-05-01T02:00:00Z"),
    ] {
        fixture.person_adds(&place, &appointment(title, start, end)).await;
    }
    let (entries, _, _) = read(&*provider, &place, None).await.unwrap();
    let titles: HashSet<&str> = entries.iter().map(|entry| entry.title.as_str()).collect();
    assert_eq!(titles, HashSet::from(["over the start", "inside", "over the end"]));
}

pub(crate) async fn a_large_calendar_comes_in_pages(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let many = appointment("One of many", "2026-03-12T09:00:00Z", "2026-03-12T09:15:00Z");
    let ids: HashSet<String> = stream::iter(0..fixture.more_than_a_page())
        .map(|_| fixture.person_adds(&place, &many))
        .buffer_unordered(8)
        .collect()
        .await;
    let (entries, pages, cursor) = read(&*provider, &place, None).await.unwrap();
    assert!(pages > 1, "it came in one page");
    assert_eq!(entries.into_iter().map(|entry| entry.external_id).collect::<HashSet<_>>(), ids);

    let more = appointment("One more", "2026-03-12T09:00:00Z", "2026-03-12T09:15:00Z");
    let id = fixture.person_adds(&place, &more).await;
    let (entries, _, _) = read(&*provider, &place, Some(&cursor)).await.unwrap();
    assert_eq!(entries.iter().map(|entry| &entry.external_id).collect::<Vec<_>>(), [&id]);
}

pub(crate) async fn a_recurring_appointment_comes_as_instances(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let yoga = Appointment {
        recurrence: Some("RRULE:FREQ=WEEKLY;COUNT=4"),
        ..appointment("Yoga", "2026-03-18T18:00:00Z", "2026-03-18T19:00:00Z")
    };
    fixture.person_adds(&place, &yoga).await;
    let (entries, _, _) = read(&*provider, &place, None).await.unwrap();
    let ids: HashSet<&str> = entries.iter().map(|entry| entry.external_id.as_str()).collect();
    assert_eq!((entries.len(), ids.len()), (4, 4), "{entries:?}");
    let mut hours: Vec<String> = entries
        .iter()
        .map(|entry| match &entry.time {
            Some(EntryTime::Timed { starts_at, zone, .. }) => {
                starts_at.with_timezone(zone).format("%H:%M").to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    hours.dedup();
    assert_eq!(hours.len(), 1, "the clock's hour must not move with summer time: {entries:?}");
}

pub(crate) async fn an_expired_cursor_is_said(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let (_, _, cursor) = read(&*provider, &place, None).await.unwrap();
    assert_eq!(code(read(&*provider, &place, Some("this-was-never-a-cursor")).await), "cursor_expired");
    fixture.next_call_fails(&place, ProviderFault::GoneCursor).await;
    assert_eq!(code(read(&*provider, &place, Some(&cursor)).await), "cursor_expired");
    assert_eq!(code(read(&*provider, &place, None).await), "ok");
}

pub(crate) async fn busy_times_are_what_takes_up_time(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let free =
        Appointment { free: true, ..appointment("Birthday", "2026-03-12T12:00:00Z", "2026-03-12T13:00:00Z") };
    fixture.person_adds(&place, &free).await;
    fixture
        .person_adds(&place, &appointment("Dentist", "2026-03-12T09:00:00Z", "2026-03-12T10:00:00Z"))
        .await;
    let gone = appointment("Called off", "2026-03-12T15:00:00Z", "2026-03-12T16:00:00Z");
    let gone = fixture.person_adds(&place, &gone).await;
    fixture.person_deletes(&place, &gone).await;
    let stay = EntryContent {
        time: EntryTime::AllDay { from: "2026-03-20".parse().unwrap(), until: "2026-03-22".parse().unwrap() },
        ..content("Stay")
    };
    let id = fixture.external_id(stay.entry);
    provider.create(&place.credentials, &place.calendar, &id, &stay).await.unwrap();

    let window = interval("2026-03-12T00:00:00Z", "2026-03-21T00:00:00Z");
    let mut busy = provider.busy(&place.credentials, &place.calendar, window).await.unwrap();
    busy.sort();
    assert_eq!(busy.len(), 2, "{busy:?}");
    assert_eq!(busy[0], interval("2026-03-12T09:00:00Z", "2026-03-12T10:00:00Z"));
    assert!(busy[1].overlaps(&interval("2026-03-20T12:00:00Z", "2026-03-20T13:00:00Z")), "{busy:?}");

    let (entries, _, _) = read(&*provider, &place, None).await.unwrap();
    let busy_titles: HashSet<&str> =
        entries.iter().filter(|entry| entry.busy).map(|entry| entry.title.as_str()).collect();
    assert_eq!(busy_titles, HashSet::from(["Dentist", "Stay"]));
}

pub(crate) async fn busy_times_come_for_half_a_year(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let mut expected = Vec::new();
    for (start, end) in [
        ("2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z"),
        ("2026-04-02T09:00:00Z", "2026-04-02T10:00:00Z"),
        ("2026-06-30T09:00:00Z", "2026-06-30T10:00:00Z"),
    ] {
        fixture.person_adds(&place, &appointment("Now and then", start, end)).await;
        expected.push(interval(start, end));
    }
    let half_a_year = interval("2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z");
    let mut busy: Vec<Interval> =
        provider.busy(&place.credentials, &place.calendar, half_a_year).await.unwrap();
    busy.sort();
    assert_eq!(busy, expected);
}
