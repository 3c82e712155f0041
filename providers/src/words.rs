//! Ours and theirs in the text of an entry.
//!
//! People write below our words, or between them, and a later write of ours must leave that alone. So what we write
//! carries a mark of each of its lines; whatever else stands there when we write again is theirs, and stays.

use sha2::{Digest, Sha256};

/// Hexadecimal digits for a line. Two lines of one text that share them cost a person a line, once in sixteen millions.
const DIGITS: usize = 6;

/// The mark of no text, which is no line's: a mark that says nothing would not be kept.
const NOTHING: &str = "-";

/// Google's limit for the value of a private property, in characters.
const LONGEST_MARK: usize = 1_024;

/// The mark of a text of ours, to be kept beside it. `None`: it has more lines than a mark can hold.
pub(crate) fn mark(ours: &str) -> Option<String> {
    let mark: String = lines(ours).filter_map(fingerprint).collect();
    if mark.is_empty() {
        return Some(NOTHING.to_owned());
    }
    (mark.len() <= LONGEST_MARK).then_some(mark)
}

/// What the entry should say: `wanted`, and below it what people added to what stands there (`current`). `mark` is that of
/// the text that we wrote last; without one all of it counts as ours.
pub(crate) fn merged(current: &str, mark: Option<&str>, wanted: &str) -> String {
    let Some(mark) = mark else { return wanted.to_owned() };
    let new = self::mark(wanted).unwrap_or_default();
    let is_ours = |line: &str| {
        fingerprint(line).is_none_or(|one| [mark, new.as_str()].iter().any(|mark| is_among(mark, &one)))
    };
    let all: Vec<&str> = lines(current).collect();
    let Some(first) = all.iter().position(|line| !is_ours(line)) else { return wanted.to_owned() };
    // An empty line between theirs is theirs, too.
    let theirs: Vec<&str> =
        all[first..].iter().copied().filter(|line| fingerprint(line).is_none() || !is_ours(line)).collect();
    let theirs = theirs.join("\n");
    let theirs = theirs.trim_end();
    if wanted.is_empty() { theirs.to_owned() } else { format!("{wanted}\n\n{theirs}") }
}

/// Whether both say the same to who reads them.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    lines(one).filter_map(fingerprint).eq(lines(other).filter_map(fingerprint))
}

/// Calendars on the web turn ends of lines into HTML's.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.split("<br>")).flat_map(|line| line.split("<br/>")).map(str::trim)
}

/// `None` for a line that says nothing.
fn fingerprint(line: &str) -> Option<String> {
    let plain = without_tags(line);
    let said: Vec<&str> = plain.split_whitespace().collect();
    if said.is_empty() {
        return None;
    }
    let digest = Sha256::digest(said.join(" "));
    let hex: Vec<String> = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    Some(hex.concat())
}

fn is_among(mark: &str, one: &str) -> bool {
    mark.as_bytes().chunks(DIGITS).any(|chunk| chunk == one.as_bytes())
}

/// As it is read, whether it came as HTML or not.
fn without_tags(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        match after.split_once('>') {
            Some((tag, after)) if tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') => {
                rest = after;
            }
            _ => {
                plain.push('<');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    let entities =
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities
        .iter()
        .fold(plain, |text, (entity, character)| text.replace(entity, character))
        .replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "Reference: A-1\nCustomer: Maria <3 & co\nStatus: Pending";

    fn after(current: &str, wanted: &str) -> String {
        merged(current, mark(OURS).as_deref(), wanted)
    }

    #[test]
    fn what_people_added_stays_below_what_we_say_now() {
        let wanted = "Reference: A-1\nCustomer: Maria <3 & co\nStatus: Confirmed";
        assert_eq!(after(OURS, wanted), wanted);
        let below = format!("{OURS}\n\nBring towels.\n\nAnd a key.\n");
        assert_eq!(after(&below, wanted), format!("{wanted}\n\nBring towels.\n\nAnd a key."));
        let above = format!("Bring towels.\n{OURS}");
        assert_eq!(after(&above, wanted), format!("{wanted}\n\nBring towels."));
        // Once more, and nothing grows.
        let again = after(&below, wanted);
        assert_eq!(merged(&again, mark(wanted).as_deref(), wanted), again);
        assert_eq!(after(&below, ""), "Bring towels.\n\nAnd a key.");
    }

    #[test]
    fn a_line_of_ours_that_a_person_changed_is_theirs() {
        let changed = OURS.replace("Pending", "Pending, call her first");
        assert_eq!(after(&changed, OURS), format!("{OURS}\n\nStatus: Pending, call her first"));
    }

    #[test]
    fn ours_is_known_as_html_too() {
        let html = "Reference: A-1<br>Customer:&nbsp;Maria &lt;3 &amp; co<br/><b>Status: Pending</b><br><i>Towels</i>";
        assert_eq!(after(html, OURS), format!("{OURS}\n\n<i>Towels</i>"));
        assert!(says_the_same("a\r\nb\r\n", "a<br>b") && !says_the_same("a", "b"));
    }

    #[test]
    fn a_text_without_a_mark_is_ours() {
        assert_eq!(merged("anything", None, "new"), "new");
        let long: Vec<String> = (0..200).map(|line| format!("Stop {line}")).collect();
        assert_eq!(mark(&long.join("\n")), None);
        assert_eq!(merged("Towels", mark("").as_deref(), "new"), "new\n\nTowels");
    }
}
