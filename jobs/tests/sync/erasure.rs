//! Erasing a customer: the process is killed after each of its commits in turn, and what goes on after it finishes.

use chrono::Duration;
use concord_domain::{
    booking::{BookingDraft, Customer, Guest},
    connection::ProviderKind,
    erasure::{ErasureReason, ErasureState, SweepCursor, SweptTable},
    ids::ErasureId,
    invitation::InvitationMode,
    job::JobKind,
    privacy::EntryPrivacy,
};
use concord_jobs::{SyncSettings, worker::JobHandler};
use concord_services::{
    ServiceError,
    personal_data::{self, PersonQuery},
};
use concord_storage::{
    bookings, erasures, on_both_databases,
    retention::RetentionPeriods,
    testing::{self, TestDb},
};
use uuid::Uuid;

use crate::fixture::{PATIENCE, SyncFixture, unhurried};

const EMAIL: &str = "xantippe@quill.example";
const TEXTS: [&str; 3] = ["xantippe", "quill", "912777333"];

fn by_email() -> PersonQuery {
    PersonQuery::Email(EMAIL.to_uppercase())
}

impl SyncFixture<'_> {
    /// For the customer, in the calendar of Ana, from so many minutes after `monday`.
    fn for_quill(&self, from: i64) -> BookingDraft {
        let draft = self.draft(&[&self.ana], from, from + 60);
        BookingDraft {
            title: "Xantippe's stay".to_owned(),
            customer: Customer {
                name: "Xantippe Quill".to_owned(),
                email: EMAIL.to_owned(),
                phone: "+351912777333".to_owned(),
                language: None,
            },
            notes: "For Xantippe Quill".to_owned(),
            guests: vec![Guest { name: "Rui Alves".to_owned(), email: "rui@example.com".to_owned() }],
            ..draft
        }
    }

    async fn erasure(&self, id: ErasureId) -> ErasureState {
        let found = erasures::find(self.db, self.business.id, id).await.unwrap();
        found.unwrap().state
    }

    /// Where the database names the customer.
    async fn traces(&self) -> Vec<String> {
        let found = testing::find_texts(self.db, &TEXTS).await;
        found.into_iter().map(|(place, texts)| format!("{place}: {texts:?}")).collect()
    }

    /// What in Ana's calendar names the customer.
    async fn in_calendar(&self) -> Vec<String> {
        let seen = self.outside.seen_by(&self.ana.email).await;
        let texts = seen
            .into_iter()
            .map(|one| format!("{} {} {}", one.title, one.description, one.raw).to_lowercase());
        texts.filter(|text| TEXTS.iter().any(|one| text.contains(one))).collect()
    }
}

async fn killed_after_each_commit(fixture: &SyncFixture<'_>, commits: u32) -> bool {
    for number in 0..2 {
        let reference = format!("kill-{commits}-{number}");
        fixture.put(&reference, &fixture.for_quill((i64::from(commits) * 2 + number) * 120 + 600)).await;
    }
    fixture.settle().await;
    assert!(fixture.traces().await.len() > 8, "it has spread: {:?}", fixture.traces().await);
    assert_eq!(fixture.in_calendar().await.len(), 2);
    let erasure = personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await.unwrap();
    let due = fixture.jobs.due(100).await;
    let job = due.into_iter().find(|job| job.kind == JobKind::Erase).expect("the job is due");
    let runner = fixture.jobs.clone();
    let was_killed = tokio::spawn(async move {
        testing::crash_this_task_after(commits);
        runner.run(job).await
    })
    .await
    .is_err()
        || fixture.erasure(erasure.id).await == ErasureState::Running;
    fixture.settle().await;
    assert_eq!(fixture.erasure(erasure.id).await, ErasureState::Done, "after commit {commits}");
    assert_eq!(fixture.traces().await, Vec::<String>::new(), "killed after commit {commits}");
    assert_eq!(fixture.in_calendar().await, Vec::<String>::new(), "killed after commit {commits}");
    was_killed
}

