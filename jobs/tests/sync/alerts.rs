//! What goes on failing at the sandbox becomes an alert, gets worse, and heals.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{alert::AlertState, webhook::EventSubject};
use concord_services::connections as manage;
use concord_storage::{
    PageRequest,
    alerts::{self, Alert},
    events, on_both_databases,
    testing::TestDb,
};
use serde_json::{Value, json};

use crate::{
    fixture::{ANA, SyncFixture},
    notices::{BOSS, manager, told},
};

const HEADLINE: &str = "Bookings are not reaching Ana's Google calendar";

impl SyncFixture<'_> {
    /// Lets so much time pass, and all be done that is due meanwhile.
    async fn pass(&self, time: Duration) {
        self.play_until(self.clock.now() + time).await;
    }

    async fn alerts(&self) -> Vec<Alert> {
        let ask = PageRequest { limit: 100, after: None };
        alerts::list(self.db, self.business.id, (None, None), &ask).await.expect("they can be read").items
    }

    /// What other systems were told of alerts.
    async fn alert_events(&self) -> Vec<(String, Value)> {
        let found =
            events::after(self.db, self.business.id, None, 200).await.expect("they can be read").items;
        let about = found.into_iter().filter(|event| event.subject_kind == EventSubject::Alert);
        let event = |event: events::StoredEvent| {
            (event.kind.to_string(), serde_json::from_str(&event.data).expect("JSON"))
        };
        about.map(event).collect()
    }
}

/// How many mails the boss has that tell of Ana's calendar, and the text of the last.
async fn told_boss(fixture: &SyncFixture<'_>) -> (usize, String) {
    let mails = fixture.outside.mails().await;
    let about: Vec<&str> = mails
        .iter()
        .filter(|mail| mail["to"][0] == BOSS)
        .filter_map(|mail| mail["text"].as_str())
        .filter(|text| text.contains(HEADLINE))
        .collect();
    (about.len(), about.last().copied().unwrap_or_default().to_owned())
}

/// Ana's calendar fails from now on. Returns when the first failure was.
async fn fail(fixture: &SyncFixture<'_>) -> DateTime<Utc> {
    manager(fixture, BOSS, None).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 3 * 24 * 60, 3 * 24 * 60 + 60)).await;
    fixture.clock.now()
}

async fn calendar_that_is_slowed_down_for_hours_is_an_alert(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "rate_limit", "value": 60 })).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 3 * 24 * 60, 3 * 24 * 60 + 60)).await;
    fixture.pass(Duration::minutes(5)).await;
    assert_eq!(fixture.alerts().await, [], "providers ask for that now and then");
    fixture.pass(Duration::minutes(25)).await;
    let alert = fixture.alerts().await.into_iter().find(|alert| alert.headline == HEADLINE).unwrap();
    assert_eq!(alert.state(), AlertState::Open);
    assert_eq!(told_boss(&fixture).await.0, 1);
    fixture.outside.no_faults().await;
    fixture.pass(Duration::minutes(30)).await;
    let alert = fixture.alerts().await.into_iter().find(|alert| alert.headline == HEADLINE).unwrap();
    assert_eq!(alert.state(), AlertState::Closed);
}

