//! Customers at their own pages, on whatever they have: nobody is signed in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accessibility::{axe, judge},
    browser::{Browser, BrowserKind, Key},
    demo_app::{DemoApp, day, until},
    phone::HIDDEN,
};

/// An appointment of somebody whose every text is long, or of another script. Returns the path of their page.
async fn appointment(demo_app: &DemoApp) -> String {
    let body = json!({
        "resource": demo_app.id_of("resources", "Treatment Room"),
        "starts_at": format!("{}T12:00:00Z", day(40)), "ends_at": format!("{}T13:00:00Z", day(40)),
        "title": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "customer": { "name": "عبد الرحمن بن محمد بن عبد العزيز", "email": "a-very-long-address-that-does-not-want-to-end@subdomain.of.a.host.example" },
        "meeting_url": format!("https://meet.example/{}", "x".repeat(80)),
    });
    let api = async |method: Method, path: &str, body: &Value| {
        let request = demo_app.http.request(method, demo_app.url(path)).bearer_auth(demo_app.demo("api_key"));
        let answer = request.json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    api(Method::PATCH, "/api/v1/business", &json!({ "move_notice_hours": 24, "cancel_notice_hours": 24 }))
        .await;
    api(Method::PUT, "/api/v1/bookings/APPOINTMENT", &body).await;
    let page = api(Method::GET, "/api/v1/bookings/APPOINTMENT/customer_page", &json!({})).await;
    let url = page["url"].as_str().unwrap();
    url[url.find("/b/").unwrap()..].to_owned()
}

/// Every page that a customer comes to, the link to all their bookings by way of their mail.
async fn customer_pages(demo_app: &DemoApp) -> Vec<String> {
    let page = appointment(demo_app).await;
    let sent = demo_app.http.post(demo_app.url(&format!("{page}/all"))).send().await.unwrap();
    assert!(sent.status().is_success() || sent.status().is_redirection(), "{}", sent.status());
    let portal = until("the link is mailed", async || {
        let mails = demo_app.http.get(format!("{}/control/mails", demo_app.demo("sandbox_url")));
        let mails: Value = mails.send().await.ok()?.json().await.ok()?;
        let texts = mails.as_array()?.iter().filter_map(|mail| mail["text"].as_str());
        let links = texts.flat_map(str::split_whitespace).find(|word| word.contains("/my/"))?;
        Some(links[links.find("/my/")?..].to_owned())
    })
    .await;
    let mut pages: Vec<String> =
        ["", "/move", "/cancel", "/ask", "/reminders/off"].map(|place| format!("{page}{place}")).into();
    pages.extend([portal, "/b/cb_nobody".to_owned()]);
    pages
}

#[tokio::test]
async fn customers_pages_can_be_read_aloud_and_nothing_hides() {
    let demo_app = DemoApp::open().await;
    let pages = customer_pages(&demo_app).await;
    let browser = Browser::open(BrowserKind::Desk).await;
    let axe = axe();
    for theme in ["light", "dark"] {
        browser.prefers_colours(theme).await;
        for width in [375, 768, 1440] {
            browser.widen(width).await;
            for path in &pages {
                browser.go(&demo_app.url(path)).await;
                let place = format!("{path} at {width}, {theme}");
                assert_eq!(browser.ask(HIDDEN).await, json!([]), "{place}");
                judge(&browser, axe.as_deref(), &place).await;
            }
        }
    }
}

#[tokio::test]
async fn hours_are_told_on_the_clocks_of_the_reader_too() {
    let demo_app = DemoApp::open().await;
    let page = appointment(&demo_app).await;
    let browser = Browser::open(BrowserKind::Desk).await;
    for (zone, is_told) in [("America/New_York", true), ("Europe/Lisbon", false)] {
        browser.be_in_zone(zone).await;
        browser.go(&demo_app.url(&page)).await;
        let told = browser.ask("return document.querySelector('[data-local-time]').textContent").await;
        let told = told.as_str().unwrap();
        assert_eq!(!told.is_empty(), is_told, "{zone}: {told}");
        // Noon in Lisbon, or an hour later in summer.
        assert!(!is_told || ["7:00", "8:00"].iter().any(|hour| told.contains(hour)), "{told}");
    }
}

#[tokio::test]
async fn customer_answers_moves_and_cancels_by_keyboard() {
    let demo_app = DemoApp::open().await;
    let page = appointment(&demo_app).await;
    let browser = Browser::open(BrowserKind::Desk).await;
    browser.go(&demo_app.url(&page)).await;
    browser.tab_to("Yes").await;
    browser.keys(&Key::Enter).await;
    browser.see("Thank you. Your answer was saved.").await;
    browser.tab_to("Choose another time").await;
    browser.keys(&Key::Enter).await;
    browser.see("Back to the booking").await;
    let time = browser.find("button[name=time]").await.text().await.unwrap();
    browser.tab_to(&time).await;
    browser.keys(&Key::Enter).await;
    browser.see("Your booking was moved.").await;
    browser.see(&time).await;
    browser.tab_to("Cancel booking").await;
    browser.keys(&Key::Enter).await;
    browser.see("Cancel this booking?").await;
    browser.tab_to("Cancel booking").await;
    browser.keys(&Key::Enter).await;
    browser.see("Your booking was cancelled.").await;
}

#[tokio::test]
async fn customer_needs_no_script() {
    let demo_app = DemoApp::open().await;
    let page = appointment(&demo_app).await;
    let browser = Browser::open(BrowserKind::WithoutScript).await;
    browser.go(&demo_app.url(&page)).await;
    browser.click_on("No").await;
    browser.see("Thank you. Your answer was saved.").await;
    browser.click_on("Ask for a change").await;
    browser.fill("wish", "An hour later, please").await;
    browser.click("main button.primary").await;
    browser.see("Your message was sent to").await;
}
