//! Takes over what a platform's feed or file says once, because somebody asks.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{ChannelState, RunOrigin},
    ids::{BusinessId, ChannelId, ResourceId},
    people::Actor,
    platform::Platform,
};
use concord_providers::{FeedError, FeedRequest, Fetched, feed_address};
use concord_storage::{
    StorageError,
    channels::{self, Channel, Import, Listing, NewChannel, Read},
    platform_settings, resources,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    doubts::{self, Doubt},
    own_feed::is_our_feed,
    poll::ReadFailure,
    sight::{Schedule, Surroundings, Understood, mark_ours, understand},
    take_over::{Source, Taken, take_over},
};
use crate::{Context, job::JobError};

/// What somebody asks to be taken over.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The tenant.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// Where.
    pub platform: Platform,
    /// The feed itself.
    pub from: From,
    /// Who asks.
    pub actor: Actor,
    /// Whether it is taken over although it seems to be of another platform.
    pub confirmed: bool,
}

/// Where a feed comes from.
#[derive(Clone, Debug)]
pub enum From {
    /// An address, as somebody typed it.
    Address(SecretString),
    /// A file that was handed in.
    File(bytes::Bytes),
}

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The feed was not read.
    #[error(transparent)]
    Unread(#[from] ReadFailure),
    /// It seems to be of another platform; nothing was changed.
    #[error(transparent)]
    Doubtful(Doubt),
    /// The resource is not of the business.
    #[error("there is no such resource")]
    NoResource,
    /// A part of it was done, and the rest was not.
    #[error("{0}")]
    Stopped(String),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl std::convert::From<JobError> for ImportError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => Self::Storage(error),
            other => Self::Stopped(other.to_string()),
        }
    }
}

/// The feed, the channel that it is of and all around it.
pub(super) struct Opened {
    pub(super) channel: Channel,
    pub(super) surroundings: Surroundings,
    pub(super) understood: Understood,
    /// Whether the channel was made for this.
    is_new: bool,
}

impl Wish {
    /// The same with its address in one spelling.
    pub(super) fn spelled(&self) -> Result<Self, ImportError> {
        let from = match &self.from {
            From::Address(url) => From::Address(one_spelling(url).map_err(ReadFailure::from)?),
            From::File(bytes) => From::File(bytes.clone()),
        };
        Ok(Self { from, ..self.clone() })
    }
}

/// The address as it is compared, kept and read, however somebody typed it.
pub fn one_spelling(url: &SecretString) -> Result<SecretString, FeedError> {
    Ok(String::from(feed_address(url.expose_secret())?).into())
}

