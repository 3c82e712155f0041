//! Ours and theirs in the text of an entry.
//!
//! People write below our words, or between them, and a later write of ours must leave that alone. So what we write
//! carries a mark of each of its lines; whatever else stands there when we write again is theirs, and stays.

use std::ops::Range;

use concord_domain::hex;
use sha2::{Digest, Sha256};

/// Hexadecimal digits for a line. Two lines of one text that share them cost a person a line, once in sixteen millions.
const HASH_DIGITS: usize = 6;

/// The mark of no text, which is no line's: a mark that says nothing would not be kept.
const EMPTY_MARK: &str = "-";

/// Google's limit for the value of a private property, in characters.
const MAX_MARK_LEN: usize = 1_024;

/// Before the mark of a text of too many lines for that: how many say something, and one digest of all of them.
const DIGEST_PREFIX: &str = "=";

/// The mark of a text of ours, to be kept beside it.
pub(crate) fn mark(ours: &str) -> String {
    let lines: Vec<String> = lines(ours).filter_map(fingerprint).collect();
    match lines.concat() {
        mark if mark.is_empty() => EMPTY_MARK.to_owned(),
        mark if mark.len() <= MAX_MARK_LEN => mark,
        mark => format!("{DIGEST_PREFIX}{}:{}", lines.len(), digest(&mark)),
    }
}

/// What the entry should say: `wanted`, and below it what people added to what stands there (`current`). `mark` is that of
/// the text that we wrote last. Without one, as a release before the marks left it, all of it counts as ours, unless
/// `wanted` stands there already and the rest was added to it.
pub(crate) fn merged(current: &str, mark: Option<&str>, wanted: &str) -> String {
    let all: Vec<&str> = lines(current).collect();
    let said: Vec<Option<String>> = all.iter().map(|line| fingerprint(line)).collect();
    let new: Vec<String> = lines(wanted).filter_map(fingerprint).collect();
    let whole =
        mark.and_then(|mark| mark.strip_prefix(DIGEST_PREFIX)).and_then(|whole| whole.split_once(':'));
    let run = match (mark, whole) {
        (None, _) if new.is_empty() => None,
        (None, _) => run_of(&said, new.len(), &digest(&new.concat())),
        (Some(_), Some((count, digest))) => {
            count.parse().ok().and_then(|count| run_of(&said, count, digest)).or(Some(0..0))
        }
        (Some(_), None) => Some(0..0),
    };
    let Some(run) = run else { return wanted.to_owned() };
    let each = mark.filter(|_| whole.is_none()).unwrap_or_default();
    let is_ours =
        |at: usize, one: &String| run.contains(&at) || new.contains(one) || mark_contains(each, one);
    let is_theirs = |at: &usize| said[*at].as_ref().is_some_and(|one| !is_ours(*at, one));
    let Some(first) = (0..all.len()).find(is_theirs) else { return wanted.to_owned() };
    // An empty line between theirs is theirs, too.
    let theirs = (first..all.len()).filter(|at| said[*at].is_none() || is_theirs(at));
    let theirs: Vec<&str> = theirs.map(|at| all[at]).collect();
    let theirs = theirs.join("\n");
    let theirs = theirs.trim_end();
    if wanted.is_empty() { theirs.to_owned() } else { format!("{wanted}\n\n{theirs}") }
}

/// The range of `count` consecutive non-blank lines with this digest.
fn run_of(said: &[Option<String>], count: usize, wanted: &str) -> Option<Range<usize>> {
    let lines: Vec<(usize, &str)> =
        said.iter().enumerate().filter_map(|(at, one)| Some((at, one.as_deref()?))).collect();
    lines.windows(count.max(1)).find_map(|run| {
        let text: String = run.iter().map(|(_, one)| *one).collect();
        (digest(&text) == wanted).then_some(run.first()?.0..run.last()?.0 + 1)
    })
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

/// Whether both say the same to who reads them.
pub(crate) fn is_same_text(one: &str, other: &str) -> bool {
    lines(one).filter_map(fingerprint).eq(lines(other).filter_map(fingerprint))
}

/// Calendars on the web turn ends of lines into HTML's.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.split("<br>")).flat_map(|line| line.split("<br/>")).map(str::trim)
}

/// `None` for a line that says nothing.
fn fingerprint(line: &str) -> Option<String> {
    let plain = strip_tags(line);
    let said: Vec<&str> = plain.split_whitespace().collect();
    if said.is_empty() {
        return None;
    }
    Some(hex(&Sha256::digest(said.join(" "))[..HASH_DIGITS / 2]))
}

fn mark_contains(mark: &str, one: &str) -> bool {
    mark.as_bytes().chunks(HASH_DIGITS).any(|chunk| chunk == one.as_bytes())
}

/// As it is read, whether it came as HTML or not.
fn strip_tags(line: &str) -> String {
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
        merged(current, Some(&mark(OURS)), wanted)
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
        assert_eq!(merged(&again, Some(&mark(wanted)), wanted), again);
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
        assert!(is_same_text("a\r\nb\r\n", "a<br>b") && !is_same_text("a", "b"));
    }

    #[test]
    fn a_text_without_a_mark_is_ours() {
        assert_eq!(merged("anything", None, "new"), "new");
        assert_eq!(merged("anything", None, ""), "");
        assert_eq!(merged("Towels", Some(&mark("")), "new"), "new\n\nTowels");
    }

    #[test]
    fn text_beside_ours_is_theirs_without_a_mark() {
        let added = format!("{OURS}\n\nBring towels.");
        assert_eq!(merged(&added, None, OURS), added);
        assert_eq!(merged(&OURS.replace("A-1", "A-2"), None, OURS), OURS);
    }

    #[test]
    fn words_beside_a_text_of_very_many_lines_stay() {
        let long = |of: &str| (0..200).map(|line| format!("Stop {line} {of}")).collect::<Vec<_>>().join("\n");
        let (before, now) = (long("before"), long("now"));
        let mark = mark(&before);
        assert!(mark.len() <= MAX_MARK_LEN);
        assert_eq!(merged(&before, Some(&mark), &now), now);
        let below = format!("{before}\n\nBring towels.");
        assert_eq!(merged(&below, Some(&mark), &now), format!("{now}\n\nBring towels."));
        let above = format!("Bring towels.\n{before}");
        assert_eq!(merged(&above, Some(&mark), &now), format!("{now}\n\nBring towels."));
        // Changed in between, nobody knows which lines are whose: none is lost.
        let between = before.replace("Stop 7 before", "Stop 7 before, ring twice");
        assert!(merged(&between, Some(&mark), &now).contains("ring twice"));
    }
}
