//! Names of zones as they are found in calendars, and the hours that the clock leaves out or shows twice.

use super::*;
use crate::ical::{limits::ReadLimits, objects::objects, unfold::lines};

fn with<R>(calendar: &str, look: impl FnOnce(&ObjectZones<'_>) -> R) -> R {
    let text = format!("BEGIN:VCALENDAR\n{calendar}\nEND:VCALENDAR\n");
    let limits = ReadLimits::default();
    let lines = lines(text.as_bytes(), &limits, &mut Vec::new()).unwrap();
    let object = objects(lines.all(), &limits).unwrap().all.remove(0);
    let budget = RefCell::new(Budget::of_zones());
    look(&ObjectZones::of(&object, lines.all(), chrono_tz::Europe::Lisbon, &budget))
}

fn at(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

#[test]
fn a_name_tells_its_zone() {
    for (name, zone) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("\"Europe/Berlin\"", "Europe/Berlin"),
        ("posix/Europe/Vaduz", "Europe/Vaduz"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("W. Europe", "Europe/Berlin"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin"),
        (
            "/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires",
            "America/Argentina/Buenos_Aires",
        ),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/America/New_York", "America/New_York"),
        ("/Europe/Stockholm", "Europe/Stockholm"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("US-Eastern", "US/Eastern"),
        ("America-Chicago", "America/Chicago"),
        ("UTC", "UTC"),
        ("Etc/GMT-2", "Etc/GMT-2"),
    ] {
        let found = with("", |zones| zones.zone(name));
        match found {
            Some(Zone::Named(found)) => {
                let same = found.name() == zone || windows_same(found, zone);
                assert!(same, "{name}: {found}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Some names stand for several cities that keep the same time.
fn windows_same(found: Tz, zone: &str) -> bool {
    found.offset_from_utc_datetime(&at("2026-07-01T00:00:00")).fix()
        == zone.parse::<Tz>().unwrap().offset_from_utc_datetime(&at("2026-07-01T00:00:00")).fix()
}

#[test]
fn an_offset_tells_its_zone() {
    for (name, hours) in [
        ("GMT+0200", 2.0),
        ("UTC-3", -3.0),
        ("UTC+05:30", 5.5),
        ("GMT-0330", -3.5),
        ("+01:00", 1.0),
        ("(GMT+10:00) Nowhere", 10.0),
    ] {
        let found = with("", |zones| zones.zone(name)).unwrap_or_else(|| panic!("{name}"));
        let Zone::Fixed(seconds) = found else { panic!("{name}: {found:?}") };
        assert!((f64::from(seconds) / 3600.0 - hours).abs() < 0.001, "{name}: {seconds}");
    }
    assert_eq!(Zone::Fixed(7200).shown(Tz::UTC).name(), "Etc/GMT-2");
    assert_eq!(Zone::Fixed(19_800).shown(Tz::UTC), Tz::UTC);
}

#[test]
fn what_no_name_and_no_rule_tells_is_unknown() {
    for name in
        ["Customized Time Zone", "", "Nowhere/Middle", "custom_America/New_York", "GMT+99", "(", "+", "-"]
    {
        assert_eq!(with("", |zones| zones.zone(name)), None, "{name}");
    }
}

const CUSTOM: &str = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\n\
    BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
    BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE";

#[test]
fn a_vtimezone_that_keeps_berlin_s_time_gives_berlin_s_instants() {
    let custom = with(CUSTOM, |zones| zones.zone("Customized Time Zone")).unwrap();
    assert!(matches!(custom, Zone::Observed(_)));
    let berlin = Zone::Named(chrono_tz::Europe::Berlin);
    let mut local = at("2024-01-01T00:30:00");
    while local < at("2028-01-01T00:00:00") {
        assert_eq!(custom.instant(local), berlin.instant(local), "{local}");
        assert_eq!(custom.local(custom.instant(local)), berlin.local(berlin.instant(local)), "{local}");
        local += Duration::minutes(60);
    }
}

#[test]
fn a_location_goes_before_the_rules() {
    let calendar = CUSTOM.replace("\nBEGIN:STANDARD", "\nX-LIC-LOCATION:Asia/Tokyo\nBEGIN:STANDARD");
    let zone = with(&calendar, |zones| zones.zone("Customized Time Zone"));
    assert_eq!(zone, Some(Zone::Named(chrono_tz::Asia::Tokyo)));
}

#[test]
fn a_calendar_names_its_own_zone() {
    assert_eq!(with("X-WR-TIMEZONE:Asia/Kolkata", |zones| zones.own), chrono_tz::Asia::Kolkata);
    assert_eq!(with("X-WR-TIMEZONE:nowhere", |zones| zones.own), chrono_tz::Europe::Lisbon);
}

#[test]
fn local_time_in_gap_or_overlap_uses_offset_before() {
    // (zone, wall time, UTC). A gap's hour is read by the offset before the gap (RFC 5545, 3.3.5).
    for (zone, wall, utc) in [
        ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00"),
        ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00"),
        ("Europe/London", "2026-03-29T01:30:00", "2026-03-29T01:30:00"),
        ("Europe/London", "2026-10-25T01:30:00", "2026-10-25T00:30:00"),
        ("Australia/Sydney", "2026-10-04T02:30:00", "2026-10-03T16:30:00"),
        ("Australia/Sydney", "2026-04-05T02:30:00", "2026-04-04T15:30:00"),
        ("Asia/Kolkata", "2026-03-29T02:30:00", "2026-03-28T21:00:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00"),
    ] {
        let found = Zone::Named(zone.parse().unwrap()).instant(at(wall));
        assert_eq!(found.naive_utc(), at(utc), "{zone} {wall}");
    }
}

#[test]
fn an_absurd_vtimezone_is_no_zone() {
    for lines in [
        "BEGIN:STANDARD\nDTSTART:20260101T000000\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:20260101T000000\nTZOFFSETFROM:+9900\nTZOFFSETTO:+0100\nEND:STANDARD",
        "BEGIN:STANDARD\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nEND:STANDARD",
    ] {
        let calendar = format!("BEGIN:VTIMEZONE\nTZID:x y\n{lines}\nEND:VTIMEZONE");
        assert_eq!(with(&calendar, |zones| zones.zone("x y")), None, "{lines}");
    }
}

#[test]
fn a_calendars_property_tells_its_zone() {
    let object = |zone: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\n{zone}\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
        )
    };
    for (zone, expected) in [
        ("TZID:Europe/Lisbon", Some(Tz::Europe__Lisbon)),
        ("TZID:W. Europe Standard Time", Some(Tz::Europe__Berlin)),
        ("TZID:/freeassociation.sourceforge.net/America/New_York", Some(Tz::America__New_York)),
        ("TZID:America/Argen\r\n tina/Salta", Some(Tz::America__Argentina__Salta)),
        ("TZID:Home\r\nX-LIC-LOCATION:Asia/Kolkata", Some(Tz::Asia__Kolkata)),
        ("TZID;X-A=b:Asia/Tokyo", Some(Tz::Asia__Tokyo)),
        ("TZID:Customized Time Zone", None),
    ] {
        assert_eq!(described_zone(&object(zone)), expected, "{zone}");
    }
    assert_eq!(described_zone(""), None);
}
