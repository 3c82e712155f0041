//! Feeds from addresses that people name: the ways to make us call what we should not, and the servers that are out of
//! order. Over real sockets, by the fetcher as it is.

mod redirects;
mod responses;
mod secrets;
mod ssrf;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use concord_domain::clock::Clock;
use concord_providers::{
    DnsResolver, FeedBody, FeedError, FeedFetchLimits, FeedFetchOutcome, FeedFetcher, FeedRequest, SsrfGuard,
};
use url::Url;

use crate::server::{CannedReply, answer_of};

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nEND:VCALENDAR\r\n";

/// The name by which the server of a test may be called, although it stands here.
const HOST: &str = "feeds.example";

/// What names mean: each look gives the next address, the last one from then on.
#[derive(Debug)]
struct StaticDnsResolver(Mutex<HashMap<&'static str, VecDeque<&'static str>>>);

#[async_trait]
impl DnsResolver for StaticDnsResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let unknown = io::ErrorKind::NotFound;
        let answers = names.get_mut(host.trim_end_matches('.')).ok_or(unknown)?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        Ok(answer.ok_or(unknown)?.split(' ').map(|address| address.parse().unwrap()).collect())
    }
}

fn names() -> Arc<StaticDnsResolver> {
    let names = [
        (HOST, &["127.0.0.1"][..]),
        ("other.example", &["127.0.0.1"]),
        ("localhost", &["127.0.0.1 ::1"]),
        ("printer.lan", &["192.168.1.9"]),
        ("two.example", &["10.0.0.1 fd00::1"]),
        ("here.example", &["127.0.0.1"]),
        ("metadata.google.internal", &["169.254.169.254"]),
        ("169.254.169.254.nip.example", &["169.254.169.254"]),
        // What it means while it is looked at, and what it means when it is called again.
        ("rebinds.example", &["127.0.0.1", "127.0.0.2"]),
    ];
    Arc::new(StaticDnsResolver(Mutex::new(
        names.map(|(name, answers)| (name, answers.iter().copied().collect())).into(),
    )))
}

fn limits() -> FeedFetchLimits {
    FeedFetchLimits { total: Duration::from_secs(20), bytes: 100_000, ..FeedFetchLimits::default() }
}

fn fetcher_with(limits: FeedFetchLimits, allowed: &[&str]) -> FeedFetcher {
    let guard = SsrfGuard::of("channels.allowed_hosts").allowing(allowed.iter().copied());
    let now = "2026-11-21T09:00:00Z".parse().unwrap();
    FeedFetcher::with_resolver(limits, guard, names(), Clock::set_to(now)).unwrap()
}

/// One that may call this machine by one name, and by no other.
fn fetcher() -> FeedFetcher {
    fetcher_with(limits(), &[HOST])
}

/// `path` of a server of this test, by its name.
fn named(server: &Url, host: &str, path: &str) -> Url {
    format!("http://{host}:{}{path}", server.port().unwrap()).parse().unwrap()
}

async fn fetch(url: &Url) -> Result<FeedFetchOutcome, FeedError> {
    fetcher().fetch(FeedRequest::anew(url)).await
}

fn body(outcome: Result<FeedFetchOutcome, FeedError>) -> FeedBody {
    match outcome {
        Ok(FeedFetchOutcome::Body(body)) => body,
        other => panic!("{other:?}"),
    }
}

fn code(outcome: Result<FeedFetchOutcome, FeedError>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |_| "ok")
}

fn calendar(extra: &str) -> CannedReply {
    answer_of("200 OK", "text/calendar; charset=utf-8", extra, CALENDAR)
}

fn redirect(status: &str, location: &str) -> CannedReply {
    answer_of(status, "text/html", &format!("location: {location}\r\n"), "<html>Moved")
}

/// `/STATUS/ADDRESS` leads to the address, which is percent-encoded; everything else is a calendar.
fn leads(request: &str) -> CannedReply {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let mut parts = path.splitn(3, '/').skip(1);
    match (parts.next(), parts.next()) {
        (Some(status @ ("301" | "302" | "303" | "307" | "308")), Some(address)) => {
            let address = percent_encoding::percent_decode_str(address).decode_utf8_lossy().into_owned();
            redirect(&format!("{status} Elsewhere"), &address)
        }
        _ => calendar(""),
    }
}

/// The path at which [`leads`] leads to `address`.
fn leading_to(status: u16, address: &str) -> String {
    let address = percent_encoding::utf8_percent_encode(address, percent_encoding::NON_ALPHANUMERIC);
    format!("/{status}/{address}")
}
