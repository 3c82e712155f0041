//! How a channel stands, told alike on every page.

use concord_domain::{channel::ChannelState, job::JobKind};
use concord_jobs::channels::exposure::{Exposure, exposure};
use concord_storage::{channels::Channel, jobs};

use super::{
    super::{
        PageError,
        names::Names,
        pieces::{Pill, Tone, capital, count},
        session::CurrentUser,
        when::When,
    },
    path_of, platform_name,
    words::{held_sentence, hue_class},
};
use crate::app::App;

/// How a channel stands.
pub(super) struct Glance {
    pub path: String,
    pub platform: String,
    /// The class of the platform's colour.
    pub hue: String,
    pub resource: String,
    pub status: Pill,
    /// Whether the status will soon be another.
    pub is_under_way: bool,
    /// Whether it is read when somebody asks.
    pub can_sync: bool,
    pub read: Option<When>,
    pub next: Option<When>,
    /// The host of what is read; empty: nothing is.
    pub host: String,
    pub known: Known,
    /// What somebody has to see to.
    pub trouble: Option<Trouble>,
    /// What of the platform's calendar was not understood.
    pub remark: Option<String>,
}

/// What is wrong, and what it means.
pub(super) struct Trouble {
    pub headline: String,
    pub text: String,
    pub since: Option<When>,
    /// Whether it waits for somebody's word.
    pub is_held: bool,
}

/// What the platform knows of ours.
pub(super) struct Known {
    pub tone: Tone,
    /// "2 nights exposed".
    pub words: String,
    /// When it last read our feed, and at which revision of which.
    pub last: Option<(When, i64, i64)>,
}

impl Glance {
    /// Looks at a channel; `names` has heard of its resource.
    pub(super) async fn of(
        app: &App,
        user: &CurrentUser,
        channel: &Channel,
        names: &Names,
    ) -> Result<(Self, Exposure), PageError> {
        let (db, now, zone) = (&app.context.db, app.now(), user.business.zone);
        let is_read = channel.polled && channel.state == ChannelState::Active;
        let due = jobs::next_of(db, user.business.id, JobKind::PollChannel, channel.id.0).await?;
        let due = due.filter(|_| is_read);
        let is_due = due.is_some_and(|due| due <= now);
        let platform = platform_name(app, &channel.platform);
        let known = app.context.platforms.find(&channel.platform);
        let exposure = exposure(db, channel, now).await?;
        let reads_ours = channel.feed_id.is_some() && known.is_none_or(|platform| platform.imports);
        let glance = Self {
            path: path_of(channel.id),
            hue: hue_class(known),
            resource: names.of_resource(channel.resource_id),
            status: status(channel, is_due),
            is_under_way: is_read && (is_due || channel.polled_at.is_none()),
            can_sync: is_read,
            read: channel.read_at.map(|at| When::of(at, now, zone)),
            next: due.filter(|due| *due > now).map(|due| When::of(due, now, zone)),
            host: channel.import_host.clone(),
            known: told(&exposure, reads_ours, |at| When::of(at, now, zone)),
            trouble: trouble(channel, &platform, |at| When::of(at, now, zone)),
            remark: channel.last_error.as_deref().filter(|_| channel.failing_since.is_none()).map(capital),
            platform,
        };
        Ok((glance, exposure))
    }
}

/// How a channel stands in a word; `is_due`: it is about to be read.
pub(in crate::http::pages) fn status(channel: &Channel, is_due: bool) -> Pill {
    let is_read = channel.polled || channel.read_at.is_some();
    if channel.state == ChannelState::Paused {
        Pill::new(Tone::Waiting, "Paused")
    } else if channel.polled && (is_due || channel.polled_at.is_none()) {
        Pill::new(Tone::Waiting, "Reading…")
    } else if channel.failing_since.is_some() {
        Pill::new(Tone::Wrong, "Cannot be read")
    } else if channel.import_guard.is_some() {
        Pill::new(Tone::Waiting, "Held back")
    } else if !is_read {
        Pill::new(Tone::Information, "Publishes only")
    } else if !channel.polled {
        Pill::new(Tone::Neutral, "Imported by hand")
    } else {
        Pill::new(Tone::Good, "In step")
    }
}

