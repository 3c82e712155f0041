//! Connecting a platform by its pages and by the API: what its calendar brings, and which addresses are refused.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use serde_json::json;

use crate::{
    channel_pages::{at_airbnb, connect, open, read, refused},
    page_client::{PageClient, person},
    test_app::stay,
};

async fn what_a_platform_sells_comes_and_it_learns_what_is_taken(db: &TestDb) {
    let test_app = open(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(visitor.get("/channels").await.text.contains("No resources yet"));
    let resource = test_app.resource(1).await;
    let room = resource.id.to_string();
    let empty = visitor.get("/channels").await.text;
    assert!(empty.contains("No platforms connected yet") && empty.contains("Connect a platform"), "{empty}");
    test_app.api.put("/api/v1/bookings/OURS", stay(&resource, 60, 3)).await.expect(201);

    let choice = visitor.get("/channels/new").await.text;
    assert!(choice.contains("at most 20 room types"), "limits are told before anything is asked: {choice}");
    let by_hand = visitor.get(&format!("/channels/new?resource={room}&platform=gommt")).await.text;
    assert!(by_hand.contains("is updated manually") && !by_hand.contains("name=\"address\""), "{by_hand}");
    let form = visitor.get(&format!("/channels/new?resource={room}&platform=airbnb")).await.text;
    assert!(form.contains("Calendar sync") && form.contains("Export your availability"), "{form}");

    let address = at_airbnb(&test_app).export_url;
    let path = connect(&visitor, &room, &address).await;
    let page = visitor.get(&path).await.text;
    assert!(
        page.contains("Reserved") && page.contains("Reservation") && page.contains("Blocked dates"),
        "{page}"
    );
    assert!(page.contains("nights exposed: has not imported our calendar yet"), "{page}");
    assert!(!page.contains(&address), "the platform's address is not shown again");
    let ours = format!("{}/feeds/cf_", test_app.api.base);
    assert_eq!(page.matches(&ours).count(), 2, "beside its copy button and in the steps: {page}");
    assert!(page.len() < 100_000);

    let mut references = page.split("href=\"/bookings/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let reference = references.find(|reference| *reference != "OURS").unwrap();
    let booking = visitor.get(&format!("/bookings/{reference}")).await.text;
    assert!(
        booking.contains("<dt>Source</dt>")
            && booking.contains(&format!("<a href=\"{path}\">Airbnb</a>, imported"))
    );
    assert!(
        booking.contains("<h1><bdi>Airbnb guest</bdi></h1>") && !booking.contains("<bdi>airbnb: Reserved")
    );
    let form = visitor.get(&format!("/bookings/{reference}/edit")).await.text;
    assert!(form.contains("value=\"Airbnb guest\"") && !form.contains("airbnb: Reserved"), "{form}");
    let told = test_app.api.get(&format!("/api/v1/bookings/{reference}")).await.expect(200);
    assert_eq!(told["customer"]["name"], "airbnb: Reserved");
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    let seen = staff.get(&format!("/bookings/{reference}")).await.text;
    assert!(seen.contains("<dt>Source</dt>") && !seen.contains(&path), "{seen}");

    let list = visitor.get("/channels").await.text;
    assert!(list.contains("In sync") && list.contains(&format!("{path}/sync")), "{list}");
    let log = visitor.get(&format!("/settings/sync-log?channel={}", path.rsplit('/').next().unwrap())).await;
    assert!(log.text.contains("Read feed") && log.text.contains("on Airbnb</bdi></a>"), "{}", log.text);
    test_app.stop().await;
}

async fn an_address_that_cannot_be_read_is_refused_at_its_field(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let send = async |platform: &str, address: &str, more: Option<(&str, &str)>| {
        let about = format!("{platform} {address}");
        let mut wish = vec![("resource", room.as_str()), ("platform", platform), ("address", address)];
        wish.push(("about", about.as_str()));
        wish.extend(more);
        visitor.send("/channels/new", &wish).await
    };
    refused(&send("airbnb", "my calendar", None).await, "address", "my calendar", "not a calendar link");
    let own = format!("{}/feeds/cf_mine.ics", test_app.api.base);
    refused(&send("airbnb", &own, None).await, "address", &own, "one of Concord&#39;s own feeds");
    let vrbo = "https://www.vrbo.com/icalendar/1.ics";
    let warned = send("airbnb", vrbo, None).await;
    refused(&warned, "address", vrbo, "This is a calendar link from Vrbo, not from Airbnb.");
    assert!(warned.text.contains("Connect it as Vrbo"), "{}", warned.text);
    let other = send("airbnb", vrbo, Some(("instead", "vrbo"))).await;
    refused(&other, "address", vrbo, "");
    assert!(other.text.contains("Vrbo for") && other.text.contains("retry automatically"), "{}", other.text);
    let path = send("vrbo", vrbo, Some(("anyway", "unread"))).await.leads_to().to_owned();
    assert!(visitor.get(&path).await.text.contains("on Vrbo</h1>"));
    refused(&send("vrbo", vrbo, None).await, "address", vrbo, "is already imported for this resource");
    // One tick answers one question.
    let second = "https://www.vrbo.com/icalendar/2.ics";
    let half = send("airbnb", second, Some(("anyway", "platform"))).await;
    assert!(
        half.text.contains("value=\"platform\" checked") && half.text.contains("value=\"unread\">"),
        "{}",
        half.text
    );
    let all = [("anyway", "platform"), ("anyway", "unread")];
    let about = format!("airbnb {second}");
    let wish = [("resource", room.as_str()), ("platform", "airbnb"), ("address", second), all[0], all[1]];
    let of_another = [wish.as_slice(), &[("about", "airbnb https://www.vrbo.com/icalendar/3.ics")]].concat();
    refused(
        &visitor.send("/channels/new", &of_another).await,
        "address",
        second,
        "a calendar link from Vrbo",
    );
    visitor.send("/channels/new", &[wish.as_slice(), &[("about", &about)]].concat()).await.leads_to();
    let nothing = visitor.send("/channels/new", &[("resource", "none"), ("platform", "planet")]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.text.contains("Choose a listing.") && nothing.text.contains("Choose a platform."));
    assert_eq!(send("gommt", "", None).await.status, 409);

    // It is tried, and what came of it is told.
    let shown = read(&visitor, &path, "failed to sync").await;
    assert!(shown.contains("Concord retries automatically"), "{shown}");
    test_app.stop().await;
}

/// One platform's calendar connected as another's, or twice, is asked about by page and API.
async fn an_address_of_another_platform_or_twice_is_asked_about(db: &TestDb) {
    let test_app = open(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let room = test_app.resource(1).await.id.to_string();
    let address = at_airbnb(&test_app).export_url;
    let wish = |platform: &str| json!({ "resource": room, "platform": platform, "import_url": address });
    // The sandbox's address tells no platform, but its calendar says who wrote it.
    let refused = test_app.api.post("/api/v1/channels", wish("vrbo")).await.problem(409, "not-possible");
    let words = refused["detail"].as_str().unwrap();
    assert!(words.contains("was created by Airbnb, not by Vrbo") && words.contains("confirm"), "{words}");
    // An import too.
    let once = json!({ "resource": room, "platform": "vrbo", "ical_url": address });
    let refused = test_app.api.post("/api/ical/import", once.clone()).await.problem(409, "not-possible");
    assert!(refused["detail"].as_str().unwrap().contains("confirm"), "{refused}");
    let dry = json!({ "resource": room, "platform": "vrbo", "ical_url": address, "dry_run": true });
    let warned = test_app.api.post("/api/ical/import", dry).await.expect(200);
    assert!(warned["warnings"][0].as_str().unwrap().contains("created by Airbnb"), "{warned}");
    let typed = [("resource", room.as_str()), ("platform", "vrbo"), ("address", address.as_str())];
    let asked = visitor.send("/channels/new", &typed).await;
    self::refused(&asked, "address", &address, "was created by Airbnb, not by Vrbo");
    assert!(asked.text.contains("Connect it as Airbnb"), "{}", asked.text);

    let made = test_app.api.post("/api/v1/channels", wish("airbnb")).await.expect(201);
    let twice = test_app.api.post("/api/v1/channels", wish("generic")).await.problem(409, "not-possible");
    assert!(twice["detail"].as_str().unwrap().contains("each booking would be imported twice"), "{twice}");
    let typed = [("resource", room.as_str()), ("platform", "generic"), ("address", address.as_str())];
    let asked = visitor.send("/channels/new", &typed).await;
    self::refused(&asked, "address", &address, "each booking would be imported twice");
    let meant = json!({ "resource": room, "platform": "generic", "import_url": address, "confirm": true });
    let other = test_app.api.post("/api/v1/channels", meant).await.expect(201);
    assert_ne!(other["id"], made["id"]);
    // Another address of a channel that is there is asked about alike, and its own is not.
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    test_app.api.delete(&format!("/api/v1/channels/{}", other["id"].as_str().unwrap())).await;
    test_app.api.patch(&path, json!({ "import_url": address })).await.expect(200);
    let vrbo = json!({ "import_url": "https://www.vrbo.com/icalendar/1.ics" });
    test_app.api.patch(&path, vrbo).await.problem(409, "not-possible");
    let meant = json!({ "import_url": "https://www.vrbo.com/icalendar/1.ics", "confirm": true });
    test_app.api.patch(&path, meant).await.expect(200);
    // Who names no platform has said nothing that could be wrong.
    let unnamed = json!({ "resource": room, "ical_url": address });
    let taken = test_app.api.post("/api/ical/import", unnamed).await.expect(200);
    assert!(taken["warnings"][0].as_str().unwrap().contains("created by Airbnb"), "{taken}");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    what_a_platform_sells_comes_and_it_learns_what_is_taken,
    an_address_that_cannot_be_read_is_refused_at_its_field,
    an_address_of_another_platform_or_twice_is_asked_about,
);
