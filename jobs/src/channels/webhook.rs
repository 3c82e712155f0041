//! What a channel manager tells us of a channel, by signed webhooks (Standard Webhooks 1.0.0).
//!
//! A message is believed if it is signed with the channel's key and not older than five minutes, and done once, however
//! often it comes. It tells of one reservation, or that the platform's feed has changed.

use bytes::Bytes;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::BookingTime,
    channel::{
        ChannelState, ItemKind, RunOrigin, RunOutcome,
        plan::{FeedItem, ItemAction},
    },
    ical,
    job::QueueClass,
    json::{self, StrictStructs},
};
use concord_storage::{
    StorageError, bookings,
    channels::{
        self, Channel,
        items::{self, ChannelItem},
        webhooks,
    },
    in_tx, resources,
};
use secrecy::SecretString;
use serde::{Deserialize, de::Error};
use serde_json::Value;

use super::{
    apply::{AppliedActions, ChannelRunContext},
    notices, zone_of,
};
use crate::{Context, job::JobError, standard_webhooks::is_signed};

/// How far a message's time may be from ours.
pub const TOLERANCE: Duration = Duration::minutes(5);

/// Longer ids are nobody's.
const MAX_ID_BYTES: usize = 200;
/// For so long a message about a reservation may come after one that it was called off.
const OVERTAKES_FOR: Duration = Duration::days(1);

/// A message as it came.
#[derive(Clone, Debug)]
pub struct WebhookMessage<'a> {
    /// `webhook-id`: the same for each try.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more of `v1,<base64>`, with spaces between.
    pub signature: &'a str,
    /// As it was signed.
    pub body: &'a Bytes,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No channel takes messages at this address, or the signature or the time is not right.
    #[error("the signature does not match this channel's key, or the message is older than five minutes")]
    NotBelieved,
    /// It is signed, and says nothing that is understood.
    #[error("the message is not valid: {0}")]
    Malformed(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Nothing is taken over until somebody says so.
    #[error("the channel is paused")]
    Paused,
    /// It could not be done, and may be sent again.
    #[error("{0}")]
    Failed(String),
}

impl From<JobError> for WebhookError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => Self::Storage(error),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// What was done about a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    Done,
    /// Nothing: it was done before.
    Before,
    /// Nothing by itself: the platform's feed is read now, and says what is so.
    LeftToFeed,
    /// Nothing: it is about what is not known, or is ours, or was overtaken by what was told since.
    Nothing,
}

/// What a message says.
#[derive(Debug)]
enum WebhookEvent {
    /// The feed has changed: it is read now.
    Changed,
    /// A reservation is new.
    Created(ReservationPayload),
    /// A reservation is as it says now.
    Updated(ReservationPayload),
    /// A reservation was called off.
    Cancelled(CancellationPayload),
}

impl WebhookEvent {
    // By hand: where `data` comes before `type`, serde's tagged enums keep it aside and take a list for an object then.
    fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct WebhookEnvelope {
            #[serde(rename = "type")]
            kind: String,
            #[serde(default)]
            data: Value,
        }

        fn data<T: for<'de> Deserialize<'de>>(data: Value) -> Result<T, serde_json::Error> {
            T::deserialize(StrictStructs(data))
        }

        let envelope: WebhookEnvelope = json::from_slice(body)?;
        match envelope.kind.as_str() {
            "calendar.changed" => Ok(Self::Changed),
            "reservation.created" => data(envelope.data).map(Self::Created),
            "reservation.updated" => data(envelope.data).map(Self::Updated),
            "reservation.cancelled" => data(envelope.data).map(Self::Cancelled),
            other => Err(serde_json::Error::custom(format!("there is no type `{other}`"))),
        }
    }
}

#[derive(Debug, Deserialize)]
struct CancellationPayload {
    uid: String,
}

#[derive(Debug, Deserialize)]
struct ReservationPayload {
    uid: String,
    #[serde(default)]
    check_in: Option<NaiveDate>,
    #[serde(default)]
    check_out: Option<NaiveDate>,
    #[serde(default)]
    starts_at: Option<DateTime<Utc>>,
    #[serde(default)]
    ends_at: Option<DateTime<Utc>>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    guest: Option<String>,
}

impl ReservationPayload {
    fn time(&self) -> Option<BookingTime> {
        match (self.check_in, self.check_out, self.starts_at, self.ends_at) {
            (Some(check_in), Some(check_out), None, None) => Some(BookingTime::Stay { check_in, check_out }),
            (None, None, Some(starts_at), Some(ends_at)) => Some(BookingTime::Timed { starts_at, ends_at }),
            _ => None,
        }
    }
}

