//! Nothing sticks out to the side, and on a phone the places are at hand.

use chrono::{Datelike, Days, NaiveDate};

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, day},
};

/// A webhook with deliveries, and one of them.
async fn webhook(demo_app: &DemoApp, browser: &Browser) -> [String; 2] {
    browser.go(&demo_app.url("/settings/webhooks")).await;
    browser
        .fill(
            "url",
            "https://a-shop-with-a-rather-long-name.example/hooks/concord?key=abcdefghijklmnopqrstuvwxyz",
        )
        .await;
    browser.fill("description", "A booking system with a rather long name for somebody's phone").await;
    browser.click_on("Add webhook").await;
    browser.see("This is its signing secret.").await;
    browser.click_on("Send test event").await;
    browser.see("Sending a test event.").await;
    browser.see("webhook.test").await;
    let delivery = browser.find("a[href*='/deliveries/']").await.attr("href").await.unwrap().unwrap();
    let page = delivery.split("/deliveries/").next().unwrap().to_owned();
    [page, delivery]
}

/// Every page that can be reached without changing anything.
pub(crate) async fn all_pages(demo_app: &DemoApp, browser: &Browser) -> Vec<String> {
    browser.go(&demo_app.url("/calendars")).await;
    let connection = browser.find("a[href^='/calendars/']").await.attr("href").await.unwrap().unwrap();
    let (_, address) = demo_app.listing("airbnb", "Sea View Suite");
    let wish = serde_json::json!({
        "resource": demo_app.id_of("resources", "Sea View Suite"), "platform": "airbnb", "import_url": address,
    });
    let url = demo_app.url("/api/v1/channels");
    let made =
        demo_app.http.post(url).bearer_auth(demo_app.demo("api_key")).json(&wish).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let channel: serde_json::Value = made.json().await.unwrap();
    let (room, ana) = (demo_app.id_of("resources", "Sea View Suite"), demo_app.id_of("staff", "Ana Pereira"));
    let webhook = webhook(demo_app, browser).await;
    browser.go(&demo_app.url("/feeds")).await;
    browser.fill("name", "A feed with a rather long name for somebody's phone").await;
    browser.click_on("Create feed").await;
    browser.see("is published.").await;
    let edit = browser.find("a[href$='/edit']").await.attr("href").await.unwrap().unwrap();
    let feed = edit.trim_end_matches("/edit").to_owned();
    let mut pages: Vec<String> = [
        "/",
        "/bookings",
        "/bookings?from=&q=nobody",
        "/bookings/new",
        "/bookings/CA-1005",
        "/bookings/CA-1005/edit",
        "/bookings/CA-1005/cancel",
        "/calendars",
        "/changes",
        "/changes?state=open",
        "/channels",
        "/channels/new",
        "/calendar-sync",
        "/feeds",
        "/settings",
        "/settings/business",
        "/settings/invitations",
        "/settings/emails",
        "/settings/reminders",
        "/settings/customer-data",
        "/settings/notifications",
        "/alerts",
        "/settings/resources",
        "/settings/resources/new",
        "/settings/people",
        "/settings/people/staff/new",
        "/settings/platforms",
        "/settings/api-keys",
        "/settings/webhooks",
        "/settings/mail",
        "/settings/sessions",
        "/settings/sync-log",
        "/settings/sync-log?booking=none",
        "/sign-in",
        "/nowhere",
    ]
    .map(str::to_owned)
    .into();
    pages.extend([
        connection.clone(),
        format!("/channels/{}", channel["id"].as_str().unwrap()),
        format!("{connection}/disconnect"),
        format!("/settings/resources/{room}"),
        format!("/settings/resources/{room}/archive"),
        format!("/settings/people/staff/{ana}"),
        format!("/settings/people/staff/{ana}/archive"),
        format!("{feed}/edit"),
        format!("{feed}/rotate"),
        format!("{feed}/revoke"),
        format!("{}/disable", webhook[0]),
    ]);
    pages.extend(webhook);
    pages
}

