use chrono_tz::Tz;
use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId},
    interval::Interval,
    sync::read_sequence::ReadSequence,
};
use concord_storage::{
    Db, businesses,
    calendars::{self, Calendar, ListedCalendar},
    connections::{self, NewConnection},
    people::Staff,
    testing::{self, TestDb, at, begin, commit},
};

use crate::is_not_found;

fn listed(external_id: &str, writable: bool, is_primary: bool) -> ListedCalendar {
    ListedCalendar {
        external_id: external_id.to_owned(),
        name: format!("Calendar {external_id}"),
        colour: Some("#9fe1e7".to_owned()),
        zone: None,
        owner: Some("ana".to_owned()),
        writable,
        is_primary,
    }
}

async fn connected(db: &Db) -> (Staff, ConnectionId) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    (ana, connection)
}

async fn take_over(db: &Db, business: BusinessId, of: ConnectionId, list: &[ListedCalendar], minute: i64) {
    let mut tx = begin(db).await;
    calendars::take_over(&mut tx, business, of, list, at(minute)).await.unwrap();
    commit(tx).await;
}

/// `name: reads writes missing` of each.
async fn shown(db: &Db, business: BusinessId, of: ConnectionId) -> Vec<String> {
    let calendars = calendars::of_connection(db, business, of).await.unwrap();
    let flag = |on, word| if on { word } else { "" };
    let show = |one: &Calendar| {
        let flags = [
            flag(one.reads, " reads"),
            flag(one.writes, " writes"),
            flag(one.missing_since.is_some(), " missing"),
        ];
        format!("{}{}", one.external_id, flags.concat())
    };
    calendars.iter().map(show).collect()
}

async fn at_first_the_main_calendar_is_read_and_written(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let list = [listed("b", true, false), listed("main", true, true), listed("holidays", false, false)];
    take_over(db, ana.business_id, connection, &list, 0).await;
    let expected = ["main reads writes", "b", "holidays"];
    assert_eq!(shown(db, ana.business_id, connection).await, expected);
    let all = calendars::of_connections(db, ana.business_id, &[connection]).await.unwrap();
    let ids: Vec<&str> = all[&connection].iter().map(|calendar| calendar.external_id.as_str()).collect();
    assert_eq!((all.len(), ids), (1, vec!["main", "b", "holidays"]));
    let calendars = calendars::of_connection(db, ana.business_id, connection).await.unwrap();
    let main = calendars::find(db, ana.business_id, calendars[0].id).await.unwrap().unwrap();
    assert_eq!((main.name.as_str(), main.colour.as_deref()), ("Calendar main", Some("#9fe1e7")));
    assert_eq!((main.connection_id, main.business_id), (connection, ana.business_id));
    assert!(main.is_primary && main.writable && main.zone.is_none() && main.last_import_at.is_none());
}

async fn what_a_person_chose_stays(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let list = [listed("main", true, true), listed("second", true, false), listed("third", false, false)];
    take_over(db, ana.business_id, connection, &list, 0).await;
    let calendars = calendars::of_connection(db, ana.business_id, connection).await.unwrap();
    let mut tx = begin(db).await;
    calendars::set_reads(&mut tx, ana.business_id, calendars[0].id, false).await.unwrap();
    calendars::set_written(&mut tx, ana.business_id, connection, calendars[1].id).await.unwrap();
    is_not_found(calendars::set_written(&mut tx, ana.business_id, connection, calendars[2].id).await);
    commit(tx).await;
    let renamed = ListedCalendar { name: "New name".to_owned(), ..listed("second", true, false) };
    let again = [listed("main", true, true), renamed, listed("third", false, false)];
    take_over(db, ana.business_id, connection, &again, 1).await;
    let expected = ["main", "third", "second writes"];
    assert_eq!(shown(db, ana.business_id, connection).await, expected);
}

async fn a_calendar_under_another_id_is_the_same_and_read_anew(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let business = ana.business_id;
    take_over(db, business, connection, &[listed("main", true, true), listed("old", true, false)], 0).await;
    let old = calendars::of_connection(db, business, connection).await.unwrap()[1].clone();
    let window = Interval { start: at(0), end: at(1_000) };
    let mut tx = begin(db).await;
    calendars::set_reads(&mut tx, business, old.id, true).await.unwrap();
    calendars::advance(&mut tx, (old.id, ReadSequence(1)), "cursor", window, at(1)).await.unwrap();
    let elsewhere = BusinessId::new(at(0));
    is_not_found(calendars::change_external_id(&mut tx, elsewhere, old.id, "new").await);
    calendars::change_external_id(&mut tx, business, old.id, "new").await.unwrap();
    commit(tx).await;
    take_over(db, business, connection, &[listed("main", true, true), listed("new", true, false)], 2).await;
    assert_eq!(shown(db, business, connection).await, ["main reads writes", "new reads"]);
    let new = calendars::find(db, business, old.id).await.unwrap().unwrap();
    assert_eq!((new.external_id.as_str(), new.owner.as_deref()), ("new", Some("ana")));
    assert_eq!(calendars::progress(db, business, old.id).await.unwrap().cursor, None);
}

