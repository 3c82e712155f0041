use chrono::Duration;
use concord_domain::{
    alert::{AlertKind, AlertState},
    ids::{AlertId, BusinessId},
    job::JobKind,
    webhook::DisabledReason,
};
use concord_storage::{
    Db, alerts,
    alerts::{Alert, AlertSubject, NewFailure},
    jobs,
    notices::{self, Audience, NewNotice},
    notifications,
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
    webhook_endpoints,
};
use uuid::Uuid;

use crate::{entries::fixture, first, following, retention::deleted, webhook_endpoints::endpoint};

fn subject(business: BusinessId, id: Uuid) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::ChannelFeed, id }
}

fn failure(subject: AlertSubject, cause: &str) -> NewFailure<'_> {
    NewFailure {
        subject,
        staff: None,
        headline: "Sea View on Airbnb failed to sync",
        cause,
        link: "/channels/1",
    }
}

/// Whether it was news.
async fn fail(db: &Db, subject: AlertSubject, cause: &str, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let news = alerts::note_failure(&mut tx, &failure(subject, cause), at(minute)).await.unwrap();
    commit(tx).await;
    news
}

async fn heal(db: &Db, subject: AlertSubject, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let news = alerts::note_healthy(&mut tx, subject, at(minute)).await.unwrap();
    commit(tx).await;
    news
}

async fn tell(db: &Db, alert: &Alert, level: u32, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let told = alerts::tell(&mut tx, (alert.business_id, alert.id), level, at(minute)).await.unwrap();
    commit(tx).await;
    told
}

async fn unclosed(db: &Db, subject: AlertSubject) -> Option<Alert> {
    let mut tx = begin(db).await;
    alerts::find_unclosed(&mut tx, subject).await.unwrap()
}

async fn close(db: &Db, alert: &Alert, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let closed = alerts::close(&mut tx, alert.business_id, alert.id, at(minute)).await.unwrap();
    commit(tx).await;
    closed
}

async fn failure_is_noted_once_until_it_is_over(db: &TestDb) {
    let business = testing::business(db).await.id;
    let other = testing::business(db).await.id;
    let feed = subject(business, Uuid::from_u128(1));
    assert!(fail(db, feed, "it timed out", 0).await);
    assert!(!fail(db, feed, "it answers 500", 5).await);
    assert!(fail(db, subject(other, feed.id), "it timed out", 5).await, "another business");
    assert!(fail(db, AlertSubject { kind: AlertKind::Webhook, ..feed }, "it timed out", 5).await);
    let webhooks = alerts::unclosed_of_kind(db, AlertKind::Webhook).await.unwrap();
    assert_eq!(
        webhooks.iter().map(|one| (one.business_id, one.kind)).collect::<Vec<_>>(),
        [(business, AlertKind::Webhook)]
    );
    let noted = unclosed(db, feed).await.unwrap();
    assert_eq!(
        (noted.cause.as_str(), noted.failure.since, noted.failure.level),
        ("it answers 500", at(0), 0)
    );
    assert_eq!(noted.subject().id, feed.id);
    let due = jobs::due(db, at(10), 10).await.unwrap();
    assert_eq!(due.iter().map(|job| job.kind).collect::<Vec<_>>(), [JobKind::CheckAlert]);

    // It is over before anybody heard of it: when it fails again it begins anew.
    assert!(heal(db, feed, 6).await);
    assert!(!heal(db, feed, 7).await);
    assert!(fail(db, feed, "it timed out", 8).await);
    assert_eq!(unclosed(db, feed).await.unwrap().failure.since, at(8));
    assert!(heal(db, feed, 9).await);
    let mut tx = begin(db).await;
    alerts::forget(&mut tx, business, noted.id).await.unwrap();
    assert_eq!(alerts::find(&mut tx, business, noted.id).await.unwrap(), None);
    commit(tx).await;
    assert_eq!(unclosed(db, feed).await, None);
}

