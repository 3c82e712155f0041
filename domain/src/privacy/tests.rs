use super::*;
use crate::{
    booking::BookingStatus,
    delivery_route::{DeliveryRoute, day_of},
    ical::fixtures::{self, PLATFORMS},
};

fn named<'a>(resource: &'a str, business: &'a str) -> TextContext<'a> {
    TextContext { platforms: &PLATFORMS, resource, business }
}

fn maria() -> Booking {
    let mut booking = fixtures::booking();
    booking.draft.title = "Two nights".into();
    booking.draft.notes = "Late arrival.\r\nTwo dogs.".into();
    booking.draft.location = "Rua do Mar 7".into();
    booking
}

#[test]
fn minimal_tells_no_more_than_the_first_name() {
    let wording = entry_text(&maria(), named("Sea View", "Casa do Mar"), EntryPrivacy::Minimal);
    insta::assert_snapshot!(format!("{}\n---\n{}", wording.title, wording.description), @"
    Sea View — Maria (Two nights)
    ---
    Reference: SV-1
    Resource: Sea View
    Customer: Maria
    Status: Confirmed
    Business: Casa do Mar
    ");
}

#[test]
fn full_tells_what_is_needed_to_serve_the_customer() {
    let wording = entry_text(&maria(), named("Sea View", "Casa do Mar"), EntryPrivacy::Full);
    insta::assert_snapshot!(format!("{}\n---\n{}", wording.title, wording.description), @"
    Sea View — Maria Silva Costa (Two nights)
    ---
    Reference: SV-1
    Resource: Sea View
    Customer: Maria Silva Costa
    Phone: +351 912 000 111
    E-mail: maria@example.org
    People: 2
    Status: Confirmed
    Business: Casa do Mar

    Late arrival.
    Two dogs.
    ");
    assert_eq!(wording.location, "Rua do Mar 7");
}

#[test]
fn personal_facts_stay_out_of_everything_but_full() {
    let booking = maria();
    let minimal = entry_text(&booking, named("Sea View", "Casa do Mar"), EntryPrivacy::Minimal);
    let title = feed_text(&booking, named("Sea View", "Casa do Mar"), FeedPrivacy::Title);
    for wording in [&minimal, &title] {
        let text = format!("{}\n{}", wording.title, wording.description);
        for secret in ["Silva", "Costa", "912", "maria@", "dogs"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert_eq!(title.location, "");
}

#[test]
fn busy_is_the_same_for_everything() {
    let mut block = maria();
    block.draft.kind = BookingKind::Block;
    block.draft.status = BookingStatus::Pending;
    let expected = PublishedText { title: "Busy".into(), ..PublishedText::default() };
    for booking in [maria(), block] {
        assert_eq!(feed_text(&booking, named("Sea View", "Casa"), FeedPrivacy::Busy), expected);
    }
}

#[test]
fn titles_of_all_kinds() {
    let title = |kind, title: &str, name: &str, resource: &str| {
        let mut booking = fixtures::booking();
        booking.draft.kind = kind;
        booking.draft.title = title.into();
        booking.draft.customer.name = name.into();
        entry_text(&booking, named(resource, ""), EntryPrivacy::Minimal).title
    };
    for (expected, actual) in [
        ("Sea View — Maria", title(BookingKind::Booking, "", "Maria Silva", "Sea View")),
        ("Sea View — Maria", title(BookingKind::Booking, "Maria", "Maria Silva", "Sea View")),
        ("Sea View — Two nights", title(BookingKind::Booking, "Two nights", " ", "Sea View")),
        ("Sea View — Booking", title(BookingKind::Booking, "", "", "Sea View")),
        ("Maria", title(BookingKind::Booking, "", "Maria", "")),
        ("Maintenance: Boiler", title(BookingKind::Maintenance, "Boiler", "Maria", "Sea View")),
        ("Delivery: Van 2", title(BookingKind::Delivery, "", "", "Van 2")),
        ("Blocked: Painting", title(BookingKind::Block, "Painting", "", "Sea View")),
        ("Sea View — Two  nights", title(BookingKind::Booking, "Two\r\nnights", "", "Sea View")),
    ] {
        assert_eq!(actual, expected);
    }
}

#[test]
fn a_title_is_found_again_in_what_a_person_wrote() {
    let mut booking = maria();
    for (text, title) in [
        ("Sea View — Maria (Three nights)", "Three nights"),
        ("Sea View — Maria Silva Costa (Three nights)", "Three nights"),
        ("  Sea View  — Maria (Two  nights (late))", "Two  nights (late)"),
        ("Sea View — Maria", ""),
        ("Sea View — Booking", ""),
        ("Late arrival!", "Late arrival!"),
        ("Sea View — Party", "Party"),
        ("Confirmed: Sea View — Maria (x)", "x"),
        ("Two\r\nlines", "Two  lines"),
        ("", ""),
    ] {
        assert_eq!(title_in_entry(text, &booking, &PLATFORMS, "Sea View"), title, "{text}");
    }
    booking.draft.title = "Three nights".into();
    let renamed = title_in_entry("Sea View — Emily (Three nights)", &booking, &PLATFORMS, "Sea View");
    assert_eq!(renamed, "Three nights", "the name is not the booking's title");
    booking.draft.kind = BookingKind::Maintenance;
    for (text, title) in
        [("Maintenance: Boiler", "Boiler"), ("Maintenance: Sea View", ""), ("Boiler, again", "Boiler, again")]
    {
        assert_eq!(title_in_entry(text, &booking, &PLATFORMS, "Sea View"), title, "{text}");
    }
}

#[test]
fn a_platforms_guest_is_no_part_of_the_title() {
    let mut booking = maria();
    booking.draft.source = "airbnb".into();
    booking.draft.customer.name = "airbnb: Reserved".into();
    booking.draft.title = "Reserved".into();
    for (text, title) in [
        ("Sea View — Airbnb guest", ""),
        ("Sea View — Airbnb guest (Late arrival)", "Late arrival"),
        ("Sea View — Late arrival", "Late arrival"),
    ] {
        assert_eq!(title_in_entry(text, &booking, &PLATFORMS, "Sea View"), title, "{text}");
    }
    for wording in [
        feed_text(&booking, named("Sea View", "Casa"), FeedPrivacy::Title),
        feed_text(&booking, named("Sea View", "Casa"), FeedPrivacy::Full),
        guest_feed_text(&booking, named("Sea View", ""), FeedPrivacy::Full),
    ] {
        let text = format!("{}\n{}", wording.title, wording.description);
        assert!(text.contains("Airbnb guest") && !text.contains("Reserved"), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn what_we_wrote_gives_the_title_back(title in "[a-zA-Z0-9 ():—é-]{0,30}", name in "[A-Z][a-z]{0,8}( [A-Z][a-z]{1,8})?", full: bool) {
        let mut booking = fixtures::booking();
        booking.draft.title = title.trim().to_owned();
        booking.draft.customer.name = name;
        let privacy = if full { EntryPrivacy::Full } else { EntryPrivacy::Minimal };
        let text = entry_text(&booking, named("Sea View", "Casa"), privacy).title;
        let again = title_in_entry(&text, &booking, &PLATFORMS, "Sea View");
        // What is only the customer's name is not said twice, and need not be said at all.
        let same = again == booking.draft.title || text == format!("Sea View — {}", booking.draft.title);
        proptest::prop_assert!(same, "{text:?} gave {again:?} for {:?}", booking.draft.title);
    }
}

#[test]
fn long_notes_are_cut_at_a_whole_character() {
    let mut booking = maria();
    booking.draft.notes = "ä".repeat(10_000);
    let text = entry_text(&booking, named("Sea View", "Casa"), EntryPrivacy::Full).description;
    assert_eq!(text.chars().count(), MAX_DESCRIPTION);
    assert!(text.ends_with("ä…"));
}

fn delivery(number: u128, name: &str, place: &str, from: &str, until: &str) -> Booking {
    let at = |clock: &str| format!("2026-12-05T{clock}:00Z");
    let mut booking = fixtures::booking_at(number, fixtures::timed(&at(from), &at(until)));
    booking.reference = format!("D-{number}");
    booking.draft.kind = BookingKind::Delivery;
    booking.draft.customer.name = name.into();
    booking.draft.location = place.into();
    booking
}

fn round() -> DeliveryRoute {
    let mut second = delivery(2, "Maria Silva", "Rua do Mar 7", "10:00", "10:30");
    second.draft.title = "Two crates".into();
    second.draft.notes = "Gate code 4711".into();
    let deliveries = vec![
        delivery(3, "", "Largo 3", "11:00", "11:15"),
        second,
        delivery(1, "Rui Costa", "Rua A 1", "09:00", "09:20"),
    ];
    let zone = chrono_tz::Europe::Lisbon;
    DeliveryRoute::new(day_of(deliveries[0].interval.start, zone), zone, deliveries)
}

#[test]
fn a_stop_tells_the_driver_the_way_and_the_day() {
    let round = round();
    let stop = round.stop(round.stops()[1].id).unwrap();
    let wording = stop_text(&stop, named("Van 2", "Casa do Mar"), EntryPrivacy::Minimal);
    insta::assert_snapshot!(format!("{}\n---\n{}", wording.title, wording.description), @"
    Stop 2 of 3: Maria, Rua do Mar 7
    ---
    Time: 10:00–10:30
    Address: Rua do Mar 7
    Delivery: Two crates
    Reference: D-2
    Resource: Van 2
    Customer: Maria
    Status: Confirmed
    Business: Casa do Mar

    Before: 1. 09:00–09:20 Rui, Rua A 1
    Next: 3. 11:00–11:15 Largo 3

    The day:
    1. 09:00–09:20 Rui, Rua A 1
    2. 10:00–10:30 Maria, Rua do Mar 7
    3. 11:00–11:15 Largo 3
    ");
    let full = stop_text(&stop, named("Van 2", "Casa do Mar"), EntryPrivacy::Full);
    insta::assert_snapshot!(format!("{}\n---\n{}", full.title, full.description), @"
    Stop 2 of 3: Maria Silva, Rua do Mar 7
    ---
    Time: 10:00–10:30
    Address: Rua do Mar 7
    Delivery: Two crates
    Reference: D-2
    Resource: Van 2
    Customer: Maria Silva
    Phone: +351 912 000 111
    E-mail: maria@example.org
    People: 2
    Status: Confirmed
    Business: Casa do Mar

    Gate code 4711

    Before: 1. 09:00–09:20 Rui Costa, Rua A 1
    Next: 3. 11:00–11:15 Largo 3

    The day:
    1. 09:00–09:20 Rui Costa, Rua A 1
    2. 10:00–10:30 Maria Silva, Rua do Mar 7
    3. 11:00–11:15 Largo 3
    ");
    for secret in ["Silva", "Costa", "912", "maria@", "4711"] {
        assert!(!format!("{wording:?}").contains(secret), "{secret}");
        assert!(secret == "Costa" || secret == "maria@" || full.description.contains(secret), "{secret}");
    }
    assert_eq!(wording.location, "Rua do Mar 7");
}

#[test]
fn a_technician_reads_first_where_to_go() {
    let mut booking = maria();
    booking.draft.kind = BookingKind::Maintenance;
    booking.draft.title = "Boiler".into();
    let wording = entry_text(&booking, named("Sea View", "Casa do Mar"), EntryPrivacy::Minimal);
    assert_eq!((wording.title.as_str(), wording.location.as_str()), ("Maintenance: Boiler", "Rua do Mar 7"));
    assert!(
        wording.description.starts_with("Place: Rua do Mar 7\nReference: SV-1\n"),
        "{}",
        wording.description
    );
    assert!(!wording.description.contains("dogs"));
    booking.draft.location = String::new();
    let at_the_resource = entry_text(&booking, named("Sea View", "Casa do Mar"), EntryPrivacy::Full);
    assert_eq!(at_the_resource.location, "Sea View");
    assert!(at_the_resource.description.contains("dogs"));
}

#[test]
fn a_feed_tells_no_place_that_it_did_not_tell_before() {
    let mut booking = maria();
    booking.draft.kind = BookingKind::Maintenance;
    let feed = feed_text(&booking, named("Sea View", "Casa"), FeedPrivacy::Title);
    assert!(!format!("{feed:?}").contains("Rua do Mar"));
}

#[test]
fn a_stop_is_renamed_only_where_its_words_are_a_title() {
    let mut known = delivery(1, "Maria Silva", "Rua do Mar 7", "09:00", "09:20");
    known.draft.title = "Two crates".into();
    for text in ["Stop 2 of 5: Maria, Rua do Mar 7", "Stop 3 of 6: Maria S., Rua do Mar 7"] {
        assert_eq!(title_in_entry(text, &known, &PLATFORMS, "Van 2"), "Two crates", "{text}");
    }
    assert_eq!(title_in_entry("Ring twice", &known, &PLATFORMS, "Van 2"), "Ring twice");
    let mut unknown = delivery(1, "", "Rua do Mar 7", "09:00", "09:20");
    unknown.draft.title = "Two crates".into();
    for (text, title) in [
        ("Stop 2 of 5: Three crates, Rua do Mar 7", "Three crates"),
        ("Stop 2 of 5: Three crates", "Three crates"),
        ("Stop of the bus: far", "Stop of the bus: far"),
        ("Delivery: Three crates", "Three crates"),
    ] {
        assert_eq!(title_in_entry(text, &unknown, &PLATFORMS, "Van 2"), title, "{text}");
    }
}
