//! What a person's own application asks of their server.

use base64::{Engine, engine::general_purpose::STANDARD};
use concord_providers::{BufferedResponse, HttpClient};
use http::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::object::{self, ObservedObject};

/// A person at their server, with an application of their own. A server that refuses what they do ends the test.
#[derive(Debug)]
pub struct CaldavUser {
    pub(crate) http: HttpClient,
    pub(crate) server: Url,
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl CaldavUser {
    /// Makes an empty calendar at this path.
    pub async fn make_calendar(&self, path: &str) {
        let body = r#"<C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav"/>"#;
        assert_eq!(self.ask("MKCALENDAR", path, "0", body).await.status, 201);
    }

    /// Says in which zone the calendar at this path is (RFC 4791, 5.2.2), by its name in the IANA database.
    pub async fn set_timezone(&self, path: &str, zone: &str) {
        let object = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:{zone}\r\nEND:VTIMEZONE\r\n\
             END:VCALENDAR\r\n"
        );
        let body = format!(
            r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:calendar-timezone>{object}</C:calendar-timezone></prop></set></propertyupdate>"#
        );
        let answer = self.ask("PROPPATCH", path, "0", &body).await;
        assert_eq!(answer.status, 207, "{:?}", answer.body);
    }

    /// Writes an object, whatever stands there.
    pub async fn puts(&self, path: &str, object: &str) {
        let answer = self.ask("PUT", path, "0", object).await;
        assert!(answer.status.is_success(), "{} {:?}", answer.status, answer.body);
    }

    /// The object at this path.
    pub async fn gets(&self, path: &str) -> String {
        self.finds(path).await.unwrap_or_else(|| panic!("{path} is not there"))
    }

    /// The object at this path, if there is one.
    async fn finds(&self, path: &str) -> Option<String> {
        let answer = self.ask("GET", path, "0", "").await;
        if answer.status == 404 {
            return None;
        }
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        Some(String::from_utf8(answer.body.to_vec()).expect("UTF-8"))
    }

    /// Removes the object or the calendar at this path.
    pub async fn deletes(&self, path: &str) {
        let answer = self.ask("DELETE", path, "0", "").await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
    }

    /// Moves an object to where nothing stands (RFC 4918, 9.9).
    pub async fn moves(&self, path: &str, to: &str) {
        let to = self.server.join(to).expect("it can be asked");
        let answer = self
            .request_with_headers("MOVE", path, &[("destination", to.as_str()), ("overwrite", "F")])
            .await;
        assert!(answer.status.is_success(), "{path}: {} {:?}", answer.status, answer.body);
    }

    /// The paths of the objects of a calendar.
    pub async fn lists(&self, path: &str) -> Vec<String> {
        let body = r#"<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>"#;
        let answer = self.ask("PROPFIND", path, "1", body).await;
        assert_eq!(answer.status, 207, "{path}");
        let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
        let hrefs = text.split("href>").skip(1).step_by(2).filter_map(|part| part.split("</").next());
        hrefs.filter(|href| !href.ends_with('/')).map(str::to_owned).collect()
    }

    /// What stands in a calendar.
    pub async fn sees(&self, calendar: &str) -> Vec<ObservedObject> {
        let mut seen = Vec::new();
        for path in self.lists(calendar).await {
            // Somebody else may have removed it since it was listed.
            if let Some(text) = self.finds(&path).await {
                seen.extend(object::seen(&path, &text));
            }
        }
        seen
    }

    async fn ask(&self, method: &str, path: &str, depth: &str, body: &str) -> BufferedResponse {
        self.send((method, path), &[("depth", depth)], body).await
    }

    async fn request_with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> BufferedResponse {
        self.send((method, path), headers, "").await
    }

    async fn send(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> BufferedResponse {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.password.expose_secret()));
        let kind = if body.starts_with('<') { "application/xml" } else { "text/calendar; charset=utf-8" };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("it can be asked"))
            .uri(self.server.join(path).expect("it can be asked").as_str())
            .header(AUTHORIZATION, format!("Basic {pair}"))
            // For a server that leaves passwords to the proxy before it.
            .header("x-remote-user", &self.user)
            // A server may close a connection at the moment that we use it again.
            .header("connection", "close")
            .header(CONTENT_TYPE, kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned().into()).expect("it can be asked");
        self.http.send(request).await.expect("it can be asked")
    }
}
