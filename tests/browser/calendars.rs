//! A calendar is connected through the consent page, set up, tested and disconnected; a refused consent is explained.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, day, told, until},
};

#[tokio::test]
async fn a_calendar_is_connected_used_and_disconnected() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Connect Google for Ben Okafor").await;
    browser.see("Choose an account").await;
    browser.click_on("Allow").await;
    browser.see("Ben Okafor's Google calendar").await;
    browser.see("is connected. Bookings are being written").await;
    assert_eq!(browser.path().await, "/calendars");

    // What he had to do before is written now.
    demo_app.entries_named("Peter", 1).await;

    browser.click_on("Manage ben@example.com").await;
    browser.click_on("Test connection").await;
    browser.see("Connection OK: Google responded").await;
    browser.tick("Export only").await;
    browser.click_on("Save settings").await;
    browser.see("Settings saved.").await;
    browser.see("nothing is imported.").await;
    browser.click_on("Pause").await;
    browser.see("Sync paused.").await;
    browser.click_on("Undo").await;
    browser.see("Sync resumed.").await;

    browser.click_on("Disconnect").await;
    browser.see("in Ben Okafor's calendar will stay unchanged.").await;
    browser.tick("Delete entries").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("is disconnected. Its entries are being deleted.").await;
    demo_app.entries_named("Peter", 0).await;
}

#[tokio::test]
async fn calendar_page_polls_only_while_work_is_pending() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Manage ana@example.com").await;
    browser.see("No upcoming busy times in the imported calendars.").await;
    // Google is slow, so that the work can be watched.
    let faults = format!("{}/control/faults", demo_app.demo("sandbox_url"));
    let slow = serde_json::json!({ "provider": "google", "kind": "latency_ms", "value": 2_000 });
    let made = demo_app.http.post(&faults).json(&slow).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    let event = serde_json::json!({
        "provider": "google", "account": "ana@example.com", "title": "Dentist",
        "starts_at": format!("{}T10:00:00Z", day(40)), "ends_at": format!("{}T14:00:00Z", day(40)),
    });
    let url = format!("{}/control/events", demo_app.demo("sandbox_url"));
    assert!(demo_app.http.post(url).json(&event).send().await.unwrap().status().is_success());

    browser.click_on("Resync").await;
    browser.see("Syncing").await;
    // Nobody loads it again.
    browser.see(&told(day(40))).await;
    until("all is quiet", async || (!browser.text().await.contains("Syncing")).then_some(())).await;
    // That nothing is asked for any more shows only by waiting: several times as long as work is asked after.
    let looks = browser
        .ask_later(
            "const done = arguments[arguments.length - 1];
             const looks = () => performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/live')).length;
             setTimeout(() => { const before = looks(); setTimeout(() => done([before, looks()]), 4000); }, 2000);",
        )
        .await;
    assert!(looks[0].as_u64() > Some(0), "{looks}");
    assert_eq!(looks[0], looks[1], "nothing is asked for once all is quiet");
}

#[tokio::test]
async fn what_is_busy_outside_is_busy_here() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let event = serde_json::json!({
        "provider": "google", "account": "ana@example.com", "title": "Dentist",
        // In summer Lisbon is an hour ahead, so the hours are taken broadly.
        "starts_at": format!("{}T10:00:00Z", day(40)), "ends_at": format!("{}T14:00:00Z", day(40)),
    });
    let url = format!("{}/control/events", demo_app.demo("sandbox_url"));
    let made = demo_app.http.post(url).json(&event).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());

    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Import busy times").await;
    browser.see("Importing busy times from").await;
    browser.click_on("Manage ana@example.com").await;
    browser.see(&told(day(40))).await;

    browser.go(&demo_app.url("/bookings/new")).await;
    browser.fill("resource", "Treatment Room").await;
    browser.fill("starts_at", &format!("{}T12:00", day(40))).await;
    browser.fill("ends_at", &format!("{}T13:00", day(40))).await;
    browser.tick("Ana Pereira").await;
    browser.click_on("Create booking").await;
    browser.see("This time is not available. Nothing was saved.").await;
    browser.see("Ana Pereira: busy time in the calendar").await;
    assert!(!browser.text().await.contains("Dentist"), "what the appointment is about is nobody's business");
}

