//! What people edit while our writes meet faults: it is followed, asked about or put back, and never written over unseen.

use concord_domain::{
    booking::Booking,
    connection::ProviderKind,
    sync::remote_change::{Refusal, RemoteChangeKind, RemoteChangeState},
};
use concord_storage::testing::TestDb;

use super::{everywhere, faults::CallFault};
use crate::{
    fixture::{ANA, SyncFixture, titled},
    two_way::minutes,
};

/// The update finds another version, since the entry was edited meanwhile, and then the look fails.
async fn edit_outlives_a_look_that_fails(db: &TestDb, kind: ProviderKind) {
    for fault in [CallFault::Busy, CallFault::Lost] {
        let fixture = SyncFixture::with_provider(db, kind).await;
        fixture.connected(&fixture.ana).await;
        let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
        fixture.settle().await;
        fixture.poll().await;
        let id = fixture.outside.one_seen_by(ANA).await.id;
        fixture.outside.person_renames(ANA, &id, ("Massage", "Hot stones")).await;

        let failed = fixture.outside.bad_answers().await;
        fixture.outside.fails_after(1, fault).await;
        let later = fixture.draft(&[&fixture.ana], 7_000, 7_060);
        fixture.put("A-1", &titled(&later, "Massage")).await;
        fixture.settle().await;
        assert_eq!(fixture.outside.bad_answers().await, failed + 1, "{fault:?}");

        let now = fixture.now(&booking).await;
        assert_eq!((now.draft.title.as_str(), minutes(&now)), ("Hot stones", (7_000, 7_060)), "{fault:?}");
        let change = fixture.change_of(&booking).await;
        assert_eq!((change.kind, change.state), (RemoteChangeKind::Renamed, RemoteChangeState::Followed));
        let seen = fixture.outside.one_seen_by(ANA).await;
        assert!(seen.title.contains("Hot stones"), "{fault:?}: {}", seen.title);
        assert!(seen.starts_at.starts_with(&now.interval.start.format("%Y-%m-%dT%H:%M").to_string()));
    }
}

/// The answer to our update is lost, and then the entry is edited: what is compared is what the update has left.
async fn edit_after_a_lost_answer_is_followed(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.connected(&fixture.ana).await;
    let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
    fixture.settle().await;
    fixture.poll().await;
    let later = fixture.draft(&[&fixture.ana], 7_000, 7_060);
    // At CalDAV the object is read before it is written.
    fixture.outside.fails_after(u64::from(kind == ProviderKind::Caldav), CallFault::AnswerLost).await;
    fixture.put("A-1", &titled(&later, "Massage")).await;
    fixture.drain().await;
    let id = fixture.outside.one_seen_by(ANA).await.id;
    fixture.outside.person_renames(ANA, &id, ("Massage", "Hot stones")).await;
    fixture.settle().await;
    let now = fixture.now(&booking).await;
    assert_eq!((now.draft.title.as_str(), minutes(&now)), ("Hot stones", (7_000, 7_060)));
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Renamed, RemoteChangeState::Followed));
    fixture.poll().await;
    assert_eq!(fixture.changes(&booking).await.len(), 1, "nothing of it comes back as another change");
}

/// Its owner renames the entry, and the booking is cancelled before that was read.
async fn is_renamed_cancelled_and_written_down(fixture: &SyncFixture<'_>, booking: &Booking) {
    let id = fixture.outside.one_seen_by(ANA).await.id;
    fixture.outside.person_renames(ANA, &id, ("Massage", "Hot stones")).await;
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    let change = fixture.change_of(booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Renamed, RemoteChangeState::Revert));
    assert_eq!(change.refusal, Some(Refusal::Cancelled));
    assert!(change.edit.title.is_some_and(|title| title.contains("Hot stones")));
}

/// Somebody cancels here what its owner has just renamed there: the entry goes, and it is said what they wanted.
async fn edit_of_what_is_cancelled_is_written_down(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.connected(&fixture.ana).await;
    let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
    fixture.settle().await;
    fixture.poll().await;
    is_renamed_cancelled_and_written_down(&fixture, &booking).await;
}

/// The same where nobody knows yet that the entry is there at all, since the answer to its create was lost.
async fn edit_of_what_was_never_answered_is_written_down(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fails_after(0, CallFault::AnswerLost).await;
    let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
    fixture.drain().await;
    is_renamed_cancelled_and_written_down(&fixture, &booking).await;
}

everywhere!(
    edit_outlives_a_look_that_fails,
    edit_after_a_lost_answer_is_followed,
    edit_of_what_is_cancelled_is_written_down,
    edit_of_what_was_never_answered_is_written_down,
);
