//! Objects as a server has them, each with a version.
//!
//! A version is the server's ETag. Some servers give none, neither with what they store nor with what they list; there the
//! object itself is read, and a digest of it stands for the version. No such server can be asked to write on condition
//! of one: whoever writes looks first.

use http::StatusCode;
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    address::{calendar_id, close, name_of, object},
    errors::{CaldavCallError, CaldavErrorResponse, unreadable},
    objects::CalendarObject,
    requests,
    session::CaldavSession,
    xml::says_gone,
};
use crate::{error::ProviderError, error_response::unless_gone};

/// No server's ETag begins like that: they are quoted (RFC 9110, 8.8.3).
const DIGEST_PREFIX: &str = "concord-sha256:";

/// Whether the version is one that we made, since the server gives none.
pub(super) fn is_digest(version: &str) -> bool {
    version.starts_with(DIGEST_PREFIX)
}

/// The outcome of a fetch.
pub(super) struct FetchedObjects {
    pub(super) objects: Vec<CalendarObject>,
    /// Names that the server says are not there.
    pub(super) gone: Vec<String>,
    /// Names that it does not give the objects of, and their versions where it gives those.
    pub(super) withheld: Vec<(String, Option<String>)>,
}

impl FetchedObjects {
    /// Those that are there. `Transient`: of one of them that is not known.
    pub(super) fn known(self) -> Result<Vec<CalendarObject>, ProviderError> {
        if self.withheld.is_empty() { Ok(self.objects) } else { Err(unreadable("object of a calendar")) }
    }
}

impl CaldavSession<'_> {
    /// The objects of those names in a collection.
    pub(super) async fn objects(
        &self,
        collection: &Url,
        names: &[String],
    ) -> Result<FetchedObjects, CaldavCallError> {
        let mut fetched = FetchedObjects { objects: Vec::new(), gone: Vec::new(), withheld: Vec::new() };
        if names.is_empty() {
            return Ok(fetched);
        }
        let urls: Vec<Url> = names.iter().filter_map(|name| object(collection, name).ok()).collect();
        let found = self.ask(collection, requests::multiget(&urls)).await?;
        for response in found.responses {
            let Some(name) = name_of(collection, &response.href) else { continue };
            // What was not asked for is not the answer.
            if !names.contains(&name) {
                continue;
            }
            // Xandikos and others say "not there" by properties that were not found.
            let is_gone = response.status.or(response.refused).is_some_and(says_gone);
            match (response.found.data, response.found.etag) {
                (_, _) if response.status.is_some_and(says_gone) => fetched.gone.push(name),
                (Some(data), etag) => {
                    let etag = etag.unwrap_or_else(|| digest(&data));
                    fetched.objects.push(CalendarObject { name, etag: Some(etag), data });
                }
                (None, None) if is_gone => fetched.gone.push(name),
                // A server in trouble with one object (RFC 4918, 13) has not deleted it.
                (None, etag) => {
                    tracing::info!(object = name, status = response.status.or(response.refused), "withheld");
                    fetched.withheld.push((name, etag));
                }
            }
        }
        Ok(fetched)
    }

    /// The version of an object, or `None` if it is not there.
    pub(super) async fn version(
        &self,
        collection: &Url,
        name: &str,
    ) -> Result<Option<String>, CaldavCallError> {
        let found = unless_gone(self.ask(&object(collection, name)?, requests::etag()).await)?;
        let Some(found) = found else { return Ok(None) };
        match found.responses.into_iter().find(|response| response.status != Some(404)) {
            None => Ok(None),
            Some(response) if response.found.etag.is_some() => Ok(response.found.etag),
            Some(_) => {
                let fetched = self.objects(collection, &[name.to_owned()]).await?;
                Ok(fetched.known()?.into_iter().next().and_then(|object| object.etag))
            }
        }
    }

    /// What a trouble with a calendar, or with what is in it, means. Cyrus refuses everything in a calendar that was deleted
    /// with 403 and a page for people ("Mailbox does not exist"), which others say of one that may not be read.
    pub(super) async fn meaning(&self, collection: &Url, error: CaldavCallError) -> ProviderError {
        match error {
            CaldavCallError::Refused(refusal) if refusal.may_mean_gone() => {
                self.unless_calendar_gone(collection, refusal.into_error()).await
            }
            error => error.into(),
        }
    }

    /// The error, unless the account has no such calendar (any more): then `NotFound`.
    pub(super) async fn unless_calendar_gone(&self, collection: &Url, error: ProviderError) -> ProviderError {
        let listed = match self.ask(self.home, requests::collection_properties(1)).await {
            Ok(listed) => listed,
            Err(error) => return error.into(),
        };
        let is_it = |href: &str| {
            self.home.join(href).is_ok_and(|mut url| {
                close(&mut url);
                calendar_id(self.home, &url) == calendar_id(self.home, collection)
            })
        };
        let stands = listed.responses.iter().any(|one| one.found.is_calendar && is_it(&one.href));
        if stands { error } else { ProviderError::NotFound }
    }
}

impl CaldavErrorResponse {
    /// Whether it does not say what it is about: the calendar may be closed, or gone.
    fn may_mean_gone(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && self.says_nothing()
    }
}

/// Line ends and blanks at the ends are the transport's, and XML's.
fn digest(data: &str) -> String {
    let mut sum = Sha256::new();
    for line in data.trim().lines() {
        sum.update(line.trim_end());
        sum.update("\n");
    }
    format!("{DIGEST_PREFIX}{}", concord_domain::hex(sum.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_ignores_line_endings() {
        let one = digest("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
        assert_eq!(one, digest("BEGIN:VCALENDAR\nEND:VCALENDAR"));
        assert_ne!(one, digest("BEGIN:VCALENDAR\nX:1\nEND:VCALENDAR"));
        assert!(is_digest(&one) && !is_digest("\"concord-sha256:\""));
    }
}
