//! What `concord doctor` says of a sender, by a DNS server that is not ours.

use std::{
    env, fs,
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Duration,
};

use concord_storage::{
    businesses,
    testing::{self, TestDb, begin, commit, monday},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::concord;

/// Ends with its value.
struct DnsServer(Child, u16);

impl Drop for DnsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &TempDir, zone: &str) -> DnsServer {
    let root = |path: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let python =
        env::var_os("CONCORD_TEST_PYTHON").unwrap_or_else(|| root("target/python/bin/python").into());
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("zone");
    fs::write(&file, zone).unwrap();
    let child = Command::new(python)
        .args(["-m", "dnslib.zoneresolver", "--address", "127.0.0.1", "--tcp", "--port"])
        .arg(port.to_string())
        .arg("--zone")
        .arg(file)
        .stdout(Stdio::null())
        .spawn()
        .expect("set CONCORD_TEST_PYTHON=$(scripts/python.sh)");
    DnsServer(child, port)
}

fn sender(folder: &TempDir, server: &DnsServer, from: &str, selector: &str) -> Vec<(String, String)> {
    sender_with(folder, server, (from, selector), &[])
}

fn sender_with(
    folder: &TempDir,
    server: &DnsServer,
    (from, selector): (&str, &str),
    more: &[(&str, &str)],
) -> Vec<(String, String)> {
    let dns = format!("127.0.0.1:{}", server.1);
    let own = [
        ("SMTP_URL", "smtp://127.0.0.1:1?tls=none"),
        ("CONCORD__MAIL__FROM_ADDRESS", from),
        ("CONCORD__MAIL__DNS_SERVER", &dns),
        ("CONCORD__MAIL__DKIM_SELECTOR", selector),
    ];
    let variables = [&own, more].concat();
    let output = concord(&["doctor", "--json"], &variables).current_dir(folder.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter().filter(|one| one["part"] == "sender");
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    findings.map(|one| (text(one, "verdict"), text(one, "text"))).collect()
}

#[test]
fn records_of_a_sender_are_read() {
    let folder = TempDir::new().unwrap();
    // In two parts, as keys are published that are longer than 255 bytes.
    let key = "A".repeat(392);
    let (first, second) = key.split_at(200);
    let zone = format!(
        "hotel.it. 60 IN TXT \"v=spf1 mx -all\"\n\
         hotel.it. 60 IN TXT \"some-verification=1\"\n\
         _dmarc.hotel.it. 60 IN TXT \"v=DMARC1; p=quarantine\"\n\
         s1._domainkey.hotel.it. 60 IN TXT \"v=DKIM1; k=rsa; p={first}\" \"{second}\"\n\
         open.it. 60 IN TXT \"v=spf1 +all\"\n\
         open.it. 60 IN TXT \"v=spf1 -all\"\n"
    );
    let server = start(&folder, &zone);
    let expected = [
        ("ok", "SPF: hotel.it has a record"),
        ("ok", "DKIM: hotel.it has a key (s1)"),
        ("ok", "DMARC: _dmarc.hotel.it says p=quarantine"),
    ]
    .map(|(verdict, text)| (verdict.to_owned(), text.to_owned()));
    // Until it listens, it does not answer.
    let mut found = Vec::new();
    for _ in 0..20 {
        found = sender(&folder, &server, "book@hotel.it", "s1");
        if found == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(found, expected);
    // The policy of the domain above counts; a key that the mail server signs with is looked for by its name.
    let below = sender(&folder, &server, "book@rooms.hotel.it", "k9");
    assert_eq!(below[0], ("warning".into(), "SPF: rooms.hotel.it has no record".into()));
    assert_eq!(below[1], ("warning".into(), "DKIM: there is no key at k9._domainkey.rooms.hotel.it".into()));
    assert_eq!(below[2].0, "ok");
    let weak = sender(&folder, &server, "book@open.it", "");
    assert_eq!(weak[0], ("warning".into(), "SPF: open.it has 2 records, so receivers use none".into()));
    assert_eq!(
        weak[1],
        ("warning".into(), "DKIM: no key of open.it was found under the usual selectors".into())
    );
    assert_eq!(weak[2], ("warning".into(), "DMARC: open.it has no policy".into()));
    drop(server);
    let away = DnsServer(Command::new("true").spawn().unwrap(), 1);
    let away = sender(&folder, &away, "book@hotel.it", "");
    assert!(away[0].1.starts_with("SPF: DNS did not answer: "), "{away:?}");
}

/// A business whose mails come from that address.
async fn business(db: &TestDb, name: &str, address: &str) {
    let made = testing::business(db).await;
    let mut settings = made.settings();
    name.clone_into(&mut settings.name);
    address.clone_into(&mut settings.invitations.sender_address);
    let mut tx = begin(db).await;
    businesses::update(&mut tx, made.id, &settings, monday()).await.unwrap();
    commit(tx).await;
}

async fn senders_of_businesses_are_read_once_each(db: &TestDb) {
    for (name, address) in [
        ("Alm", "stay@alm.it"),
        ("Alm am See", "see@ALM.it"),
        ("Bahnhof", ""),
        ("Casa", "casa@hotel.it"),
        ("Dorf", "dorf@office.local"),
    ] {
        business(db, name, address).await;
    }
    for number in 1..=20 {
        business(db, &format!("Eck {number:02}"), &format!("book@eck{number:02}.it")).await;
    }
    let folder = TempDir::new().unwrap();
    let zone = "alm.it. 60 IN TXT \"v=spf1 mx -all\"\n_dmarc.alm.it. 60 IN TXT \"v=DMARC1; p=none\"\n";
    let server = start(&folder, zone);
    let url = [("DATABASE_URL", db.url())];
    let look =
        || tokio::task::block_in_place(|| sender_with(&folder, &server, ("book@hotel.it", "s1"), &url));
    let mut found = look();
    // Until it listens, it does not answer.
    for _ in 0..20 {
        if found.iter().all(|(_, text)| !text.contains("DNS did not answer")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
        found = look();
    }
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    let expected = [
        "SPF: hotel.it has no record",
        "DKIM: there is no key at s1._domainkey.hotel.it",
        "DMARC: hotel.it has no policy",
        "SPF of Alm and another business: alm.it has a record",
        "DKIM of Alm and another business: no key of alm.it was found under the usual selectors",
        "DMARC of Alm and another business: _dmarc.alm.it says p=none",
        "office.local of Dorf is not a public domain, so its DNS records are not checked",
        "SPF of Eck 01: eck01.it has no record",
    ];
    assert_eq!(texts[..expected.len()], expected);
    // Twenty domains of businesses: that of Alm, that of Dorf, and eighteen more.
    assert_eq!(texts.len(), 3 + 3 + 1 + 18 * 3 + 1, "{texts:#?}");
    let last = found.last().unwrap();
    let left_out = "not checked, as there are so many domains of businesses: eck19.it, eck20.it";
    assert_eq!((last.0.as_str(), last.1.as_str()), ("ok", left_out));
}

concord_storage::on_both_databases!(senders_of_businesses_are_read_once_each);
