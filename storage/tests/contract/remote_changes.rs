use concord_domain::{
    audit::HistorySubject,
    booking::{BookingDraft, BookingStatus, BookingTime},
    ids::{BusinessId, EntryId, RemoteChangeId},
    job::JobKind,
    notice::NoticeKind,
    people::Actor,
    sync::remote_change::{BookingEdit, Refusal, RemoteChangeKind, RemoteChangeState},
};
use concord_storage::{
    ChangeContext, Db,
    bookings::{self, LinkedWrite, PutError, WrittenBooking},
    entries, jobs,
    notices::{self, Audience, NewNotice},
    remote_changes::{self, NewRemoteChange, RemoteChange, RemoteChangeDecision},
    retention::RetentionPeriods,
    testing::{TestDb, at, begin, commit, monday},
};

use crate::{
    entries::{EntryFixture, fixture, shape, written},
    first, following, is_not_found,
    retention::deleted,
};

fn edit(kind: RemoteChangeKind) -> BookingEdit {
    BookingEdit { kind, time: None, title: None, status: None }
}

fn later() -> BookingEdit {
    let time = BookingTime::Timed { starts_at: at(180), ends_at: at(240) };
    BookingEdit { time: Some(time), ..edit(RemoteChangeKind::Moved) }
}

/// A booking of Ana's whose entry stands in her calendar.
struct RemoteChangeFixture {
    fixture: EntryFixture,
    put: WrittenBooking,
    entry: EntryId,
}

impl RemoteChangeFixture {
    async fn set(db: &Db) -> Self {
        let fixture = fixture(db).await;
        let put = fixture.put(db, &[&fixture.ana], "Massage").await;
        let entry = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
        written(db, entry, 1).await;
        Self { fixture, put, entry }
    }

    fn business(&self) -> BusinessId {
        self.fixture.business.id
    }

    fn change(&self, edit: &'static BookingEdit, state: RemoteChangeState) -> NewRemoteChange<'static> {
        NewRemoteChange {
            id: RemoteChangeId::new(monday()),
            business: self.business(),
            booking: self.put.booking.id,
            entry: self.entry,
            connection: self.fixture.of_ana,
            state,
            edit,
            before: edit,
            refusal: None,
            detail: "",
            booking_version: None,
        }
    }

    async fn ask(&self, db: &Db, minutes: i64) -> RemoteChangeId {
        self.ask_about(db, RemoteChangeKind::Deleted, minutes).await
    }

    async fn ask_about(&self, db: &Db, kind: RemoteChangeKind, minutes: i64) -> RemoteChangeId {
        let mut tx = begin(db).await;
        let change = self.change(leaked(edit(kind)), RemoteChangeState::Open);
        remote_changes::record(&mut tx, &change, at(minutes)).await.unwrap();
        notices::raise(&mut tx, &self.notice(&remote_changes::notice_key(change.id)), at(minutes))
            .await
            .unwrap();
        commit(tx).await;
        change.id
    }

    fn notice<'a>(&self, dedupe_key: &'a str) -> NewNotice<'a> {
        NewNotice {
            business: self.business(),
            kind: NoticeKind::RemoteChange,
            audience: Audience::Managers,
            subject: (HistorySubject::Booking, self.put.booking.id.0),
            headline: "Ana deleted an entry",
            named_headline: None,
            detail: "Cancel the booking, or revert the entry?",
            link: "/bookings/A-1",
            dedupe_key,
            wait: chrono::Duration::minutes(2),
            alert: None,
        }
    }

    /// The keys of what managers are yet to be told.
    async fn untold(&self, db: &Db) -> Vec<String> {
        let untold = notices::unsent(db, self.business(), Audience::Managers, 10).await.unwrap();
        untold.into_iter().map(|notice| notice.dedupe_key).collect()
    }

    async fn state(&self, db: &Db, id: RemoteChangeId) -> RemoteChangeState {
        self.found(db, id).await.state
    }

    async fn found(&self, db: &Db, id: RemoteChangeId) -> RemoteChange {
        remote_changes::find(db, self.business(), id).await.unwrap().unwrap()
    }

    fn by_ana(&self) -> ChangeContext {
        let actor = Actor::Calendar { staff: self.fixture.ana.id, name: "Ana".into() };
        ChangeContext { business: self.business(), actor, now: at(5) }
    }
}

