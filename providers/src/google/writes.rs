//! Writing entries: inserts, conditional replacements, removals.
//!
//! An entry that stands is patched: a replacement (PUT) clears whatever it does not name.

use bytes::Bytes;
use concord_domain::entry::EntryContent;
use google_calendar3::api::Event;
use http::{HeaderValue, Method, header::ETAG};
use serde_json::Value;

use super::{
    GoogleCalendar,
    entries::{self, event},
    errors::GoogleCallError,
    requests::{segment, serialization_error, without_nulls},
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    error_response::{parse_json, unless_gone},
    http::BufferedResponse,
    provider::{RemoveOutcome, WriteReceipt},
};

impl CalendarAccess<'_, GoogleCalendar> {
    pub(super) async fn insert(
        &self,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError> {
        let path = format!("calendars/{}/events", segment(self.calendar)?);
        let event = Event { id: Some(external_id.to_owned()), ..event(content) };
        let body = without_nulls(&event)?;
        let response = self.write(Method::POST, &path, None, Some(body)).await?;
        write_receipt(&response, external_id)
    }

    pub(super) async fn replace(
        &self,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        // What cannot be sent as an etag is not the entry's etag either.
        let etag = etag.map(HeaderValue::from_str).transpose().map_err(|_| ProviderError::Precondition)?;
        let path = format!("calendars/{}/events/{}", segment(self.calendar)?, segment(external_id)?);
        let response = self.patch(&path, &entries::patch(content), etag).await?;
        let stands = parse_event(&response)?;
        let Some(rest) = entries::shared_patch(&stands, content) else {
            return write_receipt(&response, external_id);
        };
        // Nobody has written in between, or it is looked at again.
        let etag = write_receipt(&response, external_id)?.etag;
        let etag = HeaderValue::from_str(&etag).map_err(|_| ProviderError::Precondition.after_a_part())?;
        let response = self.patch(&path, &rest, Some(etag)).await;
        let response = response.map_err(|error| ProviderError::from(error).after_a_part())?;
        write_receipt(&response, external_id)
    }

    async fn patch(
        &self,
        path: &str,
        patch: &Value,
        etag: Option<HeaderValue>,
    ) -> Result<BufferedResponse, GoogleCallError> {
        let body = serde_json::to_vec(patch).map_err(serialization_error)?.into();
        self.write(Method::PATCH, path, etag, Some(body)).await
    }

    pub(super) async fn delete(&self, external_id: &str) -> Result<RemoveOutcome, ProviderError> {
        let path = format!("calendars/{}/events/{}", segment(self.calendar)?, segment(external_id)?);
        match unless_gone(self.write(Method::DELETE, &path, None, None).await)? {
            None => Ok(RemoveOutcome::Before),
            // "If successful, this method returns an empty response body" (Events: delete).
            Some(response) if response.body.is_empty() => Ok(RemoveOutcome::Now),
            // A page of somebody else's.
            Some(response) => {
                let status = response.status;
                Err(ProviderError::Transient(format!("Google answered {status} with a body to a removal")))
            }
        }
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        if_match: Option<HeaderValue>,
        body: Option<Bytes>,
    ) -> Result<BufferedResponse, GoogleCallError> {
        // One party invites, and it is not Google.
        let url = self.account.address(path, &[("sendUpdates", "none".to_owned())])?;
        self.account.call(method, url, if_match, body).await
    }
}

fn parse_event(response: &BufferedResponse) -> Result<Event, ProviderError> {
    parse_json(response, "Google")
}

fn write_receipt(response: &BufferedResponse, external_id: &str) -> Result<WriteReceipt, ProviderError> {
    let event = parse_event(response)?;
    match event.etag.or_else(|| response.header(&ETAG).map(str::to_owned)) {
        Some(etag) => Ok(WriteReceipt { external_id: external_id.to_owned(), etag }),
        None => Err(ProviderError::Transient("Google's response to a write has no etag".to_owned())),
    }
}