/// Takes over what the feed says, for the channel that reads it, or a new one that is read only when somebody asks. What
/// seems to be of another platform is refused, unless that is confirmed.
pub async fn import(context: &Context, wish: &Wish) -> Result<Taken, ImportError> {
    let wish = &wish.spelled()?;
    let Opened { mut channel, mut surroundings, understood, is_new } = open(context, wish).await?;
    let doubt = match another_platform(context, wish, &understood) {
        Some(doubt) if !wish.confirmed => return Err(ImportError::Doubtful(doubt)),
        doubt => doubt.map(|doubt| doubt.to_string()),
    };
    if is_new {
        channel = make(context, wish, &channel).await?;
        // It may be one that was removed, and what it knew is known again.
        surroundings = around(context, wish, &channel).await?;
    }
    let origin = match wish.from {
        // It is read at its times, and now because somebody asks.
        From::Address(_) if channel.polled && !surroundings.is_part => RunOrigin::Person,
        From::Address(_) => RunOrigin::Url,
        From::File(_) => RunOrigin::File,
    };
    let source = Source { origin, actor: wish.actor.clone(), job: None };
    let mut taken = take_over(context, &channel, &surroundings, &understood, &source).await?;
    let remark = taken.remark();
    // Who asks is told; of the feed itself it says nothing.
    taken.warnings.splice(0..0, doubt);
    let read = Read::Whole {
        etag: None,
        last_modified: None,
        digest: None,
        changed: taken.changed(),
        remark: remark.as_deref(),
    };
    let mut tx = context.db.begin().await?;
    if channel.polled && surroundings.is_part {
        // That is no reading of the feed, which may say something else of the same events.
        channels::look_again(&mut tx, channel.business_id, channel.id).await?;
    } else {
        channels::note_read(&mut tx, channel.id, read, context.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(taken)
}

/// Reads and understands a feed, without looking at what would follow from it. Returns the program that wrote it (PRODID);
/// empty where it does not say.
pub async fn try_reading(context: &Context, wish: &Wish) -> Result<String, ImportError> {
    Ok(open(context, &wish.spelled()?).await?.understood.product)
}

/// What an import goes by. A file, or another address than the channel's own, may be a part of what the platform has.
async fn around(context: &Context, wish: &Wish, channel: &Channel) -> Result<Surroundings, StorageError> {
    let is_part = match &wish.from {
        From::File(_) => true,
        From::Address(url) => {
            let own = channels::import_url(&context.db, &context.ring, wish.business, channel.id).await?;
            own.is_none_or(|own| own.expose_secret() != url.expose_secret())
        }
    };
    let surroundings = Surroundings::load(context, channel, &wish.platform).await?;
    Ok(Surroundings { is_part, ..surroundings })
}

/// What speaks against its being a calendar of the platform that was named.
pub(super) fn another_platform(context: &Context, wish: &Wish, understood: &Understood) -> Option<Doubt> {
    let address = match &wish.from {
        From::Address(url) => Some(url),
        From::File(_) => None,
    };
    doubts::another_platform(context, &wish.platform, address, &understood.product)
}

pub(super) async fn open(context: &Context, wish: &Wish) -> Result<Opened, ImportError> {
    let now = context.clock.now();
    let found = known(context, wish).await?;
    let is_new = found.is_none();
    let channel = match found {
        Some(channel) => channel,
        None => nobody(context, wish, now).await?,
    };
    let surroundings = match around(context, wish, &channel).await {
        Err(StorageError::NotFound) => return Err(ImportError::NoResource),
        loaded => loaded?,
    };
    let bytes = match &wish.from {
        From::File(bytes) => bytes.clone(),
        From::Address(url) => {
            let url = feed_address(url.expose_secret()).map_err(ReadFailure::from)?;
            if is_our_feed(context, &url).await? {
                return Err(ReadFailure::OwnFeed.into());
            }
            match context.feeds.fetch(FeedRequest::anew(&url)).await.map_err(ReadFailure::from)? {
                Fetched::Body(body) => body.bytes,
                Fetched::NotModified => bytes::Bytes::new(),
            }
        }
    };
    let schedule = if channel.polled && !surroundings.is_part { Schedule::Polled } else { Schedule::Once };
    let read = understand(bytes, &wish.platform, surroundings.zone, (schedule, now)).await;
    let mut understood = read.map_err(ReadFailure::from)?;
    mark_ours(context, wish.business, &mut understood).await?;
    Ok(Opened { channel, surroundings, understood, is_new })
}

/// The channel that an import is for: the one that reads the address, or that takes files, or else the only one that the
/// resource has on the platform, so that what came by one way is known when it comes by another.
async fn known(context: &Context, wish: &Wish) -> Result<Option<Channel>, StorageError> {
    let (db, business, resource) = (&context.db, wish.business, wish.resource);
    let platform = wish.platform.id.as_str();
    let files = Listing { business, resource, platform, url: None };
    if let From::Address(url) = &wish.from
        && let Some(channel) = channels::by_address(db, Listing { url: Some(url), ..files }).await?
    {
        return Ok(Some(channel));
    }
    if let Some(channel) = channels::by_address(db, files).await? {
        return Ok(Some(channel));
    }
    let mut all = channels::list(db, business).await?;
    all.retain(|one| one.resource_id == resource && one.platform == platform);
    Ok(if all.len() == 1 { all.pop() } else { None })
}

/// A channel that does not exist yet, of which nothing is known.
async fn nobody(context: &Context, wish: &Wish, now: DateTime<Utc>) -> Result<Channel, StorageError> {
    let said = platform_settings::find(&context.db, wish.business, wish.platform.id.as_str()).await?;
    Ok(Channel {
        id: ChannelId::new(now),
        business_id: wish.business,
        resource_id: wish.resource,
        platform: wish.platform.id.to_string(),
        state: ChannelState::Active,
        preference: said.preference,
        blocks: said.blocks,
        interval_minutes: None,
        has_import: false,
        import_host: String::new(),
        polled: false,
        feed_id: None,
        etag: None,
        last_modified: None,
        body_digest: None,
        polled_at: None,
        read_at: None,
        changed_at: None,
        failing_since: None,
        last_error: None,
        import_guard: None,
        held_items: 0,
        held_of: 0,
        held_until: None,
        has_webhook: false,
        removed_at: None,
        created_at: now,
    })
}

/// Makes the channel that does not exist yet, as it was looked at.
async fn make(context: &Context, wish: &Wish, nobody: &Channel) -> Result<Channel, ImportError> {
    let host = match &wish.from {
        From::Address(url) => host_of(url),
        From::File(_) => String::new(),
    };
    let import = match &wish.from {
        From::Address(url) => Some(Import { url, host: &host }),
        From::File(_) => None,
    };
    let new = NewChannel {
        business: wish.business,
        resource: wish.resource,
        platform: &nobody.platform,
        preference: nobody.preference,
        blocks: nobody.blocks,
        import,
        polled: false,
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // Somebody else may ask for the same at the same time: one makes it, and the other finds it.
    resources::lock(&mut tx, wish.business, wish.resource).await?;
    let listing = Listing {
        business: wish.business,
        resource: wish.resource,
        platform: &nobody.platform,
        url: new.import.as_ref().map(|import| import.url),
    };
    if let Some(channel) = channels::by_address_in(&mut tx, listing).await? {
        return Ok(channel);
    }
    let channel = channels::create(&mut tx, &context.ring, &new, now).await?;
    tx.commit().await?;
    Ok(channel)
}

/// The host of an address; all that may be shown of it.
pub fn host_of(url: &SecretString) -> String {
    let parsed = feed_address(url.expose_secret()).ok();
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// The resource that an import is for where nobody names one: the only one that there is.
pub async fn only_resource(
    context: &Context,
    business: BusinessId,
) -> Result<Option<ResourceId>, StorageError> {
    let ask = concord_storage::PageAsk { limit: 2, after: None };
    let page = resources::list(&context.db, business, &ask).await?;
    Ok(match &page.items[..] {
        [only] => Some(only.id),
        _ => None,
    })
}
