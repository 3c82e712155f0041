//! Servers that are out of order, or mean ill.

use std::{io::Write, time::Duration};

use concord_providers::{FeedError, FeedFetchLimits, FeedFetchOutcome, FeedRequest, feed_address};
use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};

use super::{CALENDAR, HOST, body, code, fetch, fetcher_with, limits, named};
use crate::server::{CannedReply, CannedServer, answer_of};

async fn answered(reply: CannedReply) -> Result<FeedFetchOutcome, FeedError> {
    let server = CannedServer::start(reply).await;
    fetch(&named(&server.url, HOST, "/secret-part.ics?s=hush")).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packed(coding: &str, body: &[u8]) -> CannedReply {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n");
    CannedReply::Bytes([head.as_bytes(), body].concat())
}

#[tokio::test]
async fn a_status_says_what_follows() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    for (status, extra, expected, permanent, retry_after) in [
        ("404 Not Found", "", "not_found", true, None),
        ("410 Gone", "", "not_found", true, None),
        ("401 Unauthorized", "www-authenticate: Basic\r\n", "forbidden", true, None),
        ("403 Forbidden", "", "forbidden", true, None),
        ("429 Too Many Requests", "", "rate_limited", false, None),
        ("429 Too Many Requests", "retry-after: 120\r\n", "rate_limited", false, wait(120)),
        ("429 Slow", "retry-after: Sat, 21 Nov 2026 09:01:30 GMT\r\n", "rate_limited", false, wait(90)),
        ("429 Slow", "retry-after: 999999999\r\n", "rate_limited", false, wait(3600)),
        ("429 Slow", "retry-after: tomorrow\r\n", "rate_limited", false, None),
        ("500 Internal Server Error", "", "server", false, None),
        ("503 Service Unavailable", "retry-after: 30\r\n", "server", false, wait(30)),
        ("408 Request Timeout", "", "server", false, None),
        ("206 Partial Content", "", "cut_short", false, None),
        ("204 No Content", "", "refused", true, None),
        ("300 Multiple Choices", "", "refused", true, None),
        ("400 Bad Request", "", "refused", true, None),
        ("451 Unavailable For Legal Reasons", "", "refused", true, None),
    ] {
        let body = if status.starts_with("204") { "" } else { CALENDAR };
        let error = answered(answer_of(status, "text/calendar", extra, body)).await.unwrap_err();
        assert_eq!(error.code(), expected, "{status}");
        assert_eq!((error.is_permanent(), error.retry_after()), (permanent, retry_after), "{status} {extra}");
        let said = format!("{} {error:?}", error.user_message());
        assert!(!said.contains("hush") && !said.contains("secret-part"), "{said}");
    }
}

#[tokio::test]
async fn feed_is_recognised_by_content_not_content_type() {
    let page = "<!DOCTYPE html><html><title>Sign in</title>";
    for (content_type, text, expected) in [
        ("text/html; charset=utf-8", page, "web_page"),
        ("text/calendar", page, "web_page"),
        ("text/html", CALENDAR, "ok"),
        ("application/octet-stream", CALENDAR, "ok"),
        ("", CALENDAR, "ok"),
        // What it is then is for its reader to say.
        ("text/plain", "not today", "ok"),
        ("text/calendar", "", "ok"),
    ] {
        let outcome = answered(answer_of("200 OK", content_type, "", text)).await;
        assert_eq!(code(outcome), expected, "{content_type} {text:?}");
    }
    let error = answered(answer_of("200 OK", "text/html", "", page)).await.unwrap_err();
    assert!(!error.is_permanent());
    assert_eq!(
        error.user_message(),
        "this is a web page, not a calendar: use the calendar export link \
         (iCal), not the page's address"
    );
}

