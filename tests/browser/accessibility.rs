//! Every page can be read by a screen reader, in light and in dark.
//!
//! `axe-core` judges where `scripts/axe.sh` could install it (`target/node/node_modules/axe-core`), or where
//! `CONCORD_TEST_AXE` says it is; a few rules of our own hold everywhere.

use std::path::PathBuf;

use serde_json::Value;

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, until},
    phone::{all_pages, awkward_booking},
};

const OUR_RULES: &str = "
    const wrong = [];
    const need = (holds, words) => { if (!holds) wrong.push(words); };
    need(document.documentElement.lang === 'en', 'no language');
    need(document.title.length > 0, 'no title');
    need(document.querySelectorAll('h1').length === 1, 'not exactly one main heading');
    need(document.querySelectorAll('main').length === 1, 'not exactly one main part');
    for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
        need(field.labels.length > 0 || field.getAttribute('aria-label'), `no label: ${field.outerHTML}`);
    }
    for (const press of document.querySelectorAll('a[href], button')) {
        need(press.innerText.trim() || press.getAttribute('aria-label') || press.closest('dialog, details, [hidden]') || press.hidden, `no words: ${press.outerHTML}`);
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    need(new Set(ids).size === ids.length, `an id twice: ${ids.filter((id, at) => ids.indexOf(id) !== at)}`);
    need(!document.querySelector('[style], script:not([src]), style'), 'something inline');
    return wrong;";

const AXE: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(
        (result) => done(result.violations
            .filter((found) => ['serious', 'critical'].includes(found.impact))
            .map((found) => `${found.id}: ${found.help}: ${found.nodes.map((node) => node.html).slice(0, 3).join(' | ')}`)),
        (error) => done([String(error)]));";

pub(crate) fn axe() -> Option<String> {
    let path = std::env::var_os("CONCORD_TEST_AXE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/node/node_modules/axe-core/axe.min.js"),
        PathBuf::from,
    );
    let source = std::fs::read_to_string(&path).ok();
    if source.is_none() {
        println!(
            "axe-core is not at {} (scripts/axe.sh brings it): only the rules of our own were held",
            path.display()
        );
    }
    source
}

pub(crate) async fn judge(browser: &Browser, axe: Option<&str>, path: &str) {
    let wrong = browser.ask(OUR_RULES).await;
    assert_eq!(wrong, Value::Array(vec![]), "{path}");
    if let Some(axe) = axe {
        browser.ask(axe).await;
        let wrong = browser.ask_later(AXE).await;
        assert_eq!(wrong, Value::Array(vec![]), "{path}");
    }
}

/// Chooses Light or Dark in the menu, and waits until the page is so.
pub(crate) async fn choose_theme(demo_app: &DemoApp, browser: &Browser, theme: &str) {
    browser.go(&demo_app.url("/")).await;
    browser.click(".menu summary").await;
    browser.click_on(theme).await;
    until("the choice is kept", async || {
        browser.go(&demo_app.url("/")).await;
        let chosen = browser.ask("return document.documentElement.dataset.theme").await;
        (chosen == theme.to_lowercase()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_page_can_be_read_aloud() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let axe = axe();
    let mut pages = all_pages(&demo_app, &browser).await;
    pages.push(awkward_booking(&demo_app).await.to_owned());
    for theme in ["Light", "Dark"] {
        choose_theme(&demo_app, &browser, theme).await;
        for path in &pages {
            browser.go(&demo_app.url(path)).await;
            judge(&browser, axe.as_deref(), &format!("{path} ({theme})")).await;
        }
    }
}

#[tokio::test]
async fn what_is_refused_and_what_asks_can_be_read_aloud_too() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let axe = axe();
    browser.go(&demo_app.url("/bookings/new")).await;
    browser.fill("email", "nobody").await;
    browser.fill("resource", "Sea View Suite").await;
    browser.click_on("Create booking").await;
    browser.see("Please fix the following").await;
    judge(&browser, axe.as_deref(), "a form with faults").await;
    browser.go(&demo_app.url("/bookings/CA-1005")).await;
    browser.click_on("Cancel booking").await;
    browser.see("The customer is not notified.").await;
    judge(&browser, axe.as_deref(), "a dialog").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("was cancelled.").await;
    judge(&browser, axe.as_deref(), "a page that says what happened").await;
}