async fn a_calendar_that_is_no_longer_listed_is_missed(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let (main, second) = (listed("main", true, true), listed("second", true, false));
    take_over(db, ana.business_id, connection, &[main.clone(), second.clone()], 0).await;
    let calendars = calendars::of_connection(db, ana.business_id, connection).await.unwrap();
    let chosen = calendars[1].id;
    let mut tx = begin(db).await;
    calendars::set_written(&mut tx, ana.business_id, connection, chosen).await.unwrap();
    calendars::set_reads(&mut tx, ana.business_id, chosen, true).await.unwrap();
    commit(tx).await;
    take_over(db, ana.business_id, connection, std::slice::from_ref(&main), 1).await;
    let expected = ["main reads", "second reads writes missing"];
    assert_eq!(shown(db, ana.business_id, connection).await, expected);
    take_over(db, ana.business_id, connection, std::slice::from_ref(&main), 2).await;
    let found = calendars::find(db, ana.business_id, chosen).await.unwrap().unwrap();
    assert_eq!(found.missing_since, Some(at(1)));
    let mut tx = begin(db).await;
    is_not_found(calendars::set_written(&mut tx, ana.business_id, connection, chosen).await);
    let read = calendars::list_read(&mut tx, ana.business_id, connection).await.unwrap();
    assert_eq!(read.iter().map(|one| one.external_id.as_str()).collect::<Vec<_>>(), ["main"]);
    drop(tx);
    // Back again, it is what the person chose.
    take_over(db, ana.business_id, connection, &[main, second], 3).await;
    assert_eq!(shown(db, ana.business_id, connection).await, ["main reads", "second reads writes"]);
}

async fn a_list_without_the_main_calendar_takes_nothing_away(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let (main, second) = (listed("main", true, true), listed("second", true, false));
    take_over(db, ana.business_id, connection, &[main, second.clone()], 0).await;
    for list in [&[][..], std::slice::from_ref(&second)] {
        take_over(db, ana.business_id, connection, list, 1).await;
        assert_eq!(shown(db, ana.business_id, connection).await, ["main reads writes", "second"]);
    }
}

async fn reading_goes_on_where_it_stopped(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let calendar = testing::calendar(db, &ana, connection).await;
    let progress = async || calendars::progress(db, ana.business_id, calendar).await.unwrap();
    let found = async || calendars::find(db, ana.business_id, calendar).await.unwrap().unwrap();
    assert_eq!((progress().await.cursor, progress().await.staff_id), (None, ana.id));

    let window = Interval::new(at(-1440), at(1440)).unwrap();
    let mut tx = begin(db).await;
    calendars::hold(&mut tx, calendar, "digest", "12 of 12 events are gone").await.unwrap();
    commit(tx).await;
    assert_eq!(progress().await.held.as_deref(), Some("digest"));
    assert_eq!(found().await.quarantine_reason.as_deref(), Some("12 of 12 events are gone"));
    let mut tx = begin(db).await;
    calendars::advance(&mut tx, (calendar, ReadSequence(7)), "sync-1", window, at(3)).await.unwrap();
    commit(tx).await;
    let reached = progress().await;
    assert_eq!((reached.cursor.as_deref(), reached.held), (Some("sync-1"), None));
    assert_eq!(reached.last_reading, ReadSequence(7));
    assert_eq!((reached.window_start, reached.window_end), (Some(window.start), Some(window.end)));
    assert_eq!((found().await.last_import_at, found().await.quarantine_reason), (Some(at(3)), None));

    let mut tx = begin(db).await;
    calendars::forget_cursor(&mut tx, calendar).await.unwrap();
    commit(tx).await;
    assert_eq!(progress().await.cursor, None);
    let mut tx = begin(db).await;
    calendars::advance(&mut tx, (calendar, ReadSequence(8)), "sync-2", window, at(4)).await.unwrap();
    calendars::set_reads(&mut tx, ana.business_id, calendar, true).await.unwrap();
    commit(tx).await;
    assert_eq!(progress().await.last_reading, ReadSequence(8));
    assert_eq!(progress().await.cursor, None, "turned on, it starts from the beginning");
}

