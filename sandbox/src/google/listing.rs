//! Lists of events: whole, or what is new since a sync token; page by page.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::errors::GoogleApiError;
use super::list_query::EventListQuery;
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
    let page = reading.page();
    let view = GoogleEventView { account: &subscription.account, calendar: &calendar.info, base_url };
    let write = |shown: &ListedEvent<'_>| match shown {
        ListedEvent::Whole(entry) if query.sync.is_some() && entry.cancelled() => view.bare_tombstone(entry),
        _ => view.shown(shown),
    };
    let items: Vec<_> = page.items.iter().map(write).collect();
    let mut answer = list_body(calendar, subscription, &items);
    if let Some(next) = page.next {
        answer["nextPageToken"] = encode(&next).into();
    } else {
        // Only the last page says from where on something will be new.
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
    Ok(answer)
}

fn list_body(calendar: &StoredCalendar, subscription: &CalendarListItem, items: &[Value]) -> Value {
    let last = calendar.by_seq.last_key_value().and_then(|(_, id)| calendar.entries.get(id));
    let mut answer = json!({
        "kind": "calendar#events",
        "etag": etag(calendar.last_seq()),
        "summary": calendar.info.summary,
        "timeZone": calendar.info.zone.name(),
        "accessRole": subscription.role,
        "defaultReminders": if subscription.primary { json!([{ "method": "popup", "minutes": 10 }]) } else { json!([]) },
        "items": items,
    });
    if let Some(entry) = last {
        answer["updated"] = timestamp(entry.updated);
    }
    answer
}

struct EventListReader<'a, 'q> {
    calendar: &'a StoredCalendar,
    query: &'q EventListQuery,
    now: DateTime<Utc>,
}

impl<'a> EventListReader<'a, '_> {
    /// By the number of the last write. An entry that changes between two pages moves to the end and is met there, so
    /// no page needs to remember a snapshot.
    fn page(&self) -> EventListPage<'a> {
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

    /// What the query shows of one stored entry.
    fn shown(&self, entry: &'a StoredEntry) -> Vec<ListedEvent<'a>> {
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
        let whole = |is_shown: bool| is_shown.then_some(ListedEvent::Whole(entry)).into_iter().collect();
        if entry.series.is_none() {
            let expanded_with_its_series = self.query.single_events && entry.occurrence_of.is_some();
            let inside = window.meets((entry.start.when, entry.end.when), zone);
            return whole(inside && !expanded_with_its_series);
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
        whole(inside)
    }

    /// Deleted events show if they are asked for. A cancelled occurrence of a living series shows besides where the
    /// series is not expanded, since nothing else says that it is gone.
    fn is_visible(&self, shown: &ListedEvent<'_>) -> bool {
        if !shown.cancelled() || self.query.show_deleted {
            return true;
        }
        let master =
            shown.entry().occurrence_of.as_ref().and_then(|one| self.calendar.entries.get(&one.master));
        !self.query.single_events && master.is_some_and(|master| !master.cancelled())
    }
}
