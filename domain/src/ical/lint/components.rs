//! What belongs together: components, what each must hold, times and zones, UIDs, the method.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;

use super::{
    LintErrors, Rule,
    content::LintProperty,
    values::{date, date_time},
};

/// A component with what stands in it.
struct LintComponent<'c> {
    name: String,
    line: usize,
    properties: Vec<&'c LintProperty>,
    children: Vec<LintComponent<'c>>,
}

impl<'c> LintComponent<'c> {
    fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'c LintProperty> + 's {
        self.properties.iter().copied().filter(move |property| property.name == name)
    }

    fn first(&self, name: &str) -> Option<&'c LintProperty> {
        self.properties.iter().copied().find(|property| property.name == name)
    }
}

/// Checks the tree of components that the lines make up.
pub(super) fn check(lines: &[LintProperty], faults: &mut LintErrors) {
    let calendars = nest(lines, faults);
    if calendars.is_empty() {
        faults.add(1, Rule::Nesting, "there is no VCALENDAR");
    }
    for calendar in &calendars {
        check_calendar(calendar, faults);
    }
}

/// Whether a component may stand in `parent` (3.6); `None`: in nothing.
fn may_begin(name: &str, parent: Option<&str>) -> bool {
    match name {
        "VCALENDAR" => parent.is_none(),
        "VEVENT" | "VTODO" | "VJOURNAL" | "VFREEBUSY" | "VTIMEZONE" => parent == Some("VCALENDAR"),
        "VALARM" => matches!(parent, Some("VEVENT" | "VTODO")),
        "STANDARD" | "DAYLIGHT" => parent == Some("VTIMEZONE"),
        _ => parent.is_some(),
    }
}

fn nest<'c>(lines: &'c [LintProperty], faults: &mut LintErrors) -> Vec<LintComponent<'c>> {
    let mut done = Vec::new();
    let mut open: Vec<LintComponent<'c>> = Vec::new();
    for line in lines {
        match (line.name.as_str(), open.last_mut()) {
            ("BEGIN", _) => {
                let name = line.value.to_ascii_uppercase();
                if !may_begin(&name, open.last().map(|parent| parent.name.as_str())) {
                    faults.add(line.line, Rule::Nesting, format!("{name} may not begin here"));
                }
                open.push(LintComponent { name, line: line.line, properties: vec![], children: vec![] });
            }
            ("END", _) => match open.pop() {
                Some(component) if component.name.eq_ignore_ascii_case(&line.value) => {
                    match open.last_mut() {
                        Some(parent) => parent.children.push(component),
                        None => done.push(component),
                    }
                }
                Some(component) => {
                    faults.add(line.line, Rule::Nesting, format!("{} ends {}", line.value, component.name));
                    open.push(component);
                }
                None => faults.add(line.line, Rule::Nesting, format!("{} was not begun", line.value)),
            },
            (_, Some(component)) => {
                if component.name == "VCALENDAR" && !component.children.is_empty() {
                    let text = format!("{} of the calendar stands after a component", line.name);
                    faults.add(line.line, Rule::Nesting, text);
                }
                component.properties.push(line);
            }
            (_, None) => faults.add(line.line, Rule::Nesting, format!("{} is outside VCALENDAR", line.name)),
        }
    }
    for component in open {
        faults.add(component.line, Rule::Nesting, format!("{} does not end", component.name));
    }
    done
}

fn check_calendar(calendar: &LintComponent<'_>, faults: &mut LintErrors) {
    once(calendar, &["PRODID", "VERSION"], faults);
    at_most_once(calendar, &["CALSCALE", "METHOD", "REFRESH-INTERVAL"], faults);
    if let Some(version) = calendar.first("VERSION").filter(|version| version.value != "2.0") {
        faults.add(version.line, Rule::Version, format!("VERSION is {}", version.value));
    }
    let method = calendar.first("METHOD").map(|method| method.value.to_ascii_uppercase());
    let zones: BTreeSet<&str> = calendar
        .children
        .iter()
        .filter(|child| child.name == "VTIMEZONE")
        .filter_map(|child| child.first("TZID").map(|id| id.value.as_str()))
        .collect();
    let mut uids = BTreeSet::new();
    for child in &calendar.children {
        match child.name.as_str() {
            "VTIMEZONE" => check_zone(child, faults),
            "VEVENT" => check_event(child, method.as_deref(), &mut uids, faults),
            _ => {}
        }
        zones_exist(child, &zones, faults);
    }
}

fn once(component: &LintComponent<'_>, names: &[&str], faults: &mut LintErrors) {
    for name in names {
        if component.first(name).is_none() {
            faults.add(component.line, Rule::Missing, format!("{} has no {name}", component.name));
        }
    }
    at_most_once(component, names, faults);
}

fn at_most_once(component: &LintComponent<'_>, names: &[&str], faults: &mut LintErrors) {
    for name in names {
        if let Some(second) = component.all(name).nth(1) {
            faults.add(second.line, Rule::Repeated, format!("{name} stands twice in {}", component.name));
        }
    }
}

