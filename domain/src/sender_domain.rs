//! Whether mails from a domain are believed: its records of SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489), as they were
//! found by DNS. Gmail, Outlook and Yahoo refuse or hide what no record vouches for.
//!
//! Names to look up, and what the answers mean; who looks them up is `providers::dns`.

use base64::{Engine, engine::general_purpose::STANDARD};

/// What was found under a name: its TXT records, each put together from its parts; none where there is no such name.
pub type TxtAnswer = Result<Vec<String>, LookupFailed>;

/// DNS gave no answer; why, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DNS did not answer: {0}")]
pub struct LookupFailed(pub String);

/// What speaks for a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum SenderCheck {
    #[strum(to_string = "SPF")]
    Spf,
    #[strum(to_string = "DKIM")]
    Dkim,
    #[strum(to_string = "DMARC")]
    Dmarc,
}

/// What is to be said of one of them. Nothing of it keeps mails from being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderFinding {
    /// As it should be; what was found.
    Good(String),
    /// What is wrong, and what to do.
    Weak { what: String, advice: String },
}

impl SenderFinding {
    fn weak(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Weak { what: what.into(), advice: advice.into() }
    }
}

/// The selectors under which mail services commonly publish their key.
pub const COMMON_SELECTORS: [&str; 12] =
    ["default", "dkim", "google", "k1", "k2", "k3", "mail", "s1", "s2", "selector1", "selector2", "smtp"];

/// The most mechanisms of a record of SPF that make a receiver look something up (RFC 7208, 4.6.4).
const MAX_SPF_LOOKUPS: usize = 10;
/// RFC 8301, 3.2: a receiver believes no RSA key of less than 1,024 bits, whose encoding takes 160 bytes.
const MIN_KEY_BYTES: usize = 160;
/// The bytes of an Ed25519 key (RFC 8463).
const ED25519_KEY_BYTES: usize = 32;

/// Whether a domain is in public DNS at all. The reserved names (RFC 2606, RFC 6762) and hosts without a dot are not.
pub fn is_public_domain(domain: &str) -> bool {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let reserved = [".test", ".example", ".invalid", ".localhost", ".local", ".internal"];
    let examples = ["example.com", "example.net", "example.org"];
    let is_example = |of: &&str| domain == **of || domain.ends_with(&format!(".{of}"));
    domain.contains('.')
        && domain.parse::<std::net::IpAddr>().is_err()
        && !reserved.iter().any(|end| domain.ends_with(end))
        && !examples.iter().any(is_example)
}

/// A domain from which mails of businesses come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessSenderDomain {
    pub domain: String,
    /// The first of the businesses whose mails come from it.
    pub business: String,
    /// How many do so besides.
    pub others: usize,
}

/// The domains of the businesses' own sender addresses, each once and in the order of the businesses. `senders`: the name of
/// each business and its address; empty: it has none of its own. That of the installation is not among them.
pub fn business_sender_domains<'a>(
    installation: &str,
    senders: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<BusinessSenderDomain> {
    let mut found: Vec<BusinessSenderDomain> = Vec::new();
    for (business, address) in senders {
        let Some((_, domain)) = address.rsplit_once('@') else { continue };
        let domain = domain.to_ascii_lowercase();
        if domain.eq_ignore_ascii_case(installation) {
            continue;
        }
        match found.iter_mut().find(|known| known.domain == domain) {
            Some(known) => known.others += 1,
            None => found.push(BusinessSenderDomain { domain, business: business.to_owned(), others: 0 }),
        }
    }
    found
}

/// Where the key of a selector is published.
pub fn dkim_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// Where a policy may be published, the first that has one counts: for the domain itself, and then for those above it, which
/// stand for the organization (RFC 7489, 6.6.3). The last of them has two labels.
pub fn dmarc_names(domain: &str) -> Vec<String> {
    let mut rest = domain;
    let mut names = Vec::new();
    loop {
        names.push(format!("_dmarc.{rest}"));
        match rest.split_once('.') {
            Some((_, above)) if above.contains('.') => rest = above,
            _ => return names,
        }
    }
}

