//! Who is told what and when: at once, in a digest, or not at all.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Europe::Berlin;
use concord_domain::{
    audit::HistorySubject,
    ids::UserId,
    notice::NoticeKind,
    notification::{DigestSchedule, NoticeDelivery, NotificationChoices},
    people::{Actor, Role},
};
use concord_jobs::dispatch::JobRunner;
use concord_services::notifications as manage;
use concord_storage::{
    ChangeContext, PageRequest, bookings, mails, notices,
    notices::{Audience, NewNotice},
    on_both_databases, people,
    testing::{self, TestDb},
};
use uuid::Uuid;

use crate::{
    fixture::{ANA, SyncFixture, with_status},
    notices::{BOSS, manager, told},
    shared::DrainJobs,
};

const SECOND: &str = "second@harbour.example";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// All kinds of notices in a digest at that hour of Berlin.
fn digest(hour: u32) -> NotificationChoices {
    NotificationChoices {
        deliveries: NoticeKind::ALL.iter().map(|kind| (*kind, NoticeDelivery::Digest)).collect(),
        digest: Some(DigestSchedule { hour, zone: Some(Berlin), ..DigestSchedule::default() }),
        digest_off: false,
    }
}

impl SyncFixture<'_> {
    async fn user(&self, email: &str) -> UserId {
        let users = people::list_users(self.db, self.business.id).await.expect("users can be read");
        users.into_iter().find(|user| user.email == email).expect("the user is there").id
    }

    async fn choose_notifications(&self, email: &str, choices: &NotificationChoices) {
        let user = self.user(email).await;
        manage::set_of_user(&self.context, &self.change(), user, choices).await.expect("choices are kept");
    }

    pub(crate) async fn raise(&self, audience: Audience, kind: NoticeKind, key: &str) {
        let new = NewNotice {
            business: self.business.id,
            kind,
            audience,
            subject: (HistorySubject::Booking, Uuid::nil()),
            headline: &format!("Notice {key}"),
            named_headline: None,
            detail: "No action is needed.",
            link: "/bookings/1",
            dedupe_key: key,
            wait: Duration::minutes(2),
            alert: None,
        };
        let mut tx = testing::begin(self.db).await;
        notices::raise(&mut tx, &new, self.clock.now()).await.expect("a notice is raised");
        testing::commit(tx).await;
    }

    /// Lets all be done that is due until then.
    pub(crate) async fn play_until(&self, then: DateTime<Utc>) {
        loop {
            self.drain().await;
            let now = self.clock.now();
            match testing::next_due(self.db).await {
                Some(due) if due <= then => self.clock.advance((due - now).max(Duration::milliseconds(50))),
                _ => break,
            }
        }
        self.clock.advance((then - self.clock.now()).max(Duration::zero()));
        self.drain().await;
    }
}

/// A business with a mailbox, on the day before summer time ends.
async fn in_october(db: &TestDb) -> SyncFixture<'_> {
    let fixture = SyncFixture::with_mailbox(db).await;
    // The sandbox's people connect nothing here, so that the clock may be anywhere.
    fixture.clock.advance(at("2027-10-30T10:00:00Z") - fixture.clock.now());
    fixture
}

