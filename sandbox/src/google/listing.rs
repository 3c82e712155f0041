//! Lists of events: whole, selected, or what is new since a sync token; page by page.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::errors::GoogleApiError;
use super::list_query::{EventListQuery, EventOrder};
use super::resource::{GoogleEventView, etag, timestamp};
use super::sync_token::{GooglePageToken, GoogleSyncToken};
use crate::opaque::{encode, fingerprint};
use crate::store::{
    CalendarListItem, ListWindow, ListedEvent, StoredCalendar, StoredEntry, expand, vanished,
};

/// One page: what is shown, and where the next one starts.
struct EventListPage<'a> {
    items: Vec<ListedEvent<'a>>,
    next: Option<GooglePageToken>,
}

/// Answers `events.list`.
///
/// # Errors
/// 410 if the sync token is of another life of this calendar.
pub(crate) fn list(
    calendar: &StoredCalendar,
    subscription: &CalendarListItem,
    query: &EventListQuery,
    base_url: &str,
    now: DateTime<Utc>,
) -> Result<Value, GoogleApiError> {
    let last_seq = calendar.last_seq();
    if query.sync.as_ref().is_some_and(|sync| sync.seq > last_seq) {
        return Err(GoogleApiError::full_sync_required());
    }
    let reading = EventListReader { calendar, query, now };
    let page = match query.order {
        EventOrder::Updated => reading.page_by_change(),
        EventOrder::StartTime => reading.page_by_start(),
    };
    let zone = query.zone.unwrap_or(calendar.info.zone);
    let view = GoogleEventView { account: &subscription.account, calendar: &calendar.info, zone, base_url };
    let write = |shown: &ListedEvent<'_>| match shown {
        ListedEvent::Whole(entry) if query.sync.is_some() && entry.cancelled() => view.bare_tombstone(entry),
        _ => view.shown(shown),
    };
    let items: Vec<_> = page.items.iter().map(write).collect();
    let mut answer = list_body(calendar, subscription, &items);
    match page.next {
        Some(next) => answer["nextPageToken"] = encode(&next).into(),
        // Only the last page says from where on something will be new.
        None if query.can_sync => {
            let window = query.sync.as_ref().map_or(query.window, GoogleSyncToken::window);
            let token = GoogleSyncToken {
                of: fingerprint(&calendar.info.id),
                seq: last_seq,
                parameters: query.kept.clone(),
                from: window.from,
                to: window.to,
            };
            answer["nextSyncToken"] = encode(&token).into();
        }
        None => {}
    }
    Ok(answer)
}

/// Answers `events.instances`: all occurrences of one recurring event, changed ones included.
///
/// # Errors
/// 404 if there is no such event, or it is not a recurring one.
pub(crate) fn instances(
    calendar: &StoredCalendar,
    subscription: &CalendarListItem,
    id: &str,
    query: &EventListQuery,
    base_url: &str,
    now: DateTime<Utc>,
) -> Result<Value, GoogleApiError> {
    let master = calendar.entries.get(id).filter(|entry| entry.series.is_some() && !entry.cancelled());
    let master = master.ok_or_else(GoogleApiError::not_found)?;
    let mut all = expand(calendar, master, query.window, now);
    all.retain(|shown| query.show_deleted || !shown.cancelled());
    all.sort_by_key(|shown| shown.span().0.instant(calendar.info.zone));
    let page = paginate(all, query);
    let zone = query.zone.unwrap_or(calendar.info.zone);
    let view = GoogleEventView { account: &subscription.account, calendar: &calendar.info, zone, base_url };
    let items: Vec<_> = page.items.iter().map(|shown| view.shown(shown)).collect();
    let mut answer = list_body(calendar, subscription, &items);
    if let Some(next) = page.next {
        answer["nextPageToken"] = encode(&next).into();
    }
    Ok(answer)
}

fn list_body(calendar: &StoredCalendar, subscription: &CalendarListItem, items: &[Value]) -> Value {
    let last = calendar.by_seq.last_key_value().and_then(|(_, id)| calendar.entries.get(id));
    let mut answer = json!({
        "kind": "calendar#events",
        "etag": etag(calendar.last_seq()),
        "summary": calendar.info.summary,
        "timeZone": calendar.info.zone.name(),
        "accessRole": subscription.role.as_str(),
        "defaultReminders": if subscription.primary { json!([{ "method": "popup", "minutes": 10 }]) } else { json!([]) },
        "items": items,
    });
    if let Some(entry) = last {
        answer["updated"] = timestamp(entry.updated);
    }
    answer
}

/// A sorted list, cut into pages by place.
fn paginate<'a>(all: Vec<ListedEvent<'a>>, query: &EventListQuery) -> EventListPage<'a> {
    let from = query.page.as_ref().map_or(0, |page| usize::try_from(page.from).unwrap_or(usize::MAX));
    let end = from.saturating_add(query.max_results);
    let next = (all.len() > end).then(|| GooglePageToken {
        from: end as u64,
        index: 0,
        parameters: query.parameters.clone(),
    });
    EventListPage { items: all.into_iter().skip(from).take(query.max_results).collect(), next }
}

struct EventListReader<'a, 'q> {
    calendar: &'a StoredCalendar,
    query: &'q EventListQuery,
    now: DateTime<Utc>,
}

