//! The part of a channel's page that changes while it is looked at: how it stands, what waits, what the feed says, and
//! what each reading came to.

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    channel::ItemKind,
    ids::{BookingId, ChannelId},
};
use concord_jobs::channels::{exposure::Exposure, held, in_doubt};
use concord_storage::{
    PageAsk,
    channels::{
        Channel,
        items::{self, ChannelItem},
        runs::{self, Run},
    },
    feed_reads::{self, FeedRead},
};
use serde::Deserialize;

use super::{
    super::{
        PageError,
        asked::{Asked, Named},
        bookings::link_to,
        frame::part,
        names::Names,
        pieces::{Pill, Tone, capital},
        session::CurrentUser,
        when::{When, exact, stretch},
    },
    ask::these,
    found,
    glance::Glance,
    path_of,
    words::{item_label, origin_label, skipped},
};
use crate::{app::App, http::feeds::is_shown_as_person};

#[derive(Template)]
#[template(path = "channel_live.html")]
pub(super) struct ChannelLive {
    csrf: String,
    pub glance: Glance,
    /// What is held back.
    pub waiting: Vec<Item>,
    /// What may be ours, or sold there, and why.
    doubts: Vec<Item>,
    why_in_doubt: String,
    /// Until when; exact, since somebody may have to hurry.
    until: Option<String>,
    exposed: Vec<Exposed>,
    more_exposed: usize,
    items: Vec<Item>,
    more_items: usize,
    runs: Vec<Reading>,
    older: Option<String>,
    is_further: bool,
    readers: Vec<Reader>,
}
impl HtmlSafe for ChannelLive {}

/// An event of the platform's feed.
pub(super) struct Item {
    id: String,
    when: String,
    kind: &'static str,
    summary: String,
    /// The booking's reference and page.
    booking: Option<(String, String)>,
    missing: Option<When>,
    is_kept: bool,
}

/// What the platform does not know of.
struct Exposed {
    when: String,
    booking: (String, String),
    since: When,
}

/// A reading of the platform's feed.
struct Reading {
    id: String,
    at: When,
    outcome: Pill,
    message: String,
    skipped: String,
    origin: &'static str,
    who: String,
    can_be_undone: bool,
    is_undone: bool,
}

/// Who reads our feed.
struct Reader {
    name: String,
    is_person: bool,
    revision: i64,
    reads: i64,
    last: When,
}

impl ChannelLive {
    /// Whether somebody may say that the platform has read what it is not known to have read.
    fn can_confirm(&self) -> bool {
        !self.readers.is_empty()
            && self.glance.known.tone != Tone::Good
            && self.glance.known.tone != Tone::Neutral
    }

    fn these(&self) -> String {
        these(self.waiting.len())
    }
}

const SHOWN_ITEMS: usize = 60;
const SHOWN_EXPOSED: usize = 20;
const SHOWN_RUNS: u32 = 15;
const SHOWN_READERS: usize = 6;

/// Where in the history.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub after: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
    Asked(place): Asked<Place>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    part(&look(&app, &user, &channel, place).await?)
}

/// How times are told on the page.
struct Told {
    now: DateTime<Utc>,
    /// Of the business.
    zone: Tz,
    /// Of the resource, in which its nights are.
    nights: Tz,
    today: NaiveDate,
}

pub(super) async fn look(
    app: &App,
    user: &CurrentUser,
    channel: &Channel,
    place: Place,
) -> Result<ChannelLive, PageError> {
    let (db, business, now) = (&app.context.db, user.business.id, app.now());
    let mut names = Names::load(db, business, user.business.zone).await?;
    names.learn_resource(db, channel.resource_id).await?;
    let nights = names.zone_of(channel.resource_id);
    let told = Told { now, zone: user.business.zone, nights, today: now.with_timezone(&nights).date_naive() };
    let (glance, exposure) = Glance::of(app, user, channel, &names).await?;
    let found = items::to_come(db, business, channel.id, now).await?;
    let waiting = match channel.import_guard {
        Some(_) => held::waiting(&app.context, channel).await?,
        None => Vec::new(),
    };
    let doubts = found.iter().filter(|one| one.kind == ItemKind::Doubt);
    let doubts: Vec<Item> = doubts.map(|one| item(one, &told)).collect();
    let is_further = place.after.is_some();
    let ask = PageAsk { limit: SHOWN_RUNS, after: place.after };
    let history = runs::of_channel(db, business, channel.id, &ask).await?;
    let readers = match channel.feed_id {
        Some(feed) => feed_reads::of_feed(db, business, feed).await?,
        None => Vec::new(),
    };
    let path = path_of(channel.id);
    Ok(ChannelLive {
        csrf: user.token.form_token(),
        doubts,
        why_in_doubt: in_doubt::reason(&glance.platform),
        glance,
        waiting: waiting.iter().map(|one| item(one, &told)).collect(),
        until: channel.held_until.map(|until| exact(until, told.zone)),
        exposed: exposed(&exposure, &told),
        more_exposed: exposure.unknown.len().saturating_sub(SHOWN_EXPOSED),
        items: found.iter().take(SHOWN_ITEMS).map(|one| item(one, &told)).collect(),
        more_items: found.len().saturating_sub(SHOWN_ITEMS),
        runs: history.items.iter().map(|run| reading(run, &told)).collect(),
        older: history.next.map(|after| format!("{path}?after={after}")),
        is_further,
        readers: readers.iter().take(SHOWN_READERS).map(|one| reader(one, &told)).collect(),
    })
}

fn item(item: &ChannelItem, told: &Told) -> Item {
    Item {
        id: item.id.to_string(),
        when: stretch(item.interval(), told.nights, told.today),
        kind: item_label(item.kind),
        summary: item.guest.clone().unwrap_or_else(|| item.summary.clone()),
        booking: item.booking_id.zip(item.reference.as_deref()).map(|(id, reference)| link(id, reference)),
        missing: item.missing_since.map(|at| When::of(at, told.now, told.zone)),
        is_kept: item.pinned,
    }
}

/// The booking's reference and page.
fn link(id: BookingId, reference: &str) -> (String, String) {
    (reference.to_owned(), link_to(reference).unwrap_or_else(|| format!("/bookings/{id}")))
}

fn exposed(exposure: &Exposure, told: &Told) -> Vec<Exposed> {
    let unknown = exposure.unknown.iter().take(SHOWN_EXPOSED);
    unknown
        .map(|one| Exposed {
            when: stretch(one.interval, told.nights, told.today),
            booking: link(one.booking, &one.reference),
            since: When::of(one.since, told.now, told.zone),
        })
        .collect()
}

fn reading(run: &Run, told: &Told) -> Reading {
    Reading {
        id: run.id.to_string(),
        at: When::of(run.at, told.now, told.zone),
        outcome: run.outcome.into(),
        message: capital(&run.message),
        skipped: skipped(run.counts),
        origin: origin_label(run.origin),
        who: run.actor.label(),
        can_be_undone: run.can_be_undone(told.now),
        is_undone: run.undone_at.is_some(),
    }
}

fn reader(read: &FeedRead, told: &Told) -> Reader {
    Reader {
        name: read.reader.clone(),
        is_person: is_shown_as_person(read),
        revision: read.revision,
        reads: read.reads,
        last: When::of(read.read_at, told.now, told.zone),
    }
}
