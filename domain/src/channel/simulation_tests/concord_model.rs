//! What Concord knows of one concord: the items of its channels, its own bookings, and what each platform has read.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::platform_model::{EventTruth, ModelDialect, ModelFeedEvent, ModelNights, PLATFORMS};
use crate::{
    channel::{
        ImportGuard, ItemKind,
        echo::EchoSource,
        plan::{ChannelPlan, ChannelRules, FeedItem, ItemAction, KnownItem},
    },
    ids::ChannelItemId,
};

/// How long a platform may go on showing what it has read to be free.
const LINGERS_FOR: Duration = Duration::hours(24);

#[derive(Clone, Debug)]
pub(super) struct ModelItem {
    pub(super) known: KnownItem,
    pub(super) truth: EventTruth,
}

impl ModelItem {
    pub(super) fn nights(&self) -> ModelNights {
        ModelNights::of(self.known.interval)
    }

    /// The UID of its event.
    fn event(&self) -> &str {
        self.known.key.split(' ').next().unwrap_or_default()
    }

    pub(super) fn takes(&self) -> bool {
        self.known.kind.takes()
    }

    fn number(&self) -> u32 {
        u32::try_from(self.known.id.0.as_u128()).unwrap()
    }
}

/// What a platform has read to be free.
#[derive(Clone, Debug)]
struct WithdrawnNights {
    nights: ModelNights,
    since: DateTime<Utc>,
    /// Whether it had been held only because another platform's event was unconfirmed.
    of_unconfirmed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ModelChannel {
    pub(super) rules: ChannelRules,
    pub(super) items: Vec<ModelItem>,
    /// Why something is held back.
    pub(super) held: Option<ImportGuard>,
    /// What the platform has last read, by the number of the booking.
    read: Vec<(u32, ModelNights)>,
    /// What it had read before, and since when it knows better.
    withdrawn: Vec<WithdrawnNights>,
}

impl ModelChannel {
    pub(super) fn published(&self) -> Vec<EchoSource> {
        let one = |nights: ModelNights, believed, of_unconfirmed| EchoSource {
            interval: nights.interval(),
            believed,
            of_unconfirmed,
        };
        let read = self.read.iter().map(|(_, nights)| one(*nights, true, false));
        read.chain(self.withdrawn.iter().map(|gone| one(gone.nights, false, gone.of_unconfirmed))).collect()
    }

    /// Nights that the platform has read to be free.
    pub(super) fn freed(&self) -> Vec<ModelNights> {
        self.withdrawn.iter().map(|gone| gone.nights).collect()
    }

    /// Whether an event on this night raises no doubt: it stands in our feed as far as the platform knows, or was held in
    /// unconfirmed itself.
    pub(super) fn is_ours_for_sure(&self, night: i64) -> bool {
        let sure = |one: &EchoSource| one.believed || one.of_unconfirmed;
        self.published().iter().any(|one| sure(one) && ModelNights::of(one.interval).holds(night))
    }

    pub(super) fn is_published(&self, night: i64) -> bool {
        self.published().iter().any(|one| ModelNights::of(one.interval).holds(night))
    }

    /// The UIDs of the events that are known.
    pub(super) fn events(&self) -> HashSet<&str> {
        self.items.iter().map(ModelItem::event).collect()
    }

    /// Whether more than half of the events that are known are missing from what is served, by the most careful count.
    pub(super) fn misses_more_than_half(&self, served: &[ModelFeedEvent], now: DateTime<Utc>) -> bool {
        let is_there = |item: &ModelItem| {
            let is_window = item.known.kind == ItemKind::Window;
            served.iter().any(|event| {
                event.uid == item.event()
                    || event.nights == item.nights()
                    // Under another UID: by its guest.
                    || event.truth == item.truth && matches!(event.truth, EventTruth::Sold(_))
                    || is_window && event.is_window()
            })
        };
        let is_withdrawn = |item: &ModelItem| {
            item.known.kind == ItemKind::Echo
                && item.nights().each().any(|night| !self.read.iter().any(|(_, nights)| nights.holds(night)))
        };
        let living = || self.items.iter().filter(|item| item.known.interval.end > now);
        let there: HashSet<&str> = living().filter(|item| is_there(item)).map(ModelItem::event).collect();
        let telling = living().filter(|item| is_there(item) || !is_withdrawn(item));
        let all: HashSet<&str> = telling.map(ModelItem::event).collect();
        all.difference(&there).count() * 2 > all.len()
    }

