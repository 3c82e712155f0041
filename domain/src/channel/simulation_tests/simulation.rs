//! The simulation, step by step: people, three platforms, and Concord between them.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};

use super::{
    concord_model::{ConcordModel, ModelChannel},
    invariants,
    platform_model::{
        ModelDialect, ModelFeedEvent, ModelNights, PLATFORMS, PlatformModel, ZONE, day_of, reading_window,
        text,
    },
    steps::{FeedFault, NightsChoice, PlatformTally, SimulationStep},
};
use crate::{
    channel::{
        ImportGuard, ItemKind,
        plan::{ChannelPlan, ChannelPlanInput, plan},
        snapshot::{Snapshot, snapshot},
    },
    ical::{ReadLimits, read},
};

/// Something is not as it must be.
pub(super) type CheckResult = Result<(), String>;

#[derive(Clone, Copy, Debug)]
struct FaultEpisode {
    fault: FeedFault,
    until: DateTime<Utc>,
}

pub(super) struct ChannelSimulation {
    pub(super) now: DateTime<Utc>,
    pub(super) concord: ConcordModel,
    pub(super) platforms: [PlatformModel; PLATFORMS],
    pub(super) tallies: [PlatformTally; PLATFORMS],
    /// Those at Concord itself, and how many of them were called off.
    pub(super) direct: (usize, usize),
    /// Bookings and changes that were made although somebody else had the nights.
    pub(super) races: usize,
    episodes: [Option<FaultEpisode>; PLATFORMS],
}

impl ChannelSimulation {
    /// Every platform has been read once, and has read us once.
    pub(super) fn new(units: usize) -> Result<Self, String> {
        let mut simulation = Self {
            now: "2026-11-21T08:00:00Z".parse().unwrap(),
            concord: ConcordModel::new(units),
            platforms: ModelDialect::ALL.map(PlatformModel::new),
            tallies: [PlatformTally::default(); PLATFORMS],
            direct: (0, 0),
            races: 0,
            episodes: [None; PLATFORMS],
        };
        for at in 0..PLATFORMS {
            simulation.step(&SimulationStep::Poll { at })?;
        }
        Ok(simulation)
    }

    pub(super) fn today(&self) -> i64 {
        day_of(self.now)
    }

    pub(super) fn pass(&mut self, minutes: i64) {
        self.now += Duration::minutes(minutes);
        self.concord.pass(self.now);
        for platform in &mut self.platforms {
            platform.pass(self.now);
        }
    }

    fn nights(&self, choice: NightsChoice) -> ModelNights {
        ModelNights::new(self.today() + i64::from(choice.ahead), i64::from(choice.length))
    }

    pub(super) fn step(&mut self, step: &SimulationStep) -> CheckResult {
        let today = self.today();
        match *step {
            SimulationStep::Wait => {}
            SimulationStep::Book { at, nights } => self.book(at, self.nights(nights)),
            SimulationStep::Resell { at, which } => {
                if let Some(nights) = pick(&self.concord.channels[at].freed(), which).copied() {
                    self.book(at, nights);
                }
            }
            SimulationStep::Move { at, which, nights } => self.change(at, which, self.nights(nights)),
            SimulationStep::Cancel { at, which } => {
                let sold = &mut self.platforms[at].sold;
                let open: Vec<usize> =
                    (0..sold.len()).filter(|index| sold[*index].nights.from > today).collect();
                if let Some(index) = pick(&open, which) {
                    sold.remove(*index);
                    self.tallies[at].cancellations += 1;
                }
            }
            SimulationStep::Close { at, nights } => {
                let nights = self.nights(nights);
                if self.platforms[at].closes(nights, today) {
                    self.platforms[at].take(self.concord.number(), nights, false, self.now);
                    self.tallies[at].blocks += 1;
                }
            }
            SimulationStep::Open { at, which } => {
                let own = &mut self.platforms[at].own;
                // What reads like a stay is not ended by its feed once it has begun.
                let open: Vec<usize> =
                    (0..own.len()).filter(|index| own[*index].nights.from > today).collect();
                if let Some(index) = pick(&open, which) {
                    own.remove(*index);
                    self.tallies[at].blocks += 1;
                }
            }
            SimulationStep::Direct { nights } => {
                let nights = self.nights(nights);
                if self.concord.is_free(nights) {
                    self.note_race(nights, None);
                    let number = self.concord.number();
                    self.concord.direct.push((number, nights));
                    self.direct.0 += 1;
                }
            }
            SimulationStep::CancelDirect { which } => {
                let numbers: Vec<u32> = self.concord.direct.iter().map(|(number, _)| *number).collect();
                if let Some(number) = pick(&numbers, which) {
                    self.concord.direct.retain(|(other, _)| other != number);
                    self.direct.1 += 1;
                }
            }
            SimulationStep::Read { at } => {
                let feed = self.concord.read(at, self.now);
                self.platforms[at].reads(feed, self.now);
                self.tallies[at].reads += 1;
            }
            SimulationStep::Poll { at } => return self.poll(at),
            SimulationStep::Fail { at, fault, minutes } => self.fail(at, fault, minutes.into()),
        }
        Ok(())
    }

