//! Platforms as they are: what they have sold and closed, and how each of them writes that into its feed.

use std::fmt::Write;

use chrono::{DateTime, Days, Duration, Months, NaiveDate, Utc};

use crate::{
    channel::plan::ChannelRules,
    ical::{ReadEvent, uid},
    ids::BookingId,
    interval::{Interval, stay},
    platform::{EventKind, UidKeeps},
};

pub(super) const ZONE: chrono_tz::Tz = chrono_tz::Africa::Johannesburg;
/// For how long Booking.com shows what it has read to be free.
const FADES_FOR: Duration = Duration::minutes(90);
/// How far ahead Airbnb sells.
const WINDOW_MONTHS: u32 = 1;

/// The day on which every simulation begins.
fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
}

/// The nights `[from, until)`, counted from the first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ModelNights {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl ModelNights {
    pub(super) fn new(from: i64, length: i64) -> Self {
        Self { from, until: from + length }
    }

    pub(super) fn of(interval: Interval) -> Self {
        Self { from: day_of(interval.start), until: day_of(interval.end) }
    }

    fn dates(self) -> [NaiveDate; 2] {
        [self.from, self.until].map(|day| first_day() + chrono::Duration::days(day))
    }

    pub(super) fn interval(self) -> Interval {
        let [from, until] = self.dates();
        stay(from, until, ZONE).unwrap()
    }

    pub(super) fn each(self) -> std::ops::Range<i64> {
        self.from..self.until
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.from < other.until && other.from < self.until
    }

    pub(super) fn holds(self, night: i64) -> bool {
        self.each().contains(&night)
    }
}

/// The day, in the zone of the concord, counted from the first.
pub(super) fn day_of(at: DateTime<Utc>) -> i64 {
    (at.with_timezone(&ZONE).date_naive() - first_day()).num_days()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelDialect {
    Airbnb,
    Vrbo,
    Booking,
    /// One of which nothing is known: it gives our UIDs back, and calls guests by their names.
    Generic,
}

/// How many there are.
pub(super) const PLATFORMS: usize = 4;

impl ModelDialect {
    pub(super) const ALL: [Self; PLATFORMS] = [Self::Airbnb, Self::Vrbo, Self::Booking, Self::Generic];

    pub(super) fn rules(self) -> ChannelRules {
        match self {
            Self::Airbnb => ChannelRules { window_months: vec![WINDOW_MONTHS], ..ChannelRules::default() },
            Self::Vrbo => ChannelRules { uids: UidKeeps::WithDates, ..ChannelRules::default() },
            Self::Booking | Self::Generic => {
                ChannelRules { uids: UidKeeps::Volatile, ..ChannelRules::default() }
            }
        }
    }

    pub(super) fn tell(self, event: &ReadEvent) -> (EventKind, Option<String>) {
        match (self, event.summary.as_str()) {
            (Self::Airbnb, "Reserved") => (EventKind::Reservation, None),
            (Self::Airbnb | Self::Vrbo, summary) => match summary.strip_prefix("Reserved - ") {
                Some(guest) => (EventKind::Reservation, Some(guest.to_owned())),
                None => (EventKind::Block, None),
            },
            (Self::Generic, "Blocked") => (EventKind::Block, None),
            (Self::Booking | Self::Generic, _) => (EventKind::Unclear, None),
        }
    }
}

/// The booking here that has this number.
pub(super) fn booking(number: u32) -> BookingId {
    BookingId(uuid::Uuid::from_u128(number.into()))
}

/// What an event truly is. It travels in the description, which no plan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EventTruth {
    /// Sold to a guest there.
    Sold(u32),
    /// Closed by the owner there.
    Own(u32),
    /// Closed because our feed said so.
    Echo,
    /// Closed for any of these reasons, or because it is not sold yet.
    Joined,
}

impl EventTruth {
    fn text(self) -> String {
        match self {
            Self::Sold(number) => format!("sold {number}"),
            Self::Own(number) => format!("own {number}"),
            Self::Echo => "echo".to_owned(),
            Self::Joined => "joined".to_owned(),
        }
    }

    pub(super) fn read(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("sold", number)) => Self::Sold(number.parse().unwrap()),
            Some((_, number)) => Self::Own(number.parse().unwrap()),
            None if text == "echo" => Self::Echo,
            None => Self::Joined,
        }
    }
}

/// What a platform holds of its own.
#[derive(Clone, Debug)]
pub(super) struct PlatformStay {
    pub(super) number: u32,
    pub(super) nights: ModelNights,
    /// How often its dates were changed.
    changes: u32,
    made_at: DateTime<Utc>,
}

/// An event of a feed.
#[derive(Clone, Debug)]
pub(super) struct ModelFeedEvent {
    pub(super) uid: String,
    pub(super) nights: ModelNights,
    pub(super) summary: String,
    pub(super) truth: EventTruth,
}

