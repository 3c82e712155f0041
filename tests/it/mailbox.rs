//! The mailbox that customers' calendars answer to, at a mail server that is not ours.

use std::path::Path;

use chrono::Utc;
use concord_domain::{job::JobKind, people::Role};
use concord_jobs::enqueue;
use concord_storage::{
    alerts, businesses, in_tx, mailboxes,
    testing::{self, TestDb},
};
use concord_testing::{MailboxServer, logs};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::{
    command_line::concord,
    page_client::{PageClient, person},
    replies::{PASS, invitation, invited, reply},
    test_app::{TestApp, TestAppOptions, hour, until},
};

const MARIA: &str = "maria@example.org";

async fn start(db: &TestDb, url: String, others: &[(&'static str, &str)]) -> TestApp {
    let mut settings = vec![("mail.imap_url", url)];
    settings.extend(others.iter().map(|(key, value)| (*key, (*value).to_owned())));
    TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await
}

const SERVER: (&str, &str) = ("mail.authserv_id", "mx.casa.example");

async fn manager(test_app: &TestApp) -> PageClient<'_> {
    PageClient::signed_in(test_app, &person(test_app, Role::Manager, None).await).await
}

/// Has the mailbox looked at now, and not in a minute. What came in the second in which Dovecot last looked at its folder, it
/// shows at the next look.
#[expect(clippy::disallowed_methods, reason = "the job is due by the system's clock, as the app's is")]
async fn look(db: &TestDb) {
    let now = Utc::now();
    in_tx!(db, tx => enqueue::of_installation(&mut tx, JobKind::FetchMail, now, now).await).unwrap();
}

async fn history(test_app: &TestApp, action: &str) -> usize {
    let history = test_app.api.get("/api/v1/bookings/tasting/history").await.expect(200);
    history["items"].as_array().unwrap().iter().filter(|one| one["action"] == action).count()
}

async fn answers_are_read_and_the_mailbox_stays_as_it_is(db: &TestDb) {
    let server = MailboxServer::start("mail-pass-word").await;
    // What was there before: letters, one that is too large, one that is no mail.
    for number in 0..210 {
        let letter = format!("From: rui@example.org\r\nSubject: Letter {number}\r\n\r\nHello.\r\n");
        server.deliver(letter.as_bytes());
    }
    server.deliver(format!("Subject: Large\r\n\r\n{}", "x".repeat(2 * 1024 * 1024)).as_bytes());
    server.deliver(&[0, 159, 146, 150, b'\r', b'\n']);
    let test_app = start(db, server.plain_url(), &[SERVER]).await;
    let uid = invited(&test_app).await;

    // Whose comment no text column could hold, then the answer.
    let hostile = reply(&uid, MARIA, ("TENTATIVE", 0), PASS).replace("Looking", "Look\0ing");
    server.deliver(hostile.as_bytes());
    server.deliver(reply(&uid, MARIA, ("ACCEPTED", 0), PASS).replace("2020", "2021").as_bytes());
    until("the answer is read", async || {
        look(db).await;
        (invitation(&test_app).await["answer"] == "accepted").then_some(())
    })
    .await;
    let answered = history(&test_app, "answered").await;

    // New numbers for all mails: they are read again, and say nothing new.
    server.renumber();
    server.deliver(reply(&uid, "rui@example.org", ("DECLINED", 0), PASS).as_bytes());
    until("the other one is read", async || {
        look(db).await;
        (history(&test_app, "answered by another address").await == 1).then_some(())
    })
    .await;
    assert_eq!(history(&test_app, "answered").await, answered);
    assert_eq!(invitation(&test_app).await["answer"], "accepted");
    assert_eq!(server.marked(), Vec::<String>::new(), "nothing is marked as read");

    let page = manager(&test_app).await.get("/settings/mail").await.text;
    assert!(page.contains("answers are read from book at"), "{page}");
    assert!(page.contains("Last read"), "{page}");
    test_app.stop().await;
}

async fn who_is_not_let_in_says_so_and_waits(db: &TestDb) {
    let server = MailboxServer::start("mail-pass-word").await;
    let url = server.plain_url().replace("book:", "book:not-the-one");
    logs::keep_out("not-the-one");
    let test_app = start(db, url, &[SERVER]).await;
    let signed_in = manager(&test_app).await;
    let page = until("it has tried", async || {
        let page = signed_in.get("/settings/mail").await.text;
        page.contains("answers cannot be read").then_some(page)
    })
    .await;
    assert!(page.contains("does not let book in"), "{page}");
    assert!(!page.contains("not-the-one") && !page.contains("pass-word"), "{page}");
    test_app.stop().await;
}

async fn answer_to_an_address_of_its_own_is_believed(db: &TestDb) {
    let server = MailboxServer::start("mail-pass-word").await;
    let test_app = start(db, server.plain_url(), &[("mail.plus_addresses", "true")]).await;
    let uid = invited(&test_app).await;
    let mails = test_app.control(Method::GET, "/mails", json!({})).await;
    let calendar = mails[0]["calendar"].as_str().unwrap().replace("\r\n ", "");
    let organizer = calendar.lines().find(|line| line.starts_with("ORGANIZER")).unwrap();
    let (_, address) = organizer.rsplit_once("mailto:").unwrap();
    assert!(address.contains("+r-"), "{organizer}");
    assert!(mails[0]["from"].to_string().contains(address), "{}", mails[0]["from"]);

    let to = |mail: String, address: &str| mail.replace("concord@book.example", address);
    // One that nobody was given, one to the usual address, and a good one for another invitation.
    let guessed = address.replace("+r-", "+r-00000000");
    for (mail, to_address) in [
        (reply(&uid, MARIA, ("DECLINED", 0), ""), guessed.as_str()),
        (reply(&uid, MARIA, ("DECLINED", 0), ""), "concord@book.example"),
        (reply("booking-1@other.example", MARIA, ("DECLINED", 0), ""), address),
    ] {
        server.deliver(to(mail, to_address).as_bytes());
    }
    // Maria's mail program answers for her from another of her addresses.
    let alias =
        reply(&uid, MARIA, ("ACCEPTED", 0), "").replace("<maria@example.org>", "<m.silva@mail.example>");
    server.deliver(to(alias, &address.to_uppercase()).as_bytes());
    until("the answer is read", async || {
        look(db).await;
        (invitation(&test_app).await["answer"] == "accepted").then_some(())
    })
    .await;
    assert_eq!(history(&test_app, "answered").await, 1);

    // Who was given the invitation answers for themselves.
    server.deliver(to(reply(&uid, "rui@example.org", ("DECLINED", 0), ""), address).as_bytes());
    until("it is noted", async || {
        look(db).await;
        (history(&test_app, "answered by another address").await == 1).then_some(())
    })
    .await;
    // A change comes from the same address.
    let moved = json!({ "starts_at": hour(3, 9), "ends_at": hour(3, 10) });
    test_app.api.patch("/api/v1/bookings/tasting", moved).await.expect(200);
    until("she knows of the new time", async || (invitation(&test_app).await["sequence"] == 1).then_some(()))
        .await;
    let mails: Value = test_app.control(Method::GET, "/mails", json!({})).await;
    let of_all = mails.as_array().unwrap().iter().filter(|mail| mail["from"].to_string().contains(address));
    assert_eq!(of_all.count(), 2, "{mails:#}");
    test_app.stop().await;
}

/// What `concord doctor` says of a mailbox, when the system trusts this certificate and no other.
fn finding(url: &str, certificate: Option<&Path>) -> (String, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command =
        concord(&["doctor", "--json"], &[("IMAP_URL", url), ("CONCORD__MAIL__AUTHSERV_ID", "mx")]);
    if let Some(certificate) = certificate {
        command.env("SSL_CERT_FILE", certificate);
    }
    let output = command.current_dir(folder.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter().find(|one| one["part"] == "mailbox").unwrap();
    (found["verdict"].as_str().unwrap().to_owned(), found["text"].as_str().unwrap().to_owned())
}

/// Also with a password that is not of ASCII, which takes another way to sign in.
#[tokio::test(flavor = "multi_thread")]
async fn connection_is_guarded_and_only_by_a_server_that_is_trusted() {
    for password in ["mail\"pass\\word", "wörd/?&"] {
        let server = MailboxServer::start(password).await;
        let certificate = server.certificate();
        for url in [server.tls_url(), server.starttls_url(), server.plain_url()] {
            let (verdict, text) = finding(&url, Some(&certificate));
            assert_eq!(verdict, "ok", "{text}");
            assert!(text.contains("book at") && text.contains("can be read"), "{text}");
        }
        for (url, reason) in [
            (server.tls_url(), "TLS that can be trusted"),
            (server.starttls_url(), "TLS that can be trusted"),
            (server.plain_url().replace("book:", "other:x"), "does not let other in"),
            (server.plain_url().replace("/?", "/Nowhere?"), "does not open the folder Nowhere: "),
            ("imap://u:p@127.0.0.1:1/?tls=none".to_owned(), "cannot be reached"),
        ] {
            let (verdict, text) = finding(&url, None);
            assert_eq!(verdict, "wrong", "{text}");
            assert!(text.contains(reason) && !text.contains(password) && !text.contains("info:"), "{text}");
        }
    }
}

/// A server that answers each command by what the test has written for it, and then with OK, or ends.
async fn scripted(script: &'static [(&'static str, &'static str)]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("imap://u:p@{}/?tls=none", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                write.write_all(b"* OK ready\r\n").await.unwrap();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let (tag, command) = line.split_once(' ').unwrap();
                    let found = script.iter().find(|(prefix, _)| command.starts_with(prefix));
                    let said = found.map_or("", |(_, said)| said).replace("TAG", tag);
                    if said == "END" || write.write_all(said.as_bytes()).await.is_err() {
                        return;
                    }
                    if !said.contains(tag) {
                        let _ = write.write_all(format!("{tag} OK done\r\n").as_bytes()).await;
                    }
                }
            });
        }
    });
    url
}