async fn the_calendar_that_a_person_names_is_written_and_read(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let list = [listed("main", true, true), listed("rota", true, false), listed("holidays", false, false)];
    take_over(db, ana.business_id, connection, &list, 0).await;
    let mut tx = begin(db).await;
    calendars::choose(&mut tx, ana.business_id, connection, "rota").await.unwrap();
    is_not_found(calendars::choose(&mut tx, ana.business_id, connection, "holidays").await);
    is_not_found(calendars::choose(&mut tx, ana.business_id, connection, "nowhere").await);
    is_not_found(calendars::choose(&mut tx, BusinessId(uuid::Uuid::from_u128(9)), connection, "rota").await);
    commit(tx).await;
    let expected = ["main reads", "holidays", "rota reads writes"];
    assert_eq!(shown(db, ana.business_id, connection).await, expected);
}

/// A person lives where a calendar of theirs says so, and else where the business is.
async fn a_calendar_tells_where_its_owner_lives(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let home = || async { connections::home_zone(db, ana.business_id, connection).await.unwrap() };
    let business = businesses::find(db, ana.business_id).await.unwrap().unwrap().zone;
    assert_ne!(business, Tz::Asia__Tokyo);
    let in_zone =
        |listed: ListedCalendar, zone: &str| ListedCalendar { zone: Some(zone.to_owned()), ..listed };
    // Without a zone, or of other people.
    let list = [listed("main", true, true), in_zone(listed("holidays", false, false), "UTC")];
    take_over(db, ana.business_id, connection, &list, 0).await;
    assert_eq!(home().await, business);

    let new = NewConnection {
        business: ana.business_id,
        staff: ana.id,
        provider: ProviderKind::Google,
        account_subject: "another".to_owned(),
        account_email: ana.email.clone(),
        tokens: testing::tokens("access", None),
    };
    let mut tx = begin(db).await;
    let other = connections::adopt(&mut tx, &testing::keyring(), &new, at(1)).await.unwrap();
    commit(tx).await;
    let theirs = [in_zone(listed("theirs", true, true), "America/New_York")];
    take_over(db, ana.business_id, other, &theirs, 1).await;
    assert_eq!(home().await, Tz::America__New_York);

    // The same account knows better.
    let list = [listed("main", true, true), in_zone(listed("rota", true, false), "Asia/Tokyo")];
    take_over(db, ana.business_id, connection, &list, 2).await;
    assert_eq!(home().await, Tz::Asia__Tokyo);
    let list = [in_zone(listed("main", true, true), "Nowhere/Never"), listed("rota", true, false)];
    take_over(db, ana.business_id, connection, &list, 3).await;
    assert_eq!(home().await, business);
    let elsewhere = BusinessId(uuid::Uuid::from_u128(9));
    is_not_found(connections::home_zone(db, elsewhere, connection).await);
}

async fn another_business_finds_no_calendar(db: &TestDb) {
    let (ana, connection) = connected(db).await;
    let calendar = testing::calendar(db, &ana, connection).await;
    let other = testing::business(db).await.id;
    assert!(calendars::find(db, other, calendar).await.unwrap().is_none());
    assert!(calendars::of_connection(db, other, connection).await.unwrap().is_empty());
    assert!(calendars::of_connections(db, other, &[connection]).await.unwrap().is_empty());
    is_not_found(calendars::progress(db, other, calendar).await);
    let mut tx = begin(db).await;
    is_not_found(calendars::set_reads(&mut tx, other, calendar, false).await);
    is_not_found(calendars::set_written(&mut tx, other, connection, calendar).await);
    commit(tx).await;
    assert_eq!(shown(db, ana.business_id, connection).await, ["ana@harbour.example reads writes"]);
}

concord_storage::on_both_databases!(
    a_calendar_under_another_id_is_the_same_and_read_anew,
    at_first_the_main_calendar_is_read_and_written,
    what_a_person_chose_stays,
    a_calendar_that_is_no_longer_listed_is_missed,
    a_list_without_the_main_calendar_takes_nothing_away,
    reading_goes_on_where_it_stopped,
    the_calendar_that_a_person_names_is_written_and_read,
    a_calendar_tells_where_its_owner_lives,
    another_business_finds_no_calendar,
);
