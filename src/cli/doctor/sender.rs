//! Whether DNS vouches for the domain that mails come from: SPF, DKIM and DMARC.

use concord_domain::sender_domain::{
    COMMON_SELECTORS, SenderCheck, SenderFinding, TxtAnswer, check_dkim, check_dmarc, check_spf, dkim_name,
    dmarc_names, is_public_domain,
};
use concord_providers::dns::TxtResolver;
use futures::future::join_all;

use super::DoctorFinding;
use crate::{cli::serve, config::Config};

const SENDER: &str = "sender";

/// Nothing where no mail is sent; then `external_services::mail` says so.
pub(super) async fn check(config: &Config) -> Vec<DoctorFinding> {
    let Ok(mail) = serve::mail(config) else { return Vec::new() };
    if mail.mailer.is_none() {
        return Vec::new();
    }
    let domain = mail.from_address.rsplit_once('@').map_or("", |(_, domain)| domain);
    if !is_public_domain(domain) {
        let text = format!("{domain} is not a public domain, so its DNS records are not checked");
        return vec![DoctorFinding::ok(SENDER, text)];
    }
    let resolver = match TxtResolver::new(config.mail.dns_server()) {
        Ok(resolver) => resolver,
        Err(error) => {
            let advice = "check this machine's DNS, or set mail.dns_server";
            return vec![DoctorFinding::warning(SENDER, error.to_string(), advice)];
        }
    };
    let selectors: Vec<&str> = match config.mail.dkim_selector.as_str() {
        "" => COMMON_SELECTORS.into(),
        selector => vec![selector],
    };
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
    vec![
        finding(SenderCheck::Spf, check_spf(domain, &spf)),
        finding(SenderCheck::Dkim, check_dkim(domain, &dkim, !config.mail.dkim_selector.is_empty())),
        finding(SenderCheck::Dmarc, check_dmarc(domain, &dmarc)),
    ]
}

fn finding(check: SenderCheck, found: SenderFinding) -> DoctorFinding {
    match found {
        SenderFinding::Good(what) => DoctorFinding::ok(SENDER, format!("{check}: {what}")),
        SenderFinding::Weak { what, advice } => {
            DoctorFinding::warning(SENDER, format!("{check}: {what}"), advice)
        }
    }
}
