//! Booking platforms as guests, hosts and readers of feeds meet them.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{SandboxClient, SandboxResponse, send};

const AIRBNB: &str = "/ota/airbnb-sea-view-suite";
const VRBO: &str = "/ota/vrbo-sea-view-suite";
const BOOKING: &str = "/ota/booking-com-sea-view-suite";

/// A day so many days from today; no sample reaches the hundredth.
#[expect(clippy::disallowed_methods, reason = "the sandbox goes by the real time")]
pub(crate) fn day(days: u64) -> String {
    let today = chrono::Utc::now().date_naive();
    (today + chrono::Days::new(days)).to_string()
}

async fn control(outside: &SandboxClient, method: Method, path: &str, body: Value) -> SandboxResponse {
    outside.control(method, path, (!body.is_null()).then_some(body)).await
}

async fn break_feed(outside: &SandboxClient, listing: &str, mut fault: Value) -> SandboxResponse {
    (fault["provider"], fault["account"]) = ("ota".into(), listing.trim_start_matches("/ota/").into());
    control(outside, Method::POST, "/faults", fault).await
}

async fn export_url(outside: &SandboxClient, listing: &str) -> String {
    let listing = control(outside, Method::GET, listing, Value::Null).await.expect(200);
    listing["export_url"].as_str().unwrap().to_owned()
}

async fn feed(outside: &SandboxClient, listing: &str) -> SandboxResponse {
    let url = export_url(outside, listing).await;
    send(outside.http.get(url).header("user-agent", "a reader")).await
}

fn text(answer: SandboxResponse) -> String {
    assert_eq!(answer.headers["content-type"], "text/calendar; charset=utf-8");
    answer.expect(200).as_str().unwrap().to_owned()
}

fn events(feed: &str) -> usize {
    feed.matches("BEGIN:VEVENT").count()
}

#[tokio::test]
async fn a_guest_books_changes_and_cancels() {
    let outside = SandboxClient::start().await;
    let before = text(feed(&outside, VRBO).await);
    let new = json!({ "guest": "Ana Pereira", "check_in": day(100), "check_out": day(103) });
    let stay = control(&outside, Method::POST, &format!("{VRBO}/bookings"), new.clone()).await.expect(201);
    assert_eq!(stay["kind"], "booking");
    let with = text(feed(&outside, VRBO).await);
    assert_eq!(events(&with), events(&before) + 1);
    assert!(with.contains("SUMMARY:Reserved - Ana\r\n"));
    let taken = control(&outside, Method::POST, &format!("{VRBO}/bookings"), new).await.expect(409);
    assert_eq!(taken["error"], "it is booked or blocked between these dates");
    let block = json!({ "check_in": day(103), "check_out": day(104) });
    let block = control(&outside, Method::POST, &format!("{VRBO}/blocks"), block).await.expect(201);
    assert_eq!(block["kind"], "block");
    let place = format!("{VRBO}/bookings/{}", stay["id"].as_str().unwrap());
    let moved = json!({ "check_in": day(101) });
    let moved = control(&outside, Method::PATCH, &place, moved).await.expect(200);
    assert_eq!((&moved["check_in"], &moved["check_out"]), (&json!(day(101)), &json!(day(103))));
    let over = json!({ "check_in": day(101), "check_out": day(104) });
    control(&outside, Method::PATCH, &place, over).await.expect(409);
    control(&outside, Method::DELETE, &place, Value::Null).await.expect(204);
    control(&outside, Method::DELETE, &place, Value::Null).await.expect(404);
    assert!(!text(feed(&outside, VRBO).await).contains("Ana"));
    for (path, body) in [
        (format!("{VRBO}/bookings"), json!({ "guest": "Eve", "check_in": day(9), "check_out": day(9) })),
        (format!("{VRBO}/bookings"), json!({ "guest": "Eve", "check_in": "soon", "check_out": day(9) })),
        (format!("{VRBO}/blocks"), json!({ "check_in": day(9) })),
    ] {
        control(&outside, Method::POST, &path, body).await.expect(400);
    }
    control(&outside, Method::GET, "/ota/nowhere", Value::Null).await.expect(404);
}

