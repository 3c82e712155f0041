//! Dates, times and lengths of stays, as people of a language write them.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use fluent_bundle::FluentValue;

use super::{Language, TextKey, text};

/// "Fri 3 Jul 2026", "Fr., 3. Juli 2026".
pub fn date(date: NaiveDate, language: Language) -> String {
    text(language, TextKey::Date, arguments(date))
}

/// "Fri 3 Jul 2026, 14:00 CEST": an instant on the clocks of a zone, whose name is told.
pub fn date_time(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    let at = at.with_timezone(&zone);
    let clock = [("time", at.format("%H:%M %Z").to_string().into())];
    text(language, TextKey::DateTime, arguments(at.date_naive()).into_iter().chain(clock))
}

/// "1 night", "2 Nächte".
pub fn nights(count: i64, language: Language) -> String {
    text(language, TextKey::Nights, [("count", count.into())])
}

fn arguments(date: NaiveDate) -> [(&'static str, FluentValue<'static>); 4] {
    [
        ("weekday", date.weekday().number_from_monday().into()),
        ("day", date.day().into()),
        ("month", date.month().into()),
        ("year", date.year().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::{
        Language::{De, En},
        *,
    };

    #[test]
    fn dates_are_written_as_in_their_language() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (text, english, german) in [
            ("2026-07-03", "Fri 3 Jul 2026", "Fr., 3. Juli 2026"),
            ("2027-03-01", "Mon 1 Mar 2027", "Mo., 1. März 2027"),
            ("2028-12-31", "Sun 31 Dec 2028", "So., 31. Dezember 2028"),
        ] {
            assert_eq!((date(day(text), En).as_str(), date(day(text), De).as_str()), (english, german));
        }
    }

    #[test]
    fn english_dates_are_as_on_pages() {
        for day in day_after_day() {
            assert_eq!(date(day, En), day.format("%a %-d %b %Y").to_string());
        }
    }

    fn day_after_day() -> impl Iterator<Item = NaiveDate> {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().iter_days().step_by(5).take(73)
    }

    #[test]
    fn times_are_on_the_clocks_of_their_zone() {
        let at = "2026-07-03T12:00:00Z".parse().unwrap();
        assert_eq!(date_time(at, chrono_tz::Europe::Berlin, En), "Fri 3 Jul 2026, 14:00 CEST");
        assert_eq!(date_time(at, chrono_tz::Europe::Berlin, De), "Fr., 3. Juli 2026, 14:00 CEST");
    }

    #[test]
    fn nights_are_counted_by_the_language() {
        let both = |count| (nights(count, En), nights(count, De));
        assert_eq!(both(1), ("1 night".to_owned(), "1 Nacht".to_owned()));
        assert_eq!(both(2), ("2 nights".to_owned(), "2 Nächte".to_owned()));
        assert_eq!(both(0).1, "0 Nächte");
        assert_eq!(both(1_095).0, "1095 nights");
    }
}
