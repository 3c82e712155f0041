//! Windows' names of time zones, as in the table `windowsZones` of the Unicode CLDR.
//!
//! calcard has such names too, but only from a name to a zone, which Microsoft's calendars need in both directions; and some
//! of its zones are not those of the CLDR: "W. Europe" is Amsterdam there.

use std::{collections::HashMap, sync::LazyLock};

use chrono::{Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

/// A Windows name and the IANA zones that it stands for; the first is the one for the world ("001"), which is what
/// the name alone means.
static ZONES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    include_str!("windows_zones.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
});

/// Names that Windows no longer gives but old calendars still have.
const RETIRED: &[(&str, &str)] = &[
    ("Armenian Standard Time", "Asia/Yerevan"),
    ("Kamchatka Standard Time", "Asia/Kamchatka"),
    ("Mexico Standard Time", "America/Mexico_City"),
    ("Mexico Standard Time 2", "America/Chihuahua"),
    ("Mid-Atlantic Standard Time", "Atlantic/South_Georgia"),
];

/// The zone of a Windows name, in any case; `None` when the name is no Windows name.
pub fn from_windows(name: &str) -> Option<Tz> {
    let (_, zones) =
        ZONES.iter().chain(RETIRED).find(|(windows, _)| windows.eq_ignore_ascii_case(name.trim()))?;
    zones.split_whitespace().next()?.parse().ok()
}

/// Windows' name of a zone, which is what Microsoft's calendars take.
///
/// A zone that the table lacks (an alias as `US/Eastern`) has the name of the first that keeps the same time;
/// `None` where nothing keeps the same time.
pub fn windows_name(zone: Tz) -> Option<&'static str> {
    NAMES.get(&zone).copied()
}

/// All zones with their Windows names.
static NAMES: LazyLock<HashMap<Tz, &'static str>> = LazyLock::new(|| {
    let mut names: HashMap<Tz, &'static str> = HashMap::new();
    let mut by_habit: HashMap<Vec<i32>, &'static str> = HashMap::new();
    for (windows, zones) in &*ZONES {
        for zone in zones.split_whitespace().filter_map(|zone| zone.parse::<Tz>().ok()) {
            names.entry(zone).or_insert(windows);
        }
    }
    for (windows, zones) in &*ZONES {
        if let Some(zone) = zones.split_whitespace().next().and_then(|zone| zone.parse::<Tz>().ok()) {
            by_habit.entry(habit(zone)).or_insert(windows);
        }
    }
    for zone in chrono_tz::TZ_VARIANTS {
        if !names.contains_key(&zone)
            && let Some(windows) = by_habit.get(&habit(zone))
        {
            names.insert(zone, windows);
        }
    }
    names
});

/// The offsets of a zone in seconds every ten days through four years: equal for zones that keep the same time.
fn habit(zone: Tz) -> Vec<i32> {
    let first = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default();
    first
        .iter_days()
        .step_by(10)
        .take_while(|day| day.year() < 2027)
        .map(|day| zone.offset_from_utc_datetime(&day.into()).fix().local_minus_utc())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_a_zone_and_comes_back() {
        assert_eq!(ZONES.len(), 139, "a line without a tab is none");
        for (windows, zones) in &*ZONES {
            for zone in zones.split_whitespace() {
                let zone: Tz = zone.parse().unwrap_or_else(|_| panic!("{zone} of {windows}"));
                assert_eq!(windows_name(zone), Some(*windows), "{zone}");
            }
            assert_eq!(from_windows(windows).and_then(windows_name), Some(*windows));
        }
        for (windows, _) in RETIRED {
            assert!(from_windows(windows).is_some(), "{windows}");
        }
    }

    #[test]
    fn a_name_stands_for_the_zone_of_the_world() {
        for (windows, zone) in [
            ("W. Europe Standard Time", "Europe/Berlin"),
            ("romance standard time", "Europe/Paris"),
            (" GMT Standard Time ", "Europe/London"),
            ("India Standard Time", "Asia/Kolkata"),
            ("UTC", "Etc/UTC"),
        ] {
            assert_eq!(from_windows(windows).map(Tz::name), Some(zone), "{windows}");
        }
        assert_eq!(from_windows("Europe/Berlin"), None);
    }

    #[test]
    fn an_alias_has_the_name_of_what_keeps_the_same_time() {
        for (zone, windows) in [
            ("US/Eastern", "Eastern Standard Time"),
            ("UTC", "UTC"),
            ("Asia/Calcutta", "India Standard Time"),
            ("Europe/Kiev", "FLE Standard Time"),
            ("Europe/Belfast", "GMT Standard Time"),
            ("NZ", "New Zealand Standard Time"),
        ] {
            assert_eq!(windows_name(zone.parse().unwrap()), Some(windows), "{zone}");
        }
    }

    #[test]
    fn nearly_every_zone_has_a_name() {
        let without: Vec<_> =
            chrono_tz::TZ_VARIANTS.iter().filter(|zone| windows_name(**zone).is_none()).collect();
        assert!(without.len() <= 2, "{without:?}");
    }
}