async fn two_managers_are_told_each_as_they_want(db: &TestDb) {
    let fixture = in_october(db).await;
    manager(&fixture, BOSS, None).await;
    manager(&fixture, SECOND, None).await;
    fixture.choose_notifications(SECOND, &digest(8)).await;
    fixture.raise(Audience::Managers, NoticeKind::Answer, "a").await;
    fixture.play_until(at("2027-10-30T10:05:00Z")).await;
    assert_eq!(told(&fixture).await, [format!("{BOSS}: Notice a")]);
    fixture.raise(Audience::Managers, NoticeKind::Customer, "b").await;
    fixture.raise(Audience::Managers, NoticeKind::Customer, "closed").await;
    fixture.play_until(at("2027-10-31T06:59:59Z")).await;
    assert_eq!(told(&fixture).await.len(), 2, "the other one waits");
    let mut tx = testing::begin(db).await;
    notices::close(&mut tx, fixture.business.id, "closed", fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    // Summer time has ended in the night: 8:00 is an hour later.
    fixture.play_until(at("2027-10-31T07:00:01Z")).await;
    let sent = fixture.outside.mails().await;
    let to_second: Vec<_> = sent.iter().filter(|mail| mail["to"][0] == SECOND).collect();
    assert_eq!(to_second.len(), 1);
    assert_eq!(to_second[0]["subject"], "2 items at Harbour House need attention");
    let text = to_second[0]["text"].as_str().unwrap();
    assert!(text.contains("Notice a") && text.contains("Notice b") && !text.contains("closed"), "{text}");
    let raw = to_second[0]["raw"].as_str().unwrap();
    assert!(raw.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{raw}");
    assert_eq!(notices::count_unsent(db, fixture.business.id).await.unwrap(), 0);

    // What is raised at nine comes on the next day, also when the hour is moved to the evening.
    fixture.raise(Audience::Managers, NoticeKind::Answer, "c").await;
    fixture.choose_notifications(SECOND, &digest(20)).await;
    fixture.play_until(at("2027-11-01T18:59:00Z")).await;
    assert_eq!(told(&fixture).await.iter().filter(|line| line.starts_with(SECOND)).count(), 1);
    fixture.play_until(at("2027-11-01T19:00:01Z")).await;
    assert!(told(&fixture).await.contains(&format!("{SECOND}: Notice c")));
}

async fn link_of_a_digest_turns_them_off_for_its_reader(db: &TestDb) {
    let fixture = in_october(db).await;
    manager(&fixture, BOSS, None).await;
    manager(&fixture, SECOND, None).await;
    for person in [BOSS, SECOND] {
        fixture.choose_notifications(person, &digest(8)).await;
    }
    fixture.raise(Audience::Managers, NoticeKind::Answer, "a").await;
    fixture.play_until(at("2027-10-31T07:00:01Z")).await;
    let ask = PageRequest::default();
    let written = mails::list(db, fixture.business.id, None, &ask).await.unwrap().items;
    let to_second = written.iter().find(|mail| mail.to_address == SECOND).unwrap();
    let url = to_second.unsubscribe_url.as_deref().unwrap();
    assert!(to_second.body_text.contains(url), "{}", to_second.body_text);
    let token = url.strip_prefix("https://book.example/digests/off/").unwrap();
    let digest_of = manage::digest_of_token(token);
    let visit = manage::open_digest_link(&fixture.context, &digest_of).await.unwrap().unwrap();
    assert!(!visit.is_off);
    for _ in 0..2 {
        manage::set_digests_off(&fixture.context, &visit, true).await.unwrap();
    }
    assert!(manage::open_digest_link(&fixture.context, &digest_of).await.unwrap().unwrap().is_off);
    manage::set_digests_off(&fixture.context, &visit, false).await.unwrap();
    assert!(!manage::open_digest_link(&fixture.context, &digest_of).await.unwrap().unwrap().is_off);
    manage::set_digests_off(&fixture.context, &visit, true).await.unwrap();
    let unknown = manage::digest_of_token("ud_nobody");
    assert!(manage::open_digest_link(&fixture.context, &unknown).await.unwrap().is_none());

    fixture.raise(Audience::Managers, NoticeKind::Answer, "b").await;
    fixture.play_until(at("2027-11-02T12:00:00Z")).await;
    let sent = told(&fixture).await;
    assert!(sent.contains(&format!("{BOSS}: Notice b")), "{sent:?}");
    assert_eq!(sent.iter().filter(|line| line.starts_with(SECOND)).count(), 1, "{sent:?}");
    assert_eq!(notices::count_unsent(db, fixture.business.id).await.unwrap(), 0, "nobody waits for it");
}

async fn staff_who_sign_in_nowhere_have_the_defaults(db: &TestDb) {
    let fixture = in_october(db).await;
    manager(&fixture, BOSS, None).await;
    manage::set_defaults(&fixture.context, &fixture.change(), &digest(8)).await.unwrap();
    fixture
        .choose_notifications(
            BOSS,
            &NotificationChoices {
                deliveries: [(NoticeKind::RemoteChange, NoticeDelivery::Off)].into(),
                ..NotificationChoices::default()
            },
        )
        .await;
    for audience in [Audience::Staff(fixture.ana.id), Audience::Managers] {
        fixture.raise(audience, NoticeKind::RemoteChange, "a").await;
    }
    fixture.play_until(at("2027-10-31T06:59:00Z")).await;
    assert_eq!(told(&fixture).await, [""; 0]);
    fixture.play_until(at("2027-10-31T07:00:01Z")).await;
    assert_eq!(told(&fixture).await, [format!("{ANA}: Notice a")]);
}

async fn digest_of_a_manager_who_is_staff_says_each_thing_once(db: &TestDb) {
    let fixture = in_october(db).await;
    manager(&fixture, BOSS, Some(&fixture.ana)).await;
    fixture.choose_notifications(BOSS, &digest(8)).await;
    for key in ["a", "b"] {
        for audience in [Audience::Staff(fixture.ana.id), Audience::Managers] {
            fixture.raise(audience, NoticeKind::RemoteChange, key).await;
        }
    }
    fixture.play_until(at("2027-10-31T07:00:01Z")).await;
    assert_eq!(told(&fixture).await, [format!("{ANA}: 2 items at Harbour House need attention")]);
    assert_eq!(notices::count_unsent(db, fixture.business.id).await.unwrap(), 0);
}

async fn killed_workers_send_nothing_twice_and_lose_nothing(db: &TestDb) {
    let fixture = in_october(db).await;
    manager(&fixture, BOSS, None).await;
    manager(&fixture, SECOND, None).await;
    fixture.choose_notifications(SECOND, &digest(8)).await;
    let mut killed = 0;
    for number in 0..20_u64 {
        fixture.raise(Audience::Managers, NoticeKind::Answer, &format!("{number:02}")).await;
        fixture.clock.advance(Duration::minutes(3));
        // The job is dropped wherever it is, its lease ends, and another one takes it up.
        let runner = JobRunner::new(fixture.elsewhere(), &format!("killed {number}"));
        let patience = std::time::Duration::from_micros(500 + 900 * number);
        killed += u32::from(tokio::time::timeout(patience, runner.drain()).await.is_err());
        fixture.clock.advance(fixture.context.settings.lease + Duration::seconds(1));
        fixture.drain().await;
    }
    fixture.play_until(at("2027-10-31T07:10:00Z")).await;
    assert!(killed > 3, "{killed}");
    let ask = PageRequest { limit: 200, after: None };
    let written = mails::list(db, fixture.business.id, None, &ask).await.unwrap().items;
    for number in 0..20 {
        let line = format!("Notice {number:02}\n");
        let to_boss = written.iter().filter(|mail| mail.to_address == BOSS && mail.body_text.contains(&line));
        assert_eq!(to_boss.count(), 1, "{line}");
    }
    let digests: Vec<_> = written.iter().filter(|mail| mail.to_address == SECOND).collect();
    assert_eq!(digests.len(), 1);
    assert!(digests[0].subject.starts_with("20 items"), "{}", digests[0].subject);
}

async fn booking_that_waits_is_told_until_somebody_decides(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    manager(&fixture, BOSS, None).await;
    let pending = with_status(&fixture.draft(&[], 600, 660), concord_domain::booking::BookingStatus::Pending);
    let booking = fixture.put("pending", &pending).await;
    fixture.put("decided", &with_status(&fixture.draft(&[], 700, 760), pending.status)).await;
    let by = ChangeContext {
        actor: Actor::User { id: fixture.user(BOSS).await, name: "The Boss".to_owned() },
        ..fixture.change()
    };
    bookings::cancel(db, &by, "decided", None).await.unwrap();
    bookings::put(db, &by, "own", &with_status(&fixture.draft(&[], 800, 860), pending.status), None)
        .await
        .unwrap();
    fixture.clock.advance(Duration::minutes(3));
    fixture.settle().await;
    assert_eq!(
        told(&fixture).await,
        [format!("{BOSS}: Booking pending of Maria Silva waits for your approval")]
    );
    let mail = fixture.outside.mails().await.remove(0);
    let link = format!("https://book.example/bookings/{}", booking.id);
    assert!(mail["text"].as_str().unwrap().contains(&link), "{}", mail["text"]);
    let users = people::list_users(db, fixture.business.id).await.unwrap();
    assert!(users.iter().all(|user| user.role == Role::Manager));
}

on_both_databases!(
    two_managers_are_told_each_as_they_want,
    link_of_a_digest_turns_them_off_for_its_reader,
    staff_who_sign_in_nowhere_have_the_defaults,
    digest_of_a_manager_who_is_staff_says_each_thing_once,
    killed_workers_send_nothing_twice_and_lose_nothing,
    booking_that_waits_is_told_until_somebody_decides,
);
