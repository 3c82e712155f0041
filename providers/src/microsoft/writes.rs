//! Writing entries.
//!
//! Microsoft gives out the ids. What we decide beforehand is the transaction (a POST that repeats one returns the event
//! that the first made) and an extended property by which the entry can be asked for.

use concord_domain::{entry::EntryContent, ids::EntryId};
use http::{StatusCode, header::ETAG};
use serde_json::{Value, json};

use super::{
    MicrosoftCalendar,
    entries::{GraphEvent, ZoneSpelling, body_patch, event, merged_body_text, patch, says, text},
    errors::{GraphCallError, json},
    extended_properties::transaction,
    find::{EventIdKind, event_id_kind},
    requests::segment,
};
use crate::{
    access::CalendarAccess,
    error::ProviderError,
    error_response::unless_gone,
    http::BufferedResponse,
    provider::{RemoveOutcome, WriteReceipt},
    text_merge::is_same_text,
};

/// Each time that an entry was deleted and made again without its new id becoming known, one more transaction is used up.
const MAX_FORMER_EVENTS: usize = 20;

impl CalendarAccess<'_, MicrosoftCalendar> {
    pub(super) async fn insert(
        &self,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError> {
        let gone = match event_id_kind(external_id) {
            EventIdKind::Ours(_) => None,
            EventIdKind::Given(id) => {
                // Brought back before, its answer lost; or a person has moved it out of this calendar and into it again.
                if let Some(id) = self.ours(content.entry).await?.and_then(|live| live.id) {
                    return self.patch(&id, content, None).await;
                }
                Some(id)
            }
        };
        let mut transaction_id = transaction(content.entry, gone);
        for _ in 0..MAX_FORMER_EVENTS {
            let existing = match self.post_once(content, &transaction_id).await {
                Err(GraphCallError::Refused(refusal)) => match refusal.existing_event() {
                    Some(existing) => existing.to_owned(),
                    None => return Err(GraphCallError::Refused(refusal).into()),
                },
                response => {
                    let made = parse_event(&response?)?;
                    let written = self.bring_up_to_date(content, made).await;
                    return written.map_err(ProviderError::after_a_part);
                }
            };
            if let Some(live) = self.made_before(content.entry, &existing).await? {
                return self.bring_up_to_date(content, live).await;
            }
            // It lies among the deleted items, or nowhere: bring it back as what was deleted is brought back.
            transaction_id = transaction(content.entry, Some(&existing));
        }
        Err(ProviderError::Transient("the event could not be recreated after several attempts".into()))
    }

    /// What a POST brought, or a former one whose answer was lost, perhaps from before the booking changed.
    async fn bring_up_to_date(
        &self,
        content: &EntryContent,
        made: GraphEvent,
    ) -> Result<WriteReceipt, ProviderError> {
        if says(&made, content) {
            return written(made);
        }
        let id = made.id.ok_or_else(missing_id)?;
        self.patch(&id, content, None).await
    }

    pub(super) async fn replace(
        &self,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        match event_id_kind(external_id) {
            EventIdKind::Given(id) if etag.is_none() => {
                // A version would tell of a deletion; without one it would be written among the deleted items.
                self.find_live(id).await?.ok_or(ProviderError::NotFound)?;
                self.patch(id, content, None).await
            }
            EventIdKind::Given(id) => self.patch(id, content, etag).await,
            EventIdKind::Ours(entry) => {
                let live = self.ours(entry).await?.and_then(|live| live.id);
                let id = live.ok_or(ProviderError::NotFound)?;
                self.patch(&id, content, etag).await
            }
        }
    }

    pub(super) async fn delete(&self, external_id: &str) -> Result<RemoveOutcome, ProviderError> {
        let calendar = self.graph()?;
        let found;
        let id = match event_id_kind(external_id) {
            EventIdKind::Given(id) => id,
            EventIdKind::Ours(entry) => {
                let live = unless_gone(self.ours(entry).await)?.flatten();
                let Some(id) = live.and_then(|live| live.id) else { return Ok(RemoveOutcome::Before) };
                found = id;
                found.as_str()
            }
        };
        // Nothing has such an id, so there is nothing to remove.
        let Ok(id) = segment(id) else { return Ok(RemoveOutcome::Before) };
        let built = calendar.event(id).delete_events().build().await;
        match unless_gone(self.account.call(built).await)? {
            None => Ok(RemoveOutcome::Before),
            Some(response) if response.status == StatusCode::NO_CONTENT => Ok(RemoveOutcome::Now),
            // A page of somebody else's.
            Some(response) => {
                let status = response.status;
                Err(ProviderError::Transient(format!("Microsoft answered {status} to a removal")))
            }
        }
    }

    async fn post_once(
        &self,
        content: &EntryContent,
        transaction: &str,
    ) -> Result<BufferedResponse, GraphCallError> {
        self.in_either_spelling(|spelling| {
            let mut event = event(content, spelling);
            event["transactionId"] = json!(transaction);
            self.post(event)
        })
        .await
    }

    /// The event that a former POST of the entry made, if the calendar has it: `existing` is what Microsoft calls it.
    async fn made_before(
        &self,
        entry: EntryId,
        existing: &str,
    ) -> Result<Option<GraphEvent>, GraphCallError> {
        match self.ours(entry).await? {
            Some(live) => Ok(Some(live)),
            None => self.find_live(existing).await,
        }
    }

    async fn post(&self, event: Value) -> Result<BufferedResponse, GraphCallError> {
        let built = self.graph()?.events().create_events(&event).build().await;
        self.account.call(built).await
    }

    async fn patch(
        &self,
        id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        let id = segment(id)?;
        let response =
            self.in_either_spelling(|spelling| self.put(id, patch(content, spelling), etag)).await?;
        let event = parse_event(&response)?;
        if is_same_text(text(&event), &content.description) {
            return written(event);
        }
        let with_text = self.write_text(id, content, event).await;
        with_text.map_err(ProviderError::after_a_part)
    }

    /// Brings the text up to date around what people added to it, at the version that our write has just made.
    async fn write_text(
        &self,
        id: &str,
        content: &EntryContent,
        patched: GraphEvent,
    ) -> Result<WriteReceipt, ProviderError> {
        // With our marks, which no answer to a write brings.
        let stands = self.by_id(id).await?.ok_or(ProviderError::NotFound)?;
        let Some(said) = merged_body_text(&stands, content) else { return written(patched) };
        let body = body_patch(&said, content);
        let response = self.put(id, body, patched.etag.as_deref()).await?;
        written(parse_event(&response)?)
    }

    async fn put(
        &self,
        id: &str,
        event: Value,
        etag: Option<&str>,
    ) -> Result<BufferedResponse, GraphCallError> {
        let built = self.graph()?.event(id).update_events(&event).build().await;
        self.account.call_if(built, etag).await
    }

    /// Writes in the entry's zone, and in UTC where the mailbox's server does not know that: it then keeps the instants,
    /// and our property the zone. What it refused once it is not asked again soon.
    async fn in_either_spelling<W, F>(&self, write: W) -> Result<BufferedResponse, GraphCallError>
    where
        W: Fn(ZoneSpelling) -> F,
        F: Future<Output = Result<BufferedResponse, GraphCallError>>,
    {
        let microsoft = self.account.provider;
        if microsoft.no_zones.holds(self.calendar, microsoft.clock.now()) {
            return write(ZoneSpelling::Utc).await;
        }
        match write(ZoneSpelling::Zone).await {
            Err(GraphCallError::Refused(refusal)) if refusal.says_zone_unknown() => {
                microsoft.no_zones.note(self.calendar, microsoft.clock.now());
                write(ZoneSpelling::Utc).await
            }
            outcome => outcome,
        }
    }
}

fn parse_event(response: &BufferedResponse) -> Result<GraphEvent, ProviderError> {
    let mut event: GraphEvent = json(response)?;
    event.etag = event.etag.or_else(|| response.header(&ETAG).map(str::to_owned));
    Ok(event)
}

fn written(event: GraphEvent) -> Result<WriteReceipt, ProviderError> {
    let external_id = event.id.ok_or_else(missing_id)?;
    match event.etag {
        Some(etag) => Ok(WriteReceipt { external_id, etag }),
        None => Err(ProviderError::Transient("Microsoft's response to a write has no etag".to_owned())),
    }
}

fn missing_id() -> ProviderError {
    ProviderError::Transient("Microsoft's response to a write has no id".to_owned())
}
