//! Addresses as people give them, and where a password must not go.

use concord_domain::clock::Clock;
use concord_providers::{Caldav, DiscoveryError, HttpClient, HttpConfig, SsrfGuard, caldav::CaldavLogin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    caldav::{CALENDAR, HOME, caldav, multistatus},
    server::{CannedReply, CannedServer, answer_of, header},
};

fn login(address: &str) -> CaldavLogin {
    CaldavLogin { address: address.to_owned(), user: "ana".to_owned(), password: "app-pass-word".into() }
}

/// A principal, a home, and one calendar in it; what is asked at the root is sent on to there.
fn account(request: &str) -> CannedReply {
    let path = request.split(' ').nth(1).unwrap_or_default().replace("%40", "@");
    let of = |properties: &str| {
        multistatus(&format!(
            r#"<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>{path}</d:href><d:propstat><d:prop>{properties}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"#
        ))
    };
    let principal = "<d:current-user-principal><d:href>/principal/</d:href></d:current-user-principal>";
    match path.as_str() {
        "/principal/" => of(&format!("<c:calendar-home-set><d:href>{HOME}</d:href></c:calendar-home-set>")),
        CALENDAR => of(&format!("<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>{principal}")),
        _ => of(&format!("<d:resourcetype><d:collection/></d:resourcetype>{principal}")),
    }
}

#[tokio::test]
async fn a_calendars_own_address_names_that_calendar() {
    let server = CannedServer::start(CannedReply::To(account)).await;
    for (path, calendar) in [
        (CALENDAR, Some(CALENDAR)),
        ("/dav/ana%40example.com/cal/", Some(CALENDAR)),
        (HOME, None),
        ("/principal/", None),
        ("/", None),
    ] {
        let address = server.url.join(path).unwrap();
        let found = caldav().discover(&login(address.as_str())).await.unwrap();
        assert_eq!((found.home.path(), found.calendar.as_deref()), (HOME, calendar), "{path}");
    }
}

#[tokio::test]
async fn a_redirect_from_http_to_another_port_is_refused() {
    let other = CannedServer::start(CannedReply::To(account)).await;
    let to = other.url.clone();
    let server = CannedServer::start_with(|_| {
        answer_of("302 Found", "text/html", &format!("location: {to}dav/\r\n"), "")
    })
    .await;
    let error = caldav().discover(&login(server.url.as_str())).await.unwrap_err();
    let port = other.url.port().unwrap().to_string();
    assert!(matches!(&error, DiscoveryError::Elsewhere { to, .. } if to.ends_with(&port)), "{error:?}");
    assert!(other.requests().is_empty(), "the password went there");
}

#[tokio::test]
async fn a_redirect_from_http_to_the_same_port_is_followed() {
    fn say(request: &str) -> CannedReply {
        match request.split(' ').nth(1) {
            Some("/") => answer_of("302 Found", "text/html", "location: /dav/\r\n", ""),
            _ => account(request),
        }
    }
    let server = CannedServer::start(CannedReply::To(say)).await;
    let address = server.url.join("/").unwrap();
    assert_eq!(caldav().discover(&login(address.as_str())).await.unwrap().home.path(), HOME);
}

#[tokio::test]
async fn a_password_goes_to_no_public_host_over_http() {
    let anywhere = SsrfGuard { allow_private: true, ..SsrfGuard::of("providers.caldav.allowed_hosts") };
    let http = HttpClient::new(HttpConfig::default()).unwrap().guarded_for_passwords(anywhere).unwrap();
    let caldav = Caldav::new(http, Clock::system());
    for address in ["http://1.1.1.1/dav/", "caldav://1.1.1.1/", "http://[2606:4700:4700::1111]:5232/"] {
        let error = caldav.discover(&login(address)).await.unwrap_err();
        assert!(
            matches!(&error, DiscoveryError::Refused(why) if why.contains("https://") && why.contains("allowed_hosts")),
            "{address}: {error:?}"
        );
    }
    // In one's own network there may be no other way.
    let server = CannedServer::start(CannedReply::To(account)).await;
    caldav.discover(&login(server.url.as_str())).await.unwrap();
    assert!(server.requests().iter().any(|request| header(request, "authorization").is_some()));
}

#[tokio::test]
async fn https_that_is_spoken_to_a_port_of_http_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 512]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let error = caldav().discover(&login(&format!("https://127.0.0.1:{port}/dav/"))).await.unwrap_err();
    assert_eq!(error, DiscoveryError::NoTls { host: "127.0.0.1".to_owned(), port });
    assert!(error.to_string().contains("does not speak https"), "{error}");
}
