//! Change tracking of a calendar view (<https://learn.microsoft.com/en-us/graph/delta-query-events>).
//!
//! The window is fixed in the token. The last page of a round carries a delta link, each other one a next link; both are
//! opaque. What is removed, or has left the window, carries `@removed`. The same item may come twice.
//!
//! A series changes as one: whatever happens to it or to one of its occurrences, its master is told with the occurrences
//! that it has now. Those that it has no more are named by nothing, nor those of a series that is removed (reported, and
//! worse than documented).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::GraphApiError;
use super::odata::{DEFAULT_PAGE, LARGEST_PAGE};
use super::resource::GraphEventView;
use crate::opaque::{decode, encode, fingerprint};
use crate::store::{ListWindow, ListedEvent, StoredCalendar, StoredEntry, expand};

/// Where a round stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeltaToken {
    /// The calendar that it was given out for.
    #[serde(rename = "c")]
    calendar: String,
    #[serde(rename = "f")]
    from: DateTime<Utc>,
    #[serde(rename = "t")]
    to: DateTime<Utc>,
    /// The number of the last write that has been seen; none in the first round.
    #[serde(rename = "s")]
    seen: Option<u64>,
    /// The write and the item of it with which the page starts.
    #[serde(rename = "p")]
    place: Option<(u64, usize)>,
}

impl DeltaToken {
    /// The start of a first round.
    pub(crate) fn first(calendar: &str, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { calendar: fingerprint(calendar), from, to, seen: None, place: None }
    }

    /// Reads the token of a link.
    ///
    /// # Errors
    /// 410 if it is not one of this calendar.
    pub(crate) fn read(token: &str, calendar: &StoredCalendar) -> Result<Self, GraphApiError> {
        let gone = || GraphApiError::sync_state_expired(false);
        let state: Self = decode(token).ok_or_else(gone)?;
        let is_of_this_life = state.seen.is_none_or(|seen| seen <= calendar.last_seq());
        if state.calendar != fingerprint(&calendar.info.id) || !is_of_this_life {
            return Err(gone());
        }
        Ok(state)
    }
}

/// Answers one page. `address` is that of the request, without its query.
pub(crate) fn page(
    calendar: &StoredCalendar,
    view: GraphEventView<'_>,
    state: &DeltaToken,
    address: &str,
    now: DateTime<Utc>,
) -> Value {
    let reading = DeltaReader { calendar, view, state, now };
    let size = view.prefer.page_size.unwrap_or(DEFAULT_PAGE).min(LARGEST_PAGE);
    let (items, next) = reading.page(size);
    let (name, token, seen) = if next.is_some() {
        ("@odata.nextLink", "$skiptoken", state.seen)
    } else {
        ("@odata.deltaLink", "$deltatoken", Some(calendar.last_seq()))
    };
    let state = DeltaToken { seen, place: next, ..state.clone() };
    let mut page =
        json!({ "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(event)" });
    page["value"] = items.into();
    page[name] = format!("{address}?{token}={}", encode(&state)).into();
    page
}

struct DeltaReader<'a> {
    calendar: &'a StoredCalendar,
    view: GraphEventView<'a>,
    state: &'a DeltaToken,
    now: DateTime<Utc>,
}

impl DeltaReader<'_> {
    /// By the number of the last write. An entry that changes between two pages moves to the end and is met there, so
    /// no page needs to remember a snapshot.
    fn page(&self, size: usize) -> (Vec<Value>, Option<(u64, usize)>) {
        let since = self.state.seen.map_or(0, |seen| seen + 1);
        let (from, skip) = self.state.place.unwrap_or((since, 0));
        let mut items = Vec::new();
        let mut last = None;
        for (seq, id) in self.calendar.by_seq.range(from..) {
            let Some(entry) = self.calendar.entries.get(id) else { continue };
            let skipped = if *seq == from { skip } else { 0 };
            for (index, item) in self.items(entry).into_iter().enumerate().skip(skipped) {
                if items.len() == size {
                    let next = (*seq, index);
                    // "Expect duplicates": every third page starts with the last item of the one before.
                    let again = last.filter(|_| size > 1 && (seq + index as u64).is_multiple_of(3));
                    return (items, Some(again.unwrap_or(next)));
                }
                last = Some((*seq, index));
                items.push(item);
            }
        }
        (items, None)
    }

    fn items(&self, entry: &StoredEntry) -> Vec<Value> {
        if self.state.seen.is_none() { self.standing(entry) } else { self.changed(entry) }
    }

    /// What there is to tell of one stored entry. Changed occurrences come with their series.
    fn standing(&self, entry: &StoredEntry) -> Vec<Value> {
        if entry.cancelled() || entry.occurrence_of.is_some() {
            return Vec::new();
        }
        if entry.series.is_some() {
            let occurrences = self.occurrences(entry);
            // Outside of the window a series is not told at all.
            let master = (!occurrences.is_empty()).then(|| self.view.event(entry));
            return master.into_iter().chain(occurrences).collect();
        }
        if self.is_inside(entry) { vec![self.view.event(entry)] } else { Vec::new() }
    }

    /// What a later round tells of an entry that was written since. Occurrences come with their series.
    fn changed(&self, entry: &StoredEntry) -> Vec<Value> {
        let mut items = Vec::new();
        if entry.occurrence_of.is_some() {
            return items;
        }
        // Put elsewhere and back, it has another id of the kind that changes.
        if entry.moves > 0 && !self.view.prefer.immutable_ids && !entry.cancelled() {
            items.push(self.view.removed(&entry.id, entry.moves - 1));
        }
        let told = self.standing(entry);
        if told.is_empty() {
            items.push(self.view.removed(&entry.id, entry.moves));
        }
        items.extend(told);
        items
    }

    fn occurrences(&self, master: &StoredEntry) -> Vec<Value> {
        let all = expand(self.calendar, master, self.window(), self.now);
        all.iter()
            .filter(|shown| !shown.cancelled())
            .map(|shown| match shown {
                ListedEvent::Occurrence { .. } => self.view.bare_occurrence(&shown.materialized()),
                _ => self.view.event(&shown.materialized()),
            })
            .collect()
    }

    fn is_inside(&self, entry: &StoredEntry) -> bool {
        self.window().meets((entry.start.when, entry.end.when), self.calendar.info.zone)
    }

    fn window(&self) -> ListWindow {
        ListWindow { from: Some(self.state.from), to: Some(self.state.to) }
    }
}