    /// Two episodes are told apart by a reading without fault between them, but for a feed that is empty first, and then
    /// comes back bit by bit.
    fn fail(&mut self, at: usize, fault: FeedFault, minutes: i64) {
        let until = match self.episodes[at] {
            Some(FaultEpisode { fault: FeedFault::Empty, until })
                if matches!(fault, FeedFault::Shrunk(_))
                    && self.concord.channels[at].held == Some(ImportGuard::Empty) =>
            {
                until
            }
            Some(_) => return,
            None => self.now + Duration::minutes(minutes),
        };
        self.episodes[at] = Some(FaultEpisode { fault, until });
        self.tallies[at].faults += 1;
    }

    fn book(&mut self, at: usize, nights: ModelNights) {
        if self.platforms[at].sells(nights, None, self.today()) {
            self.note_race(nights, None);
            self.platforms[at].take(self.concord.number(), nights, true, self.now);
            self.tallies[at].bookings += 1;
        }
    }

    fn change(&mut self, at: usize, which: u8, nights: ModelNights) {
        let today = self.today();
        let sold = &self.platforms[at].sold;
        let open: Vec<usize> = (0..sold.len()).filter(|index| sold[*index].nights.from > today).collect();
        let Some(index) = pick(&open, which).copied() else { return };
        if self.platforms[at].sells(nights, Some(sold[index].number), today) {
            let number = sold[index].number;
            self.note_race(nights, Some(number));
            self.platforms[at].change(index, nights);
            self.tallies[at].changes += 1;
        }
    }

    /// Before it is sold, to somebody new or to `number`: whether others have all units already.
    fn note_race(&mut self, nights: ModelNights, number: Option<u32>) {
        let full = nights.each().any(|night| self.guests_beside(night, number) >= self.concord.units);
        self.races += usize::from(full);
    }

    /// How many guests truly have this night.
    pub(super) fn guests_on(&self, night: i64) -> usize {
        self.guests_beside(night, None)
    }

    fn guests_beside(&self, night: i64, number: Option<u32>) -> usize {
        let sold = self.platforms.iter().flat_map(PlatformModel::guests);
        let others = sold.filter(|held| Some(held.number) != number).map(|held| held.nights);
        let all = others.chain(self.concord.direct.iter().map(|(_, nights)| *nights));
        all.filter(|nights| nights.holds(night)).count()
    }

    pub(super) fn nights_ahead(&self) -> std::ops::Range<i64> {
        self.today()..self.today() + 100
    }

    /// How many nights more guests have than there are units.
    pub(super) fn sold_too_often(&self) -> usize {
        self.nights_ahead().filter(|night| self.guests_on(*night) > self.concord.units).count()
    }

    fn poll(&mut self, at: usize) -> CheckResult {
        self.tallies[at].polls += 1;
        let fault = self.episodes[at].take().map(|episode| {
            let over = episode.until <= self.now;
            if !over && matches!(episode.fault, FeedFault::Empty | FeedFault::Shrunk(_)) {
                self.episodes[at] = Some(episode);
            }
            (!over).then_some(episode.fault)
        });
        let fault = fault.flatten();
        if fault == Some(FeedFault::Renamed) {
            self.platforms[at].renamed += 1;
        }
        let events = self.as_served(at, self.platforms[at].feed(self.today()), fault);
        let mut bytes = text(&events);
        if fault == Some(FeedFault::Incomplete) {
            bytes.truncate(bytes.len() / 2);
        }
        let calendar = read(bytes.as_bytes(), ZONE, &ReadLimits::default()).unwrap();
        if !calendar.whole {
            return Ok(());
        }
        let window = reading_window(self.now);
        let dialect = self.platforms[at].dialect;
        let snapshot =
            snapshot(&calendar, window, ZONE, &ReadLimits::default(), |event| Some(dialect.tell(event)));
        let mut snapshot = snapshot.unwrap();
        let ours = snapshot.named().into_iter().collect();
        snapshot.mark_ours(&ours);
        self.follow(at, &snapshot, &events)
    }