async fn erasure_goes_on_wherever_it_was_killed(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_business(|settings| settings.invitations.mode = InvitationMode::Confirmed).await;
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.connected(&fixture.ana).await;
    let mut commits = 1;
    while killed_after_each_commit(&fixture, commits).await {
        commits += 1;
    }
    assert!(commits > 5, "killed after {commits} commits only");
}

/// Whoever takes over goes on where the search was cut off.
async fn search_goes_on_from_its_cursor(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let erase = async |cursor: Option<SweepCursor>| {
        fixture.put("stay", &fixture.for_quill(600)).await;
        let erasure = personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await;
        // A record that is of no booking.
        let named =
            "UPDATE history SET detail = '{\"note\": \"Xantippe Quill\"}' WHERE subject_kind = 'business'";
        assert!(testing::raw(db, named).await > 0);
        if let Some(cursor) = cursor {
            let mut tx = testing::begin(db).await;
            erasures::sweep::record_cursor(&mut tx, erasure.unwrap().id, cursor).await.unwrap();
            testing::commit(tx).await;
        }
        fixture.settle().await;
        fixture.traces().await
    };
    assert_eq!(erase(None).await, Vec::<String>::new());
    let searched = SweepCursor { table: SweptTable::Alerts, after: Uuid::nil() };
    let left = erase(Some(searched)).await;
    assert!(
        left.len() == 1 && left[0].starts_with("history.detail"),
        "the history is not searched again: {left:?}"
    );
}

async fn replay_erases_a_person_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let book = async || {
        for number in 0..3 {
            fixture.put(&format!("stay-{number}"), &fixture.for_quill(600 + number * 120)).await;
        }
        fixture.settle().await;
    };
    book().await;
    personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await.unwrap();
    fixture.settle().await;
    let listed = erasures::list_all(db).await.unwrap();
    assert_eq!(listed.len(), 3);
    // As a backup has it that was made before.
    testing::raw(db, "DELETE FROM erased_bookings").await;
    testing::raw(db, "DELETE FROM erasures").await;
    book().await;
    let replay = async || {
        let (db, now) = (&fixture.context.db, fixture.clock.now());
        personal_data::replay((db, &fixture.context.ring), &listed, now).await.unwrap()
    };
    assert_eq!(replay().await, 3);
    let again = erasures::list(db, fixture.business.id, 5).await.unwrap();
    assert_eq!(
        again.iter().map(|one| (one.reason, one.bookings)).collect::<Vec<_>>(),
        [(ErasureReason::Restore, 3)]
    );
    fixture.settle().await;
    assert_eq!(fixture.traces().await, Vec::<String>::new());
    assert_eq!(replay().await, 0);
}

async fn calendar_is_written_anew(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::of(db, kind, unhurried(), PATIENCE, testing::monday()).await;
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.connected(&fixture.ana).await;
    // One that is over, and one that is to come.
    for (reference, from) in [("over", 120), ("coming", 10_000)] {
        fixture.put(reference, &fixture.for_quill(from)).await;
    }
    fixture.settle().await;
    assert_eq!(fixture.in_calendar().await.len(), 2);
    fixture.clock.advance(Duration::hours(12));
    personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.in_calendar().await, Vec::<String>::new());
    assert_eq!(fixture.outside.seen_by(&fixture.ana.email).await.len(), 2, "the entries stay");
    assert_eq!(fixture.traces().await, Vec::<String>::new());
}

async fn google_calendar_is_written_anew(db: &TestDb) {
    calendar_is_written_anew(db, ProviderKind::Google).await;
}

async fn microsoft_calendar_is_written_anew(db: &TestDb) {
    calendar_is_written_anew(db, ProviderKind::Microsoft).await;
}

async fn caldav_calendar_is_written_anew(db: &TestDb) {
    calendar_is_written_anew(db, ProviderKind::Caldav).await;
}

