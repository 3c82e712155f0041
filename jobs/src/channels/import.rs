//! Takes over what a platform's feed or file says once, because somebody asks.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{ChannelState, RunOrigin},
    ids::{BusinessId, ChannelId, ResourceId},
    people::Actor,
    platform::Platform,
};
use concord_providers::{FeedError, FeedFetchOutcome, FeedRequest, feed_address};
use concord_storage::{
    StorageError,
    channels::{self, Channel, FeedReadOutcome, ImportAddress, ListingKey, NewChannel},
    platform_settings, resources,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    address_warnings::{self, AddressWarning},
    apply_snapshot::{ChannelImportOutcome, ImportTrigger, take_over},
    own_feed::is_our_feed,
    poll::FeedReadError,
    snapshot::{FeedSchedule, ImportContext, ParsedFeed, mark_ours, parse_feed},
};
use crate::{Context, job::JobError};

/// What somebody asks to be taken over.
#[derive(Clone, Debug)]
pub struct ChannelImportRequest {
    /// The tenant.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// Where.
    pub platform: Platform,
    /// The feed itself.
    pub from: ImportSource,
    /// Who asks.
    pub actor: Actor,
    /// Whether it is taken over although it seems to be of another platform.
    pub confirmed: bool,
}

/// Where a feed comes from.
#[derive(Clone, Debug)]
pub enum ImportSource {
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
    Unread(#[from] FeedReadError),
    /// It seems to be of another platform; nothing was changed.
    #[error(transparent)]
    Doubtful(AddressWarning),
    /// The resource is not of the business.
    #[error("unknown resource")]
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
pub(super) struct OpenedImport {
    pub(super) channel: Channel,
    pub(super) surroundings: ImportContext,
    pub(super) understood: ParsedFeed,
    /// Whether the channel was made for this.
    is_new: bool,
}

impl ChannelImportRequest {
    /// The same with its address in one spelling.
    pub(super) fn spelled(&self) -> Result<Self, ImportError> {
        let from = match &self.from {
            ImportSource::Address(url) => {
                ImportSource::Address(normalize_url(url).map_err(FeedReadError::from)?)
            }
            ImportSource::File(bytes) => ImportSource::File(bytes.clone()),
        };
        Ok(Self { from, ..self.clone() })
    }
}

/// The address as it is compared, kept and read, however somebody typed it.
pub fn normalize_url(url: &SecretString) -> Result<SecretString, FeedError> {
    Ok(String::from(feed_address(url.expose_secret())?).into())
}

/// Takes over what the feed says, for the channel that reads it, or a new one that is read only when somebody asks. What
/// seems to be of another platform is refused, unless that is confirmed.
pub async fn import(
    context: &Context,
    wish: &ChannelImportRequest,
) -> Result<ChannelImportOutcome, ImportError> {
    let wish = &wish.spelled()?;
    let OpenedImport { mut channel, mut surroundings, understood, is_new } = open(context, wish).await?;
    let doubt = match another_platform(context, wish, &understood) {
        Some(doubt) if !wish.confirmed => return Err(ImportError::Doubtful(doubt)),
        doubt => doubt.map(|doubt| doubt.to_string()),
    };
    if is_new {
        channel = create_channel(context, wish, &channel).await?;
        // It may be one that was removed, and what it knew is known again.
        surroundings = load_import_context(context, wish, &channel).await?;
    }
    let origin = match wish.from {
        // It is read at its times, and now because somebody asks.
        ImportSource::Address(_) if channel.polled && !surroundings.is_part => RunOrigin::Person,
        ImportSource::Address(_) => RunOrigin::Url,
        ImportSource::File(_) => RunOrigin::File,
    };
    let source = ImportTrigger { origin, actor: wish.actor.clone(), job: None };
    let mut taken = take_over(context, &channel, &surroundings, &understood, &source).await?;
    let remark = taken.remark();
    // Who asks is told; of the feed itself it says nothing.
    taken.warnings.splice(0..0, doubt);
    let read = FeedReadOutcome::Whole {
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
pub async fn check_readable(context: &Context, wish: &ChannelImportRequest) -> Result<String, ImportError> {
    Ok(open(context, &wish.spelled()?).await?.understood.product)
}

/// What an import goes by. A file, or another address than the channel's own, may be a part of what the platform has.
async fn load_import_context(
    context: &Context,
    wish: &ChannelImportRequest,
    channel: &Channel,
) -> Result<ImportContext, StorageError> {
    let is_part = match &wish.from {
        ImportSource::File(_) => true,
        ImportSource::Address(url) => {
            let own = channels::import_url(&context.db, &context.ring, wish.business, channel.id).await?;
            own.is_none_or(|own| own.expose_secret() != url.expose_secret())
        }
    };
    let surroundings = ImportContext::load(context, channel, &wish.platform).await?;
    Ok(ImportContext { is_part, ..surroundings })
}

/// What speaks against its being a calendar of the platform that was named.
pub(super) fn another_platform(
    context: &Context,
    wish: &ChannelImportRequest,
    understood: &ParsedFeed,
) -> Option<AddressWarning> {
    let address = match &wish.from {
        ImportSource::Address(url) => Some(url),
        ImportSource::File(_) => None,
    };
    address_warnings::another_platform(context, &wish.platform, address, &understood.product)
}

pub(super) async fn open(
    context: &Context,
    wish: &ChannelImportRequest,
) -> Result<OpenedImport, ImportError> {
    let now = context.clock.now();
    let found = find_channel(context, wish).await?;
    let is_new = found.is_none();
    let channel = match found {
        Some(channel) => channel,
        None => nobody(context, wish, now).await?,
    };
    let surroundings = match load_import_context(context, wish, &channel).await {
        Err(StorageError::NotFound) => return Err(ImportError::NoResource),
        loaded => loaded?,
    };
    let bytes = match &wish.from {
        ImportSource::File(bytes) => bytes.clone(),
        ImportSource::Address(url) => {
            let url = feed_address(url.expose_secret()).map_err(FeedReadError::from)?;
            if is_our_feed(context, &url).await? {
                return Err(FeedReadError::OwnFeed.into());
            }
            match context.feeds.fetch(FeedRequest::anew(&url)).await.map_err(FeedReadError::from)? {
                FeedFetchOutcome::Body(body) => body.bytes,
                FeedFetchOutcome::NotModified => bytes::Bytes::new(),
            }
        }
    };
    let schedule =
        if channel.polled && !surroundings.is_part { FeedSchedule::Polled } else { FeedSchedule::Once };
    let read = parse_feed(bytes, &wish.platform, surroundings.zone, (schedule, now)).await;
    let mut understood = read.map_err(FeedReadError::from)?;
    mark_ours(context, wish.business, &mut understood).await?;
    Ok(OpenedImport { channel, surroundings, understood, is_new })
}

/// The channel that an import is for: the one that reads the address, or that takes files, or else the only one that the
/// resource has on the platform, so that what came by one way is known when it comes by another.
async fn find_channel(
    context: &Context,
    wish: &ChannelImportRequest,
) -> Result<Option<Channel>, StorageError> {
    let (db, business, resource) = (&context.db, wish.business, wish.resource);
    let platform = wish.platform.id.as_str();
    let files = ListingKey { business, resource, platform, url: None };
    if let ImportSource::Address(url) = &wish.from
        && let Some(channel) = channels::by_address(db, ListingKey { url: Some(url), ..files }).await?
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
async fn nobody(
    context: &Context,
    wish: &ChannelImportRequest,
    now: DateTime<Utc>,
) -> Result<Channel, StorageError> {
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
        quarantined_items: 0,
        quarantined_total: 0,
        quarantined_until: None,
        has_webhook: false,
        removed_at: None,
        created_at: now,
    })
}

/// Makes the channel that does not exist yet, as it was looked at.
async fn create_channel(
    context: &Context,
    wish: &ChannelImportRequest,
    nobody: &Channel,
) -> Result<Channel, ImportError> {
    let host = match &wish.from {
        ImportSource::Address(url) => host_of(url),
        ImportSource::File(_) => String::new(),
    };
    let import = match &wish.from {
        ImportSource::Address(url) => Some(ImportAddress { url, host: &host }),
        ImportSource::File(_) => None,
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
    let listing = ListingKey {
        business: wish.business,
        resource: wish.resource,
        platform: &nobody.platform,
        url: new.import.as_ref().map(|import| import.url),
    };
    if let Some(channel) = channels::find_by_listing_in(&mut tx, listing).await? {
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
    let ask = concord_storage::PageRequest { limit: 2, after: None };
    let page = resources::list(&context.db, business, &ask).await?;
    Ok(match &page.items[..] {
        [only] => Some(only.id),
        _ => None,
    })
}
