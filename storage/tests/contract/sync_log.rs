use concord_domain::{
    audit::SyncOutcome,
    ids::{BookingId, BusinessId, ConnectionId, StaffId},
};
use concord_storage::{
    Db,
    sync_log::{self, NewSyncLogEntry, SyncLogCounts, SyncLogEntry, SyncLogFilter},
    testing::{self, TestDb, begin, commit},
};

use crate::{first, following, precise};

/// What the log of the tests is about.
struct SyncLogFixture {
    business: BusinessId,
    other: BusinessId,
    ana: ConnectionId,
    rui: ConnectionId,
    staff: StaffId,
    booking: BookingId,
}

async fn fixture(db: &Db) -> SyncLogFixture {
    let business = testing::business(db).await;
    let ring = testing::keyring();
    let ana = testing::staff(db, &business, "Ana").await;
    let rui = testing::staff(db, &business, "Rui").await;
    let room = testing::resource(db, &business, 1).await;
    SyncLogFixture {
        business: business.id,
        other: testing::business(db).await.id,
        staff: ana.id,
        ana: testing::connection(db, &ring, &ana).await,
        rui: testing::connection(db, &ring, &rui).await,
        booking: testing::booking(db, &business, "A-1", &testing::draft(&room, 0, 60)).await.id,
    }
}

/// Seven lines, one a minute: who, about the booking or not, how it ended.
async fn write(db: &Db, fixture: &SyncLogFixture) {
    let lines = [
        (Some(fixture.ana), true, SyncOutcome::Retry),
        (Some(fixture.ana), true, SyncOutcome::Ok),
        (Some(fixture.rui), true, SyncOutcome::Failed),
        (Some(fixture.rui), false, SyncOutcome::Nothing),
        (Some(fixture.ana), false, SyncOutcome::Ok),
        (Some(fixture.ana), false, SyncOutcome::Held),
        (None, false, SyncOutcome::Failed),
    ];
    let mut tx = begin(db).await;
    for (minute, (connection, about_booking, outcome)) in (0_i64..).zip(lines) {
        let line = NewSyncLogEntry {
            business: fixture.business,
            connection,
            booking: about_booking.then_some(fixture.booking),
            channel: None,
            operation: "create",
            outcome,
            detail: "Google answered 503",
            duration_ms: 40 + minute,
            at: precise(minute),
        };
        sync_log::append(&mut tx, &line).await.unwrap();
    }
    commit(tx).await;
}

fn minutes(lines: &[SyncLogEntry]) -> Vec<i64> {
    lines.iter().map(|line| line.duration_ms - 40).collect()
}

async fn lines_come_newest_first_a_page_at_a_time(db: &TestDb) {
    let fixture = fixture(db).await;
    write(db, &fixture).await;
    let all = SyncLogFilter::default();
    let page = sync_log::list(db, fixture.business, all, &first(3)).await.unwrap();
    assert_eq!(minutes(&page.items), [6, 5, 4]);
    let page = sync_log::list(db, fixture.business, all, &following(3, page.next)).await.unwrap();
    assert_eq!(minutes(&page.items), [3, 2, 1]);
    let line = &page.items[2];
    assert_eq!((line.connection_id, line.booking_id), (Some(fixture.ana), Some(fixture.booking)));
    assert_eq!((line.operation.as_str(), line.outcome), ("create", SyncOutcome::Ok));
    assert_eq!((line.detail.as_str(), line.at), ("Google answered 503", precise(1)));
    let page = sync_log::list(db, fixture.business, all, &following(3, page.next)).await.unwrap();
    assert_eq!((minutes(&page.items), page.next), (vec![0], None));
}

async fn every_filter_narrows(db: &TestDb) {
    let fixture = fixture(db).await;
    write(db, &fixture).await;
    let all = SyncLogFilter::default();
    let cases = [
        (SyncLogFilter { connection: Some(fixture.ana), ..all }, vec![5, 4, 1, 0]),
        (SyncLogFilter { staff: Some(fixture.staff), ..all }, vec![5, 4, 1, 0]),
        (SyncLogFilter { booking: Some(fixture.booking), ..all }, vec![2, 1, 0]),
        (SyncLogFilter { outcome: Some(SyncOutcome::Failed), ..all }, vec![6, 2]),
        (SyncLogFilter { since: Some(precise(5)), ..all }, vec![6, 5]),
        (SyncLogFilter { connection: Some(fixture.rui), outcome: Some(SyncOutcome::Ok), ..all }, vec![]),
        (
            SyncLogFilter {
                connection: Some(fixture.ana),
                booking: Some(fixture.booking),
                outcome: Some(SyncOutcome::Ok),
                since: Some(precise(0)),
                channel: None,
                staff: None,
            },
            vec![1],
        ),
    ];
    for (filter, expected) in cases {
        let page = sync_log::list(db, fixture.business, filter, &first(10)).await.unwrap();
        assert_eq!(minutes(&page.items), expected, "{filter:?}");
    }
    let narrow = SyncLogFilter { connection: Some(fixture.ana), ..all };
    let page = sync_log::list(db, fixture.business, narrow, &first(3)).await.unwrap();
    let page = sync_log::list(db, fixture.business, narrow, &following(3, page.next)).await.unwrap();
    assert_eq!(minutes(&page.items), [0]);
}

