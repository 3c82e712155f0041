//! Answers to invitations, as a mail server hands them in.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use concord_storage::testing::TestDb;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::test_app::{TestApp, TestAppOptions, hour, until};

const SECRET: &str = "a-secret-of-more-than-24-letters";

async fn start(db: &TestDb) -> TestApp {
    let settings =
        vec![("mail.receive_secret", SECRET.to_owned()), ("mail.authserv_id", "mx.casa.example".to_owned())];
    TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await
}

/// A booking to which Maria was invited, and the UID of the invitation.
pub(crate) async fn invited(test_app: &TestApp) -> String {
    let body = json!({ "invitations": "confirmed", "invitation_delay_minutes": 0 });
    test_app.api.patch("/api/v1/business", body).await.expect(200);
    let room = test_app.resource(1).await;
    let booking = json!({
        "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10),
        "customer": { "name": "Maria Silva", "email": "maria@example.org" },
    });
    test_app.api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    until("she is invited", async || {
        let listed = test_app.api.get("/api/v1/bookings/tasting/invitations").await.expect(200);
        (listed["items"][0]["state"] == "sent").then_some(())
    })
    .await;
    let mails = test_app.control(Method::GET, "/mails", json!({})).await;
    let calendar = mails[0]["calendar"].as_str().unwrap().replace("\r\n ", "");
    calendar.lines().find_map(|line| line.strip_prefix("UID:")).unwrap().to_owned()
}

/// A reply in the form of Exchange, which names no organizer.
pub(crate) fn reply(uid: &str, from: &str, (answer, sequence): (&str, u32), results: &str) -> String {
    format!(
        "{results}From: Maria Silva <{from}>\r\nTo: concord@book.example\r\nSubject: Answer\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n\
         Content-Type: text/calendar; charset=utf-8; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n\
         PRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n\
         ATTENDEE;PARTSTAT={answer};CN=Maria Silva:MAILTO:{from}\r\nCOMMENT:Looking forward\r\nUID:{uid}\r\n\
         DTSTAMP:20200101T000000Z\r\nDTSTART:20301201T100000Z\r\nDTEND:20301201T110000Z\r\nSEQUENCE:{sequence}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n"
    )
}

pub(crate) const PASS: &str =
    "Authentication-Results: mx.casa.example; dmarc=pass header.from=example.org\r\n";

#[expect(clippy::disallowed_methods, reason = "customers and mail servers have clients of their own")]
async fn hand_in(test_app: &TestApp, mail: String, secret: &str) -> (StatusCode, String) {
    let url = format!("{}/hooks/mail", test_app.api.base);
    let answer = Client::new().post(url).bearer_auth(secret).body(mail).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

pub(crate) async fn invitation(test_app: &TestApp) -> Value {
    test_app.api.get("/api/v1/bookings/tasting/invitations").await.expect(200)["items"][0].clone()
}

async fn answer_of_a_calendar_is_saved(db: &TestDb) {
    let test_app = start(db).await;
    let uid = invited(&test_app).await;
    let mail = reply(&uid, "maria@example.org", ("ACCEPTED", 0), PASS);
    let (status, said) = hand_in(&test_app, mail.clone(), SECRET).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "answer saved\n"));
    assert_eq!(invitation(&test_app).await["answer"], "accepted");
    // The mail server may hand it in again.
    assert_eq!(hand_in(&test_app, mail, SECRET).await.0, StatusCode::OK);
    let history = test_app.api.get("/api/v1/bookings/tasting/history").await.expect(200);
    assert_eq!(history["items"][0]["detail"]["wish"], "Looking forward");
    assert_eq!(history["items"][0]["actor"]["kind"], "customer");
    let declined = reply(&uid, "Maria@Example.org", ("DECLINED", 0), PASS);
    hand_in(&test_app, declined, SECRET).await;
    assert_eq!(invitation(&test_app).await["answer"], "declined");
    assert_eq!(test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"], "confirmed");
    test_app.stop().await;
}

