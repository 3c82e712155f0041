//! Writing entries: each is one object, written as a whole (RFC 4791, 5.3.2), and so read before it is written again.

use bytes::Bytes;
use concord_domain::entry::EntryContent;
use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH},
};
use url::Url;

use super::{
    Caldav,
    address::{collection, object},
    errors::{CaldavCallError, MAY_NOT_WRITE, WriteRefusal, unreadable},
    fetch::is_digest,
    merge::{merged, whole},
    objects::CalendarObject,
    session::CaldavSession,
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    provider::{RemoveOutcome, WriteReceipt},
};

/// How often an object that others keep changing is written over.
const MAX_ATTEMPTS: usize = 3;

/// One object to write or to remove.
struct WriteTarget<'a> {
    session: CaldavSession<'a>,
    collection: Url,
    object: Url,
    name: &'a str,
}

impl<'a> CalendarAccess<'a, Caldav> {
    pub(super) async fn insert(
        &self,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError> {
        let target = self.target(external_id)?;
        let unless_there = (IF_NONE_MATCH, HeaderValue::from_static("*"));
        target.put(Some(unless_there), whole(content, self.account.provider.clock.now()).into(), true).await
    }

    pub(super) async fn replace(
        &self,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        let target = self.target(external_id)?;
        // `If-Match: *` would write over any version, but what people added to it must be known; and Radicale takes the star
        // for a version.
        for _ in 0..MAX_ATTEMPTS {
            let remote = target.remote().await?;
            let version = remote.etag.as_deref().unwrap_or_default();
            if etag.is_some_and(|etag| etag != version) {
                return Err(ProviderError::Precondition);
            }
            let body = merged(&remote.data, content, self.account.provider.clock.now()).into();
            match target.put_over(version, body).await {
                Err(ProviderError::Precondition) if etag.is_none() => {}
                done => return done,
            }
        }
        Err(ProviderError::Precondition)
    }

    pub(super) async fn delete(&self, external_id: &str) -> Result<RemoveOutcome, ProviderError> {
        let target = match self.target(external_id) {
            // What has no such name is not there.
            Err(ProviderError::NotFound) => return Ok(RemoveOutcome::Before),
            target => target?,
        };
        match target.session.call("DELETE", &target.object, &[], Bytes::new()).await {
            Ok(_) => Ok(RemoveOutcome::Now),
            Err(CaldavCallError::Refused(refusal)) if refusal.says_gone() => Ok(RemoveOutcome::Before),
            Err(CaldavCallError::Refused(refusal)) => match target.meaning(refusal.of_write(false)).await {
                ProviderError::NotFound => Ok(RemoveOutcome::Before),
                error => Err(error),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn target(&self, name: &'a str) -> Result<WriteTarget<'a>, ProviderError> {
        let session = self.account.session()?;
        let collection = collection(session.home, self.calendar)?;
        let object = object(&collection, name)?;
        Ok(WriteTarget { session, collection, object, name })
    }
}

/// What cannot be sent as a version is not the object's version either.
fn if_match(etag: &str) -> Result<(HeaderName, HeaderValue), ProviderError> {
    Ok((IF_MATCH, HeaderValue::from_str(etag).map_err(|_| ProviderError::Precondition)?))
}

impl WriteTarget<'_> {
    /// Its version, or `None` if it is not there.
    async fn version(&self) -> Result<Option<String>, ProviderError> {
        match self.session.version(&self.collection, self.name).await {
            Ok(version) => Ok(version),
            Err(error) => Err(self.session.meaning(&self.collection, error).await),
        }
    }

    /// The object that stands there. Not by GET: a proxy that packs an answer gives it another ETag (Apache's mod_deflate adds
    /// `-gzip`, nginx makes it weak), while a report holds the one that all other reads know.
    async fn remote(&self) -> Result<CalendarObject, ProviderError> {
        let names = [self.name.to_owned()];
        match self.session.objects(&self.collection, &names).await {
            Ok(fetched) => fetched.known()?.into_iter().next().ok_or(ProviderError::NotFound),
            Err(error) => Err(self.session.meaning(&self.collection, error).await),
        }
    }

    /// Writes over the version that has just been read. Where the server knows none, that leaves a moment in which somebody
    /// else's change is not seen.
    async fn put_over(&self, version: &str, body: Bytes) -> Result<WriteReceipt, ProviderError> {
        let condition = if is_digest(version) { None } else { Some(if_match(version)?) };
        self.put(condition, body, false).await
    }

    async fn put(
        &self,
        condition: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
        new: bool,
    ) -> Result<WriteReceipt, ProviderError> {
        let kind = (CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        let headers: Vec<_> = condition.into_iter().chain([kind]).collect();
        let response = match self.session.call("PUT", &self.object, &headers, body).await {
            Err(CaldavCallError::Refused(refusal)) => return Err(self.meaning(refusal.of_write(new)).await),
            response => response?,
        };
        if let Some(etag) = response.header(&ETAG) {
            return Ok(WriteReceipt { external_id: self.name.to_owned(), etag: etag.to_owned() });
        }
        // A server that has stored something else than it was sent gives no version (RFC 4791, 5.3.4).
        let version = self.version().await.map_err(ProviderError::after_a_part)?;
        let etag = version.ok_or_else(|| unreadable("version of what was written"))?;
        Ok(WriteReceipt { external_id: self.name.to_owned(), etag })
    }

    /// Looks where an answer alone does not tell.
    async fn meaning(&self, refused: WriteRefusal) -> ProviderError {
        match refused {
            WriteRefusal::Error(error) => error,
            WriteRefusal::IsItThere => match self.version().await {
                Ok(Some(_)) => ProviderError::Precondition,
                Ok(None) => ProviderError::NotFound,
                Err(error) => error,
            },
            WriteRefusal::IsTheCalendarThere => {
                let error = ProviderError::Rejected(MAY_NOT_WRITE.to_owned());
                self.session.unless_calendar_gone(&self.collection, error).await
            }
        }
    }
}