#[tokio::test]
async fn a_refused_consent_is_explained_and_connects_nothing() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Connect Google for Ben Okafor").await;
    browser.click_on("Deny").await;
    browser.see("Calendar not connected: access was not granted. Nothing was changed").await;
    browser.see("Ben Okafor").await;
    assert_eq!(browser.path().await, "/calendars");
    assert!(!browser.text().await.contains("ben@example.com"));
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_refused() {
    let demo_app = DemoApp::open().await;
    for (query, words) in [
        ("state=made-up&code=abc", "was not started here"),
        ("code=abc", "was not started here"),
        ("", "was not started here"),
        ("error=access_denied", "was not started here"),
    ] {
        let url = demo_app.url(&format!("/oauth/calendar/google/callback?{query}"));
        let answer = demo_app.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{query}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words) && page.contains("Try again"), "{query}: {page}");
    }
    let unknown = demo_app.http.get(demo_app.url("/oauth/calendar/mars/callback")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn an_answer_is_used_once_and_in_its_own_session() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/calendars")).await;
    let form = [("csrf", browser.value("csrf").await), ("staff", demo_app.id_of("staff", "Ben Okafor"))];
    let begin = async |cookie: &str| {
        let url = demo_app.url("/calendars/connect/google");
        let answer = demo_app.http.post(url).header("cookie", cookie).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let consent: reqwest::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
        let mut allow: Vec<(String, String)> = consent.query_pairs().into_owned().collect();
        allow.push(("account".into(), "ben@example.com".into()));
        allow.push(("decision".into(), "allow".into()));
        let mut page = consent.clone();
        page.set_query(None);
        let answer = demo_app.http.post(page).form(&allow).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let cookie = browser.cookie().await;

    let callback = begin(&cookie).await;
    let stranger = demo_app.http.get(&callback).send().await.unwrap();
    assert_eq!(stranger.status(), 400, "another session may not finish it");
    assert!(stranger.text().await.unwrap().contains("another browser session"));

    let callback = begin(&cookie).await;
    let first = demo_app.http.get(&callback).header("cookie", &cookie).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["location"].to_str().unwrap()), (303, "/calendars"));
    let again = demo_app.http.get(&callback).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(again.status(), 400, "an answer works once");
    assert!(again.text().await.unwrap().contains("already completed"));
}

#[tokio::test]
async fn staff_see_their_own_calendars_only() {
    let demo_app = DemoApp::open().await;
    let manager = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    manager.go(&demo_app.url("/calendars")).await;
    manager.click_on("Connect Google for Ben Okafor").await;
    manager.click_on("Allow").await;
    manager.click_on("Manage ben@example.com").await;
    manager.see("Ben Okafor's Google calendar").await;
    let bens = manager.path().await;
    assert!(bens.starts_with("/calendars/"), "{bens}");

    manager.forget().await;
    manager.go(demo_app.demo("staff_sign_in_url")).await;
    manager.see("Overview").await;
    let overview = manager.text().await;
    assert!(!overview.contains("success rate, 24 h"), "the figures are of the whole business: {overview}");
    manager.go(&demo_app.url("/calendars")).await;
    manager.see("Ana Pereira").await;
    assert!(!manager.text().await.contains("Ben Okafor"));
    manager.go(&demo_app.url("/bookings/CA-1006")).await;
    manager.see("In calendars").await;
    let booking = manager.text().await;
    assert!(booking.contains("Ben Okafor") && !booking.contains("ben@example.com"), "{booking}");

    let cookie = manager.cookie().await;
    let status = async |path: &str| {
        demo_app
            .http
            .get(demo_app.url(path))
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status(&bens).await, 404);
    assert_eq!(status(&format!("{bens}/live")).await, 404);
    assert_eq!(status(&format!("{bens}/disconnect")).await, 404);
    let query = bens.rsplit('/').next().unwrap_or_default().to_owned();
    assert_eq!(status(&format!("/settings/sync-log?connection={query}")).await, 404);
    for managers in [
        "/settings/people",
        "/settings/api-keys",
        "/settings/mail",
        "/settings/business",
        "/settings/resources",
        "/settings/resources/new",
    ] {
        assert_eq!(status(managers).await, 403, "{managers}");
    }
    assert_eq!(status("/bookings").await, 200);
    let csrf = until("a form", async || Some(manager.value("csrf").await)).await;
    for path in [format!("{bens}/resync"), format!("{bens}/pause"), format!("{bens}/test")] {
        let answer = demo_app
            .http
            .post(demo_app.url(&path))
            .header("cookie", &cookie)
            .form(&[("csrf", &csrf)])
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_calendar_is_compared_when_somebody_asks() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    demo_app.entries_named("Noor", 1).await;
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Manage ana@example.com").await;
    browser.see("Not checked yet").await;
    // So that nobody reads of the deletion first.
    browser.tick("Export only").await;
    browser.click_on("Save settings").await;
    browser.see("Settings saved.").await;
    browser.click_on("Compare now").await;
    browser.see("Compare started: the calendar is checked against your bookings.").await;
    browser.see("2 of 2").await;

    let all = demo_app.entries().await;
    let noor = all.iter().find(|one| one["title"].as_str().is_some_and(|title| title.contains("Noor")));
    let id = noor.expect("it stands")["id"].as_str().expect("an id");
    let entry = format!("{}/control/events/{id}?provider=google", demo_app.demo("sandbox_url"));
    let deleted = demo_app.http.delete(entry).send().await.unwrap();
    assert!(deleted.status().is_success(), "{}", deleted.text().await.unwrap());
    browser.click_on("Compare now").await;
    browser.see("1 missing").await;
    demo_app.entries_named("Noor", 1).await;
    browser.click_on("Compare now").await;
    browser.see("2 of 2").await;
}
