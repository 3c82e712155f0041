//! What only Microsoft does: series that change as one, mailboxes that are away, deleted items that still answer, ids of
//! calendars that change.

use std::time::Duration;

use concord_domain::{
    booking::BookingStatus,
    connection::{EntryState, ProviderKind},
};
use concord_storage::{
    on_both_databases, remote_changes,
    testing::{TestDb, at, monday},
};
use http::Method;
use serde_json::json;

use crate::{
    fixture::{ANA, PATIENCE, SyncFixture, titled, unhurried, with_status},
    provider_sandbox::SeenEvent,
};

const WEEK: i64 = 7 * 24 * 60;

impl<'a> SyncFixture<'a> {
    pub(crate) async fn at_microsoft(db: &'a TestDb) -> Self {
        Self::of(db, ProviderKind::Microsoft, unhurried(), PATIENCE, monday()).await
    }

    /// The busy times of Ana's four Mondays, from nine, as `taken` has them.
    fn mondays(weeks: &[i64]) -> Vec<String> {
        weeks.iter().map(|week| format!("busy: {} - {}", 60 + week * WEEK, 90 + week * WEEK)).collect()
    }

    /// A person's series on four Mondays; its id, and those of its occurrences.
    async fn weekly(&self) -> (String, Vec<String>) {
        let weekly = json!({ "recurrence": "RRULE:FREQ=WEEKLY;COUNT=4" });
        let series = self.outside.person_adds(ANA, (at(60), at(90)), weekly).await;
        self.poll().await;
        assert_eq!(self.taken(&self.ana).await, Self::mondays(&[0, 1, 2, 3]));
        let calendars = concord_storage::connections::list(self.db, self.business.id).await.unwrap();
        let calendar = self.calendars(calendars[0].id).await[0].id;
        let known = self.known(calendar).await;
        (series, known.into_iter().map(|event| event.external_id).collect())
    }

    /// The reasons of the last failure of the only connection.
    async fn remark(&self) -> String {
        let all = concord_storage::connections::list(self.db, self.business.id).await.unwrap();
        all[0].last_error.clone().unwrap_or_default()
    }
}

async fn deleted_occurrence_frees_its_time(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    let (_, occurrences) = fixture.weekly().await;
    let draft = fixture.draft(&[&fixture.ana], 60 + WEEK, 90 + WEEK);
    fixture.refused("A-1", &draft).await;

    fixture.outside.person_deletes(ANA, &occurrences[1]).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, SyncFixture::mondays(&[0, 2, 3]));
    fixture.put("A-1", &draft).await;
}

async fn rescheduled_series_leaves_no_old_times(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    let (series, _) = fixture.weekly().await;
    let other = fixture.outside.person_adds(ANA, (at(700), at(730)), json!({})).await;
    fixture.outside.person_changes(ANA, &series, json!({ "starts_at": at(600), "ends_at": at(630) })).await;
    fixture.poll().await;
    let mut wanted: Vec<String> =
        (0..4).map(|week| format!("busy: {} - {}", 600 + week * WEEK, 630 + week * WEEK)).collect();
    wanted.insert(1, "busy: 700 - 730".to_owned());
    assert_eq!(fixture.taken(&fixture.ana).await, wanted);

    // It ends, and what has nothing to do with it stays.
    fixture.outside.person_deletes(ANA, &series).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 700 - 730"]);
    fixture.outside.person_deletes(ANA, &other).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
}

async fn missing_mailbox_removes_no_entry_and_says_so(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let booking = fixture.put("A-1", &draft).await;
    fixture.poll().await;
    let taken = fixture.taken(&fixture.ana).await;

    fixture.outside.fault(json!({ "kind": "no_mailbox" })).await;
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, taken, "nothing is said of what stands there");
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Failed);
    let said = fixture.sync(&booking).await[0].last_error.clone().unwrap_or_default();
    for words in [said, fixture.remark().await] {
        assert!(words.contains("has no mailbox") && words.contains("administrator"), "{words}");
    }
    assert!(!fixture.log().await.iter().any(|line| line.starts_with("outside")), "{:?}", fixture.log().await);

    fixture.outside.no_faults().await;
    for _ in 0..8 {
        fixture.clock.advance(chrono::Duration::hours(1));
        fixture.settle().await;
    }
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.taken(&fixture.ana).await, taken);
    assert_eq!(fixture.remark().await, "");
    let titles: Vec<String> =
        fixture.outside.seen_by(ANA).await.into_iter().map(|one: SeenEvent| one.title).collect();
    assert!(titles.iter().any(|title| title.contains("Changed")), "{titles:?}");
}

async fn lost_answer_is_found_by_its_transaction(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
}

async fn deleted_entry_is_asked_about(db: &TestDb, for_good: bool) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let entry = fixture.outside.one_seen_by(ANA).await;
    let path = format!("events/{}?provider=microsoft&account={ANA}&for_good={for_good}", entry.id);
    fixture.outside.control(Method::DELETE, &path, None).await;
    fixture.poll().await;
    let page = concord_storage::PageRequest { limit: 10, after: None };
    let asked = remote_changes::list(db, fixture.business.id, (None, None), &page).await.unwrap().items;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].kind, concord_domain::sync::remote_change::RemoteChangeKind::Deleted);
}

async fn entry_among_deleted_items_counts_as_deleted(db: &TestDb) {
    deleted_entry_is_asked_about(db, false).await;
}

async fn entry_deleted_for_good_counts_as_deleted(db: &TestDb) {
    deleted_entry_is_asked_about(db, true).await;
}

