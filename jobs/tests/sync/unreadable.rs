//! Entries of ours that nobody can understand as their provider tells them: nothing is decided from them.

use concord_domain::{
    connection::{EntryState, ProviderKind},
    sync::remote_change::{RemoteChangeKind, RemoteChangeState},
};
use concord_storage::{on_both_databases, testing::TestDb, testing::monday};
use serde_json::json;

use crate::{
    fixture::{ANA, PATIENCE, SyncFixture, titled, unhurried},
    two_way::minutes,
};

const KINDS: [ProviderKind; 2] = [ProviderKind::Google, ProviderKind::Microsoft];

/// Its list garbles the entry, and its own address gives it whole.
async fn garbled_page_does_not_rename_a_booking(db: &TestDb) {
    for kind in KINDS {
        let fixture = SyncFixture::of(db, kind, unhurried(), PATIENCE, monday()).await;
        let (booking, id) = fixture.booked().await;
        let title = fixture.now(&booking).await.draft.title;
        fixture.person_moves(&id, 7_000, 7_060).await;
        fixture.outside.fault(json!({ "kind": "odd_item", "count": 1 })).await;
        fixture.poll().await;
        let now = fixture.now(&booking).await;
        assert_eq!((&now.draft.title, minutes(&now)), (&title, (7_000, 7_060)), "{kind:?}");
        let change = fixture.change_of(&booking).await;
        assert_eq!(
            (change.kind, change.state),
            (RemoteChangeKind::Moved, RemoteChangeState::Followed),
            "{kind:?}"
        );
    }
}

/// While nobody can understand it, neither booking nor entry changes; once it can be understood, the move is followed.
async fn entry_that_cannot_be_understood_is_left_alone(db: &TestDb) {
    for kind in KINDS {
        let fixture = SyncFixture::of(db, kind, unhurried(), PATIENCE, monday()).await;
        let (booking, id) = fixture.booked().await;
        let before = fixture.now(&booking).await;
        fixture.person_moves(&id, 7_000, 7_060).await;
        let moved = fixture.outside.one_seen_by(ANA).await;
        fixture.outside.fault(json!({ "kind": "odd_item", "value": 1 })).await;
        fixture.outside.forget_calls().await;
        fixture.poll().await;
        assert_eq!(fixture.now(&booking).await.draft, before.draft, "{kind:?}");
        let lines = fixture.log_lines().await;
        assert!(lines.iter().any(|line| line.detail.contains("1 could not be read")), "{lines:#?}");

        // The booking is changed here too: what nobody has read is not written over.
        fixture.put("A-1", &titled(&before.draft, "Changed")).await;
        fixture.poll().await;
        assert_eq!(fixture.changes(&booking).await.len(), 0, "{kind:?}");
        fixture.outside.no_faults().await;
        let seen = fixture.outside.one_seen_by(ANA).await;
        assert_eq!((&seen.starts_at, &seen.title), (&moved.starts_at, &moved.title), "{kind:?}");
        for _ in 0..8 {
            fixture.clock.advance(chrono::Duration::hours(1));
            fixture.settle().await;
        }
        let now = fixture.now(&booking).await;
        assert_eq!((now.draft.title.as_str(), minutes(&now)), ("Changed", (7_000, 7_060)), "{kind:?}");
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    }
}

on_both_databases!(garbled_page_does_not_rename_a_booking, entry_that_cannot_be_understood_is_left_alone,);
