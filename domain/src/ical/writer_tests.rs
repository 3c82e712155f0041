//! Content lines by cases, and any text at all.

use proptest::prelude::*;

use super::{super::property as p, *};

fn written(write: impl FnOnce(&mut IcalWriter<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut IcalWriter::new(&mut out));
    String::from_utf8(out).unwrap()
}

fn text(value: &str) -> String {
    written(|writer| writer.text(p::SUMMARY, value))
}

#[test]
fn what_means_something_is_escaped() {
    assert_eq!(text("a;b,c\\d:e\"f"), "SUMMARY:a\\;b\\,c\\\\d:e\"f\r\n");
}

#[test]
fn a_value_cannot_end_its_line() {
    for bad in
        ["x\r\nATTENDEE:a", "x\nATTENDEE:a", "x\rATTENDEE:a", "x\u{85}ATTENDEE:a", "x\u{2028}ATTENDEE:a"]
    {
        assert_eq!(text(bad), "SUMMARY:x\\nATTENDEE:a\r\n", "{bad:?}");
    }
}

#[test]
fn control_characters_are_left_out_and_tabs_stay() {
    assert_eq!(text("a\0b\u{7}c\u{7f}d\u{9b}e\tf\u{a0}®"), "SUMMARY:abcde\tf\u{a0}®\r\n");
}

#[test]
fn lines_are_filled_to_75_octets_and_no_further() {
    let exact = "x".repeat(75 - "SUMMARY:".len());
    assert_eq!(text(&exact), format!("SUMMARY:{exact}\r\n"));
    assert_eq!(text(&format!("{exact}yz")), format!("SUMMARY:{exact}\r\n yz\r\n"));
}

#[test]
fn a_fold_never_splits_a_character_or_an_escape() {
    let before = "x".repeat(75 - "SUMMARY:".len() - 1);
    assert_eq!(text(&format!("{before}😀")), format!("SUMMARY:{before}\r\n 😀\r\n"));
    assert_eq!(text(&format!("{before};")), format!("SUMMARY:{before}\r\n \\;\r\n"));
}

#[test]
fn a_parameter_cannot_leave_its_quotes() {
    let line = written(|writer| {
        let name = PropertyParameter::common_name("Ana \"A\" ^ Co;X=1:\r\nEND:VEVENT");
        writer.address(p::ORGANIZER, &[name], "a b@x.org\r\n");
    });
    let unfolded = line.replace("\r\n ", "");
    assert_eq!(unfolded, "ORGANIZER;CN=\"Ana ^'A^' ^^ Co;X=1:^nEND:VEVENT\":mailto:a%20b@x.org%0D%0A\r\n");
}

#[test]
fn an_empty_parameter_is_left_out() {
    let line = written(|w| w.address(p::ORGANIZER, &[PropertyParameter::common_name("")], "a@x.org"));
    assert_eq!(line, "ORGANIZER:mailto:a@x.org\r\n");
}

#[test]
fn uris_hold_only_what_uris_may() {
    let line = written(|w| w.uri(p::URL, "https://x.org/a b?q=\"ü\"%20\r\nX:y"));
    assert_eq!(line, "URL:https://x.org/a%20b?q=%22%C3%BC%22%20%0D%0AX:y\r\n");
}

#[test]
fn numbers_lengths_and_times() {
    assert_eq!(written(|w| w.integer(p::SEQUENCE, 1_204)), "SEQUENCE:1204\r\n");
    assert_eq!(written(|w| w.minutes(p::X_PUBLISHED_TTL, 0)), "X-PUBLISHED-TTL:PT0M\r\n");
    assert_eq!(written(|w| w.minutes(p::REFRESH_INTERVAL, 90)), "REFRESH-INTERVAL;VALUE=DURATION:PT90M\r\n");
    let at = "2026-03-09T08:07:06.999Z".parse().unwrap();
    assert_eq!(written(|w| w.instant(p::DTSTAMP, at)), "DTSTAMP:20260309T080706Z\r\n");
    let on = IcalTime::On("2026-03-09".parse().unwrap());
    assert_eq!(written(|w| w.moment(p::DTSTART, on)), "DTSTART;VALUE=DATE:20260309\r\n");
    let late = IcalTime::On(NaiveDate::MAX);
    assert_eq!(written(|w| w.moment(p::DTEND, late)), "DTEND;VALUE=DATE:99991231\r\n");
}

proptest! {
    #[test]
    fn any_text_is_one_well_folded_line(value in "\\PC{0,200}|[\\x00-\\x1f\\x7f-\\u{a0}\\u{2028}€😀a,;\\\\]{0,300}") {
        let line = text(&value);
        for physical in line.strip_suffix("\r\n").unwrap().split("\r\n") {
            prop_assert!(physical.len() <= 75);
            prop_assert!(!physical.is_empty());
        }
        let unfolded = line.replace("\r\n ", "");
        prop_assert_eq!(unfolded.matches("\r\n").count(), 1);
        prop_assert!(!unfolded.trim_end_matches("\r\n").chars().any(|c| c.is_control() && c != '\t'));
        // Every physical line was filled as far as whole characters go.
        let lengths: Vec<usize> = line.strip_suffix("\r\n").unwrap().split("\r\n").map(str::len).collect();
        prop_assert!(lengths[..lengths.len() - 1].iter().all(|length| *length >= 72));
    }
}
