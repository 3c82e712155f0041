use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::{
    America::Sao_Paulo,
    Europe::{Berlin, Lisbon},
    Pacific::Apia,
    Tz,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    DigestDay, DigestSchedule, NoticeDelivery, NotificationChoices, NotificationPlan,
    NotificationPreferences, OpenNotice, RecipientState, WaitingDigest, plan,
};
use crate::{ids::NoticeId, notice::NoticeKind};

const GATHER: Duration = Duration::minutes(2);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn id(number: u128) -> NoticeId {
    NoticeId(Uuid::from_u128(number))
}

fn notice(number: u128, kind: NoticeKind, key: &str, raised_at: DateTime<Utc>) -> OpenNotice<'_> {
    OpenNotice { id: id(number), kind, key, raised_at, is_sent: false }
}

fn preferences(deliveries: &[(NoticeKind, NoticeDelivery)]) -> NotificationPreferences {
    let own = NotificationChoices {
        deliveries: deliveries.iter().copied().collect(),
        ..NotificationChoices::default()
    };
    NotificationPreferences::resolve(&own, &NotificationChoices::default(), Berlin)
}

fn planned(
    notices: &[OpenNotice<'_>],
    preferences: &NotificationPreferences,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> NotificationPlan {
    plan(notices, RecipientState { preferences, last_digest_at: last, gather: GATHER }, now)
}

#[test]
fn what_is_told_at_once_waits_for_others_a_little() {
    let now = at("2026-07-01T12:00:00Z");
    let notices = [
        notice(1, NoticeKind::Conflict, "a", now - Duration::minutes(1)),
        notice(2, NoticeKind::FailedSync, "b", now),
    ];
    let all = preferences(&[]);
    let early = planned(&notices, &all, None, now);
    assert!(early.mail.is_empty());
    assert_eq!(early.next_at, Some(now + Duration::minutes(1)));
    let due = planned(&notices, &all, None, now + Duration::minutes(1));
    assert_eq!((due.mail, due.is_digest, due.next_at), (vec![id(1), id(2)], false, None));

    // What is urgent takes along what waits.
    let urgent = [notices[0], notices[1], notice(3, NoticeKind::Reconnect, "c", now)];
    assert_eq!(planned(&urgent, &all, None, now).mail.len(), 3);
}

#[test]
fn digest_waits_for_its_hour_and_comes_once_a_day() {
    let now = at("2026-07-01T12:00:00Z");
    let digest = preferences(&[(NoticeKind::Conflict, NoticeDelivery::Digest)]);
    let notices = [notice(1, NoticeKind::Conflict, "a", now), notice(2, NoticeKind::Answer, "b", now)];
    let at_once = planned(&notices, &digest, None, now + GATHER);
    assert_eq!((at_once.mail, at_once.is_digest), (vec![id(2)], false));
    assert_eq!(at_once.next_at, Some(at("2026-07-02T06:00:00Z")));
    let waiting = WaitingDigest { count: 1, due_at: at("2026-07-02T06:00:00Z") };
    assert_eq!(at_once.digest, Some(waiting));
    let copy =
        [notices[0], notice(3, NoticeKind::Conflict, "a", now), notice(4, NoticeKind::Conflict, "c", now)];
    let both = planned(&copy, &digest, None, now).digest;
    assert_eq!(both, Some(WaitingDigest { count: 2, ..waiting }), "one thing counts once");
    let due = planned(&notices, &digest, None, at("2026-07-02T06:00:00Z"));
    assert_eq!((due.mail, due.is_digest), (vec![id(1), id(2)], true), "one mail for both");
    assert_eq!(due.digest, None);
    // Nothing ran at eight: it comes late, and the next one on the next day.
    let late = at("2026-07-02T15:00:00Z");
    assert_eq!(planned(&notices[..1], &digest, None, late).mail, [id(1)]);
    let again = [notice(3, NoticeKind::Conflict, "c", at("2026-07-02T15:30:00Z"))];
    let next = planned(&again, &digest, Some(late), at("2026-07-02T16:00:00Z"));
    assert_eq!((next.mail.len(), next.next_at), (0, Some(at("2026-07-03T06:00:00Z"))));
}

#[test]
fn one_thing_is_told_once_to_whom_it_concerns_twice() {
    let now = at("2026-07-01T12:00:00Z");
    let all = preferences(&[]);
    let both = [
        notice(1, NoticeKind::Reconnect, "a", now),
        notice(2, NoticeKind::Reconnect, "a", now),
        notice(3, NoticeKind::Conflict, "b", now),
        notice(4, NoticeKind::Conflict, "b", now),
    ];
    let due = planned(&both, &all, None, now);
    assert_eq!((due.mail, due.repeated), (vec![id(1), id(3)], vec![id(2), id(4)]));
    let waits = planned(&both[2..], &all, None, now);
    assert_eq!(waits.waiting, BTreeSet::from([id(3), id(4)]));
    let sent = [OpenNotice { is_sent: true, ..both[0] }, both[1]];
    let nothing = planned(&sent, &all, None, now);
    assert_eq!((nothing.mail.len(), nothing.repeated), (0, vec![id(2)]));
}

#[test]
fn who_wants_no_mail_of_a_kind_gets_none() {
    let now = at("2026-07-01T12:00:00Z");
    let off = preferences(&[(NoticeKind::Answer, NoticeDelivery::Off)]);
    let plan = planned(&[notice(1, NoticeKind::Answer, "a", now)], &off, None, now + GATHER);
    assert_eq!(plan, NotificationPlan::default());
}

/// A notice of the simulation: its kind, its key, when it is raised and closed, in minutes.
type Life = (usize, u8, i64, Option<i64>);

fn choices() -> impl Strategy<Value = NotificationChoices> {
    let kind = (0..NoticeKind::ALL.len(), 0..NoticeDelivery::ALL.len());
    let days = prop::collection::btree_set(0..7_usize, 1..7);
    (prop::collection::vec(kind, 0..8), 0..24_u32, days, any::<bool>()).prop_map(
        |(kinds, hour, days, off)| NotificationChoices {
            deliveries: kinds
                .into_iter()
                .map(|(kind, delivery)| (NoticeKind::ALL[kind], NoticeDelivery::ALL[delivery]))
                .collect::<BTreeMap<_, _>>(),
            digest: Some(DigestSchedule {
                hour,
                days: days.into_iter().map(|day| DigestDay::ALL[day]).collect(),
                zone: None,
            }),
            digest_off: off,
        },
    )
}

fn zones() -> impl Strategy<Value = Tz> {
    prop_oneof![Just(Berlin), Just(Lisbon), Just(Sao_Paulo), Just(Apia)]
}

/// What of the notices is open then, and whether it was sent.
fn open<'a>(
    lives: &[Life],
    keys: &'a [String],
    sent: &BTreeSet<NoticeId>,
    start: DateTime<Utc>,
    minute: i64,
) -> Vec<OpenNotice<'a>> {
    let mut found: Vec<OpenNotice<'a>> = lives
        .iter()
        .enumerate()
        .filter(|(_, (_, _, raised, closed))| {
            *raised <= minute && closed.is_none_or(|after| raised + after > minute)
        })
        .map(|(number, (kind, key, raised, _))| OpenNotice {
            id: id(number as u128),
            kind: NoticeKind::ALL[*kind],
            key: &keys[usize::from(*key)],
            raised_at: start + Duration::minutes(*raised),
            is_sent: sent.contains(&id(number as u128)),
        })
        .collect();
    found.sort_by_key(|notice| (notice.raised_at, notice.id));
    found
}