/// Does what a message says that came to the address with this token.
pub async fn hear(
    context: &Context,
    token: &SecretString,
    message: &WebhookMessage<'_>,
) -> Result<WebhookOutcome, WebhookError> {
    let found = webhooks::find_by_token(&context.db, &context.ring, token).await?;
    let (channel, key) = found.ok_or(WebhookError::NotBelieved)?;
    let now = context.clock.now();
    if !is_recent(message.timestamp, now)
        || !is_signed(&key, (message.id, message.timestamp), message.body, message.signature)
    {
        return Err(WebhookError::NotBelieved);
    }
    if message.id.is_empty() || message.id.len() > MAX_ID_BYTES {
        return Err(WebhookError::Malformed("its id must have 1 to 200 characters".to_owned()));
    }
    if channel.state == ChannelState::Paused {
        return Err(WebhookError::Paused);
    }
    if webhooks::is_taken(&context.db, channel.id, message.id).await? {
        return Ok(WebhookOutcome::Before);
    }
    let event =
        WebhookEvent::read(message.body).map_err(|error| WebhookError::Malformed(error.to_string()))?;
    let outcome = apply_event(context, &channel, &event).await?;
    // Last: what fails on the way is done when it comes again, and what is done twice is done once.
    let first = in_tx!(context.db, tx => webhooks::take(&mut tx, channel.id, message.id, now).await)?;
    Ok(if first { outcome } else { WebhookOutcome::Before })
}

fn is_recent(timestamp: &str, now: DateTime<Utc>) -> bool {
    let sent = timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    sent.is_some_and(|sent| (now - sent).abs() <= TOLERANCE)
}

async fn apply_event(
    context: &Context,
    channel: &Channel,
    event: &WebhookEvent,
) -> Result<WebhookOutcome, WebhookError> {
    let (uid, reserved) = match event {
        WebhookEvent::Changed => return poll_now(context, channel).await,
        WebhookEvent::Cancelled(cancelled) => (&cancelled.uid, None),
        WebhookEvent::Created(reserved) | WebhookEvent::Updated(reserved) => (&reserved.uid, Some(reserved)),
    };
    let (key, now) = (uid.trim(), context.clock.now());
    if reserved.is_some() && is_own(context, channel, key).await? {
        return poll_now(context, channel).await;
    }
    let known = items::to_come(&context.db, channel.business_id, channel.id, now).await?;
    let before = known.iter().find(|item| item.item_key == key);
    // Where there is a feed too, it is the judge of what changes and what goes: one that lags would take both back.
    if channel.polled && (reserved.is_none() || before.is_some()) {
        return defer_to_feed(context, channel, before.filter(|_| reserved.is_none())).await;
    }
    // It was overtaken by a later message: senders repeat what was not answered, in any order.
    let is_overtaken = match (event, before) {
        (WebhookEvent::Created(_), Some(_)) => true,
        (WebhookEvent::Created(_) | WebhookEvent::Updated(_), None) => {
            let place = (channel.business_id, channel.id);
            items::was_lost(&context.db, place, key, now - OVERTAKES_FOR).await?
        }
        _ => false,
    };
    if is_overtaken {
        return Ok(WebhookOutcome::Nothing);
    }
    if key.is_empty() || key.len() > 1_000 || key.chars().any(char::is_control) {
        return Err(WebhookError::Malformed("data.uid must name the reservation".to_owned()));
    }
    let action = match (before, reserved) {
        (before, Some(reserved)) => {
            let item = item_of(context, channel, (key, before), reserved).await?;
            // The feed may have it under another name.
            let same =
                |one: &ChannelItem| one.kind == ItemKind::Reservation && one.interval() == item.interval;
            if channel.polled && known.iter().any(same) {
                return poll_now(context, channel).await;
            }
            Some(before.map_or_else(
                || ItemAction::Add(item.clone()),
                |before| ItemAction::Change { id: before.id, to: item.clone() },
            ))
        }
        (Some(before), None) => Some(ItemAction::Lose(before.id)),
        (None, None) => None,
    };
    match action {
        Some(action) => apply(context, channel, before, action).await.map(|()| WebhookOutcome::Done),
        None => Ok(WebhookOutcome::Nothing),
    }
}

/// Whether a reservation bears the UID of a booking of the business: some channel managers tell of what they have read in our
/// feed as of any other reservation.
async fn is_own(context: &Context, channel: &Channel, uid: &str) -> Result<bool, StorageError> {
    let Some(named) = ical::booking_of(uid) else { return Ok(false) };
    Ok(!bookings::existing_ids(&context.db, channel.business_id, &[named]).await?.is_empty())
}

