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

/// How a zone is written: by Windows' name, with the zone that Microsoft takes that for (Lisbon's is London's). `None`:
/// Windows has no such zone, and of IANA's names Graph takes a few only (`dateTimeTimeZone`, "Additional time zones").
pub(super) fn written(zone: Tz) -> Option<(Tz, &'static str)> {
    let name = windows_name(zone)?;
    Some((self::zone(name)?, name))
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
    fn a_zone_is_written_by_a_name_that_stands_for_it() {
        for zone in chrono_tz::TZ_VARIANTS {
            if let Some((taken_for, name)) = written(zone) {
                assert_eq!(super::zone(name), Some(taken_for), "{zone}");
                assert!(stands_for(name, zone), "{zone}");
            }
        }
        assert_eq!(written(Tz::Europe__Berlin), Some((Tz::Europe__Berlin, "W. Europe Standard Time")));
        assert_eq!(written(Tz::America__New_York), Some((Tz::America__New_York, "Eastern Standard Time")));
        assert_eq!(written(Tz::Europe__Lisbon), Some((Tz::Europe__London, "GMT Standard Time")));
        assert_eq!(written(Tz::UTC).map(|(_, name)| name), Some("UTC"));
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
