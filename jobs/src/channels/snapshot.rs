//! From the bytes of a platform's feed to what follows from them.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::BookingTime,
    channel::{
        ImportGuard, ItemKind,
        echo::{EchoSource, nights_of},
        plan::{ChannelPlan, ChannelPlanInput, ChannelRules, KnownItem, plan},
        snapshot::{Snapshot, snapshot, told_by},
    },
    entry::EntryTime,
    ical::{self, FeedStatus, ParsedCalendar, ReadError, ReadEvent, ReadLimits, Warning},
    ids::BusinessId,
    interval::Interval,
    platform::Platform,
};
use concord_storage::{
    StorageError, bookings,
    channels::{
        Channel,
        items::{self, ChannelItem},
        published,
    },
    resources::{self, Resource},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::zone_of;
use crate::Context;

/// How far ahead a feed is read: platforms sell at most two years ahead.
const READ_AHEAD: Duration = Duration::days(3 * 366);

/// How far back: what is over is no news, but a stay that was shortened may be over by now.
const READ_BACK: Duration = Duration::days(31);

/// Why nothing can be made of what was read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFeed {
    /// It is no calendar, or too much of one.
    #[error(transparent)]
    Calendar(#[from] ReadError),
    /// It does not end as a calendar ends.
    #[error("the calendar is incomplete: its end is missing, so nothing was imported")]
    CutOff,
}

/// A feed as it was parsed.
#[derive(Clone, Debug)]
pub struct ParsedFeed {
    pub snapshot: Snapshot,
    /// What was not understood.
    pub warnings: Vec<Warning>,
    /// Until when it stands, of what goes on longer and is not read again by itself.
    pub beyond: Option<String>,
    /// The program that wrote it (PRODID); empty: it does not say.
    pub product: String,
}

/// Whether what is read will be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedSchedule {
    Polled,
    /// Only when somebody imports it again.
    Once,
}

/// Reads what came; megabytes of it take a moment, in which the thread must answer nobody.
pub async fn parse_feed(
    bytes: bytes::Bytes,
    platform: &Platform,
    zone: Tz,
    (schedule, now): (FeedSchedule, DateTime<Utc>),
) -> Result<ParsedFeed, UnreadableFeed> {
    let platform = platform.clone();
    let parsed = tokio::task::spawn_blocking(move || read(&bytes, &platform, zone, (schedule, now)));
    parsed.await.unwrap_or(Err(UnreadableFeed::Calendar(ReadError::NotCalendar)))
}

fn read(
    bytes: &[u8],
    platform: &Platform,
    zone: Tz,
    (schedule, now): (FeedSchedule, DateTime<Utc>),
) -> Result<ParsedFeed, UnreadableFeed> {
    let limits = ReadLimits::default();
    let calendar = ical::read(bytes, zone, &limits)?;
    if !calendar.whole {
        return Err(UnreadableFeed::CutOff);
    }
    let (snapshot, window) = take_snapshot(&calendar, platform, zone, now)?;
    let mut warnings = calendar.warnings.clone();
    let far = BeyondHorizon { calendar: &calendar, end: window.end, zone, platform };
    let beyond = match schedule {
        // The window moves on with the days.
        FeedSchedule::Polled => None,
        FeedSchedule::Once => far.series(&limits),
    };
    let far = [far.events(schedule), beyond.clone()];
    warnings.extend(far.into_iter().flatten().map(|what| Warning { line: 0, what }));
    Ok(ParsedFeed { snapshot, warnings, beyond, product: calendar.product })
}

/// What an import at `now` looks at in a calendar of the platform, and in which time.
pub fn take_snapshot(
    calendar: &ParsedCalendar,
    platform: &Platform,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<(Snapshot, Interval), ReadError> {
    let window = Interval { start: now - READ_BACK, end: now + READ_AHEAD };
    let limits = ReadLimits::default();
    let mut snapshot = snapshot(calendar, window, zone, &limits, |event| told_by(platform, event))?;
    for event in &mut snapshot.events {
        event.tentative |= platform.is_tentative(&event.summary, &event.description);
    }
    Ok((snapshot, window))
}

/// What lies after the end of all that is read.
struct BeyondHorizon<'a> {
    calendar: &'a ParsedCalendar,
    end: DateTime<Utc>,
    zone: Tz,
    platform: &'a Platform,
}

