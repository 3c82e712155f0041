//! Lines as they come: any line end, charset and fold, and too much of anything.

use super::*;

fn read(bytes: &[u8]) -> (Vec<(u32, String)>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let plain = plain(bytes);
    let lines = lines(&plain, &ReadLimits::default(), &mut warnings).unwrap();
    (lines.all().iter().map(|line| (line.number, line.text.to_owned())).collect(), warnings)
}

fn text(bytes: &[u8]) -> String {
    read(bytes).0.into_iter().map(|(_, line)| line + "\n").collect()
}

#[test]
fn any_line_end_ends_a_line_and_any_fold_is_undone() {
    for mixed in [
        "A:1\r\nB:2\r\n",
        "A:1\nB:2",
        "A:1\rB:2\r",
        "A:1\r\r\nB:2\r\r\n",
        "A:\r\n 1\n\nB:\n\t2\n",
        "A:\r\n\r\n 1\nB:2",
    ] {
        assert_eq!(text(mixed.as_bytes()), "A:1\nB:2\n", "{mixed:?}");
    }
}

#[test]
fn any_charset_becomes_utf_8() {
    let utf16: Vec<u8> = "\u{feff}BEGIN:Ä€".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bare: Vec<u8> = "BEGIN:Ä€".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&utf16[..], &bare, "\u{feff}BEGIN:Ä€".as_bytes(), b"BEGIN:\xC4\x80"] {
        let read = text(bytes);
        assert!(read == "BEGIN:Ä€\n" || read == "BEGIN:Ā\n", "{read}");
    }
}

#[test]
fn latin_1_is_read_and_told() {
    let (lines, warnings) = read(b"A:1\nB:Caf\xE9 \x80 5\n");
    assert_eq!(lines[1].1, "B:Café € 5");
    assert_eq!(warnings[0].line, 2);
}

#[test]
fn a_character_cut_by_a_fold_is_whole_again() {
    assert_eq!(text(b"A:Caf\xC3\r\n \xA9\r\n"), "A:Café\n");
}

#[test]
fn control_characters_are_gone() {
    assert_eq!(text(b"A:\0one\x07 two\tthree\x7F\n"), "A:one two\tthree\n");
}

#[test]
fn a_line_knows_where_it_began() {
    let (lines, _) = read(b"BEGIN:A\nX:1\n 2\n\nDTSTART;A=B:3\nEND:A\n");
    assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 5, 6]);
}

#[test]
fn a_line_that_begins_or_ends_a_component_is_marked() {
    for (line, mark) in [
        ("BEGIN:VEVENT", LineKind::Begin),
        ("begin :VEVENT", LineKind::Begin),
        (" End;X=1:VEVENT", LineKind::End),
        ("BEGINNING:1", LineKind::Property),
        ("ENDLESS", LineKind::Property),
        ("END", LineKind::Property),
    ] {
        assert_eq!(super::mark(line.as_bytes()), mark, "{line}");
    }
}

#[test]
fn a_soft_break_of_quoted_printable_is_no_end() {
    assert_eq!(
        text(b"A;ENCODING=QUOTED-PRINTABLE:one=\r\ntwo=\nthree\nB:x=\nC:1\n"),
        "A;ENCODING=QUOTED-PRINTABLE:onetwothree\nB:x=\nC:1\n"
    );
}

#[test]
fn a_line_that_stands_as_it_should_is_not_copied() {
    let lines = lines(b"A:1\r\nB:2\r\n 3\r\n", &ReadLimits::default(), &mut Vec::new()).unwrap();
    assert_eq!(lines.made, "B:23");
}

#[test]
fn what_is_too_much_is_refused_before_it_is_parsed() {
    let limits = ReadLimits { values: 10, lines: 60, line: 20, ..ReadLimits::default() };
    let read = |text: &str| lines(text.as_bytes(), &limits, &mut Vec::new()).map(|_| ()).unwrap_err();
    assert_eq!(read("EXDATE:,,,,,,,,,,,"), ReadError::TooManyValues { limit: 10 });
    assert_eq!(read(&"A:1\n".repeat(61)), ReadError::TooManyLines { limit: 60 });
    let mut warnings = Vec::new();
    let rest = lines(b"ATTACH:AAAAAAAAAAAAAAAAAAAAA\nA:1\n", &limits, &mut warnings).unwrap();
    let rest: Vec<&str> = rest.all().iter().map(|line| line.text).collect();
    assert_eq!((rest, warnings.len()), (vec!["A:1"], 1));
}
