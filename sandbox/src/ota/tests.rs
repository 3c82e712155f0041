//! What a listing does by itself, and how its feed looks.

use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::ical::{self, ReadLimits};
use concord_domain::platform::{EventKind, Platforms};

use super::import::parse_closed_nights;
use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn nights(check_in: &str, check_out: &str) -> StayNights {
    StayNights::new(day(check_in), day(check_out)).unwrap()
}

fn listing(platform: OtaPlatform) -> OtaListing {
    let (id, zone, window_months) = (None, None, None);
    OtaListing::new(NewListing { platform, name: "Sea View Suite".into(), id, zone, window_months }, 1)
        .unwrap()
}

/// One guest, one block of the host, and what the calendar that it reads closes.
fn busy(site: OtaPlatform) -> OtaListing {
    let mut listing = listing(site);
    listing.book(Some("José da Silva; Núñez"), nights("2026-12-01", "2026-12-05"), now()).unwrap();
    listing.book(None, nights("2026-12-10", "2026-12-12"), now()).unwrap();
    listing.read_from("https://book.example/feeds/x.ics", None).unwrap();
    // A guest of elsewhere overlaps: it was booked here before it was read.
    let closed = vec![nights("2026-12-04", "2026-12-07"), nights("2027-01-02", "2027-01-09")];
    listing.import.as_mut().unwrap().closed = closed;
    listing
}

fn feed_on(listing: &OtaListing, today: &str) -> String {
    dialect::write(listing.site, &dialect::events(listing, day(today), 0), now())
}

#[test]
fn feeds_as_the_platforms_write_them() {
    for &site in OtaPlatform::ALL {
        insta::assert_snapshot!(site.as_str(), feed_on(&busy(site), "2026-11-20").replace("\r\n", "\n"));
    }
}

#[test]
fn feeds_are_read_and_understood() {
    use EventKind::{Block, Reservation, Unclear};
    let platforms = Platforms::builtin();
    for (site, kinds) in [
        (OtaPlatform::Airbnb, vec![Reservation, Block, Block, Block, Block]),
        (OtaPlatform::Vrbo, vec![Reservation, Block, Block, Block]),
        (OtaPlatform::BookingCom, vec![Unclear; 4]),
    ] {
        let feed = feed_on(&busy(site), "2026-11-20");
        assert!(feed.lines().all(|line| line.len() <= 75), "{feed}");
        let calendar =
            ical::read(feed.as_bytes(), chrono_tz::Europe::Lisbon, &ReadLimits::default()).unwrap();
        assert!(calendar.whole && calendar.warnings.is_empty(), "{:?}", calendar.warnings);
        let platform = platforms.find(site.as_str()).unwrap();
        let found = calendar.events.iter().map(|event| platform.classify(&event.summary, &event.description));
        assert_eq!(found.collect::<Vec<_>>(), kinds, "{site}");
        let first = &calendar.events[0];
        let guest = platform.guest_of(&first.summary);
        assert_eq!(guest.as_deref(), (site == OtaPlatform::Vrbo).then_some("José"));
    }
}

#[test]
fn a_uid_outlives_new_dates_at_airbnb_alone() {
    for (site, stays) in
        [(OtaPlatform::Airbnb, true), (OtaPlatform::Vrbo, false), (OtaPlatform::BookingCom, false)]
    {
        let mut listing = listing(site);
        let stay = listing.book(Some("Ana"), nights("2026-12-01", "2026-12-05"), now()).unwrap();
        let uid =
            |listing: &OtaListing, salt| dialect::events(listing, day("2026-11-20"), salt)[0].uid.clone();
        let before = uid(&listing, 0);
        assert_eq!(uid(&listing, 0), before);
        assert_ne!(uid(&listing, 1), before);
        assert_ne!(uid(&listing, 2), uid(&listing, 1));
        listing.change(&stay.id, nights("2026-12-02", "2026-12-06"), now()).unwrap();
        assert_eq!(uid(&listing, 0) == before, stays, "{site}");
    }
}

