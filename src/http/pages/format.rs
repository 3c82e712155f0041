//! Times in the words of the people who read them, in the zone of their business.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
pub(crate) use concord_domain::time_text::{day, span, stretch};

/// An instant, as long ago or as far ahead as it is, with the exact one on demand.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(ext = "html", source = r#"<time datetime="{{ machine }}" title="{{ exact }}">{{ text }}</time>"#)]
pub(crate) struct RelativeTime {
    pub text: String,
    /// In the zone, which is named.
    pub exact: String,
    pub machine: String,
}
impl HtmlSafe for RelativeTime {}

impl RelativeTime {
    /// `at` as seen at `now` by somebody in `zone`.
    pub(crate) fn new(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> Self {
        Self { text: relative_time(at, now, zone), exact: exact_time(at, zone), machine: at.to_rfc3339() }
    }
}

/// "5 min ago", "in 3 h", "12 Nov 2026".
fn relative_time(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> String {
    let away = (at - now).abs();
    if away < Duration::seconds(45) {
        return if at > now { "in a moment" } else { "just now" }.to_owned();
    }
    let length = if away < Duration::minutes(60) {
        format!("{} min", ((away.num_seconds() + 30) / 60).max(1))
    } else if away < Duration::hours(24) {
        format!("{} h", (away.num_minutes() + 30) / 60)
    } else if away < Duration::days(7) {
        let days = (away.num_hours() + 12) / 24;
        if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
    } else {
        return at.with_timezone(&zone).format("%-d %b %Y").to_string();
    };
    if at < now { format!("{length} ago") } else { format!("in {length}") }
}

/// "Sat 21 Nov 2026, 14:30 (Europe/Lisbon)".
pub(crate) fn exact_time(at: DateTime<Utc>, zone: Tz) -> String {
    format!("{} ({})", at.with_timezone(&zone).format("%a %-d %b %Y, %H:%M"), zone.name())
}

/// A date that somebody typed, or that stands in an address, if there is reason to reckon with it.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    text.trim().parse().ok().filter(|date| is_supported_date(*date))
}

/// The years of bookings. Far beyond them, reckoning with dates goes over the edge.
pub(crate) fn is_supported_date(date: NaiveDate) -> bool {
    (1970..=9998).contains(&date.year())
}

/// "Today", "Tomorrow", "Sat 21 November".
pub(crate) fn day_heading(date: NaiveDate, today: NaiveDate) -> String {
    let name =
        if date.year() == today.year() { date.format("%A %-d %B") } else { date.format("%A %-d %B %Y") };
    match (date - today).num_days() {
        0 => format!("Today, {name}"),
        1 => format!("Tomorrow, {name}"),
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn instants_are_told_as_people_tell_them() {
        let now = at("2026-11-21T12:00:00Z");
        for (instant, text) in [
            ("2026-11-21T11:59:40Z", "just now"),
            ("2026-11-21T12:00:20Z", "in a moment"),
            ("2026-11-21T11:59:00Z", "1 min ago"),
            ("2026-11-21T12:40:00Z", "in 40 min"),
            ("2026-11-21T09:00:00Z", "3 h ago"),
            ("2026-11-22T12:00:00Z", "in 1 day"),
            ("2026-11-18T12:00:00Z", "3 days ago"),
            ("2026-11-01T00:30:00Z", "1 Nov 2026"),
        ] {
            assert_eq!(relative_time(at(instant), now, chrono_tz::Europe::Lisbon), text, "{instant}");
        }
    }

    #[test]
    fn days_near_by_have_names() {
        let today = date("2026-11-21");
        assert_eq!(day_heading(today, today), "Today, Saturday 21 November");
        assert_eq!(day_heading(date("2026-11-22"), today), "Tomorrow, Sunday 22 November");
        assert_eq!(day_heading(date("2027-01-02"), today), "Saturday 2 January 2027");
    }
}
