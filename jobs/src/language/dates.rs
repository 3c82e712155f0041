//! Dates, times and lengths of stays, as people of a language write them.

use chrono::{DateTime, Datelike, NaiveDate, Offset, Utc};
use chrono_tz::Tz;
use concord_domain::booking::BookingTime;
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

/// When a booking takes place, on the clocks of `zone`: "Fri 3 Jul 2026, 14:00–15:30 CEST", or the days of a stay.
pub fn booking_time(time: &BookingTime, zone: Tz, language: Language) -> String {
    match *time {
        BookingTime::Stay { check_in, check_out } => {
            let nights = nights((check_out - check_in).num_days(), language);
            let parts = [
                ("arrival", date(check_in, language).into()),
                ("departure", date(check_out, language).into()),
                ("nights", nights.into()),
            ];
            text(language, TextKey::BookingStay, parts)
        }
        BookingTime::Timed { starts_at, ends_at } => {
            let (from, until) = (starts_at.with_timezone(&zone), ends_at.with_timezone(&zone));
            if from.date_naive() != until.date_naive() || from.offset().fix() != until.offset().fix() {
                let parts = [
                    ("from", date_time(starts_at, zone, language).into()),
                    ("until", date_time(ends_at, zone, language).into()),
                ];
                return text(language, TextKey::BookingLong, parts);
            }
            let parts = [
                ("date", date(from.date_naive(), language).into()),
                ("from", from.format("%H:%M").to_string().into()),
                ("until", until.format("%H:%M %Z").to_string().into()),
            ];
            text(language, TextKey::BookingHours, parts)
        }
    }
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
    fn bookings_are_on_the_clocks_of_their_zone() {
        let timed = |from: &str, until: &str| BookingTime::Timed {
            starts_at: from.parse().unwrap(),
            ends_at: until.parse().unwrap(),
        };
        let zone = chrono_tz::Europe::Berlin;
        let hours = timed("2026-07-03T12:00:00Z", "2026-07-03T13:30:00Z");
        assert_eq!(booking_time(&hours, zone, En), "Fri 3 Jul 2026, 14:00–15:30 CEST");
        // The clock is set back in between: each end is told with its own.
        let night = timed("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
        assert_eq!(
            booking_time(&night, zone, En),
            "Sun 25 Oct 2026, 02:30 CEST – Sun 25 Oct 2026, 02:30 CET"
        );
        let stay = BookingTime::Stay {
            check_in: "2026-12-30".parse().unwrap(),
            check_out: "2027-01-01".parse().unwrap(),
        };
        assert_eq!(booking_time(&stay, zone, De), "Mi., 30. Dezember 2026 – Fr., 1. Januar 2027 (2 Nächte)");
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