#[test]
fn the_end_of_the_window_moves_on_each_day_and_past_stays_leave() {
    let mut listing = listing(OtaPlatform::Airbnb);
    listing.book(Some("Ana"), nights("2026-12-01", "2026-12-05"), now()).unwrap();
    let shown = |today: &str| {
        let events = dialect::events(&listing, day(today), 0);
        events.iter().map(|event| event.nights.check_in.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(shown("2026-12-05"), ["2026-12-01", "2027-12-05"]);
    assert_eq!(shown("2026-12-06"), ["2026-12-01", "2027-12-06"]);
    assert_eq!(shown("2026-12-07"), ["2027-12-07"]);
}

#[test]
fn what_is_taken_closed_or_too_far_ahead_is_refused() {
    let mut listing = busy(OtaPlatform::Airbnb);
    for (check_in, check_out, expected) in [
        ("2026-12-04", "2026-12-06", "it is booked or blocked between these dates"),
        ("2026-12-11", "2026-12-20", "it is booked or blocked between these dates"),
        ("2027-01-08", "2027-01-10", "the imported calendar closes nights between these dates"),
        ("2027-11-18", "2027-11-21", "it cannot be booked yet for all nights between these dates"),
        ("2026-12-20", "2028-12-20", "a stay is at most a year long"),
    ] {
        let refused = listing.book(Some("Eve"), nights(check_in, check_out), now()).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    assert!(listing.book(Some(" "), nights("2026-12-20", "2026-12-21"), now()).is_err());
    // From the day on which another one leaves.
    let stay = listing.book(Some("Eve"), nights("2027-01-09", "2027-01-12"), now()).unwrap();
    listing.cancel(&stay.id, now()).unwrap();
    assert_eq!(listing.cancel(&stay.id, now()), Err(ListingError::NotFound));
    let again = listing.book(Some("Eve"), nights("2027-01-09", "2027-01-12"), now()).unwrap();
    assert_ne!(again.id, stay.id);
    // One's own nights are no obstacle.
    listing.change(&again.id, nights("2027-01-10", "2027-01-13"), now()).unwrap();
    assert_eq!(
        listing.change(&again.id, nights("2027-01-08", "2027-01-13"), now()).unwrap_err().to_string(),
        "the imported calendar closes nights between these dates"
    );
}

#[test]
fn a_calendar_closes_nights() {
    let event = |lines: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    let zone = chrono_tz::Europe::Lisbon;
    for (lines, expected) in [
        ("DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203", Some(("2026-12-01", "2026-12-03"))),
        ("DTSTART;VALUE=DATE:20261201", Some(("2026-12-01", "2026-12-02"))),
        ("DTSTART:20261201T150000Z\r\nDTEND:20261203T100000Z", Some(("2026-12-01", "2026-12-03"))),
        ("DTSTART:20261201T100000\r\nDTEND:20261201T110000", Some(("2026-12-01", "2026-12-02"))),
        (
            "DTSTART;TZID=Asia/Tokyo:20261202T060000\r\nDTEND;TZID=Asia/Tokyo:20261204T060000",
            Some(("2026-12-01", "2026-12-03")),
        ),
        ("DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203\r\nSTATUS:CANCELLED", None),
        ("DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203\r\nTRANSP:TRANSPARENT", None),
        ("SUMMARY:Without a time", None),
    ] {
        let expected: Vec<_> = expected.map(|(from, to)| nights(from, to)).into_iter().collect();
        assert_eq!(parse_closed_nights(&event(lines), zone), Ok(expected), "{lines}");
    }
    for broken in ["", "<html>", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261201\r\n"] {
        assert!(parse_closed_nights(broken, zone).is_err(), "{broken}");
    }
}

#[test]
fn more_than_half_is_missing() {
    let mut listing = listing(OtaPlatform::Vrbo);
    for (number, kept) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
        let check_in = day("2026-12-01") + chrono::Days::new(2 * number);
        listing
            .book(Some("Ana"), StayNights::new(check_in, check_in.succ_opt().unwrap()).unwrap(), now())
            .unwrap();
        let events = dialect::events(&listing, day("2026-11-20"), 0);
        let left = spoiled::keep_minority(events.clone());
        assert_eq!(left.len(), kept);
        assert_eq!(left, spoiled::keep_minority(events), "the same ones each time");
    }
}

#[test]
fn samples_are_two_listings_on_three_platforms() {
    let samples = sample::listings(1, now());
    let ids: Vec<_> = samples.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        ["airbnb-sea-view-suite", "vrbo-sea-view-suite", "booking-com-sea-view-suite", "airbnb-garden-rooms"]
    );
    assert!(samples.iter().all(|one| one.standing().count() > 0));
    // Nobody is there twice, on whichever platform they booked.
    let sea_view = samples.iter().filter(|one| one.name == "Sea View Suite").flat_map(OtaListing::standing);
    let stays: Vec<_> = sea_view.map(|stay| stay.nights).collect();
    for (at, one) in stays.iter().enumerate() {
        assert!(stays[at + 1..].iter().all(|other| !one.overlap(*other)));
    }
    assert_ne!(samples[0].token, sample::listings(2, now())[0].token);
}