/// A booking whose every text is long, or of another script, or one word without an end. No time takes more words than a stay
/// that begins in another year and ends in yet another.
pub(crate) async fn awkward_booking(demo_app: &DemoApp) -> &'static str {
    let check_in = NaiveDate::from_ymd_opt(day(0).year() + 1, 12, 30).unwrap();
    let body = serde_json::json!({
        "resource": demo_app.id_of("resources", "Garden Rooms"),
        "check_in": check_in, "check_out": check_in + Days::new(14),
        "title": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "customer": { "name": "عبد الرحمن بن محمد بن عبد العزيز", "email": "a-very-long-address-that-does-not-want-to-end@subdomain.of.a.host.example" },
        "location": "x".repeat(120), "notes": "Line\n".repeat(20),
    });
    let url = demo_app.url("/api/v1/bookings/LONG-REFERENCE-LONG-REFERENCE-LONG-REFERENCE-LONG-REFERENCE");
    let answer =
        demo_app.http.put(url).bearer_auth(demo_app.demo("api_key")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    "/bookings/LONG-REFERENCE-LONG-REFERENCE-LONG-REFERENCE-LONG-REFERENCE"
}

#[tokio::test]
async fn nothing_sticks_out_to_the_side_of_a_phone() {
    nothing_sticks_out(BrowserKind::Phone, 360).await;
}

#[tokio::test]
async fn nothing_sticks_out_to_the_side_of_a_desk() {
    nothing_sticks_out(BrowserKind::Desk, 1280).await;
}

async fn nothing_sticks_out(kind: BrowserKind, width: u64) {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(kind, &demo_app).await;
    let mut pages = all_pages(&demo_app, &browser).await;
    pages.push(awkward_booking(&demo_app).await.to_owned());
    pages.push(format!("/bookings?from={}", day(35)));
    for path in pages {
        browser.go(&demo_app.url(&path)).await;
        let widths = browser.ask("return [innerWidth, document.documentElement.scrollWidth]").await;
        assert_eq!(widths[0], width, "{path}");
        assert_eq!(widths[1], width, "{path} can be scrolled to the side");
    }
}

/// What of a page sticks out of the card it is in, and which words of up to twenty letters are broken.
pub(crate) const HIDDEN: &str = r#"
    const wrong = [];
    if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page itself");
    for (const card of document.querySelectorAll("main .card")) {
        if (card.scrollWidth > card.clientWidth + 1) wrong.push(`a card of ${card.scrollWidth} in ${card.clientWidth}: ${card.innerText.slice(0, 60)}`);
    }
    const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (!node.parentElement.checkVisibility() || node.parentElement.closest(".mono, code, .visually-hidden")) continue;
        for (const word of node.data.matchAll(/[\p{L}\p{N}]{2,20}/gu)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const tops = new Set([...range.getClientRects()].filter((r) => r.width > 0).map((r) => Math.round(r.top)));
            const around = node.data.slice(Math.max(0, word.index - 21), word.index + word[0].length + 21).split(/\s/);
            if (tops.size > 1 && !around.some((one) => one.length > 20)) wrong.push(`the word ${word[0]}`);
        }
    }
    return wrong;
"#;

#[tokio::test]
async fn nothing_hides_between_phone_and_desk() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let mut pages = all_pages(&demo_app, &browser).await;
    pages.push(format!("/bookings?from={}", day(35)));
    for width in [641, 800, 1024, 1100] {
        browser.widen(width).await;
        for path in &pages {
            browser.go(&demo_app.url(path)).await;
            let wrong = browser.ask(HIDDEN).await;
            assert_eq!(wrong, serde_json::json!([]), "{path} at {width}");
        }
    }
}

#[tokio::test]
async fn the_places_are_at_the_bottom_of_a_phone() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Phone, &demo_app).await;
    for (place, words) in [
        ("Bookings", "Jonas Berg"),
        ("Calendars", "Ana Pereira"),
        ("Channels", "No platforms connected yet"),
        ("Settings", "API keys"),
        ("Overview", "Upcoming"),
    ] {
        browser.click_on(place).await;
        browser.see(words).await;
        let bar = browser.ask("const r = document.querySelector('.places').getBoundingClientRect(); return innerHeight - r.bottom").await;
        assert_eq!(bar.as_f64(), Some(0.0), "{place}");
    }
}