    fn follow(&mut self, at: usize, snapshot: &Snapshot, events: &[ModelFeedEvent]) -> CheckResult {
        let before = self.concord.channels[at].clone();
        let known: Vec<_> = before.items.iter().map(|item| item.known.clone()).collect();
        let plan: ChannelPlan = plan(&ChannelPlanInput {
            known: &known,
            snapshot,
            published: &before.published(),
            rules: &before.rules,
            is_part: false,
            held: before.held,
            zone: ZONE,
            now: self.now,
        });
        self.concord.apply(at, &plan, self.now);
        self.concord.channels[at].held = plan.held.map(|held| held.import_guard);
        let tally = &mut self.tallies[at];
        tally.actions += plan.actions.len();
        tally.held += usize::from(plan.held.is_some());
        tally.echoes += plan.echoes;
        let unconfirmed = |channel: &ModelChannel| {
            channel.items.iter().filter(|item| item.known.kind == ItemKind::Unconfirmed).count()
        };
        tally.unconfirmed += unconfirmed(&self.concord.channels[at]).saturating_sub(unconfirmed(&before));
        let (platform, today) = (&self.platforms[at], day_of(self.now));
        let reading = invariants::PollCheck {
            platform,
            before: &before,
            after: &self.concord.channels[at],
            events,
            today,
        };
        tally.undecided += reading.check().map_err(|what| {
            format!(
                "{what}\n  {} {:?}\n  before {before:#?}\n  {events:#?}\n  {plan:#?}",
                self.now, platform.dialect
            )
        })?;
        Ok(())
    }

    /// What the platform answers instead of its feed.
    fn as_served(
        &self,
        at: usize,
        mut events: Vec<ModelFeedEvent>,
        fault: Option<FeedFault>,
    ) -> Vec<ModelFeedEvent> {
        match fault {
            None | Some(FeedFault::Incomplete | FeedFault::Renamed) => {}
            Some(FeedFault::Empty) => events.clear(),
            Some(FeedFault::Reordered) => events.reverse(),
            Some(FeedFault::Twice) => {
                events = events.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
            }
            Some(FeedFault::Shrunk(first)) => {
                let (known, today) = (self.concord.channels[at].events(), self.today());
                let living = events.iter().filter(|event| event.nights.until > today);
                let (mut dropped, new): (Vec<&ModelFeedEvent>, Vec<&ModelFeedEvent>) =
                    living.partition(|event| known.contains(event.uid.as_str()) || event.is_window());
                let count = dropped.len();
                dropped.rotate_left(if count > 0 { usize::from(first) % count } else { 0 });
                let most = if count > 0 { usize::midpoint(count, new.len()) + 1 } else { 0 };
                dropped.extend(new);
                // More than half of them all, and of those that are known here: nobody can miss the others.
                let mut dropped =
                    dropped.into_iter().map(|event| event.uid.clone()).collect::<Vec<_>>().into_iter();
                let mut drop = |events: &mut Vec<ModelFeedEvent>, count: usize| {
                    let uids: HashSet<String> = dropped.by_ref().take(count).collect();
                    events.retain(|event| !uids.contains(&event.uid));
                    !uids.is_empty()
                };
                let mut more = drop(&mut events, most);
                while more && !self.concord.channels[at].misses_more_than_half(&events, self.now) {
                    more = drop(&mut events, 1);
                }
            }
        }
        events
    }

    /// Three days in which nobody does anything and everything arrives, and four hours more: an empty feed is believed after
    /// 24 hours, what another platform shows because of it may be unconfirmed for 24 from when that has read it, and what a third
    /// shows because of that lingers as long.
    pub(super) fn settle(&mut self) -> CheckResult {
        self.episodes = [None; PLATFORMS];
        for _ in 0..76 {
            self.pass(60);
            for at in 0..PLATFORMS {
                self.step(&SimulationStep::Poll { at })?;
            }
            for at in 0..PLATFORMS {
                self.step(&SimulationStep::Read { at })?;
            }
        }
        invariants::settled(self)
    }
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    (!all.is_empty()).then(|| &all[usize::from(which) % all.len()])
}
