//! Zones by the names that Microsoft knows them by.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ical::{from_windows, windows_name},
    interval::instant_at,
};

/// The zone of a name of Windows or of the IANA database, both of which Graph takes and gives.
pub(super) fn zone(name: &str) -> Option<Tz> {
    // What an event has that was written in UTC by some of Microsoft's own programs.
    let name = name.strip_prefix("tzone://Microsoft/").unwrap_or(name);
    if name.eq_ignore_ascii_case("utc") {
        return Some(Tz::UTC);
    }
    name.parse().ok().or_else(|| from_windows(name))
}

/// The name to write: that of Windows, unless it would come back as another zone (Lisbon has the one of London).
pub(super) fn name(zone: Tz) -> &'static str {
    match windows_name(zone) {
        Some(windows) if self::zone(windows) == Some(zone) => windows,
        _ => zone.name(),
    }
}

/// Whether `name`, which Microsoft gives, can stand for `zone`, which we wrote.
pub(super) fn stands_for(name: &str, zone: Tz) -> bool {
    let said = self::zone(name);
    said == Some(zone)
        // An instant that the zone's clocks show twice is written in UTC.
        || said == Some(Tz::UTC)
        || said.is_some_and(|said| windows_name(said).is_some() && windows_name(said) == windows_name(zone))
}

/// What clocks in `zone` show at `instant`; `None` where they show it twice.
pub(super) fn local(instant: DateTime<Utc>, zone: Tz) -> Option<NaiveDateTime> {
    let local = instant.with_timezone(&zone).naive_local();
    zone.from_local_datetime(&local).single().map(|_| local)
}

/// The instant of a `dateTimeTimeZone`; `None` for what is no time, or in a zone that nobody knows.
pub(super) fn instant(date_time: &str, name: Option<&str>) -> Option<DateTime<Utc>> {
    let local: NaiveDateTime = date_time.trim_end_matches('Z').parse().ok()?;
    Some(instant_at(local, zone(name.unwrap_or("UTC"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_is_written_is_the_one_that_is_read() {
        for zone in chrono_tz::TZ_VARIANTS {
            assert_eq!(super::zone(name(zone)), Some(zone), "{zone}");
        }
        assert_eq!(name(Tz::Europe__Berlin), "W. Europe Standard Time");
        assert_eq!(name(Tz::America__New_York), "Eastern Standard Time");
        assert_eq!(name(Tz::Europe__Lisbon), "Europe/Lisbon");
        assert_eq!(name(Tz::UTC), "UTC");
    }

    #[test]
    fn names_of_both_kinds_are_read() {
        for (name, expected) in [
            ("Eastern Standard Time", Some(Tz::America__New_York)),
            ("Europe/Lisbon", Some(Tz::Europe__Lisbon)),
            ("UTC", Some(Tz::UTC)),
            ("tzone://Microsoft/Utc", Some(Tz::UTC)),
            ("tzone://Microsoft/Custom", None),
            ("Customized Time Zone", None),
            ("", None),
        ] {
            assert_eq!(zone(name), expected, "{name}");
        }
    }

    #[test]
    fn a_coarser_name_stands_for_the_zone_that_we_wrote() {
        assert!(stands_for("GMT Standard Time", Tz::Europe__Lisbon));
        assert!(stands_for("UTC", Tz::Europe__Lisbon));
        assert!(!stands_for("Eastern Standard Time", Tz::Europe__Lisbon));
        assert!(!stands_for("Customized Time Zone", Tz::Europe__Lisbon));
    }

    #[test]
    fn a_time_that_clocks_show_twice_has_no_local_form() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(local(at("2026-10-25T00:30:00Z"), Tz::Europe__Lisbon), None);
        assert_eq!(local(at("2026-10-25T01:30:00Z"), Tz::Europe__Lisbon), None);
        let plain = local(at("2026-10-25T02:30:00Z"), Tz::Europe__Lisbon).unwrap();
        assert_eq!(plain.to_string(), "2026-10-25 02:30:00");
    }

    #[test]
    fn instants_are_read_in_their_zone() {
        let read = |time, zone| instant(time, zone).map(|at| at.to_rfc3339());
        let nine = Some("2026-07-01T09:00:00+00:00".to_owned());
        assert_eq!(read("2026-07-01T09:00:00.0000000", Some("UTC")), nine);
        assert_eq!(read("2026-07-01T10:00:00", Some("Europe/Lisbon")), nine);
        assert_eq!(read("2026-07-01T05:00:00", Some("Eastern Standard Time")), nine);
        assert_eq!(read("2026-07-01", Some("UTC")), None);
        assert_eq!(read("2026-07-01T09:00:00", Some("Mars/Olympus")), None);
    }
}
