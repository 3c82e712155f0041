//! Drafts, good and bad.

use super::*;

fn draft() -> BookingDraft {
    BookingDraft {
        resource: ResourceId(uuid::Uuid::nil()),
        kind: BookingKind::Booking,
        status: BookingStatus::Confirmed,
        time: BookingTime::Stay {
            check_in: "2026-12-01".parse().unwrap(),
            check_out: "2026-12-03".parse().unwrap(),
        },
        title: "Two nights".into(),
        customer: Customer::default(),
        party_size: Some(2),
        quantity: 1,
        staff: vec![],
        location: String::new(),
        notes: "Line one\nline two".into(),
        source: "api".into(),
        meeting_url: String::new(),
        guests: vec![],
    }
}

fn faults(draft: &BookingDraft) -> Vec<&'static str> {
    draft.check(chrono_tz::Europe::Lisbon).unwrap_err().iter().map(|fault| fault.field).collect()
}

#[test]
fn a_good_draft_passes() {
    assert!(draft().check(chrono_tz::Europe::Lisbon).is_ok());
}

#[test]
fn every_fault_is_named_at_once() {
    let mut bad = draft();
    bad.title = "x".repeat(5_000);
    bad.customer.email = "nobody".into();
    bad.quantity = 0;
    bad.time = BookingTime::Stay {
        check_in: "2026-12-01".parse().unwrap(),
        check_out: "2026-12-01".parse().unwrap(),
    };
    assert_eq!(faults(&bad), ["title", "customer.email", "quantity", "check_out"]);
}

#[test]
fn line_breaks_stay_out_of_single_lines() {
    let mut bad = draft();
    bad.title = "Nice\r\nATTENDEE:mailto:x@y".into();
    assert_eq!(faults(&bad), ["title"]);
}

#[test]
fn the_same_said_otherwise_is_the_same() {
    let (one, two) = (StaffId(uuid::Uuid::from_u128(1)), StaffId(uuid::Uuid::from_u128(2)));
    let timed = |fraction: &str| BookingDraft {
        time: BookingTime::Timed {
            starts_at: format!("2026-12-01T10:00:00{fraction}Z").parse().unwrap(),
            ends_at: "2026-12-01T11:00:00Z".parse().unwrap(),
        },
        ..draft()
    };
    let first = BookingDraft { staff: vec![two, one, two], ..timed(".123456789") }.normalised();
    let second = BookingDraft { staff: vec![one, two], ..timed("") }.normalised();
    assert_eq!(first, second);
}

#[test]
fn ten_years_is_a_slip() {
    let mut bad = draft();
    bad.time = BookingTime::Stay {
        check_in: "2026-12-01".parse().unwrap(),
        check_out: "2036-12-03".parse().unwrap(),
    };
    assert_eq!(faults(&bad), ["check_out"]);
}

#[test]
fn references_stand_in_urls() {
    assert!(check_reference("2026-A.7:x").is_ok());
    for bad in ["", "a b", "a/b", "a\nb", &"x".repeat(200)] {
        assert!(check_reference(bad).is_err(), "{bad:?}");
    }
}