/// What the TXT records of the domain say of the servers that may send for it.
pub fn check_spf(domain: &str, answer: &TxtAnswer) -> SenderFinding {
    let records = match answer {
        Ok(records) => records,
        Err(error) => return unknown(error),
    };
    let records: Vec<&String> = records.iter().filter(|record| is_spf(record)).collect();
    let record = match records.as_slice() {
        [] => {
            return SenderFinding::weak(
                format!("{domain} has no record"),
                format!(
                    "add a TXT record at {domain} that names your mail server, such as \"v=spf1 a mx -all\""
                ),
            );
        }
        [record] => record.to_ascii_lowercase(),
        [_, ..] => {
            return SenderFinding::weak(
                format!("{domain} has {} records, so receivers use none", records.len()),
                "merge them into one TXT record",
            );
        }
    };
    let terms: Vec<&str> = record.split_ascii_whitespace().skip(1).collect();
    let lookups = terms.iter().filter(|term| asks_dns(term)).count();
    if lookups > MAX_SPF_LOOKUPS {
        return SenderFinding::weak(
            format!(
                "the record of {domain} takes {lookups} DNS lookups; receivers stop at {MAX_SPF_LOOKUPS}"
            ),
            "name fewer services in it",
        );
    }
    match terms.iter().find(|term| term.trim_start_matches(['+', '-', '~', '?']) == "all") {
        Some(&("all" | "+all")) => SenderFinding::weak(
            format!("the record of {domain} lets every server send"),
            "end it with ~all or -all",
        ),
        None if !terms.iter().any(|term| term.starts_with("redirect=")) => SenderFinding::weak(
            format!("the record of {domain} does not say what applies to other servers"),
            "end it with ~all or -all",
        ),
        _ => SenderFinding::Good(format!("{domain} has a record")),
    }
}

fn is_spf(record: &str) -> bool {
    let version = record.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

/// Whether a receiver looks something up for this term.
fn asks_dns(term: &str) -> bool {
    let term = term.trim_start_matches(['+', '-', '~', '?']);
    let name = term.split([':', '/', '=']).next().unwrap_or_default();
    matches!(name, "include" | "a" | "mx" | "ptr" | "exists" | "redirect")
}

/// What was found of the keys of these selectors. `is_configured`: those are what this installation's mail server signs with;
/// otherwise they are guesses, of which one is enough.
pub fn check_dkim(domain: &str, answers: &[(&str, TxtAnswer)], is_configured: bool) -> SenderFinding {
    let mut good = Vec::new();
    let (mut first_fault, mut unanswered) = (None, None);
    for (selector, answer) in answers {
        let fault = match answer {
            Ok(records) => match records.iter().find_map(|record| dkim_key(record)) {
                Some(DkimKey::Usable) => {
                    good.push(*selector);
                    continue;
                }
                Some(DkimKey::Revoked) => format!("the key of the selector {selector} is revoked"),
                Some(DkimKey::Unusable) => {
                    format!("the key of the selector {selector} is shorter than 1,024 bits, or none")
                }
                None if is_configured => format!("there is no key at {}", dkim_name(selector, domain)),
                None => continue,
            },
            Err(error) if is_configured => return unknown(error),
            Err(error) => {
                unanswered = unanswered.or(Some(error));
                continue;
            }
        };
        first_fault = first_fault.or(Some(fault));
    }
    if let (Some(error), [], None) = (unanswered, good.as_slice(), &first_fault) {
        return unknown(error);
    }
    match (first_fault, good.as_slice()) {
        (None, []) => SenderFinding::weak(
            format!("no key of {domain} was found under the usual selectors"),
            "have your mail server sign with DKIM, and set mail.dkim_selector",
        ),
        (Some(fault), []) => SenderFinding::weak(fault, "publish the key that your mail server signs with"),
        (Some(fault), _) if is_configured => {
            SenderFinding::weak(fault, "publish the key that your mail server signs with")
        }
        (_, selectors) => SenderFinding::Good(format!("{domain} has a key ({})", selectors.join(", "))),
    }
}

enum DkimKey {
    Usable,
    Revoked,
    Unusable,
}

/// `None`: the record is no key.
fn dkim_key(record: &str) -> Option<DkimKey> {
    let tags = tags(record);
    let tag = |name| tags.iter().find(|(tag, _)| *tag == name).map(|(_, value)| value.as_str());
    if tag("v").is_some_and(|version| version != "DKIM1") {
        return None;
    }
    let key: String = tag("p")?.split_ascii_whitespace().collect();
    if key.is_empty() {
        return Some(DkimKey::Revoked);
    }
    let bytes = STANDARD.decode(key).map_or(0, |key| key.len());
    let is_usable = match tag("k").unwrap_or("rsa") {
        "ed25519" => bytes == ED25519_KEY_BYTES,
        _ => bytes >= MIN_KEY_BYTES,
    };
    Some(if is_usable { DkimKey::Usable } else { DkimKey::Unusable })
}

/// What the policy says. `answers`: those of [`dmarc_names`], in their order.
pub fn check_dmarc(domain: &str, answers: &[(String, TxtAnswer)]) -> SenderFinding {
    for (name, answer) in answers {
        let records = match answer {
            Ok(records) => records,
            Err(error) => return unknown(error),
        };
        let policies: Vec<&String> = records.iter().filter(|record| is_dmarc(record)).collect();
        let policy = match policies.as_slice() {
            [] => continue,
            [policy] => tags(policy),
            [_, ..] => {
                return SenderFinding::weak(
                    format!("{name} has {} policies, so receivers use none", policies.len()),
                    "keep one of them",
                );
            }
        };
        let p = policy.iter().find(|(tag, _)| *tag == "p").map(|(_, value)| value.to_ascii_lowercase());
        return match p.as_deref() {
            Some(p @ ("none" | "quarantine" | "reject")) => SenderFinding::Good(format!("{name} says p={p}")),
            _ => SenderFinding::weak(
                format!("the policy at {name} has no valid p"),
                "add p=none, p=quarantine or p=reject",
            ),
        };
    }
    SenderFinding::weak(
        format!("{domain} has no policy"),
        format!("add a TXT record at _dmarc.{domain}, such as \"v=DMARC1; p=none\""),
    )
}

fn is_dmarc(record: &str) -> bool {
    tags(record).first().is_some_and(|(tag, value)| *tag == "v" && value == "DMARC1")
}

/// `tag=value; tag=value` (RFC 6376, 3.2).
fn tags(record: &str) -> Vec<(&str, String)> {
    let pairs = record.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(tag, value)| (tag.trim(), value.trim().to_owned())).collect()
}

