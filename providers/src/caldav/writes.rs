//! Writing entries: each is one object, written as a whole (RFC 4791, 5.3.2).

use bytes::Bytes;
use concord_domain::{entry::EntryContent, ical::entry_object::write_entry};
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH},
};
use url::Url;

use super::{
    Caldav,
    address::{collection, object},
    errors::{MAY_NOT_WRITE, Refused, Trouble, unreadable},
    fetch::is_digest,
    session::Session,
};
use crate::{
    error::ProviderError,
    provider::{Credentials, Written},
};

/// How often an object that others keep changing is written over.
const TRIES: usize = 3;

/// One object to write or to remove.
struct Target<'a> {
    session: Session<'a>,
    collection: Url,
    object: Url,
    name: &'a str,
}

impl Caldav {
    pub(super) async fn insert(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<Written, ProviderError> {
        let target = self.target(credentials, calendar, external_id)?;
        let unless_there = (IF_NONE_MATCH, HeaderValue::from_static("*"));
        target.put(Some(unless_there), self.body(content), true).await
    }

    pub(super) async fn replace(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<Written, ProviderError> {
        let target = self.target(credentials, calendar, external_id)?;
        if let Some(etag) = etag {
            return target.put_over(etag, self.body(content)).await;
        }
        // `If-Match: *` would say it in one call, but Radicale takes the star for a version.
        for _ in 1..TRIES {
            let etag = target.version().await?.ok_or(ProviderError::NotFound)?;
            match target.put_over(&etag, self.body(content)).await {
                Err(ProviderError::Precondition) => {}
                done => return done,
            }
        }
        Err(ProviderError::Precondition)
    }

    pub(super) async fn delete(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<(), ProviderError> {
        let target = match self.target(credentials, calendar, external_id) {
            // What has no such name is not there.
            Err(ProviderError::NotFound) => return Ok(()),
            target => target?,
        };
        match target.session.call(&Method::DELETE, &target.object, &[], Bytes::new()).await {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal)) if refusal.says_gone() => Ok(()),
            Err(Trouble::Refused(refusal)) => match target.meaning(refusal.of_write(false)).await {
                ProviderError::NotFound => Ok(()),
                error => Err(error),
            },
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn target<'a>(
        &'a self,
        credentials: &'a Credentials,
        calendar: &str,
        name: &'a str,
    ) -> Result<Target<'a>, ProviderError> {
        let session = self.session(credentials)?;
        let collection = collection(session.home, calendar)?;
        let object = object(&collection, name)?;
        Ok(Target { session, collection, object, name })
    }

    fn body(&self, content: &EntryContent) -> Bytes {
        let mut body = Vec::with_capacity(2_048);
        write_entry(&mut body, content, self.clock.now());
        body.into()
    }
}

/// What cannot be sent as a version is not the object's version either.
fn if_match(etag: &str) -> Result<(HeaderName, HeaderValue), ProviderError> {
    Ok((IF_MATCH, HeaderValue::from_str(etag).map_err(|_| ProviderError::Precondition)?))
}

impl Target<'_> {
    /// Its version, or `None` if it is not there.
    async fn version(&self) -> Result<Option<String>, ProviderError> {
        match self.session.version(&self.collection, self.name).await {
            Ok(version) => Ok(version),
            Err(trouble) => Err(self.session.meaning(&self.collection, trouble).await),
        }
    }

    /// Writes over that version. Where the server knows none, it is looked first; that leaves a moment in which somebody
    /// else's change is not seen.
    async fn put_over(&self, version: &str, body: Bytes) -> Result<Written, ProviderError> {
        if !is_digest(version) {
            return self.put(Some(if_match(version)?), body, false).await;
        }
        match self.version().await? {
            None => Err(ProviderError::NotFound),
            Some(now) if now != version => Err(ProviderError::Precondition),
            Some(_) => self.put(None, body, false).await,
        }
    }

    async fn put(
        &self,
        condition: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
        new: bool,
    ) -> Result<Written, ProviderError> {
        let kind = (CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        let headers: Vec<_> = condition.into_iter().chain([kind]).collect();
        let answer = match self.session.call(&Method::PUT, &self.object, &headers, body).await {
            Err(Trouble::Refused(refusal)) => return Err(self.meaning(refusal.of_write(new)).await),
            answer => answer?,
        };
        let told = answer.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let etag = match told {
            Some(etag) => etag,
            // A server that has stored something else than it was sent gives no version (RFC 4791, 5.3.4).
            None => self.version().await?.ok_or_else(|| unreadable("version of what was written"))?,
        };
        Ok(Written { external_id: self.name.to_owned(), etag })
    }

    /// Looks where an answer alone does not tell.
    async fn meaning(&self, refused: Refused) -> ProviderError {
        match refused {
            Refused::Error(error) => error,
            Refused::IsItThere => match self.version().await {
                Ok(Some(_)) => ProviderError::Precondition,
                Ok(None) => ProviderError::NotFound,
                Err(error) => error,
            },
            Refused::IsTheCalendarThere => {
                let error = ProviderError::Rejected(MAY_NOT_WRITE.to_owned());
                self.session.unless_gone(&self.collection, error).await
            }
        }
    }
}
