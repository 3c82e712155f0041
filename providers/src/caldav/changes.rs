//! What a calendar holds and what changed in it, page by page.
//!
//! A page is a hundred objects. A first read asks for the token before it looks, so that what changes meanwhile comes
//! again with the next read and nothing is missed.

use std::collections::BTreeMap;

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{entry::ObservedEntry, ical::entry_object::entry_uid, ids::EntryId, interval::Interval};
use url::Url;

use super::{
    Caldav,
    address::{collection, name_of, object},
    cursor::{self, CaldavCursor, CaldavPageToken, CollectionVersion, differences},
    errors::{CaldavCallError, unreadable},
    objects::{
        CalendarObject, ObjectContext, busy_time, depends_on_zone, entry_of, gone, is_of, read_entries,
        touches, unclear,
    },
    requests,
    session::CaldavSession,
    xml::{Multistatus, says_gone},
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    provider::{ChangesPage, NextPage, SyncPosition, is_unclear},
};

/// Objects that are fetched at a time: iCloud and others refuse many more.
const PAGE_SIZE: usize = 100;

/// Servers judge whole days and floating times by a zone of their own, so they are asked for a little more.
const MARGIN: Duration = Duration::days(1);

/// One calendar, as it is read.
struct CollectionReader<'a> {
    session: CaldavSession<'a>,
    collection: Url,
    window: Interval,
}

/// What a read goes on with.
struct ChangeBatch {
    cursor: CaldavCursor,
    changed: Vec<String>,
    gone: Vec<String>,
    more: bool,
}

impl<'a> CalendarAccess<'a, Caldav> {
    pub(super) async fn list_changes(
        &self,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        let reader = self.reader(window)?;
        let full = match from {
            SyncPosition::Start => true,
            SyncPosition::Cursor(_) => false,
            SyncPosition::Page { cursor, .. } => cursor.is_none(),
        };
        let page = reader.read(from, full).await;
        reader.meaning_of(page).await
    }

    pub(super) async fn read_entry(&self, external_id: &str) -> Result<Option<ObservedEntry>, ProviderError> {
        let now = self.account.provider.clock.now();
        let reader = match self.reader(Interval { start: now, end: now }) {
            // What has no such name is not there.
            Err(ProviderError::NotFound) => return Ok(None),
            reader => reader?,
        };
        let entry = reader.entry(external_id).await;
        none_if_not_found(reader.meaning_of(entry).await)
    }

    /// The object of an entry in a calendar into which it was not written: under its name, or whatever that is called by whose
    /// application has put it there.
    pub(super) async fn read_moved(
        &self,
        entry: EntryId,
        name: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let found = self.read_entry(name).await?;
        if found.as_ref().is_some_and(|found| !found.deleted && found.entry == Some(entry)) {
            return Ok(found);
        }
        if found.as_ref().is_some_and(is_unclear) {
            return Err(unreadable("object of a calendar"));
        }
        let now = self.account.provider.clock.now();
        let reader = match self.reader(Interval { start: now, end: now }) {
            Err(ProviderError::NotFound) => return Ok(None),
            reader => reader?,
        };
        let found = reader.entry_with_uid(entry).await;
        none_if_not_found(reader.meaning_of(found).await)
    }

    /// From the objects: servers' own free-busy reports differ in what they count, where they have any.
    pub(super) async fn read_busy(&self, window: Interval) -> Result<Vec<Interval>, ProviderError> {
        let reader = self.reader(window)?;
        let busy = reader.busy().await;
        reader.meaning_of(busy).await
    }

    fn reader(&self, window: Interval) -> Result<CollectionReader<'a>, ProviderError> {
        let session = self.account.session()?;
        let collection = collection(session.home, self.calendar)?;
        Ok(CollectionReader { session, collection, window })
    }
}

fn none_if_not_found<T>(found: Result<Option<T>, ProviderError>) -> Result<Option<T>, ProviderError> {
    match found {
        Err(ProviderError::NotFound) => Ok(None),
        found => found,
    }
}

