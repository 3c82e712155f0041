//! `concord check`: calendars from files, from the standard input and over real sockets.

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use chrono::{Days, NaiveDate};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::command_line::concord;

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    concord(&[&["check"], arguments].concat(), variables).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("calendar.ics");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn calendar(events: &[&str]) -> String {
    let mut text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\n".to_owned();
    for event in events {
        text += &["BEGIN:VEVENT\nDTSTAMP:20261101T090000Z\n", event, "\nEND:VEVENT\n"].concat();
    }
    (text + "END:VCALENDAR\n").replace('\n', "\r\n")
}

/// So many days from now, as iCalendar writes it.
fn day(from_now: u64) -> NaiveDate {
    concord_domain::clock::Clock::system().now().date_naive() + Days::new(from_now)
}

fn stay(uid: &str, from: u64, until: u64, more: &str) -> String {
    let (from, until) = (day(from).format("%Y%m%d"), day(until).format("%Y%m%d"));
    format!("UID:{uid}\nDTSTART;VALUE=DATE:{from}\nDTEND;VALUE=DATE:{until}\n{more}")
}

#[test]
fn what_is_wrong_is_said_line_by_line() {
    let folder = TempDir::new().unwrap();
    let good = file(&folder, &calendar(&["UID:1@x\nDTSTART;VALUE=DATE:20261205\nDTEND;VALUE=DATE:20261206"]));
    let output = check(&["feed", &good], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(said(&output).contains("calendar.ics: 1 event, "), "{}", said(&output));
    assert!(
        said(&output).ends_with("0 problems; 0 minor, which calendar apps ignore\n"),
        "{}",
        said(&output)
    );

    // Another line end, an end before the start, and a name that would colour the terminal.
    let bad =
        calendar(&["UID:1@x\nDTSTART;VALUE=DATE:20261205\nDTEND;VALUE=DATE:20261205\nSTATUS:\u{1b}[31mRED"]);
    let bad = file(&folder, &bad.replace("\r\n", "\n"));
    let output = check(&["feed", &bad], &[]);
    let words = said(&output);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for expected in [
        "line 1: does not end with CR LF (line-end, minor)\n",
        "line 8: DTEND is not after DTSTART (end)\n",
        "line 9: ",
    ] {
        assert!(words.contains(expected), "{expected} {words}");
    }
    assert!(!words.contains('\u{1b}'), "{words:?}");
    let json: Value = serde_json::from_slice(&check(&["feed", &bad, "--json"], &[]).stdout).unwrap();
    assert_eq!((&json["events"], &json["counts"]["line-end"]), (&1.into(), &11.into()), "{json}");
    let end = json["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == "end").unwrap();
    assert_eq!((&end["line"], &end["matters"]), (&8.into(), &true.into()));

    // Of what is wrong on every line, enough is said.
    let many = file(&folder, &calendar(&["UID:1@x\nDTSTART:20261205T090000Z"; 40]).replace("\r\n", "\n"));
    let words = said(&check(&["feed", &many], &[]));
    assert_eq!(words.matches("(line-end, minor)").count(), 20, "{words}");
    assert!(words.contains("... and 184 more (line-end)"), "{words}");
}

#[test]
fn what_would_be_imported_is_said() {
    let folder = TempDir::new().unwrap();
    let events = [
        stay("1@x", 10, 13, "SUMMARY:Reserved"),
        stay("2@x", 5, 6, "SUMMARY:Airbnb (Not available)"),
        stay("3@x", 20, 22, "STATUS:CANCELLED"),
        stay("4@x", 20, 22, "TRANSP:TRANSPARENT"),
        "UID:5@x\nDTSTART;VALUE=DATE:20200101\nDTEND;VALUE=DATE:20200103".to_owned(),
    ];
    let file = file(&folder, &calendar(&events.each_ref().map(String::as_str)));
    let output = check(&["import", &file, "--zone", "Europe/Lisbon"], &[]);
    let words = said(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(lines.len(), 5, "{words}");
    assert!(lines[1].starts_with("block  ") && lines[1].ends_with("(1 night)  Airbnb (Not available)"));
    assert!(lines[2].ends_with("(3 nights)  Reserved"), "{words}");
    assert_eq!(lines[4], "3 items with 6 nights would be imported; left out: 1 over, 1 cancelled");

    let json: Value = serde_json::from_slice(&check(&["import", &file, "--json"], &[]).stdout).unwrap();
    assert_eq!(json["items"][1]["check_in"], day(10).to_string());
    assert_eq!(json["items"][1]["check_out"], day(13).to_string());
    assert_eq!((&json["nights"], &json["left_out"]["over"]), (&6.into(), &1.into()), "{json}");

    // By what a platform writes, and by its name.
    let json = |platform| {
        let output = check(&["import", &file, "--platform", platform, "--json"], &[]);
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, airbnb) = json("AirBnB");
    assert_eq!((code, airbnb["platform"].as_str()), (Some(0), Some("Airbnb")), "{airbnb}");
    assert_eq!(
        (&airbnb["items"][0]["kind"], &airbnb["items"][1]["kind"]),
        (&"block".into(), &"reservation".into())
    );
    // Only calendars of people mean it when they leave a time free.
    let (_, google) = json("google");
    assert_eq!((&google["nights"], &google["left_out"]["free"]), (&4.into(), &1.into()), "{google}");
    let (code, unknown) = json("nobody");
    assert_eq!((code, unknown["error"].as_str()), (Some(2), Some("no_platform")));
    assert!(unknown["message"].as_str().unwrap().contains("airbnb, vrbo, booking_com"), "{unknown}");

    // Cut off in its last event.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 40]).unwrap();
    let output = check(&["import", &file], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("the calendar is cut off"), "{output:?}");
    assert!(said(&output).ends_with("nothing would be imported: the calendar is incomplete\n"), "{output:?}");
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let page = file(&folder, "<html>Sign in</html>");
    for (place, code, words) in [
        (page.as_str(), "not_calendar", "this is no calendar: it has no BEGIN:VCALENDAR"),
        (
            "nowhere.ics",
            "file",
            "nowhere.ics: there is no such file; the address of a feed begins with https://",
        ),
        ("feeds.example/x.ics", "file", "there is no such file"),
        ("ftp://feeds.example/x.ics", "bad_address", "it must start with https://"),
        (folder.path().to_str().unwrap(), "file", "directory"),
        ("http://127.0.0.1:1/x.ics?s=hush", "private_host", "(channels.allowed_hosts)"),
        ("webcal://localhost/x.ics?s=hush", "private_host", "localhost has a private address"),
    ] {
        let output = check(&["feed", place], &[]);
        assert_eq!(output.status.code(), Some(2), "{place}: {output:?}");
        assert!(complained(&output).contains(words), "{place}: {output:?}");
        assert!(!complained(&output).contains("hush"), "{output:?}");
        let output = check(&["import", place, "--json"], &[]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), json["error"].as_str()), (Some(2), Some(code)), "{place}");
    }
}

#[test]
fn a_calendar_comes_by_the_standard_input_too() {
    let mut child = concord(&["check", "import", "-"], &[]).stdin(Stdio::piped()).spawn().unwrap();
    let text = calendar(&[&stay("1@x", 1, 2, "SUMMARY:Ana")]);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let how =
        "standard input, read as Other calendar (iCal), days in UTC; --platform reads it as another's\n";
    assert!(said(&output).starts_with(&format!("{how}unclear  ")), "{output:?}");
}

/// Answers every request with the same bytes.
async fn serve(status: &str, body: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn check_fetches_feed_like_installation_by_default() {
    let port = serve("200 OK", calendar(&[&stay("1@x", 1, 2, "SUMMARY:Ana")])).await;
    let url = format!("http://127.0.0.1:{port}/secret.ics?s=hush");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let (mut command, url) = (vec!["import", url.as_str()], &url);
        command.extend_from_slice(arguments);
        let output = check(&command, variables);
        let shown = said(&output) + &complained(&output);
        assert!(!shown.contains("hush") && !shown.contains("secret.ics"), "{url}: {shown}");
        (output.status.code(), shown)
    };
    assert_eq!(run(&[], &[]).0, Some(2));
    let (code, words) = run(&["--allow-private"], &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("note: private addresses were allowed for this once (--allow-private)"),
        "{words}"
    );
    let (code, words) = run(&[], &[("CONCORD__CHANNELS__ALLOWED_HOSTS", "127.0.0.1")]);
    assert_eq!((code, words.contains("note:")), (Some(0), false), "{words}");

    for (status, words) in [
        ("404 Not Found", "no calendar found at this link"),
        ("503 Service Unavailable", "the server has an error (status 503)"),
    ] {
        let port = serve(status, String::new()).await;
        let url = format!("http://127.0.0.1:{port}/");
        let output = check(&["feed", &url, "--allow-private"], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(complained(&output).contains(words), "{output:?}");
    }
}

/// As in `concord check ... | head -1`: whoever closes the pipe has read enough.
#[test]
fn closed_pipe_is_no_failure() {
    let folder = TempDir::new().unwrap();
    let stays: Vec<String> =
        (0..3_000).map(|n| stay(&format!("{n}@x"), 1 + n % 600, 2 + n % 600, "SUMMARY:x")).collect();
    let place = file(&folder, &calendar(&stays.iter().map(String::as_str).collect::<Vec<_>>()));
    for arguments in [["check", "import", &place, "--json"], ["check", "feed", &place, "--json"]] {
        let whole = concord(&arguments, &[]).output().unwrap();
        assert!(!whole.stdout.is_empty());
        let mut command = concord(&arguments, &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads from now on.
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), complained(&ended)), (whole.status.code(), complained(&whole)));
    }
}
