//! From the rows of a feed to its bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, IntoResponseParts, Response},
};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::Booking,
    feed::FeedScope,
    ical::{
        feed::{FeedContext, FeedHeader, PRODUCT, booking_feed, driver_feed, guest_feed},
        scheduling::Organizer,
    },
    ids::{BusinessId, ChannelId, ResourceId, StaffId},
    privacy::FeedPrivacy,
};
use concord_storage::{
    StorageError,
    bookings::{self, FeedRange},
    businesses::{self, Business},
    channels::{self, published},
    feeds::{self, Feed, PublishedFeed},
    resources, secret,
};
use flate2::{Compression, write::GzEncoder};

use super::caching::{is_fresh, wants_gzip};
use crate::app::App;

/// How a feed speaks of bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum FeedVariant {
    /// As calendars show them.
    Calendar,
    /// By their guests, those alone that are agreed on.
    Guests,
}

/// A feed as bytes, and compressed.
#[derive(Debug)]
pub(in crate::http) struct RenderedBody {
    pub(super) plain: Bytes,
    /// `None`: there is the plain variant only.
    gzip: Option<Bytes>,
    digest: String,
    /// Since when it is so, which is after the last change that it shows.
    pub(super) made_at: DateTime<Utc>,
}

impl RenderedBody {
    /// Compresses what was rendered.
    pub(in crate::http) fn new(plain: Vec<u8>, made_at: DateTime<Utc>) -> Self {
        let digest = secret::digest_bytes(&plain)[..32].to_owned();
        // Without a name and a time in its header the same bytes come out each time.
        let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8 + 64), Compression::default());
        // Writing to memory cannot fail; if it did, an empty variant would be worse than none.
        let gzip = encoder.write_all(&plain).and_then(|()| encoder.finish()).ok().map(Bytes::from);
        Self { plain: plain.into(), gzip, digest, made_at }
    }

    /// How much memory its variants take, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.plain.len() + self.gzip.as_ref().map_or(0, Bytes::len)
    }

    /// The bytes, or that the reader has them already. `always` is said in either case.
    pub(in crate::http) fn answer(
        &self,
        asked: &HeaderMap,
        always: impl IntoResponseParts,
        with_bytes: impl IntoResponseParts,
    ) -> Response {
        // Other bytes, another tag (RFC 9110, section 8.8.3.3); who has one variant has them all.
        let tags = ["", "-gzip"].map(|variant| format!("\"{}{variant}\"", self.digest));
        let is_fresh = is_fresh(asked, &tags, self.made_at);
        let [plain_tag, gzip_tag] = tags;
        let gzip = self.gzip.as_ref().filter(|_| wants_gzip(asked));
        let tag = if gzip.is_some() { gzip_tag } else { plain_tag };
        let common = ([(header::ETAG, tag)], [(header::VARY, "Accept-Encoding")], always);
        if is_fresh {
            return (StatusCode::NOT_MODIFIED, common, ()).into_response();
        }
        let encoding = gzip.map(|_| [(header::CONTENT_ENCODING, "gzip")]);
        (common, with_bytes, encoding, gzip.unwrap_or(&self.plain).clone()).into_response()
    }
}

