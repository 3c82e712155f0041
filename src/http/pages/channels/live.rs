//! The part of a channel's page that changes while it is looked at: how it stands, what waits, what the feed says, and
//! what each reading came to.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    channel::ItemKind,
    ids::{BookingId, ChannelId},
};
use concord_jobs::channels::{exposure::Exposure, quarantine, unconfirmed};
use concord_storage::{
    PageRequest,
    channels::{
        Channel,
        items::{self, ChannelItem},
        runs::{self, ChannelRun},
    },
    feed_reads::{self, FeedRead},
};
use serde::Deserialize;

use super::labels::{item_label, origin_label, skipped_message};
use super::{channel_path, confirm::bookings_phrase, find_channel, summary::ChannelSummary};
use crate::http::feeds::is_shown_as_person;
use crate::http::pages::{
    CurrentUser, Manager, NameDirectory, PagePath, PageQuery, PageResult, Pill, RelativeTime, Tone,
    capitalize, exact_time, linkable_path, render_partial, stretch,
};

#[derive(Template)]
#[template(path = "channel_live.html")]
pub(super) struct ChannelLive {
    csrf: String,
    pub glance: ChannelSummary,
    /// What is held back.
    pub waiting: Vec<ChannelEventRow>,
    /// What may be ours, or sold there, and why.
    unconfirmed: Vec<ChannelEventRow>,
    unconfirmed_reason: String,
    /// Until when; exact, since somebody may have to hurry.
    until: Option<String>,
    exposed: Vec<ExposureRow>,
    more_exposed: usize,
    items: Vec<ChannelEventRow>,
    more_items: usize,
    runs: Vec<ChannelRunRow>,
    older: Option<String>,
    is_further: bool,
    readers: Vec<ChannelFeedReaderRow>,
}
impl HtmlSafe for ChannelLive {}

/// An event of the platform's feed.
pub(super) struct ChannelEventRow {
    id: String,
    when: String,
    kind: &'static str,
    summary: String,
    /// The booking's reference and page.
    booking: Option<(String, String)>,
    missing: Option<RelativeTime>,
    is_kept: bool,
}

/// What the platform does not know of.
struct ExposureRow {
    when: String,
    booking: (String, String),
    since: RelativeTime,
}

/// A reading of the platform's feed.
struct ChannelRunRow {
    id: String,
    at: RelativeTime,
    outcome: Pill,
    message: String,
    skipped: String,
    origin: &'static str,
    who: String,
    can_be_undone: bool,
    is_undone: bool,
}

/// Who reads our feed.
struct ChannelFeedReaderRow {
    name: String,
    is_person: bool,
    revision: i64,
    reads: i64,
    last: RelativeTime,
}

impl ChannelLive {
    /// Whether somebody may say that the platform has read what it is not known to have read.
    fn can_confirm(&self) -> bool {
        !self.readers.is_empty()
            && self.glance.known.tone != Tone::Good
            && self.glance.known.tone != Tone::Neutral
    }

    fn these(&self) -> String {
        bookings_phrase(self.waiting.len())
    }
}

const SHOWN_ITEMS: usize = 60;
const SHOWN_EXPOSED: usize = 20;
const SHOWN_RUNS: u32 = 15;
const SHOWN_READERS: usize = 6;

/// Where in the history.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelPageQuery {
    pub after: Option<String>,
}

pub(super) async fn show(
    user: Manager,
    PagePath(id): PagePath<ChannelId>,
    PageQuery(query): PageQuery<ChannelPageQuery>,
) -> PageResult {
    let channel = find_channel(&user, id).await?;
    render_partial(&build_live(&user, &channel, query).await?)
}

/// How times are told on the page.
struct ChannelTimeFormat {
    now: DateTime<Utc>,
    zone: Tz,
    /// Of the resource, in which its nights are.
    nights: Tz,
    today: NaiveDate,
}

