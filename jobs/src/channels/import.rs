//! Takes over what a platform's feed or file says: as its channel's times come, or once because somebody asks.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{
        ItemKind, RunOrigin, RunOutcome,
        plan::{Action, Held, Item, Plan},
    },
    ids::{BusinessId, ChannelItemId, ChannelRunId, ResourceId},
    interval::Interval,
    occupancy::{Seating, seat_fact},
    people::Actor,
    platform::Platform,
};
use concord_providers::{FeedRequest, Fetched, feed_address};
use concord_storage::{
    StorageError,
    channels::{
        self, Channel, Holding, Import, NewChannel, Read,
        items::ChannelItem,
        runs::{self, Counts},
    },
    duties::ClaimedDuty,
    occupancy, platform_settings, resources,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    apply::{Applied, Reading},
    poll::ReadFailure,
    sight::{Surroundings, Understood, understand},
    told,
};
use crate::{Context, duty::JobError};

/// Who wants something taken over.
pub(super) struct Source<'a> {
    pub(super) origin: RunOrigin,
    pub(super) actor: Actor,
    /// Whose lease is to be kept.
    pub(super) duty: Option<&'a ClaimedDuty>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The reading, if it came to anything.
    pub run: Option<ChannelRunId>,
    /// What was counted.
    pub counts: Counts,
    /// What waits for a second sight.
    pub held: Option<Held>,
    /// For people.
    pub message: String,
    /// What of the file was not understood.
    pub warnings: Vec<String>,
}

impl Taken {
    /// What of the file was not understood, in a line.
    pub fn remark(&self) -> Option<String> {
        let first = self.warnings.first()?;
        Some(match self.warnings.len() {
            1 => format!("not all of it was understood: {first}"),
            all => format!("not all of it was understood: {first}, and {} more", all - 1),
        })
    }

    /// Whether any booking is another one now.
    pub fn changed(&self) -> bool {
        self.counts.imported + self.counts.updated + self.counts.cancelled > 0
    }
}

/// Plans and does what follows from a feed that was understood.
pub(super) async fn take_over(
    context: &Context,
    channel: &Channel,
    surroundings: &Surroundings,
    understood: &Understood,
    source: &Source<'_>,
) -> Result<Taken, JobError> {
    let started_at = context.clock.now();
    let mut plan = surroundings.plan(&understood.snapshot, started_at);
    if source.origin == RunOrigin::File {
        let mut keep = plan.actions;
        // A file is a part of something: what it lacks may be elsewhere.
        keep.retain(|action| !matches!(action, Action::Lose(_) | Action::Miss(_)));
        plan = Plan { actions: keep, held: None, ..plan };
    }
    let run = ChannelRunId::new(started_at);
    let says = |outcome, message, counts, duration_ms| runs::NewRun {
        id: run,
        business: channel.business_id,
        channel: channel.id,
        origin: source.origin,
        actor: &source.actor,
        outcome,
        message,
        counts,
        duration_ms,
    };
    if !plan.actions.is_empty() {
        // First: what is lost names the reading that found it gone.
        let mut tx = context.db.begin().await?;
        let begun = says(RunOutcome::Applied, "under way", Counts::default(), 0);
        runs::record(&mut tx, &begun, started_at).await?;
        tx.commit().await?;
    }
    let known = surroundings.items.iter().map(|item| (item.id, item)).collect();
    let reading = Reading { context, channel, known, run, actor: source.actor.clone(), duty: source.duty };
    let mut applied = Applied::default();
    let ended = reading.apply(&plan.actions, &mut applied).await;
    let mut counts = applied.counts;
    counts.skipped += i64::try_from(plan.unchanged + plan.over).unwrap_or(0);
    let message = told::counted(counts, plan.held.as_ref(), &applied.refused);
    let taken = Taken {
        run: (!plan.actions.is_empty()).then_some(run),
        counts,
        held: plan.held,
        warnings: understood.warnings.iter().map(in_words).collect(),
        message,
    };
    // What was done stands, and can be undone, whatever kept the rest from being done.
    note(context, channel, &taken, plan.held, says, started_at).await?;
    ended?;
    Ok(taken)
}

async fn note<'a>(
    context: &Context,
    channel: &Channel,
    taken: &'a Taken,
    held: Option<Held>,
    says: impl Fn(RunOutcome, &'a str, Counts, i64) -> runs::NewRun<'a>,
    started_at: DateTime<Utc>,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    if taken.run.is_some() {
        let outcome = match (held, taken.changed()) {
            (Some(_), _) => RunOutcome::Held,
            (None, true) => RunOutcome::Applied,
            (None, false) => RunOutcome::Unchanged,
        };
        let ended = says(outcome, &taken.message, taken.counts, (now - started_at).num_milliseconds());
        runs::record(&mut tx, &ended, now).await?;
    }
    let holding = held.map(|held| Holding {
        brake: held.brake,
        items: i64::try_from(held.items).unwrap_or(i64::MAX),
        of: i64::try_from(held.of).unwrap_or(i64::MAX),
        until: held.until,
    });
    channels::hold(&mut tx, channel.id, holding).await?;
    match &held {
        Some(held) => told::held_back(&mut tx, context, channel, held).await?,
        None => told::let_through(&mut tx, channel, now).await?,
    }
    Ok(tx.commit().await?)
}

