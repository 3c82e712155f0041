use chrono::Duration;
use concord_domain::{
    ids::{BusinessId, MailId},
    job::JobKind,
    mail::{MailKind, MailState, lane_of},
};
use concord_storage::{
    Db, jobs,
    mails::{self, MailCounts, NewMail, StoredMail},
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::{first, following, is_not_found, precise, retention::deleted};

fn new(business: BusinessId, key: &str) -> NewMail<'_> {
    NewMail {
        business,
        kind: MailKind::Test,
        to_address: "ana@harbour.example",
        to_name: "Ana",
        subject: "Hello",
        text: "Hello\nAna",
        html: "<p>Hello</p>",
        from_domain: "book.example",
        dedupe_key: key,
        sender: None,
        invitation: None,
        reminder: None,
        useful_until: None,
    }
}

/// Writes a mail at that minute; whether it was the first one with its key.
async fn write(db: &Db, new: &NewMail<'_>, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let job = mails::create(&mut tx, new, precise(minute)).await.unwrap();
    commit(tx).await;
    job.is_some()
}

async fn all(db: &Db, business: BusinessId) -> Vec<StoredMail> {
    mails::list(db, business, None, &first(50)).await.unwrap().items
}

async fn fail(db: &Db, mail: &StoredMail, state: MailState) {
    let mut tx = begin(db).await;
    mails::begin_sending(&mut tx, mail.id, precise(2)).await.unwrap();
    mails::record_failure(&mut tx, mail.id, state, "no such mailbox").await.unwrap();
    commit(tx).await;
}

async fn a_mail_is_written_once_by_its_key_with_the_job_that_sends_it(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    assert!(write(db, &new(business, "a"), 0).await);
    assert!(!write(db, &new(business, "a"), 1).await);
    assert!(write(db, &new(other, "a"), 1).await, "another business has its own keys");
    let found = all(db, business).await;
    assert_eq!(found.len(), 1);
    let mail = &found[0];
    // Both may go by one lane, of which one job is due.
    let due = jobs::due(db, at(5), 10).await.unwrap();
    assert!(due.iter().all(|job| job.kind == JobKind::SendMail), "{due:?}");
    assert!(due.iter().any(|job| job.key == Some(lane_of(mail.id))), "{due:?}");
    assert_eq!(mail.message_id, format!("<{}@book.example>", mail.id.0.simple()));
    assert_eq!((mail.kind, mail.state, mail.created_at), (MailKind::Test, MailState::Waiting, precise(0)));
    assert_eq!((mail.to_address.as_str(), mail.to_name.as_str()), ("ana@harbour.example", "Ana"));
    assert_eq!((mail.subject.as_str(), mail.body_text.as_str()), ("Hello", "Hello\nAna"));
    assert_eq!(mail.body_html, "<p>Hello</p>");
    assert_eq!(mails::find(db, business, mail.id).await.unwrap().as_ref(), Some(mail));
    assert_eq!(mails::find(db, other, mail.id).await.unwrap(), None);
}

async fn what_goes_into_headers_is_one_line(db: &TestDb) {
    let business = testing::business(db).await.id;
    let wicked = NewMail { to_name: "Ana\r\nBcc: x@y.example", subject: "a\nb", ..new(business, "a") };
    write(db, &wicked, 0).await;
    let mail = all(db, business).await.remove(0);
    assert_eq!((mail.to_name.as_str(), mail.subject.as_str()), ("Ana Bcc: x@y.example", "a b"));
}

async fn what_came_of_a_mail_is_kept(db: &TestDb) {
    let business = testing::business(db).await.id;
    for (minute, key) in (0_i64..).zip(["a", "b", "c"]) {
        write(db, &new(business, key), minute).await;
    }
    let written = all(db, business).await;
    let mut tx = begin(db).await;
    assert!(mails::begin_sending(&mut tx, written[0].id, precise(1)).await.unwrap());
    mails::record_sent(&mut tx, &written[0], precise(2)).await.unwrap();
    commit(tx).await;
    fail(db, &written[1], MailState::Failed).await;
    fail(db, &written[2], MailState::Waiting).await;
    // What was sent has not failed, whatever a late worker says.
    fail(db, &written[0], MailState::Failed).await;

    let seen = all(db, business).await;
    let states: Vec<_> = seen.iter().map(|one| (one.state, one.attempted_at, one.sent_at)).collect();
    assert_eq!(
        states,
        [
            (MailState::Sent, Some(precise(1)), Some(precise(2))),
            (MailState::Failed, Some(precise(2)), None),
            (MailState::Waiting, Some(precise(2)), None),
        ]
    );
    assert_eq!(seen[0].last_error, None);
    assert_eq!(seen[1].last_error.as_deref(), Some("no such mailbox"));
    assert_eq!(mails::counts(db, business).await.unwrap(), MailCounts { waiting: 1, failed: 1 });
    let failed = mails::list(db, business, Some(MailState::Failed), &first(5)).await.unwrap().items;
    assert_eq!(failed, [seen[1].clone()]);
}

async fn only_what_has_failed_is_sent_again(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    write(db, &new(business, "a"), 0).await;
    let mail = all(db, business).await.remove(0);
    let again = async |business, id| {
        let mut tx = begin(db).await;
        let job = mails::send_again(&mut tx, business, id, at(9)).await;
        commit(tx).await;
        job
    };
    is_not_found(again(business, mail.id).await);
    fail(db, &mail, MailState::Failed).await;
    is_not_found(again(other, mail.id).await);
    is_not_found(again(business, MailId(Uuid::nil())).await);
    assert_eq!(again(business, mail.id).await.unwrap().kind, JobKind::SendMail);
    assert_eq!(all(db, business).await[0].state, MailState::Waiting);
}

async fn mails_come_newest_first_a_page_at_a_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    for (minute, key) in (0_i64..).zip(["a", "b", "c"]) {
        write(db, &new(business, key), minute).await;
    }
    let page = mails::list(db, business, None, &first(2)).await.unwrap();
    assert_eq!(page.items.iter().map(|one| one.created_at).collect::<Vec<_>>(), [precise(2), precise(1)]);
    let page = mails::list(db, business, None, &following(2, page.next)).await.unwrap();
    assert_eq!(page.items.iter().map(|one| one.created_at).collect::<Vec<_>>(), [precise(0)]);
    assert_eq!(page.next, None);
}

async fn old_mails_go_but_those_that_wait(db: &TestDb) {
    let business = testing::business(db).await.id;
    write(db, &new(business, "a"), 0).await;
    write(db, &new(business, "b"), 0).await;
    let mail = all(db, business).await.remove(0);
    fail(db, &mail, MailState::Failed).await;
    let days = Duration::days(30);
    let keep =
        RetentionPeriods { sync_log: days, mails: days, done_jobs: days, history: days, customers: None };
    assert_eq!(deleted(db, keep, at(0) + days, "mails").await, 0);
    assert_eq!(deleted(db, keep, at(1) + days, "mails").await, 1);
    assert_eq!(all(db, business).await.len(), 1);
}

concord_storage::on_both_databases!(
    a_mail_is_written_once_by_its_key_with_the_job_that_sends_it,
    what_goes_into_headers_is_one_line,
    what_came_of_a_mail_is_kept,
    only_what_has_failed_is_sent_again,
    mails_come_newest_first_a_page_at_a_time,
    old_mails_go_but_those_that_wait,
);
