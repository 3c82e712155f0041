use concord_domain::{
    audit::HistorySubject,
    ids::{ApiKeyId, BusinessId, StaffId, UserId, new_uuid},
    people::Actor,
};
use concord_storage::{
    Db,
    history::{self, NewHistoryEntry},
    testing::{self, TestDb, begin, commit, monday},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{first, following, precise};

async fn write(db: &Db, business: BusinessId, actor: &Actor, subject: Uuid, detail: &Value, minute: i64) {
    let line = NewHistoryEntry {
        business,
        actor,
        action: "changed",
        subject_kind: HistorySubject::Booking,
        subject,
        detail,
    };
    let mut tx = begin(db).await;
    history::append(&mut tx, &line, precise(minute)).await.unwrap();
    commit(tx).await;
}

async fn every_actor_is_read_back_as_they_were(db: &TestDb) {
    let business = testing::business(db).await.id;
    let actors = [
        Actor::User { id: UserId::new(monday()), name: "Ana".to_owned() },
        Actor::ApiKey { id: ApiKeyId::new(monday()), name: "Web shop".to_owned() },
        Actor::Calendar { staff: StaffId::new(monday()), name: "Rui \"o \u{1F6A4}\"".to_owned() },
        Actor::System,
    ];
    let detail = json!({"changes": {"title": ["before", null], "quantity": [1, 2]}, "version": 7});
    let subject = new_uuid(monday());
    for (minute, actor) in (0_i64..).zip(&actors) {
        write(db, business, actor, subject, &detail, minute).await;
    }
    let lines = history::list(db, business, &first(10)).await.unwrap().items;
    assert_eq!(
        lines.iter().rev().map(|line| &line.actor).collect::<Vec<_>>(),
        actors.iter().collect::<Vec<_>>()
    );
    let newest = &lines[0];
    assert_eq!((newest.action.as_str(), newest.subject_kind), ("changed", HistorySubject::Booking));
    assert_eq!((newest.subject_id, &newest.detail, newest.at), (subject, &detail, precise(3)));
}

async fn lines_come_newest_first_a_page_at_a_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    let [booking, other] = [new_uuid(monday()), new_uuid(monday())];
    for minute in 0..6 {
        let subject = if minute % 3 == 2 { other } else { booking };
        write(db, business, &Actor::System, subject, &json!(minute), minute).await;
    }
    let page = history::list(db, business, &first(4)).await.unwrap();
    let mut minutes: Vec<Value> = page.items.into_iter().map(|line| line.detail).collect();
    let page = history::list(db, business, &following(4, page.next)).await.unwrap();
    minutes.extend(page.items.into_iter().map(|line| line.detail));
    assert_eq!((json!(minutes), page.next), (json!([5, 4, 3, 2, 1, 0]), None));

    let page = history::list_for_subject(db, business, booking, &first(3)).await.unwrap();
    let mut minutes: Vec<Value> = page.items.into_iter().map(|line| line.detail).collect();
    let page = history::list_for_subject(db, business, booking, &following(3, page.next)).await.unwrap();
    minutes.extend(page.items.into_iter().map(|line| line.detail));
    assert_eq!((json!(minutes), page.next), (json!([4, 3, 1, 0]), None));
}

async fn another_business_reads_nothing(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let booking = new_uuid(monday());
    write(db, business, &Actor::System, booking, &json!({}), 0).await;
    assert_eq!(history::list(db, other, &first(10)).await.unwrap().items, []);
    assert_eq!(history::list_for_subject(db, other, booking, &first(10)).await.unwrap().items, []);
}

concord_storage::on_both_databases!(
    every_actor_is_read_back_as_they_were,
    lines_come_newest_first_a_page_at_a_time,
    another_business_reads_nothing,
);
