//! Somebody at the pages, as a browser sends what they do, without one.

use chrono::Duration;
use concord_domain::{ids::StaffId, people::Role};
use concord_storage::{
    people::{self, NewUser, User},
    secret,
    sign_in::{self, NewSignInLink},
    testing::{begin, commit},
};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;

use super::TestApp;
use crate::logs;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a page answered.
pub struct PageResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl PageResponse {
    pub fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers["location"].to_str().unwrap()
    }

    /// The cookies that it sets, as a browser sends them back.
    pub fn cookies(&self) -> Vec<String> {
        self.headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|cookie| cookie.to_str().unwrap().split(';').next().map(str::to_owned))
            .collect()
    }
}

/// Somebody at the pages.
pub struct PageClient<'a> {
    test_app: &'a TestApp,
    pub cookies: Vec<String>,
}

impl<'a> PageClient<'a> {
    pub fn signed_out(test_app: &'a TestApp) -> Self {
        Self { test_app, cookies: Vec::new() }
    }

    pub async fn signed_in(test_app: &'a TestApp, user: &User) -> Self {
        let mut visitor = Self::signed_out(test_app);
        assert_eq!(visitor.enter(user).await, "/");
        visitor
    }

    pub async fn get(&self, path: &str) -> PageResponse {
        self.ask(self.test_app.api.http.get(format!("{}{path}", self.test_app.api.base))).await
    }

    /// The token of the session, as every form carries it.
    async fn token(&self) -> String {
        let page = self.get("/settings").await.text;
        page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }

    /// As a browser sends a form with a file, with the token of the session. A part without a name of a file is a field.
    pub async fn send_parts(&self, path: &str, parts: &[(&str, Option<&str>, &str)]) -> PageResponse {
        let token = self.token().await;
        self.send_forged_parts(path, &token, parts).await
    }

    /// The same with a token of somebody's own making.
    pub async fn send_forged_parts(
        &self,
        path: &str,
        token: &str,
        parts: &[(&str, Option<&str>, &str)],
    ) -> PageResponse {
        let part = |(name, file, value): &(&str, Option<&str>, &str)| {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
        };
        let sent: Vec<String> = [("csrf", None, token)].iter().chain(parts).map(part).collect();
        let body = format!("{}--edge--\r\n", sent.concat());
        self.post_body(path, "multipart/form-data; boundary=edge", body).await
    }

    async fn post_body(&self, path: &str, content_type: &str, body: String) -> PageResponse {
        let url = format!("{}{path}", self.test_app.api.base);
        self.ask(self.test_app.api.http.post(url).header("content-type", content_type).body(body)).await
    }

    /// As a browser sends a form, with the token of the session.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> PageResponse {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", &self.token().await)
            .extend_pairs(fields)
            .finish();
        self.post_body(path, FORM, body).await
    }

    /// The same, and goes where the answer leads, as a browser does.
    pub async fn send_and_follow(&self, path: &str, fields: &[(&str, &str)]) -> PageResponse {
        let sent = self.send(path, fields).await;
        self.get(sent.leads_to()).await
    }

    /// As the browser of somebody who is not signed in sends a form, and keeps the cookies of the answer.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> PageResponse {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = self.post_body(path, FORM, body).await;
        self.keep_cookies(&answer);
        answer
    }

    /// Keeps what an answer sets, as a browser does.
    pub fn keep_cookies(&mut self, answer: &PageResponse) {
        for cookie in answer.cookies() {
            let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
            self.cookies.retain(|kept| name(kept) != name(&cookie));
            self.cookies.push(cookie);
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> PageResponse {
        let answer = request.header("cookie", self.cookies.join("; ")).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        logs::check_answer(&text);
        PageResponse { status, headers, text }
    }

    /// Uses a link; returns where it leads.
    pub async fn enter(&mut self, user: &User) -> String {
        let token = secret::new_token("cl_");
        let now = self.test_app.app.now();
        let link = NewSignInLink {
            user: user.id,
            digest: &secret::digest(&token),
            reusable: false,
            browser: None,
            expires_at: now + Duration::minutes(5),
        };
        let mut tx = begin(self.test_app.db()).await;
        sign_in::create_link(&mut tx, &link, now).await.unwrap();
        commit(tx).await;
        let url = format!("{}/sign-in/{}", self.test_app.api.base, token.expose_secret());
        let page = self.ask(self.test_app.api.http.post(url)).await;
        self.cookies = page.cookies();
        logs::keep_out(token.expose_secret());
        for cookie in self.cookies.iter().filter_map(|cookie| cookie.strip_prefix("concord_session=")) {
            assert!(cookie.len() > 20);
            logs::keep_out(cookie);
        }
        page.leads_to().to_owned()
    }
}

pub async fn person(test_app: &TestApp, role: Role, staff: Option<StaffId>) -> User {
    person_at(test_app, &format!("{role}@example.org"), role, staff).await
}

/// The same where there are several of the role.
pub async fn person_at(test_app: &TestApp, email: &str, role: Role, staff: Option<StaffId>) -> User {
    let new = NewUser {
        business: test_app.business.id,
        staff,
        name: "Nina".to_owned(),
        email: email.to_owned(),
        role,
    };
    let mut tx = begin(test_app.db()).await;
    let user = people::create_user(&mut tx, &new, test_app.app.now()).await.unwrap();
    commit(tx).await;
    user
}
