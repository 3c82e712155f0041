//! Feeds as an independent reader reads them, whatever the texts in them are.

use chrono::Days;
use icalendar::parser::{Component as Read, ParseString, Property as ReadProperty, read_calendar, unfold};
use proptest::prelude::*;

use super::*;

/// What a reader must see: line breaks of any kind as `\n`, other control characters gone.
fn as_read(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}') { '\n' } else { c })
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

/// Texts that break careless writers.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\nEND:VEVENT\r\nBEGIN:VEVENT".to_owned()),
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n ".to_owned()),
        Just("\0\u{1b}\u{9f}".to_owned()),
        Just("\u{2028}\u{2029}\u{85}\u{feff}".to_owned()),
        Just("\"quoted\"; a,b:c\\n\\".to_owned()),
        Just("👩‍👩‍👧‍👦🇵🇹".to_owned()),
        Just("\u{202e}מריה שלום\u{202c}".to_owned()),
        Just("e\u{301}\u{323}\u{308}".repeat(30)),
        Just("ß€漢字".repeat(20)),
        Just(" \t ".to_owned()),
        Just("x".repeat(5_000)),
        any::<String>(),
        "[ -~]{0,90}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn value<'r>(component: &'r Read<'_>, name: &str) -> &'r str {
    component.find_prop(name).map_or("", |property| property.val.as_str())
}

fn param<'r>(property: &'r ReadProperty<'_>, name: &str) -> Option<&'r str> {
    property.params.iter().find(|param| param.key.as_str() == name)?.val.as_ref().map(ParseString::as_str)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn hostile_text_comes_back_as_it_was(
        texts in proptest::collection::vec((hostile(), hostile(), hostile()), 1..4),
        name in hostile(),
        mail in hostile(),
    ) {
        let header = FeedHeader {
            name: &name,
            description: &name,
            organizer: Some(Organizer { name: &name, mail: &mail }),
            ..header()
        };
        let events = || texts.iter().enumerate().map(|(index, (summary, description, location))| FeedEvent {
            uid: format!("{index}@concord.example").into(),
            summary: summary.into(),
            description: description.into(),
            location: location.into(),
            url: Some(format!("https://concord.example/{summary}").into()),
            sequence: u32::try_from(index).unwrap(),
            ..event("", "")
        });
        let mut bytes = Vec::new();
        write_feed(&mut bytes, &header, events());
        let mut again = Vec::new();
        write_feed(&mut again, &header, events());
        prop_assert_eq!(&bytes, &again);
        prop_assert_eq!(lint(&bytes), []);

        let text = unfold(std::str::from_utf8(&bytes).unwrap());
        let calendar = read_calendar(&text).unwrap();
        let named = calendar.properties.iter().find(|property| property.name == "X-WR-CALNAME").unwrap();
        prop_assert_eq!(named.val.as_str(), as_read(&name));
        prop_assert_eq!(calendar.components.len(), texts.len());
        for (index, (component, (summary, description, location))) in
            calendar.components.iter().zip(&texts).enumerate()
        {
            prop_assert_eq!(value(component, "UID"), format!("{index}@concord.example"));
            prop_assert_eq!(value(component, "SEQUENCE"), index.to_string());
            prop_assert_eq!(value(component, "SUMMARY"), as_read(summary));
            prop_assert_eq!(value(component, "DESCRIPTION"), as_read(description));
            prop_assert_eq!(value(component, "LOCATION"), as_read(location));
            let starts = component.find_prop("DTSTART").unwrap();
            prop_assert_eq!(param(starts, "VALUE"), Some("DATE"));
            prop_assert_eq!(starts.val.as_str(), "20261205");
            prop_assert!(value(component, "ORGANIZER").starts_with("mailto:"));
            prop_assert_eq!(component.properties.len(), component_lines(summary, description, location));
        }
    }

    #[test]
    fn bookings_come_back_with_their_times(
        starts in 0_i64..4_000_000, minutes in 1_i64..3_000, nights in 1_u64..40, version in 1_i64..100,
    ) {
        let start = at("2026-01-01T00:00:00Z") + Duration::minutes(starts);
        let day = start.date_naive();
        let mut both = [
            booking_at(1, BookingTime::Timed { starts_at: start, ends_at: start + Duration::minutes(minutes) }),
            booking_at(2, BookingTime::Stay { check_in: day, check_out: day + Days::new(nights) }),
        ];
        both[0].version = version;
        let feed = feed(&both, FeedPrivacy::Title);
        prop_assert_eq!(lint(feed.as_bytes()), []);
        let text = unfold(&feed);
        let calendar = read_calendar(&text).unwrap();
        let find = |id: u128| {
            let uid = format!("booking-{}@concord.example", uuid::Uuid::from_u128(id));
            calendar.components.iter().find(|component| value(component, "UID") == uid).unwrap()
        };
        let instants = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
        prop_assert_eq!(value(find(1), "DTSTART"), instants(start));
        prop_assert_eq!(value(find(1), "DTEND"), instants(start + Duration::minutes(minutes)));
        prop_assert_eq!(value(find(1), "SEQUENCE"), (version - 1).to_string());
        prop_assert_eq!(value(find(1), "DTSTAMP"), instants(both[0].updated_at));
        prop_assert_eq!(value(find(2), "DTSTART"), day.format("%Y%m%d").to_string());
        prop_assert_eq!(value(find(2), "DTEND"), (day + Days::new(nights)).format("%Y%m%d").to_string());
    }
}

/// UID, SEQUENCE, DTSTAMP, CREATED, LAST-MODIFIED, DTSTART, DTEND, SUMMARY, URL, ORGANIZER, STATUS, CLASS and TRANSP,
/// with DESCRIPTION and LOCATION if there is any: nothing else may stand in an event, whatever the texts say.
fn component_lines(_summary: &str, description: &str, location: &str) -> usize {
    13 + usize::from(!description.is_empty()) + usize::from(!location.is_empty())
}