async fn people_are_told_of_each_level_once(db: &TestDb) {
    let business = testing::business(db).await.id;
    let feed = subject(business, Uuid::from_u128(1));
    fail(db, feed, "it timed out", 0).await;
    let alert = unclosed(db, feed).await.unwrap();
    assert_eq!(alerts::open(db, business, None).await.unwrap(), []);
    assert!(tell(db, &alert, 1, 10).await);
    assert!(!tell(db, &alert, 1, 11).await);
    assert!(tell(db, &alert, 2, 400).await);
    let open = alerts::open(db, business, None).await.unwrap();
    assert_eq!((open[0].opened_at, open[0].failure.level), (Some(at(10)), 2));
    // What fails again after a while is the same alert.
    heal(db, feed, 500).await;
    assert!(!tell(db, &alert, 3, 501).await, "it is well");
    assert!(fail(db, feed, "it answers 500", 502).await);
    assert_eq!(unclosed(db, feed).await.unwrap().failure.since, at(0));
    assert!(!close(db, &alert, 599).await, "it fails again");
    assert!(heal(db, feed, 600).await);
    assert!(close(db, &alert, 600).await);
    assert!(!close(db, &alert, 601).await);
    assert!(fail(db, feed, "it timed out", 700).await, "another one");
    assert_ne!(unclosed(db, feed).await.unwrap().id, alert.id);
    let days = Duration::days(30);
    let keep =
        RetentionPeriods { sync_log: days, mails: days, done_jobs: days, history: days, customers: None };
    assert_eq!(deleted(db, keep, at(701) + days, "alerts").await, 1, "what lasts is kept");
}

async fn alert_of_what_is_no_more_is_known(db: &TestDb) {
    let business = testing::business(db).await.id;
    let endpoint = endpoint(db, business, &[]).await;
    let hooks = AlertSubject { business, kind: AlertKind::Webhook, id: endpoint.id.0 };
    for subject in
        [hooks, subject(business, Uuid::from_u128(1)), AlertSubject { kind: AlertKind::Mailbox, ..hooks }]
    {
        fail(db, subject, "it timed out", 0).await;
    }
    let kinds = [AlertKind::CalendarExport, AlertKind::CalendarImport];
    for kind in kinds {
        fail(db, AlertSubject { kind, ..hooks }, "it timed out", 0).await;
    }
    let exists = async |subject: AlertSubject| {
        let mut tx = begin(db).await;
        let id = alerts::find_unclosed(&mut tx, subject).await.unwrap().unwrap().id;
        alerts::has_subject(&mut tx, business, id).await.unwrap()
    };
    assert!(exists(hooks).await);
    assert!(exists(AlertSubject { kind: AlertKind::Mailbox, ..hooks }).await);
    assert!(!exists(subject(business, Uuid::from_u128(1))).await, "there is no such channel");
    for kind in kinds {
        assert!(!exists(AlertSubject { kind, ..hooks }).await, "{kind}");
    }
    let mut tx = begin(db).await;
    let by_hand = DisabledReason::ByHand;
    assert!(webhook_endpoints::disable(&mut tx, (business, endpoint.id), by_hand, at(1)).await.unwrap());
    commit(tx).await;
    assert!(!exists(hooks).await);
    let alert = unclosed(db, hooks).await.unwrap();
    let mut tx = begin(db).await;
    assert!(alerts::end(&mut tx, business, alert.id, at(2)).await.unwrap(), "whether it fails or not");
    assert!(!alerts::end(&mut tx, business, alert.id, at(3)).await.unwrap());
    commit(tx).await;
}

async fn alerts_are_listed_by_business_person_and_state(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await.id;
    let business = business.id;
    let other = testing::business(db).await.id;
    for (number, staff) in [(1, None), (2, Some(ana)), (3, None), (4, None)] {
        let of = if number == 4 { other } else { business };
        let feed = subject(of, Uuid::from_u128(number));
        let mut tx = begin(db).await;
        let minute = i64::try_from(number).unwrap();
        let new = NewFailure { staff, ..failure(feed, "it timed out") };
        alerts::note_failure(&mut tx, &new, at(minute)).await.unwrap();
        commit(tx).await;
        let alert = unclosed(db, feed).await.unwrap();
        tell(db, &alert, 1, 20).await;
        if number == 1 {
            heal(db, feed, 25).await;
            close(db, &alert, 30).await;
        }
    }
    fail(db, subject(business, Uuid::from_u128(9)), "nobody knows yet", 5).await;
    let minutes = |alerts: &[Alert]| -> Vec<i64> {
        alerts.iter().map(|alert| (alert.failure.since - at(0)).num_minutes()).collect()
    };
    let page = alerts::list(db, business, (None, None), &first(2)).await.unwrap();
    assert_eq!(minutes(&page.items), [3, 2]);
    let page = alerts::list(db, business, (None, None), &following(2, page.next)).await.unwrap();
    assert_eq!((minutes(&page.items), page.next), (vec![1], None));
    let of_state =
        async |state| alerts::list(db, business, (Some(state), None), &first(9)).await.unwrap().items;
    assert_eq!(minutes(&of_state(AlertState::Open).await), [3, 2]);
    assert_eq!(minutes(&of_state(AlertState::Closed).await), [1]);
    assert_eq!(of_state(AlertState::Closed).await[0].state(), AlertState::Closed);
    let of_ana = alerts::list(db, business, (None, Some(ana)), &first(9)).await.unwrap();
    assert_eq!(minutes(&of_ana.items), [2]);
    assert_eq!(minutes(&alerts::open(db, business, Some(ana)).await.unwrap()), [2]);
    assert_eq!(minutes(&alerts::open(db, business, None).await.unwrap()), [2, 3]);
}