fn leaked(edit: BookingEdit) -> &'static BookingEdit {
    Box::leak(Box::new(edit))
}

async fn a_booking_follows_and_it_is_written_down(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let draft = later().applied(&stage.put.booking.draft);
    let moved = stage.change(leaked(later()), RemoteChangeState::Followed);
    let seen = shape("moved");
    let key = remote_changes::notice_key(moved.id);
    let told = [stage.notice(&key)];
    let known = stage.fixture.entry(db, &stage.put.booking, stage.fixture.of_ana).await.revision;
    let along = |revision| LinkedWrite::Followed {
        change: &moved,
        revision,
        etag: Some("\"2\""),
        shape: Some(&seen),
        notices: &told,
    };
    let follow =
        async |expected, along| bookings::follow(db, &stage.by_ana(), "A-1", &draft, expected, along).await;

    // Written since it was seen, or at another version: nothing is changed.
    let late = follow(1, along(known - 1)).await;
    assert!(matches!(late, Err(PutError::Stale { .. })), "{late:?}");
    let stale = follow(7, along(known)).await;
    assert!(matches!(stale, Err(PutError::Stale { current: 1 })), "{stale:?}");
    assert!(remote_changes::of_booking(db, stage.business(), stage.put.booking.id).await.unwrap().is_empty());
    assert!(stage.untold(db).await.is_empty(), "what was not done is not told");

    let put = follow(1, along(known)).await.unwrap();
    assert_eq!((put.booking.version, put.booking.interval.start), (2, at(180)));
    assert_eq!(stage.untold(db).await, [key.as_str()]);
    let entry = stage.fixture.entry(db, &put.booking, stage.fixture.of_ana).await;
    assert_eq!(
        (entry.etag.as_deref(), entry.content_hash, entry.base),
        (Some("\"2\""), None, Some(seen.clone()))
    );
    let changes = remote_changes::of_booking(db, stage.business(), put.booking.id).await.unwrap();
    assert_eq!(changes.len(), 1);
    let change = &changes[0];
    assert_eq!(
        (change.state, change.kind, change.booking_version),
        (RemoteChangeState::Followed, RemoteChangeKind::Moved, Some(2))
    );
    assert_eq!(
        (change.staff_name.as_str(), change.reference.as_str(), &change.edit),
        ("Ana", "A-1", &later())
    );
    assert!(change.can_be_undone());

    // Taken back, once, and only while the booking is still as it became.
    let back = RemoteChangeDecision {
        change: change.id,
        from: RemoteChangeState::Followed,
        to: RemoteChangeState::Undone,
        booking_version: None,
    };
    let before = stage.put.booking.draft.clone();
    let undo = async |expected| {
        bookings::follow(db, &stage.by_ana(), "A-1", &before, expected, LinkedWrite::Decided(&back)).await
    };
    assert_eq!(undo(2).await.unwrap().booking.version, 3);
    let change = stage.found(db, change.id).await;
    assert_eq!((change.state, change.booking_version), (RemoteChangeState::Undone, Some(2)));
    assert!(change.decided_by.is_some() && !change.can_be_undone());
    let again = undo(3).await;
    assert!(matches!(again, Err(PutError::Stale { .. })), "{again:?}");
}

