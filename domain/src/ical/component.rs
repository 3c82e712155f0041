//! Which components a calendar has, and which lines are whose (RFC 5545, 3.4 and 3.6).

use std::ops::Range;

use super::{
    bytes::Line,
    calendar::{ReadError, ReadLimits},
    content::Content,
};

/// A calendar object, or a component that stands outside of one.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Itself.
    pub(super) lines: Range<usize>,
    pub(super) events: Vec<Range<usize>>,
    pub(super) zones: Vec<Range<usize>>,
}

/// Those of a file, and whether each component that was begun was ended.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) all: Vec<Object>,
    pub(super) whole: bool,
}

/// One that was begun and not yet ended.
struct Begun<'a> {
    name: &'a str,
    /// Its place among those of its kind.
    place: usize,
}

/// Finds the components. One that is not ended ends with the one around it.
pub(super) fn objects(lines: &[Line<'_>], limits: &ReadLimits) -> Result<Objects, ReadError> {
    let mut found = Objects { all: Vec::new(), whole: true };
    let mut stack: Vec<Begun<'_>> = Vec::new();
    let mut events = 0;
    for (index, line) in lines.iter().enumerate() {
        match mark(line) {
            Mark::Begin(name) => {
                if stack.is_empty() {
                    found.all.push(Object { lines: index..lines.len(), ..Object::default() });
                }
                if stack.len() >= limits.depth {
                    return Err(ReadError::TooDeep { line: line.number, limit: limits.depth });
                }
                events += usize::from(is_event(name));
                if events > limits.events {
                    return Err(ReadError::TooManyEvents { limit: limits.events });
                }
                let of_kind = found.all.last_mut().and_then(|object| object.of_kind(name));
                let place = of_kind.map_or(0, |spans| {
                    spans.push(index + 1..lines.len());
                    spans.len() - 1
                });
                stack.push(Begun { name, place });
            }
            Mark::End(name) => {
                let Some(depth) = stack.iter().rposition(|begun| begun.name.eq_ignore_ascii_case(name))
                else {
                    continue;
                };
                found.whole &= depth + 1 == stack.len();
                for ended in stack.drain(depth..) {
                    let of_kind = found.all.last_mut().and_then(|object| object.of_kind(ended.name));
                    if let Some(span) = of_kind.and_then(|spans| spans.get_mut(ended.place)) {
                        span.end = index;
                    }
                }
                if let (true, Some(object)) = (stack.is_empty(), found.all.last_mut()) {
                    object.lines.end = index;
                }
            }
            Mark::Neither => {}
        }
    }
    found.whole &= stack.is_empty();
    Ok(found)
}

impl Object {
    /// The list of the components of this name, if they are read.
    fn of_kind(&mut self, name: &str) -> Option<&mut Vec<Range<usize>>> {
        if is_event(name) {
            Some(&mut self.events)
        } else if name.eq_ignore_ascii_case("VTIMEZONE") {
            Some(&mut self.zones)
        } else {
            None
        }
    }

    /// An address book is no calendar.
    pub(super) fn is_card(&self, lines: &[Line<'_>]) -> bool {
        matches!(lines.get(self.lines.start).map(mark), Some(Mark::Begin(name)) if name.eq_ignore_ascii_case("VCARD"))
    }
}

fn is_event(name: &str) -> bool {
    name.eq_ignore_ascii_case("VEVENT")
}

/// The properties of a component, without those of the components within it.
pub(super) fn properties<'a>(lines: &'a [Line<'_>]) -> impl Iterator<Item = Content<'a>> {
    let mut depth = 0_usize;
    lines.iter().filter_map(move |line| match mark(line) {
        Mark::Begin(_) => {
            depth += 1;
            None
        }
        Mark::End(_) => {
            depth = depth.saturating_sub(1);
            None
        }
        Mark::Neither if depth == 0 => Content::of(line),
        Mark::Neither => None,
    })
}

/// The components directly within one, by name, each with its lines.
pub(super) fn parts<'a, 'b>(lines: &'a [Line<'b>]) -> Vec<(&'a str, &'a [Line<'b>])> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        match mark(line) {
            Mark::Begin(name) => {
                if depth == 0 {
                    parts.push((name, index + 1, lines.len()));
                }
                depth += 1;
            }
            Mark::End(_) => {
                depth = depth.saturating_sub(1);
                if let (0, Some(part)) = (depth, parts.last_mut()) {
                    part.2 = part.2.min(index);
                }
            }
            Mark::Neither => {}
        }
    }
    parts.into_iter().map(|(name, from, to)| (name, &lines[from..to])).collect()
}

enum Mark<'a> {
    Begin(&'a str),
    End(&'a str),
    Neither,
}

/// Whether a line begins or ends a component, and which.
fn mark<'a>(line: &'a Line<'_>) -> Mark<'a> {
    // Nearly every line is told by its first letters.
    if !matches!(
        line.text.trim_ascii_start().as_bytes(),
        [b'B' | b'b', b'E' | b'e', ..] | [b'E' | b'e', b'N' | b'n', ..]
    ) {
        return Mark::Neither;
    }
    match Content::of(line) {
        Some(content) if content.is("BEGIN") => Mark::Begin(content.value.trim_ascii()),
        Some(content) if content.is("END") => Mark::End(content.value.trim_ascii()),
        _ => Mark::Neither,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Vec<Line<'_>>, Result<Objects, ReadError>) {
        let limits = ReadLimits { events: 2, depth: 4, ..ReadLimits::default() };
        let lines: Vec<Line<'_>> = text
            .split_whitespace()
            .zip(1..)
            .map(|(text, number)| Line { text: text.into(), number })
            .collect();
        let objects = objects(&lines, &limits);
        (lines, objects)
    }

    fn names<'a>(lines: &'a [Line<'_>]) -> Vec<&'a str> {
        properties(lines).map(|content| content.name).collect()
    }

    #[test]
    fn what_is_within_another_is_not_its_own() {
        let (lines, objects) = of("BEGIN:VCALENDAR A:1 BEGIN:VEVENT B:1 BEGIN:VALARM C:1 END:VALARM D:1 \
                                   END:VEVENT begin:vtimezone E:1 end:vtimezone F:1 END:VCALENDAR G:1");
        let objects = objects.unwrap();
        assert!(objects.whole);
        let [object] = &objects.all[..] else { panic!("{objects:?}") };
        assert_eq!(names(&lines[object.lines.start + 1..object.lines.end]), ["A", "F"]);
        assert_eq!(names(&lines[object.events[0].clone()]), ["B", "D"]);
        assert_eq!(names(&lines[object.zones[0].clone()]), ["E"]);
        let parts = parts(&lines[object.events[0].clone()]);
        assert_eq!((parts.len(), parts[0].0, names(parts[0].1)), (1, "VALARM", vec!["C"]));
    }

    #[test]
    fn one_that_is_not_ended_ends_with_the_one_around_it() {
        let (lines, objects) = of("BEGIN:VCALENDAR BEGIN:VEVENT A:1 END:VALARM B:1 END:VCALENDAR C:1");
        let objects = objects.unwrap();
        assert!(!objects.whole);
        assert_eq!(names(&lines[objects.all[0].events[0].clone()]), ["A", "B"]);
        let (lines, objects) = of("BEGIN:VCALENDAR BEGIN:VEVENT A:1");
        let objects = objects.unwrap();
        assert!(!objects.whole);
        assert_eq!(names(&lines[objects.all[0].events[0].clone()]), ["A"]);
    }

    #[test]
    fn too_many_and_too_deep_are_refused() {
        assert_eq!(of(&"BEGIN:A ".repeat(9)).1.unwrap_err(), ReadError::TooDeep { line: 5, limit: 4 });
        assert_eq!(
            of(&"BEGIN:VEVENT END:VEVENT ".repeat(3)).1.unwrap_err(),
            ReadError::TooManyEvents { limit: 2 }
        );
    }
}
