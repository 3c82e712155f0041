//! Channels, imports and webhooks over HTTP, with the sandbox's listings as the platforms.

use base64::{Engine, engine::general_purpose::STANDARD};
use concord_storage::testing::TestDb;
use hmac::{Hmac, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    feeds::get,
    test_app::{TestApp, TestAppOptions, day, stay, until},
};

/// One that may read feeds on this machine.
async fn test_app(db: &TestDb) -> TestApp {
    let settings = vec![("channels.allowed_hosts", r#"["127.0.0.1", "localhost"]"#.to_owned())];
    TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await
}

/// The listing of that platform: its id and the address of its calendar.
async fn listing(test_app: &TestApp, platform: &str) -> (String, String) {
    let all = test_app.control(Method::GET, "/ota", Value::Null).await;
    let found = all.as_array().unwrap().iter().find(|one| one["platform"] == platform).unwrap();
    (found["id"].as_str().unwrap().to_owned(), found["export_url"].as_str().unwrap().to_owned())
}

async fn book(test_app: &TestApp, listing: &str, from: u64, until: u64) -> Value {
    let stay = json!({ "guest": "Maria Silva", "check_in": day(from), "check_out": day(until) });
    test_app.control(Method::POST, &format!("/ota/{listing}/bookings"), stay).await
}

/// Bookings that stand with that day of arrival.
async fn arriving(test_app: &TestApp, ahead: u64) -> Vec<Value> {
    let list =
        test_app.api.get(&format!("/api/v1/bookings?from={}&until={}", day(ahead), day(ahead + 1))).await;
    let items = list.expect(200)["items"].as_array().unwrap().clone();
    items.into_iter().filter(|item| item["check_in"] == day(ahead) && item["status"] != "cancelled").collect()
}

async fn a_listing_is_kept_in_step(db: &TestDb) {
    let test_app = test_app(db).await;
    let room = test_app.resource(1).await;
    let (airbnb, url) = listing(&test_app, "airbnb").await;
    book(&test_app, &airbnb, 201, 204).await;
    let body = json!({ "resource": room.id, "platform": "Airbnb", "import_url": url });
    let made = test_app.api.post("/api/v1/channels", body.clone()).await.expect(201);
    assert_eq!((&made["platform"], &made["state"]), (&json!("airbnb"), &json!("active")));
    assert!(made["feed_url"].as_str().unwrap().contains("/feeds/cf_"));
    assert!(!made.to_string().contains(&url), "the address of their calendar is a secret");
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    let arrived =
        until("their booking is here", async || arriving(&test_app, 201).await.into_iter().next()).await;
    assert_eq!(
        (&arrived["customer"]["name"], &arrived["source"]),
        (&json!("airbnb: Reserved"), &json!("airbnb"))
    );
    assert_eq!(arrived["check_out"], json!(day(204)));
    test_app.api.post("/api/v1/channels", body).await.problem(422, "invalid");

    // What is taken there cannot be booked here.
    test_app.api.put("/api/v1/bookings/ours", stay(&room, 202, 2)).await.problem(409, "taken");

    let events = test_app.api.get(&format!("{path}/events")).await.expect(200);
    let event = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["booking"] == arrived["reference"])
        .unwrap();
    let their = event["uid"].as_str().unwrap().to_owned();
    assert!(their.ends_with("@airbnb.com"), "{their}");
    let read_at = test_app.api.get(&path).await.expect(200)["read_at"].clone();
    test_app.api.post(&format!("{path}/sync"), json!({})).await.expect(202);
    until("it is read again", async || {
        let channel = test_app.api.get(&path).await.expect(200);
        (channel["read_at"] != read_at).then_some(())
    })
    .await;
    let runs = test_app.api.get(&format!("{path}/runs")).await.expect(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "nothing followed from the second: {runs}");

    let paused =
        test_app.api.patch(&path, json!({ "state": "paused", "interval_minutes": 45 })).await.expect(200);
    assert_eq!((&paused["state"], &paused["interval_minutes"]), (&json!("paused"), &json!(45)));
    test_app.api.post(&format!("{path}/sync"), json!({})).await.problem(409, "not-possible");
    test_app.api.patch(&path, json!({ "interval_minutes": 5 })).await.problem(422, "invalid");
    test_app.api.post(&format!("{path}/release"), json!({})).await.problem(409, "not-possible");
    test_app.api.delete(&path).await.expect(204);
    test_app.api.get(&path).await.problem(404, "not-found");
    assert_eq!(arriving(&test_app, 201).await.len(), 1, "its bookings stay");
    test_app.stop().await;
}

async fn an_address_is_imported(db: &TestDb) {
    let test_app = test_app(db).await;
    let room = test_app.resource(1).await;
    let (vrbo, url) = listing(&test_app, "vrbo").await;
    book(&test_app, &vrbo, 211, 214).await;
    let wanted = json!({ "ical_url": url, "platform": "vrbo", "dry_run": true });
    let foreseen = test_app.api.post("/api/ical/import", wanted).await.expect(200);
    assert!(foreseen["imported"].as_i64().unwrap() >= 1 && foreseen["events"].is_array(), "{foreseen}");
    assert_eq!(arriving(&test_app, 211).await.len(), 0);
    let wanted = json!({ "ical_url": url, "platform": "vrbo" });
    let done = test_app.api.post("/api/ical/import", wanted.clone()).await.expect(200);
    assert_eq!(done["imported"], foreseen["imported"]);
    let arrived = arriving(&test_app, 211).await;
    assert_eq!(arrived[0]["customer"]["name"], "vrbo: Reserved - Maria");
    assert_eq!(arrived[0]["resource"], json!(room.id));
    let again = test_app.api.post("/api/ical/import", wanted).await.expect(200);
    assert_eq!(
        (&again["imported"], &again["updated"], &again["cancelled"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert!(again["skipped"].as_i64().unwrap() >= done["imported"].as_i64().unwrap());
    test_app.stop().await;
}

const FILE: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:f-1\r\n\
    DTSTAMP:20261101T000000Z\r\nDTSTART;VALUE=DATE:20771203\r\nDTEND;VALUE=DATE:20771205\r\nSUMMARY:Party\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

async fn a_file_is_imported(db: &TestDb) {
    let test_app = test_app(db).await;
    let room = test_app.resource(1).await;
    let from = day(30).replace('-', "");
    let until = day(32).replace('-', "");
    let file = FILE.replace("20771203", &from).replace("20771205", &until);
    let as_calendar = |body: &str| Some(("text/calendar; charset=utf-8", body.to_owned()));
    let path = "/api/ical/import?platform=generic";
    for said in ["true", "True", "1", "on", "YES"] {
        let asked = format!("{path}&dry_run={said}");
        let foreseen = test_app.api.raw(Method::POST, &asked, as_calendar(&file), &[]).await.expect(200);
        assert_eq!(foreseen["events"].as_array().map(Vec::len), Some(1), "{said}");
    }
    let asked = format!("{path}&dry_run=banana");
    test_app.api.raw(Method::POST, &asked, as_calendar(&file), &[]).await.problem(422, "invalid");
    assert_eq!(arriving(&test_app, 30).await, Vec::<Value>::new());
    let done = test_app.api.raw(Method::POST, path, as_calendar(&file), &[]).await.expect(200);
    assert_eq!((&done["imported"], &done["conflicts"]), (&json!(1), &json!(0)));
    // The same by a form, for the resource that is named.
    let form = format!(
        "--x\r\nContent-Disposition: form-data; name=\"resource\"\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; \
         name=\"platform\"\r\n\r\ngeneric\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"a.ics\"\r\nContent-Type: text/calendar\r\n\r\n{file}\r\n--x--\r\n",
        room.id
    );
    let as_form = Some(("multipart/form-data; boundary=x", form));
    let again = test_app.api.raw(Method::POST, "/api/ical/import", as_form, &[]).await.expect(200);
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(0), &json!(1)));
    assert_eq!(arriving(&test_app, 30).await[0]["title"], "Party");

    for (body, kind, status) in [
        ("BEGIN:NOTHING", "text/calendar", 422),
        ("<html></html>", "text/calendar", 422),
        ("{}", "application/json", 422),
        ("{", "application/json", 400),
        ("x", "image/png", 415),
    ] {
        let answer =
            test_app.api.raw(Method::POST, "/api/ical/import", Some((kind, body.to_owned())), &[]).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let other = test_app.resource(1).await;
    let refused = test_app.api.raw(Method::POST, path, as_calendar(&file), &[]).await.problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "resource", "there are two by now, {}", other.id);
    for url in
        ["http://169.254.169.254/latest", "ftp://example.com/a.ics", "http://10.0.0.1/a.ics", "nonsense"]
    {
        let wanted = json!({ "ical_url": url, "platform": "generic", "resource": room.id });
        test_app.api.post("/api/ical/import", wanted).await.problem(422, "invalid");
    }
    test_app.stop().await;
}

async fn a_channel_manager_tells(db: &TestDb) {
    let test_app = test_app(db).await;
    let room = test_app.resource(1).await;
    let made = test_app
        .api
        .post("/api/v1/channels", json!({ "resource": room.id, "platform": "agoda" }))
        .await
        .expect(201);
    let path = format!("/api/v1/channels/{}/webhook", made["id"].as_str().unwrap());
    let keys = test_app.api.post(&path, json!({})).await.expect(201);
    let url = keys["url"].as_str().unwrap();
    let hook = &url[url.find("/hooks/").unwrap()..];
    let secret = keys["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap();
    let said = json!({ "type": "reservation.created",
        "data": { "uid": "r-1", "check_in": day(40), "check_out": day(42), "guest": "Maria" } })
    .to_string();
    let tell = async |id: &str, at: i64, body: &str, key: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).unwrap()).unwrap();
        mac.update(format!("{id}.{at}.{said}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let at = at.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        test_app.api.raw(Method::POST, hook, Some(("application/json", body.to_owned())), &headers).await
    };
    let now = test_app.app.now().timestamp();
    assert_eq!(tell("m-1", now, &said, secret).await.expect(200)["status"], "done");
    assert_eq!(tell("m-1", now, &said, secret).await.expect(200)["status"], "before");
    assert_eq!(arriving(&test_app, 40).await[0]["customer"]["name"], "agoda: Maria");
    for (at, body, key) in [
        (now - 400, said.as_str(), secret),
        (now, "{\"type\":\"reservation.cancelled\",\"data\":{\"uid\":\"r-1\"}}", secret),
        (now, &said, "AAAA"),
    ] {
        assert_eq!(tell("m-2", at, body, key).await.status, 401);
    }
    test_app.api.delete(&path).await.expect(204);
    assert_eq!(tell("m-3", now, &said, secret).await.status, 401);
    assert_eq!(arriving(&test_app, 40).await.len(), 1);
    test_app.stop().await;
}

async fn platforms_are_told_and_set(db: &TestDb) {
    let test_app = test_app(db).await;
    let list = test_app.api.get("/api/v1/platforms").await.expect(200);
    let ids: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    for id in [
        "airbnb",
        "vrbo",
        "booking_com",
        "agoda",
        "gommt",
        "lekkeslaap",
        "safarinow",
        "google",
        "outlook",
        "generic",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
    let said = json!({ "interval_minutes": 90, "preference": "keep", "blocks": "ignore" });
    let set = test_app.api.patch("/api/v1/platforms/Booking.com", said).await.expect(200);
    assert_eq!((&set["id"], &set["interval_minutes"]), (&json!("booking_com"), &json!(90)));
    assert!(!set["notes"].as_array().unwrap().is_empty(), "its limits are told");
    let room = test_app.resource(1).await;
    let made = test_app
        .api
        .post("/api/v1/channels", json!({ "resource": room.id, "platform": "booking.com" }))
        .await;
    let made = made.expect(201);
    assert_eq!(
        (&made["preference"], &made["blocks"], &made["interval_minutes"]),
        (&json!("keep"), &json!("ignore"), &json!(90))
    );
    test_app
        .api
        .patch("/api/v1/platforms/airbnb", json!({ "interval_minutes": 1 }))
        .await
        .problem(422, "invalid");
    test_app.api.get("/api/v1/platforms/nowhere").await.problem(404, "not-found");
    test_app.stop().await;
}

async fn unconfirmed_nights_are_settled(db: &TestDb) {
    let test_app = test_app(db).await;
    let room = test_app.resource(1).await;
    let (booking_com, url) = listing(&test_app, "booking_com").await;
    let body = json!({ "resource": room.id, "platform": "booking_com", "import_url": url });
    let made = test_app.api.post("/api/v1/channels", body).await.expect(201);
    let (path, feed) =
        (format!("/api/v1/channels/{}", made["id"].as_str().unwrap()), made["feed_url"].as_str().unwrap());
    // What we publish is not read as if it were theirs.
    let own = test_app.api.post("/api/ical/import", json!({ "ical_url": feed, "platform": "generic" })).await;
    let own = own.problem(422, "invalid");
    assert!(own["detail"].as_str().unwrap().contains("one of Concord's own feeds"), "{own}");

    let platform_reads = async || {
        // As often as it wants: who works beside it may change what it has just read.
        until("the platform has read it", async || {
            get(&test_app.api, feed).await;
            let exposure = test_app.api.get(&path).await.expect(200)["exposure"].clone();
            (exposure["seen_revision"] == exposure["revision"]).then_some(())
        })
        .await;
    };
    let ours = || stay(&room, 231, 2);
    test_app.api.put("/api/v1/bookings/ours", ours()).await.expect(201);
    platform_reads().await;
    test_app.api.delete("/api/v1/bookings/ours").await.expect(200);
    platform_reads().await;
    book(&test_app, &booking_com, 231, 233).await;
    test_app.api.post(&format!("{path}/sync"), json!({})).await.expect(202);
    let event = until("it is unconfirmed", async || {
        test_app.api.get(&path).await.expect(200)["unconfirmed"].as_array().unwrap().first().cloned()
    })
    .await;
    assert!(event["reason"].as_str().unwrap().contains("Booking.com has imported that"), "{event}");
    test_app.api.put("/api/v1/bookings/again", ours()).await.problem(409, "taken");

    let settle = format!("{path}/events/{}/settle", event["event"].as_str().unwrap());
    test_app.api.post(&settle, json!({ "as": "whatever" })).await.problem(422, "invalid");
    let settled = test_app.api.post(&settle, json!({ "as": "ours" })).await.expect(200);
    assert_eq!(settled["unconfirmed"], json!([]));
    test_app.api.post(&settle, json!({ "as": "booking" })).await.problem(409, "not-possible");
    test_app.api.put("/api/v1/bookings/again", ours()).await.expect(201);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    unconfirmed_nights_are_settled,
    a_listing_is_kept_in_step,
    an_address_is_imported,
    a_file_is_imported,
    a_channel_manager_tells,
    platforms_are_told_and_set,
);
