//! What stands beside the week: a form for a new entry, or the chosen entry with its history.

use std::fmt::Write;

use chrono_tz::Tz;

use super::entry_form::EntryForm;
use crate::html::escape;
use crate::store::{StoredEntry, StoredEntryAction};

/// The hidden fields that bring a form back to where it was.
pub(super) struct PanelContext<'a> {
    pub(super) action: &'a str,
    pub(super) calendar: &'a str,
    pub(super) week: &'a str,
}

impl PanelContext<'_> {
    fn hidden(&self) -> String {
        format!(
            "<input type=\"hidden\" name=\"calendar\" value=\"{}\"><input type=\"hidden\" name=\"week\" value=\"{}\">",
            escape(self.calendar),
            escape(self.week)
        )
    }
}

/// The form for a new entry.
pub(super) fn add(origin: &PanelContext<'_>, form: &EntryForm, error: Option<&str>) -> String {
    format!(
        "<h2>Add an entry</h2>{}<form method=\"post\" action=\"{}/add\">{}{}\
         <div class=\"actions\"><button class=\"primary\">Add entry</button></div></form>",
        error_line(error),
        origin.action,
        origin.hidden(),
        form.inputs()
    )
}

/// The chosen entry: change it, delete it, see what happened to it.
pub(super) fn edit(
    origin: &PanelContext<'_>,
    entry: &StoredEntry,
    form: &EntryForm,
    error: Option<&str>,
    close: &str,
    zone: Tz,
) -> String {
    let mut panel = format!(
        "<div class=\"head\"><h2>Edit entry</h2><a href=\"{close}\">Close</a></div>{}{}\
         <form method=\"post\" action=\"{action}/change\">{hidden}\
         <input type=\"hidden\" name=\"entry\" value=\"{id}\">{inputs}\
         <div class=\"actions\"><button class=\"primary\">Save changes</button>\
         <button formaction=\"{action}/duplicate\" formnovalidate>Duplicate</button>\
         <button class=\"danger\" formaction=\"{action}/delete\" formnovalidate>Delete entry</button></div></form>",
        error_line(error),
        recurring_note(entry),
        action = origin.action,
        hidden = origin.hidden(),
        id = escape(&entry.id),
        inputs = form.inputs(),
    );
    panel.push_str(&history(entry, zone));
    panel
}

/// The chosen entry in a calendar that may only be read, or after it was deleted.
pub(super) fn look(entry: &StoredEntry, close: &str, says: &str, zone: Tz) -> String {
    format!(
        "<div class=\"head\"><h2>{}</h2><a href=\"{close}\">Close</a></div><p class=\"quiet\">{says}</p>{}",
        escape(entry.title().unwrap_or("(No title)")),
        history(entry, zone)
    )
}

/// The chosen entry after it was deleted: it can be fetched back.
pub(super) fn restore(
    origin: &PanelContext<'_>,
    entry: &StoredEntry,
    error: Option<&str>,
    close: &str,
    zone: Tz,
) -> String {
    format!(
        "{}{}<form method=\"post\" action=\"{}/restore\">{}<input type=\"hidden\" name=\"entry\" value=\"{}\">\
         <div class=\"actions\"><button class=\"primary\">Restore entry</button></div></form>",
        error_line(error),
        look(entry, close, "This entry has been deleted.", zone),
        origin.action,
        origin.hidden(),
        escape(&entry.id),
    )
}

fn error_line(error: Option<&str>) -> String {
    error.map_or_else(String::new, |error| {
        format!("<p class=\"notice wrong\" role=\"alert\"><b>Not saved.</b> {}</p>", escape(error))
    })
}

fn recurring_note(entry: &StoredEntry) -> &'static str {
    match (&entry.occurrence_of, &entry.series) {
        (Some(_), _) => "<p class=\"quiet\">It repeats. Only this one occurrence is changed.</p>",
        (None, Some(_)) => "<p class=\"quiet\">It repeats. All occurrences are changed.</p>",
        (None, None) => "",
    }
}

fn history(entry: &StoredEntry, zone: Tz) -> String {
    let mut list = String::new();
    for change in entry.history.iter().rev() {
        let who = match change.action {
            StoredEntryAction::Insert => "Added by an application",
            StoredEntryAction::Update | StoredEntryAction::Patch => "Changed by an application",
            StoredEntryAction::Delete => "Deleted by an application",
            StoredEntryAction::PersonInsert => "Added by the person",
            StoredEntryAction::PersonPatch => "Changed by the person",
            StoredEntryAction::PersonDelete => "Deleted by the person",
            StoredEntryAction::PersonMove => "Moved to another calendar by the person",
        };
        let _infallible = write!(
            list,
            "<li>{who}<small>{}</small></li>",
            change.at.with_timezone(&zone).format("%-d %b %Y, %H:%M:%S")
        );
    }
    if list.is_empty() {
        return String::new();
    }
    format!("<h3>History</h3><ol class=\"history\">{list}</ol>")
}
