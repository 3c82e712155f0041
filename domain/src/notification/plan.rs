//! What somebody is sent now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::{NoticeDelivery, NotificationPreferences};
use crate::{ids::NoticeId, notice::NoticeKind};

/// A notice that is open and concerns somebody.
#[derive(Clone, Copy, Debug)]
pub struct OpenNotice<'a> {
    pub id: NoticeId,
    pub kind: NoticeKind,
    /// Notices with one key are one thing: one who has the work and manages the business too is told once.
    pub key: &'a str,
    pub raised_at: DateTime<Utc>,
    /// Whether they were sent it.
    pub is_sent: bool,
}

/// What is known of somebody.
#[derive(Clone, Copy, Debug)]
pub struct RecipientState<'a> {
    pub preferences: &'a NotificationPreferences,
    pub last_digest_at: Option<DateTime<Utc>>,
    /// How long a notice that is not urgent waits for others.
    pub gather: Duration,
}

/// What somebody is sent in their next digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingDigest {
    pub count: usize,
    pub due_at: DateTime<Utc>,
}

/// What somebody is sent now, and when to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationPlan {
    /// What stands in their one mail, the oldest first; empty: there is none.
    pub mail: Vec<NoticeId>,
    /// Whether that mail is a digest too, which they can turn off.
    pub is_digest: bool,
    /// What is the same as something that they are sent, or were.
    pub repeated: Vec<NoticeId>,
    /// What they are to be sent later.
    pub waiting: BTreeSet<NoticeId>,
    /// What of it is for a digest that is not due yet.
    pub digest: Option<WaitingDigest>,
    pub next_at: Option<DateTime<Utc>>,
}

/// Plans what somebody is sent of what is open, the oldest first. What is due goes out together with all else that they
/// would be told of at once, or in the same digest, so that they get one mail rather than several.
pub fn plan(notices: &[OpenNotice<'_>], to: RecipientState<'_>, now: DateTime<Utc>) -> NotificationPlan {
    let mut keys: BTreeSet<&str> =
        notices.iter().filter(|notice| notice.is_sent).map(|notice| notice.key).collect();
    let mut plan = NotificationPlan::default();
    let mut due_at_once: Option<DateTime<Utc>> = None;
    let mut due_digest: Option<DateTime<Utc>> = None;
    let (mut at_once, mut digest) = (Vec::new(), Vec::new());
    let mut copies = Vec::new();
    for notice in notices.iter().filter(|notice| !notice.is_sent) {
        let delivery = to.preferences.delivery(notice.kind);
        if delivery == NoticeDelivery::Off {
            continue;
        }
        if !keys.insert(notice.key) {
            copies.push(notice);
            continue;
        }
        if delivery == NoticeDelivery::AtOnce {
            let wait = if notice.kind.is_urgent() { Duration::zero() } else { to.gather };
            earliest(&mut due_at_once, notice.raised_at + wait);
            at_once.push(notice);
        } else {
            let preferences = to.preferences;
            let due = preferences.digest.first_after(notice.raised_at, to.last_digest_at, preferences.zone);
            if let Some(due) = due {
                earliest(&mut due_digest, due);
            }
            digest.push(notice);
        }
    }
    for (due, gathered, is_digest) in [(due_at_once, at_once, false), (due_digest, digest, true)] {
        if due.is_some_and(|due| due <= now) {
            plan.mail.extend(gathered.iter().map(|notice| notice.id));
            plan.is_digest |= is_digest;
        } else {
            plan.waiting.extend(gathered.iter().map(|notice| notice.id));
            plan.next_at = [plan.next_at, due].into_iter().flatten().min();
            let waiting = due.filter(|_| is_digest);
            plan.digest = waiting.map(|due_at| WaitingDigest { count: gathered.len(), due_at });
        }
    }
    let positions: BTreeMap<NoticeId, usize> =
        notices.iter().enumerate().map(|(position, notice)| (notice.id, position)).collect();
    plan.mail.sort_by_key(|id| positions.get(id).copied());
    let waiting: BTreeSet<&str> =
        notices.iter().filter(|notice| plan.waiting.contains(&notice.id)).map(|notice| notice.key).collect();
    for copy in copies {
        if waiting.contains(copy.key) {
            plan.waiting.insert(copy.id);
        } else {
            plan.repeated.push(copy.id);
        }
    }
    plan
}

fn earliest(at: &mut Option<DateTime<Utc>>, other: DateTime<Utc>) {
    *at = Some(at.map_or(other, |known| known.min(other)));
}