proptest! {
    // Two weeks around the end of summer time, looked at now and then and whenever the plan says.
    #[test]
    fn each_is_told_once_of_all_that_lasts(
        own in choices(), zone in zones(),
        lives in prop::collection::vec(
            (0..NoticeKind::ALL.len(), any::<u8>(), 0..14 * 1440_i64, prop::option::of(1..3000_i64)), 1..30),
        looks in prop::collection::btree_set(0..14 * 1440_i64, 0..40),
    ) {
        let start = at("2026-10-18T00:00:00Z");
        let keys: Vec<String> = (0..=255).map(|key| format!("key {key}")).collect();
        let held = NotificationPreferences::resolve(&own, &NotificationChoices::default(), zone);
        let (mut sent, mut last_digest) = (BTreeSet::new(), None);
        let mut times: BTreeSet<i64> = looks;
        times.extend(lives.iter().map(|(_, _, raised, _)| *raised));
        let mut digest_dates = Vec::new();
        while let Some(minute) = times.pop_first() {
            let now = start + Duration::minutes(minute);
            let notices = open(&lives, &keys, &sent, start, minute);
            let plan = planned(&notices, &held, last_digest, now);
            for one in plan.mail.iter().chain(&plan.repeated) {
                prop_assert!(sent.insert(*one), "sent twice");
                prop_assert!(notices.iter().any(|notice| notice.id == *one), "sent after it had closed");
            }
            for one in &plan.mail {
                let notice = notices.iter().find(|notice| notice.id == *one).unwrap();
                prop_assert_ne!(held.delivery(notice.kind), NoticeDelivery::Off);
            }
            if plan.is_digest {
                last_digest = Some(now);
                digest_dates.push(now.with_timezone(&zone).date_naive());
            }
            if let Some(next) = plan.next_at {
                prop_assert!(next > now, "it is looked at again later");
                prop_assert!(next <= now + Duration::days(10));
                times.insert((next - start).num_minutes() + i64::from((next - start).subsec_nanos() > 0));
            }
            // What waits is looked at again.
            prop_assert_eq!(plan.waiting.is_empty(), plan.next_at.is_none());
        }
        let days = digest_dates.len();
        digest_dates.dedup();
        prop_assert_eq!(digest_dates.len(), days, "a digest a day at most");
        // What lasted longer than any wait was sent, or its like.
        for (number, (kind, key, _, closed)) in lives.iter().enumerate() {
            let is_wanted = held.delivery(NoticeKind::ALL[*kind]) != NoticeDelivery::Off;
            if is_wanted && closed.is_none() {
                let like = lives.iter().enumerate().any(|(other, (_, same, _, _))| {
                    same == key && sent.contains(&id(other as u128))
                });
                prop_assert!(like, "notice {} was lost", number);
            }
        }
    }
}