pub(super) async fn build_live(
    user: &CurrentUser,
    channel: &Channel,
    query: ChannelPageQuery,
) -> PageResult<ChannelLive> {
    let (db, business, now) = (&user.app.context.db, user.business.id, user.app.now());
    let mut names = NameDirectory::load(db, business, user.business.zone).await?;
    names.load_resource(db, channel.resource_id).await?;
    let nights = names.resource_zone(channel.resource_id);
    let told = ChannelTimeFormat {
        now,
        zone: user.business.zone,
        nights,
        today: now.with_timezone(&nights).date_naive(),
    };
    let (glance, exposure) = ChannelSummary::load(user, channel, &names).await?;
    let found = items::to_come(db, business, channel.id, now).await?;
    let waiting = match channel.import_guard {
        Some(_) => quarantine::waiting(&user.app.context, channel).await?,
        None => Vec::new(),
    };
    let unconfirmed = found.iter().filter(|one| one.kind == ItemKind::Unconfirmed);
    let unconfirmed: Vec<ChannelEventRow> = unconfirmed.map(|one| event_row(one, &told)).collect();
    let is_further = query.after.is_some();
    let ask = PageRequest { limit: SHOWN_RUNS, after: query.after };
    let history = runs::list_for_channel(db, business, channel.id, &ask).await?;
    let readers = match channel.feed_id {
        Some(feed) => feed_reads::of_feed(db, business, feed).await?,
        None => Vec::new(),
    };
    let path = channel_path(channel.id);
    Ok(ChannelLive {
        csrf: user.token.form_token(),
        unconfirmed,
        unconfirmed_reason: unconfirmed::reason(&glance.platform),
        glance,
        waiting: waiting.iter().map(|one| event_row(one, &told)).collect(),
        until: channel.quarantined_until.map(|until| exact_time(until, told.zone)),
        exposed: exposure_rows(&exposure, &told),
        more_exposed: exposure.unknown.len().saturating_sub(SHOWN_EXPOSED),
        items: found.iter().take(SHOWN_ITEMS).map(|one| event_row(one, &told)).collect(),
        more_items: found.len().saturating_sub(SHOWN_ITEMS),
        runs: history.items.iter().map(|run| run_row(run, &told)).collect(),
        older: history.next.map(|after| format!("{path}?after={after}")),
        is_further,
        readers: readers.iter().take(SHOWN_READERS).map(|one| reader_row(one, &told)).collect(),
    })
}

fn event_row(item: &ChannelItem, told: &ChannelTimeFormat) -> ChannelEventRow {
    ChannelEventRow {
        id: item.id.to_string(),
        when: stretch(item.interval(), told.nights, told.today),
        kind: item_label(item.kind),
        summary: item.guest.clone().unwrap_or_else(|| item.summary.clone()),
        booking: item
            .booking_id
            .zip(item.reference.as_deref())
            .map(|(id, reference)| booking_link(id, reference)),
        missing: item.missing_since.map(|at| RelativeTime::new(at, told.now, told.zone)),
        is_kept: item.pinned,
    }
}

/// The booking's reference and page.
fn booking_link(id: BookingId, reference: &str) -> (String, String) {
    (reference.to_owned(), linkable_path(reference).unwrap_or_else(|| format!("/bookings/{id}")))
}

fn exposure_rows(exposure: &Exposure, told: &ChannelTimeFormat) -> Vec<ExposureRow> {
    let unknown = exposure.unknown.iter().take(SHOWN_EXPOSED);
    unknown
        .map(|one| ExposureRow {
            when: stretch(one.interval, told.nights, told.today),
            booking: booking_link(one.booking, &one.reference),
            since: RelativeTime::new(one.since, told.now, told.zone),
        })
        .collect()
}

fn run_row(run: &ChannelRun, told: &ChannelTimeFormat) -> ChannelRunRow {
    ChannelRunRow {
        id: run.id.to_string(),
        at: RelativeTime::new(run.at, told.now, told.zone),
        outcome: run.outcome.into(),
        message: capitalize(&run.message),
        skipped: skipped_message(run.counts),
        origin: origin_label(run.origin),
        who: run.actor.label(),
        can_be_undone: run.can_be_undone(told.now),
        is_undone: run.undone_at.is_some(),
    }
}

fn reader_row(read: &FeedRead, told: &ChannelTimeFormat) -> ChannelFeedReaderRow {
    ChannelFeedReaderRow {
        name: read.reader.clone(),
        is_person: is_shown_as_person(read),
        revision: read.revision,
        reads: read.reads,
        last: RelativeTime::new(read.read_at, told.now, told.zone),
    }
}