async fn a_question_is_asked_once_and_answered_once(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let first_asked = stage.ask(db, 1).await;
    assert!(stage.fixture.entry(db, &stage.put.booking, stage.fixture.of_ana).await.is_asked_about);
    let asked = stage.ask(db, 2).await;
    assert_eq!(stage.state(db, first_asked).await, RemoteChangeState::Overtaken);
    assert_eq!(stage.untold(db).await, [remote_changes::notice_key(asked)], "only what is still a question");
    let open = async |staff| remote_changes::open(db, stage.business(), staff).await.unwrap();
    assert_eq!(open(None).await.iter().map(|one| one.id).collect::<Vec<_>>(), [asked]);
    assert_eq!(
        (open(Some(stage.fixture.ana.id)).await.len(), open(Some(stage.fixture.eva.id)).await.len()),
        (1, 0)
    );

    let revert = RemoteChangeDecision {
        change: asked,
        from: RemoteChangeState::Open,
        to: RemoteChangeState::Revert,
        booking_version: None,
    };
    let actor = Actor::System;
    let mut tx = begin(db).await;
    remote_changes::decide(&mut tx, stage.business(), &revert, &actor, at(3)).await.unwrap();
    is_not_found(remote_changes::decide(&mut tx, stage.business(), &revert, &actor, at(3)).await);
    let job = entries::enqueue_rewrite(&mut tx, stage.business(), stage.entry, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(job.kind, concord_domain::job::JobKind::SyncBooking);
    assert!(!stage.fixture.entry(db, &stage.put.booking, stage.fixture.of_ana).await.is_asked_about);
    assert_eq!(stage.found(db, asked).await.decided_at, Some(at(3)));
    assert!(stage.untold(db).await.is_empty(), "what is decided is no question");
}

async fn the_answer_changes_the_booking_with_it(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let asked = stage.ask(db, 1).await;
    let cancel = BookingEdit { status: Some(BookingStatus::Cancelled), ..edit(RemoteChangeKind::Deleted) };
    let draft = cancel.applied(&stage.put.booking.draft);
    let yes = RemoteChangeDecision {
        change: asked,
        from: RemoteChangeState::Open,
        to: RemoteChangeState::Followed,
        booking_version: None,
    };
    bookings::follow(db, &stage.by_ana(), "A-1", &draft, 1, LinkedWrite::Decided(&yes)).await.unwrap();
    let change = stage.found(db, asked).await;
    assert_eq!(
        (change.state, change.booking_version, change.version),
        (RemoteChangeState::Followed, Some(2), 2)
    );
}

async fn a_change_here_overtakes_the_question(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let asked = stage.ask(db, 1).await;
    stage.fixture.put(db, &[&stage.fixture.ana], "Massage").await;
    assert_eq!(stage.state(db, asked).await, RemoteChangeState::Open, "nothing was changed");
    stage.fixture.put(db, &[&stage.fixture.ana], "Hot stones").await;
    assert_eq!(stage.state(db, asked).await, RemoteChangeState::Overtaken);
    assert!(stage.untold(db).await.is_empty());

    let overtake_deletion = async || {
        let mut tx = begin(db).await;
        remote_changes::overtake_deletion(&mut tx, stage.entry, at(3)).await.unwrap();
        commit(tx).await;
    };
    let asked = stage.ask(db, 2).await;
    overtake_deletion().await;
    assert_eq!(stage.state(db, asked).await, RemoteChangeState::Overtaken, "we had removed it");
    let asked = stage.ask_about(db, RemoteChangeKind::Renamed, 2).await;
    overtake_deletion().await;
    assert_eq!(stage.state(db, asked).await, RemoteChangeState::Open, "it is about no deletion");
    let mut tx = begin(db).await;
    remote_changes::overtake_question(&mut tx, stage.entry, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(stage.state(db, asked).await, RemoteChangeState::Overtaken, "its person took it back");
}

async fn what_was_seen_is_noted_only_where_nothing_was_written_since(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let note = async |revision: i64, etag: Option<&'static str>, as_written| {
        let mut tx = begin(db).await;
        let seen = shape("seen");
        let at = (stage.entry, revision);
        let noted = entries::note_seen(&mut tx, at, (etag, etag.map(|_| &seen)), as_written).await.unwrap();
        commit(tx).await;
        noted
    };
    let entry = async || stage.fixture.entry(db, &stage.put.booking, stage.fixture.of_ana).await;
    let first = entry().await.revision;
    assert!(!note(first - 1, Some("\"9\""), true).await);
    assert!(note(first, Some("\"2\""), true).await);
    assert!(!note(first, Some("\"9\""), true).await, "it is at another revision by now");
    assert_eq!(
        (entry().await.etag.as_deref(), entry().await.content_hash.as_deref()),
        (Some("\"2\""), Some("hash"))
    );
    assert!(note(first + 1, None, false).await);
    let gone = entry().await;
    assert_eq!((gone.etag, gone.content_hash, gone.base), (None, None, None));
    let mut tx = begin(db).await;
    assert!(!bookings::hold(&mut tx, stage.put.booking.id, 7).await.unwrap(), "it is at another version");
    assert!(bookings::hold(&mut tx, stage.put.booking.id, 1).await.unwrap());
    entries::let_be(&mut tx, stage.entry).await.unwrap();
    commit(tx).await;
    assert!(!entry().await.desired);
}

async fn an_entry_is_found_by_what_its_calendar_calls_it(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let entry = stage.fixture.entry(db, &stage.put.booking, stage.fixture.of_ana).await;
    let named = async |business, names: &[&str]| {
        entries::named(db, business, entry.calendar_id, names).await.unwrap()
    };
    let found = named(stage.business(), &["nobody's", "given"]).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].etag.as_deref(), found[0].stands), (stage.entry, Some("\"1\""), true));
    assert!(named(fixture(db).await.business.id, &["given"]).await.is_empty());
}

