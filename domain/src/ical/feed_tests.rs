//! Feeds as readers get them: snapshots.

use super::*;
use crate::{
    booking::{BookingKind, BookingStatus},
    ical::{
        fixtures::{PLATFORMS, at, booking_at, stay, timed},
        lint::lint,
    },
};

#[path = "feed_reading_tests.rs"]
mod reading;

fn header() -> FeedHeader<'static> {
    FeedHeader {
        name: "Casa do Mar: Sea View",
        description: "Bookings, as Concord knows them",
        zone: chrono_tz::Europe::Lisbon,
        refresh: 30,
        organizer: None,
        product: PRODUCT,
    }
}

fn resources() -> BTreeMap<ResourceId, String> {
    BTreeMap::from([(ResourceId(uuid::Uuid::from_u128(3)), "Sea View".to_owned())])
}

fn bookings() -> Vec<Booking> {
    let mut timed_one = booking_at(7, timed("2026-12-05T09:00:00Z", "2026-12-05T10:30:00Z"));
    timed_one.draft.status = BookingStatus::Pending;
    timed_one.draft.title = "Massage; hot stones, 90 min".into();
    timed_one.version = 4;
    let mut repair = booking_at(5, stay("2026-11-20", "2026-11-21"));
    repair.draft.kind = BookingKind::Maintenance;
    repair.draft.title = "Boiler".into();
    repair.draft.notes = "Key at reception.\nAsk for João.".into();
    repair.draft.location = "Rua do Mar 7, Lisboa".into();
    let mut gone = booking_at(6, stay("2026-12-20", "2026-12-21"));
    gone.draft.status = BookingStatus::Cancelled;
    vec![timed_one, gone, repair]
}

fn feed(bookings: &[Booking], privacy: FeedPrivacy) -> String {
    let resources = resources();
    let names = FeedContext { business: "Casa do Mar", resources: &resources, platforms: &PLATFORMS };
    String::from_utf8(booking_feed(bookings, names, privacy, "concord.example", &header())).unwrap()
}

