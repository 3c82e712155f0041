use concord_domain::{
    booking::{BookingDraft, BookingTime},
    connection::EntryState,
    ids::BookingId,
};
use concord_storage::{
    entries,
    testing::{self, TestDb, at, draft, monday},
};

async fn many_bookings_are_asked_about_at_once(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    let ring = testing::keyring();
    let mut crew = Vec::new();
    for name in ["Ana", "Rui"] {
        let staff = testing::staff(db, &business, name).await;
        let connection = testing::connection(db, &ring, &staff).await;
        testing::calendar(db, &staff, connection).await;
        crew.push(staff.id);
    }
    let with = |staff: &[_], from| BookingDraft { staff: staff.to_vec(), ..draft(&room, from, from + 30) };
    let both = testing::booking(db, &business, "both", &with(&crew, 0)).await.id;
    let one = testing::booking(db, &business, "one", &with(&crew[1..], 60)).await.id;
    let none = testing::booking(db, &business, "none", &with(&[], 120)).await.id;
    // More than are asked about in one statement, and ours in different ones.
    let mut asked = vec![both];
    asked.extend((0..600).map(|_| BookingId::new(monday())));
    asked.extend([one, none]);

    let states = entries::sync_states_of(db, business.id, &asked).await.unwrap();
    let names = |booking| {
        let mut names: Vec<&str> = states[booking].iter().map(|state| state.staff_name.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!((states.len(), states.contains_key(&none)), (2, false));
    assert_eq!((names(&both), names(&one)), (vec!["Ana", "Rui"], vec!["Rui"]));
    for (booking, states) in &states {
        assert!(
            states.iter().all(|state| state.booking_id == *booking && state.state == EntryState::Pending)
        );
    }
    assert!(entries::sync_states(db, business.id, none).await.unwrap().is_empty());
    assert!(entries::sync_states_of(db, business.id, &[]).await.unwrap().is_empty());
    let other = testing::business(db).await.id;
    assert!(entries::sync_states_of(db, other, &asked).await.unwrap().is_empty());
}

async fn what_stands_in_a_calendar_is_listed_by_its_end(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    let (staff, other) =
        (testing::staff(db, &business, "Ana").await, testing::staff(db, &business, "Rui").await);
    let ring = testing::keyring();
    let connection = testing::connection(db, &ring, &staff).await;
    testing::calendar(db, &staff, connection).await;
    let theirs = testing::connection(db, &ring, &other).await;
    testing::calendar(db, &other, theirs).await;
    let of = |staff, from, to| BookingDraft { staff: vec![staff], ..draft(&room, from, to) };
    for (reference, staff, from, to) in [
        ("last", staff.id, 300, 600),
        ("later", staff.id, 120, 180),
        ("theirs", other.id, 60, 90),
        ("soon", staff.id, 60, 90),
        ("over", staff.id, 10, 30),
    ] {
        testing::booking(db, &business, reference, &of(staff, from, to)).await;
    }
    let listed = async |now, most| {
        let found = entries::upcoming(db, business.id, connection, now, most).await.unwrap();
        found.into_iter().map(|entry| entry.reference).collect::<Vec<_>>()
    };
    assert_eq!(listed(at(30), 10).await, ["soon", "later", "last"]);
    assert_eq!(listed(at(30), 2).await, ["soon", "later"]);
    assert_eq!(listed(at(29), 1).await, ["over"], "what ends now is over");
    let first = entries::upcoming(db, business.id, connection, at(30), 1).await.unwrap().remove(0);
    assert_eq!(first.time(), BookingTime::Timed { starts_at: at(60), ends_at: at(90) });
    assert_eq!((first.calendar.as_str(), first.state), ("Ana", EntryState::Pending));

    let elsewhere = testing::business(db).await.id;
    assert!(entries::upcoming(db, elsewhere, connection, at(0), 10).await.unwrap().is_empty());
}

concord_storage::on_both_databases!(
    many_bookings_are_asked_about_at_once,
    what_stands_in_a_calendar_is_listed_by_its_end,
);