impl<'a> EventListReader<'a, '_> {
    /// By the number of the last write. An entry that changes between two pages moves to the end and is met there, so
    /// no page needs to remember a snapshot.
    fn page_by_change(&self) -> EventListPage<'a> {
        let since = self.query.sync.as_ref().map_or(0, |sync| sync.seq + 1);
        let (from, skip) = self.query.page.as_ref().map_or((since, 0), |page| (page.from, page.index));
        let mut items = Vec::new();
        for (seq, id) in self.calendar.by_seq.range(from..) {
            let Some(entry) = self.calendar.entries.get(id) else { continue };
            let skipped = if *seq == from { skip } else { 0 };
            for (index, shown) in self.shown(entry).into_iter().enumerate().skip(skipped) {
                if items.len() == self.query.max_results {
                    let parameters = self.query.parameters.clone();
                    return EventListPage {
                        items,
                        next: Some(GooglePageToken { from: *seq, index, parameters }),
                    };
                }
                items.push(shown);
            }
        }
        EventListPage { items, next: None }
    }

    fn page_by_start(&self) -> EventListPage<'a> {
        let zone = self.calendar.info.zone;
        let mut all: Vec<_> = self.calendar.entries.values().flat_map(|entry| self.shown(entry)).collect();
        all.sort_by_cached_key(|shown| (shown.span().0.instant(zone), shown.id()));
        paginate(all, self.query)
    }

    /// What the query shows of one stored entry.
    fn shown(&self, entry: &'a StoredEntry) -> Vec<ListedEvent<'a>> {
        if !self.is_selected(entry) {
            return Vec::new();
        }
        let mut shown = match &self.query.sync {
            Some(sync) => self.shown_as_new(entry, sync.window()),
            None => self.shown_in_full(entry),
        };
        if self.query.sync.is_none() {
            shown.retain(|one| self.is_visible(one));
        }
        shown
    }

    fn shown_as_new(&self, entry: &'a StoredEntry, window: ListWindow) -> Vec<ListedEvent<'a>> {
        if !self.query.single_events || entry.recurrence.is_empty() && entry.former.is_empty() {
            return vec![ListedEvent::Whole(entry)];
        }
        let mut shown = vanished(self.calendar, entry, window, self.now);
        if entry.cancelled() {
            return shown;
        }
        if entry.series.is_some() {
            shown.extend(expand(self.calendar, entry, window, self.now));
        } else {
            shown.push(ListedEvent::Whole(entry));
        }
        shown
    }

    fn shown_in_full(&self, entry: &'a StoredEntry) -> Vec<ListedEvent<'a>> {
        let zone = self.calendar.info.zone;
        let window = self.query.window;
        if entry.series.is_none() {
            let expanded_with_its_series = self.query.single_events && entry.occurrence_of.is_some();
            let inside = window.meets((entry.start.when, entry.end.when), zone);
            return if inside && !expanded_with_its_series {
                vec![ListedEvent::Whole(entry)]
            } else {
                Vec::new()
            };
        }
        if self.query.single_events {
            return if entry.cancelled() {
                Vec::new()
            } else {
                expand(self.calendar, entry, window, self.now)
            };
        }
        let bounded = window.from.is_some() || window.to.is_some();
        let inside = !bounded || !expand(self.calendar, entry, window, self.now).is_empty();
        if inside { vec![ListedEvent::Whole(entry)] } else { Vec::new() }
    }

    /// Deleted events show if they are asked for. A cancelled occurrence of a living series shows besides where the
    /// series is not expanded, since nothing else says that it is gone.
    fn is_visible(&self, shown: &ListedEvent<'_>) -> bool {
        if !shown.cancelled() || self.query.show_deleted || self.query.updated_min.is_some() {
            return true;
        }
        let master =
            shown.entry().occurrence_of.as_ref().and_then(|one| self.calendar.entries.get(&one.master));
        !self.query.single_events && master.is_some_and(|master| !master.cancelled())
    }

    fn is_selected(&self, entry: &StoredEntry) -> bool {
        let query = self.query;
        let has = |kind: &str, wanted: &[(String, String)]| {
            let properties = entry.fields.get("extendedProperties").and_then(|all| all.get(kind));
            wanted.iter().all(|(name, value)| properties.and_then(|all| all[name].as_str()) == Some(value))
        };
        query.updated_min.is_none_or(|least| entry.updated >= least)
            && query.ical_uid.as_deref().is_none_or(|uid| uid == entry.ical_uid)
            && has("private", &query.private)
            && has("shared", &query.shared)
            && query.text.as_deref().is_none_or(|text| mentions(entry, text))
    }
}

/// Whether title, description, place or a guest holds `text`, which is in lower case.
fn mentions(entry: &StoredEntry, text: &str) -> bool {
    let holds = |value: &Value| value.as_str().is_some_and(|value| value.to_lowercase().contains(text));
    let of_guest = |guest: &Value| holds(&guest["email"]) || holds(&guest["displayName"]);
    ["summary", "description", "location"].iter().any(|name| entry.fields.get(*name).is_some_and(holds))
        || entry.fields.get("attendees").and_then(Value::as_array).is_some_and(|all| all.iter().any(of_guest))
}
