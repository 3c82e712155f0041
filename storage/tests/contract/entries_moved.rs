//! Entries that may be gone or elsewhere, though no change tells of it.

use concord_domain::{
    connection::EntryState,
    ids::{BusinessId, CalendarId, EntryId},
    sync::{read_sequence::ReadSequence, unknown_writes::UnknownWrite},
};
use concord_storage::{
    calendars::{self, ListedCalendar},
    connections,
    entries::{self, MovedEntry},
    testing::{self, TestDb, at, begin, commit},
};

use crate::entries::{EntryFixture, begun, fixture, shape, stands, written};

/// Ana's second calendar, into which nothing is written.
async fn second(db: &TestDb, fixture: &EntryFixture) -> CalendarId {
    let listed = ListedCalendar {
        external_id: "rota".into(),
        name: "Rota".into(),
        colour: None,
        zone: None,
        owner: None,
        writable: true,
        is_primary: false,
    };
    let mut tx = begin(db).await;
    calendars::take_over(&mut tx, fixture.business.id, fixture.of_ana, &[listed], at(0)).await.unwrap();
    commit(tx).await;
    let all = calendars::of_connection(db, fixture.business.id, fixture.of_ana).await.unwrap();
    all.into_iter().find(|one| one.external_id == "rota").unwrap().id
}

async fn moved(db: &TestDb, at: (EntryId, CalendarId, i64), to: &MovedEntry<'_>) -> bool {
    let mut tx = begin(db).await;
    let is_stored = entries::move_to(&mut tx, at, to).await.unwrap();
    commit(tx).await;
    is_stored
}

async fn moved_entry_is_compared_with_what_was_known(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    let rota = second(db, &fixture).await;
    let unknown = [UnknownWrite::Left(shape("Sauna"))];
    let there = MovedEntry { to: rota, external_id: "pasted", unknown: &unknown };
    assert!(moved(db, stands(db, id).await, &there).await);
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.calendar_id, entry.calendar_external_id.as_str()), (rota, "rota"));
    assert_eq!((entry.external_id.as_str(), entry.etag), ("pasted", None));
    assert_eq!((entry.base, entry.unknown_writes), (Some(shape("Massage")), unknown.to_vec()));
    assert_eq!((entry.content_hash.as_deref(), entry.state), (Some("hash"), EntryState::Synced));
}

async fn overtaken_move_is_refused(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    let of_rui = fixture.entry(db, &put.booking, fixture.of_rui).await.calendar_id;
    written(db, id, 1).await;
    let former = stands(db, id).await;
    begun(db, id, "Sauna").await;
    let (_, calendar, revision) = stands(db, id).await;
    let rota = second(db, &fixture).await;
    let to = |to| MovedEntry { to, external_id: "pasted", unknown: &[] };
    assert!(!moved(db, former, &to(rota)).await, "it was stored since");
    assert!(!moved(db, (id, rota, revision), &to(rota)).await, "it stands in another calendar");
    assert!(!moved(db, (id, calendar, revision), &to(of_rui)).await, "that one is somebody else's");
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.calendar_id, calendar);
    assert!(moved(db, (id, calendar, revision), &to(rota)).await);
    assert!(!moved(db, (id, calendar, revision), &to(rota)).await);
}

async fn what_stands_is_known_since_a_reading(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    let (business, calendar) = (fixture.business.id, entry.calendar_id);
    let since = async |business: BusinessId, reading: i64| {
        entries::list_stored_since(db, business, calendar, ReadSequence(reading)).await.unwrap()
    };
    connections::begin_reading(db, fixture.of_ana).await.unwrap();
    assert_eq!(since(business, 0).await, [], "it was never written");
    written(db, entry.id, 1).await;
    let found = since(business, 1).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].reading), (entry.id, ReadSequence(1)));
    assert_eq!((found[0].external_id.as_str(), found[0].etag.as_deref()), ("given", Some("\"1\"")));
    assert_eq!(since(business, 2).await, [], "it was stored before that one began");
    assert_eq!(since(testing::business(db).await.id, 0).await, []);
    begun(db, entry.id, "Sauna").await;
    assert_eq!(since(business, 0).await, [], "its writer asks for it");
    written(db, entry.id, 2).await;
    assert_eq!(since(business, 0).await.len(), 1);
    fixture.cancel(db).await;
    assert_eq!(since(business, 0).await, [], "it is to go");
}

concord_storage::on_both_databases!(
    moved_entry_is_compared_with_what_was_known,
    overtaken_move_is_refused,
    what_stands_is_known_since_a_reading,
);