async fn calendar_with_another_id_is_the_same_calendar(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let booking = fixture.put("A-1", &draft).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.poll().await;
    let before = fixture.calendars(id).await[0].clone();
    let taken = fixture.taken(&fixture.ana).await;

    let path = format!("calendars/{}/new_id", before.external_id);
    let new = fixture.outside.control(Method::POST, &path, None).await["id"].as_str().unwrap().to_owned();
    // Found out by a write, and by a read.
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    fixture.poll().await;
    let after = fixture.calendars(id).await;
    assert_eq!(after.iter().filter(|one| one.is_primary).count(), 1);
    assert_eq!((after[0].id, after[0].external_id.as_str()), (before.id, new.as_str()));
    assert!(after[0].writes && after[0].reads && after[0].missing_since.is_none());
    assert_eq!(fixture.taken(&fixture.ana).await, taken);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    let seen = fixture.outside.seen_by(ANA).await;
    assert_eq!(seen.iter().filter(|one| one.title.contains("Changed")).count(), 1, "{seen:#?}");
    assert_eq!(seen.len(), 2);

    // By a read alone.
    let path = format!("calendars/{new}/new_id");
    fixture.outside.control(Method::POST, &path, None).await;
    fixture.outside.person_adds(ANA, (at(800), at(830)), json!({})).await;
    fixture.poll().await;
    assert!(fixture.taken(&fixture.ana).await.contains(&"busy: 800 - 830".to_owned()));
    assert_eq!(fixture.failed().await.len(), 0);
}

async fn odd_item_does_not_hide_the_others(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    let odd = fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &odd, json!({ "title": "Odd" })).await;
    fixture.outside.person_adds(ANA, (at(700), at(730)), json!({})).await;
    fixture.outside.fault(json!({ "kind": "odd_item", "count": 1 })).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660", "busy: 700 - 730"]);
    let lines = fixture.log_lines().await;
    assert!(lines.iter().any(|line| line.detail.contains("1 could not be read")), "{lines:#?}");
}

/// Guests, words of their own, a colour: a later write of ours leaves them as they are, and changes what is ours.
async fn what_people_add_survives_our_next_write(db: &TestDb) {
    for (kind, colour) in [(ProviderKind::Microsoft, "Red category"), (ProviderKind::Google, "7")] {
        let fixture = SyncFixture::of(db, kind, unhurried(), PATIENCE, monday()).await;
        fixture.connected(&fixture.ana).await;
        let draft = fixture.draft(&[&fixture.ana], 60, 120);
        let booking = fixture.put("A-1", &draft).await;
        fixture.settle().await;
        let ours = fixture.outside.one_seen_by(ANA).await;
        let added = json!({ "description": format!("{}\n\nBring two towels.", ours.description),
            "guests": ["guest@example.com"], "colour": colour });
        fixture.outside.person_changes(ANA, &ours.id, added).await;
        fixture.poll().await;

        let pending = with_status(&titled(&draft, "Changed"), BookingStatus::Pending);
        for next in [pending.clone(), titled(&pending, "Changed again")] {
            fixture.put("A-1", &next).await;
            fixture.settle().await;
        }
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
        let seen = fixture.outside.one_seen_by(ANA).await;
        assert!(seen.title.contains("Changed again"), "{seen:#?}");
        assert!(seen.description.contains("Status: Pending"), "{}", seen.description);
        assert!(!seen.description.contains("Status: Confirmed"), "{}", seen.description);
        assert_eq!(seen.description.matches("Bring two towels.").count(), 1, "{}", seen.description);
        let raw = seen.raw.to_string();
        assert!(raw.contains("guest@example.com") && raw.contains(colour), "{raw}");
    }
}

/// Graph is slow with a large page, and so it is asked for in smaller ones, at once from then on.
async fn slow_page_is_asked_for_in_smaller_ones(db: &TestDb) {
    for (kind, most) in [(ProviderKind::Microsoft, 50), (ProviderKind::Google, 250)] {
        let fixture = SyncFixture::of(db, kind, unhurried(), Duration::from_secs(2), monday()).await;
        fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
        fixture.outside.fault(json!({ "kind": "slow_pages", "value": most })).await;
        fixture.connected(&fixture.ana).await;
        assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"], "{kind}");
        let hits = fixture.outside.hits().await;
        fixture.outside.person_adds(ANA, (at(700), at(730)), json!({})).await;
        fixture.poll().await;
        assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660", "busy: 700 - 730"], "{kind}");
        assert_eq!((hits, fixture.outside.hits().await), (1, 1), "{kind}");
    }
}

async fn refused_zone_is_not_asked_again(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "no_zones" })).await;
    for (reference, from) in [("A-1", 60), ("A-2", 120), ("A-3", 180)] {
        let booking = fixture.put(reference, &fixture.draft(&[&fixture.ana], from, from + 30)).await;
        fixture.settle().await;
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    }
    let writes = fixture.outside.writes().await;
    assert_eq!(writes.iter().filter(|call| call.ends_with("400")).count(), 1, "{writes:?}");
}

on_both_databases!(
    what_people_add_survives_our_next_write,
    slow_page_is_asked_for_in_smaller_ones,
    refused_zone_is_not_asked_again,
    deleted_occurrence_frees_its_time,
    rescheduled_series_leaves_no_old_times,
    missing_mailbox_removes_no_entry_and_says_so,
    lost_answer_is_found_by_its_transaction,
    entry_among_deleted_items_counts_as_deleted,
    entry_deleted_for_good_counts_as_deleted,
    calendar_with_another_id_is_the_same_calendar,
    odd_item_does_not_hide_the_others,
);
