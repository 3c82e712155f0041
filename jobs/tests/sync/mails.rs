//! Mails on their way to a mail server: the sandbox's, and one that is not ours.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration as StdDuration,
};

use chrono::Duration;
use concord_domain::{
    job::JobState,
    mail::{MailKind, MailState},
    people::Role,
};
use concord_jobs::{mail::Recipient, notify::enqueue_test_mail};
use concord_storage::{
    PageRequest,
    mails::{self, NewMail, StoredMail},
    on_both_databases,
    people::{self, NewUser},
    sign_in_requests::{self, NewSignInRequest},
    testing::{self, TestDb},
};
use serde_json::{Value, json};

use crate::fixture::{ANA, SyncFixture};

impl SyncFixture<'_> {
    /// The business's mails, the oldest first.
    pub(crate) async fn mails(&self) -> Vec<StoredMail> {
        let ask = PageRequest { limit: 200, after: None };
        let page = mails::list(self.db, self.business.id, None, &ask).await;
        let mut mails = page.expect("mails can be listed").items;
        mails.reverse();
        mails
    }

    async fn write_to(&self, name: &str, address: &str) {
        let to = Recipient { address: address.to_owned(), name: name.to_owned() };
        let written = enqueue_test_mail(&self.context, self.business.id, "Harbour House", &to).await;
        written.expect("a mail is written");
    }

    async fn only_mail(&self) -> StoredMail {
        let mut mails = self.mails().await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.remove(0)
    }

    async fn mail_fault(&self, kind: &str, count: u32) {
        let fault = json!({ "provider": "mailbox", "kind": kind, "count": count });
        self.outside.control(http::Method::POST, "faults", Some(fault)).await;
    }
}

async fn a_mail_is_sent_once_and_that_is_kept(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.write_to("Ana", ANA).await;
    fixture.settle().await;
    fixture.settle().await;
    let mail = fixture.only_mail().await;
    assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Sent, None));
    assert!(mail.sent_at.is_some());
    let came = fixture.outside.mails().await;
    assert_eq!(came.len(), 1);
    assert_eq!(
        (&came[0]["to"], &came[0]["subject"]),
        (&json!([ANA]), &json!("Test email from Harbour House"))
    );
    assert_eq!(format!("<{}>", came[0]["message_id"].as_str().unwrap()), mail.message_id);
    assert_eq!(came[0]["header_from"], "Concord <concord@book.example>");
    let raw = came[0]["raw"].as_str().unwrap();
    assert!(raw.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{raw}");
    assert!(raw.contains("\r\nDate: Mon, 01 Mar 2027 08:0"), "by our clock: {raw}");
    assert!(fixture.open_jobs().await.is_empty());
}

async fn a_server_that_has_no_time_is_asked_again(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.mail_fault("rate_limit", 5).await;
    fixture.write_to("Ana", ANA).await;
    fixture.drain().await;
    let mail = fixture.only_mail().await;
    assert_eq!(mail.state, MailState::Waiting);
    assert!(mail.last_error.unwrap().contains("451"), "the server's own words");
    // More failures than there are quick tries: the slow ones go on.
    fixture.settle().await;
    assert_eq!((fixture.only_mail().await.state, fixture.outside.mails().await.len()), (MailState::Sent, 1));
}

async fn a_server_that_says_nothing_is_asked_again(db: &TestDb) {
    let fixture = SyncFixture::with_patience(db, StdDuration::from_secs(2)).await;
    fixture.mail_fault("timeout", 1).await;
    fixture.write_to("Ana", ANA).await;
    fixture.settle().await;
    assert_eq!((fixture.only_mail().await.state, fixture.outside.mails().await.len()), (MailState::Sent, 1));
}