fn unknown(error: &LookupFailed) -> SenderFinding {
    SenderFinding::weak(error.to_string(), "check this machine's DNS, and run this again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_businesses_are_named_once() {
        let senders = [
            ("Alm", "stay@alm.it"),
            ("Bad", ""),
            ("Casa", "hello@ALM.it"),
            ("Dom", "book@concord.it"),
            ("Eck", "mail@eck.de"),
        ];
        let domain = |domain: &str, business: &str, others| BusinessSenderDomain {
            domain: domain.to_owned(),
            business: business.to_owned(),
            others,
        };
        let found = business_sender_domains("Concord.it", senders);
        assert_eq!(found, [domain("alm.it", "Alm", 1), domain("eck.de", "Eck", 0)]);
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands for an answer of DNS")]
    fn found(records: &[&str]) -> TxtAnswer {
        Ok(records.iter().map(|record| (*record).to_owned()).collect())
    }

    fn what(finding: &SenderFinding) -> &str {
        match finding {
            SenderFinding::Good(what) | SenderFinding::Weak { what, .. } => what,
        }
    }

    fn is_good(finding: &SenderFinding) -> bool {
        matches!(finding, SenderFinding::Good(_))
    }

    /// As gmail.com, github.com, microsoft.com and others publish them.
    #[test]
    fn records_of_the_large_ones_are_good() {
        for record in [
            "v=spf1 redirect=_spf.google.com",
            "v=spf1 include:_spf.google.com ~all",
            "v=spf1 ip4:192.30.252.0/22 include:spf.protection.outlook.com include:mail.zendesk.com ~all",
            "V=SPF1 A MX -ALL",
            "v=spf1 -all",
        ] {
            let finding = check_spf("hotel.it", &found(&["google-site-verification=1", record]));
            assert!(is_good(&finding), "{record}: {finding:?}");
        }
        for record in
            ["v=DMARC1; p=none; sp=quarantine; rua=mailto:mailauth-reports@google.com", "v=DMARC1;p=reject"]
        {
            let finding = check_dmarc("hotel.it", &[("_dmarc.hotel.it".into(), found(&[record]))]);
            assert!(is_good(&finding), "{record}: {finding:?}");
        }
    }

    #[test]
    fn weak_records_of_spf_are_named() {
        let eleven = format!("v=spf1 {}-all", "include:a.hotel.it ".repeat(11));
        for (records, text) in [
            (vec![], "hotel.it has no record"),
            (vec!["v=spf10 -all"], "hotel.it has no record"),
            (vec!["v=spf1 -all", "v=spf1 mx -all"], "2 records"),
            (vec!["v=spf1 mx +all"], "every server"),
            (vec!["v=spf1 mx"], "does not say"),
            (vec![eleven.as_str()], "11 DNS lookups"),
        ] {
            let finding = check_spf("hotel.it", &found(&records));
            assert!(!is_good(&finding) && what(&finding).contains(text), "{records:?}: {finding:?}");
        }
        let failed = check_spf("hotel.it", &Err(LookupFailed("timed out".into())));
        assert_eq!(what(&failed), "DNS did not answer: timed out");
    }

    #[test]
    fn policy_of_the_domain_above_counts() {
        assert_eq!(
            dmarc_names("mail.rooms.hotel.it"),
            ["_dmarc.mail.rooms.hotel.it", "_dmarc.rooms.hotel.it", "_dmarc.hotel.it"]
        );
        assert_eq!(dmarc_names("hotel.it"), ["_dmarc.hotel.it"]);
        let above = [
            ("_dmarc.mail.hotel.it".to_owned(), found(&[])),
            ("_dmarc.hotel.it".to_owned(), found(&["v=DMARC1; p=Quarantine"])),
        ];
        assert_eq!(what(&check_dmarc("mail.hotel.it", &above)), "_dmarc.hotel.it says p=quarantine");
        for (records, text) in [
            (vec![], "no policy"),
            (vec!["v=DMARC1"], "no valid p"),
            (vec!["v=DMARC1; p=maybe"], "no valid p"),
            (vec!["v=DMARC1; p=none", "v=DMARC1; p=reject"], "2 policies"),
            (vec!["p=none; v=DMARC1"], "no policy"),
        ] {
            let finding = check_dmarc("hotel.it", &[("_dmarc.hotel.it".into(), found(&records))]);
            assert!(!is_good(&finding) && what(&finding).contains(text), "{records:?}: {finding:?}");
        }
    }

    #[test]
    fn keys_are_looked_at() {
        let rsa = |bytes: usize| format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(vec![1; bytes]));
        let edwards = format!("k=ed25519; p={}", STANDARD.encode([1; 32]));
        let one = |record: &str| check_dkim("hotel.it", &[("s1", found(&[record]))], true);
        assert_eq!(one(&rsa(294)), SenderFinding::Good("hotel.it has a key (s1)".into()));
        assert!(is_good(&one(&rsa(162))) && is_good(&one(&edwards)));
        for (record, text) in [
            ("v=DKIM1; p=", "revoked"),
            (rsa(94).as_str(), "shorter"),
            ("v=DKIM1; p=??", "shorter"),
            ("v=DKIM2; p=AAAA", "no key at s1._domainkey.hotel.it"),
            ("hello", "no key at"),
        ] {
            assert!(what(&one(record)).contains(text), "{record}: {:?}", one(record));
        }
        // Of guesses one is enough.
        let guesses = [("default", found(&[])), ("google", found(&[&rsa(294)]))];
        assert!(is_good(&check_dkim("hotel.it", &guesses, false)));
        assert!(!is_good(&check_dkim("hotel.it", &guesses, true)));
        assert!(what(&check_dkim("hotel.it", &guesses[..1], false)).contains("usual selectors"));
    }

    #[test]
    fn reserved_names_are_nowhere_to_be_found() {
        for domain in
            ["localhost", "concord.test", "hotel.example", "mail.example.com", "10.0.0.1", "box.local"]
        {
            assert!(!is_public_domain(domain), "{domain}");
        }
        for domain in ["hotel.it", "mail.hotel.co.uk", "example.hotel", "notexample.com"] {
            assert!(is_public_domain(domain), "{domain}");
        }
    }
}