#[tokio::test]
async fn feed_requires_token_and_user_agent() {
    let outside = SandboxClient::start().await;
    let url = export_url(&outside, AIRBNB).await;
    send(outside.http.get(&url)).await.expect(403);
    send(outside.http.get(&url).header("user-agent", "x")).await.expect(200);
    send(outside.http.get(format!("{url}0")).header("user-agent", "x")).await.expect(404);
    send(outside.http.get(url.replace("/airbnb/", "/vrbo/")).header("user-agent", "x")).await.expect(404);
    send(outside.http.get(export_url(&outside, VRBO).await)).await.expect(200);
    let asked = control(&outside, Method::GET, AIRBNB, Value::Null).await.expect(200);
    let asked = asked["asked"].as_array().unwrap();
    assert_eq!(asked.iter().map(|one| one["status"].as_u64().unwrap()).collect::<Vec<_>>(), [403, 200]);
    assert_eq!(asked[1]["user_agent"], "x");
}

#[tokio::test]
async fn booking_com_alone_says_that_nothing_has_changed() {
    let outside = SandboxClient::start().await;
    let first = feed(&outside, BOOKING).await;
    let etag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = async || {
        let url = export_url(&outside, BOOKING).await;
        send(outside.http.get(url).header("if-none-match", &etag)).await.status
    };
    assert_eq!(again().await, 304);
    let block = json!({ "check_in": day(100), "check_out": day(101) });
    control(&outside, Method::POST, &format!("{BOOKING}/blocks"), block).await.expect(201);
    assert_eq!(again().await, 200);
    assert!(!feed(&outside, AIRBNB).await.headers.contains_key("etag"));
}

