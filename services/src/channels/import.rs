//! Takes over what a platform's feed or file says once, because somebody asks.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{ChannelState, RunOrigin},
    ids::{BusinessId, ChannelId, ResourceId},
    people::Actor,
    platform::Platform,
};
use concord_jobs::{
    Context,
    channels::{
        apply_snapshot::{ChannelImportOutcome, ImportTrigger, take_over},
        own_feed::is_our_feed,
        poll::FeedReadError,
        snapshot::{FeedSchedule, ImportContext, ParsedFeed, mark_ours, parse_feed},
    },
    job::JobError,
};
use concord_providers::{FeedFetchOutcome, FeedRequest, feed_address};
use concord_storage::{
    StorageError,
    channels::{self, Channel, FeedReadOutcome, ImportAddress, ListingKey, NewChannel},
    platform_settings, resources,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    address::host_of,
    address_warnings::{self, AddressWarning},
};

/// What somebody asks to be taken over.
#[derive(Clone, Debug)]
pub struct ChannelImportRequest {
    /// The tenant that the resource is of.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// The platform that it is of.
    pub platform: Platform,
    /// Where the feed comes from.
    pub from: ImportSource,
    /// Who the bookings are written by.
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
    NeedsConfirmation(AddressWarning),
    /// The resource is not of the business.
    #[error("unknown resource")]
    NoResource,
    /// A part of it was done, and the rest was not.
    #[error("{0}")]
    Stopped(String),
    /// The database refused or is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<JobError> for ImportError {
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
    pub(super) import_context: ImportContext,
    pub(super) parsed: ParsedFeed,
    /// Whether the channel was made for this.
    is_new: bool,
}

impl ChannelImportRequest {
    /// The same with its address in one spelling.
    pub(super) fn spelled(&self) -> Result<Self, ImportError> {
        let from = match &self.from {
            ImportSource::Address(url) => {
                let address = feed_address(url.expose_secret()).map_err(FeedReadError::from)?;
                ImportSource::Address(String::from(address).into())
            }
            ImportSource::File(bytes) => ImportSource::File(bytes.clone()),
        };
        Ok(Self { from, ..self.clone() })
    }
}

