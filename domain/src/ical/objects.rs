//! Which components a calendar has, and which lines are whose (RFC 5545, 3.4 and 3.6).

use std::ops::Range;

use super::{
    limits::{ReadError, ReadLimits},
    property_line::PropertyLine,
    unfold::{LineKind, LineSlice},
};

/// A calendar object, or a component that stands outside of one.
#[derive(Debug, Default)]
pub(super) struct ObjectRanges {
    /// Whether it is an address book, which is no calendar.
    pub(super) is_card: bool,
    /// The line of its X-WR-TIMEZONE.
    pub(super) own_zone: Option<usize>,
    /// The line of its PRODID.
    pub(super) product: Option<usize>,
    pub(super) events: Vec<Range<usize>>,
    pub(super) zones: Vec<Range<usize>>,
}

/// Those of a file, and whether each component that was begun was ended.
#[derive(Debug)]
pub(super) struct ObjectIndex {
    pub(super) all: Vec<ObjectRanges>,
    pub(super) whole: bool,
}

/// One that was begun and not yet ended.
struct OpenComponent<'a> {
    name: &'a str,
    /// Its place among those of its kind.
    place: usize,
}

/// Finds the components. One that is not ended ends with the one around it.
pub(super) fn objects(lines: LineSlice<'_>, limits: &ReadLimits) -> Result<ObjectIndex, ReadError> {
    let mut found = ObjectIndex { all: Vec::new(), whole: true };
    let mut stack: Vec<OpenComponent<'_>> = Vec::new();
    let mut events = 0;
    for (index, line) in lines.iter().enumerate() {
        let name = if line.mark == LineKind::Property { "" } else { component_name(line.text) };
        match line.mark {
            LineKind::Begin => {
                if stack.is_empty() {
                    let is_card = name.eq_ignore_ascii_case("VCARD");
                    found.all.push(ObjectRanges { is_card, ..ObjectRanges::default() });
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
                stack.push(OpenComponent { name, place });
            }
            LineKind::End => {
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
            }
            LineKind::Property if stack.len() == 1 && starts_with(line.text, OWN_ZONE) => {
                if let Some(object) = found.all.last_mut() {
                    object.own_zone.get_or_insert(index);
                }
            }
            LineKind::Property if stack.len() == 1 && starts_with(line.text, PRODUCT) => {
                if let Some(object) = found.all.last_mut() {
                    object.product.get_or_insert(index);
                }
            }
            LineKind::Property => {}
        }
    }
    found.whole &= stack.is_empty();
    Ok(found)
}

impl ObjectRanges {
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
}

/// The property by which calendars name the zone that they are shown in.
const OWN_ZONE: &str = "X-WR-TIMEZONE";

/// The property by which a calendar names the program that wrote it.
const PRODUCT: &str = "PRODID";

fn is_event(name: &str) -> bool {
    name.eq_ignore_ascii_case("VEVENT")
}

fn starts_with(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// What stands behind BEGIN or END.
pub(super) fn component_name(line: &str) -> &str {
    line.split_once(':').map_or("", |(_, name)| name.trim_ascii())
}

/// The properties of a component, without those of the components within it.
pub(super) fn properties(lines: LineSlice<'_>) -> impl Iterator<Item = PropertyLine<'_>> {
    let mut depth = 0_usize;
    lines.iter().filter_map(move |line| match line.mark {
        LineKind::Begin => {
            depth += 1;
            None
        }
        LineKind::End => {
            depth = depth.saturating_sub(1);
            None
        }
        LineKind::Property if depth == 0 => PropertyLine::of(line),
        LineKind::Property => None,
    })
}

/// The components directly within one, by name, each with its lines.
pub(super) fn parts(lines: LineSlice<'_>) -> Vec<(&str, LineSlice<'_>)> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        match line.mark {
            LineKind::Begin => {
                if depth == 0 {
                    parts.push((component_name(line.text), index + 1..lines.len()));
                }
                depth += 1;
            }
            LineKind::End => {
                depth = depth.saturating_sub(1);
                if let (0, Some((_, part))) = (depth, parts.last_mut()) {
                    part.end = part.end.min(index);
                }
            }
            LineKind::Property => {}
        }
    }
    parts.into_iter().map(|(name, part)| (name, lines.part(part))).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::unfold::lines, *};

    fn of(text: &str, look: impl FnOnce(LineSlice<'_>, Result<ObjectIndex, ReadError>)) {
        let text = text.replace(' ', "\n");
        let limits = ReadLimits { events: 2, depth: 4, ..ReadLimits::default() };
        let lines = lines(text.as_bytes(), &limits, &mut Vec::new()).unwrap();
        look(lines.all(), objects(lines.all(), &limits));
    }

    fn names(lines: LineSlice<'_>) -> Vec<&str> {
        properties(lines).map(|content| content.name).collect()
    }

    #[test]
    fn what_is_within_another_is_not_its_own() {
        let text = "BEGIN:VCALENDAR A:1 BEGIN:VEVENT B:1 BEGIN:VALARM C:1 END:VALARM D:1 X-WR-TIMEZONE:no END:VEVENT \
                    begin:vtimezone E:1 end:vtimezone x-wr-timezone:yes END:VCALENDAR G:1";
        of(text, |lines, objects| {
            let objects = objects.unwrap();
            assert!(objects.whole);
            let [object] = &objects.all[..] else { panic!("{objects:?}") };
            assert_eq!(object.own_zone, Some(13));
            let event = lines.part(object.events[0].clone());
            assert_eq!(names(event), ["B", "D", "X-WR-TIMEZONE"]);
            assert_eq!(names(lines.part(object.zones[0].clone())), ["E"]);
            let parts = parts(event);
            assert_eq!((parts.len(), parts[0].0, names(parts[0].1)), (1, "VALARM", vec!["C"]));
        });
    }

    #[test]
    fn one_that_is_not_ended_ends_with_the_one_around_it() {
        for (text, own) in [
            ("BEGIN:VCALENDAR BEGIN:VEVENT A:1 END:VALARM B:1 END:VCALENDAR C:1", &["A", "B"][..]),
            ("BEGIN:VCALENDAR BEGIN:VEVENT A:1", &["A"]),
        ] {
            of(text, |lines, objects| {
                let objects = objects.unwrap();
                assert!(!objects.whole);
                assert_eq!(names(lines.part(objects.all[0].events[0].clone())), own);
            });
        }
    }

    #[test]
    fn too_many_and_too_deep_are_refused() {
        of(&"BEGIN:A ".repeat(9), |_, objects| {
            assert_eq!(objects.unwrap_err(), ReadError::TooDeep { line: 5, limit: 4 });
        });
        of(&"BEGIN:VEVENT END:VEVENT ".repeat(3), |_, objects| {
            assert_eq!(objects.unwrap_err(), ReadError::TooManyEvents { limit: 2 });
        });
    }
}
