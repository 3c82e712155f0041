//! Who reads feeds, and what platforms know by it.

use concord_domain::{
    channel::{BlockRule, Preference},
    ids::{ChannelId, FeedId, StaffId},
    people::Role,
    privacy::FeedPrivacy,
};
use concord_storage::{
    channels::{self, NewChannel, exposed, published},
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
    house::{House, Wishes, hour, stay},
    logs,
    visitor::{Visitor, person},
};

async fn readers(house: &House, feed: &str) -> Vec<Value> {
    house.app.access.flush(house.db()).await.unwrap();
    let list = house.api.get(&format!("/api/v1/feeds/{feed}/readers")).await.expect(200);
    list["items"].as_array().unwrap().clone()
}

async fn readers_are_known_with_what_they_have(db: &TestDb) {
    let house = House::on(db).await;
    let api = &house.api;
    let room = house.resource(9).await;
    let (id, url) = publish(api, json!({ "scope": "business", "name": "All" })).await;
    assert_eq!(readers(&house, &id).await, Vec::<Value>::new());
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
    let now = readers(&house, &id).await;
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
    let behind = readers(&house, &id).await;
    assert!(behind.iter().all(|one| one["current"] == false), "{behind:?}");
    api.delete("/api/v1/bookings/a").await.expect(200);
    let same = fetch(api, Method::GET, &url, &[vrbo[0], ("if-none-match", &tag)]).await;
    assert_eq!(same.status, 304);
    let later = readers(&house, &id).await;
    assert_eq!((&later[0]["reader"], &later[0]["current"]), (&json!("Vrbo/2.0"), &json!(true)));
    assert!(later[0]["revision"].as_i64() > platform["revision"].as_i64());
    assert!(!api.get(&format!("/api/v1/feeds/{id}")).await.expect(200)["last_read_at"].is_null());

    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let page = visitor.get(&format!("/feeds/{id}/readers")).await;
    assert_eq!(page.status, 200);
    for words in ["Vrbo/2.0", "What it says now", "A person, from"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let (_, elsewhere) = house.other_business().await;
    elsewhere.get(&format!("/api/v1/feeds/{id}/readers")).await.problem(404, "not-found");
    house.stop().await;
}

async fn what_was_read_is_written_down_when_the_house_stops(db: &TestDb) {
    let settings = vec![("feeds.note_readers_seconds", "3600".to_owned())];
    let house = House::with(db, Wishes { settings, ..Wishes::default() }).await;
    let (id, url) = publish(&house.api, json!({ "scope": "business", "name": "All" })).await;
    get(&house.api, &url).await;
    let business = house.business.id;
    house.stop().await;
    let readers = feed_reads::of_feed(db, business, id.parse().unwrap()).await.unwrap();
    assert_eq!(readers.len(), 1);
}

/// A channel of the room at Airbnb, and the address of its feed.
pub(crate) async fn channel(house: &House, room: &Resource) -> (ChannelId, String) {
    let (channel, _, url) = channel_at(house, room, "airbnb").await;
    (channel, url)
}

/// The same at any platform, with the feed's id.
async fn channel_at(house: &House, room: &Resource, platform: &str) -> (ChannelId, FeedId, String) {
    let db = house.db();
    let now = house.app.now();
    let new = NewChannel {
        business: house.business.id,
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
    let channel = channels::create(&mut tx, &house.app.context.ring, &new, now).await.unwrap();
    let feed = NewFeed {
        business: house.business.id,
        subject: FeedSubject::Channel(channel.id),
        name: "Airbnb".to_owned(),
        privacy: FeedPrivacy::Busy,
    };
    let feed = feeds::create(&mut tx, &feed, &token, now).await.unwrap();
    testing::commit(tx).await;
    (channel.id, feed.id, format!("{}/feeds/{}.ics", house.api.base, token.expose_secret()))
}

async fn what_a_platform_reads_is_written_down_before_it_can(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(9).await;
    let (channel, url) = channel(&house, &room).await;
    let mut theirs = stay(&room, 9, 1);
    theirs["source"] = json!("airbnb");
    house.api.put("/api/v1/bookings/theirs", theirs).await.expect(201);
    let ours = house.api.put("/api/v1/bookings/ours", stay(&room, 1, 2)).await.expect(201);
    let standing = async || {
        house.app.access.flush(house.db()).await.unwrap();
        let rows = published::standing(house.db(), house.business.id, channel).await.unwrap();
        rows.into_iter().map(|row| (row.booking_id.to_string(), row.seen_at.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(standing().await, []);
    let ours = ours["id"].as_str().unwrap().to_owned();
    fetch(&house.api, Method::HEAD, &url, &[]).await;
    assert_eq!(standing().await, [(ours.clone(), false)], "published, and not read");
    let first = get(&house.api, &url).await;
    assert_eq!(first.summaries(), ["Busy"], "what it sold itself it is not told");
    assert_eq!(standing().await, [(ours.clone(), true)]);

    let more = house.api.put("/api/v1/bookings/more", stay(&room, 4, 1)).await.expect(201);
    assert_eq!(standing().await.len(), 1, "nobody has asked yet");
    get(&house.api, &url).await;
    let more = more["id"].as_str().unwrap().to_owned();
    assert_eq!(standing().await, [(ours, true), (more, true)]);
    house.stop().await;
}

async fn calendars_and_previews_are_no_platform(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(9).await;
    house.api.put("/api/v1/bookings/ours", stay(&room, 1, 2)).await.expect(201);
    let is_seen = async |channel: ChannelId| {
        house.app.access.flush(house.db()).await.unwrap();
        let rows = published::standing(house.db(), house.business.id, channel).await.unwrap();
        rows.iter().any(|row| row.seen_at.is_some())
    };
    let (airbnb, feed, url) = channel_at(&house, &room, "airbnb").await;
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
        fetch(&house.api, Method::GET, &url, &[("user-agent", name)]).await;
        assert!(!is_seen(airbnb).await, "{name} is not Airbnb");
    }
    let known = readers(&house, &feed.to_string()).await;
    assert_eq!(known.len(), others.len(), "{known:?}");
    assert!(known.iter().all(|one| one["person"] == false), "nobody is taken for a person: {known:?}");
    fetch(&house.api, Method::GET, &url, &[("user-agent", "Airbnb/1.0")]).await;
    assert!(is_seen(airbnb).await);

    // What is a calendar itself is read by one.
    let (google, _, url) = channel_at(&house, &room, "google").await;
    fetch(&house.api, Method::GET, &url, &[("user-agent", "WhatsApp/2.23.20.0")]).await;
    assert!(!is_seen(google).await);
    fetch(&house.api, Method::GET, &url, &[("user-agent", importer)]).await;
    assert!(is_seen(google).await);
    house.stop().await;
}

async fn new_address_of_a_channel_is_one_that_nobody_has_read(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(9).await;
    let body = json!({ "resource": room.id, "platform": "airbnb" });
    let made = house.api.post("/api/v1/channels", body).await.expect(201);
    let count_unread = async || {
        house.app.access.flush(house.db()).await.unwrap();
        exposed::never_read(house.db(), house.business.id).await.unwrap().len()
    };
    assert_eq!(count_unread().await, 1);
    let airbnb = [("user-agent", "Airbnb/1.0")];
    fetch(&house.api, Method::GET, made["feed_url"].as_str().unwrap(), &airbnb).await;
    assert_eq!(count_unread().await, 0);
    let rotate = format!("/api/v1/channels/{}/rotate_feed", made["id"].as_str().unwrap());
    let rotated = house.api.post(&rotate, json!({})).await.expect(200);
    assert_eq!(count_unread().await, 1);
    fetch(&house.api, Method::GET, rotated["feed_url"].as_str().unwrap(), &airbnb).await;
    assert_eq!(count_unread().await, 0);
    house.stop().await;
}

async fn a_driver_reads_the_stops_of_the_day(db: &TestDb) {
    let house = House::on(db).await;
    let (api, van) = (&house.api, house.resource(9).await);
    let rui: StaffId = house.staff("Rui").await;
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

    let visitor = Visitor::signed_in(&house, &person(&house, Role::Staff, Some(rui)).await).await;
    let about = format!("driver:{rui}");
    assert!(visitor.get("/feeds").await.text.contains(&about));
    let form = [("about", about.as_str()), ("name", "My van"), ("privacy", "busy")];
    let made = visitor.send_and_follow("/feeds", &form).await;
    assert!(made.text.contains("The feed “<bdi>My van</bdi>” is published."), "{}", made.text);
    assert!(made.text.contains("Deliveries of "), "{}", made.text);
    house.stop().await;
}

concord_storage::on_both_databases!(
    readers_are_known_with_what_they_have,
    what_was_read_is_written_down_when_the_house_stops,
    what_a_platform_reads_is_written_down_before_it_can,
    calendars_and_previews_are_no_platform,
    new_address_of_a_channel_is_one_that_nobody_has_read,
    a_driver_reads_the_stops_of_the_day,
);
