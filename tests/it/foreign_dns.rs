//! What `concord doctor` says of a sender, by a DNS server that is not ours.

use std::{
    env, fs,
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Duration,
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
    let dns = format!("127.0.0.1:{}", server.1);
    let output = concord(
        &["doctor", "--json"],
        &[
            ("SMTP_URL", "smtp://127.0.0.1:1?tls=none"),
            ("CONCORD__MAIL__FROM_ADDRESS", from),
            ("CONCORD__MAIL__DNS_SERVER", &dns),
            ("CONCORD__MAIL__DKIM_SELECTOR", selector),
        ],
    )
    .current_dir(folder.path())
    .output()
    .unwrap();
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