fn told(
    exposure: &Exposure,
    reads_ours: bool,
    when: impl Fn(chrono::DateTime<chrono::Utc>) -> When,
) -> Known {
    if !reads_ours {
        return Known { tone: Tone::Neutral, words: "Reads no calendar of ours".to_owned(), last: None };
    }
    let nights = exposure.nights();
    let exposed = || format!("{} exposed", count(nights, "night", "nights"));
    match &exposure.last_read {
        None if nights == 0 => {
            Known { tone: Tone::Waiting, words: "Has never read our calendar".to_owned(), last: None }
        }
        None => {
            let words = format!("{}: has never read our calendar", exposed());
            Known { tone: Tone::Wrong, words, last: None }
        }
        Some(read) => {
            let (tone, words) = match nights {
                0 => (Tone::Good, "Knows everything".to_owned()),
                _ => (Tone::Waiting, exposed()),
            };
            Known { tone, words, last: Some((when(read.read_at), read.revision, exposure.revision)) }
        }
    }
}

fn trouble(
    channel: &Channel,
    platform: &str,
    when: impl Fn(chrono::DateTime<chrono::Utc>) -> When,
) -> Option<Trouble> {
    if channel.state == ChannelState::Paused {
        return None;
    }
    if let Some(since) = channel.failing_since {
        let reason = channel.last_error.as_deref().unwrap_or("no reason was given");
        return Some(Trouble {
            headline: "cannot be read".to_owned(),
            text: format!("{}. Nothing was changed; it is tried again by itself.", capital(reason)),
            since: Some(when(since)),
            is_held: false,
        });
    }
    held_sentence(channel, platform).map(|text| Trouble {
        headline: format!("lacks {}", count(channel.held_items, "booking", "bookings")),
        text,
        since: None,
        is_held: true,
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use chrono_tz::Tz;
    use concord_domain::{ids::BookingId, interval::Interval};
    use concord_jobs::channels::exposure::Unknown;
    use concord_storage::feed_reads::FeedRead;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_platform_knows_is_told_in_words() {
        let when = |instant| When::of(instant, at("2026-11-21T12:00:00Z"), Tz::UTC);
        let unknown = Unknown {
            booking: BookingId::new(at("2026-11-20T00:00:00Z")),
            reference: "B-1".to_owned(),
            interval: Interval { start: at("2026-12-01T00:00:00Z"), end: at("2026-12-03T00:00:00Z") },
            since: at("2026-11-20T00:00:00Z"),
        };
        let read = FeedRead {
            reader: "Airbnb".to_owned(),
            address: String::new(),
            person: false,
            revision: 812,
            reads: 4,
            first_read_at: at("2026-11-01T00:00:00Z"),
            read_at: at("2026-11-21T09:00:00Z"),
        };
        let of = |last_read: Option<FeedRead>, unknown: Vec<Unknown>| Exposure {
            last_read,
            revision: 815,
            nights: unknown
                .iter()
                .flat_map(|_| ["2026-12-01", "2026-12-02"])
                .map(|day| day.parse().unwrap())
                .collect(),
            unknown,
        };
        for (exposure, reads_ours, words, revisions) in [
            (of(None, vec![]), false, "Reads no calendar of ours", None),
            (of(None, vec![]), true, "Has never read our calendar", None),
            (of(None, vec![unknown.clone()]), true, "2 nights exposed: has never read our calendar", None),
            (of(Some(read.clone()), vec![]), true, "Knows everything", Some((812, 815))),
            (of(Some(read), vec![unknown]), true, "2 nights exposed", Some((812, 815))),
        ] {
            let known = told(&exposure, reads_ours, when);
            assert_eq!(known.words, words);
            assert_eq!(known.last.map(|(_, seen, now)| (seen, now)), revisions, "{words}");
        }
    }
}