fn in_words(warning: &concord_domain::ical::Warning) -> String {
    match warning.line {
        0 => warning.what.clone(),
        line => format!("line {line}: {}", warning.what),
    }
}

/// What somebody asks to be taken over.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The tenant.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// Where.
    pub platform: &'a Platform,
    /// The feed itself.
    pub from: From<'a>,
    /// Who asks.
    pub actor: Actor,
}

/// Where a feed comes from.
#[derive(Clone, Debug)]
pub enum From<'a> {
    /// An address, as somebody typed it.
    Address(&'a SecretString),
    /// A file that was handed in.
    File(bytes::Bytes),
}

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The feed was not read.
    #[error(transparent)]
    Unread(#[from] ReadFailure),
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

/// What would be done with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// In a word: `new`, `changed`, `cancelled`, `held`, `echo`, `ignored`.
    pub what: &'static str,
    /// What it is.
    pub kind: ItemKind,
    /// When, in UTC.
    pub interval: Interval,
    /// One line.
    pub summary: String,
    /// Whether there is no room for it.
    pub conflict: bool,
}

/// What would be done, and nothing was.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// What would change.
    pub events: Vec<Foreseen>,
    /// What would be counted.
    pub counts: Counts,
    /// What would be kept back.
    pub held: Option<Held>,
    /// What of the file was not understood.
    pub warnings: Vec<String>,
}

/// The feed, the channel that it is of and all around it.
struct Opened {
    channel: Channel,
    surroundings: Surroundings,
    understood: Understood,
    /// Whether the channel was made for this.
    is_new: bool,
}