async fn failing_calendar_is_an_alert_within_half_an_hour(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    let began = fail(&fixture).await;
    fixture.pass(Duration::minutes(9)).await;
    assert_eq!((told(&fixture).await.len(), fixture.alerts().await.len()), (0, 0), "not at once");
    fixture.pass(Duration::minutes(16)).await;
    let sent = told(&fixture).await;
    assert_eq!(sent.iter().filter(|line| line.ends_with(HEADLINE)).count(), 2, "Ana and the boss: {sent:?}");
    let alert = fixture.alerts().await.into_iter().find(|alert| alert.headline == HEADLINE).unwrap();
    assert!(alert.last_mail_at.unwrap() - began < Duration::minutes(30));
    assert_eq!((alert.state(), alert.staff_id), (AlertState::Open, Some(fixture.ana.id)));
    assert!(alert.cause.contains("Reason:"), "{}", alert.cause);

    // They hear again when it is worse, and only then. What else fails of the calendar is an alert of its own.
    fixture.pass(Duration::minutes(5 * 60 + 30)).await;
    assert_eq!(told_boss(&fixture).await.0, 1);
    fixture.pass(Duration::minutes(15)).await;
    let (count, last) = told_boss(&fixture).await;
    assert!(count == 2 && last.contains(&format!("Still failing: {HEADLINE}")), "{count}: {last}");

    // It heals: one line, to whom it was told.
    fixture.outside.no_faults().await;
    fixture.pass(Duration::minutes(45)).await;
    let alerts = fixture.alerts().await;
    assert!(alerts.iter().all(|alert| alert.state() == AlertState::Closed), "{alerts:#?}");
    let (count, last) = told_boss(&fixture).await;
    assert!(count == 3 && last.contains(&format!("Resolved: {HEADLINE}")), "{count}: {last}");
    assert!(last.contains("It failed from"), "{last}");
    let told_by_event = fixture.alert_events().await;
    let about: Vec<_> = told_by_event
        .iter()
        .filter(|(_, data)| data["alert"] == json!(alert.id))
        .map(|(kind, data)| (kind.as_str(), data["closed_at"].is_null()))
        .collect();
    assert_eq!(about, [("alert.opened", true), ("alert.closed", false)]);
}

async fn short_failure_is_told_nobody(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fail(&fixture).await;
    fixture.pass(Duration::minutes(3)).await;
    fixture.outside.no_faults().await;
    fixture.pass(Duration::hours(2)).await;
    assert_eq!((told(&fixture).await.len(), fixture.alerts().await.len()), (0, 0));
}

async fn what_fails_again_and_again_is_one_alert(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fail(&fixture).await;
    fixture.pass(Duration::minutes(25)).await;
    let of_export = async || {
        let found = fixture.alerts().await;
        found.into_iter().filter(|alert| alert.headline == HEADLINE).collect::<Vec<_>>()
    };
    let first = of_export().await;
    for round in 0..3 {
        fixture.outside.no_faults().await;
        fixture.pass(Duration::minutes(4)).await;
        fixture.outside.fault(json!({ "kind": "server_error" })).await;
        let from = (4 + round) * 24 * 60;
        fixture.put(&format!("B-{round}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await;
        fixture.pass(Duration::minutes(12)).await;
    }
    let now = of_export().await;
    assert_eq!(now.len(), 1);
    assert_eq!((now[0].id, now[0].state()), (first[0].id, AlertState::Open));
    let sent = told(&fixture).await;
    assert_eq!(sent.iter().filter(|line| *line == &format!("{ANA}: {HEADLINE}")).count(), 1, "{sent:?}");
}

async fn alert_of_a_calendar_ends_with_its_connection(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fail(&fixture).await;
    fixture.pass(Duration::minutes(25)).await;
    assert!(!alerts::open(db, fixture.business.id, None).await.unwrap().is_empty());
    let before = told(&fixture).await.len();
    let connection = concord_storage::connections::list(db, fixture.business.id).await.unwrap()[0].id;
    fixture.outside.no_faults().await;
    manage::disconnect(&fixture.context, &fixture.change(), connection, false).await.unwrap();
    fixture.pass(Duration::hours(1)).await;
    assert_eq!(alerts::open(db, fixture.business.id, None).await.unwrap(), []);
    assert_eq!(told(&fixture).await.len(), before, "there is nothing to see to any more");
}

on_both_databases!(
    calendar_that_is_slowed_down_for_hours_is_an_alert,
    failing_calendar_is_an_alert_within_half_an_hour,
    short_failure_is_told_nobody,
    what_fails_again_and_again_is_one_alert,
    alert_of_a_calendar_ends_with_its_connection,
);
