//! What is typed, and what it means.

use concord_domain::ids::{BookingId, BusinessId};
use uuid::Uuid;

use super::*;

const ZONE: Tz = chrono_tz::Europe::Berlin;

fn typed() -> BookingFormFields {
    BookingFormFields {
        resource: Uuid::nil().to_string(),
        mode: "timed".to_owned(),
        starts_at: "2026-12-01T10:00".to_owned(),
        ends_at: "2026-12-01T11:30".to_owned(),
        name: " Maria Silva ".to_owned(),
        notes: "One\r\nTwo\r\n".to_owned(),
        ..BookingFormFields::default()
    }
}

fn booking(time: BookingTime) -> Booking {
    let draft = BookingDraft { time, ..typed().parse(ZONE, &Platforms::builtin(), None).unwrap() };
    Booking {
        id: BookingId(Uuid::nil()),
        business: BusinessId(Uuid::nil()),
        reference: "B-1".to_owned(),
        version: 3,
        interval: time.interval(ZONE).unwrap(),
        channel: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        draft,
    }
}

#[test]
fn times_are_those_of_the_zone() {
    let draft = typed().parse(ZONE, &Platforms::builtin(), None).unwrap();
    assert_eq!(
        draft.time,
        BookingTime::Timed {
            starts_at: "2026-12-01T09:00:00Z".parse().unwrap(),
            ends_at: "2026-12-01T10:30:00Z".parse().unwrap(),
        }
    );
    assert_eq!((draft.customer.name.as_str(), draft.notes.as_str()), ("Maria Silva", "One\nTwo"));
    assert_eq!((draft.quantity, draft.status), (1, BookingStatus::Confirmed));
}

#[test]
fn every_fault_is_named_at_its_field() {
    let wrong = BookingFormFields {
        resource: String::new(),
        starts_at: "soon".to_owned(),
        ends_at: String::new(),
        party_size: "a few".to_owned(),
        ..typed()
    };
    let fields: Vec<_> = wrong
        .parse(ZONE, &Platforms::builtin(), None)
        .unwrap_err()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(fields, ["resource", "starts_at", "ends_at", "party_size"]);
    let backwards =
        BookingFormFields { ends_at: "2026-12-01T09:00".to_owned(), email: "nobody".to_owned(), ..typed() };
    let faults = backwards.parse(ZONE, &Platforms::builtin(), None).unwrap_err();
    let texts: Vec<_> = faults.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["The email is not a valid email address.", "The end must be after the start."]);
}

#[test]
fn what_is_no_number_of_anything_is_told_its_bounds() {
    for typed_number in ["-3", "0", "2.5", "a few", "4000000000", "99999999999999999999"] {
        let wrong = BookingFormFields {
            party_size: typed_number.to_owned(),
            quantity: typed_number.to_owned(),
            ..typed()
        };
        let faults = wrong.parse(ZONE, &Platforms::builtin(), None).unwrap_err();
        let mut faults: Vec<_> = faults.into_iter().collect();
        faults.sort_unstable();
        assert_eq!(faults, [("party_size", PEOPLE.into()), ("quantity", UNITS.into())], "{typed_number}");
    }
}

#[test]
fn the_hour_that_comes_twice_is_kept_when_nobody_touched_it() {
    let time = BookingTime::Timed {
        starts_at: "2026-10-25T01:15:00Z".parse().unwrap(),
        ends_at: "2026-10-25T03:00:00Z".parse().unwrap(),
    };
    let before = booking(time);
    let fields = BookingFormFields::from_booking(&before, &Platforms::builtin(), ZONE);
    assert_eq!(fields.starts_at, "2026-10-25T02:15");
    assert_eq!(fields.parse(ZONE, &Platforms::builtin(), Some(&before)).unwrap().time, time);

    let longer = BookingFormFields { ends_at: "2026-10-25T05:00".to_owned(), ..fields };
    let BookingTime::Timed { starts_at, ends_at } =
        longer.parse(ZONE, &Platforms::builtin(), Some(&before)).unwrap().time
    else {
        panic!("it is no stay")
    };
    assert_eq!(starts_at.to_rfc3339(), "2026-10-25T01:15:00+00:00", "only the end was changed");
    assert_eq!(ends_at.to_rfc3339(), "2026-10-25T04:00:00+00:00");
}

#[test]
fn what_stands_goes_through_the_form_unchanged() {
    for time in [
        BookingTime::Stay {
            check_in: "2026-12-30".parse().unwrap(),
            check_out: "2027-01-02".parse().unwrap(),
        },
        BookingTime::Timed {
            starts_at: "2026-12-01T22:00:30Z".parse().unwrap(),
            ends_at: "2026-12-02T01:00:00Z".parse().unwrap(),
        },
    ] {
        let before = booking(time);
        assert_eq!(
            BookingFormFields::from_booking(&before, &Platforms::builtin(), ZONE)
                .parse(ZONE, &Platforms::builtin(), Some(&before))
                .unwrap(),
            before.draft
        );
    }
}

#[test]
fn form_keeps_a_platforms_words_that_nobody_touched() {
    let platforms = Platforms::builtin();
    let mut before = booking(BookingTime::Stay {
        check_in: "2026-12-30".parse().unwrap(),
        check_out: "2027-01-02".parse().unwrap(),
    });
    before.draft.source = "airbnb".to_owned();
    before.draft.customer.name = "airbnb: Reserved".to_owned();
    before.draft.title = "Reserved".to_owned();
    let fields = BookingFormFields::from_booking(&before, &platforms, ZONE);
    assert_eq!((fields.name.as_str(), fields.title.as_str()), ("Airbnb guest", ""));
    assert_eq!(fields.parse(ZONE, &platforms, Some(&before)).unwrap(), before.draft);

    let typed = BookingFormFields { name: "Maria Silva".to_owned(), title: "Late".to_owned(), ..fields };
    let draft = typed.parse(ZONE, &platforms, Some(&before)).unwrap();
    assert_eq!((draft.customer.name.as_str(), draft.title.as_str()), ("Maria Silva", "Late"));
}

#[test]
fn a_free_time_takes_the_place_of_what_was_typed() {
    let free = BookingTime::Timed {
        starts_at: "2026-12-02T09:00:00Z".parse().unwrap(),
        ends_at: "2026-12-02T10:30:00Z".parse().unwrap(),
    };
    let mut fields =
        BookingFormFields { instead: BookingFormFields::alternative_value(&free, ZONE), ..typed() };
    assert!(fields.apply_alternative());
    assert_eq!(fields.parse(ZONE, &Platforms::builtin(), None).unwrap().time, free);
    assert_eq!(fields.instead, "");
}

#[test]
fn references_can_be_read_out() {
    let reference = new_reference();
    assert_eq!(reference.len(), 9);
    assert!(reference[2..].chars().all(|c| c.is_ascii_alphanumeric() && !"01IOl".contains(c)));
}