/// Takes over what the feed says, for the channel that reads it, or a new one that is read only when somebody asks. What
/// seems to be of another platform is refused, unless that is confirmed.
pub async fn import(
    context: &Context,
    request: &ChannelImportRequest,
) -> Result<ChannelImportOutcome, ImportError> {
    let request = &request.spelled()?;
    let OpenedImport { mut channel, mut import_context, parsed, is_new } = open(context, request).await?;
    let warning = match another_platform(context, request, &parsed) {
        Some(warning) if !request.confirmed => return Err(ImportError::NeedsConfirmation(warning)),
        warning => warning.map(|warning| warning.to_string()),
    };
    if is_new {
        channel = create_channel(context, request, &channel).await?;
        // It may be one that was removed, and what it knew is known again.
        import_context = load_import_context(context, request, &channel).await?;
    }
    let origin = match request.from {
        // It is read at its times, and now because somebody asks.
        ImportSource::Address(_) if channel.polled && !import_context.is_part => RunOrigin::Person,
        ImportSource::Address(_) => RunOrigin::Url,
        ImportSource::File(_) => RunOrigin::File,
    };
    let source = ImportTrigger { origin, actor: request.actor.clone(), job: None };
    let mut taken = take_over(context, &channel, &import_context, &parsed, &source).await?;
    let remark = taken.remark();
    // Who asks is told; of the feed itself it says nothing.
    taken.warnings.splice(0..0, warning);
    let read = FeedReadOutcome::Whole {
        etag: None,
        last_modified: None,
        digest: None,
        changed: taken.changed(),
        remark: remark.as_deref(),
    };
    let mut tx = context.db.begin().await?;
    if channel.polled && import_context.is_part {
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
pub async fn check_readable(
    context: &Context,
    request: &ChannelImportRequest,
) -> Result<String, ImportError> {
    Ok(open(context, &request.spelled()?).await?.parsed.product)
}

/// What an import goes by. A file, or another address than the channel's own, may be a part of what the platform has.
async fn load_import_context(
    context: &Context,
    request: &ChannelImportRequest,
    channel: &Channel,
) -> Result<ImportContext, StorageError> {
    let is_part = match &request.from {
        ImportSource::File(_) => true,
        ImportSource::Address(url) => {
            let own = channels::import_url(&context.db, &context.ring, request.business, channel.id).await?;
            own.is_none_or(|own| own.expose_secret() != url.expose_secret())
        }
    };
    let import_context = ImportContext::load(context, channel, &request.platform).await?;
    Ok(ImportContext { is_part, ..import_context })
}

/// What speaks against its being a calendar of the platform that was named.
pub(super) fn another_platform(
    context: &Context,
    request: &ChannelImportRequest,
    parsed: &ParsedFeed,
) -> Option<AddressWarning> {
    let address = match &request.from {
        ImportSource::Address(url) => Some(url),
        ImportSource::File(_) => None,
    };
    address_warnings::another_platform(context, &request.platform, address, &parsed.product)
}

pub(super) async fn open(
    context: &Context,
    request: &ChannelImportRequest,
) -> Result<OpenedImport, ImportError> {
    let now = context.clock.now();
    let found = find_channel(context, request).await?;
    let is_new = found.is_none();
    let channel = match found {
        Some(channel) => channel,
        None => nobody(context, request, now).await?,
    };
    let import_context = match load_import_context(context, request, &channel).await {
        Err(StorageError::NotFound) => return Err(ImportError::NoResource),
        loaded => loaded?,
    };
    let bytes = match &request.from {
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
        if channel.polled && !import_context.is_part { FeedSchedule::Polled } else { FeedSchedule::Once };
    let read = parse_feed(bytes, &request.platform, import_context.zone, (schedule, now)).await;
    let mut parsed = read.map_err(FeedReadError::from)?;
    mark_ours(context, request.business, &mut parsed).await?;
    Ok(OpenedImport { channel, import_context, parsed, is_new })
}

/// The channel that an import is for: the one that reads the address, or that takes files, or else the only one that the
/// resource has on the platform, so that what came by one way is known when it comes by another.
async fn find_channel(
    context: &Context,
    request: &ChannelImportRequest,
) -> Result<Option<Channel>, StorageError> {
    let (db, business, resource) = (&context.db, request.business, request.resource);
    let platform = request.platform.id.as_str();
    let files = ListingKey { business, resource, platform, url: None };
    if let ImportSource::Address(url) = &request.from
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
    request: &ChannelImportRequest,
    now: DateTime<Utc>,
) -> Result<Channel, StorageError> {
    let said = platform_settings::find(&context.db, request.business, request.platform.id.as_str()).await?;
    Ok(Channel {
        id: ChannelId::new(now),
        business_id: request.business,
        resource_id: request.resource,
        platform: request.platform.id.to_string(),
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
    request: &ChannelImportRequest,
    nobody: &Channel,
) -> Result<Channel, ImportError> {
    let host = match &request.from {
        ImportSource::Address(url) => host_of(url),
        ImportSource::File(_) => String::new(),
    };
    let import = match &request.from {
        ImportSource::Address(url) => Some(ImportAddress { url, host: &host }),
        ImportSource::File(_) => None,
    };
    let new = NewChannel {
        business: request.business,
        resource: request.resource,
        platform: &nobody.platform,
        preference: nobody.preference,
        blocks: nobody.blocks,
        import,
        polled: false,
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // Somebody else may ask for the same at the same time: one makes it, and the other finds it.
    resources::lock(&mut tx, request.business, request.resource).await?;
    let listing = ListingKey {
        business: request.business,
        resource: request.resource,
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
