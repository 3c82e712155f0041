//! The program under test, in a process and a folder of its own.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use chrono::{Datelike, Days, NaiveDate};
use concord_domain::clock::Clock;
use serde_json::Value;
use tempfile::TempDir;

pub use crate::until;
use crate::{PATIENCE, process::program};

/// `concord demo`, stopped when it is dropped.
pub struct DemoApp {
    process: Child,
    data: TempDir,
    demo: Value,
    /// For what is not looked at in a browser.
    pub http: reqwest::Client,
}

impl DemoApp {
    /// Starts it and waits until it serves.
    pub async fn open() -> Self {
        let data = TempDir::new().expect("a folder");
        let log = |name: &str| File::create(data.path().join(name)).expect("a log");
        let process = Command::new(program())
            .args(["demo", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join("demo"))
            .stdout(log("out"))
            .stderr(log("err"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut demo_app = Self { process, data, demo: Value::Null, http: client() };
        let file = demo_app.data.path().join("demo/demo.json");
        until("the demo serves", async || {
            if let Ok(Some(status)) = demo_app.process.try_wait() {
                panic!("concord demo ended with {status}: {}", demo_app.logs());
            }
            demo_app.demo =
                fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok())?;
            let ready = demo_app.http.get(demo_app.url("/readyz")).send().await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        demo_app
    }

    /// What the program printed.
    pub fn logs(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.data.path().join(name)).unwrap_or_default();
        format!("{}{}", read("out"), read("err"))
    }

    /// A field of `demo.json`.
    pub fn demo(&self, field: &str) -> &str {
        self.demo[field].as_str().unwrap_or_else(|| panic!("demo.json has no {field}"))
    }

    /// The id of a staff member or resource of the demo.
    pub fn id_of(&self, list: &str, name: &str) -> String {
        let things = self.demo[list].as_array().expect("a list");
        let thing = things.iter().find(|thing| thing["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        thing["id"].as_str().expect("an id").to_owned()
    }

    /// The id of a listing of the sandbox's platforms, and the address of its calendar.
    pub fn listing(&self, platform: &str, name: &str) -> (String, String) {
        let listings = self.demo["listings"].as_array().expect("listings");
        let is_it = |listing: &&Value| listing["platform"] == platform && listing["name"] == name;
        let listing = listings.iter().find(is_it).unwrap_or_else(|| panic!("no {name} on {platform}"));
        let text = |field: &str| listing[field].as_str().expect("a text").to_owned();
        (text("id"), text("export_url"))
    }

    /// Does something in the sandbox's control interface.
    pub async fn control(&self, method: reqwest::Method, path: &str, body: Value) {
        let url = format!("{}/control{path}", self.demo("sandbox_url"));
        let answer = self.http.request(method, url).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.demo["url"].as_str().unwrap_or_default())
    }

    /// The entries that stand in the sandbox's calendars now.
    pub async fn entries(&self) -> Vec<Value> {
        let url = format!("{}/control/events?provider=google", self.demo("sandbox_url"));
        let answer: Value = self.http.get(url).send().await.expect("an answer").json().await.expect("JSON");
        let all = answer.as_array().or_else(|| answer["events"].as_array()).expect("a list").clone();
        all.into_iter().filter(|event| event["deleted"] != Value::Bool(true)).collect()
    }

    /// The entry of ours in Ana's calendar that stands first of those whose title holds the text.
    pub async fn entry_named(&self, text: &str) -> String {
        until(&format!("an entry named {text}"), async || {
            let all = self.entries().await;
            let found = all.iter().find(|entry| {
                entry["account"] == "ana@example.com"
                    && entry["title"].as_str().is_some_and(|title| title.contains(text))
            });
            found.map(|entry| entry["id"].as_str().expect("an id").to_owned())
        })
        .await
    }

    /// What a person does to an entry in their own calendar.
    pub async fn person(&self, method: reqwest::Method, entry: &str, body: Value) {
        let url = format!("{}/control/events/{entry}?provider=google", self.demo("sandbox_url"));
        let done = self.http.request(method, url).json(&body).send().await.expect("an answer");
        assert!(done.status().is_success(), "{}", done.text().await.expect("a text"));
    }

    /// Waits until exactly so many entries stand whose title holds the text.
    pub async fn entries_named(&self, text: &str, number: usize) {
        until(&format!("{number} entries named {text}"), async || {
            let all = self.entries().await;
            let found =
                all.iter().filter(|event| event["title"].as_str().is_some_and(|title| title.contains(text)));
            (found.count() == number).then_some(())
        })
        .await;
    }
}

impl Drop for DemoApp {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

fn client() -> reqwest::Client {
    // The client insists on a provider even where it speaks plain HTTP.
    rustls::crypto::ring::default_provider().install_default().ok();
    #[expect(clippy::disallowed_methods, reason = "a test's own client, which shows redirects")]
    let builder = reqwest::Client::builder();
    builder.redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().expect("a client")
}

/// A day so many days ahead, clear of the demo's own bookings from the 30th on. The program has the machine's clock.
pub fn day(ahead: u64) -> NaiveDate {
    today() + Days::new(ahead)
}

/// The demo's business is in Lisbon, whose day is that of UTC but for an hour in summer.
fn today() -> NaiveDate {
    Clock::system().now().date_naive()
}

/// A day as the pages tell it: with the year if it is another one.
pub fn told(day: NaiveDate) -> String {
    let format = if day.year() == today().year() { "%a %-d %b" } else { "%a %-d %b %Y" };
    day.format(format).to_string()
}

/// A program of that name in the search path.
pub fn in_path(name: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| is_file(path))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
