//! What a person sees of an object in their calendar. Nothing of ours reads it here.

use icalendar::{
    Calendar, CalendarDateTime, Component, DatePerhapsTime,
    parser::{read_calendar, unfold},
};

/// An entry as its owner's application shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedObject {
    /// Where it stands at the server.
    pub path: String,
    pub title: String,
    pub description: String,
    pub location: String,
    /// RFC 3339 in UTC; a date for an entry of whole days; empty if the application cannot tell.
    pub starts_at: String,
    /// As `starts_at`; the first day that is not in it.
    pub ends_at: String,
    pub text: String,
}

/// The entries in the object at `path`.
pub(crate) fn seen(path: &str, object: &str) -> Vec<ObservedObject> {
    let text = unfold(object);
    let calendar: Calendar = read_calendar(&text).expect("a foreign reader reads it").into();
    let entry = |event: &icalendar::Event| ObservedObject {
        path: path.to_owned(),
        title: event.get_summary().unwrap_or_default().to_owned(),
        description: event.get_description().unwrap_or_default().to_owned(),
        location: event.property_value("LOCATION").map(unescape_text).unwrap_or_default(),
        starts_at: event.get_start().map(instant).unwrap_or_default(),
        ends_at: event.get_end().map(instant).unwrap_or_default(),
        text: object.to_owned(),
    };
    calendar.events().map(entry).collect()
}

fn instant(at: DatePerhapsTime) -> String {
    match at {
        DatePerhapsTime::Date(date) => date.to_string(),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(_)) => String::new(),
        DatePerhapsTime::DateTime(at) => {
            at.try_into_utc().map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
        }
    }
}

fn unescape_text(text: &str) -> String {
    text.replace("\\,", ",").replace("\\;", ";").replace("\\n", "\n").replace("\\\\", "\\")
}