impl ModelFeedEvent {
    /// The end of what is sold has another UID each day.
    pub(super) fn is_window(&self) -> bool {
        self.truth == EventTruth::Joined && self.nights.until - self.nights.from >= 365
    }
}

#[derive(Clone, Debug)]
pub(super) struct PlatformModel {
    pub(super) dialect: ModelDialect,
    pub(super) sold: Vec<PlatformStay>,
    pub(super) own: Vec<PlatformStay>,
    /// What it read in our feed: which booking of ours, and when.
    pub(super) closed: Vec<(u32, ModelNights)>,
    /// What it shows as closed for a while though it has read that it is free, and until when.
    fading: Vec<(u32, ModelNights, DateTime<Utc>)>,
    /// How often it has changed all its UIDs.
    pub(super) renamed: u32,
}

impl PlatformModel {
    pub(super) fn new(dialect: ModelDialect) -> Self {
        Self { dialect, sold: vec![], own: vec![], closed: vec![], fading: vec![], renamed: 0 }
    }

    /// The first night that is not sold yet.
    pub(super) fn edge(&self, today: i64) -> i64 {
        match self.dialect {
            ModelDialect::Airbnb => {
                let [today, _] = ModelNights::new(today, 1).dates();
                (today.checked_add_months(Months::new(WINDOW_MONTHS)).unwrap() - first_day()).num_days()
            }
            ModelDialect::Vrbo | ModelDialect::Booking | ModelDialect::Generic => i64::MAX,
        }
    }

    /// Whether a guest may have these nights, beside what `number` has.
    pub(super) fn sells(&self, nights: ModelNights, number: Option<u32>, today: i64) -> bool {
        let others = self.sold.iter().filter(|held| Some(held.number) != number);
        nights.from > today
            && nights.until <= self.edge(today)
            && others.chain(&self.own).all(|held| !held.nights.overlaps(nights))
            && self.closed.iter().all(|(_, closed)| !closed.overlaps(nights))
    }

    /// Whether the owner may close these nights: what is sold stays sold. Nobody closes what is not sold yet: the end of
    /// what is sold would seem to stand still at the beginning of that.
    pub(super) fn closes(&self, nights: ModelNights, today: i64) -> bool {
        nights.from > today
            && nights.until <= self.edge(today)
            && self.sold.iter().chain(&self.own).all(|held| !held.nights.overlaps(nights))
    }

    /// What is sold, or written as if it were.
    pub(super) fn guests(&self) -> impl Iterator<Item = &PlatformStay> {
        let alike = if self.dialect == ModelDialect::Booking { &self.own[..] } else { &[] };
        self.sold.iter().chain(alike)
    }

    pub(super) fn take(&mut self, number: u32, nights: ModelNights, sold: bool, made_at: DateTime<Utc>) {
        self.fading.retain(|(_, fading, _)| !fading.overlaps(nights));
        let all = if sold { &mut self.sold } else { &mut self.own };
        all.push(PlatformStay { number, nights, changes: 0, made_at });
    }

    pub(super) fn change(&mut self, index: usize, nights: ModelNights) {
        self.fading.retain(|(_, fading, _)| !fading.overlaps(nights));
        self.sold[index].nights = nights;
        self.sold[index].changes += 1;
    }

    /// It reads our feed. What is free by now it may sell at once; some show it as closed for a while all the same.
    pub(super) fn reads(&mut self, feed: Vec<(u32, ModelNights)>, now: DateTime<Utc>) {
        let was = std::mem::replace(&mut self.closed, feed);
        if self.dialect == ModelDialect::Booking {
            let gone = was.into_iter().filter(|one| !self.closed.contains(one));
            self.fading.extend(gone.map(|(of, nights)| (of, nights, now + FADES_FOR)));
            self.fading
                .retain(|(_, fading, _)| !self.closed.iter().any(|(_, nights)| nights.overlaps(*fading)));
        }
    }

    /// What fades is gone in the end.
    pub(super) fn pass(&mut self, now: DateTime<Utc>) {
        self.fading.retain(|(.., until)| *until > now);
    }

    pub(super) fn is_own(&self, night: i64) -> bool {
        self.own.iter().any(|held| held.nights.holds(night))
    }

    /// Whether the owner had closed it already at that time, and still has.
    pub(super) fn was_own(&self, night: i64, at: DateTime<Utc>) -> bool {
        self.own.iter().any(|held| held.nights.holds(night) && held.made_at <= at)
    }