/// A link that works no longer is of no use, however late the server has time.
async fn sign_in_mail_is_not_sent_after_its_link(db: &TestDb) {
    let mut fixture = SyncFixture::with_mailbox(db).await;
    let new = NewUser {
        business: fixture.business.id,
        staff: None,
        name: "Nina".to_owned(),
        email: "nina@example.org".to_owned(),
        role: Role::Staff,
    };
    fixture.change_mail(|mail| mail.sign_in_link = Duration::minutes(5));
    fixture.mail_fault("rate_limit", 3).await;
    let mut tx = testing::begin(db).await;
    people::create_user(&mut tx, &new, fixture.clock.now()).await.unwrap();
    let request = NewSignInRequest { email: "nina@example.org", browser: "browser", language: "de" };
    sign_in_requests::create(&mut tx, &request, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    fixture.drain().await;
    let mail = fixture.only_mail().await;
    assert_eq!((mail.state, mail.subject.as_str()), (MailState::Waiting, "Bei Concord anmelden"));
    fixture.clock.advance(Duration::minutes(6));
    fixture.settle().await;
    let mail = fixture.only_mail().await;
    assert_eq!((mail.state, fixture.outside.mails().await.len()), (MailState::Failed, 0));
    assert!(mail.last_error.unwrap().starts_with("its sign-in link has expired"));
}

async fn what_is_refused_is_sent_again_by_hand_alone(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.mail_fault("server_error", 1).await;
    fixture.write_to("Ana", ANA).await;
    fixture.settle().await;
    fixture.clock.advance(Duration::days(2));
    fixture.settle().await;
    let mail = fixture.only_mail().await;
    assert_eq!(mail.state, MailState::Failed);
    let words = mail.last_error.unwrap();
    assert_eq!(words, "the mail server refused it: 554 5.7.1 the mail is not wanted");
    assert_eq!(fixture.failed().await.len(), 1);

    let mut tx = testing::begin(db).await;
    mails::send_again(&mut tx, fixture.business.id, mail.id, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    fixture.settle().await;
    assert_eq!(fixture.only_mail().await.state, MailState::Sent);
    assert_eq!((fixture.outside.mails().await.len(), fixture.failed().await.len()), (1, 0));
}

/// The server had it, and we never heard: it goes again, and mailboxes know it by its Message-ID.
async fn mail_with_lost_response_is_resent_with_same_message_id(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.mail_fault("apply_then_drop", 1).await;
    fixture.write_to("Ana", ANA).await;
    fixture.settle().await;
    assert_eq!(fixture.only_mail().await.state, MailState::Sent);
    let ids: Vec<Value> = fixture.outside.mails().await.iter().map(|one| one["message_id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

async fn without_a_mail_server_mails_wait_until_there_is_one(db: &TestDb) {
    let mut fixture = SyncFixture::new(db).await;
    fixture.write_to("Ana", ANA).await;
    fixture.settle().await;
    let mail = fixture.only_mail().await;
    assert_eq!(mail.state, MailState::Waiting);
    assert_eq!(mail.last_error.as_deref(), Some("no mail server is set up"));
    let states: Vec<_> = fixture.open_jobs().await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Waiting], "it has not failed");
    fixture.open_mailbox(StdDuration::from_secs(5));
    fixture.clock.advance(Duration::minutes(15));
    fixture.settle().await;
    assert_eq!((fixture.only_mail().await.state, fixture.outside.mails().await.len()), (MailState::Sent, 1));
}

async fn after_four_days_a_mail_is_given_up(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.mail_fault("rate_limit", 1_000).await;
    fixture.write_to("Ana", ANA).await;
    fixture.drain().await;
    fixture.clock.advance(Duration::days(4));
    fixture.drain().await;
    assert_eq!(fixture.only_mail().await.state, MailState::Failed);
}

async fn neither_a_name_nor_an_address_becomes_a_header(db: &TestDb) {
    let fixture = SyncFixture::with_mailbox(db).await;
    fixture.write_to("Ana\r\nBcc: eve@evil.example\r\n\r\nHi", ANA).await;
    fixture.write_to("Eve", "eve@evil.example>\r\nRCPT TO:<all@evil.example").await;
    fixture.settle().await;
    let came = fixture.outside.mails().await;
    assert_eq!(came.len(), 1);
    let raw = came[0]["raw"].as_str().unwrap();
    let head = raw.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert_eq!(came[0]["to"], json!([ANA]));
    let mails = fixture.mails().await;
    let refused = mails.iter().find(|mail| mail.to_name == "Eve").unwrap();
    assert_eq!(refused.state, MailState::Failed);
    assert!(refused.last_error.as_ref().unwrap().contains("is not a valid email address"));
}

async fn no_more_mails_go_than_may(db: &TestDb) {
    let mut fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_mail(|mail| (mail.interval, mail.burst) = (Duration::minutes(1), 2));
    for _ in 0..4 {
        fixture.write_to("Ana", ANA).await;
    }
    fixture.drain().await;
    assert_eq!(fixture.outside.mails().await.len(), 2);
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await.len(), 4);
    assert!(fixture.failed().await.is_empty());
}

/// However many wait for the rate limit, a lane asks for all of its mails whether it is their turn.
async fn waiting_mails_ask_for_turn_by_lane(db: &TestDb) {
    let mut fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_mail(|mail| (mail.interval, mail.burst) = (Duration::minutes(1), 1));
    for _ in 0..60 {
        fixture.write_to("Ana", ANA).await;
    }
    for sent in 1..=3 {
        let ran = fixture.drain().await;
        assert_eq!(fixture.outside.mails().await.len(), sent);
        assert!((1..=17).contains(&ran), "{ran} looked for the turn of one");
        // Whoever waits comes back a little after it.
        fixture.clock.advance(Duration::minutes(1) + Duration::milliseconds(300));
    }
}

async fn reminders_leave_turns_for_what_people_wait_for(db: &TestDb) {
    let mut fixture = SyncFixture::with_mailbox(db).await;
    fixture.change_mail(|mail| (mail.interval, mail.burst) = (Duration::minutes(1), 8));
    let mut tx = testing::begin(db).await;
    for number in 0..20 {
        let new = NewMail {
            business: fixture.business.id,
            kind: MailKind::Reminder,
            to_address: "guest@example.com",
            to_name: "Guest",
            subject: "Soon",
            text: "Soon",
            html: "<p>Soon</p>",
            from_domain: "book.example",
            dedupe_key: &format!("reminder {number}"),
            sender: None,
            invitation: None,
            reminder: None,
            useful_until: None,
        };
        mails::create(&mut tx, &new, fixture.clock.now()).await.unwrap().expect("it is new");
    }
    testing::commit(tx).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.mails().await.len(), 6, "two of eight are kept back");
    fixture.write_to("Ana", ANA).await;
    fixture.drain().await;
    let came = fixture.outside.mails().await;
    assert_eq!((came.len(), &came[6]["to"]), (7, &json!([ANA])));
    fixture.settle().await;
    assert_eq!(fixture.outside.mails().await.len(), 21);
}

/// A mail server written in Python, which is none of ours, and Python's reader of mails.
struct PythonMailServer {
    child: Child,
    port: u16,
}

impl PythonMailServer {
    fn start() -> Self {
        let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python"));
        let python = env::var_os("CONCORD_TEST_PYTHON").map_or(own, PathBuf::from);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign_mailbox.py");
        let child = Command::new(&python).arg(script).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}); run scripts/python.sh", python.display())
        });
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("it has an output"));
        said.read_line(&mut line).expect("it says where it listens");
        let port = line.trim().parse().expect("a port");
        child.stdout = Some(said.into_inner());
        Self { child, port }
    }

    /// What it made of the mail that came; then it ends.
    fn read(mut self) -> Value {
        let mut said = String::new();
        let mut output = self.child.stdout.take().expect("it has an output");
        output.read_to_string(&mut said).expect("it says what came");
        self.child.wait().expect("it ends");
        serde_json::from_str(&said).expect("JSON")
    }
}