async fn nobody_is_written_to_who_was_erased(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_business(|settings| settings.invitations.mode = InvitationMode::Confirmed).await;
    let booking = fixture.put("stay", &fixture.for_quill(10 * 24 * 60)).await;
    fixture.settle().await;
    let mails = fixture.outside.mails().await.len();
    assert_eq!(mails, 2, "the customer and the guest");

    let refused = personal_data::erase(&fixture.context, &fixture.change(), &by_email(), false).await;
    let Err(ServiceError::NotPossible(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("upcoming bookings of this customer: stay. Cancel them first"), "{why}");
    // A change that is not mailed yet.
    fixture.put("stay", &fixture.for_quill(11 * 24 * 60)).await;
    personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await.len(), mails, "neither an update nor a cancellation");
    let after = bookings::by_id(db, booking.business, booking.id).await.unwrap().unwrap();
    assert!(after.draft.status.occupies(), "it stays in force");
    assert_eq!(fixture.traces().await, Vec::<String>::new());
    let nobody = personal_data::find(db, booking.business, &by_email()).await;
    assert!(matches!(nobody, Err(ServiceError::NotFound("customer"))), "{nobody:?}");
    let by_reference = PersonQuery::Reference("stay".to_owned());
    fixture.cancel("stay").await;
    personal_data::erase(&fixture.context, &fixture.change(), &by_reference, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await.len(), mails);
}

async fn other_business_keeps_its_customer(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let other = testing::business(db).await;
    let room = testing::resource(db, &other, 1).await;
    let draft = BookingDraft { resource: room.id, staff: vec![], ..fixture.for_quill(600) };
    let theirs = testing::booking(db, &other, "theirs", &draft).await;
    fixture.put("ours", &fixture.for_quill(600)).await;
    let exported = personal_data::export(db, &fixture.change(), &by_email()).await.unwrap();
    assert_eq!((exported.bookings.len(), exported.email.as_deref()), (1, Some(EMAIL)));
    let booking = &exported.bookings[0];
    assert_eq!((&booking["reference"], &booking["notes"]), (&"ours".into(), &"For Xantippe Quill".into()));
    assert_eq!(booking["attendees"].as_array().unwrap().len(), 2);
    personal_data::erase(&fixture.context, &fixture.change(), &by_email(), true).await.unwrap();
    fixture.settle().await;
    let kept = bookings::by_id(db, other.id, theirs.id).await.unwrap().unwrap();
    assert_eq!(kept, theirs);
    assert_eq!(personal_data::find(db, other.id, &by_email()).await.unwrap().bookings.len(), 1);
}

async fn customers_are_erased_who_were_here_long_ago(db: &TestDb) {
    let keep = RetentionPeriods { customers: Some(Duration::days(30)), ..unhurried().keep };
    let settings = SyncSettings { keep, ..unhurried() };
    let fixture = SyncFixture::with(db, settings, PATIENCE).await;
    fixture.put("old", &fixture.for_quill(600)).await;
    let replay_list = erasures::list_all(db).await.unwrap();
    assert_eq!(replay_list, []);
    concord_jobs::dispatch::ensure_scheduled(&fixture.context).await.unwrap();
    fixture.clock.advance(Duration::days(29));
    fixture.settle().await;
    assert!(!fixture.traces().await.is_empty(), "it is kept");
    fixture.clock.advance(Duration::days(3));
    fixture.settle().await;
    assert_eq!(fixture.traces().await, Vec::<String>::new());
    assert_eq!(erasures::list_all(db).await.unwrap().len(), 1);
}

on_both_databases!(
    erasure_goes_on_wherever_it_was_killed,
    search_goes_on_from_its_cursor,
    replay_erases_a_person_at_once,
    google_calendar_is_written_anew,
    microsoft_calendar_is_written_anew,
    caldav_calendar_is_written_anew,
    nobody_is_written_to_who_was_erased,
    other_business_keeps_its_customer,
    customers_are_erased_who_were_here_long_ago,
);
