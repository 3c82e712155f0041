//! Time zones by either name: IANA's, or those of Windows that Outlook speaks of
//! (<https://learn.microsoft.com/en-us/graph/api/resources/datetimetimezone>; the pairs are CLDR's `windowsZones`).

use chrono_tz::Tz;

/// Windows' names with the zone that each means in its main territory. The first name of a zone is the one that is given.
const WINDOWS: [(&str, &str); 47] = [
    ("UTC", "Etc/UTC"),
    ("GMT Standard Time", "Europe/London"),
    ("GMT Standard Time", "Europe/Lisbon"),
    ("GMT Standard Time", "Europe/Dublin"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("Azores Standard Time", "Atlantic/Azores"),
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("W. Europe Standard Time", "Europe/Amsterdam"),
    ("W. Europe Standard Time", "Europe/Rome"),
    ("W. Europe Standard Time", "Europe/Vienna"),
    ("W. Europe Standard Time", "Europe/Zurich"),
    ("W. Europe Standard Time", "Europe/Stockholm"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Romance Standard Time", "Europe/Madrid"),
    ("Romance Standard Time", "Europe/Brussels"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Central Europe Standard Time", "Europe/Prague"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("GTB Standard Time", "Europe/Bucharest"),
    ("GTB Standard Time", "Europe/Athens"),
    ("FLE Standard Time", "Europe/Kiev"),
    ("FLE Standard Time", "Europe/Helsinki"),
    ("Turkey Standard Time", "Europe/Istanbul"),
    ("Russian Standard Time", "Europe/Moscow"),
    ("Israel Standard Time", "Asia/Jerusalem"),
    ("Egypt Standard Time", "Africa/Cairo"),
    ("South Africa Standard Time", "Africa/Johannesburg"),
    ("Arabian Standard Time", "Asia/Dubai"),
    ("Iran Standard Time", "Asia/Tehran"),
    ("India Standard Time", "Asia/Calcutta"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Nepal Standard Time", "Asia/Katmandu"),
    ("SE Asia Standard Time", "Asia/Bangkok"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("China Standard Time", "Asia/Shanghai"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("New Zealand Standard Time", "Pacific/Auckland"),
    ("Eastern Standard Time", "America/New_York"),
    ("Central Standard Time", "America/Chicago"),
    ("Mountain Standard Time", "America/Denver"),
    ("US Mountain Standard Time", "America/Phoenix"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("Atlantic Standard Time", "America/Halifax"),
    ("Newfoundland Standard Time", "America/St_Johns"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Argentina Standard Time", "America/Buenos_Aires"),
];

/// The names of IANA's that Graph takes, beside all of Windows (`dateTimeTimeZone`, "Additional time zones"). Lisbon,
/// Madrid, Amsterdam or Toronto are not among them.
const LISTED: [&str; 60] = [
    "Etc/GMT",
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/Denver",
    "America/Guatemala",
    "America/Chicago",
    "America/Mexico_City",
    "America/Regina",
    "America/Bogota",
    "America/New_York",
    "America/Caracas",
    "America/Halifax",
    "America/La_Paz",
    "America/Santiago",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Cayenne",
    "America/Montevideo",
    "America/Bahia",
    "Atlantic/Azores",
    "Atlantic/Cape_Verde",
    "Africa/Casablanca",
    "Europe/London",
    "Atlantic/Reykjavik",
    "Europe/Berlin",
    "Europe/Budapest",
    "Europe/Paris",
    "Europe/Warsaw",
    "Africa/Lagos",
    "Africa/Windhoek",
    "Europe/Bucharest",
    "Asia/Beirut",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Europe/Kiev",
    "Europe/Istanbul",
    "Asia/Jerusalem",
    "Asia/Amman",
    "Asia/Baghdad",
    "Asia/Riyadh",
    "Africa/Nairobi",
    "Asia/Tehran",
    "Asia/Dubai",
    "Europe/Moscow",
    "Asia/Kabul",
    "Asia/Karachi",
    "Asia/Tashkent",
    "Asia/Kolkata",
    "Asia/Colombo",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// The zone of a name of either kind, if Graph takes it.
pub(crate) fn zone(name: &str) -> Option<Tz> {
    if name == "UTC" {
        return Some(Tz::UTC);
    }
    let windows = WINDOWS.iter().find(|(windows, _)| *windows == name).map(|(_, iana)| *iana);
    windows.or_else(|| LISTED.contains(&name).then_some(name))?.parse().ok()
}

/// The name by which Outlook speaks of a zone: Windows' if there is one.
pub(crate) fn windows_name(zone: Tz) -> &'static str {
    if zone == Tz::UTC {
        return "UTC";
    }
    WINDOWS.iter().find(|(_, iana)| *iana == zone.name()).map_or(zone.name(), |(windows, _)| *windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_comes_back_as_windows_says_it() {
        for (windows, iana) in WINDOWS {
            assert!(zone(windows).is_some(), "{windows}");
            assert_eq!(windows_name(iana.parse().unwrap()), windows);
        }
        assert_eq!(windows_name(chrono_tz::Asia::Tashkent), "Asia/Tashkent");
        assert!(LISTED.iter().all(|name| zone(name).is_some()));
        assert_eq!(zone("Europe/Lisbon"), None);
        assert_eq!(zone("Mars Standard Time"), None);
    }
}