impl BeyondHorizon<'_> {
    /// What is said of events that begin later than anything is kept.
    fn events(&self, schedule: FeedSchedule) -> Option<String> {
        let begins_later = |event: &&ReadEvent| {
            event.status != FeedStatus::Cancelled
                && self.is_after(&event.time)
                && told_by(self.platform, event).is_some()
        };
        let (events, begin) = match self.calendar.events.iter().filter(begins_later).count() {
            0 => return None,
            1 => ("1 event".to_owned(), "begins"),
            many => (format!("{many} events"), "begin"),
        };
        let then = match schedule {
            FeedSchedule::Polled => "imported closer to the date",
            FeedSchedule::Once => "not imported; import the calendar again closer to the date",
        };
        Some(format!("{events} {begin} after {}, too far ahead: {then}", self.last_day()))
    }

    /// What is said of series that go on: nobody extends them.
    fn series(&self, limits: &ReadLimits) -> Option<String> {
        // As far again as the rarest that people write: once a year.
        let window = Interval { start: self.end, end: self.end + Duration::days(2 * 366) };
        let occurrences = self.calendar.occurrences(window, self.zone, limits).unwrap_or_default();
        let going_on = occurrences.iter().filter(|one| {
            // A series that begins later is counted as an event that does.
            one.recurring
                && self.is_after(&one.time)
                && !self.is_after(&one.event.time)
                && told_by(self.platform, one.event).is_some()
        });
        let series: BTreeSet<&str> = going_on.map(|one| one.event.uid.as_str()).collect();
        let events = match series.len() {
            0 => return None,
            1 => "1 event repeats".to_owned(),
            many => format!("{many} events repeat"),
        };
        let end = self.last_day();
        Some(format!("{events} after {end}: imported up to then; import the calendar again before that"))
    }

    fn is_after(&self, time: &EntryTime) -> bool {
        BookingTime::from(time).interval(self.zone).is_some_and(|it| it.start >= self.end)
    }

    fn last_day(&self) -> String {
        self.end.with_timezone(&self.zone).date_naive().format("%-d %b %Y").to_string()
    }
}

/// A channel with all that a plan for it looks at.
#[derive(Debug)]
pub struct ImportContext {
    pub resource: Resource,
    pub zone: Tz,
    /// What is known, and not over.
    pub items: Vec<ChannelItem>,
    /// What can come back.
    pub published: Vec<EchoSource>,
    /// What else can, whole: by a calendar that subscribes to a feed of ours.
    pub subscribed: Vec<EchoSource>,
    /// What the plan goes by.
    pub rules: ChannelRules,
    /// Why something waits since an earlier reading.
    pub held: Option<ImportGuard>,
    /// Whether what is read is only a part of what the platform has.
    pub is_part: bool,
}

/// Says which events of a feed bear UIDs of the business's own bookings.
pub async fn mark_ours(
    context: &Context,
    business: BusinessId,
    parsed: &mut ParsedFeed,
) -> Result<(), StorageError> {
    let named = parsed.snapshot.named();
    let ours = bookings::existing_ids(&context.db, business, &named).await?;
    parsed.snapshot.mark_ours(&ours);
    Ok(())
}

impl ImportContext {
    /// All of a channel, as it is now. `NotFound`: its resource is not of the business.
    pub async fn load(
        context: &Context,
        channel: &Channel,
        platform: &Platform,
    ) -> Result<Self, StorageError> {
        let (db, business, now) = (&context.db, channel.business_id, context.clock.now());
        let resource =
            resources::find(db, business, channel.resource_id).await?.ok_or(StorageError::NotFound)?;
        let zone = zone_of(db, business, Some(&resource)).await?;
        Ok(Self {
            // A stay that has just ended may be found to last longer.
            items: items::to_come(db, business, channel.id, now - READ_BACK).await?,
            published: published::can_come_back(db, business, channel.id, now).await?,
            // Where nights are sold, the same nights may well be another's stay: that is shown as a conflict.
            subscribed: if platform.sells() {
                Vec::new()
            } else {
                let place = (business, channel.id);
                published::list_subscriber_echoes(db, place, resource.id, now).await?
            },
            rules: rules_of(channel, platform),
            held: channel.import_guard,
            is_part: false,
            resource,
            zone,
        })
    }

    /// What follows from a snapshot.
    pub fn plan(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> ChannelPlan {
        let known: Vec<KnownItem> = self.items.iter().map(KnownItem::from).collect();
        let published = self.can_come_back(snapshot);
        plan(&ChannelPlanInput {
            known: &known,
            snapshot,
            published: &published,
            rules: &self.rules,
            is_part: self.is_part,
            held: self.held,
            zone: self.zone,
            now,
        })
    }

    /// What can come back: all of the channel's own feed, and of others what has the very time of an event. A part of
    /// it is a person's own entry, and what the platform was told itself is not counted twice.
    fn can_come_back(&self, snapshot: &Snapshot) -> Vec<EchoSource> {
        let mut times: HashSet<Interval> = snapshot.events.iter().map(|event| event.interval).collect();
        times.extend(self.items.iter().filter(|item| item.kind == ItemKind::Echo).map(ChannelItem::interval));
        let nights: Vec<_> = times.iter().filter_map(|one| nights_of(*one, self.zone)).collect();
        times.extend(nights);
        for told in &self.published {
            times.remove(&told.interval);
        }
        let whole = self.subscribed.iter().filter(|one| times.contains(&one.interval));
        self.published.iter().chain(whole).copied().collect()
    }

    /// By what, besides the feed itself, a plan comes out as it does: as long as none of it has moved, a feed that has not
    /// changed need not be looked at again. Time alone moves it once a day.
    pub(super) fn mark(&self, address: &SecretString, now: DateTime<Utc>) -> String {
        let today = now.with_timezone(&self.zone).date_naive();
        let address = address.expose_secret();
        let said = format!("{today} {:?} {:?} {:?} {address}", self.rules, self.published, self.subscribed);
        concord_domain::hex(&Sha256::digest(said)[..8])
    }
}

fn rules_of(channel: &Channel, platform: &Platform) -> ChannelRules {
    ChannelRules {
        blocks: channel.blocks,
        uids: platform.uid_keeps,
        window_months: platform.window_months.clone(),
        ..ChannelRules::default()
    }
}
