//! Calendar Sync: the address of all bookings, and imports that are shown before they are done.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::Method;

use crate::{
    channel_pages::{at_airbnb, open},
    page_client::{PageClient, person, person_at},
    test_app::day,
};

/// A calendar with one event a row: days ahead and nights.
fn calendar(events: &[(u64, u64)]) -> String {
    let event = |&(from, nights): &(u64, u64)| {
        let date = |ahead: u64| day(ahead).replace('-', "");
        format!(
            "BEGIN:VEVENT\r\nUID:stay-{from}@test\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:{}\r\n\
             DTEND;VALUE=DATE:{}\r\nSUMMARY:Reserved: <Zoë>\r\nEND:VEVENT\r\n",
            date(from),
            date(from + nights)
        )
    };
    let events: Vec<String> = events.iter().map(event).collect();
    let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n";
    format!("{head}{}END:VCALENDAR\r\n", events.concat())
}

/// What the page keeps of a file for the import.
fn kept(page: &str) -> &str {
    page.split("name=\"kept\" value=\"").nth(1).unwrap().split('"').next().unwrap()
}

async fn a_file_is_shown_before_it_is_taken_over(db: &TestDb) {
    let test_app = open(db).await;
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    assert!(visitor.get("/calendar-sync").await.text.contains("Add a resource"));
    test_app.resource(1).await;
    let page = visitor.get("/calendar-sync").await.text;
    assert!(!page.contains("name=\"resource\""), "there is only one: {page}");

    let file = calendar(&[(1, 2), (9, 3)]);
    let parts =
        [("platform", None, "generic"), ("address", None, ""), ("file", Some("b.ics"), file.as_str())];
    let path = visitor.send_parts("/calendar-sync/preview", &parts).await.leads_to().to_owned();
    let shown = visitor.get(&path).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(
        shown.text.contains("Import 2 bookings") && shown.text.contains("Reserved: &#60;Zoë&#62;"),
        "{}",
        shown.text
    );
    let none = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(none["items"].as_array().unwrap().len(), 0, "nothing is changed yet");

    let parts = [("platform", None, "generic"), ("kept", None, kept(&shown.text))];
    let done = visitor.send_parts("/calendar-sync/import", &parts).await;
    assert_eq!(done.leads_to(), "/calendar-sync");
    visitor.cookies.extend(done.cookies());
    let told = visitor.get("/calendar-sync").await.text;
    assert!(told.contains("2 new") && told.contains("File import"), "{told}");
    visitor.cookies.clone_from(&known);
    let taken = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(taken["items"].as_array().unwrap().len(), 2);
    assert_eq!(visitor.get(&path).await.text, shown.text, "loaded again it sends nothing again");
    let other = person_at(&test_app, "other@example.org", Role::Manager, None).await;
    let stranger = PageClient::signed_in(&test_app, &other).await;
    assert_eq!(stranger.get(&path).await.leads_to(), "/calendar-sync");
    let again =
        visitor.send_parts("/calendar-sync/preview", &[parts[0], ("file", Some("b.ics"), &file)]).await;
    let again = visitor.get(again.leads_to()).await;
    assert!(again.text.contains("Nothing to import"), "{}", again.text);
    let list = visitor.get("/channels").await.text;
    assert!(list.contains("Manual import"), "{list}");
    test_app.stop().await;
}

