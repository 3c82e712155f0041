//! `/api/ical/bookings.ics` and `/api/ical/info`.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    feeds::{fetch, get, publish},
    page_client::{PageClient, person, person_at},
    test_app::{ApiClient, TestApp, day, stay},
};

async fn agreed_bookings_are_called_by_their_guests(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (api, room) = (&test_app.api, test_app.resource(9).await);
    let put = async |reference: &str, status: &str, from: u64| {
        let mut body = stay(&room, from, 2);
        body["status"] = json!(status);
        body["party_size"] = json!(2);
        body["customer"] = json!({ "name": "John Doe", "email": "john@example.org", "phone": "1234567890" });
        api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201)
    };
    let confirmed = put("a", "confirmed", 1).await;
    put("b", "approved", 5).await;
    put("c", "pending", 9).await;
    put("d", "cancelled", 12).await;

    let info = api.get("/api/ical/info").await.expect(200);
    let url = info["export_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("{}/api/ical/bookings.ics?token=cf_", api.base)), "{url}");
    for (platform, is_given) in
        [("airbnb", false), ("booking_com", false), ("google", true), ("general", false)]
    {
        let steps = info["instructions"][platform].as_str().unwrap_or_default();
        assert_eq!(steps.contains(&url), is_given, "who sells would give it back: {platform}: {info}");
    }
    assert!(info["features"].as_array().unwrap().len() > 3);
    assert_eq!(api.get("/api/ical/info").await.expect(200), info, "the address stays");
    let channel = json!({ "resource": room.id, "platform": "airbnb" });
    let channel = api.post("/api/v1/channels", channel).await.expect(201);
    let told = api.get("/api/ical/info").await.expect(200)["instructions"]["airbnb"].to_string();
    assert!(told.contains(channel["feed_url"].as_str().unwrap()), "{told}");

    let read = get(api, &url).await;
    assert_eq!(read.summaries(), ["Booking: John Doe", "Booking: John Doe"]);
    let (id, unfolded) = (confirmed["id"].as_str().unwrap(), read.text().replace("\r\n ", ""));
    let name = &test_app.business.name;
    for line in [
        format!("X-WR-CALNAME:{name} Bookings"),
        format!("X-WR-CALDESC:Confirmed and approved bookings for {name}"),
        format!("UID:booking-{id}@127.0.0.1"),
        format!("DTSTART;VALUE=DATE:{}", day(1).replace('-', "")),
        format!("DTEND;VALUE=DATE:{}", day(3).replace('-', "")),
        "STATUS:CONFIRMED".to_owned(),
        format!(
            "DESCRIPTION:Guest: John Doe\\nEmail: john@example.org\\nPhone: 1234567890\\nGuests: 2\\nStatus: \
             confirmed\\nBooking ID: {id}"
        ),
    ] {
        assert!(unfolded.lines().any(|found| found == line), "{line}\n{unfolded}");
    }
    for field in ["\r\nCREATED:", "\r\nLAST-MODIFIED:", "\r\nX-WR-TIMEZONE:"] {
        assert!(unfolded.contains(field), "{field}");
    }

    let tag = read.header("etag").to_owned();
    let again = fetch(api, Method::GET, &url, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    let head = fetch(api, Method::HEAD, &url, &[]).await;
    assert_eq!((head.header("content-length"), head.bytes.len()), (&*read.bytes.len().to_string(), 0));
    let packed = fetch(api, Method::GET, &url, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    put("e", "confirmed", 20).await;
    assert_eq!(get(api, &url).await.summaries().len(), 3);

    test_app.app.access.flush(test_app.db()).await.unwrap();
    let feed = api.get("/api/v1/feeds").await.expect(200)["items"][0].clone();
    assert_eq!((&feed["scope"], &feed["privacy"]), (&json!("business"), &json!("full")));
    let path = format!("/api/v1/feeds/{}", feed["id"].as_str().unwrap());
    assert_eq!(api.get(&format!("{path}/readers")).await.expect(200)["items"][0]["reads"], 4);
    let rotated = api.post(&format!("{path}/rotate"), json!({})).await.expect(200);
    let new = bookings_url(api, rotated["url"].as_str().unwrap());
    assert_eq!(api.get("/api/ical/info").await.expect(200)["export_url"], json!(new));
    assert_eq!(get(api, &url).await.status, StatusCode::NOT_FOUND);
    test_app.stop().await;
}

async fn any_feed_of_the_business_opens_them_at_its_privacy(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (api, room) = (&test_app.api, test_app.resource(9).await);
    let mut body = stay(&room, 1, 2);
    body["customer"] = json!({ "name": "John Doe", "email": "john@example.org", "phone": "1234567890" });
    api.put("/api/v1/bookings/a", body).await.expect(201);
    let address = async |body: Value| bookings_url(api, &publish(api, body).await.1);
    let title = address(json!({ "scope": "business", "name": "Titles", "privacy": "title" })).await;
    let read = get(api, &title).await;
    assert_eq!(read.summaries(), ["Booking: John"]);
    for secret in ["Doe", "john@example.org", "1234567890"] {
        assert!(!read.text().contains(secret), "{secret}");
    }
    let busy = get(api, &address(json!({ "scope": "business", "name": "Busy" })).await).await;
    assert_eq!(busy.summaries(), ["Busy"]);
    assert!(!busy.text().contains("John") && !busy.text().contains("DESCRIPTION"), "{}", busy.text());

    let of_room = address(json!({ "scope": "resource", "subject": room.id, "name": "Room" })).await;
    let made_up = format!("{}/api/ical/bookings.ics?token=cf_made_up", api.base);
    for url in [of_room, made_up] {
        let answer = get(api, &url).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, "Not found.\n"));
    }
    for query in ["", "?token=", "?other=1"] {
        let answer = get(api, &format!("{}/api/ical/bookings.ics{query}", api.base)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{query}");
        assert!(answer.text().contains("?token=cf_..."), "{}", answer.text());
    }
    test_app.stop().await;
}

fn bookings_url(api: &ApiClient, feed: &str) -> String {
    let token = feed.rsplit('/').next().unwrap().trim_end_matches(".ics");
    format!("{}/api/ical/bookings.ics?token={token}", api.base)
}

async fn the_address_is_for_managers_and_programs(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    test_app.api.send_unauthenticated(Method::GET, "/api/ical/info").await.problem(401, "unauthorized");
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    // The cookie comes with a link on any page: it publishes nothing.
    let page = manager.get("/api/ical/info").await;
    assert_eq!(page.status, 404, "{}", page.text);
    assert!(page.text.contains("not published yet"), "{}", page.text);
    let feeds =
        async || test_app.api.get("/api/v1/feeds").await.expect(200)["items"].as_array().unwrap().len();
    assert_eq!(feeds().await, 0);
    // Whichever program asks first, there is one.
    let all = futures::future::join_all((0..4).map(|_| test_app.api.get("/api/ical/info"))).await;
    let urls: Vec<Value> = all.into_iter().map(|info| info.expect(200)["export_url"].clone()).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    assert_eq!(feeds().await, 1);
    let page = manager.get("/api/ical/info").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(serde_json::from_str::<Value>(&page.text).unwrap()["export_url"], urls[0]);

    let rui = test_app.staff("Rui").await;
    let staff = person_at(&test_app, "rui@example.org", Role::Staff, Some(rui)).await;
    let page = PageClient::signed_in(&test_app, &staff).await.get("/api/ical/info").await;
    assert_eq!(page.status, 403, "{}", page.text);
    assert!(page.text.contains("Only managers") && !page.text.contains("cf_"));
    let (_, elsewhere) = test_app.other_business().await;
    assert_ne!(elsewhere.get("/api/ical/info").await.expect(200)["export_url"], urls[0]);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    agreed_bookings_are_called_by_their_guests,
    any_feed_of_the_business_opens_them_at_its_privacy,
    the_address_is_for_managers_and_programs,
);
