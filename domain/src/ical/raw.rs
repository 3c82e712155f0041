//! An object as it is written: its components and their lines, each with its folds and parameters as they stand, so that
//! some of it can be changed and everything else be written again as it was. Only line ends are brought to CR LF, and
//! empty lines, which are none (RFC 5545, 3.1), left out.

use super::{
    objects::component_name,
    property_line::PropertyLine,
    unfold::{ContentLine, LineKind, is_quoted_printable, line_break_end, mark},
    values::EventDuration,
    writer::MAX_LINE_OCTETS,
};

/// Components within components, as many as are read (`ReadLimits`).
const MAX_DEPTH: usize = 32;

/// A content line, unfolded (RFC 5545, 3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawLine {
    unfolded: String,
    /// Its physical lines with CR LF between them, where it has several.
    folded: Option<String>,
}

/// What a component is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawPart {
    /// One that says something.
    Line(RawLine),
    /// A component within it.
    Component(RawComponent),
}

/// A component, with its parts in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawComponent {
    begin: RawLine,
    /// Between BEGIN and END.
    pub parts: Vec<RawPart>,
    end: RawLine,
}

impl RawLine {
    /// A new one, folded where it is too long. `text` has no line break.
    pub fn new(text: String) -> Self {
        if text.len() <= MAX_LINE_OCTETS {
            return Self { unfolded: text, folded: None };
        }
        let (first, mut rest) = text.split_at(text.floor_char_boundary(MAX_LINE_OCTETS));
        let mut folded = first.to_owned();
        while !rest.is_empty() {
            let (next, after) = rest.split_at(rest.floor_char_boundary(MAX_LINE_OCTETS - 1));
            folded.push_str("\r\n ");
            folded.push_str(next);
            rest = after;
        }
        Self { unfolded: text, folded: Some(folded) }
    }

    /// Its property's name, as it is written.
    pub fn name(&self) -> &str {
        self.content().map_or("", |content| content.name)
    }

    /// Whether it is a property of that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// All before its value: name, parameters and colon.
    pub fn head(&self) -> &str {
        &self.unfolded[..self.unfolded.len() - self.value().len()]
    }

    /// Its value as it is written, escapes and all.
    pub fn value(&self) -> &str {
        self.content().map_or("", |content| content.value)
    }

    /// Its value as TEXT (3.3.11).
    pub fn text(&self) -> String {
        self.content().map(|content| content.text()).unwrap_or_default()
    }

    /// The value of a parameter, without the quotes around it.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.content()?.parameter(name)
    }

    /// Of a TRIGGER (3.8.6.3): how many whole minutes before the start. `None`: it is at another moment.
    pub fn minutes_before(&self) -> Option<u64> {
        if self.parameter("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END")) {
            return None;
        }
        let value = self.value().trim_ascii();
        let before = value.strip_prefix('-');
        let EventDuration::Exact(days, rest) = EventDuration::of(before.unwrap_or(value))? else {
            return None;
        };
        let seconds = u64::try_from(rest.num_seconds()).ok()?.checked_add(days.checked_mul(86_400)?)?;
        (seconds.is_multiple_of(60) && (before.is_some() || seconds == 0)).then_some(seconds / 60)
    }

    pub(super) fn content(&self) -> Option<PropertyLine<'_>> {
        PropertyLine::of(ContentLine { text: &self.unfolded, number: 0, mark: LineKind::Property })
    }

    fn mark(&self) -> LineKind {
        mark(self.unfolded.as_bytes())
    }

    /// Takes up the next physical line, if that goes on with this one, as the reader sees it (`bytes.rs`).
    fn take(&mut self, physical: &str) -> bool {
        if let Some(more) = physical.strip_prefix([' ', '\t']) {
            self.fold(physical);
            self.unfolded.push_str(more);
        } else if self.unfolded.ends_with('=') && is_quoted_printable(self.unfolded.as_bytes()) {
            self.fold(physical);
            self.unfolded.pop();
            self.unfolded.push_str(physical);
        } else {
            return false;
        }
        true
    }

    fn fold(&mut self, physical: &str) {
        let folded = self.folded.get_or_insert_with(|| self.unfolded.clone());
        folded.push_str("\r\n");
        folded.push_str(physical);
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.folded.as_ref().unwrap_or(&self.unfolded).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl RawComponent {
    /// Takes an object apart. `None`: it is no single component whose parts are all ended where they should be.
    pub fn read(object: &str) -> Option<Self> {
        let (mut open, mut whole) = (Vec::<Self>::new(), None);
        for line in lines(object) {
            match line.mark() {
                LineKind::Begin if whole.is_some() || open.len() >= MAX_DEPTH => return None,
                LineKind::Begin => {
                    open.push(Self { begin: line, parts: Vec::new(), end: RawLine::default() });
                }
                LineKind::End => {
                    let ended = Self { end: line, ..open.pop()? };
                    if !component_name(&ended.end.unfolded).eq_ignore_ascii_case(ended.name()) {
                        return None;
                    }
                    match open.last_mut() {
                        Some(around) => around.parts.push(RawPart::Component(ended)),
                        None => whole = Some(ended),
                    }
                }
                LineKind::Property => open.last_mut()?.parts.push(RawPart::Line(line)),
            }
        }
        whole.filter(|_| open.is_empty())
    }

    /// Appends the component, its lines folded.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.begin.write(out);
        for part in &self.parts {
            match part {
                RawPart::Line(line) => line.write(out),
                RawPart::Component(component) => component.write(out),
            }
        }
        self.end.write(out);
    }

    /// Its name, as it is written.
    pub fn name(&self) -> &str {
        component_name(&self.begin.unfolded)
    }

    /// Whether it is one of that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// Its own lines, without those of components within it.
    pub fn lines(&self) -> impl Iterator<Item = &RawLine> {
        self.parts.iter().filter_map(|part| match part {
            RawPart::Line(line) => Some(line),
            RawPart::Component(_) => None,
        })
    }

    /// The first of its own lines of that name.
    pub fn line(&self, name: &str) -> Option<&RawLine> {
        self.lines().find(|line| line.is(name))
    }

    /// The components directly within it.
    pub fn components(&self) -> impl Iterator<Item = &Self> {
        self.parts.iter().filter_map(|part| match part {
            RawPart::Line(_) => None,
            RawPart::Component(component) => Some(component),
        })
    }
}

fn lines(object: &str) -> Vec<RawLine> {
    let mut rest = object.trim_start_matches('\u{feff}').trim();
    let mut lines: Vec<RawLine> = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let physical = &rest[..end];
        rest = &rest[line_break_end(rest.as_bytes(), end)..];
        // Some put an empty one between a line and its fold.
        if physical.is_empty() || lines.last_mut().is_some_and(|open| open.take(physical)) {
            continue;
        }
        lines.push(RawLine { unfolded: physical.to_owned(), folded: None });
    }
    lines
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