    /// The nights that it has now.
    pub(super) fn nights_of(&self, truth: EventTruth) -> Option<ModelNights> {
        let all = self.sold.iter().map(|held| (EventTruth::Sold(held.number), held.nights));
        let mut all = all.chain(self.own.iter().map(|held| (EventTruth::Own(held.number), held.nights)));
        all.find(|(one, _)| *one == truth).map(|(_, nights)| nights)
    }

    pub(super) fn lives(&self, truth: EventTruth) -> bool {
        self.nights_of(truth).is_some()
    }

    /// Its feed: what is over stays in it for a day.
    pub(super) fn feed(&self, today: i64) -> Vec<ModelFeedEvent> {
        let salt = self.renamed;
        let kept = |nights: &ModelNights| nights.until + 1 > today;
        let mut events = Vec::new();
        for held in self.sold.iter().filter(|held| kept(&held.nights)) {
            let PlatformStay { number, nights, changes, .. } = *held;
            let (uid, summary) = match self.dialect {
                ModelDialect::Airbnb => (format!("r{salt}-{number}"), "Reserved".to_owned()),
                ModelDialect::Vrbo => {
                    (format!("r{salt}-{number}-{changes}"), format!("Reserved - Guest {number}"))
                }
                ModelDialect::Booking => (format!("c{salt}-{number}"), "CLOSED - Not available".to_owned()),
                ModelDialect::Generic => (format!("g{salt}-{number}"), format!("Family {number}")),
            };
            events.push(ModelFeedEvent { uid, nights, summary, truth: EventTruth::Sold(number) });
        }
        let own = self.own.iter().map(|held| (held.number, held.nights, EventTruth::Own(held.number)));
        let fading = self.fading.iter().map(|(of, nights, _)| (*of, *nights));
        let closed =
            self.closed.iter().copied().chain(fading).map(|(of, nights)| (of, nights, EventTruth::Echo));
        let blocks: Vec<_> = own.chain(closed).filter(|(_, nights, _)| kept(nights)).collect();
        match self.dialect {
            ModelDialect::Airbnb => events.extend(self.joined(&blocks, today)),
            ModelDialect::Generic => events.extend(blocks.into_iter().map(|(number, nights, truth)| {
                let (uid, summary) = match truth {
                    EventTruth::Echo => (uid(booking(number), "book.example"), "Busy"),
                    _ => (format!("b{salt}-{number}"), "Blocked"),
                };
                ModelFeedEvent { uid, nights, summary: summary.to_owned(), truth }
            })),
            ModelDialect::Vrbo | ModelDialect::Booking => {
                let summary =
                    if self.dialect == ModelDialect::Vrbo { "Blocked" } else { "CLOSED - Not available" };
                events.extend(blocks.into_iter().map(|(number, nights, truth)| ModelFeedEvent {
                    uid: format!("c{salt}-{number}"),
                    nights,
                    summary: summary.to_owned(),
                    truth,
                }));
            }
        }
        events.sort_by_key(|event| event.nights);
        events
    }

    /// What touches becomes one block, the end of what is sold with it; a night that is sold is none.
    fn joined(&self, blocks: &[(u32, ModelNights, EventTruth)], today: i64) -> Vec<ModelFeedEvent> {
        let window = ModelNights::new(self.edge(today), 365);
        let mut nights: Vec<i64> =
            blocks.iter().map(|(_, nights, _)| *nights).chain([window]).flat_map(ModelNights::each).collect();
        nights.sort_unstable();
        nights.dedup();
        nights.retain(|night| !self.sold.iter().any(|held| held.nights.holds(*night)));
        let runs = nights.chunk_by(|one, next| one + 1 == *next);
        let events = runs.map(|run| ModelFeedEvent {
            uid: format!("b{}-{}", self.renamed, run[0]),
            nights: ModelNights { from: run[0], until: run[run.len() - 1] + 1 },
            summary: "Airbnb (Not available)".to_owned(),
            truth: EventTruth::Joined,
        });
        events.collect()
    }
}

/// The bytes of a feed.
pub(super) fn text(events: &[ModelFeedEvent]) -> String {
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//days//EN\r\n".to_owned();
    for ModelFeedEvent { uid, nights, summary, truth } in events {
        let [from, until] = nights.dates().map(|date| date.format("%Y%m%d").to_string());
        write!(
            text,
            "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261121T000000Z\r\nDTSTART;VALUE=DATE:{from}\r\n\
             DTEND;VALUE=DATE:{until}\r\nSUMMARY:{summary}\r\nDESCRIPTION:{}\r\nEND:VEVENT\r\n",
            truth.text()
        )
        .unwrap();
    }
    text + "END:VCALENDAR\r\n"
}

/// What is read of a calendar: a week back, and as far ahead as anybody publishes.
pub(super) fn reading_window(now: DateTime<Utc>) -> Interval {
    Interval::new(now - Days::new(7), now + Days::new(800)).unwrap()
}
