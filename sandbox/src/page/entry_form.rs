//! The form of an entry: what stands in it, and what a person sent.

use chrono::{DateTime, Duration, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::html::escape;
use crate::store::{EntryEdit, StoredEntry};

/// The form's fields as text: as sent, or as they stand. Where the last day is asked for, it is included.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct EntryForm {
    pub(super) calendar: String,
    pub(super) week: String,
    pub(super) entry: String,
    pub(super) title: String,
    pub(super) location: String,
    pub(super) all_day: String,
    pub(super) first_day: String,
    pub(super) from: String,
    pub(super) last_day: String,
    pub(super) to: String,
}

impl EntryForm {
    /// An empty form for the next full hour if that is in the week of `monday`, else for its Monday at nine.
    pub(super) fn empty(monday: NaiveDate, now: DateTime<Utc>, zone: Tz) -> Self {
        let local = now.with_timezone(&zone).naive_local();
        let in_week = (monday..monday + Duration::days(7)).contains(&local.date());
        let (day, hour) =
            if in_week && local.hour() < 22 { (local.date(), local.hour() + 1) } else { (monday, 9) };
        Self {
            first_day: day.to_string(),
            last_day: day.to_string(),
            from: format!("{hour:02}:00"),
            to: format!("{:02}:00", hour + 1),
            ..Self::default()
        }
    }

    /// A form filled with what stands.
    pub(super) fn of(entry: &StoredEntry, zone: Tz) -> Self {
        let all_day = entry.start.when.is_day();
        let (start, end) = (entry.start.when.local(zone), entry.end.when.local(zone));
        let last_day = if all_day { end.date() - Duration::days(1) } else { end.date() };
        let time =
            |at: chrono::NaiveDateTime| if all_day { String::new() } else { at.format("%H:%M").to_string() };
        Self {
            entry: entry.id.clone(),
            title: entry.title().unwrap_or_default().into(),
            location: entry.location().unwrap_or_default().into(),
            all_day: if all_day { "on".into() } else { String::new() },
            first_day: start.date().to_string(),
            from: time(start),
            last_day: last_day.to_string(),
            to: time(end),
            ..Self::default()
        }
    }

    /// What the person wants.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub(super) fn wish(&self) -> Result<EntryEdit, String> {
        let day = |text: &str, name: &str| {
            text.parse::<NaiveDate>().map_err(|_| format!("Enter the {name} as a date."))
        };
        let first = day(&self.first_day, "first day")?;
        let last = if self.last_day.is_empty() { first } else { day(&self.last_day, "last day")? };
        let (starts_at, ends_at) = if self.all_day.is_empty() {
            if self.from.is_empty() || self.to.is_empty() {
                return Err("Enter both times, or select “All day”.".into());
            }
            (format!("{first}T{}", self.from), format!("{last}T{}", self.to))
        } else {
            (first.to_string(), (last + Duration::days(1)).to_string())
        };
        if starts_at >= ends_at {
            return Err("The end must be after the start.".into());
        }
        Ok(EntryEdit {
            title: Some(self.title.trim().into()),
            location: Some(self.location.trim().into()),
            starts_at: Some(starts_at),
            ends_at: Some(ends_at),
            ..EntryEdit::default()
        })
    }

    pub(super) fn inputs(&self) -> String {
        let checked = if self.all_day.is_empty() { "" } else { " checked" };
        format!(
            "<label>Title<input name=\"title\" value=\"{title}\" maxlength=\"1000\" autocomplete=\"off\"></label>\
             <label class=\"tick\"><input type=\"checkbox\" name=\"all_day\"{checked}> All day</label>\
             <div class=\"pair\"><label>First day<input type=\"date\" name=\"first_day\" value=\"{first}\" required></label>\
             <label class=\"time\">From<input type=\"time\" name=\"from\" value=\"{from}\"></label></div>\
             <div class=\"pair\"><label>Last day<input type=\"date\" name=\"last_day\" value=\"{last}\" required></label>\
             <label class=\"time\">To<input type=\"time\" name=\"to\" value=\"{to}\"></label></div>\
             <label>Place<input name=\"location\" value=\"{location}\" maxlength=\"1000\" autocomplete=\"off\"></label>",
            title = escape(&self.title),
            first = escape(&self.first_day),
            from = escape(&self.from),
            last = escape(&self.last_day),
            to = escape(&self.to),
            location = escape(&self.location),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(all_day: &str, first: &str, from: &str, last: &str, to: &str) -> EntryForm {
        let [all_day, first_day, from, last_day, to] = [all_day, first, from, last, to].map(String::from);
        EntryForm { all_day, first_day, from, last_day, to, ..EntryForm::default() }
    }

    #[test]
    fn entry_form_last_day_is_inclusive() {
        let wish = form("on", "2026-02-02", "", "2026-02-03", "").wish().unwrap();
        assert_eq!(wish.starts_at.as_deref(), Some("2026-02-02"));
        assert_eq!(wish.ends_at.as_deref(), Some("2026-02-04"));
    }

    #[test]
    fn what_cannot_be_is_said_in_a_sentence() {
        for wrong in [
            form("", "2026-02-02", "10:00", "2026-02-02", "10:00"),
            form("", "2026-02-02", "", "2026-02-02", "10:00"),
            form("on", "2026-02-02", "", "2026-02-01", ""),
            form("", "soon", "10:00", "2026-02-02", "11:00"),
        ] {
            assert!(wrong.wish().unwrap_err().ends_with('.'));
        }
    }
}
