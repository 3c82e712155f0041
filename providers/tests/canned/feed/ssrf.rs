//! Ways to make us call this machine, its network or its cloud, typed by a person and as what a server leads to.

use concord_providers::{FeedRequest, feed_address};
use url::Url;

use super::{HOST, code, fetch, fetcher, fetcher_with, leading_to, leads, limits, named};
use crate::server::{CannedReply, CannedServer, json};

/// What is tried, what becomes of it when it is typed, and when a server leads to it. `{port}` is that of a server which
/// must not be called.
const TRICKS: &[(&str, &str, &str)] = &[
    // This machine, in every way to write an address of IPv4.
    ("http://127.0.0.1:{port}/", "private_host", "private_host"),
    ("https://127.0.0.1:{port}/", "private_host", "private_host"),
    ("webcal://127.0.0.1:{port}/", "private_host", "private_host"),
    ("http://127.0.0.1.:{port}/", "private_host", "private_host"),
    ("http://127.1:{port}/", "private_host", "private_host"),
    ("http://127.0.1:{port}/", "private_host", "private_host"),
    ("http://2130706433:{port}/", "private_host", "private_host"),
    ("http://0x7f000001:{port}/", "private_host", "private_host"),
    ("http://0X7F.0x0.0x0.0x1:{port}/", "private_host", "private_host"),
    ("http://0x7f.1:{port}/", "private_host", "private_host"),
    ("http://0177.0.0.1:{port}/", "private_host", "private_host"),
    ("http://00000177.0.0.01:{port}/", "private_host", "private_host"),
    ("http://017700000001:{port}/", "private_host", "private_host"),
    ("http://0:{port}/", "private_host", "private_host"),
    ("http://0.0.0.0:{port}/", "private_host", "private_host"),
    ("http://127.255.255.254:{port}/", "private_host", "private_host"),
    ("http://256.256.256.256:{port}/", "bad_address", "bad_redirect"),
    ("http://4294967296:{port}/", "bad_address", "bad_redirect"),
    ("http://1.2.3.127.1:{port}/", "bad_address", "bad_redirect"),
    // With letters and dots that only look otherwise. A header is not of such letters.
    ("http://１２７.0.0.1:{port}/", "private_host", "bad_redirect"),
    ("http://127。0。0。1:{port}/", "private_host", "bad_redirect"),
    ("http://①②⑦.⓪.⓪.①:{port}/", "private_host", "bad_redirect"),
    ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/", "private_host", "bad_redirect"),
    ("http://local\u{ad}host:{port}/", "private_host", "bad_redirect"),
    ("http://%31%32%37.0.0.1:{port}/", "private_host", "private_host"),
    ("http://127%2e0%2e0%2e1:{port}/", "private_host", "private_host"),
    ("http://127.0.0.1%00.feeds.example:{port}/", "bad_address", "bad_redirect"),
    ("http://127.0.0.1%2f.feeds.example:{port}/", "bad_address", "bad_redirect"),
    // IPv6, and IPv4 within it.
    ("http://[::1]:{port}/", "private_host", "private_host"),
    ("http://[0000:0000::0001]:{port}/", "private_host", "private_host"),
    ("http://[::]:{port}/", "private_host", "private_host"),
    ("http://[::ffff:127.0.0.1]:{port}/", "private_host", "private_host"),
    ("http://[::ffff:7f00:1]:{port}/", "private_host", "private_host"),
    ("http://[::ffff:0:127.0.0.1]:{port}/", "private_host", "private_host"),
    ("http://[::127.0.0.1]:{port}/", "private_host", "private_host"),
    ("http://[64:ff9b::127.0.0.1]:{port}/", "private_host", "private_host"),
    ("http://[64:ff9b:1::10.0.0.1]:{port}/", "private_host", "private_host"),
    ("http://[2002:7f00:1::1]:{port}/", "private_host", "private_host"),
    ("http://[2001:0:7f00:1::]:{port}/", "private_host", "private_host"),
    ("http://[fe80::1]:{port}/", "private_host", "private_host"),
    ("http://[fec0::1]:{port}/", "private_host", "private_host"),
    ("http://[fc00::1]:{port}/", "private_host", "private_host"),
    ("http://[ff02::1]:{port}/", "private_host", "private_host"),
    ("http://[::1%25lo]:{port}/", "bad_address", "bad_redirect"),
    ("http://[::1%lo]:{port}/", "bad_address", "bad_redirect"),
    ("http://[::1].:{port}/", "bad_address", "bad_redirect"),
    // Names.
    ("http://localhost:{port}/", "private_host", "private_host"),
    ("http://LOCALHOST:{port}/", "private_host", "private_host"),
    ("http://localhost.:{port}/", "private_host", "private_host"),
    ("http://here.example:{port}/", "private_host", "private_host"),
    ("http://two.example:{port}/", "private_host", "private_host"),
    ("http://printer.lan/", "private_host", "private_host"),
    ("http://169.254.169.254.nip.example/", "private_host", "private_host"),
    ("http://metadata.google.internal/computeMetadata/v1/", "private_host", "private_host"),
    ("http://nobody.example:{port}/", "unreachable", "unreachable"),
    // What clouds tell their machines, and networks.
    ("http://169.254.169.254/latest/meta-data/", "private_host", "private_host"),
    ("http://2852039166/", "private_host", "private_host"),
    ("http://0xA9FEA9FE/", "private_host", "private_host"),
    ("http://[::ffff:169.254.169.254]/", "private_host", "private_host"),
    ("http://[fd00:ec2::254]/", "private_host", "private_host"),
    ("http://100.100.100.200/", "private_host", "private_host"),
    ("http://168.63.129.16/", "private_host", "private_host"),
    ("http://192.0.0.192/", "private_host", "private_host"),
    ("http://10.0.0.1/", "private_host", "private_host"),
    ("http://172.16.0.1/", "private_host", "private_host"),
    ("http://192.168.1.1/", "private_host", "private_host"),
    ("http://198.18.0.1/", "private_host", "private_host"),
    ("http://240.0.0.1/", "private_host", "private_host"),
    ("http://255.255.255.255/", "private_host", "private_host"),
    ("http://224.0.0.1/", "private_host", "private_host"),
    // Where the host seems to be another one.
    ("http://feeds.example@127.0.0.1:{port}/", "private_host", "private_host"),
    ("http://feeds.example:80@127.0.0.1:{port}/", "private_host", "private_host"),
    ("http://feeds.example%2f@127.0.0.1:{port}/", "private_host", "private_host"),
    ("http://127.0.0.1:{port}\\@feeds.example/", "private_host", "private_host"),
    ("http://127.0.0.1:{port}#@feeds.example/", "private_host", "private_host"),
    ("http://127.0.0.1:{port}?@feeds.example/", "private_host", "private_host"),
    ("http://127.0.0.1:{port}/@feeds.example/", "private_host", "private_host"),
    ("http:\\\\127.0.0.1:{port}\\", "private_host", "private_host"),
    ("http:/\\127.0.0.1:{port}/", "private_host", "private_host"),
    ("hTTp:////127.0.0.1:{port}/", "private_host", "private_host"),
    ("https:/127.0.0.1:{port}/", "private_host", "private_host"),
    ("https:127.0.0.1:{port}/", "bad_address", "private_host"),
    ("//127.0.0.1:{port}/", "bad_address", "private_host"),
    ("\\\\127.0.0.1:{port}/", "bad_address", "private_host"),
    // To a server it is a path below the last one, which leads there again.
    ("127.0.0.1:{port}/", "private_host", "too_many_redirects"),
    ("http://127.0.\t0.1:{port}/", "bad_address", "private_host"),
    ("ht\ttp://127.0.0.1:{port}/", "bad_address", "private_host"),
    ("http://127.0.0.1:{port}/ http://feeds.example/", "bad_address", "private_host"),
    ("https://https://127.0.0.1:{port}/", "private_host", "unreachable"),
    // Ports.
    ("http://127.0.0.1:{port}:80/", "bad_address", "bad_redirect"),
    ("http://127.0.0.1:99999/", "bad_address", "bad_redirect"),
    ("http://feeds.example:0/", "bad_address", "bad_redirect"),
    ("http://feeds.example:{port}a/", "bad_address", "bad_redirect"),
    // Other ways to reach things.
    ("file:///etc/passwd", "bad_address", "bad_redirect"),
    ("file://127.0.0.1/etc/passwd", "bad_address", "bad_redirect"),
    ("gopher://127.0.0.1:{port}/_GET%20/", "bad_address", "bad_redirect"),
    ("dict://127.0.0.1:{port}/d", "bad_address", "bad_redirect"),
    ("ftp://127.0.0.1:{port}/a.ics", "bad_address", "bad_redirect"),
    ("ldap://127.0.0.1:{port}/", "bad_address", "bad_redirect"),
    ("redis://127.0.0.1:{port}/", "bad_address", "bad_redirect"),
    ("jar:http://127.0.0.1:{port}/!/", "bad_address", "bad_redirect"),
    ("unix:/run/docker.sock", "bad_address", "bad_redirect"),
    ("data:text/calendar,BEGIN:VCALENDAR", "bad_address", "bad_redirect"),
    ("javascript:alert(1)", "bad_address", "bad_redirect"),
    ("mailto:ana@feeds.example", "bad_address", "bad_redirect"),
    ("blob:http://127.0.0.1:{port}/1", "bad_address", "bad_redirect"),
    ("http://", "bad_address", "bad_redirect"),
    ("https://:{port}/", "bad_address", "bad_redirect"),
];

