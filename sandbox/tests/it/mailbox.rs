//! The mailbox: a mail server as clients meet it, and what came as people and tests read it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::client::{SandboxClient, send};

const MAIL: &str = "From: Concord <concord@example.com>\r\nTo: =?utf-8?q?Jos=C3=A9?= <jose@example.com>\r\n\
    Subject: =?utf-8?b?T2zDoQ==?=\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=x\r\n\r\n\
    --x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
    --y\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n..dots\r\n\
    --y\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello <script>x</script></p>\r\n--y--\r\n\
    --x\r\nContent-Type: text/calendar\r\nContent-Disposition: attachment; filename=invite.ics\r\n\r\nBEGIN\r\n--x--\r\n";

/// A mail client that says what it is told to.
struct SmtpClient(BufReader<TcpStream>);

impl SmtpClient {
    async fn connect(outside: &SandboxClient) -> Self {
        let place = outside.control(Method::GET, "/mailbox", None).await.expect(200);
        assert_eq!(place["smtp_url"], outside.sandbox.smtp_url());
        let port = u16::try_from(place["smtp_port"].as_u64().unwrap()).unwrap();
        let mut client = Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()));
        assert!(client.hear().await.starts_with("220 "));
        client
    }

    /// The last line of an answer; empty when the server is gone.
    async fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return String::new();
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.hear().await
    }

    /// The number of the answer to each line.
    async fn codes(&mut self, lines: &[&str]) -> Vec<String> {
        let mut codes = Vec::new();
        for line in lines {
            codes.push(self.say(line).await.chars().take(3).collect());
        }
        codes
    }

    /// A whole mail in a conversation of its own; the answer to it.
    async fn mail(outside: &SandboxClient, source: &str) -> String {
        let mut client = Self::connect(outside).await;
        let lines = ["EHLO me", "MAIL FROM:<concord@example.com>", "RCPT TO:<jose@example.com>", "DATA"];
        assert_eq!(client.codes(&lines).await, ["250", "250", "250", "354"]);
        client.say(&format!("{source}.")).await
    }
}

async fn mails(outside: &SandboxClient) -> Vec<Value> {
    let mails = outside.control(Method::GET, "/mails", None).await.expect(200);
    mails.as_array().unwrap().clone()
}

async fn fault(outside: &SandboxClient, fault: Value) {
    let mut fault = fault;
    fault["provider"] = "mailbox".into();
    outside.control(Method::POST, "/faults", Some(fault)).await.expect(201);
}

#[tokio::test]
async fn a_mail_is_kept_as_it_came_and_told_in_its_parts() {
    let outside = SandboxClient::start().await;
    assert!(SmtpClient::mail(&outside, MAIL).await.starts_with("250 "));
    let all = mails(&outside).await;
    assert_eq!(all.len(), 1);
    let mail = &all[0];
    assert_eq!((&mail["from"], &mail["to"]), (&json!("concord@example.com"), &json!(["jose@example.com"])));
    assert_eq!((&mail["subject"], &mail["message_id"]), (&json!("Olá"), &json!("1@example.com")));
    assert_eq!(mail["header_from"], "Concord <concord@example.com>");
    assert_eq!(mail["text"].as_str().unwrap().lines().collect::<Vec<_>>(), ["Hello", ".dots"]);
    assert!(mail["html"].as_str().unwrap().starts_with("<p>Hello"));
    assert_eq!(mail["attachments"], json!([{ "name": "invite.ics", "type": "text/calendar" }]));
    assert_eq!(mail["raw"], MAIL.replace("\r\n..dots", "\r\n.dots"));

    let list = send(outside.http.get(outside.url("/mailbox"))).await;
    assert!(list.body.as_str().unwrap().contains("Olá"));
    let page = send(outside.http.get(outside.url("/mailbox/1"))).await;
    let page = page.body.as_str().unwrap();
    assert!(page.contains("invite.ics") && page.contains("&lt;script&gt;") && !page.contains("<script>"));
    assert_eq!(send(outside.http.get(outside.url("/mailbox/9"))).await.status, 404);
}

#[tokio::test]
async fn the_order_of_a_conversation_is_kept() {
    let outside = SandboxClient::start().await;
    let mut client = SmtpClient::connect(&outside).await;
    let lines = [
        "MAIL FROM:<a@b.example>",
        "EHLO me",
        "RCPT TO:<a@b.example>",
        "DATA",
        "MAIL FROM:<a@b.example>",
        "MAIL FROM:<a@b.example>",
        "DATA",
        "RSET",
        "MAIL FROM:<a@b.example> SIZE=99999999",
        "NOOP",
        "VRFY a",
        "AUTH PLAIN AGEAYg==",
        "QUIT",
    ];
    let expected =
        ["503", "250", "503", "503", "250", "503", "503", "250", "552", "250", "500", "235", "221"];
    assert_eq!(client.codes(&lines).await, expected);
    assert_eq!(client.hear().await, "");
}

#[tokio::test]
async fn commands_that_come_together_are_answered_in_turn() {
    let outside = SandboxClient::start().await;
    let mut client = SmtpClient::connect(&outside).await;
    let together = "EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA";
    assert!(client.say(together).await.starts_with("250 "));
    for code in ["250", "250", "354"] {
        assert!(client.hear().await.starts_with(code));
    }
    assert!(client.say("Subject: x\r\n\r\nx\r\n.").await.starts_with("250 "));
    assert_eq!(mails(&outside).await.len(), 1);
}

#[tokio::test]
async fn faults_hit_where_a_mail_was_given() {
    let outside = SandboxClient::start().await;
    for (kind, answer, kept) in
        [("rate_limit", "451", 0), ("server_error", "554", 0), ("apply_then_drop", "", 1)]
    {
        fault(&outside, json!({ "kind": kind, "count": 1 })).await;
        let said = SmtpClient::mail(&outside, MAIL).await;
        assert!(said.starts_with(answer) && said.is_empty() == answer.is_empty(), "{kind}: {said}");
        assert_eq!(mails(&outside).await.len(), kept, "{kind}");
    }
    fault(&outside, json!({ "kind": "latency_ms", "value": 1, "count": 1 })).await;
    assert!(SmtpClient::mail(&outside, MAIL).await.starts_with("250 "));
    outside.control(Method::DELETE, "/faults?provider=mailbox", None).await.expect(204);
}

#[tokio::test]
async fn what_came_and_where_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let outside = SandboxClient::start_in(data.path()).await;
    let place = outside.sandbox.smtp_url();
    SmtpClient::mail(&outside, MAIL).await;
    let before = mails(&outside).await;
    outside.sandbox.stop().await;

    let outside = SandboxClient::start_in(data.path()).await;
    assert_eq!((outside.sandbox.smtp_url(), mails(&outside).await), (place, before));
    outside.control(Method::DELETE, "/mails", None).await.expect(204);
    assert_eq!(mails(&outside).await, [json!(null); 0]);
    assert!(SmtpClient::mail(&outside, MAIL).await.ends_with(" 2"), "no id comes twice");
}