async fn export_is_well_when_no_entry_of_the_connection_has_failed(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let export = AlertSubject { business, kind: AlertKind::CalendarExport, id: fixture.of_ana.0 };
    fail(db, export, "it is refused", 0).await;
    let well = async |minute| {
        let mut tx = begin(db).await;
        let whose = (business, fixture.of_ana);
        let healed = alerts::note_export_healthy(&mut tx, whose, at(minute)).await.unwrap();
        commit(tx).await;
        healed
    };
    testing::raw(db, "UPDATE entries SET state = 'failed'").await;
    assert!(!well(1).await);
    let mut tx = begin(db).await;
    let of_connection = alerts::unclosed_of_connection(&mut tx, business, fixture.of_ana).await.unwrap();
    assert_eq!(of_connection.len(), 1);
    drop(tx);
    testing::raw(db, "UPDATE entries SET state = 'synced'").await;
    assert!(well(2).await);
    assert!(!well(3).await);
    // What failed and is long over concerns nobody any more.
    testing::raw(db, "UPDATE entries SET state = 'failed'").await;
    fail(db, export, "it is refused", 4).await;
    assert!(well(32 * 24 * 60).await);
}

async fn times_that_are_ahead_become_now(db: &TestDb) {
    let business = testing::business(db).await.id;
    let feed = subject(business, Uuid::from_u128(1));
    fail(db, feed, "it timed out", 1000).await;
    heal(db, feed, 2000).await;
    let alert = unclosed(db, feed).await.unwrap();
    let mut tx = begin(db).await;
    alerts::correct(&mut tx, business, alert.id, at(10)).await.unwrap();
    commit(tx).await;
    let corrected = unclosed(db, feed).await.unwrap().failure;
    assert_eq!((corrected.since, corrected.healthy_since), (at(10), Some(at(10))));
}

/// A notice of it, which somebody is sent.
async fn deliver(db: &Db, business: BusinessId, alert: AlertId, recipient: Uuid, minute: i64) {
    let new = NewNotice {
        business,
        kind: concord_domain::notice::NoticeKind::FeedUnread,
        audience: Audience::Managers,
        subject: (concord_domain::audit::HistorySubject::Channel, Uuid::nil()),
        headline: "Sea View failed to sync",
        named_headline: None,
        detail: "",
        link: "/channels/1",
        dedupe_key: "alert",
        wait: Duration::zero(),
        alert: Some(alert),
    };
    let mut tx = begin(db).await;
    notices::raise(&mut tx, &new, at(minute)).await.unwrap();
    commit(tx).await;
    let raised = notices::unsettled(db, business, 10).await.unwrap();
    assert_eq!(raised[0].alert_id, Some(alert));
    let mut tx = begin(db).await;
    assert!(
        notifications::record_delivery(&mut tx, business, (raised[0].id, recipient), None, at(minute))
            .await
            .unwrap()
    );
    commit(tx).await;
}

async fn who_was_told_of_an_alert_is_known(db: &TestDb) {
    let business = testing::business(db).await.id;
    let feed = subject(business, Uuid::from_u128(1));
    fail(db, feed, "it timed out", 0).await;
    let alert = unclosed(db, feed).await.unwrap();
    assert_eq!(alert.last_mail_at, None);
    let manager = Uuid::from_u128(7);
    deliver(db, business, alert.id, manager, 11).await;
    assert_eq!(unclosed(db, feed).await.unwrap().last_mail_at, Some(at(11)));
    let told = notifications::sent_of_alert(db, business, alert.id).await.unwrap();
    assert_eq!(told, [manager].into());
    let mut tx = begin(db).await;
    notices::close_of_alert(&mut tx, business, alert.id, at(12)).await.unwrap();
    commit(tx).await;
    assert_eq!(notices::count_unsent(db, business).await.unwrap(), 0);
    assert_eq!(notifications::sent_of_alert(db, business, alert.id).await.unwrap(), told, "it stays so");
}

concord_storage::on_both_databases!(
    failure_is_noted_once_until_it_is_over,
    people_are_told_of_each_level_once,
    alert_of_what_is_no_more_is_known,
    alerts_are_listed_by_business_person_and_state,
    export_is_well_when_no_entry_of_the_connection_has_failed,
    times_that_are_ahead_become_now,
    who_was_told_of_an_alert_is_known,
);