#[tokio::test]
async fn what_is_packed_is_unpacked() {
    let whole = gzip(CALENDAR.as_bytes());
    // In two members too (RFC 1952, section 2.2).
    let (start, end) = CALENDAR.split_at(20);
    let members = [gzip(start.as_bytes()), gzip(end.as_bytes())].concat();
    for (coding, bytes) in
        [("gzip", &whole), ("x-gzip", &whole), ("identity, gzip", &whole), ("gzip", &members)]
    {
        assert_eq!(body(answered(packed(coding, bytes)).await).bytes, CALENDAR, "{coding}");
    }
    assert_eq!(body(answered(packed("identity", CALENDAR.as_bytes())).await).bytes, CALENDAR);
    let twice = gzip(&whole);
    for (coding, bytes, expected) in [
        ("gzip, gzip", &twice[..], "packed"),
        // It says that it was packed once.
        ("gzip", &twice, "packed"),
        ("identity", &whole, "packed"),
        ("identity", b"PK\x03\x04calendar.zip", "packed"),
        ("deflate", &whole, "packed"),
        ("br", &whole, "packed"),
        ("zstd", &whole, "packed"),
        ("rot13", &whole, "packed"),
        ("gzip", CALENDAR.as_bytes(), "cut_short"),
        ("gzip", &whole[..whole.len() - 9], "cut_short"),
        ("gzip", &whole[..5], "cut_short"),
        ("gzip", b"", "ok"),
    ] {
        assert_eq!(
            code(answered(packed(coding, bytes)).await),
            expected,
            "{coding} of {} bytes",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn a_large_feed_is_refused_by_what_it_says_and_by_what_it_is() {
    let said =
        "HTTP/1.1 200 OK\r\ncontent-type: text/calendar\r\ncontent-length: 52428800\r\n\r\nBEGIN:VCALENDAR";
    assert_eq!(code(answered(CannedReply::Bytes(said.into())).await), "too_large");
    let limit = limits().bytes;
    for (length, expected) in [(limit, "ok"), (limit + 1, "too_large")] {
        assert_eq!(
            code(answered(answer_of("200 OK", "text/plain", "", &"x".repeat(length))).await),
            expected
        );
    }
    // Without a length, and without an end.
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/calendar\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    let mut server = CannedServer::start(CannedReply::Endless(head, chunk)).await;
    let error = fetch(&named(&server.url, HOST, "/")).await.unwrap_err();
    assert_eq!(error, FeedError::TooLarge { limit });
    assert!(error.is_permanent());
    server.client_left().await;
}

/// Ten megabytes are unpacked at the most, whatever is packed.
#[tokio::test]
async fn a_bomb_is_put_out_early() {
    let unpacked = FeedFetchLimits { bytes: 10 << 20, ..limits() };
    let fetcher = fetcher_with(unpacked, &[HOST]);
    let zeros = vec![0_u8; 1 << 20];
    // A gigabyte of zeros in a thousand members, and in one.
    let member = gzip(&zeros);
    let mut piece = Vec::with_capacity(1 << 16);
    Compress::new(Compression::best(), false).compress_vec(&zeros, &mut piece, FlushCompress::Full).unwrap();
    let one = [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3][..], &piece.repeat(1024)].concat();
    for bomb in [member.repeat(1024), one] {
        assert!(bomb.len() < 2 << 20, "{}", bomb.len());
        let server = CannedServer::start(packed("gzip", &bomb)).await;
        let url = named(&server.url, HOST, "/");
        let error = fetcher.fetch(FeedRequest::anew(&url)).await.unwrap_err();
        assert_eq!(error, FeedError::TooLarge { limit: 10 << 20 });
    }
    // Members of nothing, which unpack to nothing, are counted as they come.
    let empty = gzip(b"");
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".to_vec();
    let mut server = CannedServer::start(CannedReply::Endless(head, empty.repeat(1000))).await;
    let url = named(&server.url, HOST, "/");
    assert_eq!(code(fetch(&url).await), "too_large");
    server.client_left().await;
}

#[tokio::test]
async fn what_ends_too_soon_is_not_taken_for_the_whole() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/calendar\r\n";
    for cut in [
        format!("{head}content-length: 5000\r\n\r\n{CALENDAR}"),
        format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nBEGIN\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n50\r\nBEGIN"),
    ] {
        let error = answered(CannedReply::Bytes(cut.clone().into())).await.unwrap_err();
        assert_eq!((error.code(), error.is_permanent()), ("cut_short", false), "{cut}");
    }
    // Who says less than there is, is believed.
    let less = format!("{head}content-length: {}\r\n\r\n{CALENDAR}and more", CALENDAR.len());
    assert_eq!(body(answered(CannedReply::Bytes(less.into())).await).bytes, CALENDAR);
    for nonsense in ["", "220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2000 ?\r\n\r\n"] {
        let error = answered(CannedReply::Bytes(nonsense.into())).await.unwrap_err();
        assert_eq!((error.code(), error.is_permanent()), ("unreachable", false), "{nonsense:?}");
    }
    let twice = format!("{head}content-length: 5\r\ncontent-length: 50\r\n\r\n{CALENDAR}");
    assert_eq!(code(answered(CannedReply::Bytes(twice.into())).await), "unreachable");
}

#[tokio::test]
async fn who_is_slow_is_left_in_time() {
    let hasty = fetcher_with(FeedFetchLimits { total: Duration::from_millis(300), ..limits() }, &[HOST]);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n".to_vec();
    let headers = b"HTTP/1.1 200 OK\r\nx-slow: ".to_vec();
    for reply in [CannedReply::Silence, CannedReply::Drip(head), CannedReply::Drip(headers)] {
        let mut server = CannedServer::start(reply).await;
        let url = named(&server.url, HOST, "/");
        let error = hasty.fetch(FeedRequest::anew(&url)).await.unwrap_err();
        assert_eq!((&error, error.is_permanent()), (&FeedError::Timeout, false));
        server.client_left().await;
    }
}

#[tokio::test]
async fn nobody_there_is_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url =
        format!("http://{HOST}:{}/a.ics?s=hush", listener.local_addr().unwrap().port()).parse().unwrap();
    drop(listener);
    let error = fetch(&url).await.unwrap_err();
    assert_eq!(error.code(), "unreachable");
    let words = error.user_message();
    assert!(words.contains("no connection") && !words.contains("hush"), "{words}");
    // TLS where there is none, and where nobody answers.
    let hasty = fetcher_with(FeedFetchLimits { connect: Duration::from_millis(300), ..limits() }, &[HOST]);
    for reply in [CannedReply::Bytes(b"what?".to_vec()), CannedReply::Silence] {
        let server = CannedServer::start(reply).await;
        let url = named(&server.url, HOST, "/").as_str().replace("http:", "https:").parse().unwrap();
        assert_eq!(code(hasty.fetch(FeedRequest::anew(&url)).await), "unreachable");
    }
}

