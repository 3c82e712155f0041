//! What must hold after each reading, and once everything has arrived.

use std::collections::BTreeSet;

use super::{
    concord_model::{ModelChannel, ModelItem},
    platform_model::{EventTruth, ModelDialect, ModelFeedEvent, ModelNights, PlatformModel},
    simulation::{ChannelSimulation, CheckResult},
};
use crate::channel::ItemKind;

/// One reading of a platform's feed, after it was followed.
pub(super) struct PollCheck<'a> {
    pub(super) platform: &'a PlatformModel,
    pub(super) before: &'a ModelChannel,
    pub(super) after: &'a ModelChannel,
    /// What the feed said.
    pub(super) events: &'a [ModelFeedEvent],
    pub(super) today: i64,
}

impl PollCheck<'_> {
    /// How often what was right could not be told.
    pub(super) fn check(&self) -> Result<usize, String> {
        let mut undecided = 0;
        for item in self.before.items.iter().filter(|item| item.takes()) {
            undecided += usize::from(self.keeps(item)?);
        }
        for item in self.after.items.iter().filter(|item| item.takes()) {
            undecided += usize::from(self.books(item)?);
        }
        for event in self.events {
            undecided += usize::from(self.has(event)?);
        }
        Ok(undecided)
    }

    /// Whether what took its time and takes it no longer is truly gone, or is there as something else.
    fn keeps(&self, was: &ModelItem) -> Result<bool, String> {
        let takes = |item: &&ModelItem| item.takes();
        if self
            .after
            .items
            .iter()
            .filter(takes)
            .any(|item| item.known.id == was.known.id && item.truth == was.truth)
        {
            return Ok(false);
        }
        if was.known.kind == ItemKind::Block {
            // What was closed since it is missing was never read: its absence says nothing of that.
            let known = |night: &i64| {
                was.known.missing_since.is_none_or(|since| self.platform.was_own(*night, since))
            };
            let open = was.nights().each().filter(known).find(|night| self.is_left_open(*night));
            return open.map_or(Ok(false), |night| Err(format!("night {night} of {was:?} was opened")));
        }
        let gone = !self.platform.lives(was.truth);
        if gone || self.after.items.iter().filter(takes).any(|item| item.truth == was.truth) {
            return Ok(false);
        }
        // Two events for the same nights look alike: which of them is ours shows when one goes.
        let nights = self.platform.nights_of(was.truth).unwrap_or(was.nights());
        let twin = |item: &ModelItem| {
            item.takes() && item.known.contested && [nights, was.nights()].contains(&item.nights())
        };
        if was.known.contested || self.after.items.iter().any(twin) {
            return Ok(true);
        }
        // What was unconfirmed is ours as far as can be told, once we have sold the same nights.
        if was.known.kind == ItemKind::Unconfirmed
            && nights.each().all(|night| self.after.is_ours_for_sure(night))
        {
            return Ok(true);
        }
        Err(format!("lost {was:?}"))
    }

    /// Whether the owner has closed a night there, and nothing says so here.
    fn is_left_open(&self, night: i64) -> bool {
        let taken = self.after.items.iter().any(|item| item.takes() && item.nights().holds(night));
        night >= self.today
            && night < self.platform.edge(self.today)
            && self.platform.is_own(night)
            && !taken
            && !self.after.is_published(night)
    }

    /// Whether what takes its time is the platform's own.
    fn books(&self, item: &ModelItem) -> Result<bool, String> {
        // What stood may go on standing for as long as the feed is not believed; `settled` sees that it goes in the end.
        let stands = |was: &ModelItem| {
            let (was, is) = (&was.known, &item.known);
            (was.id, was.kind, was.interval, was.contested) == (is.id, is.kind, is.interval, is.contested)
        };
        let known_before = self.before.items.iter().any(stands);
        if known_before {
            return Ok(false);
        }
        match item.known.kind {
            ItemKind::Block => {
                let strange = item.nights().each().find(|night| !self.platform.is_own(*night));
                match strange.filter(|_| item.known.missing_since.is_none()) {
                    Some(night) => Err(format!("night {night} of {item:?} is nobody's block")),
                    None => Ok(false),
                }
            }
            // It may be an echo or not; `settled` sees that no doubt stays for ever.
            ItemKind::Unconfirmed => Ok(true),
            _ if item.truth == EventTruth::Echo && !item.known.contested => {
                Err(format!("an echo is booked: {item:?}"))
            }
            _ => Ok(item.known.contested),
        }
    }

    /// Whether what is sold there, and stands in the feed, is booked here.
    fn has(&self, event: &ModelFeedEvent) -> Result<bool, String> {
        if !matches!(event.truth, EventTruth::Sold(_)) || event.nights.until <= self.today {
            return Ok(false);
        }
        let booked = self.after.items.iter().any(|item| item.takes() && item.nights() == event.nights);
        if booked {
            return Ok(false);
        }
        // A platform that writes all alike: one event within nights that it has from us, when the other is missing. What it
        // has read to be free, it may have sold since: then the night is taken here.
        let taken = |night| self.after.items.iter().any(|item| item.takes() && item.nights().holds(night));
        if matches!(self.platform.dialect, ModelDialect::Booking | ModelDialect::Generic)
            && event.nights.each().all(|night| self.after.is_published(night))
        {
            let open =
                event.nights.each().find(|night| !self.after.is_ours_for_sure(*night) && !taken(*night));
            return open.map_or(Ok(true), |night| Err(format!("night {night} of {event:?} is free here")));
        }
        Err(format!("not booked: {event:?}"))
    }
}

