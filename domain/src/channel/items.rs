//! What a channel's plan looks at, and what it says: the items of a feed, as they are known and as they are now.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use super::{BlockRule, ImportGuard, ItemKind, Settled, echo::EchoSource, snapshot::Snapshot};
use crate::{booking::BookingTime, ids::ChannelItemId, interval::Interval, platform::UidKeeps};

/// What a plan goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRules {
    /// What becomes of blocks.
    pub blocks: BlockRule,
    /// What UIDs are worth.
    pub uids: UidKeeps,
    /// How many months ahead the platform sells, where it publishes the end of that as a block.
    pub window_months: Vec<u32>,
    /// How long a feed must stay empty before it is believed.
    pub empty_for: Duration,
    /// How long what a feed lacks must stay away, where it lacks more than half.
    pub shrunk_for: Duration,
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self {
            blocks: BlockRule::Occupy,
            uids: UidKeeps::Stable,
            window_months: Vec::new(),
            empty_for: Duration::hours(24),
            shrunk_for: Duration::hours(6),
        }
    }
}

/// An item as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownItem {
    pub id: ChannelItemId,
    /// Its key in the snapshot.
    pub key: String,
    pub interval: Interval,
    pub kind: ItemKind,
    pub summary: String,
    pub guest: Option<String>,
    /// Whether it is taken for a reservation only because something else was the echo of the same nights.
    pub contested: bool,
    /// Since when the feed lacks it.
    pub missing_since: Option<DateTime<Utc>>,
    /// Whether it stands although the feed lacks it: somebody has said so, or brought it by hand, and the feed has not had it
    /// since.
    pub pinned: bool,
    /// Whether it is not agreed on yet there.
    pub tentative: bool,
    /// What somebody said of it when it was unconfirmed.
    pub settled: Option<Settled>,
    /// Whether its person was erased here, whatever the feed goes on saying of them.
    pub is_erased: bool,
}

/// An item as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// Its key in the snapshot.
    pub key: String,
    /// When, as a booking says it.
    pub time: BookingTime,
    /// The same in UTC.
    pub interval: Interval,
    pub kind: ItemKind,
    pub summary: String,
    /// Lines separated by `\n`.
    pub description: String,
    pub guest: Option<String>,
    /// Whether it is taken for a reservation only because something else was the echo of the same nights.
    pub contested: bool,
    /// Whether it is not agreed on yet there.
    pub tentative: bool,
}

impl FeedItem {
    /// The same without whom it names.
    #[must_use]
    pub fn without_person(self) -> Self {
        Self { summary: String::new(), description: String::new(), guest: None, ..self }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemAction {
    Add(FeedItem),
    /// It says something else, or is something else, or has another key.
    Change {
        id: ChannelItemId,
        /// As it is now.
        to: FeedItem,
    },
    /// It is as it was, after it had been missing.
    Return(ChannelItemId),
    /// The feed lacks it, and that is not believed yet.
    Miss(ChannelItemId),
    Lose(ChannelItemId),
}

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantine {
    pub import_guard: ImportGuard,
    /// How many items wait.
    pub items: usize,
    /// Of how many that were known.
    pub of: usize,
    /// When the last of them is believed to be gone, if the feed goes on lacking it.
    pub until: DateTime<Utc>,
}

/// What follows from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPlan {
    /// In the order in which they are to be done: what frees time comes before what takes it.
    pub actions: Vec<ItemAction>,
    /// What waits for a second reading.
    pub held: Option<Quarantine>,
    /// Events that are known, and as they were.
    pub unchanged: usize,
    /// Events that are only our own.
    pub echoes: usize,
    /// Events that are over.
    pub over: usize,
    /// Stays under way that the feed lacks: they go on.
    pub under_way: usize,
    /// Events that do not say when they end, as they did before: what is known of them stands.
    pub endless: usize,
}

/// All that a plan looks at.
#[derive(Clone, Copy, Debug)]
pub struct ChannelPlanInput<'a> {
    /// What is known; what is over may be among it, since it may be found to last longer.
    pub known: &'a [KnownItem],
    /// What the feed says; it was read to its end.
    pub snapshot: &'a Snapshot,
    /// Whether it is a part of what the platform has, such as a file: then what it lacks may be elsewhere.
    pub is_part: bool,
    /// What the platform can give back.
    pub published: &'a [EchoSource],
    /// What the plan goes by.
    pub rules: &'a ChannelRules,
    /// Why something is held back since an earlier reading, if it is.
    pub held: Option<ImportGuard>,
    /// The zone of the resource.
    pub zone: Tz,
    /// The instant of the reading.
    pub now: DateTime<Utc>,
}

/// The event of which this is the key of a piece.
pub(super) fn event_of(key: &str) -> &str {
    key.split_once(" #").map_or(key, |(event, _)| event)
}