#[test]
fn full_feed() {
    let feed = feed(&bookings(), FeedPrivacy::Full);
    assert_eq!(lint(feed.as_bytes()), []);
    insta::assert_snapshot!(feed.replace('\r', ""), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Concord//Concord//EN
    CALSCALE:GREGORIAN
    METHOD:PUBLISH
    NAME:Casa do Mar: Sea View
    X-WR-CALNAME:Casa do Mar: Sea View
    DESCRIPTION:Bookings\, as Concord knows them
    X-WR-CALDESC:Bookings\, as Concord knows them
    X-WR-TIMEZONE:Europe/Lisbon
    REFRESH-INTERVAL;VALUE=DURATION:PT30M
    X-PUBLISHED-TTL:PT30M
    BEGIN:VEVENT
    UID:booking-00000000-0000-0000-0000-000000000005@concord.example
    SEQUENCE:0
    DTSTAMP:20261102T103000Z
    CREATED:20261101T090000Z
    LAST-MODIFIED:20261102T103000Z
    DTSTART;VALUE=DATE:20261120
    DTEND;VALUE=DATE:20261121
    SUMMARY:Maintenance: Boiler
    DESCRIPTION:Reference: SV-1\nResource: Sea View\nCustomer: Maria Silva Cost
     a\nPhone: +351 912 000 111\nE-mail: maria@example.org\nPeople: 2\nStatus: 
     Confirmed\nBusiness: Casa do Mar\n\nKey at reception.\nAsk for João.
    LOCATION:Rua do Mar 7\, Lisboa
    STATUS:CONFIRMED
    CLASS:PUBLIC
    TRANSP:OPAQUE
    END:VEVENT
    BEGIN:VEVENT
    UID:booking-00000000-0000-0000-0000-000000000007@concord.example
    SEQUENCE:3
    DTSTAMP:20261102T103000Z
    CREATED:20261101T090000Z
    LAST-MODIFIED:20261102T103000Z
    DTSTART:20261205T090000Z
    DTEND:20261205T103000Z
    SUMMARY:Sea View — Maria Silva Costa (Massage\; hot stones\, 90 min)
    DESCRIPTION:Reference: SV-1\nResource: Sea View\nCustomer: Maria Silva Cost
     a\nPhone: +351 912 000 111\nE-mail: maria@example.org\nPeople: 2\nStatus: 
     Pending\nBusiness: Casa do Mar
    STATUS:TENTATIVE
    CLASS:PUBLIC
    TRANSP:OPAQUE
    END:VEVENT
    END:VCALENDAR
    ");
}

#[test]
fn title_feed() {
    let feed = feed(&bookings()[..1], FeedPrivacy::Title);
    assert_eq!(lint(feed.as_bytes()), []);
    insta::assert_snapshot!(feed.replace('\r', ""), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Concord//Concord//EN
    CALSCALE:GREGORIAN
    METHOD:PUBLISH
    NAME:Casa do Mar: Sea View
    X-WR-CALNAME:Casa do Mar: Sea View
    DESCRIPTION:Bookings\, as Concord knows them
    X-WR-CALDESC:Bookings\, as Concord knows them
    X-WR-TIMEZONE:Europe/Lisbon
    REFRESH-INTERVAL;VALUE=DURATION:PT30M
    X-PUBLISHED-TTL:PT30M
    BEGIN:VEVENT
    UID:booking-00000000-0000-0000-0000-000000000007@concord.example
    SEQUENCE:3
    DTSTAMP:20261102T103000Z
    CREATED:20261101T090000Z
    LAST-MODIFIED:20261102T103000Z
    DTSTART:20261205T090000Z
    DTEND:20261205T103000Z
    SUMMARY:Sea View — Maria (Massage\; hot stones\, 90 min)
    DESCRIPTION:Reference: SV-1\nResource: Sea View\nCustomer: Maria\nStatus: P
     ending\nBusiness: Casa do Mar
    STATUS:TENTATIVE
    CLASS:PUBLIC
    TRANSP:OPAQUE
    END:VEVENT
    END:VCALENDAR
    ");
}

#[test]
fn busy_feed() {
    let feed = feed(&bookings()[..1], FeedPrivacy::Busy);
    assert_eq!(lint(feed.as_bytes()), []);
    insta::assert_snapshot!(feed.replace('\r', ""), @r"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Concord//Concord//EN
    CALSCALE:GREGORIAN
    METHOD:PUBLISH
    NAME:Casa do Mar: Sea View
    X-WR-CALNAME:Casa do Mar: Sea View
    DESCRIPTION:Bookings\, as Concord knows them
    X-WR-CALDESC:Bookings\, as Concord knows them
    X-WR-TIMEZONE:Europe/Lisbon
    REFRESH-INTERVAL;VALUE=DURATION:PT30M
    X-PUBLISHED-TTL:PT30M
    BEGIN:VEVENT
    UID:booking-00000000-0000-0000-0000-000000000007@concord.example
    SEQUENCE:3
    DTSTAMP:20261102T103000Z
    CREATED:20261101T090000Z
    LAST-MODIFIED:20261102T103000Z
    DTSTART:20261205T090000Z
    DTEND:20261205T103000Z
    SUMMARY:Busy
    STATUS:CONFIRMED
    CLASS:PUBLIC
    TRANSP:OPAQUE
    END:VEVENT
    END:VCALENDAR
    ");
}

#[test]
fn an_empty_feed_is_a_whole_calendar() {
    let feed = feed(&[], FeedPrivacy::Full);
    assert_eq!(lint(feed.as_bytes()), []);
    assert!(feed.starts_with("BEGIN:VCALENDAR\r\n") && feed.ends_with("END:VCALENDAR\r\n"));
}

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let mut backwards = bookings();
    backwards.reverse();
    assert_eq!(feed(&backwards, FeedPrivacy::Full), feed(&bookings(), FeedPrivacy::Full));
}

#[test]
fn a_busy_feed_says_nothing_of_anybody() {
    let feed = feed(&bookings(), FeedPrivacy::Busy);
    for secret in ["Maria", "Boiler", "Sea View —", "Rua", "SV-1", "TENTATIVE", "DESCRIPTION:Ref"] {
        assert!(!feed.contains(secret), "{secret} in {feed}");
    }
}

#[test]
fn what_ends_as_it_starts_still_lasts() {
    let mut blink = event("x", "");
    blink.starts = IcalTime::At(at("2026-12-05T09:00:00.2Z"));
    blink.ends = IcalTime::At(at("2026-12-05T09:00:00.9Z"));
    let mut day = event("y", "");
    day.ends = day.starts;
    let mut mixed = event("z", "");
    mixed.ends = IcalTime::At(at("2026-12-05T09:00:00Z"));
    let mut other = event("w", "");
    other.starts = IcalTime::At(at("2026-12-05T09:00:00Z"));
    let mut out = Vec::new();
    write_feed(&mut out, &header(), [blink, day, mixed, other]);
    assert_eq!(lint(&out), []);
}

#[test]
fn an_organizer_is_a_mail_address() {
    let header = FeedHeader {
        organizer: Some(Organizer { name: "Casa \"do\" Mar; Lda", mail: "book@casa.example" }),
        ..header()
    };
    let mut out = Vec::new();
    write_feed(&mut out, &header, [event("x", "")]);
    assert_eq!(lint(&out), []);
    let text = String::from_utf8(out).unwrap().replace("\r\n ", "");
    assert!(text.contains("ORGANIZER;CN=\"Casa 'do' Mar; Lda\":mailto:book@casa.example\r\n"), "{text}");
}

fn event<'a>(uid: &'a str, text: &'a str) -> FeedEvent<'a> {
    FeedEvent {
        uid: uid.into(),
        sequence: 0,
        starts: IcalTime::On("2026-12-05".parse().unwrap()),
        ends: IcalTime::On("2026-12-06".parse().unwrap()),
        zone: None,
        summary: text.into(),
        description: text.into(),
        location: text.into(),
        status: FeedStatus::Confirmed,
        transparent: false,
        created: at("2026-11-01T09:00:00Z"),
        last_modified: at("2026-11-01T09:00:00Z"),
        url: None,
    }
}

fn rendered(
    write: impl Fn(&[Booking], FeedContext<'_>, FeedPrivacy, &str, &FeedHeader<'_>) -> Vec<u8>,
    bookings: &[Booking],
    privacy: FeedPrivacy,
) -> String {
    let resources = resources();
    let names = FeedContext { business: "Casa do Mar", resources: &resources, platforms: &PLATFORMS };
    let bytes = write(bookings, names, privacy, "concord.example", &header());
    assert_eq!(lint(&bytes), []);
    String::from_utf8(bytes).unwrap().replace("\r\n ", "").replace('\r', "")
}

/// The lines of these properties, in order.
fn told<'t>(feed: &'t str, names: &[&str]) -> Vec<&'t str> {
    let is_wanted = |line: &&str| line.split([':', ';']).next().is_some_and(|name| names.contains(&name));
    feed.lines().skip_while(|line| *line != "BEGIN:VEVENT").filter(is_wanted).collect()
}