/// What must hold when everything has arrived.
pub(super) fn settled(simulation: &ChannelSimulation) -> CheckResult {
    let today = simulation.today();
    for (channel, platform) in simulation.concord.channels.iter().zip(&simulation.platforms) {
        let here = format!("{:?}, settled, day {today}", platform.dialect);
        let unconfirmed = channel.items.iter().find(|item| item.known.kind == ItemKind::Unconfirmed);
        if let Some(item) = unconfirmed {
            return Err(format!("{here}: still unconfirmed: {item:?}"));
        }
        reservations(channel, platform, today)
            .map_err(|what| format!("{here}: {what}\n{channel:#?}\n{platform:#?}"))?;
        blocks(channel, platform, today)
            .map_err(|what| format!("{here}: {what}\n{channel:#?}\n{platform:#?}"))?;
    }
    for night in simulation.nights_ahead() {
        let (truly, here) = (simulation.guests_on(night), simulation.concord.guests_on(night));
        if truly > simulation.concord.units && here < truly {
            return Err(format!("night {night} is sold {truly} times, and {here} times here"));
        }
    }
    Ok(())
}

/// What is sold is booked, once each.
fn reservations(channel: &ModelChannel, platform: &PlatformModel, today: i64) -> CheckResult {
    let mut wanted: Vec<ModelNights> =
        platform.guests().map(|held| held.nights).filter(|nights| nights.until > today).collect();
    let mut found: Vec<ModelNights> = Vec::new();
    for item in channel.items.iter().filter(|item| item.known.kind == ItemKind::Reservation) {
        match wanted.iter().position(|nights| *nights == item.nights()) {
            Some(index) => found.push(wanted.swap_remove(index)),
            // A stay that was called off, or moved under another UID, of which we read only after its first day had begun:
            // it is not ended by a feed. Neither is one of two that look alike, while ours may still be one of them.
            None if item.nights().from <= today
                && (!found.contains(&item.nights())
                    || item.known.contested
                        && item.nights().each().all(|night| channel.is_published(night))) => {}
            None => return Err(format!("booked, and not sold: {item:?}")),
        }
    }
    if wanted.is_empty() { Ok(()) } else { Err(format!("sold, and not booked: {wanted:?}")) }
}

/// What the owner has closed there is closed here, and nothing else.
fn blocks(channel: &ModelChannel, platform: &PlatformModel, today: i64) -> CheckResult {
    let items = channel.items.iter().filter(|item| item.known.kind == ItemKind::Block);
    let closed: BTreeSet<i64> = items.flat_map(|item| item.nights().each()).collect();
    let own = |night: &i64| platform.dialect != ModelDialect::Booking && platform.is_own(*night);
    if let Some(night) = closed.iter().find(|night| **night >= today && !own(night)) {
        return Err(format!("night {night} is closed by nobody"));
    }
    let last = platform.edge(today).min(today + 100);
    let open =
        (today..last).find(|night| own(night) && !closed.contains(night) && !channel.is_published(*night));
    open.map_or(Ok(()), |night| Err(format!("night {night} is closed there, and open here")))
}