/// Takes over what the feed says, for the channel that reads it, or a new one that is read only when somebody asks.
pub async fn import(context: &Context, wish: &Wish<'_>) -> Result<Taken, ImportError> {
    let Opened { mut channel, surroundings, understood, is_new } = open(context, wish).await?;
    if is_new {
        channel = make(context, wish).await?;
    }
    let origin = match wish.from {
        From::Address(_) => RunOrigin::Url,
        From::File(_) => RunOrigin::File,
    };
    let source = Source { origin, actor: wish.actor.clone(), duty: None };
    let taken = take_over(context, &channel, &surroundings, &understood, &source).await?;
    let remark = taken.remark();
    let read = Read::Whole {
        etag: None,
        last_modified: None,
        digest: None,
        changed: taken.changed(),
        remark: remark.as_deref(),
    };
    let mut tx = context.db.begin().await?;
    channels::note_read(&mut tx, channel.id, read, context.clock.now()).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Says what an import would do.
pub async fn preview(context: &Context, wish: &Wish<'_>) -> Result<Preview, ImportError> {
    let opened = open(context, wish).await?;
    let plan = opened.surroundings.plan(&opened.understood.snapshot, context.clock.now());
    let is_file = matches!(wish.from, From::File(_));
    foresee(context, &opened, plan, is_file).await
}

async fn open(context: &Context, wish: &Wish<'_>) -> Result<Opened, ImportError> {
    let now = context.clock.now();
    let url = match &wish.from {
        From::Address(url) => Some(*url),
        From::File(_) => None,
    };
    let found = match url {
        Some(_) => of_address(context, wish, url).await?,
        None => of_file(context, wish).await?,
    };
    let is_new = found.is_none();
    let channel = found.unwrap_or_else(|| nobody(wish, now));
    let surroundings = match Surroundings::load(context, &channel, wish.platform).await {
        Err(StorageError::NotFound) => return Err(ImportError::NoResource),
        loaded => loaded?,
    };
    let bytes = match &wish.from {
        From::File(bytes) => bytes.clone(),
        From::Address(url) => {
            let url = feed_address(url.expose_secret()).map_err(ReadFailure::from)?;
            match context.feeds.fetch(FeedRequest::anew(&url)).await.map_err(ReadFailure::from)? {
                Fetched::Body(body) => body.bytes,
                Fetched::NotModified => bytes::Bytes::new(),
            }
        }
    };
    let understood =
        understand(bytes, wish.platform, surroundings.zone, now).await.map_err(ReadFailure::from)?;
    Ok(Opened { channel, surroundings, understood, is_new })
}

async fn of_address(
    context: &Context,
    wish: &Wish<'_>,
    url: Option<&SecretString>,
) -> Result<Option<Channel>, StorageError> {
    let platform = wish.platform.id.as_str();
    channels::by_address(&context.db, wish.business, wish.resource, platform, url).await
}

/// A file is of the channel that takes files, or else of the only one that the resource has on the platform.
async fn of_file(context: &Context, wish: &Wish<'_>) -> Result<Option<Channel>, StorageError> {
    if let Some(channel) = of_address(context, wish, None).await? {
        return Ok(Some(channel));
    }
    let mut all = channels::list(&context.db, wish.business).await?;
    all.retain(|one| one.resource_id == wish.resource && one.platform == wish.platform.id.as_str());
    Ok(if all.len() == 1 { all.pop() } else { None })
}

/// A channel that does not exist yet, of which nothing is known.
fn nobody(wish: &Wish<'_>, now: DateTime<Utc>) -> Channel {
    Channel {
        id: concord_domain::ids::ChannelId::new(now),
        business_id: wish.business,
        resource_id: wish.resource,
        platform: wish.platform.id.to_string(),
        state: concord_domain::channel::ChannelState::Active,
        preference: concord_domain::channel::Preference::Ask,
        blocks: concord_domain::channel::BlockRule::Occupy,
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
        held_brake: None,
        held_items: 0,
        held_of: 0,
        held_until: None,
        has_webhook: false,
        removed_at: None,
        created_at: now,
    }
}

async fn make(context: &Context, wish: &Wish<'_>) -> Result<Channel, ImportError> {
    let platform = wish.platform.id.as_str();
    let said = platform_settings::find(&context.db, wish.business, platform).await?;
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
        platform,
        preference: said.preference,
        blocks: said.blocks,
        import,
        polled: false,
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // Somebody else may ask for the same at the same time: one makes it, and the other finds it.
    resources::lock(&mut tx, wish.business, wish.resource).await?;
    let url = new.import.map(|import| import.url);
    let found = match url {
        Some(_) => of_address(context, wish, url).await?,
        None => of_file(context, wish).await?,
    };
    if let Some(channel) = found {
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

async fn foresee(
    context: &Context,
    opened: &Opened,
    plan: Plan,
    is_file: bool,
) -> Result<Preview, ImportError> {
    let known = |id: &ChannelItemId| opened.surroundings.items.iter().find(|item| item.id == *id);
    let mut preview = Preview {
        held: plan.held.filter(|_| !is_file),
        warnings: opened.understood.warnings.iter().map(in_words).collect(),
        ..Preview::default()
    };
    preview.counts.skipped = i64::try_from(plan.unchanged + plan.over).unwrap_or(0);
    for action in &plan.actions {
        let foreseen = match action {
            Action::Add(item) => new(context, opened, item, None).await?,
            Action::Change { id, to } => new(context, opened, to, known(id)).await?,
            Action::Lose(id) | Action::Miss(id) if !is_file => {
                let what = if matches!(action, Action::Lose(_)) { "cancelled" } else { "held" };
                known(id).map(|item| gone(what, item))
            }
            Action::Lose(_) | Action::Miss(_) | Action::Return(_) => None,
        };
        let Some(foreseen) = foreseen else { continue };
        let counts = &mut preview.counts;
        counts.conflicts += i64::from(foreseen.conflict);
        match foreseen.what {
            "new" => counts.imported += 1,
            "changed" => counts.updated += 1,
            "cancelled" => counts.cancelled += 1,
            _ => counts.skipped += 1,
        }
        preview.events.push(foreseen);
    }
    Ok(preview)
}

fn gone(what: &'static str, item: &ChannelItem) -> Foreseen {
    Foreseen {
        what,
        kind: item.kind,
        interval: Interval { start: item.starts_at, end: item.ends_at },
        summary: item.summary.clone(),
        conflict: false,
    }
}

async fn new(
    context: &Context,
    opened: &Opened,
    item: &Item,
    before: Option<&ChannelItem>,
) -> Result<Option<Foreseen>, ImportError> {
    let had = before.is_some_and(|before| before.kind.takes());
    let moved = before
        .is_none_or(|before| (before.starts_at, before.ends_at) != (item.interval.start, item.interval.end));
    let what = match (had, item.kind) {
        (false, ItemKind::Echo) => "echo",
        (false, ItemKind::Ignored | ItemKind::Window) => "ignored",
        (true, kind) if !kind.takes() => "cancelled",
        (false, _) => "new",
        (true, _) if moved || before.is_some_and(|before| before.summary != item.summary) => "changed",
        (true, _) => return Ok(None),
    };
    let conflict = item.kind == ItemKind::Reservation
        && moved
        && !has_room(context, opened, item, before.and_then(|before| before.reference.as_deref())).await?;
    Ok(Some(Foreseen {
        what,
        kind: item.kind,
        interval: item.interval,
        summary: item.summary.clone(),
        conflict,
    }))
}

async fn has_room(
    context: &Context,
    opened: &Opened,
    item: &Item,
    own: Option<&str>,
) -> Result<bool, StorageError> {
    let resource = &opened.surroundings.resource;
    let wanted = item.interval.padded(resource.buffer_before_minutes, resource.buffer_after_minutes);
    let own = own.unwrap_or_default();
    let rows =
        occupancy::seats_of_others(&context.db, resource.business_id, resource.id.0, wanted, own).await?;
    Ok(!matches!(seat_fact(&rows, resource.capacity, wanted, 1), Seating::Full { .. }))
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