/// What people type, or paste.
#[test]
fn an_address_is_understood_as_it_was_meant() {
    for (text, expected) in [
        (
            "https://www.airbnb.com/calendar/ical/1.ics?s=abc",
            "https://www.airbnb.com/calendar/ical/1.ics?s=abc",
        ),
        ("  https://a.example/x.ics \n", "https://a.example/x.ics"),
        ("<https://a.example/x.ics>", "https://a.example/x.ics"),
        ("“https://a.example/x.ics”,", "https://a.example/x.ics"),
        ("\u{feff}\u{200b}https://a.example/x.ics\u{200b}", "https://a.example/x.ics"),
        ("HTTPS://A.Example/X.ics", "https://a.example/X.ics"),
        ("http://a.example/x.ics", "http://a.example/x.ics"),
        ("webcal://a.example/x.ics", "https://a.example/x.ics"),
        ("WebCals://a.example/x.ics", "https://a.example/x.ics"),
        ("webcal://https://a.example/x.ics", "https://a.example/x.ics"),
        ("https://https://a.example/x.ics", "https://a.example/x.ics"),
        ("https://webcal://a.example/x.ics", "https://a.example/x.ics"),
        ("https:/a.example/x.ics", "https://a.example/x.ics"),
        ("https:\\\\a.example\\x.ics", "https://a.example/x.ics"),
        ("a.example/x.ics", "https://a.example/x.ics"),
        ("a.example:8443/x.ics", "https://a.example:8443/x.ics"),
        ("www.vrbo.com/icalendar/1.ics?nonTentative", "https://www.vrbo.com/icalendar/1.ics?nonTentative"),
        ("https://a.example/x.ics#today", "https://a.example/x.ics"),
        ("https://ana:hush@a.example/x.ics", "https://ana:hush@a.example/x.ics"),
        ("https://a.example/caf\u{e9}.ics", "https://a.example/caf%C3%A9.ics"),
        ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example/"),
        ("http://nas/x.ics", "http://nas/x.ics"),
    ] {
        assert_eq!(feed_address(text).as_ref().map(url::Url::as_str), Ok(expected), "{text}");
    }
    for text in [
        "",
        "  ",
        "calendar",
        "/x.ics",
        "C:\\x.ics",
        "ana@a.example",
        "mailto:ana@a.example",
        "ftp://a.example/x.ics",
        "https://",
        "https:///",
        "https://a.example/x.ics https://b.example/x.ics",
        "https://a.exa\nmple/x.ics",
        "https://a b.example/",
    ] {
        match feed_address(text) {
            Err(error @ FeedError::BadAddress(_)) => assert!(error.is_permanent()),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert!(feed_address(&format!("https://a.example/{}", "x".repeat(5_000))).is_err());
}