async fn an_address_is_imported_and_what_is_wrong_is_said_at_its_field(db: &TestDb) {
    let test_app = open(db).await;
    let (room, _other) = (test_app.resource(1).await.id.to_string(), test_app.resource(1).await);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let address = at_airbnb(&test_app).export_url;
    let wish = [
        ("platform", None, "airbnb"),
        ("resource", None, room.as_str()),
        ("address", None, address.as_str()),
    ];
    let sent = visitor.send_parts("/calendar-sync/preview", &wish).await;
    assert!(!sent.leads_to().contains("ics"), "{}", sent.leads_to());
    let shown = visitor.get(sent.leads_to()).await;
    assert!(shown.text.contains("Import 2 bookings"), "{}", shown.text);
    assert_eq!(shown.headers["cache-control"], "no-store");
    visitor.send_parts("/calendar-sync/import", &wish).await.leads_to();

    // It is Airbnb's, whatever was chosen.
    let as_vrbo = [("platform", None, "vrbo"), wish[1], wish[2]];
    let sent = visitor.send_parts("/calendar-sync/preview", &as_vrbo).await;
    let told = visitor.get(sent.leads_to()).await.text;
    assert!(told.contains("This calendar was created by Airbnb, not by Vrbo"), "{told}");
    assert!(told.contains("Preview it as Airbnb"), "{told}");

    // That needs a tick, and nothing is imported without it.
    assert!(told.contains("name=\"confirmed\""), "{told}");
    let refused = visitor.send_parts("/calendar-sync/import", &as_vrbo).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("name=\"confirmed\""), "{}", refused.text);
    let confirmed = [as_vrbo[0], as_vrbo[1], as_vrbo[2], ("confirmed", None, "yes")];
    visitor.send_parts("/calendar-sync/import", &confirmed).await.leads_to();

    let file = ("file", Some("b.ics"), "no calendar");
    let gone = format!("{}/nowhere.ics", test_app.sandbox.url());
    for (parts, field, kept) in [
        (vec![wish[0], wish[2]], "resource", address.as_str()),
        (vec![wish[1], wish[2], ("platform", None, "planet")], "platform", &address),
        (vec![wish[0], wish[1]], "address", ""),
        (vec![wish[0], wish[1], wish[2], file], "address", &address),
        (vec![wish[0], wish[1], ("address", None, "my calendar")], "address", "my calendar"),
        (vec![wish[0], wish[1], ("address", None, gone.as_str())], "address", &gone),
        (vec![wish[0], wish[1], file], "file", ""),
    ] {
        for path in ["/calendar-sync/preview", "/calendar-sync/import"] {
            let page = visitor.send_parts(path, &parts).await;
            assert_eq!(page.status, 422, "{field}: {}", page.text);
            assert!(page.text.contains(&format!("id=\"{field}-fault\"")), "{field}: {}", page.text);
            assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
        }
    }
    let made_up = visitor.send_parts("/calendar-sync/import", &[wish[0], wish[1], ("kept", None, "!")]).await;
    assert_eq!(made_up.status, 400);
    let forged = visitor.send_forged_parts("/calendar-sync/import", "guessed", &wish).await;
    assert_eq!(forged.status, 403, "{}", forged.text);
    test_app.stop().await;
}

async fn the_address_of_all_bookings_stays_the_same(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/OURS", crate::test_app::stay(&room, 1, 2)).await.expect(201);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let shown = async || {
        let page = visitor.get("/calendar-sync").await.text;
        assert!(page.len() < 100_000);
        assert!(page.contains("Paste this address"), "each platform's steps: {page}");
        page.split("id=\"feed-url\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    // To look at the page publishes nothing.
    assert!(visitor.get("/calendar-sync").await.text.contains("Publish calendar"));
    let none = test_app.api.get("/api/v1/feeds").await.expect(200);
    assert_eq!(none["items"].as_array().unwrap().len(), 0, "{none}");
    visitor.send("/calendar-sync/publish", &[("privacy", "title")]).await.leads_to();
    let address = shown().await;
    visitor.send("/calendar-sync/publish", &[("privacy", "full")]).await.leads_to();
    assert_eq!(shown().await, address, "one that is there stays");
    let feed = test_app.api.send_unauthenticated(Method::GET, &address).await;
    assert_eq!(feed.status, 200);
    assert!(feed.text.contains("BEGIN:VEVENT"), "{}", feed.text);
    let feeds = test_app.api.get("/api/v1/feeds").await.expect(200);
    assert_eq!(feeds["items"].as_array().unwrap().len(), 1, "{feeds}");
    assert_eq!(feeds["items"][0]["privacy"], "title");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_file_is_shown_before_it_is_taken_over,
    an_address_is_imported_and_what_is_wrong_is_said_at_its_field,
    the_address_of_all_bookings_stays_the_same,
);
