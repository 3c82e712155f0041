//! A Chromium of its own for each story, and what a person does with it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub use fantoccini::key::Key;
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    wd::WebDriverCompatibleCommand,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use super::demo_app::{DemoApp, in_path};
use crate::{PATIENCE, until};

/// How the browser looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserKind {
    Desk,
    /// 360 by 740, as a phone.
    Phone,
    /// As at a desk, with scripts turned off.
    WithoutScript,
}

/// What has the focus, as a screen reader would name it.
pub const FOCUSED: &str = "
    const at = document.activeElement;
    const label = at.labels && at.labels[0] ? at.labels[0].innerText : '';
    return (at.getAttribute('aria-label') || label || at.innerText || at.name || '').trim().split('\\n')[0].trim();";

/// The program that drives the browser.
struct WebDriver {
    process: Child,
    address: String,
    /// Chromium's session and process, once it runs.
    session: Option<(String, u64)>,
}

impl WebDriver {
    /// Asks for the end of the session, which is the end of its Chromium. Written by hand, since a test that fails is
    /// past awaiting anything.
    fn end_session(&self, session: &str) -> std::io::Result<()> {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // A driver that is killed leaves its Chromium behind, which would stay until the machine is out of memory.
        if let Some((session, chromium)) = &self.session {
            let ended = self.end_session(session);
            if ended.is_err() {
                Command::new("kill").arg(chromium.to_string()).status().ok();
            }
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A browser that is stopped when it is dropped.
pub struct Browser {
    _driver: WebDriver,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    pub async fn open(kind: BrowserKind) -> Self {
        let profile = TempDir::new().expect("a folder");
        let mut driver = start_driver();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        if let Value::Object(wanted) = capabilities(kind, &profile) {
            builder.capabilities(wanted);
        }
        let client = builder.connect(&driver.address).await.expect("Chromium starts");
        let session = client.session_id().await.expect("an answer").expect("a session");
        let process = client.capabilities().and_then(|all| all.get("goog:processID")?.as_u64());
        driver.session = Some((session, process.expect("Chromium's process")));
        Self { _driver: driver, client, _profile: profile }
    }

    /// Starts one and signs the demo's manager in.
    pub async fn signed_in(kind: BrowserKind, demo_app: &DemoApp) -> Self {
        let browser = Self::open(kind).await;
        browser.go(demo_app.demo("sign_in_url")).await;
        browser.see("Overview").await;
        browser
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The path that is shown.
    pub async fn path(&self) -> String {
        self.client.current_url().await.expect("an address").path().to_owned()
    }

    /// All that can be read on the page.
    pub async fn text(&self) -> String {
        let Ok(body) = self.client.find(Locator::Css("body")).await else { return String::new() };
        body.text().await.unwrap_or_default()
    }

    /// Waits until the page says so.
    pub async fn see(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "“{text}” is not to be seen in:\n{shown}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for what a selector finds.
    pub async fn find(&self, css: &str) -> Element {
        until(css, async || self.client.find(Locator::Css(css)).await.ok()).await
    }

    /// Presses what a selector finds.
    pub async fn click(&self, css: &str) {
        self.press(Locator::Css(css), css).await;
    }

    /// Presses the button or link that has these words, or is called so.
    pub async fn click_on(&self, words: &str) {
        let path = format!(
            "//*[self::a or self::button][normalize-space()=\"{words}\" or @aria-label=\"{words}\"]\
             [not(@tabindex='-1')][not(ancestor::dialog[not(@open)])]"
        );
        self.press(Locator::XPath(&path), words).await;
    }

    async fn press(&self, locator: Locator<'_>, what: &str) {
        until(&format!("something to press: {what}"), async || {
            let element = self.client.find(locator).await.ok()?;
            element.click().await.ok()
        })
        .await;
    }

    /// Puts a value into the field of that name, whatever was in it. Dates and times are set as scripts of pages do.
    pub async fn fill(&self, field: &str, value: &str) {
        let element = self.find(&format!("main [name='{field}']")).await;
        let kind = element.prop("type").await.expect("a field").unwrap_or_default();
        match kind.as_str() {
            "select-one" => element.select_by_label(value).await.expect("a choice"),
            "date" | "datetime-local" => {
                let script = "arguments[0].value = arguments[1]";
                let element = serde_json::to_value(&element).expect("an element");
                self.client.execute(script, vec![element, json!(value)]).await.expect("a value");
            }
            _ => {
                element.clear().await.expect("an empty field");
                element.send_keys(value).await.expect("keys");
            }
        }
    }

    /// What the field of that name holds.
    pub async fn value(&self, field: &str) -> String {
        let element = self.find(&format!("main [name='{field}']")).await;
        element.prop("value").await.expect("a field").unwrap_or_default()
    }

    /// Ticks the box or chooses the round one that has these words.
    pub async fn tick(&self, words: &str) {
        let path = format!("//label[contains(., \"{words}\")]//input[@type='checkbox' or @type='radio']");
        let element = until(words, async || self.client.find(Locator::XPath(&path)).await.ok()).await;
        if !element.is_selected().await.expect("a box") {
            element.click().await.expect("a tick");
        }
    }

    /// Presses keys, one after the other, as a person does: whatever has the focus gets them.
    pub async fn keys(&self, keys: &str) {
        let mut presses = KeyActions::new("keyboard".to_owned());
        for value in keys.chars() {
            presses = presses.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(presses).await.expect("keys");
    }

    /// Presses Tab until something of that name has the focus, and sees to it that the focus can be seen.
    pub async fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..80 {
            self.keys(&Key::Tab).await;
            let focused = self.ask(FOCUSED).await;
            let focused = focused.as_str().unwrap_or_default().to_owned();
            if focused == name {
                let outline = "return getComputedStyle(document.activeElement).outlineStyle";
                let seen = self.ask(outline).await;
                assert_ne!(seen, "none", "the focus on “{name}” cannot be seen");
                return;
            }
            passed.push(focused);
        }
        panic!("Tab never came to “{name}”; it passed {passed:?}");
    }

    /// Makes the window so wide.
    pub async fn widen(&self, width: u32) {
        // A headless window has no frame: what is seen is as wide as the window.
        self.client.set_window_size(width, 900).await.expect("another size");
    }

    /// As if the reader were in that zone.
    pub async fn be_in_zone(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": zone })).await;
    }

    /// As if the system were set to `light` or `dark`.
    pub async fn prefers_colours(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn devtools(&self, command: &'static str, parameters: Value) {
        let command = DevtoolsCommand { command, parameters };
        self.client.issue_cmd(command).await.expect("what Chromium's developer tools can do");
    }

    /// Writes what is seen to a PNG file.
    pub async fn save_picture(&self, file: &Path) {
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(file, picture).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// Runs a script in the page, for what WebDriver has no word for.
    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.expect("a script's answer")
    }

    /// As `ask`, for a script that calls back.
    pub async fn ask_later(&self, script: &str) -> Value {
        self.client.execute_async(script, vec![]).await.expect("a script's answer")
    }

    /// The cookie of the session, as a header.
    pub async fn cookie(&self) -> String {
        let cookie = self.client.get_named_cookie("concord_session").await.expect("a session");
        format!("concord_session={}", cookie.value())
    }

    /// As if the browser had never been here.
    pub async fn forget(&self) {
        self.client.delete_all_cookies().await.expect("no cookies");
    }
}

/// What WebDriver has no word for, and ChromeDriver passes on.
#[derive(Debug)]
struct DevtoolsCommand {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevtoolsCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

/// More than one driver that starts at once may be given a port of IPv6 that is somebody else's in IPv4; it then ends
/// with "IPv4 port not available".
const STARTS: usize = 5;

fn start_driver() -> WebDriver {
    let program =
        std::env::var_os("CONCORD_TEST_CHROMEDRIVER").map(PathBuf::from).or_else(|| in_path("chromedriver"));
    let program = program.expect(
        "chromedriver is not there: install it (Debian: apt-get install chromium chromium-driver), or put its path \
         into CONCORD_TEST_CHROMEDRIVER",
    );
    let mut said = String::new();
    for _ in 0..STARTS {
        match try_driver(&program) {
            Ok(driver) => return driver,
            Err(words) => said.push_str(&words),
        }
    }
    panic!("chromedriver ended {STARTS} times: {said}");
}

/// What it said, if it ended instead.
fn try_driver(program: &Path) -> Result<WebDriver, String> {
    let process = Command::new(program)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let mut driver = WebDriver { process, address: String::new(), session: None };
    let mut lines = BufReader::new(driver.process.stdout.take().expect("its output"));
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if !lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            return Err(said);
        }
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            // What it says later must not fill the pipe.
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            driver.address = format!("http://127.0.0.1:{}", port.trim().trim_end_matches('.'));
            return Ok(driver);
        }
        said.push_str(&line);
    }
}

fn capabilities(kind: BrowserKind, profile: &TempDir) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--no-first-run".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--lang=en-US".to_owned(),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    let mut options = json!({});
    match kind {
        BrowserKind::Desk => arguments.push("--window-size=1280,900".to_owned()),
        BrowserKind::WithoutScript => {
            arguments.push("--window-size=1280,900".to_owned());
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        BrowserKind::Phone => {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 1, "touch": true } });
        }
    }
    options["args"] = json!(arguments);
    if let Some(chromium) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path) {
        options["binary"] = json!(chromium);
    }
    json!({ "goog:chromeOptions": options })
}
