//! Signing in at an OpenID Connect issuer that is not ours: npm's `oidc-provider`, which is certified.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use concord_domain::people::Role;
use concord_storage::{on_both_databases, testing::TestDb};
use url::Url;

use crate::{
    page_client::{PageClient, PageResponse, person, person_at},
    test_app::{TestApp, TestAppOptions},
};

/// Ends with the test. What it says is read on: it would die of a pipe that nobody holds.
struct ForeignIssuer {
    child: Child,
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Drop for ForeignIssuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ForeignIssuer {
    fn start(port: u16, callback: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = root.join("target/oidc-provider/package.json");
        let installed = library.with_file_name("node_modules/oidc-provider");
        assert!(installed.exists(), "{} is not there: run scripts/oidc_provider.sh", installed.display());
        let mut command = Command::new("node");
        command.arg(root.join("tests/it/foreign_issuer.mjs")).arg(library);
        command.args([&port.to_string(), callback]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.by_ref().map_while(Result::ok).any(|line| line == "ready"),
            "the issuer does not start"
        );
        Self { child, _stdout: lines }
    }
}

/// A person's browser at the issuer: its cookies, and where it is led.
struct IssuerVisit<'a> {
    test_app: &'a TestApp,
    cookies: BTreeMap<String, String>,
}

impl IssuerVisit<'_> {
    /// Asks, follows whatever leads on within the issuer, and returns the page, or the address that leads back to us.
    async fn follow(&mut self, mut request: reqwest::RequestBuilder, base: &Url) -> Result<String, String> {
        for _ in 0..10 {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let asked = request.header("cookie", cookies.join("; ")).header("connection", "close");
            let answer = asked.send().await.unwrap();
            for set in answer.headers().get_all("set-cookie") {
                let pair = set.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = answer.headers().get("location") else {
                return Ok(answer.text().await.unwrap());
            };
            let to = base.join(location.to_str().unwrap()).unwrap();
            if to.as_str().starts_with(&self.test_app.api.base) {
                return Err(to.as_str().to_owned());
            }
            request = self.test_app.api.http.get(to);
        }
        panic!("it leads round in circles");
    }
}

/// Signs in there as `email`, agrees, and comes back. Returns what we answer.
async fn sign_in(visitor: &mut PageClient<'_>, test_app: &TestApp, email: &str) -> PageResponse {
    let begun = visitor.get("/oauth/sign-in").await;
    visitor.keep_cookies(&begun);
    let url: Url = begun.leads_to().parse().unwrap();
    let mut visit = IssuerVisit { test_app, cookies: BTreeMap::new() };
    let mut page = visit.follow(test_app.api.http.get(url.clone()), &url).await;
    while let Ok(html) = &page {
        let action = html.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
        let prompt = if html.contains("value=\"login\"") { "login" } else { "consent" };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("prompt", prompt), ("login", email), ("password", "any")])
            .finish();
        let request = test_app.api.http.post(action);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        page = visit.follow(request, &url).await;
    }
    let callback = page.unwrap_err();
    let answer = visitor.get(callback.strip_prefix(&test_app.api.base).unwrap()).await;
    visitor.keep_cookies(&answer);
    answer
}

async fn foreign_issuer_signs_in_whoever_has_a_verified_address(db: &TestDb) {
    let port = concord_testing::free_port();
    let settings = vec![
        ("sign_in.oidc.issuer", format!("http://127.0.0.1:{port}")),
        ("sign_in.oidc.client_id", "concord".to_owned()),
        ("sign_in.oidc.client_secret", "a secret: of/+% its own".to_owned()),
    ];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let callback = format!("{}/oauth/sign-in/callback", test_app.api.base);
    let issuer = tokio::task::spawn_blocking(move || ForeignIssuer::start(port, &callback)).await.unwrap();
    person(&test_app, Role::Staff, None).await;
    person_at(&test_app, "unverified@example.org", Role::Staff, None).await;

    let mut visitor = PageClient::signed_out(&test_app);
    assert_eq!(sign_in(&mut visitor, &test_app, "staff@example.org").await.leads_to(), "/");
    assert_eq!(visitor.get("/bookings").await.status, 200);

    let mut other = PageClient::signed_out(&test_app);
    let refused = sign_in(&mut other, &test_app, "unverified@example.org").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("does not confirm that your email address is yours"), "{}", refused.text);
    let unknown = sign_in(&mut other, &test_app, "else@example.org").await;
    assert!(unknown.text.contains("No user has the address else@example.org"), "{}", unknown.text);
    drop(issuer);
    test_app.stop().await;
}

on_both_databases!(foreign_issuer_signs_in_whoever_has_a_verified_address);
