//! What a calendar holds and what changed in it, page by page.
//!
//! A page is a hundred objects. A first read asks for the token before it looks, so that what changes meanwhile comes
//! again with the next read and nothing is missed.

use std::collections::BTreeMap;

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{entry::ObservedEntry, interval::Interval};
use url::Url;

use super::{
    Caldav,
    account::zone,
    address::{collection, name_of, object},
    cursor::{Cursor, Mark, Pending, differences},
    errors::{Trouble, unreadable},
    objects::{Object, Reading, busy_time, entries_of, entry_of, gone, touches, unclear},
    requests,
    session::Session,
    xml::Multistatus,
};
use crate::{
    error::ProviderError,
    provider::{AfterPage, ChangesFrom, ChangesPage, Credentials},
};

/// Objects that are fetched at a time: iCloud and others refuse many more.
const PAGE: usize = 100;

/// Servers judge whole days and floating times by a zone of their own, so they are asked for a little more.
const MARGIN: Duration = Duration::days(1);

/// One calendar, as it is read.
struct Reader<'a> {
    session: Session<'a>,
    collection: Url,
    window: Interval,
}

/// What a read goes on with.
struct Step {
    cursor: Cursor,
    /// Objects to fetch.
    changed: Vec<String>,
    gone: Vec<String>,
    more: bool,
}

impl Caldav {
    pub(super) async fn list_changes(
        &self,
        credentials: &Credentials,
        calendar: &str,
        window: Interval,
        from: &ChangesFrom,
    ) -> Result<ChangesPage, ProviderError> {
        let reader = self.reader(credentials, calendar, window)?;
        let full = match from {
            ChangesFrom::Start => true,
            ChangesFrom::Cursor(_) => false,
            ChangesFrom::Page { cursor, .. } => cursor.is_none(),
        };
        let step = match from {
            ChangesFrom::Start => reader.everything().await?,
            ChangesFrom::Cursor(cursor) => reader.since(Cursor::parse(cursor)?).await?,
            ChangesFrom::Page { page, .. } => {
                let Pending { cursor, names, more } = Pending::parse(page)?;
                if names.is_empty() && more {
                    reader.since(cursor).await?
                } else {
                    Step { cursor, changed: names, gone: Vec::new(), more }
                }
            }
        };
        Ok(reader.page(step, full).await?)
    }