#[tokio::test]
async fn feeds_break_on_demand_and_as_often_as_was_asked_for() {
    let outside = SandboxClient::start().await;
    for days in [100, 102, 104] {
        let new = json!({ "guest": "Ana", "check_in": day(days), "check_out": day(days + 1) });
        control(&outside, Method::POST, &format!("{VRBO}/bookings"), new).await.expect(201);
    }
    let whole = text(feed(&outside, VRBO).await);
    let break_it = async |fault: Value| break_feed(&outside, VRBO, fault).await.expect(201);
    break_it(json!({ "kind": "empty", "count": 1 })).await;
    assert_eq!(events(&text(feed(&outside, VRBO).await)), 0);
    break_it(json!({ "kind": "half", "count": 1 })).await;
    assert!(events(&text(feed(&outside, VRBO).await)) * 2 < events(&whole));
    break_it(json!({ "kind": "truncate", "count": 1 })).await;
    let cut = text(feed(&outside, VRBO).await);
    assert!(!cut.contains("END:VCALENDAR") && cut.starts_with("BEGIN:VCALENDAR"));
    break_it(json!({ "kind": "html", "count": 1 })).await;
    let page = feed(&outside, VRBO).await;
    assert!(page.expect(200).as_str().unwrap().starts_with("<!doctype html>"));
    for status in [404, 403, 500] {
        break_it(json!({ "kind": "status", "value": status, "count": 1 })).await;
        assert_eq!(feed(&outside, VRBO).await.status.as_u16(), status);
    }
    break_it(json!({ "kind": "slow", "value": 1, "count": 1 })).await;
    assert_eq!(events(&text(feed(&outside, VRBO).await)), events(&whole));
    break_it(json!({ "kind": "change_uids" })).await;
    let uids = |feed: &str| {
        let lines = feed.lines().filter(|line| line.starts_with("UID:"));
        lines.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (first, second) = (text(feed(&outside, VRBO).await), text(feed(&outside, VRBO).await));
    assert!(uids(&first).is_disjoint(&uids(&whole)) && uids(&first).is_disjoint(&uids(&second)));
    assert_eq!(events(&text(feed(&outside, AIRBNB).await)), 3, "the others are spared");
    break_feed(&outside, AIRBNB, json!({ "kind": "empty" })).await.expect(201);
    let listed = control(&outside, Method::GET, VRBO, Value::Null).await.expect(200);
    assert_eq!(listed["faults"].as_array().unwrap().len(), 9);
    let faults = "/faults?provider=ota&account=vrbo-sea-view-suite";
    control(&outside, Method::DELETE, faults, Value::Null).await.expect(204);
    assert_eq!(uids(&text(feed(&outside, VRBO).await)), uids(&whole));
    assert_eq!(events(&text(feed(&outside, AIRBNB).await)), 0, "what is for others stays");
    break_feed(&outside, "/ota/nowhere", json!({ "kind": "empty" })).await.expect(404);
}

#[tokio::test]
async fn a_person_breaks_a_calendar_on_its_page_and_mends_it() {
    let outside = SandboxClient::start().await;
    let page = outside.url("/ota/vrbo/vrbo-sea-view-suite");
    let say = async |fault: &str| {
        let sent = outside.http.post(format!("{page}/fault")).form(&[("fault", fault)]);
        send(sent).await.status.as_u16()
    };
    let whole = events(&text(feed(&outside, VRBO).await));
    assert_eq!((say("empty").await, events(&text(feed(&outside, VRBO).await))), (303, 0));
    let shown = send(outside.http.get(&page)).await.expect(200);
    assert!(shown.as_str().unwrap().contains("<option value=\"empty\" selected>"));
    assert_eq!((say("status").await, feed(&outside, VRBO).await.status.as_u16()), (303, 404));
    assert_eq!(say("on fire").await, 422);
    assert_eq!((say("").await, events(&text(feed(&outside, VRBO).await))), (303, whole));
}

#[tokio::test]
async fn a_bomb_is_small_until_it_is_unpacked() {
    let outside = SandboxClient::start().await;
    break_feed(&outside, AIRBNB, json!({ "kind": "gzip_bomb", "count": 1 })).await.expect(201);
    let url = export_url(&outside, AIRBNB).await;
    let mut bomb = outside.http.get(url).header("user-agent", "x").send().await.unwrap();
    let (mut read, most) = (0, 64 << 20);
    while read < most {
        let chunk = bomb.chunk().await.unwrap().unwrap();
        assert!(chunk.iter().all(|byte| *byte == 0));
        read += chunk.len();
    }
}

/// A calendar that somebody publishes: its text can be changed, and what was asked is noted.
#[derive(Clone, Default)]
struct PublishedListing {
    text: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl PublishedListing {
    async fn serve() -> (Self, String) {
        let published = Self::default();
        let router = Router::new()
            .route("/feed.ics", get(async |published, headers| Self::answer(&published, &headers)))
            .with_state(published.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/feed.ics", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (published, url)
    }

    fn say(&self, stays: &[(u64, u64)]) {
        let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n".to_owned();
        for (from, to) in stays {
            let date = |days| day(days).replace('-', "");
            let (from, to) = (date(*from), date(*to));
            let _infallible = write!(
                text,
                "BEGIN:VEVENT\r\nUID:{from}\r\nDTSTART;VALUE=DATE:{from}\r\nDTEND;VALUE=DATE:{to}\r\nEND:VEVENT\r\n"
            );
        }
        text.push_str("END:VCALENDAR\r\n");
        *self.text.lock().unwrap() = Some(text);
    }

    fn answer(State(published): &State<Self>, headers: &HeaderMap) -> Response {
        published.asked.lock().unwrap().push(headers.clone());
        let Some(text) = published.text.lock().unwrap().clone() else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let etag = format!("\"{}\"", text.len());
        if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *etag) {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        ([(header::ETAG, etag)], text).into_response()
    }
}

#[tokio::test]
async fn what_a_platform_reads_closes_nights_and_comes_back_as_blocks() {
    let outside = SandboxClient::start().await;
    let (published, url) = PublishedListing::serve().await;
    published.say(&[(100, 104)]);
    let import = json!({ "url": url });
    let set = control(&outside, Method::PUT, &format!("{AIRBNB}/import"), import).await.expect(200);
    assert_eq!(set["import"]["every_seconds"], 7_200);
    let race = json!({ "guest": "Eve", "check_in": day(110), "check_out": day(112) });
    control(&outside, Method::POST, &format!("{AIRBNB}/bookings"), race).await.expect(201);
    let read = format!("{AIRBNB}/read");
    let told = control(&outside, Method::POST, &read, Value::Null).await.expect(200);
    assert_eq!(told["import"]["closed"], json!([{ "check_in": day(100), "check_out": day(104) }]));
    let taken = json!({ "guest": "Eve", "check_in": day(103), "check_out": day(105) });
    let taken = control(&outside, Method::POST, &format!("{AIRBNB}/bookings"), taken).await.expect(409);
    assert_eq!(taken["error"], "the imported calendar closes nights between these dates");
    let echo = format!("DTSTART;VALUE=DATE:{}", day(100).replace('-', ""));
    assert!(text(feed(&outside, AIRBNB).await).contains(&echo));
    // Booked before it was read: the platform keeps its guest.
    published.say(&[(100, 104), (111, 115)]);
    control(&outside, Method::POST, &read, Value::Null).await.expect(200);
    let exported = text(feed(&outside, AIRBNB).await);
    let rest = format!(
        "DTSTART;VALUE=DATE:{}\r\nDTEND;VALUE=DATE:{}\r\nSUMMARY:Airbnb (Not available)",
        day(112).replace('-', ""),
        day(115).replace('-', "")
    );
    assert!(exported.contains(&rest), "{exported}");
    // Nothing new, then no answer, then no calendar: what was closed stays closed.
    let again = control(&outside, Method::POST, &read, Value::Null).await.expect(200);
    assert_eq!(again["outcome"], json!({ "ok": true, "says": "nothing has changed" }));
    *published.text.lock().unwrap() = None;
    let failed = control(&outside, Method::POST, &read, Value::Null).await.expect(200);
    assert_eq!(failed["outcome"], json!({ "ok": false, "says": "the answer was 500" }));
    *published.text.lock().unwrap() = Some("<html>".into());
    let failed = control(&outside, Method::POST, &read, Value::Null).await.expect(200);
    assert_eq!(failed["outcome"]["ok"], false);
    assert_eq!(failed["import"]["closed"].as_array().unwrap().len(), 2);
    {
        let asked = published.asked.lock().unwrap();
        assert!(asked.iter().all(|headers| headers["user-agent"] == "Airbnb/1.0 (calendar sync)"));
        assert!(
            !asked[0].contains_key("if-none-match") && asked.last().unwrap().contains_key("if-none-match")
        );
    }
    control(&outside, Method::DELETE, &format!("{AIRBNB}/import"), Value::Null).await.expect(204);
    control(&outside, Method::POST, &read, Value::Null).await.expect(400);
    assert!(!text(feed(&outside, AIRBNB).await).contains(&echo));
    for bad in ["ftp://book.example/x.ics", "http://book.example/x.ics", "calendar"] {
        control(&outside, Method::PUT, &format!("{AIRBNB}/import"), json!({ "url": bad })).await.expect(400);
    }
}

#[tokio::test]
async fn a_platform_reads_by_itself_at_its_pace() {
    let outside = SandboxClient::start().await;
    let (published, url) = PublishedListing::serve().await;
    published.say(&[(100, 104)]);
    let import = json!({ "url": url, "every_seconds": 1 });
    control(&outside, Method::PUT, &format!("{VRBO}/import"), import).await.expect(200);
    let closed = async || {
        let listing = control(&outside, Method::GET, VRBO, Value::Null).await.expect(200);
        listing["import"]["closed"].as_array().unwrap().len()
    };
    let patience = std::time::Duration::from_secs(30);
    let reads = async |count| {
        while closed().await != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, reads(1)).await.unwrap();
    published.say(&[(100, 104), (106, 107)]);
    tokio::time::timeout(patience, reads(2)).await.unwrap();
}

#[tokio::test]
async fn listings_survive_a_restart_and_new_ones_can_be_made() {
    let data = tempfile::tempdir().unwrap();
    let outside = SandboxClient::start_in(data.path()).await;
    let (published, url) = PublishedListing::serve().await;
    published.say(&[(100, 104)]);
    let new = json!({ "platform": "booking_com", "name": "Treatment Room", "zone": "Asia/Tokyo" });
    let made = control(&outside, Method::POST, "/ota", new.clone()).await.expect(201);
    assert_eq!(made["id"], "booking-com-treatment-room");
    control(&outside, Method::POST, "/ota", new).await.expect(409);
    control(&outside, Method::POST, "/ota", json!({ "platform": "agoda", "name": "x" })).await.expect(400);
    control(&outside, Method::POST, "/ota", json!({ "platform": "vrbo", "name": " " })).await.expect(400);
    control(&outside, Method::PUT, &format!("{VRBO}/import"), json!({ "url": url })).await.expect(200);
    control(&outside, Method::POST, &format!("{VRBO}/read"), Value::Null).await.expect(200);
    let block = json!({ "check_in": day(120), "check_out": day(121) });
    control(&outside, Method::POST, &format!("{VRBO}/blocks"), block).await.expect(201);
    let lasting = |mut listings: Value| {
        for listing in listings.as_array_mut().unwrap() {
            let listing = listing.as_object_mut().unwrap();
            listing.remove("asked");
            // The port is another one.
            let url = listing.remove("export_url").unwrap();
            listing.insert("token".into(), url.as_str().unwrap().split("t=").nth(1).into());
            if let Some(import) = listing["import"].as_object_mut() {
                import.remove("last_read");
            }
        }
        listings
    };
    let before = lasting(control(&outside, Method::GET, "/ota", Value::Null).await.expect(200));
    let exported = outside.sandbox.listings();
    assert_eq!(exported.len(), 5);
    outside.sandbox.stop().await;
    let outside = SandboxClient::start_in(data.path()).await;
    let after = lasting(control(&outside, Method::GET, "/ota", Value::Null).await.expect(200));
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_person_books_on_the_page() {
    let outside = SandboxClient::start().await;
    let (published, url) = PublishedListing::serve().await;
    published.say(&[(100, 104)]);
    let page = async |path: &str| {
        let answer = send(outside.http.get(outside.url(path))).await.expect(200);
        answer.as_str().unwrap().to_owned()
    };
    assert!(page("/").await.contains("href=\"/ota\""));
    let all = page("/ota").await;
    for text in ["Airbnb", "Vrbo", "Booking.com", "Sea View Suite", "Garden Rooms", "<caption>"] {
        assert!(all.contains(text), "{text}");
    }
    let place = "/ota/vrbo/vrbo-sea-view-suite";
    assert!(all.contains(place));
    let submit = async |action: &str, fields: &[(&str, &str)]| {
        send(outside.http.post(outside.url(&format!("{place}/{action}"))).form(fields)).await
    };
    let (from, to) = (day(100), day(103));
    let booked = submit("book", &[("guest", "<b>Ana</b>"), ("check_in", &from), ("check_out", &to)]).await;
    assert_eq!(booked.status, 303);
    let shown = page(booked.headers["location"].to_str().unwrap()).await;
    assert!(
        shown.contains("Booked.") && shown.contains("&lt;b&gt;Ana&lt;/b&gt;") && !shown.contains("<b>Ana")
    );
    let listing = control(&outside, Method::GET, VRBO, Value::Null).await.expect(200);
    let stays = listing["bookings"].as_array().unwrap();
    let id = stays.last().unwrap()["id"].as_str().unwrap();
    for (action, fields, says) in [
        (
            "book",
            vec![("guest", "Eve"), ("check_in", &*from), ("check_out", &*to)],
            "It is booked or blocked",
        ),
        (
            "book",
            vec![("guest", "Eve"), ("check_in", "2020-01-01"), ("check_out", "2020-01-02")],
            "The first night is in the past",
        ),
        (
            "book",
            vec![("guest", "Eve"), ("check_in", &*to), ("check_out", &*from)],
            "The check-out must be after the check-in",
        ),
        ("book", vec![("guest", "Eve")], "Enter both days"),
        ("cancel", vec![("booking", "nothing")], "There is no such thing here."),
        ("import", vec![("url", "calendar")], "The address must begin with https://"),
        ("import", vec![("url", &*url), ("every_seconds", "often")], "Enter the interval in whole seconds."),
        ("read", vec![], "This listing reads no calendar."),
    ] {
        let refused = submit(action, &fields).await.expect(422);
        assert!(refused.as_str().unwrap().contains(says), "{action}: {says}");
    }
    for (action, fields) in [
        ("change", vec![("booking", id), ("check_in", &*day(110)), ("check_out", &*day(111))]),
        ("cancel", vec![("booking", id)]),
        ("block", vec![("check_in", &*from), ("check_out", &*to)]),
        ("import", vec![("url", &*url), ("every_seconds", "60")]),
        ("read", vec![]),
        ("end-import", vec![]),
    ] {
        assert_eq!(submit(action, &fields).await.status, 303, "{action}");
    }
    assert_eq!(submit("explode", &[]).await.status, 404);
    assert_eq!(send(outside.http.get(outside.url("/ota/vrbo/nothing"))).await.status, 404);
    for odd in ["?month=2026-13", "?month=nonsense", "?month=9999-12"] {
        page(&format!("{place}{odd}")).await;
    }
}