#[test]
fn a_list_of_guests_names_those_who_are_agreed_with() {
    let mut all = bookings();
    let mut approved = booking_at(8, stay("2026-12-15", "2026-12-20"));
    approved.draft.status = BookingStatus::Approved;
    all.push(approved);
    let names = ["SUMMARY", "DESCRIPTION", "STATUS"];
    let full = rendered(guest_feed, &all, FeedPrivacy::Full);
    insta::assert_snapshot!(told(&full, &names).join("\n"), @r"
    SUMMARY:Maintenance: Boiler
    DESCRIPTION:Guest: Maria Silva Costa\nEmail: maria@example.org\nPhone: +351 912 000 111\nGuests: 2\nStatus: confirmed\nBooking ID: 00000000-0000-0000-0000-000000000005
    STATUS:CONFIRMED
    SUMMARY:Booking: Maria Silva Costa
    DESCRIPTION:Guest: Maria Silva Costa\nEmail: maria@example.org\nPhone: +351 912 000 111\nGuests: 2\nStatus: approved\nBooking ID: 00000000-0000-0000-0000-000000000008
    STATUS:CONFIRMED
    ");
    let title = rendered(guest_feed, &all, FeedPrivacy::Title);
    insta::assert_snapshot!(told(&title, &names).join("\n"), @r"
    SUMMARY:Maintenance: Boiler
    DESCRIPTION:Guest: Maria\nGuests: 2\nStatus: confirmed\nBooking ID: 00000000-0000-0000-0000-000000000005
    STATUS:CONFIRMED
    SUMMARY:Booking: Maria
    DESCRIPTION:Guest: Maria\nGuests: 2\nStatus: approved\nBooking ID: 00000000-0000-0000-0000-000000000008
    STATUS:CONFIRMED
    ");
    let busy = rendered(guest_feed, &all, FeedPrivacy::Busy);
    assert_eq!(told(&busy, &names), ["SUMMARY:Busy", "STATUS:CONFIRMED", "SUMMARY:Busy", "STATUS:CONFIRMED"]);
}

#[test]
fn a_driver_is_told_the_stops_of_each_day_in_order() {
    let delivery = |id: u128, start: &str, end: &str, place: &str| {
        let mut booking = booking_at(id, timed(start, end));
        booking.draft.kind = BookingKind::Delivery;
        booking.draft.location = place.into();
        booking.reference = format!("D-{id}");
        booking
    };
    let mut late = delivery(1, "2026-12-05T11:00:00Z", "2026-12-05T11:20:00Z", "Rua do Mar 7");
    late.updated_at = at("2026-11-05T08:00:00Z");
    let round = [
        late,
        delivery(2, "2026-12-05T09:00:00Z", "2026-12-05T09:20:00Z", "Largo 1"),
        delivery(3, "2026-12-06T09:00:00Z", "2026-12-06T09:20:00Z", "Praça 2"),
    ];
    let mut all = bookings();
    all.extend(round);
    let names = ["SUMMARY", "DESCRIPTION", "LOCATION", "LAST-MODIFIED"];
    insta::assert_snapshot!(told(&rendered(driver_feed, &all, FeedPrivacy::Title), &names).join("\n"), @r"
    LAST-MODIFIED:20261105T080000Z
    SUMMARY:Stop 1 of 2: Maria\, Largo 1
    DESCRIPTION:Time: 09:00–09:20\nAddress: Largo 1\nReference: D-2\nResource: Sea View\nCustomer: Maria\nStatus: Confirmed\nBusiness: Casa do Mar\n\nNext: 2. 11:00–11:20 Maria\, Rua do Mar 7\n\nThe day:\n1. 09:00–09:20 Maria\, Largo 1\n2. 11:00–11:20 Maria\, Rua do Mar 7
    LOCATION:Largo 1
    LAST-MODIFIED:20261105T080000Z
    SUMMARY:Stop 2 of 2: Maria\, Rua do Mar 7
    DESCRIPTION:Time: 11:00–11:20\nAddress: Rua do Mar 7\nReference: D-1\nResource: Sea View\nCustomer: Maria\nStatus: Confirmed\nBusiness: Casa do Mar\n\nBefore: 1. 09:00–09:20 Maria\, Largo 1\n\nThe day:\n1. 09:00–09:20 Maria\, Largo 1\n2. 11:00–11:20 Maria\, Rua do Mar 7
    LOCATION:Rua do Mar 7
    LAST-MODIFIED:20261102T103000Z
    SUMMARY:Stop 1 of 1: Maria\, Praça 2
    DESCRIPTION:Time: 09:00–09:20\nAddress: Praça 2\nReference: D-3\nResource: Sea View\nCustomer: Maria\nStatus: Confirmed\nBusiness: Casa do Mar
    LOCATION:Praça 2
    ");
    let busy = rendered(driver_feed, &all, FeedPrivacy::Busy);
    assert_eq!(told(&busy, &["SUMMARY", "LOCATION"]), ["SUMMARY:Busy"; 3]);
    let full = rendered(driver_feed, &all, FeedPrivacy::Full);
    assert!(full.contains("Maria Silva Costa") && full.contains("+351 912 000 111"));
}
