use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::EntryId,
    interval::Interval,
    job::{JobKind, QueueClass},
};
use concord_storage::{
    connections::{self, DriftFigures, DriftTotal},
    entries,
    jobs::{self, NewJob},
    testing::{TestDb, at, begin, commit, monday},
};

use crate::entries::{fixture, written};

async fn what_a_compare_found_is_kept_and_counted(db: &TestDb) {
    let fixture = fixture(db).await;
    let found = async |id| connections::find(db, fixture.business.id, id).await.unwrap().unwrap().drift;
    assert_eq!(found(fixture.of_ana).await, DriftFigures::default());
    assert_eq!(connections::drift_totals(db).await.unwrap(), [], "nothing was compared");
    let of_ana = DriftFigures {
        checked_at: Some(at(5)),
        standing: 212,
        missing: 3,
        extra: 1,
        different: 2,
        held_since: Some(at(4)),
    };
    let of_rui = DriftFigures { checked_at: Some(at(3)), standing: 8, ..DriftFigures::default() };
    for (id, figures) in [(fixture.of_ana, of_ana), (fixture.of_rui, of_rui)] {
        let mut tx = begin(db).await;
        connections::record_drift(&mut tx, (fixture.business.id, id), &figures).await.unwrap();
        commit(tx).await;
        assert_eq!(found(id).await, figures);
    }
    assert_eq!((of_ana.wanted(), of_ana.is_clean(), of_rui.is_clean()), (217, false, true));
    let all = DriftTotal {
        provider: ProviderKind::Google,
        standing: 220,
        missing: 3,
        extra: 1,
        different: 2,
        oldest: at(3),
    };
    assert_eq!(connections::drift_totals(db).await.unwrap(), [all]);
}

async fn who_is_never_compared_is_found(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let mut tx = begin(db).await;
    let state = ConnectionState::Paused;
    connections::set_state(&mut tx, business, fixture.of_rui, state, None, at(1)).await.unwrap();
    commit(tx).await;
    assert_eq!(connections::list_never_compared(db).await.unwrap(), [(business, fixture.of_ana)]);
    let mut tx = begin(db).await;
    let job = NewJob {
        business: Some(business),
        kind: JobKind::CompareDrift,
        subject: fixture.of_ana.0,
        queue: QueueClass::Poll,
        due_at: at(60),
    };
    jobs::enqueue(&mut tx, job, at(1)).await.unwrap();
    commit(tx).await;
    assert_eq!(connections::list_never_compared(db).await.unwrap(), []);
}

async fn entries_are_compared_where_their_bookings_lie_in_the_window(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    let within = Interval { start: monday(), end: at(61) };
    let rows = async |of, window| entries::compared(db, fixture.business.id, of, window).await.unwrap();
    let row = rows(fixture.of_ana, within).await.remove(0);
    assert_eq!((row.id, row.desired, row.state, row.is_asked_about), (id, true, EntryState::Pending, false));
    assert_eq!((row.starts_at, row.ends_at, row.etag), (at(60), at(120), None));
    written(db, id, 1).await;
    let row = rows(fixture.of_ana, within).await.remove(0);
    assert_eq!(
        (row.state, row.etag.as_deref(), row.external_id.as_str()),
        (EntryState::Synced, Some("\"1\""), "given")
    );
    assert_eq!(rows(fixture.of_rui, within).await, []);
    for elsewhere in [
        Interval { start: at(120), end: at(180) },
        Interval { start: monday() - Duration::days(1), end: at(60) },
    ] {
        assert_eq!(rows(fixture.of_ana, elsewhere).await, []);
    }
    let unknown = EntryId(uuid::Uuid::nil());
    assert_eq!(entries::of_anybody(db, &[unknown, id]).await.unwrap(), [id]);
    assert_eq!(entries::of_anybody(db, &[]).await.unwrap(), []);
}

concord_storage::on_both_databases!(
    what_a_compare_found_is_kept_and_counted,
    who_is_never_compared_is_found,
    entries_are_compared_where_their_bookings_lie_in_the_window,
);