async fn forged_foreign_outdated_and_absent_answers_set_nothing(db: &TestDb) {
    let test_app = start(db).await;
    let uid = invited(&test_app).await;
    let maria = "maria@example.org";
    let fail = "Authentication-Results: mx.casa.example; dmarc=fail\r\n";
    for (mail, said) in [
        (reply(&uid, maria, ("DECLINED", 0), ""), "ignored: the mail server does not vouch for its sender\n"),
        (
            reply(&uid, maria, ("DECLINED", 0), fail),
            "ignored: the mail server does not vouch for its sender\n",
        ),
        (
            reply("booking-1@other.example", maria, ("DECLINED", 0), PASS),
            "ignored: no reply to an invitation, or one that is known\n",
        ),
        (
            reply(&uid, "rui@example.org", ("DECLINED", 0), PASS),
            "noted: it is from an address that was not invited\n",
        ),
        (
            format!("{PASS}From: {maria}\r\nSubject: Out of office\r\n\r\nI am away.\r\n"),
            "ignored: no reply to an invitation, or one that is known\n",
        ),
        // Handed in again: it is in the history already.
        (
            reply(&uid, "rui@example.org", ("DECLINED", 0), PASS),
            "ignored: no reply to an invitation, or one that is known\n",
        ),
        ("not a mail".to_owned(), "ignored: no reply to an invitation, or one that is known\n"),
    ] {
        let (status, answer) = hand_in(&test_app, mail.clone(), SECRET).await;
        assert_eq!((status, answer.as_str()), (StatusCode::OK, said), "{mail}");
        assert_eq!(invitation(&test_app).await["answer"], Value::Null, "{mail}");
    }
    let moved = json!({ "starts_at": hour(3, 9), "ends_at": hour(3, 10) });
    test_app.api.patch("/api/v1/bookings/tasting", moved).await.expect(200);
    until("she knows of the new time", async || (invitation(&test_app).await["sequence"] == 1).then_some(()))
        .await;
    let (_, said) = hand_in(&test_app, reply(&uid, maria, ("ACCEPTED", 0), PASS), SECRET).await;
    assert_eq!(said, "noted: it answers an earlier invitation\n");
    assert_eq!(invitation(&test_app).await["answer"], Value::Null);

    let (status, _) = hand_in(&test_app, reply(&uid, maria, ("ACCEPTED", 1), PASS), "wrong").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = hand_in(&test_app, "x".repeat(1024 * 1024 + 1), SECRET).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    test_app.stop().await;
}