impl CollectionReader<'_> {
    async fn meaning_of<T>(&self, outcome: Result<T, CaldavCallError>) -> Result<T, ProviderError> {
        match outcome {
            Ok(read) => Ok(read),
            Err(error) => Err(self.session.meaning(&self.collection, error).await),
        }
    }

    async fn read(&self, from: &SyncPosition, full: bool) -> Result<ChangesPage, CaldavCallError> {
        let step = match from {
            SyncPosition::Start => self.everything().await?,
            SyncPosition::Cursor(cursor) => self.since(cursor::parse(cursor)?).await?,
            SyncPosition::Page { page, .. } => {
                let CaldavPageToken { cursor, names, more } = cursor::parse(page)?;
                if names.is_empty() && more {
                    self.since(cursor).await?
                } else {
                    ChangeBatch { cursor, changed: names, gone: Vec::new(), more }
                }
            }
        };
        self.page(step, full).await
    }

    async fn entry(&self, name: &str) -> Result<Option<ObservedEntry>, CaldavCallError> {
        object(&self.collection, name)?;
        let fetched = self.session.objects(&self.collection, &[name.to_owned()]).await?;
        match (fetched.objects.first(), fetched.withheld.into_iter().next()) {
            (Some(object), _) => self.single(object).await.map(Some),
            (None, withheld) => Ok(withheld.map(|(name, etag)| unclear(&name, etag))),
        }
    }

    async fn single(&self, object: &CalendarObject) -> Result<ObservedEntry, CaldavCallError> {
        // It costs a call of its own, which hardly any entry needs.
        let zone = if depends_on_zone(object) { self.collection_properties().await?.0 } else { None };
        let zone = zone.unwrap_or(self.session.zone);
        Ok(entry_of(object, zone).unwrap_or_else(|| unclear(&object.name, object.etag.clone())))
    }

    async fn entry_with_uid(&self, entry: EntryId) -> Result<Option<ObservedEntry>, CaldavCallError> {
        let found = self.session.ask(&self.collection, requests::query_by_uid(&entry_uid(entry))).await?;
        let there = found.responses.iter().filter(|response| !response.status.is_some_and(says_gone));
        // Who takes such a filter for none at all lists everything.
        let names: Vec<String> =
            there.filter_map(|response| name_of(&self.collection, &response.href)).take(PAGE_SIZE).collect();
        let fetched = self.session.objects(&self.collection, &names).await?;
        for object in &fetched.objects {
            if is_of(object, entry) {
                let found = ObservedEntry { entry: Some(entry), ..self.single(object).await? };
                return Ok((!found.deleted).then_some(found));
            }
        }
        // If every match is unreadable, it may be ours: retry. If others came back, the server ignored the filter.
        if fetched.objects.is_empty() {
            fetched.known()?;
        }
        Ok(None)
    }

    async fn busy(&self) -> Result<Vec<Interval>, CaldavCallError> {
        let (zone, _) = self.collection_properties().await?;
        let owner = self.session.owner().await?.mail_addresses;
        let zone = zone.unwrap_or(self.session.zone);
        let reading = ObjectContext { zone, window: self.window, owner: &owner };
        let names: Vec<String> = self.query(true).await?.into_keys().collect();
        let mut busy = Vec::new();
        for part in names.chunks(PAGE_SIZE) {
            for object in self.session.objects(&self.collection, part).await?.objects {
                let entries = read_entries(&object, reading).unwrap_or_default();
                busy.extend(entries.iter().filter_map(|entry| busy_time(entry, reading)));
            }
        }
        Ok(busy)
    }

    /// The calendar's zone, and its version; one of versions without any objects yet.
    async fn collection_properties(&self) -> Result<(Option<Tz>, CollectionVersion), CaldavCallError> {
        let found = self.session.ask(&self.collection, requests::collection_properties(0)).await?;
        let found = found.responses.into_iter().next().ok_or_else(|| unreadable("multistatus"))?;
        if found.status == Some(404) || !found.found.is_calendar {
            return Err(ProviderError::NotFound.into());
        }
        let zone = found.found.zone();
        let version = match found.found.sync_token {
            Some(token) => CollectionVersion::Token(token),
            None => CollectionVersion::Versions { collection: found.found.ctag, objects: BTreeMap::new() },
        };
        Ok((zone, version))
    }

    /// All objects with events, or those that touch the window, with their versions.
    async fn query(&self, in_window: bool) -> Result<BTreeMap<String, String>, CaldavCallError> {
        let window = Interval { start: self.window.start - MARGIN, end: self.window.end + MARGIN };
        let query = requests::query(in_window.then_some(window));
        let found = self.session.ask(&self.collection, query).await?;
        if found.responses.iter().any(|response| response.status == Some(507)) {
            return Err(
                ProviderError::Rejected("the calendar is too large for its server to list".into()).into()
            );
        }
        // A response with an error other than 404 and 410 still means that the object exists.
        let versions = found.responses.into_iter().filter(|response| !response.status.is_some_and(says_gone));
        Ok(versions
            .filter_map(|response| {
                let name = name_of(&self.collection, &response.href)?;
                Some((name, response.found.etag.unwrap_or_default()))
            })
            .collect())
    }

    async fn everything(&self) -> Result<ChangeBatch, CaldavCallError> {
        let (zone, mut version) = self.collection_properties().await?;
        let owner = self.session.owner().await?.mail_addresses;
        if let CollectionVersion::Versions { objects, .. } = &mut version {
            *objects = self.query(false).await?;
        }
        let changed = self.query(true).await?.into_keys().collect();
        let fallback_zone = Some(self.session.zone);
        let cursor = CaldavCursor { zone, fallback_zone, owner, withheld: Vec::new(), version };
        Ok(ChangeBatch { cursor, changed, gone: Vec::new(), more: false })
    }

    /// What the server would not give before is asked for again, as if it had changed.
    async fn since(&self, mut cursor: CaldavCursor) -> Result<ChangeBatch, CaldavCallError> {
        let withheld = std::mem::take(&mut cursor.withheld);
        let mut step = self.since_version(cursor).await?;
        for name in withheld {
            if !step.changed.contains(&name) && !step.gone.contains(&name) {
                step.changed.push(name);
            }
        }
        Ok(step)
    }

    async fn since_version(&self, cursor: CaldavCursor) -> Result<ChangeBatch, CaldavCallError> {
        // Its owner lives elsewhere by now, and all that floats with them.
        if !cursor.holds_in(self.session.zone) {
            return Err(ProviderError::CursorExpired.into());
        }
        match &cursor.version {
            CollectionVersion::Token(token) => self.since_token(&cursor, token).await,
            CollectionVersion::Versions { collection: before, objects } => {
                let (zone, version) = self.collection_properties().await?;
                let collection = match version {
                    CollectionVersion::Versions { collection, .. } => collection,
                    // It has learned to give tokens.
                    CollectionVersion::Token(_) => return Err(ProviderError::CursorExpired.into()),
                };
                let same = collection.is_some() && collection == *before;
                let now = if same { objects.clone() } else { self.query(false).await? };
                let (changed, gone) = differences(objects, &now);
                let version = CollectionVersion::Versions { collection, objects: now };
                Ok(ChangeBatch {
                    cursor: CaldavCursor { zone, version, ..cursor },
                    changed,
                    gone,
                    more: false,
                })
            }
        }
    }

    async fn since_token(&self, before: &CaldavCursor, token: &str) -> Result<ChangeBatch, CaldavCallError> {
        let found = match self.session.ask(&self.collection, requests::sync(token)).await {
            Err(CaldavCallError::Refused(refusal)) if refusal.says_cursor_expired() => {
                return Err(ProviderError::CursorExpired.into());
            }
            found => found?,
        };
        // The collection itself with 507 (RFC 6578, 3.6): there is more behind the new token.
        let more = found.responses.iter().any(|response| response.status == Some(507));
        let Some(next) = found.sync_token.clone() else {
            return Err(unreadable("list of changes with a token").into());
        };
        if more && next == token {
            return Err(unreadable("list of changes with an end").into());
        }
        let (changed, gone) = self.named(found);
        Ok(ChangeBatch {
            cursor: CaldavCursor { version: CollectionVersion::Token(next), ..before.clone() },
            changed,
            gone,
            more,
        })
    }

    /// The objects that a list of changes names, there and gone.
    fn named(&self, found: Multistatus) -> (Vec<String>, Vec<String>) {
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for response in found.responses {
            let Some(name) = name_of(&self.collection, &response.href) else { continue };
            match response.status {
                Some(status) if says_gone(status) => gone.push(name),
                Some(507) => {}
                _ => changed.push(name),
            }
        }
        (changed, gone)
    }

    /// Fetches the next hundred of what a step names.
    async fn page(&self, step: ChangeBatch, full: bool) -> Result<ChangesPage, CaldavCallError> {
        let ChangeBatch { mut cursor, mut changed, gone: known_gone, more } = step;
        let rest = changed.split_off(changed.len().min(PAGE_SIZE));
        let mut fetched = self.session.objects(&self.collection, &changed).await?;
        cursor.withheld.extend(fetched.withheld.iter().map(|(name, _)| name.clone()));
        let reading = ObjectContext { zone: cursor.read_in(), window: self.window, owner: &cursor.owner };
        let (mut entries, mut resources) = (Vec::new(), Vec::new());
        let mut unreadable = std::mem::take(&mut fetched.withheld);
        for object in &fetched.objects {
            let Some(told) = read_entries(object, reading) else {
                unreadable.push((object.name.clone(), object.etag.clone()));
                continue;
            };
            entries.extend(told.into_iter().filter(|entry| !full || touches(entry, reading)));
            resources.push(object.name.clone());
        }
        let unread = unreadable.len();
        entries.extend(unreadable.into_iter().map(|(name, etag)| unclear(&name, etag)));
        for name in known_gone.into_iter().chain(fetched.gone) {
            entries.push(gone(&name));
            resources.push(name);
        }
        let next = if rest.is_empty() && !more {
            NextPage::Cursor(cursor::to_text(&cursor)?)
        } else {
            NextPage::Page(cursor::to_text(&CaldavPageToken { cursor, names: rest, more })?)
        };
        // A comparison of two lists tells nothing of what is in neither, and some servers' reports do not, either (Xandikos).
        let may_miss = !full;
        Ok(ChangesPage { entries, resources, series: Vec::new(), may_miss, unreadable: unread, next })
    }
}