/// That a server has trouble is never taken for that there is nothing to read.
async fn trouble_of_a_server_loses_no_mail(db: &TestDb) {
    const EXAMINE: (&str, &str) = ("EXAMINE", "* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n");
    const SEARCH: (&str, &str) = ("UID SEARCH", "* SEARCH 8\r\n");
    const SIZE: (&str, &str) = ("UID FETCH 8 (UID RFC822.SIZE", "* 1 FETCH (UID 8 RFC822.SIZE 5)\r\n");
    for script in [
        &[EXAMINE, ("UID SEARCH", "TAG NO [INUSE] try again\r\n")][..],
        &[EXAMINE, ("UID SEARCH", "END")],
        &[EXAMINE, ("UID SEARCH", "* BYE restarting\r\n")],
        &[EXAMINE, SEARCH, ("UID FETCH 8 (UID RFC822.SIZE", "TAG NO [SERVERBUG] try again\r\n")],
        &[EXAMINE, SEARCH, SIZE, ("UID FETCH 8 (UID BODY", "END")],
        &[EXAMINE, SEARCH, SIZE, ("UID FETCH 8 (UID BODY", "* 1 FETCH (UID 8 BODY[] {5}\r\nab")],
        &[EXAMINE, SEARCH, SIZE, ("UID FETCH 8 (UID BODY", "* 1 FETCH (FLAGS (\\Seen))\r\nTAG BAD no\r\n")],
    ] {
        let url = scripted(Box::leak(script.to_vec().into_boxed_slice())).await;
        let test_app = start(db, url.clone(), &[SERVER, ("mail.timeout_seconds", "1")]).await;
        let name = test_app.app.context.mail.mailbox.as_ref().unwrap().name();
        let reading = until("it has failed", async || {
            look(db).await;
            let reading = mailboxes::find(db, &name).await.unwrap();
            reading.failing_since.is_some().then_some(reading)
        })
        .await;
        assert_eq!(reading.cursor, None, "{script:?}");
        assert_eq!(reading.tried.map(|(uid, _)| uid), (script.len() > 2).then_some(8), "{script:?}");
        test_app.stop().await;
    }
    let business = businesses::list(db).await.unwrap().remove(0).id;
    let mut tx = testing::begin(db).await;
    let subject = concord_jobs::notify::alerts::mailbox_of(business);
    assert!(alerts::find_unclosed(&mut tx, subject).await.unwrap().is_some(), "people will be told");
}

/// What is no mail server, or stops in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn server_that_speaks_something_else_is_named() {
    for (greeting, reason) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak IMAP"),
        ("", "closes the connection at once"),
        ("* OK ready\r\n", "cannot be read"),
        ("* BYE Too many connections\r\n", "Too many connections"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("imap://u:p@{}/?tls=none", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(greeting.as_bytes()).await.unwrap();
            }
        });
        let (verdict, text) = tokio::task::spawn_blocking(move || finding(&url, None)).await.unwrap();
        assert_eq!(verdict, "wrong", "{text}");
        assert!(text.contains(reason), "{text}");
        serving.abort();
    }
}

concord_storage::on_both_databases!(
    answers_are_read_and_the_mailbox_stays_as_it_is,
    who_is_not_let_in_says_so_and_waits,
    answer_to_an_address_of_its_own_is_believed,
    trouble_of_a_server_loses_no_mail,
);
