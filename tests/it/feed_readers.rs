//! Who reads feeds, and what platforms know by it.

use concord_domain::{
    channel::{BlockRule, Preference},
    ids::{ChannelId, FeedId, StaffId},
    people::Role,
    privacy::FeedPrivacy,
};
use concord_storage::{
    channels::{self, NewChannel, exposure, published},
    feed_reads,
    feeds::{self, FeedSubject, NewFeed},
    resources::Resource,
    secret,
    testing::{self, TestDb},
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    feeds::{fetch, get, publish},
    logs,
    page_client::{PageClient, person},
    test_app::{TestApp, TestAppOptions, hour, stay},
};

async fn readers(test_app: &TestApp, feed: &str) -> Vec<Value> {
    test_app.app.access.flush(test_app.db()).await.unwrap();
    let list = test_app.api.get(&format!("/api/v1/feeds/{feed}/readers")).await.expect(200);
    list["items"].as_array().unwrap().clone()
}

async fn readers_are_known_with_what_they_have(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    let room = test_app.resource(9).await;
    let (id, url) = publish(api, json!({ "scope": "business", "name": "All" })).await;
    assert_eq!(readers(&test_app, &id).await, Vec::<Value>::new());
    let vrbo = [("user-agent", "Vrbo/2.0")];
    let first = fetch(api, Method::GET, &url, &vrbo).await;
    let tag = first.header("etag").to_owned();
    let again = fetch(api, Method::GET, &url, &[vrbo[0], ("if-none-match", &tag)]).await;
    assert_eq!(again.status, 304);
    fetch(api, Method::HEAD, &url, &[("user-agent", "Prober")]).await;
    fetch(
        api,
        Method::GET,
        &url,
        &[("user-agent", "Mozilla/5.0"), ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")],
    )
    .await;
    let now = readers(&test_app, &id).await;
    let named = |name: &str| now.iter().find(|one| one["reader"] == name).cloned();
    assert_eq!(now.len(), 2, "who only looks whether it is there has read nothing: {now:?}");
    let platform = named("Vrbo/2.0").unwrap();
    assert_eq!(
        (&platform["reads"], &platform["person"], &platform["current"], &platform["address"]),
        (&json!(2), &json!(false), &json!(true), &json!("127.0.0.1"))
    );
    assert_eq!(named("Mozilla/5.0").unwrap()["person"], true);

    // By a change it has less than there is, until it comes back: also where what it has is still right.
    api.put("/api/v1/bookings/a", stay(&room, 1, 2)).await.expect(201);
    let behind = readers(&test_app, &id).await;
    assert!(behind.iter().all(|one| one["current"] == false), "{behind:?}");
    api.delete("/api/v1/bookings/a").await.expect(200);
    let same = fetch(api, Method::GET, &url, &[vrbo[0], ("if-none-match", &tag)]).await;
    assert_eq!(same.status, 304);
    let later = readers(&test_app, &id).await;
    assert_eq!((&later[0]["reader"], &later[0]["current"]), (&json!("Vrbo/2.0"), &json!(true)));
    assert!(later[0]["revision"].as_i64() > platform["revision"].as_i64());
    assert!(!api.get(&format!("/api/v1/feeds/{id}")).await.expect(200)["last_read_at"].is_null());

    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let page = visitor.get(&format!("/feeds/{id}/readers")).await;
    assert_eq!(page.status, 200);
    for words in ["Vrbo/2.0", "Up to date", "Browser, from"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let (_, elsewhere) = test_app.other_business().await;
    elsewhere.get(&format!("/api/v1/feeds/{id}/readers")).await.problem(404, "not-found");
    test_app.stop().await;
}

async fn reads_are_written_down_at_shutdown(db: &TestDb) {
    let settings = vec![("feeds.note_readers_seconds", "3600".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let (id, url) = publish(&test_app.api, json!({ "scope": "business", "name": "All" })).await;
    get(&test_app.api, &url).await;
    let business = test_app.business.id;
    test_app.stop().await;
    let readers = feed_reads::of_feed(db, business, id.parse().unwrap()).await.unwrap();
    assert_eq!(readers.len(), 1);
}

/// A channel of the room at Airbnb, and the address of its feed.
pub(crate) async fn channel(test_app: &TestApp, room: &Resource) -> (ChannelId, String) {
    let (channel, _, url) = channel_at(test_app, room, "airbnb").await;
    (channel, url)
}

/// The same at any platform, with the feed's id.
async fn channel_at(test_app: &TestApp, room: &Resource, platform: &str) -> (ChannelId, FeedId, String) {
    let db = test_app.db();
    let now = test_app.app.now();
    let new = NewChannel {
        business: test_app.business.id,
        resource: room.id,
        platform,
        preference: Preference::Ask,
        blocks: BlockRule::Occupy,
        import: None,
        polled: false,
    };
    let token = secret::new_token("cf_");
    logs::keep_out(token.expose_secret());
    let mut tx = testing::begin(db).await;
    let channel = channels::create(&mut tx, &test_app.app.context.ring, &new, now).await.unwrap();
    let feed = NewFeed {
        business: test_app.business.id,
        subject: FeedSubject::Channel(channel.id),
        name: "Airbnb".to_owned(),
        privacy: FeedPrivacy::Busy,
    };
    let feed = feeds::create(&mut tx, &feed, &token, now).await.unwrap();
    testing::commit(tx).await;
    (channel.id, feed.id, format!("{}/feeds/{}.ics", test_app.api.base, token.expose_secret()))
}

async fn what_a_platform_reads_is_written_down_before_it_can(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(9).await;
    let (channel, url) = channel(&test_app, &room).await;
    let mut theirs = stay(&room, 9, 1);
    theirs["source"] = json!("airbnb");
    test_app.api.put("/api/v1/bookings/theirs", theirs).await.expect(201);
    let ours = test_app.api.put("/api/v1/bookings/ours", stay(&room, 1, 2)).await.expect(201);
    let standing = async || {
        test_app.app.access.flush(test_app.db()).await.unwrap();
        let rows = published::list_current(test_app.db(), test_app.business.id, channel).await.unwrap();
        rows.into_iter().map(|row| (row.booking_id.to_string(), row.seen_at.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(standing().await, []);
    let ours = ours["id"].as_str().unwrap().to_owned();
    fetch(&test_app.api, Method::HEAD, &url, &[]).await;
    assert_eq!(standing().await, [(ours.clone(), false)], "published, and not read");
    let first = get(&test_app.api, &url).await;
    assert_eq!(first.summaries(), ["Busy"], "what it sold itself it is not told");
    assert_eq!(standing().await, [(ours.clone(), true)]);

    let more = test_app.api.put("/api/v1/bookings/more", stay(&room, 4, 1)).await.expect(201);
    assert_eq!(standing().await.len(), 1, "nobody has asked yet");
    get(&test_app.api, &url).await;
    let more = more["id"].as_str().unwrap().to_owned();
    assert_eq!(standing().await, [(ours, true), (more, true)]);
    test_app.stop().await;
}

async fn calendars_and_previews_are_no_platform(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(9).await;
    test_app.api.put("/api/v1/bookings/ours", stay(&room, 1, 2)).await.expect(201);
    let is_seen = async |channel: ChannelId| {
        test_app.app.access.flush(test_app.db()).await.unwrap();
        let rows = published::list_current(test_app.db(), test_app.business.id, channel).await.unwrap();
        rows.iter().any(|row| row.seen_at.is_some())
    };
    let (airbnb, feed, url) = channel_at(&test_app, &room, "airbnb").await;
    let importer = "Google-Calendar-Importer";
    let others = [
        importer,
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17029; Pro)",
        "iOS/17.5.1 (21F90) dataaccessd/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "WhatsApp/2.23.20.0",
        "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "curl/8.14.1",
        "HomeAway iCal fetcher",
    ];
    for name in others {
        fetch(&test_app.api, Method::GET, &url, &[("user-agent", name)]).await;
        assert!(!is_seen(airbnb).await, "{name} is not Airbnb");
    }
    let known = readers(&test_app, &feed.to_string()).await;
    assert_eq!(known.len(), others.len(), "{known:?}");
    assert!(known.iter().all(|one| one["person"] == false), "nobody is taken for a person: {known:?}");
    fetch(&test_app.api, Method::GET, &url, &[("user-agent", "Airbnb/1.0")]).await;
    assert!(is_seen(airbnb).await);

    // What is a calendar itself is read by one.
    let (google, _, url) = channel_at(&test_app, &room, "google").await;
    fetch(&test_app.api, Method::GET, &url, &[("user-agent", "WhatsApp/2.23.20.0")]).await;
    assert!(!is_seen(google).await);
    fetch(&test_app.api, Method::GET, &url, &[("user-agent", importer)]).await;
    assert!(is_seen(google).await);
    test_app.stop().await;
}

async fn new_address_of_a_channel_is_one_that_nobody_has_read(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(9).await;
    let body = json!({ "resource": room.id, "platform": "airbnb" });
    let made = test_app.api.post("/api/v1/channels", body).await.expect(201);
    let count_unread = async || {
        test_app.app.access.flush(test_app.db()).await.unwrap();
        exposure::never_read(test_app.db(), test_app.business.id).await.unwrap().len()
    };
    assert_eq!(count_unread().await, 1);
    let airbnb = [("user-agent", "Airbnb/1.0")];
    fetch(&test_app.api, Method::GET, made["feed_url"].as_str().unwrap(), &airbnb).await;
    assert_eq!(count_unread().await, 0);
    let rotate = format!("/api/v1/channels/{}/rotate_feed", made["id"].as_str().unwrap());
    let rotated = test_app.api.post(&rotate, json!({})).await.expect(200);
    assert_eq!(count_unread().await, 1);
    fetch(&test_app.api, Method::GET, rotated["feed_url"].as_str().unwrap(), &airbnb).await;
    assert_eq!(count_unread().await, 0);
    test_app.stop().await;
}

async fn a_driver_reads_the_stops_of_the_day(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (api, van) = (&test_app.api, test_app.resource(9).await);
    let rui: StaffId = test_app.staff("Rui").await;
    for (reference, at, place) in [("D-2", 11, "Largo 1"), ("D-1", 9, "Rua do Mar 7")] {
        let body = json!({
            "resource": van.id, "kind": "delivery", "starts_at": hour(1, at), "ends_at": hour(1, at + 1),
            "staff": [rui], "location": place, "customer": { "name": "Maria Silva", "phone": "(912)" },
        });
        api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201);
    }
    let mut other = stay(&van, 4, 1);
    other["staff"] = json!([rui]);
    api.put("/api/v1/bookings/other", other).await.expect(201);
    let new = |privacy: &str| json!({ "scope": "driver", "subject": rui, "name": "Rui", "privacy": privacy });
    let (_, title) = publish(api, new("title")).await;
    let read = get(api, &title).await;
    assert_eq!(read.summaries(), ["Stop 1 of 2: Maria, Rua do Mar 7", "Stop 2 of 2: Maria, Largo 1"]);
    assert!(read.text().contains("LOCATION:Rua do Mar 7") && !read.text().contains("(912)"));
    let (_, full) = publish(api, new("full")).await;
    assert!(get(api, &full).await.text().contains("(912)"));

    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(rui)).await).await;
    let about = format!("driver:{rui}");
    assert!(visitor.get("/feeds").await.text.contains(&about));
    let form = [("about", about.as_str()), ("name", "My van"), ("privacy", "busy")];
    let made = visitor.send_and_follow("/feeds", &form).await;
    assert!(made.text.contains("The feed “<bdi>My van</bdi>” is published."), "{}", made.text);
    assert!(made.text.contains("Deliveries of "), "{}", made.text);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    readers_are_known_with_what_they_have,
    reads_are_written_down_at_shutdown,
    what_a_platform_reads_is_written_down_before_it_can,
    calendars_and_previews_are_no_platform,
    new_address_of_a_channel_is_one_that_nobody_has_read,
    a_driver_reads_the_stops_of_the_day,
);
