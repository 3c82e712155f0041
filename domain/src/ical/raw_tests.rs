use std::fs;

use proptest::prelude::*;

use super::{super::corpus_tests::corpus, *};

fn written(component: &RawComponent) -> String {
    let mut out = Vec::new();
    component.write(&mut out);
    String::from_utf8(out).unwrap()
}

/// With CR LF at each line's end, and without empty lines.
fn tidy(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').trim().split(['\r', '\n']);
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\r\n"]).collect()
}

const OBJECT: &str = "BEGIN:VCALENDAR\r\nX-A;B=\"c:d\";E=f,g:h\\,i\r\nbegin:vevent\r\nSUMMARY;LANGUAGE=en:Long\r\n  words\r\n\tof \
    theirs\r\nno colon\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nX-AFTER:1\r\nend:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn object_taken_apart_is_written_as_it_was() {
    let object = RawComponent::read(OBJECT).unwrap();
    assert_eq!(written(&object), OBJECT);
    let event = object.components().next().unwrap();
    assert!(event.is("VEVENT") && event.components().all(|one| one.is("VALARM")));
    let summary = event.line("summary").unwrap();
    assert_eq!((summary.text().as_str(), summary.parameter("Language")), ("Long wordsof theirs", Some("en")));
    assert_eq!(summary.head(), "SUMMARY;LANGUAGE=en:");
    assert_eq!(event.lines().count(), 3);
    assert_eq!(object.line("X-A").unwrap().value(), "h\\,i");
}

#[test]
fn line_ends_and_empty_lines_are_tidied() {
    let object = OBJECT.replace("\r\n", "\n").replace("X-AFTER", "\n\n\rX-AFTER");
    assert_eq!(written(&RawComponent::read(&format!("\u{feff}\n{object}\n\n")).unwrap()), OBJECT);
    // Not folded, but going on all the same (RFC 2045, 6.7).
    let encoded = "BEGIN:VCALENDAR\r\nNOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nb\r\nEND:VCALENDAR\r\n";
    let object = RawComponent::read(encoded).unwrap();
    assert_eq!((object.line("NOTE").unwrap().text().as_str(), written(&object).as_str()), ("ab", encoded));
}

#[test]
fn object_that_is_not_whole_is_not_taken_apart() {
    for broken in [
        "",
        "<html>",
        "SUMMARY:x",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VEVENT",
        "BEGIN:VCALENDAR",
        "END:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1",
        &"BEGIN:X\n".repeat(MAX_DEPTH + 1),
    ] {
        assert_eq!(RawComponent::read(broken), None, "{broken}");
    }
}

#[test]
fn trigger_says_how_many_minutes_before_the_start() {
    for (line, minutes) in [
        ("TRIGGER:-PT30M", Some(30)),
        ("TRIGGER;VALUE=DURATION:-P0DT0H30M0S", Some(30)),
        ("TRIGGER;RELATED=START:-PT1H", Some(60)),
        ("TRIGGER:-P1D", Some(1_440)),
        ("TRIGGER:-P1W", Some(10_080)),
        ("TRIGGER:-PT0M", Some(0)),
        ("TRIGGER:PT0S", Some(0)),
        ("TRIGGER:PT30M", None),
        ("TRIGGER:-PT30S", None),
        ("TRIGGER;RELATED=END:-PT30M", None),
        ("TRIGGER;VALUE=DATE-TIME:19760401T005545Z", None),
        ("TRIGGER:", None),
        ("TRIGGER", None),
    ] {
        assert_eq!(RawLine::new(line.to_owned()).minutes_before(), minutes, "{line}");
    }
}

#[test]
fn real_calendars_are_written_as_they_were() {
    let Some(folder) = corpus() else { return };
    let mut read = 0;
    let mut folders = vec![folder.join("ics")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if let Some(object) = RawComponent::read(&text) {
                assert_eq!(written(&object), tidy(&text), "{}", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 300, "{read}");
}

proptest! {
    #[test]
    fn new_line_is_folded_and_read_again(text in "X-[A-Z]{1,9}(;A=\"[a-z;:, ]{0,50}\")?:[ -~é予🛎]{0,300}[!-~]") {
        let mut object = RawComponent::read("BEGIN:VCALENDAR\nEND:VCALENDAR").unwrap();
        object.parts.push(RawPart::Line(RawLine::new(text.clone())));
        let out = written(&object);
        prop_assert!(out.lines().all(|line| line.len() <= MAX_LINE_OCTETS), "{}", out);
        let again = RawComponent::read(&out).unwrap();
        prop_assert_eq!(&again.lines().next().unwrap().unfolded, &text);
        prop_assert_eq!(again, object);
    }
}
