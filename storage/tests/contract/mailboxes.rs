//! How far a mailbox was read.

use chrono::Duration;
use concord_domain::mailbox::MailboxCursor;
use concord_storage::{
    in_tx,
    mailboxes::{self, MailboxReading},
    testing::{TestDb, monday},
};

const ADDRESS: &str = "book@quinta.example at imap.quinta.example:993, INBOX";

async fn cursor_is_kept_and_a_failure_leaves_it(db: &TestDb) {
    let now = monday();
    assert_eq!(mailboxes::find(db, ADDRESS).await.unwrap(), MailboxReading::default());

    let later = now + Duration::minutes(1);
    for (at, failure) in [
        (now, ("away", None)),
        (now, ("broken", Some(7))),
        (later, ("away", None)),
        (later, ("refused", Some(7))),
    ] {
        in_tx!(db, tx => mailboxes::record_failure(&mut tx, ADDRESS, failure, at).await).unwrap();
    }
    let failing = mailboxes::find(db, ADDRESS).await.unwrap();
    assert_eq!((failing.failing_since, failing.last_error.as_deref()), (Some(now), Some("refused")));
    assert_eq!((failing.cursor, failing.read_at, failing.tried), (None, None, Some((7, 2))));
    in_tx!(db, tx => mailboxes::record_failure(&mut tx, ADDRESS, ("refused", Some(8)), later).await).unwrap();
    assert_eq!(mailboxes::find(db, ADDRESS).await.unwrap().tried, Some((8, 1)), "another mail");

    let cursor = MailboxCursor { uid_validity: u32::MAX, last_uid: u32::MAX - 1 };
    in_tx!(db, tx => mailboxes::record_read(&mut tx, ADDRESS, Some(cursor), later).await).unwrap();
    let read = mailboxes::find(db, ADDRESS).await.unwrap();
    let expected = MailboxReading { cursor: Some(cursor), read_at: Some(later), ..MailboxReading::default() };
    assert_eq!(read, expected);

    in_tx!(db, tx => mailboxes::record_failure(&mut tx, ADDRESS, ("away", None), later).await).unwrap();
    assert_eq!(mailboxes::find(db, ADDRESS).await.unwrap().cursor, Some(cursor));
    assert_eq!(mailboxes::find(db, "another").await.unwrap(), MailboxReading::default());
}
concord_storage::on_both_databases!(cursor_is_kept_and_a_failure_leaves_it);
