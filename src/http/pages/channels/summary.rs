//! How a channel stands, told alike on every page.

use concord_domain::{channel::ChannelState, job::JobKind};
use concord_jobs::channels::exposure::{Exposure, exposure};
use concord_storage::{channels::Channel, jobs};

use super::labels::{hue_class, quarantine_message};
use super::{channel_path, platform_name};
use crate::http::pages::{
    CurrentUser, NameDirectory, PageResult, Pill, RelativeTime, Tone, attention::exposed_nights, capitalize,
    pluralize,
};

/// How a channel stands.
pub(super) struct ChannelSummary {
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
    pub read: Option<RelativeTime>,
    pub next: Option<RelativeTime>,
    /// The host of what is read; empty: nothing is.
    pub host: String,
    pub known: ExposureSummary,
    /// What somebody has to see to.
    pub trouble: Option<ChannelProblem>,
    /// What of the platform's calendar was not understood.
    pub remark: Option<String>,
}

/// What is wrong, and what it means.
pub(super) struct ChannelProblem {
    pub headline: String,
    pub text: String,
    pub since: Option<RelativeTime>,
    /// Whether it waits for somebody's word.
    pub is_held: bool,
}

/// What the platform knows of ours.
pub(super) struct ExposureSummary {
    pub tone: Tone,
    pub words: String,
    /// When it last read our feed, and at which revision of which.
    pub last: Option<(RelativeTime, i64, i64)>,
}

impl ChannelSummary {
    /// Looks at a channel; `names` has heard of its resource.
    pub(super) async fn load(
        user: &CurrentUser,
        channel: &Channel,
        names: &NameDirectory,
    ) -> PageResult<(Self, Exposure)> {
        let (db, now, zone) = (&user.app.context.db, user.app.now(), user.business.zone);
        let is_read = channel.polled && channel.state == ChannelState::Active;
        let due = jobs::next_due_at(db, user.business.id, JobKind::PollChannel, channel.id.0).await?;
        let due = due.filter(|_| is_read);
        let is_due = due.is_some_and(|due| due <= now);
        let platform = platform_name(&user.app, &channel.platform);
        let known = user.app.context.platforms.find(&channel.platform);
        let exposure = exposure(db, channel, now).await?;
        let reads_ours = channel.feed_id.is_some() && known.is_none_or(|platform| platform.imports);
        let glance = Self {
            path: channel_path(channel.id),
            hue: hue_class(known),
            resource: names.resource_name(channel.resource_id),
            status: status_pill(channel, is_due),
            is_under_way: is_read && (is_due || channel.polled_at.is_none()),
            can_sync: is_read,
            read: channel.read_at.map(|at| RelativeTime::new(at, now, zone)),
            next: due.filter(|due| *due > now).map(|due| RelativeTime::new(due, now, zone)),
            host: channel.import_host.clone(),
            known: exposure_summary(&exposure, reads_ours, |at| RelativeTime::new(at, now, zone)),
            trouble: channel_problem(channel, &platform, |at| RelativeTime::new(at, now, zone)),
            remark: channel.last_error.as_deref().filter(|_| channel.failing_since.is_none()).map(capitalize),
            platform,
        };
        Ok((glance, exposure))
    }
}

/// How a channel stands in a word; `is_due`: it is about to be read.
pub(in crate::http::pages) fn status_pill(channel: &Channel, is_due: bool) -> Pill {
    let is_read = channel.polled || channel.read_at.is_some();
    if channel.state == ChannelState::Paused {
        Pill::new(Tone::Waiting, "Paused")
    } else if channel.polled && (is_due || channel.polled_at.is_none()) {
        Pill::new(Tone::Waiting, "Syncing")
    } else if channel.failing_since.is_some() {
        Pill::new(Tone::Wrong, "Failed")
    } else if channel.import_guard.is_some() {
        Pill::new(Tone::Waiting, "Held for review")
    } else if !is_read {
        Pill::new(Tone::Information, "Export only")
    } else if !channel.polled {
        Pill::new(Tone::Neutral, "Manual import")
    } else {
        Pill::new(Tone::Good, "In sync")
    }
}

fn exposure_summary(
    exposure: &Exposure,
    reads_ours: bool,
    when: impl Fn(chrono::DateTime<chrono::Utc>) -> RelativeTime,
) -> ExposureSummary {
    if !reads_ours {
        return ExposureSummary {
            tone: Tone::Neutral,
            words: "Cannot import our calendar".to_owned(),
            last: None,
        };
    }
    let nights = exposure.nights();
    let exposed = || exposed_nights(nights);
    match &exposure.last_read {
        None if nights == 0 => ExposureSummary {
            tone: Tone::Waiting,
            words: "Has not imported our calendar yet".to_owned(),
            last: None,
        },
        None => {
            let words = format!("{}: has not imported our calendar yet", exposed());
            ExposureSummary { tone: Tone::Wrong, words, last: None }
        }
        Some(read) => {
            let (tone, words) = match nights {
                0 => (Tone::Good, "Up to date".to_owned()),
                _ => (Tone::Waiting, exposed()),
            };
            ExposureSummary {
                tone,
                words,
                last: Some((when(read.read_at), read.revision, exposure.revision)),
            }
        }
    }
}

fn channel_problem(
    channel: &Channel,
    platform: &str,
    when: impl Fn(chrono::DateTime<chrono::Utc>) -> RelativeTime,
) -> Option<ChannelProblem> {
    if channel.state == ChannelState::Paused {
        return None;
    }
    if let Some(since) = channel.failing_since {
        let reason = channel.last_error.as_deref().unwrap_or("no reason given");
        return Some(ChannelProblem {
            headline: "failed to sync".to_owned(),
            text: format!("{}. Nothing was changed. Concord retries automatically.", capitalize(reason)),
            since: Some(when(since)),
            is_held: false,
        });
    }
    quarantine_message(channel, platform).map(|text| ChannelProblem {
        headline: format!("is missing {}", pluralize(channel.quarantined_items, "booking", "bookings")),
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
    use concord_jobs::channels::exposure::UnreadBooking;
    use concord_storage::feed_reads::FeedRead;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_platform_knows_is_described() {
        let when = |instant| RelativeTime::new(instant, at("2026-11-21T12:00:00Z"), Tz::UTC);
        let unknown = UnreadBooking {
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
        let of = |last_read: Option<FeedRead>, unknown: Vec<UnreadBooking>| Exposure {
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
            (of(None, vec![]), false, "Cannot import our calendar", None),
            (of(None, vec![]), true, "Has not imported our calendar yet", None),
            (
                of(None, vec![unknown.clone()]),
                true,
                "2 nights exposed: has not imported our calendar yet",
                None,
            ),
            (of(Some(read.clone()), vec![]), true, "Up to date", Some((812, 815))),
            (of(Some(read), vec![unknown]), true, "2 nights exposed", Some((812, 815))),
        ] {
            let known = exposure_summary(&exposure, reads_ours, when);
            assert_eq!(known.words, words);
            assert_eq!(known.last.map(|(_, seen, now)| (seen, now)), revisions, "{words}");
        }
    }
}