    fn has_read(&mut self, feed: &[(u32, ModelNights)], unconfirmed: &HashSet<u32>, now: DateTime<Utc>) {
        let mut left = feed.to_vec();
        for (number, nights) in std::mem::replace(&mut self.read, feed.to_vec()) {
            if let Some(index) = left.iter().position(|(_, other)| *other == nights) {
                left.swap_remove(index);
            } else {
                let of_unconfirmed = unconfirmed.contains(&number);
                self.withdrawn.push(WithdrawnNights { nights, since: now, of_unconfirmed });
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ConcordModel {
    pub(super) units: usize,
    pub(super) channels: [ModelChannel; PLATFORMS],
    pub(super) direct: Vec<(u32, ModelNights)>,
    last_message_number: u32,
    /// The items that were unconfirmed when they were last seen.
    unconfirmed: HashSet<u32>,
}

impl ConcordModel {
    pub(super) fn new(units: usize) -> Self {
        let channel = |dialect: ModelDialect| ModelChannel {
            rules: dialect.rules(),
            items: vec![],
            held: None,
            read: vec![],
            withdrawn: vec![],
        };
        Self {
            units,
            channels: ModelDialect::ALL.map(channel),
            direct: vec![],
            last_message_number: 0,
            unconfirmed: HashSet::new(),
        }
    }

    pub(super) fn number(&mut self) -> u32 {
        self.last_message_number += 1;
        self.last_message_number
    }

    /// Forgets what is over.
    pub(super) fn pass(&mut self, now: DateTime<Utc>) {
        self.direct.retain(|(_, nights)| nights.interval().end > now);
        for channel in &mut self.channels {
            channel.items.retain(|item| item.known.interval.end > now);
            channel.withdrawn.retain(|gone| gone.since + LINGERS_FOR > now);
        }
    }

    /// What takes the concord, and what of it came from `of`.
    fn bookings(&self) -> impl Iterator<Item = (Option<usize>, u32, ModelNights)> {
        let items = self.channels.iter().enumerate().flat_map(|(of, channel)| {
            let taking = channel.items.iter().filter(|item| item.takes());
            taking.map(move |item| (Some(of), item.number(), item.nights()))
        });
        items.chain(self.direct.iter().map(|(number, nights)| (None, *number, *nights)))
    }

    /// The feed for a platform: all but what came from there.
    pub(super) fn feed_for(&self, channel: usize) -> Vec<(u32, ModelNights)> {
        let others = self.bookings().filter(|(of, ..)| *of != Some(channel));
        others.map(|(_, number, nights)| (number, nights)).collect()
    }

    pub(super) fn is_free(&self, nights: ModelNights) -> bool {
        let taken = |night| self.bookings().filter(|(_, _, taken)| taken.holds(night)).count();
        nights.each().all(|night| taken(night) < self.units)
    }

    /// A platform reads its feed.
    pub(super) fn read(&mut self, channel: usize, now: DateTime<Utc>) -> Vec<(u32, ModelNights)> {
        let feed = self.feed_for(channel);
        self.channels[channel].has_read(&feed, &self.unconfirmed, now);
        feed
    }

    pub(super) fn apply(&mut self, channel: usize, plan: &ChannelPlan, now: DateTime<Utc>) {
        for action in &plan.actions {
            match action {
                ItemAction::Add(item) => {
                    let id = ChannelItemId(Uuid::from_u128(self.number().into()));
                    self.channels[channel].items.push(stored(id, item));
                }
                ItemAction::Change { id, to } => *self.item(channel, *id) = stored(*id, to),
                ItemAction::Return(id) => self.item(channel, *id).known.missing_since = None,
                ItemAction::Miss(id) => self.item(channel, *id).known.missing_since = Some(now),
                ItemAction::Lose(id) => self.channels[channel].items.retain(|item| item.known.id != *id),
            }
        }
        for item in &self.channels[channel].items {
            if item.known.kind == ItemKind::Unconfirmed {
                self.unconfirmed.insert(item.number());
            } else if item.takes() {
                self.unconfirmed.remove(&item.number());
            }
        }
    }

    fn item(&mut self, channel: usize, id: ChannelItemId) -> &mut ModelItem {
        self.channels[channel].items.iter_mut().find(|item| item.known.id == id).unwrap()
    }

    /// How many bookings that are no blocks have this night.
    pub(super) fn guests_on(&self, night: i64) -> usize {
        let items = self.channels.iter().flat_map(|channel| &channel.items);
        let sold = items.filter(|item| item.known.kind == ItemKind::Reservation);
        let nights = sold.map(ModelItem::nights).chain(self.direct.iter().map(|(_, nights)| *nights));
        nights.filter(|nights| nights.holds(night)).count()
    }
}

fn stored(id: ChannelItemId, item: &FeedItem) -> ModelItem {
    ModelItem {
        known: KnownItem {
            id,
            key: item.key.clone(),
            interval: item.interval,
            kind: item.kind,
            summary: item.summary.clone(),
            guest: item.guest.clone(),
            contested: item.contested,
            missing_since: None,
            pinned: false,
            tentative: false,
            settled: None,
            is_erased: false,
        },
        truth: EventTruth::read(&item.description),
    }
}