#[tokio::test]
async fn a_foreign_mailbox_reads_our_mail_as_we_meant_it() {
    let db = testing::sqlite().await;
    let mut fixture = SyncFixture::new(&db).await;
    let foreign = PythonMailServer::start();
    fixture.mail_to(&format!("smtp://127.0.0.1:{}?tls=none", foreign.port), StdDuration::from_secs(20));
    fixture.change_mail(|mail| mail.from_name = "Quinta do José, Lda. \"Zé\"".to_owned());
    let name = "Zoë Ångström-Пётр 雪 🦀";
    let to = Recipient { address: ANA.to_owned(), name: name.to_owned() };
    // A line longer than SMTP lets lines be, and a dot that begins one.
    let business = format!("Harbour {}\n.", "é–".repeat(700));
    enqueue_test_mail(&fixture.context, fixture.business.id, &business, &to).await.unwrap();
    fixture.settle().await;
    let mail = fixture.only_mail().await;
    assert_eq!(mail.state, MailState::Sent, "{:?}", mail.last_error);
    let seen = tokio::task::spawn_blocking(|| foreign.read()).await.unwrap();
    assert_eq!(seen["defects"], json!([]));
    assert_eq!(seen["envelope_to"], json!([ANA]));
    assert_eq!(seen["to"], json!([[name, ANA]]));
    assert_eq!(seen["from"], json!([["Quinta do José, Lda. \"Zé\"", "concord@book.example"]]));
    assert_eq!(seen["headers"]["Message-ID"], mail.message_id);
    assert_eq!(seen["headers"]["Auto-Submitted"], "auto-generated");
    assert_eq!(seen["headers"]["Subject"], mail.subject);
    assert_eq!(seen["type"], "multipart/alternative");
    assert!(seen["longest_line"].as_u64().unwrap() <= 998);
    let parts = &seen["parts"];
    assert_eq!((&parts[0]["type"], &parts[1]["type"]), (&json!("text/plain"), &json!("text/html")));
    let body = |part: &Value| part["text"].as_str().unwrap().replace("\r\n", "\n").trim_end().to_owned();
    assert_eq!(body(&parts[0]), mail.body_text.trim_end());
    assert_eq!(body(&parts[1]), mail.body_html.trim_end());
}

on_both_databases!(
    a_mail_is_sent_once_and_that_is_kept,
    a_server_that_has_no_time_is_asked_again,
    a_server_that_says_nothing_is_asked_again,
    sign_in_mail_is_not_sent_after_its_link,
    what_is_refused_is_sent_again_by_hand_alone,
    mail_with_lost_response_is_resent_with_same_message_id,
    without_a_mail_server_mails_wait_until_there_is_one,
    after_four_days_a_mail_is_given_up,
    neither_a_name_nor_an_address_becomes_a_header,
    no_more_mails_go_than_may,
    waiting_mails_ask_for_turn_by_lane,
    reminders_leave_turns_for_what_people_wait_for,
);