async fn the_success_rate_counts_ends_only(db: &TestDb) {
    let fixture = fixture(db).await;
    write(db, &fixture).await;
    let counts = async |business, connection, since| {
        sync_log::counts_since(db, business, connection, since).await.unwrap()
    };
    assert_eq!(counts(fixture.business, None, precise(0)).await, SyncLogCounts { ok: 2, failed: 2 });
    assert_eq!(counts(fixture.business, None, precise(2)).await, SyncLogCounts { ok: 1, failed: 2 });
    assert_eq!(counts(fixture.business, None, precise(3)).await, SyncLogCounts { ok: 1, failed: 1 });
    assert_eq!(
        counts(fixture.business, Some(fixture.ana), precise(4)).await,
        SyncLogCounts { ok: 1, failed: 0 }
    );
    assert_eq!(
        counts(fixture.business, Some(fixture.ana), precise(0)).await,
        SyncLogCounts { ok: 2, failed: 0 }
    );
    assert_eq!(
        counts(fixture.business, Some(fixture.rui), precise(0)).await,
        SyncLogCounts { ok: 0, failed: 1 }
    );
    assert_eq!(counts(fixture.business, None, precise(7)).await, SyncLogCounts::default());
    let of_ana = sync_log::counts_of_staff(db, fixture.business, fixture.staff, precise(0)).await.unwrap();
    assert_eq!(of_ana, SyncLogCounts { ok: 2, failed: 0 });
}

async fn another_business_reads_nothing(db: &TestDb) {
    let fixture = fixture(db).await;
    write(db, &fixture).await;
    for filter in [
        SyncLogFilter::default(),
        SyncLogFilter { connection: Some(fixture.ana), ..SyncLogFilter::default() },
    ] {
        assert_eq!(sync_log::list(db, fixture.other, filter, &first(10)).await.unwrap().items, []);
    }
    for connection in [None, Some(fixture.ana)] {
        let counts = sync_log::counts_since(db, fixture.other, connection, precise(0)).await.unwrap();
        assert_eq!(counts, SyncLogCounts::default());
    }
}

async fn what_came_of_the_attempts_is_counted_over_all_businesses(db: &TestDb) {
    let [ours, theirs] = [fixture(db).await, fixture(db).await];
    write(db, &ours).await;
    write(db, &theirs).await;
    let counts = async |minute| {
        let counts = sync_log::outcomes_since(db, precise(minute)).await.unwrap();
        let shown = counts
            .iter()
            .map(|one| format!("{} {} {}: {}", one.provider, one.operation, one.outcome, one.count));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        counts(0).await,
        [
            "google create failed: 2",
            "google create held: 2",
            "google create nothing: 2",
            "google create ok: 4",
            "google create retry: 2"
        ],
        "what is about no connection is no attempt at a provider"
    );
    assert_eq!(counts(4).await, ["google create held: 2", "google create ok: 2"]);
    assert_eq!(counts(7).await, [""; 0]);
}

async fn differences_are_those_since_the_last_compare(db: &TestDb) {
    let fixture = fixture(db).await;
    let mut tx = begin(db).await;
    for (minute, operation, connection) in [
        (1, "difference", fixture.ana),
        (2, "compare", fixture.ana),
        (3, "difference", fixture.ana),
        (4, "difference", fixture.rui),
        (5, "create", fixture.ana),
        (6, "difference", fixture.ana),
        (7, "difference", fixture.ana),
    ] {
        let line = NewSyncLogEntry {
            business: fixture.business,
            connection: Some(connection),
            booking: Some(fixture.booking),
            channel: None,
            operation,
            outcome: SyncOutcome::Ok,
            detail: "missing from Work",
            duration_ms: 40 + minute,
            at: precise(minute),
        };
        sync_log::append(&mut tx, &line).await.unwrap();
    }
    commit(tx).await;
    let found = async |business, limit| {
        let lines = sync_log::differences(db, business, fixture.ana, precise(2), limit).await.unwrap();
        minutes(&lines)
    };
    assert_eq!(found(fixture.business, 10).await, [3, 6, 7]);
    assert_eq!(found(fixture.business, 2).await, [3, 6]);
    assert_eq!(found(fixture.other, 10).await, [0; 0]);
}

concord_storage::on_both_databases!(
    differences_are_those_since_the_last_compare,
    what_came_of_the_attempts_is_counted_over_all_businesses,
    lines_come_newest_first_a_page_at_a_time,
    every_filter_narrows,
    the_success_rate_counts_ends_only,
    another_business_reads_nothing,
);