/// The feed as its rows are now, without what was over before `first_day`. What a platform will read by it is written
/// down before it can.
pub(super) async fn render(
    app: &App,
    published: &PublishedFeed,
    form: FeedVariant,
    first_day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<RenderedBody, StorageError> {
    let (db, feed) = (&app.context.db, &published.feed);
    let business = businesses::find(db, feed.business_id).await?.ok_or(StorageError::NotFound)?;
    let most = app.config.feeds.max_events;
    let mut bookings = load_bookings(app, feed, first_day, most).await?;
    if bookings.len() > most {
        tracing::warn!(feed = %feed.id, most, "a feed leaves out its oldest bookings: raise feeds.max_events");
        bookings.remove(0);
    }
    if let (FeedScope::Channel, Some(channel)) = (feed.scope, feed.subject_id) {
        let stretches: Vec<_> = bookings.iter().map(|booking| (booking.id, booking.interval)).collect();
        let place = (business.id, ChannelId(channel));
        published::publish(db, place, published.contents, &stretches, now).await?;
    }
    let resources = resource_names(app, &business, &bookings).await?;
    let zone = feed_zone(app, feed, &business).await?;
    let plain = calendar_bytes(app, (feed, form), &business, &resources, zone, &bookings);
    // Megabytes take tens of milliseconds, in which this thread would answer nobody.
    let rendered = tokio::task::spawn_blocking(move || RenderedBody::new(plain, now))
        .await
        .map_err(|_| StorageError::Inconsistent { what: "rendered feed" })?;
    let contents = (<&str>::from(form), rendered.digest.as_str());
    let made_at = feeds::contents_since(db, (business.id, feed.id), contents, now).await?;
    Ok(RenderedBody { made_at, ..rendered })
}

/// One more than `most` where there are more.
async fn load_bookings(
    app: &App,
    feed: &Feed,
    first_day: NaiveDate,
    most: usize,
) -> Result<Vec<Booking>, StorageError> {
    let (db, business) = (&app.context.db, feed.business_id);
    let ask = FeedRange { from: first_day.and_time(NaiveTime::MIN).and_utc(), most: most.saturating_add(1) };
    let subject = || feed.subject_id.ok_or(StorageError::Inconsistent { what: "feed" });
    match feed.scope {
        FeedScope::Business => bookings::of_business(db, business, ask).await,
        FeedScope::Resource => {
            bookings::list_for_resource_feed(db, business, ResourceId(subject()?), ask).await
        }
        FeedScope::Staff | FeedScope::Driver => {
            bookings::of_staff(db, business, StaffId(subject()?), ask).await
        }
        FeedScope::Channel => load_channel_bookings(app, business, ChannelId(subject()?), ask).await,
    }
}

/// What takes a channel's resource, without what the platform itself has sold there.
async fn load_channel_bookings(
    app: &App,
    business: BusinessId,
    channel: ChannelId,
    ask: FeedRange,
) -> Result<Vec<Booking>, StorageError> {
    let db = &app.context.db;
    let channel = channels::find(db, business, channel).await?.ok_or(StorageError::NotFound)?;
    bookings::list_for_channel_feed(db, &channel, ask).await
}

async fn resource_names(
    app: &App,
    business: &Business,
    bookings: &[Booking],
) -> Result<BTreeMap<ResourceId, String>, StorageError> {
    let ids: BTreeSet<ResourceId> = bookings.iter().map(|booking| booking.draft.resource).collect();
    let mut names = BTreeMap::new();
    for id in ids {
        if let Some(resource) = resources::find(&app.context.db, business.id, id).await? {
            names.insert(id, resource.name);
        }
    }
    Ok(names)
}

/// A resource's own zone, where the feed is about one that has it.
async fn feed_zone(app: &App, feed: &Feed, business: &Business) -> Result<Tz, StorageError> {
    let db = &app.context.db;
    let id = match (feed.scope, feed.subject_id) {
        (FeedScope::Resource, Some(id)) => ResourceId(id),
        (FeedScope::Channel, Some(id)) => match channels::find(db, business.id, ChannelId(id)).await? {
            Some(channel) => channel.resource_id,
            None => return Ok(business.zone),
        },
        _ => return Ok(business.zone),
    };
    let resource = resources::find(db, business.id, id).await?;
    Ok(resource.and_then(|resource| resource.zone).unwrap_or(business.zone))
}

fn calendar_bytes(
    app: &App,
    (feed, form): (&Feed, FeedVariant),
    business: &Business,
    resources: &BTreeMap<ResourceId, String>,
    zone: Tz,
    bookings: &[Booking],
) -> Vec<u8> {
    let description = match (feed.privacy, form) {
        // Readers of a busy feed are told that the time is taken, not by whom.
        (FeedPrivacy::Busy, _) => String::new(),
        (_, FeedVariant::Calendar) => business.name.clone(),
        (_, FeedVariant::Guests) => format!("Confirmed and approved bookings for {}", business.name),
    };
    let header = FeedHeader {
        name: &feed.name,
        description: &description,
        zone,
        refresh: u32::try_from(app.config.feeds.refresh.as_secs() / 60).unwrap_or(60).max(1),
        // RFC 5546, 3.2.1 wants one in what is published. Who is told only that the time is taken is not told whose.
        organizer: Some(Organizer {
            name: if feed.privacy == FeedPrivacy::Busy { "" } else { &business.name },
            mail: &app.context.mail.from_address,
        }),
        product: PRODUCT,
    };
    let names = FeedContext { business: &business.name, resources, platforms: &app.context.platforms };
    let write = match (form, feed.scope) {
        (FeedVariant::Guests, _) => guest_feed,
        (FeedVariant::Calendar, FeedScope::Driver) => driver_feed,
        (FeedVariant::Calendar, _) => booking_feed,
    };
    write(bookings, names, feed.privacy, &app.context.mail.uid_host, &header)
}