async fn they_come_newest_first_a_page_at_a_time(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let mut recorded = Vec::new();
    for minutes in 1..=3 {
        let refused = NewRemoteChange {
            refusal: Some(Refusal::Taken),
            detail: "Rui's booking B-2",
            ..stage.change(leaked(later()), RemoteChangeState::Revert)
        };
        let mut tx = begin(db).await;
        let seen = monday() + chrono::Duration::minutes(minutes);
        remote_changes::record(&mut tx, &refused, seen).await.unwrap();
        commit(tx).await;
        recorded.push(refused.id);
    }
    recorded.reverse();
    let business = stage.business();
    let all = (None, None);
    let page = remote_changes::list(db, business, all, &first(2)).await.unwrap();
    assert_eq!(page.items.iter().map(|one| one.id).collect::<Vec<_>>(), recorded[..2]);
    assert_eq!(
        (page.items[0].refusal, page.items[0].detail.as_str()),
        (Some(Refusal::Taken), "Rui's booking B-2")
    );
    let rest = remote_changes::list(db, business, all, &following(2, page.next)).await.unwrap();
    assert_eq!(rest.items.iter().map(|one| one.id).collect::<Vec<_>>(), recorded[2..]);
    for nothing in [(Some(stage.fixture.eva.id), None), (None, Some(RemoteChangeState::Open))] {
        assert!(remote_changes::list(db, business, nothing, &first(2)).await.unwrap().items.is_empty());
    }
}

async fn what_was_decided_goes_and_a_question_stays(db: &TestDb) {
    const DAY: i64 = 24 * 60;
    let keep = RetentionPeriods {
        sync_log: chrono::Duration::days(30),
        mails: chrono::Duration::days(30),
        done_jobs: chrono::Duration::days(30),
        history: chrono::Duration::days(400),
        customers: None,
    };
    let stage = RemoteChangeFixture::set(db).await;
    let revert = NewRemoteChange {
        refusal: Some(Refusal::Policy),
        ..stage.change(leaked(edit(RemoteChangeKind::Moved)), RemoteChangeState::Revert)
    };
    let mut tx = begin(db).await;
    remote_changes::record(&mut tx, &revert, at(1)).await.unwrap();
    commit(tx).await;
    // What comes after overtakes a question.
    let open = stage.ask(db, 2).await;
    let gone = async |minute| deleted(db, keep, at(minute), "remote_changes").await;
    assert_eq!(gone(400 * DAY).await, 0);
    assert_eq!(gone(400 * DAY + 1).await, 1);
    assert!(remote_changes::find(db, stage.business(), revert.id).await.unwrap().is_none());
    assert_eq!(gone(4_000 * DAY).await, 0, "somebody still has to answer");
    assert_eq!(stage.state(db, open).await, RemoteChangeState::Open);
}