#[tokio::test]
async fn no_trick_reaches_what_is_private() {
    assert!(TRICKS.len() >= 40, "{} tricks", TRICKS.len());
    let inner = CannedServer::start(json("200 OK", "secrets")).await;
    let port = inner.url.port().unwrap().to_string();
    let leading = CannedServer::start(CannedReply::To(leads)).await;
    let fetcher = fetcher();
    let fetch = async |url: &Url| code(fetcher.fetch(FeedRequest::anew(url)).await);
    for (trick, typed, led) in TRICKS {
        let address = trick.replace("{port}", &port);
        let by_hand = match feed_address(&address) {
            Ok(url) => fetch(&url).await,
            Err(error) => error.code(),
        };
        assert_eq!(by_hand, *typed, "typed: {trick:?}");
        let url = named(&leading.url, HOST, &leading_to(302, &address));
        assert_eq!(fetch(&url).await, *led, "led to: {trick:?}");
    }
    assert_eq!(inner.requests(), Vec::<String>::new());
}

/// A name is judged each time that it is looked up, and what it meant before counts for nothing.
#[tokio::test]
async fn a_name_that_changes_its_meaning_is_judged_again() {
    let server = CannedServer::start(CannedReply::To(leads)).await;
    let fetcher = fetcher_with(limits(), &["127.0.0.1"]);
    let url = named(&server.url, "rebinds.example", "/a.ics");
    let ask = || fetcher.fetch(FeedRequest::anew(&url));
    assert_eq!((code(ask().await), code(ask().await)), ("ok", "private_host"));
    assert_eq!(server.requests().len(), 1);

    let leading = fetcher_with(limits(), &["127.0.0.1"]);
    let again = named(&server.url, "rebinds.example", "/b.ics");
    let url = named(&server.url, "rebinds.example", &leading_to(302, again.as_str()));
    let outcome = leading.fetch(FeedRequest::anew(&url)).await;
    assert_eq!(code(outcome), "private_host");
}

#[tokio::test]
async fn who_may_be_called_is_said_with_the_setting_that_allows_it() {
    let error = fetch(&"http://10.1.2.3/a.ics?s=hush".parse().unwrap()).await.unwrap_err();
    assert!(error.is_permanent());
    assert_eq!(
        error.user_message(),
        "10.1.2.3 has a private address, which this installation does not allow; an administrator can \
         allow it (channels.allowed_hosts)"
    );
}