/// Has the feed read now. What stood by a message alone, and was called off by another, stands by the feed from now on.
async fn defer_to_feed(
    context: &Context,
    channel: &Channel,
    called_off: Option<&ChannelItem>,
) -> Result<WebhookOutcome, WebhookError> {
    if let Some(item) = called_off.filter(|item| item.pinned) {
        let mut tx = context.db.begin().await?;
        items::back(&mut tx, channel.business_id, item.id).await?;
        channels::look_again(&mut tx, channel.business_id, channel.id).await?;
        tx.commit().await?;
    }
    poll_now(context, channel).await
}

async fn poll_now(context: &Context, channel: &Channel) -> Result<WebhookOutcome, WebhookError> {
    if !channel.polled {
        return Ok(WebhookOutcome::Nothing);
    }
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let enqueued = channels::enqueue_poll(&mut tx, channel, QueueClass::Interactive, now, now).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(WebhookOutcome::LeftToFeed)
}

async fn item_of(
    context: &Context,
    channel: &Channel,
    (key, before): (&str, Option<&ChannelItem>),
    reserved: &ReservationPayload,
) -> Result<FeedItem, WebhookError> {
    let missing = "data must have check_in and check_out, or starts_at and ends_at";
    let time = reserved.time().ok_or_else(|| WebhookError::Malformed(missing.to_owned()))?;
    let resource = resources::find(&context.db, channel.business_id, channel.resource_id).await?;
    let zone = zone_of(&context.db, channel.business_id, resource.as_ref()).await?;
    let backwards = "data ends before it begins";
    let interval = time.interval(zone).ok_or_else(|| WebhookError::Malformed(backwards.to_owned()))?;
    let summary = match (&reserved.guest, reserved.summary.trim()) {
        (Some(guest), "") => guest.clone(),
        // What is not said again stays.
        (None, "") => before.map_or_else(|| "Reserved".to_owned(), |before| before.summary.clone()),
        (_, summary) => summary.to_owned(),
    };
    Ok(FeedItem {
        key: key.to_owned(),
        time,
        interval,
        kind: ItemKind::Reservation,
        summary,
        description: String::new(),
        guest: reserved.guest.clone().or_else(|| before.and_then(|before| before.guest.clone())),
        contested: false,
        tentative: false,
    })
}

async fn apply(
    context: &Context,
    channel: &Channel,
    before: Option<&ChannelItem>,
    action: ItemAction,
) -> Result<(), WebhookError> {
    let keys: Vec<String> = match &action {
        ItemAction::Add(item) | ItemAction::Change { to: item, .. } => vec![item.key.clone()],
        ItemAction::Return(_) | ItemAction::Miss(_) | ItemAction::Lose(_) => Vec::new(),
    };
    let known = before.into_iter().map(|item| (item.id, item)).collect();
    let by = (RunOrigin::Webhook, notices::actor(context, channel));
    let run = ChannelRunContext::begin(context, channel, known, by);
    run.record_start(RunOutcome::Applied).await?;
    let mut applied = AppliedActions::default();
    let ended = run.apply(&[action], &mut applied).await;
    let (outcome, message) = match &ended {
        Ok(()) => (RunOutcome::Applied, notices::counted(applied.counts, None, &applied.refused)),
        Err(error) => (RunOutcome::Failed, error.to_string()),
    };
    run.record(outcome, &message, applied.counts).await?;
    ended?;
    // Sent again, it finds the booking as somebody has changed it meanwhile.
    if applied.overtaken {
        return Err(WebhookError::Failed("the booking is being updated".to_owned()));
    }
    pin_items(context, channel, &keys).await?;
    match applied.refused.into_iter().next() {
        Some(refused) => Err(WebhookError::Malformed(refused)),
        None => Ok(()),
    }
}

/// The platform's feed may be slower than its webhooks: what it lacks stays until it has been there.
async fn pin_items(context: &Context, channel: &Channel, keys: &[String]) -> Result<(), StorageError> {
    if !channel.polled {
        return Ok(());
    }
    let now = context.clock.now();
    let known = items::to_come(&context.db, channel.business_id, channel.id, now).await?;
    let mut tx = context.db.begin().await?;
    for item in known.iter().filter(|item| keys.contains(&item.item_key)) {
        items::keep(&mut tx, channel.business_id, item.id).await?;
    }
    tx.commit().await
}
