//! Whoever has the address of a feed can read it.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
};

use concord_providers::FeedRequest;
use tracing_subscriber::fmt::MakeWriter;

use super::{HOST, fetcher, leading_to, leads, named};
use crate::server::{CannedReply, CannedServer, answer_of};

#[derive(Clone, Default)]
struct CapturedFeedLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for CapturedFeedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedFeedLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With every library at its most talkative.
#[tokio::test]
async fn of_an_address_only_the_host_is_told() {
    let log = CapturedFeedLog::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
    let fetcher = fetcher();
    let mut told = String::new();
    let good = CannedServer::start(CannedReply::To(leads)).await;
    let bad = CannedServer::start(answer_of("500 Oh", "text/plain", "", "hush-body")).await;
    let to_private = leading_to(301, "http://user:hush-there@10.0.0.1/hush-path?hush-query");
    for (server, path) in [
        (&good, "/hush-path?s=hush-query"),
        (&good, "/301/%2Fhush-path%3Fhush-query"),
        (&good, to_private.as_str()),
        (&good, "/301/ftp%3A%2F%2Fhush-host%2Fhush-path"),
        (&bad, "/hush-path"),
    ] {
        let mut url = named(&server.url, HOST, path);
        url.set_username("hush-user").unwrap();
        url.set_password(Some("hush-password")).unwrap();
        let request = FeedRequest { url: &url, etag: Some("\"hush-etag\""), last_modified: None };
        let outcome = fetcher.fetch(request).await;
        let _ = write!(told, "{request:?} {outcome:?} ");
        if let Err(error) = outcome {
            told += &error.user_message();
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("fetched a feed") && logged.contains(HOST), "{logged}");
    for line in logged.lines().chain([told.as_str()]) {
        assert!(!line.contains("hush"), "{line}");
    }
}
