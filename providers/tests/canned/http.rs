//! The shared client's limits.

use std::time::Duration;

use bytes::Bytes;
use concord_providers::{BufferedResponse, HttpClient, HttpConfig, ProviderError, SsrfGuard};
use http::{Request, header::AUTHORIZATION};

use crate::server::{CannedReply, CannedServer, answer_of, header, json};

const ZEROS_BY_GZIP: &[u8] = include_bytes!("zeros.gz");

fn client() -> HttpClient {
    let config = HttpConfig {
        request_timeout: Duration::from_secs(2),
        max_body_bytes: 10_000,
        ..HttpConfig::default()
    };
    HttpClient::new(config).unwrap()
}

async fn get(url: &str) -> Result<BufferedResponse, ProviderError> {
    client().send(Request::get(url).header(AUTHORIZATION, "Bearer t").body(Bytes::new()).unwrap()).await
}

fn transient(outcome: Result<BufferedResponse, ProviderError>) -> String {
    match outcome.unwrap_err() {
        ProviderError::Transient(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for status in ["200 OK", "404 Not Found", "503 Service Unavailable"] {
        let server = CannedServer::start(json(status, "{}")).await;
        let answer = get(server.url.as_str()).await.unwrap();
        assert_eq!(answer.status.as_u16().to_string(), status[..3]);
        assert_eq!(&answer.body[..], b"{}");
        let request = &server.requests()[0];
        assert_eq!(header(request, "user-agent"), Some(concat!("Concord/", env!("CARGO_PKG_VERSION"))));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = CannedServer::start(json("200 OK", "{}")).await;
    let location = format!("location: {}\r\n", other.url);
    let server = CannedServer::start(answer_of("307 Temporary Redirect", "text/plain", &location, "")).await;
    assert_eq!(get(server.url.as_str()).await.unwrap().status, 307);
    assert!(other.requests().is_empty(), "the token travelled on");
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    // Chunked, so that no length gives it away beforehand.
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let body = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(50));
    let server = CannedServer::start(CannedReply::Bytes(body.into_bytes())).await;
    assert_eq!(transient(get(server.url.as_str()).await), "the response is larger than 10000 bytes");
}

#[tokio::test]
async fn a_small_answer_that_unpacks_to_a_large_one_is_cut_off() {
    let body = ZEROS_BY_GZIP.to_vec();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    let server = CannedServer::start(CannedReply::Bytes([head.into_bytes(), body].concat())).await;
    assert_eq!(transient(get(server.url.as_str()).await), "the response is larger than 10000 bytes");
}

#[tokio::test]
async fn a_cut_connection_is_passing() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".to_vec();
    for bytes in [cut, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab".to_vec(), Vec::new()] {
        let server = CannedServer::start(CannedReply::Bytes(bytes)).await;
        let text = transient(get(server.url.as_str()).await);
        assert!(!text.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn silence_ends_in_time_and_hangs_up() {
    let mut server = CannedServer::start(CannedReply::Silence).await;
    assert!(transient(get(server.url.as_str()).await).starts_with("no response in time"));
    server.client_left().await;
}

#[tokio::test]
async fn nobody_there_is_passing_and_names_no_query() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = transient(get(&format!("http://{address}/callback?code=secret-code")).await);
    assert!(text.starts_with("no connection"), "{text}");
    assert!(!text.contains("secret-code"), "{text}");
}

#[tokio::test]
async fn an_address_that_cannot_be_called_is_refused() {
    let error = get("ftp://127.0.0.1/x?token=secret").await.unwrap_err();
    assert!(matches!(&error, ProviderError::Rejected(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
}

fn ask(url: &str) -> Request<Bytes> {
    Request::get(url).header(AUTHORIZATION, "Bearer t").body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn what_is_guarded_reaches_this_machine_by_no_name() {
    let server = CannedServer::start(json("200 OK", "{}")).await;
    let port = server.url.port().unwrap();
    let guarded = client().guarded_for_passwords(SsrfGuard::of("providers.caldav.allowed_hosts")).unwrap();
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::ffff:127.0.0.1]"] {
        let refused = guarded.send(ask(&format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(
            matches!(&refused, ProviderError::Rejected(text) if text.contains("private address")),
            "{host}: {refused:?}"
        );
    }
    assert!(server.requests().is_empty());

    let allowed = SsrfGuard::of("providers.caldav.allowed_hosts").allowing(["localhost"]);
    let guarded = client().guarded_for_passwords(allowed).unwrap();
    assert_eq!(guarded.send(ask(&format!("http://localhost:{port}/"))).await.unwrap().status, 200);
    assert!(guarded.send(ask(&format!("http://127.0.0.1:{port}/"))).await.is_err());
}