    pub(super) async fn read_entry(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let now = self.clock.now();
        let nowhere = Interval { start: now, end: now };
        let found = match self.reader(credentials, calendar, nowhere) {
            Ok(reader) => match object(&reader.collection, external_id) {
                Ok(_) => reader.fetch(&[external_id.to_owned()]).await,
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(found) => {
                Ok(found.objects.first().map(|object| entry_of(object).unwrap_or_else(|| unclear(object))))
            }
            Err(Trouble::Other(ProviderError::NotFound)) => Ok(None),
            Err(Trouble::Refused(refusal)) if refusal.says_gone() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// From the objects: servers' own free-busy reports differ in what they count, where they have any.
    pub(super) async fn read_busy(
        &self,
        credentials: &Credentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Vec<Interval>, ProviderError> {
        let reader = self.reader(credentials, calendar, window)?;
        let (zone, _) = reader.standing().await?;
        let owner = reader.session.owner().await?.mail_addresses;
        let reading = Reading { zone: zone.unwrap_or(Tz::UTC), window, owner: &owner };
        let names: Vec<String> = reader.query(true).await?.into_keys().collect();
        let mut busy = Vec::new();
        for part in names.chunks(PAGE) {
            for object in reader.fetch(part).await?.objects {
                let entries = entries_of(&object, reading).unwrap_or_default();
                busy.extend(entries.iter().filter_map(|entry| busy_time(entry, reading)));
            }
        }
        Ok(busy)
    }

    fn reader<'a>(
        &'a self,
        credentials: &'a Credentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Reader<'a>, ProviderError> {
        let session = self.session(credentials)?;
        let collection = collection(session.home, calendar)?;
        Ok(Reader { session, collection, window })
    }
}

/// The outcome of a fetch.
struct Fetched {
    objects: Vec<Object>,
    /// Names that the server says are not there.
    gone: Vec<String>,
}

impl Reader<'_> {
    /// The calendar's zone, and its mark; one of versions without any objects yet.
    async fn standing(&self) -> Result<(Option<Tz>, Mark), Trouble> {
        let found = self.session.propfind(&self.collection, 0, requests::standing()).await?;
        let found = found.responses.into_iter().next().ok_or_else(|| unreadable("multistatus"))?;
        if found.status == Some(404) || !found.found.is_calendar {
            return Err(ProviderError::NotFound.into());
        }
        let zone = found.found.timezone.as_deref().and_then(zone);
        let mark = match found.found.sync_token {
            Some(token) => Mark::Token(token),
            None => Mark::Versions { collection: found.found.ctag, objects: BTreeMap::new() },
        };
        Ok((zone, mark))
    }

    /// All objects with events, or those that touch the window, with their versions.
    async fn query(&self, in_window: bool) -> Result<BTreeMap<String, String>, Trouble> {
        let window = Interval { start: self.window.start - MARGIN, end: self.window.end + MARGIN };
        let body = requests::query(in_window.then_some(window));
        let found = self.session.report(&self.collection, 1, body).await?;
        if found.responses.iter().any(|response| response.status == Some(507)) {
            return Err(
                ProviderError::Rejected("the calendar is too large for its server to list".into()).into()
            );
        }
        let versions =
            found.responses.into_iter().filter(|response| response.status.is_none_or(|status| status < 300));
        Ok(versions
            .filter_map(|response| {
                let name = name_of(&self.collection, &response.href)?;
                Some((name, response.found.etag.unwrap_or_default()))
            })
            .collect())
    }

    async fn everything(&self) -> Result<Step, Trouble> {
        let (zone, mut mark) = self.standing().await?;
        let owner = self.session.owner().await?.mail_addresses;
        if let Mark::Versions { objects, .. } = &mut mark {
            *objects = self.query(false).await?;
        }
        let changed = self.query(true).await?.into_keys().collect();
        Ok(Step { cursor: Cursor { zone, owner, mark }, changed, gone: Vec::new(), more: false })
    }

    async fn since(&self, cursor: Cursor) -> Result<Step, Trouble> {
        match &cursor.mark {
            Mark::Token(token) => self.since_token(&cursor, token).await,
            Mark::Versions { collection: before, objects } => {
                let (zone, mark) = self.standing().await?;
                let collection = match mark {
                    Mark::Versions { collection, .. } => collection,
                    // It has learned to give tokens.
                    Mark::Token(_) => return Err(ProviderError::CursorExpired.into()),
                };
                let same = collection.is_some() && collection == *before;
                let now = if same { objects.clone() } else { self.query(false).await? };
                let (changed, gone) = differences(objects, &now);
                let mark = Mark::Versions { collection, objects: now };
                Ok(Step { cursor: Cursor { zone, mark, ..cursor }, changed, gone, more: false })
            }
        }
    }

    async fn since_token(&self, before: &Cursor, token: &str) -> Result<Step, Trouble> {
        let found = match self.session.report(&self.collection, 0, requests::sync(token)).await {
            Err(Trouble::Refused(refusal)) if refusal.says_cursor_expired() => {
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
        Ok(Step { cursor: Cursor { mark: Mark::Token(next), ..before.clone() }, changed, gone, more })
    }

    /// The objects that a list of changes names, there and gone.
    fn named(&self, found: Multistatus) -> (Vec<String>, Vec<String>) {
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for response in found.responses {
            let Some(name) = name_of(&self.collection, &response.href) else { continue };
            match response.status {
                Some(404 | 410) => gone.push(name),
                Some(507) => {}
                _ => changed.push(name),
            }
        }
        (changed, gone)
    }

    async fn fetch(&self, names: &[String]) -> Result<Fetched, Trouble> {
        let mut fetched = Fetched { objects: Vec::new(), gone: Vec::new() };
        if names.is_empty() {
            return Ok(fetched);
        }
        let urls: Vec<Url> = names.iter().filter_map(|name| object(&self.collection, name).ok()).collect();
        let found = self.session.report(&self.collection, 1, requests::multiget(&urls)).await?;
        for response in found.responses {
            let Some(name) = name_of(&self.collection, &response.href) else { continue };
            // What was not asked for is not the answer.
            if !names.contains(&name) {
                continue;
            }
            match (response.status, response.found.data) {
                (Some(404 | 410), _) => fetched.gone.push(name),
                (_, Some(data)) => fetched.objects.push(Object { name, etag: response.found.etag, data }),
                // Xandikos and others say "not there" by properties that were not found.
                (_, None) if response.found.etag.is_none() => fetched.gone.push(name),
                (_, None) => return Err(unreadable("object of a calendar").into()),
            }
        }
        Ok(fetched)
    }

    /// Fetches the next hundred of what a step names.
    async fn page(&self, step: Step, full: bool) -> Result<ChangesPage, Trouble> {
        let Step { cursor, mut changed, gone: known_gone, more } = step;
        let (zone, owner) = (cursor.zone.unwrap_or(Tz::UTC), cursor.owner.as_slice());
        let reading = Reading { zone, window: self.window, owner };
        let rest = changed.split_off(changed.len().min(PAGE));
        let fetched = self.fetch(&changed).await?;
        let (mut entries, mut resources) = (Vec::new(), Vec::new());
        for object in &fetched.objects {
            match entries_of(object, reading) {
                Some(told) => {
                    entries.extend(told.into_iter().filter(|entry| !full || touches(entry, reading)));
                    resources.push(object.name.clone());
                }
                None => entries.push(unclear(object)),
            }
        }
        for name in known_gone.into_iter().chain(fetched.gone) {
            entries.push(gone(&name));
            resources.push(name);
        }
        let next = if rest.is_empty() && !more {
            AfterPage::Cursor(cursor.text()?)
        } else {
            AfterPage::Page(Pending { cursor, names: rest, more }.text()?)
        };
        Ok(ChangesPage { entries, resources, next })
    }
}