async fn another_business_sees_and_decides_nothing(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let asked = stage.ask(db, 1).await;
    let other = fixture(db).await.business.id;
    assert!(remote_changes::find(db, other, asked).await.unwrap().is_none());
    assert!(remote_changes::open(db, other, None).await.unwrap().is_empty());
    assert!(remote_changes::of_booking(db, other, stage.put.booking.id).await.unwrap().is_empty());
    let decision = RemoteChangeDecision {
        change: asked,
        from: RemoteChangeState::Open,
        to: RemoteChangeState::Revert,
        booking_version: None,
    };
    let mut tx = begin(db).await;
    is_not_found(remote_changes::decide(&mut tx, other, &decision, &Actor::System, at(3)).await);
    is_not_found(entries::enqueue_rewrite(&mut tx, other, stage.entry, at(3)).await);
}

async fn a_question_closes_with_its_booking_and_says_why(db: &TestDb) {
    let stage = RemoteChangeFixture::set(db).await;
    let asked = stage.ask(db, 1).await;
    let due = async |at| {
        let due = jobs::due(db, at, 100).await.unwrap();
        due.iter().filter(|job| job.kind == JobKind::CloseRemoteChange).count()
    };
    let end = stage.put.booking.interval.end;
    assert_eq!((due(end - chrono::Duration::seconds(1)).await, due(end).await), (0, 1));
    let close = async |business| {
        let mut tx = begin(db).await;
        let closed = remote_changes::close(&mut tx, business, asked, at(9)).await.unwrap();
        commit(tx).await;
        closed
    };
    assert!(!close(BusinessId::new(monday())).await);
    assert_eq!(stage.untold(db).await.len(), 1);
    assert!(close(stage.business()).await);
    assert!(!close(stage.business()).await, "it is closed already");
    let closed = stage.found(db, asked).await;
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::Over)));
    assert_eq!((closed.decided_at, closed.decided_by.is_none()), (Some(at(9)), true));
    assert_eq!(stage.untold(db).await, [""; 0]);

    // And by what is done here.
    for (title, status, why) in [
        ("Second", BookingStatus::Confirmed, Refusal::ChangedHere),
        ("Second", BookingStatus::Cancelled, Refusal::Cancelled),
        ("Third", BookingStatus::Cancelled, Refusal::ChangedHere),
        ("Third", BookingStatus::Completed, Refusal::Completed),
    ] {
        let asked = stage.ask(db, 10).await;
        let draft = stage.put.booking.draft.clone();
        let draft = BookingDraft { title: title.to_owned(), status, ..draft };
        bookings::put(db, &stage.by_ana(), "A-1", &draft, None).await.unwrap();
        let closed = stage.found(db, asked).await;
        assert_eq!(
            (closed.state, closed.refusal),
            (RemoteChangeState::Overtaken, Some(why)),
            "{title} {status}"
        );
    }
}

concord_storage::on_both_databases!(
    what_was_decided_goes_and_a_question_stays,
    a_question_closes_with_its_booking_and_says_why,
    a_booking_follows_and_it_is_written_down,
    a_question_is_asked_once_and_answered_once,
    the_answer_changes_the_booking_with_it,
    a_change_here_overtakes_the_question,
    what_was_seen_is_noted_only_where_nothing_was_written_since,
    an_entry_is_found_by_what_its_calendar_calls_it,
    they_come_newest_first_a_page_at_a_time,
    another_business_sees_and_decides_nothing,
);
