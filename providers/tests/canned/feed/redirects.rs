//! Where servers lead, and what goes along.

use concord_providers::{FeedFetchOutcome, FeedRequest};

use super::{
    CALENDAR, HOST, body, calendar, code, fetch, fetcher, fetcher_with, leading_to, leads, limits, named,
    redirect,
};
use crate::server::{CannedReply, CannedServer, answer_of, header};

#[tokio::test]
async fn redirects_are_followed_and_permanent_ones_reported() {
    let server = CannedServer::start(CannedReply::To(leads)).await;
    let last = named(&server.url, HOST, "/last.ics?s=1");
    for (status, moved) in [(301, true), (302, false), (303, false), (307, false), (308, true)] {
        let url = named(&server.url, HOST, &leading_to(status, last.as_str()));
        let body = body(fetch(&url).await);
        assert_eq!(body.bytes, CALENDAR, "{status}");
        assert_eq!(body.moved_to, moved.then(|| last.clone()), "{status}");
    }
    // Once it is only for now, it is only for now.
    for chain in [[301, 302], [302, 301]] {
        let second = named(&server.url, HOST, &leading_to(chain[1], last.as_str()));
        let url = named(&server.url, HOST, &leading_to(chain[0], second.as_str()));
        assert_eq!(body(fetch(&url).await).moved_to, None, "{chain:?}");
    }
    let relative = named(&server.url, HOST, &leading_to(308, "/last.ics?s=1#part"));
    assert_eq!(body(fetch(&relative).await).moved_to, Some(last));
}

/// Always to another place.
fn further(request: &str) -> CannedReply {
    let path = request.split(' ').nth(1).unwrap();
    redirect("301 Moved", &format!("{path}x"))
}

#[tokio::test]
async fn an_endless_way_is_given_up() {
    let server = CannedServer::start(CannedReply::To(leads)).await;
    let mut url = named(&server.url, HOST, "/last.ics");
    for redirects in 1..=6 {
        url = named(&server.url, HOST, &leading_to(302, url.as_str()));
        let expected = if redirects <= 5 { "ok" } else { "too_many_redirects" };
        assert_eq!(code(fetch(&url).await), expected, "{redirects}");
    }
    let circle = CannedServer::start(redirect("302 Found", "/again")).await;
    assert_eq!(code(fetch(&named(&circle.url, HOST, "/")).await), "too_many_redirects");
    assert_eq!(circle.requests().len(), 2);
    let endless = CannedServer::start(CannedReply::To(further)).await;
    let error = fetch(&named(&endless.url, HOST, "/")).await.unwrap_err();
    assert!(error.is_permanent() && error.code() == "too_many_redirects");
    assert_eq!(endless.requests().len(), 6);
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_said() {
    for location in ["", "location: http://[\r\n", "location: \u{e9}\r\n"] {
        let reply = answer_of("302 Found", "text/html", location, "");
        let server = CannedServer::start(reply).await;
        let outcome = fetch(&named(&server.url, HOST, "/")).await;
        assert_eq!(code(outcome), "bad_redirect", "{location:?}");
    }
}

#[tokio::test]
async fn a_password_goes_to_its_own_server_and_to_no_other() {
    let other = CannedServer::start(CannedReply::To(leads)).await;
    let server = CannedServer::start(CannedReply::To(leads)).await;
    let fetcher = fetcher_with(limits(), &[HOST, "other.example"]);
    let with_password = |mut url: url::Url| {
        url.set_username("ana").unwrap();
        url.set_password(Some("p@ss:word")).unwrap();
        url
    };
    // ana:p@ss:word
    let basic = Some("Basic YW5hOnBAc3M6d29yZA==");
    let same = named(&server.url, HOST, "/last.ics");
    let url = with_password(named(&server.url, HOST, &leading_to(301, same.as_str())));
    let answer = body(fetcher.fetch(FeedRequest::anew(&url)).await);
    assert_eq!(answer.moved_to, Some(with_password(same)));
    assert!(server.requests().iter().all(|request| header(request, "authorization") == basic));
    assert!(server.requests().iter().all(|request| !request.contains('@')), "as a header alone");

    // Another name, another port, and what the server itself puts there.
    for (host, there) in [("other.example", &server), (HOST, &other)] {
        let target = named(&there.url, host, "/elsewhere.ics");
        for target in [target.clone(), with_password(target)] {
            let url = with_password(named(&server.url, HOST, &leading_to(308, target.as_str())));
            let moved = body(fetcher.fetch(FeedRequest::anew(&url)).await).moved_to.unwrap();
            assert_eq!((moved.username(), moved.password()), ("", None));
        }
    }
    let elsewhere = [server.requests(), other.requests()].concat();
    let elsewhere: Vec<_> = elsewhere.iter().filter(|request| request.contains("/elsewhere.ics")).collect();
    assert_eq!(elsewhere.len(), 4);
    assert!(elsewhere.iter().all(|request| header(request, "authorization").is_none()), "{elsewhere:?}");
}

#[tokio::test]
async fn only_what_has_changed_is_sent_again() {
    fn say(request: &str) -> CannedReply {
        let etag = header(request, "if-none-match");
        let date = header(request, "if-modified-since");
        if etag == Some("W/\"7\"") || date == Some("Sat, 21 Nov 2026 08:00:00 GMT") {
            return answer_of("304 Not Modified", "text/calendar", "", "");
        }
        calendar("etag: W/\"7\"\r\nlast-modified: Sat, 21 Nov 2026 08:00:00 GMT\r\n")
    }
    let server = CannedServer::start(CannedReply::To(say)).await;
    let url = named(&server.url, HOST, "/a.ics");
    let first = body(fetch(&url).await);
    let (etag, date) = (first.etag.as_deref(), first.last_modified.as_deref());
    assert_eq!((etag, date), (Some("W/\"7\""), Some("Sat, 21 Nov 2026 08:00:00 GMT")));
    for (etag, last_modified) in [(etag, date), (etag, None), (None, date)] {
        let request = FeedRequest { url: &url, etag, last_modified };
        assert_eq!(fetcher().fetch(request).await, Ok(FeedFetchOutcome::NotModified));
    }
    let other = FeedRequest { url: &url, etag: Some("\"6\""), last_modified: None };
    assert_eq!(body(fetcher().fetch(other).await).bytes, CALENDAR);
    // What no header can hold is as if it were not known.
    let odd = FeedRequest { url: &url, etag: Some("\"7\"\r\nx: y"), last_modified: None };
    assert_eq!(body(fetcher().fetch(odd).await).bytes, CALENDAR);

    let request = &server.requests()[0];
    for (name, value) in [
        ("user-agent", concat!("Concord/", env!("CARGO_PKG_VERSION"), " (reads calendar feeds)")),
        ("accept", "text/calendar, text/plain;q=0.8, */*;q=0.1"),
        ("accept-encoding", "gzip"),
    ] {
        assert_eq!(header(request, name), Some(value));
    }
    // Nobody asked whether it has changed.
    let server = CannedServer::start(answer_of("304 Not Modified", "text/calendar", "", "")).await;
    assert_eq!(code(fetch(&named(&server.url, HOST, "/")).await), "refused");
}