async fn mail_servers_hand_it_in_by_a_pipe(db: &TestDb) {
    let test_app = start(db).await;
    let uid = invited(&test_app).await;
    let pipe = async |mail: String, url: String| {
        let run = move || {
            let mut child = Command::new(env!("CARGO_BIN_EXE_concord"))
                .args(["mail", "receive", "--url", &url])
                .env("CONCORD__MAIL__RECEIVE_SECRET", SECRET)
                .env("CONCORD__MAIL__AUTHSERV_ID", "mx.casa.example")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
            let done = child.wait_with_output().unwrap();
            (done.status.code(), String::from_utf8(done.stdout).unwrap())
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let mail = reply(&uid, "maria@example.org", ("TENTATIVE", 0), PASS);
    let done = pipe(mail.clone(), test_app.api.base.clone()).await;
    assert_eq!(done, (Some(0), "answer saved\n".to_owned()));
    assert_eq!(invitation(&test_app).await["answer"], "tentative");
    // Where nobody listens the mail server keeps it.
    assert_eq!(pipe(mail, "http://127.0.0.1:9".to_owned()).await.0, Some(75));
    test_app.stop().await;
}

/// A mail as Gmail writes it: the calendar as an alternative of two texts, and once more as an attachment.
fn gmail(uid: &str) -> String {
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\nCALSCALE:GREGORIAN\r\n\
         METHOD:REPLY\r\nBEGIN:VEVENT\r\nDTSTART:20301201T100000Z\r\nDTEND:20301201T110000Z\r\nDTSTAMP:20200101T000001Z\r\n\
         ORGANIZER;CN=Harbour House:mailto:concord@book.example\r\nUID:{uid}\r\n\
         ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Maria \r\n Silva;X-NUM-GUESTS=0:mailto:maria@example.org\r\n\
         X-MICROSOFT-CDO-OWNERAPPTID:123\r\nSEQUENCE:0\r\nSTATUS:CONFIRMED\r\nSUMMARY:Tasting\r\nTRANSP:OPAQUE\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let attached = STANDARD.encode(&calendar);
    format!(
        "{PASS}MIME-Version: 1.0\r\nReply-To: Maria Silva <maria@example.org>\r\nSender: Google Calendar <calendar-notification@google.com>\r\n\
         From: Maria Silva <maria@example.org>\r\nTo: concord@book.example\r\nSubject: Accepted: Tasting\r\n\
         Content-Type: multipart/mixed; boundary=\"0000000000006f8c\"\r\n\r\n\
         --0000000000006f8c\r\nContent-Type: multipart/alternative; boundary=\"0000000000006f8b\"\r\n\r\n\
         --0000000000006f8b\r\nContent-Type: text/plain; charset=\"UTF-8\"; format=flowed; delsp=yes\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nTWFyaWEgU2lsdmEgaGFzIGFjY2VwdGVkLg==\r\n\
         --0000000000006f8b\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         <p class=3D\"x\">accepted</p>\r\n\
         --0000000000006f8b\r\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         {calendar}--0000000000006f8b--\r\n\
         --0000000000006f8c\r\nContent-Type: application/ics; name=\"invite.ics\"\r\nContent-Disposition: attachment; filename=\"invite.ics\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--0000000000006f8c--\r\n"
    )
}

/// As Apple's Mail and Calendar write it: quoted-printable, the parameters of the type on lines of their own.
fn apple(uid: &str) -> String {
    format!(
        "{PASS}From: \"Silva; Maria\" <maria@example.org>\r\nContent-Type: multipart/alternative;\r\n\
         \tboundary=\"Apple-Mail=_A1B2\"\r\nMime-Version: 1.0 (Mac OS X Mail 16.0 \\(3826.200.121\\))\r\nSubject: Declined: Tasting\r\n\
         To: concord@book.example\r\nX-Mailer: Apple Mail (2.3826.200.121)\r\n\r\n\r\n--Apple-Mail=_A1B2\r\n\
         Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\n\r\nNo=E2=80=A6\r\n\
         --Apple-Mail=_A1B2\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/calendar;\r\n\tmethod=REPLY;\r\n\
         \tname=\"iCal-20261126.ics\";\r\n\tcharset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nCALSCALE:GREGORIAN\r\nMETHOD:REPLY\r\n\
         PRODID:-//Apple Inc.//macOS 15.1//EN\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nATTENDEE;CN=3D\"Silva; Maria\";CUTYPE=3DINDIVIDUAL;EMAIL=\r\n\
         =3D\"maria@example.org\";PARTSTAT=3DDECLINED;ROLE=3DREQ-PARTICIPANT:mailto:mari=\r\na@example.org\r\nDTEND:20301201T110000Z\r\n\
         DTSTAMP:20200101T000002Z\r\nDTSTART:20301201T100000Z\r\nORGANIZER;CN=3D\"Casa\":mailto:concord@book.example\r\nSEQUENCE:0\r\n\
         SUMMARY:Tasting\r\nUID:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--Apple-Mail=_A1B2--\r\n"
    )
}

/// As Thunderbird writes it: eight bits, a boundary that is no word.
fn thunderbird(uid: &str) -> String {
    format!(
        "{PASS}MIME-Version: 1.0\r\nFrom: Maria =?UTF-8?Q?S=C3=ADlva?= <maria@example.org>\r\nTo: concord@book.example\r\n\
         Subject: Event Invitation Reply (Tentative): Tasting\r\nUser-Agent: Mozilla Thunderbird\r\n\
         Content-class: urn:content-classes:calendarmessage\r\nContent-type: multipart/mixed;\r\n boundary=\"----------000008070601030302000104\"\r\n\r\n\r\n\
         ------------000008070601030302000104\r\nContent-type: multipart/alternative;\r\n boundary=\"----------000104080601030302000807\"\r\n\r\n\
         ------------000104080601030302000807\r\nContent-type: text/plain; charset=UTF-8\r\nContent-transfer-encoding: 8BIT\r\n\r\nMaria Sílva\r\n\r\n\
         ------------000104080601030302000807\r\nContent-type: text/calendar; method=REPLY; charset=UTF-8\r\nContent-transfer-encoding: 8BIT\r\n\r\n\
         BEGIN:VCALENDAR\r\nPRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n\
         DTSTAMP:20200101T000003Z\r\nUID:{uid}\r\nSUMMARY:Tasting\r\nORGANIZER:mailto:concord@book.example\r\n\
         ATTENDEE;RSVP=TRUE;CN=Maria Sílva;PARTSTAT=TENTATIVE;ROLE=REQ-PARTICIPANT:mailto:maria@example.org\r\n\
         DTSTART:20301201T100000Z\r\nDTEND:20301201T110000Z\r\nSEQUENCE:0\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n\r\n\
         ------------000104080601030302000807--\r\n\r\n------------000008070601030302000104--\r\n"
    )
}

async fn programs_answer_in_their_own_forms(db: &TestDb) {
    let test_app = start(db).await;
    let uid = invited(&test_app).await;
    for (mail, answer) in
        [(gmail(&uid), "accepted"), (apple(&uid), "declined"), (thunderbird(&uid), "tentative")]
    {
        let (status, said) = hand_in(&test_app, mail.clone(), SECRET).await;
        assert_eq!((status, said.as_str()), (StatusCode::OK, "answer saved\n"), "{mail}");
        assert_eq!(invitation(&test_app).await["answer"], answer);
    }
    test_app.stop().await;
}

async fn declining_by_mail_cancels_once_where_the_business_wants_that(db: &TestDb) {
    let test_app = start(db).await;
    let uid = invited(&test_app).await;
    let wanted = json!({ "decline_cancels": true, "cancel_notice_hours": 1 });
    test_app.api.patch("/api/v1/business", wanted).await.expect(200);
    let status = async || test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"].clone();
    // A wish for another time is none to cancel, also where its time cannot be read.
    let mail = reply(&uid, "maria@example.org", ("DECLINED", 0), PASS);
    let counter = mail.replace("METHOD:REPLY", "METHOD:COUNTER").replace("method=REPLY", "method=COUNTER");
    let unreadable = counter.replace("DTSTART:20301201T100000Z", "DTSTART:soon");
    for wish in [counter, unreadable] {
        assert_eq!(hand_in(&test_app, wish, SECRET).await.1, "wish noted\n");
        assert_eq!(
            (status().await, invitation(&test_app).await["answer"].clone()),
            (json!("confirmed"), Value::Null)
        );
    }
    assert_eq!(hand_in(&test_app, mail.clone(), SECRET).await.1, "answer saved\n");
    assert_eq!(
        (status().await, invitation(&test_app).await["answer"].clone()),
        (json!("cancelled"), json!("declined"))
    );
    // The business takes it back, and the mail server hands the answer in again.
    test_app.api.patch("/api/v1/bookings/tasting", json!({ "status": "confirmed" })).await.expect(200);
    assert_eq!(
        hand_in(&test_app, mail, SECRET).await.1,
        "ignored: no reply to an invitation, or one that is known\n"
    );
    assert_eq!(status().await, "confirmed");
    test_app.stop().await;
}

async fn without_a_secret_nothing_is_taken_in(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (status, _) = hand_in(&test_app, "From: x".to_owned(), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    answer_of_a_calendar_is_saved,
    forged_foreign_outdated_and_absent_answers_set_nothing,
    mail_servers_hand_it_in_by_a_pipe,
    programs_answer_in_their_own_forms,
    declining_by_mail_cancels_once_where_the_business_wants_that,
    without_a_secret_nothing_is_taken_in,
);