fn check_event<'c>(
    event: &LintComponent<'c>,
    method: Option<&str>,
    uids: &mut BTreeSet<(&'c str, &'c str)>,
    faults: &mut LintErrors,
) {
    once(event, &["UID", "DTSTAMP"], faults);
    at_most_once(
        event,
        &[
            "DTSTART",
            "DTEND",
            "DURATION",
            "CLASS",
            "CREATED",
            "DESCRIPTION",
            "GEO",
            "LAST-MODIFIED",
            "LOCATION",
            "ORGANIZER",
            "PRIORITY",
            "SEQUENCE",
            "STATUS",
            "SUMMARY",
            "TRANSP",
            "URL",
            "RECURRENCE-ID",
            "COLOR",
        ],
        faults,
    );
    if let Some(uid) = event.first("UID") {
        let instance = event.first("RECURRENCE-ID").map_or("", |id| id.value.as_str());
        if !uids.insert((&uid.value, instance)) {
            faults.add(uid.line, Rule::SameUid, format!("{} was there before", uid.value));
        }
    }
    if let Some(status) = event.first("STATUS")
        && !["TENTATIVE", "CONFIRMED", "CANCELLED"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(&status.value))
    {
        faults.add(status.line, Rule::Keyword, format!("{} is no STATUS of an event", status.value));
    }
    check_end(event, faults);
    check_method(event, method, faults);
    for alarm in event.children.iter().filter(|child| child.name == "VALARM") {
        once(alarm, &["ACTION", "TRIGGER"], faults);
    }
}

fn check_end(event: &LintComponent<'_>, faults: &mut LintErrors) {
    let Some(start) = event.first("DTSTART") else {
        faults.add(event.line, Rule::Missing, "VEVENT has no DTSTART");
        return;
    };
    let Some(end) = event.first("DTEND") else { return };
    if event.first("DURATION").is_some() {
        faults.add(end.line, Rule::End, "there are both DTEND and DURATION");
    }
    let (Some(starts), Some(ends)) = (comparable(start), comparable(end)) else { return };
    if starts.form != ends.form {
        // Times in two zones are of one type, though not compared here.
        let zones = [&starts.form, &ends.form].iter().all(|form| matches!(form, Form::Zoned(_)));
        if !zones {
            faults.add(end.line, Rule::End, "DTEND is of another type than DTSTART");
        }
    } else if ends.at <= starts.at {
        faults.add(end.line, Rule::End, "DTEND is not after DTSTART");
    }
}

struct ComparableTime {
    at: NaiveDateTime,
    form: Form,
}

#[derive(PartialEq)]
enum Form {
    Date,
    Utc,
    Floating,
    Zoned(String),
}

fn comparable(line: &LintProperty) -> Option<ComparableTime> {
    if line.value_type().as_deref() == Some("DATE") {
        return Some(ComparableTime { at: date(&line.value)?.into(), form: Form::Date });
    }
    let (at, utc) = date_time(&line.value)?;
    let form = match line.parameter("TZID") {
        _ if utc => Form::Utc,
        Some(zone) => Form::Zoned(zone.to_owned()),
        None => Form::Floating,
    };
    Some(ComparableTime { at, form })
}

/// RFC 5546, 3.2.1 (PUBLISH), 3.2.2 (REQUEST) and 3.2.5 (CANCEL).
fn check_method(event: &LintComponent<'_>, method: Option<&str>, faults: &mut LintErrors) {
    let (needed, forbidden): (&[&str], &[&str]) = match method {
        Some("PUBLISH") => (&[], &["ATTENDEE"]),
        Some("REQUEST") => (&["ORGANIZER", "ATTENDEE", "SUMMARY"], &[]),
        Some("CANCEL") => (&["ORGANIZER", "SEQUENCE"], &[]),
        Some("REPLY") => (&["ORGANIZER", "ATTENDEE"], &[]),
        _ => return,
    };
    for name in needed.iter().filter(|name| event.first(name).is_none()) {
        faults.add(event.line, Rule::Method, format!("{name} is missing for this METHOD"));
    }
    for line in forbidden.iter().filter_map(|name| event.first(name)) {
        faults.add(line.line, Rule::Method, format!("{} is not allowed for this METHOD", line.name));
    }
}

fn check_zone(zone: &LintComponent<'_>, faults: &mut LintErrors) {
    once(zone, &["TZID"], faults);
    if zone.children.is_empty() {
        faults.add(zone.line, Rule::Missing, "VTIMEZONE has neither STANDARD nor DAYLIGHT");
    }
    for part in &zone.children {
        once(part, &["DTSTART", "TZOFFSETFROM", "TZOFFSETTO"], faults);
    }
}

fn zones_exist(component: &LintComponent<'_>, zones: &BTreeSet<&str>, faults: &mut LintErrors) {
    for property in &component.properties {
        if let Some(zone) = property.parameter("TZID").filter(|zone| !zones.contains(zone)) {
            faults.add(property.line, Rule::Zone, format!("there is no VTIMEZONE {zone}"));
        }
    }
    for child in &component.children {
        zones_exist(child, zones, faults);
    }
}
