//! Whether DNS vouches for the domains that mails come from: SPF, DKIM and DMARC.

use concord_domain::sender_domain::{
    BusinessSenderDomain, COMMON_SELECTORS, SenderCheck, SenderFinding, TxtAnswer, business_sender_domains,
    check_dkim, check_dmarc, check_spf, dkim_name, dmarc_names, is_public_domain,
};
use concord_providers::dns::TxtResolver;
use concord_storage::businesses::Business;
use futures::{StreamExt, future::join_all, stream};

use super::DoctorFinding;
use crate::{cli::serve, config::Config};

const SENDER: &str = "sender";
/// So many domains of businesses are looked up; in an installation with more, one at a time would do them better.
const MAX_BUSINESS_DOMAINS: usize = 20;
/// So many domains are looked up at once, each with some fifteen questions.
const AT_ONCE: usize = 4;

/// Nothing where no mail is sent; then `external_services::mail` says so. `businesses`: none where the database cannot be read.
pub(super) async fn check(config: &Config, businesses: &[Business]) -> Vec<DoctorFinding> {
    let Ok(mail) = serve::mail(config) else { return Vec::new() };
    if mail.mailer.is_none() {
        return Vec::new();
    }
    let resolver = match TxtResolver::new(config.mail.dns_server()) {
        Ok(resolver) => resolver,
        Err(error) => {
            let advice = "check this machine's DNS, or set mail.dns_server";
            return vec![DoctorFinding::warning(SENDER, error.to_string(), advice)];
        }
    };
    let own = mail.from_address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let configured = Some(config.mail.dkim_selector.as_str()).filter(|selector| !selector.is_empty());
    let senders = businesses
        .iter()
        .map(|business| (business.name.as_str(), business.invitations.sender_address.as_str()));
    let mut domains = business_sender_domains(own, senders);
    let left_out = domains.split_off(domains.len().min(MAX_BUSINESS_DOMAINS));
    let selectors = configured.map_or_else(|| COMMON_SELECTORS.to_vec(), |selector| vec![selector]);
    let mut findings = look_up(&resolver, own, (&selectors, configured.is_some()), "").await;
    // Another domain may be signed for by another key of the same server, or by that of another service.
    let others = COMMON_SELECTORS.into_iter().filter(|common| Some(*common) != configured);
    let selectors: Vec<&str> = configured.into_iter().chain(others).collect();
    let theirs = stream::iter(&domains).map(async |one: &BusinessSenderDomain| {
        look_up(&resolver, &one.domain, (&selectors, false), &of_business(one)).await
    });
    findings.extend(theirs.buffered(AT_ONCE).collect::<Vec<_>>().await.concat());
    if !left_out.is_empty() {
        findings.push(left_out_finding(&left_out));
    }
    findings
}

/// What is asked of DNS about one domain. `is_configured`: the selectors are what the mail server signs with, and no guesses;
/// `whose`: what is said of it beside its name.
async fn look_up(
    resolver: &TxtResolver,
    domain: &str,
    (selectors, is_configured): (&[&str], bool),
    whose: &str,
) -> Vec<DoctorFinding> {
    if !is_public_domain(domain) {
        let text = format!("{domain}{whose} is not a public domain, so its DNS records are not checked");
        return vec![DoctorFinding::ok(SENDER, text)];
    }
    let (spf, dkim, dmarc) = futures::join!(
        resolver.txt(domain),
        join_all(
            selectors
                .iter()
                .map(async |selector| { (*selector, resolver.txt(&dkim_name(selector, domain)).await) })
        ),
        join_all(dmarc_names(domain).into_iter().map(async |name| {
            let answer: TxtAnswer = resolver.txt(&name).await;
            (name, answer)
        })),
    );
    [
        (SenderCheck::Spf, check_spf(domain, &spf)),
        (SenderCheck::Dkim, check_dkim(domain, &dkim, is_configured)),
        (SenderCheck::Dmarc, check_dmarc(domain, &dmarc)),
    ]
    .map(|(check, found)| finding(check, found, whose))
    .into()
}

fn finding(check: SenderCheck, found: SenderFinding, whose: &str) -> DoctorFinding {
    match found {
        SenderFinding::Good(what) => DoctorFinding::ok(SENDER, format!("{check}{whose}: {what}")),
        SenderFinding::Weak { what, advice } => {
            DoctorFinding::warning(SENDER, format!("{check}{whose}: {what}"), advice)
        }
    }
}

/// ` of Harbour House and 2 others`.
fn of_business(domain: &BusinessSenderDomain) -> String {
    let BusinessSenderDomain { business, others, .. } = domain;
    match others {
        0 => format!(" of {business}"),
        1 => format!(" of {business} and another business"),
        _ => format!(" of {business} and {others} others"),
    }
}

/// `domains`: one or more, in their order.
fn left_out_finding(domains: &[BusinessSenderDomain]) -> DoctorFinding {
    let names: Vec<String> = domains.iter().take(3).map(|one| one.domain.clone()).collect();
    let (names, count) = (names.join(", "), domains.len());
    let text = if count > 3 {
        format!("{count} more domains of businesses were not checked: {names} and others")
    } else {
        format!("not checked, as there are so many domains of businesses: {names}")
    };
    DoctorFinding::ok(SENDER, text)
}
