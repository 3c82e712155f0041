//! What others run: mail server, calendar providers, the way from the public address to here.

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use concord_domain::{clock::Clock, connection::ProviderKind};
use concord_providers::{BufferedResponse, HttpClient, HttpConfig, ProviderError, ProviderRegistry};
use http::{StatusCode, header::DATE};
use serde::Deserialize;
use url::Url;

use super::DoctorFinding;
use crate::{
    cli::{CommandError, serve},
    config::Config,
};

const MAIL: &str = "mail";
const MAILBOX: &str = "mailbox";
const CLOCK: &str = "clock";
const ISSUER: &str = "sign-in";
const PUBLIC_URL: &str = "public address";

/// Tokens are good for an hour, and codes for minutes; a second of a `Date` is nothing.
const CLOCK_WARNING: Duration = Duration::seconds(30);
const CLOCK_WRONG: Duration = Duration::minutes(5);

/// Whether the mail server greets, and lets us in.
pub(super) async fn mail(config: &Config) -> DoctorFinding {
    let advice = "check SMTP_URL (mail.url); emails wait until it is fixed";
    match serve::mail(config) {
        Err(error) => DoctorFinding::wrong(MAIL, error.to_string(), advice),
        Ok(mail) => match &mail.mailer {
            None => DoctorFinding::warning(
                MAIL,
                "no mail server is set up, so no email is sent",
                "set SMTP_URL (mail.url); see \"Mail\" in docs/operate.md",
            ),
            Some(mailer) => match mailer.greet().await {
                Ok(()) => {
                    let (server, from) = (mailer.server(), &mail.from_address);
                    DoctorFinding::ok(MAIL, format!("{server} responds; emails are sent from {from}"))
                }
                Err(error) => DoctorFinding::wrong(MAIL, error.to_string(), advice),
            },
        },
    }
}

/// Whether the mailbox that customers' calendars answer to can be read, where one is set up.
pub(super) async fn mailbox(config: &Config) -> Option<DoctorFinding> {
    let advice = "check IMAP_URL (mail.imap_url); answers wait in the mailbox until it is fixed";
    let wrong = |error: String| DoctorFinding::wrong(MAILBOX, error, advice);
    // What is wrong with the settings themselves, `mail` says.
    let Ok(mail) = serve::mail(config) else { return None };
    let mailbox = mail.mailbox.as_ref()?;
    let open = match mailbox.open().await {
        Ok(open) => open,
        Err(error) => return Some(wrong(error.to_string())),
    };
    open.close().await;
    let text = format!("{} can be read", mailbox.name());
    if !mail.believes_replies() {
        return Some(DoctorFinding::warning(
            MAILBOX,
            format!("{text}, but no answer is believed"),
            "set mail.authserv_id or mail.plus_addresses; see \"Answers from calendars\" in docs/customers.md",
        ));
    }
    Some(DoctorFinding::ok(MAILBOX, text))
}

/// Whether each provider that is set up can be reached and accepts our credentials, and whether its clock is ours.
pub(super) async fn providers(config: &Config, clock: &Clock) -> Vec<DoctorFinding> {
    match check_providers(config, clock).await {
        Ok(findings) => findings,
        Err(error) => {
            vec![DoctorFinding::wrong("providers", error.to_string(), "check the section [providers]")]
        }
    }
}

async fn check_providers(config: &Config, clock: &Clock) -> Result<Vec<DoctorFinding>, CommandError> {
    let settings = serve::providers(config)?;
    let http = HttpClient::new(settings.http.clone())?;
    let registry = ProviderRegistry::new(settings, clock)?;
    let (mut findings, mut skew) = (Vec::new(), None);
    let sections = config.providers.sections().into_iter().filter(|(kind, _)| kind.oauth().is_some());
    for (kind, section) in sections {
        let Some(oauth) = registry.oauth(kind) else {
            let text = "not set up: its calendars cannot be connected";
            findings.push(DoctorFinding::ok(kind.name(), text));
            continue;
        };
        let mut found = Vec::new();
        for place in section.addresses() {
            match probe(&http, clock, &place).await {
                Ok(reached) => {
                    skew = skew.or(reached.skew);
                    found.extend(status_finding(kind, &place, reached.status));
                }
                Err(error) => found.push(unreachable_finding(kind, &place, &error)),
            }
        }
        // A token that nobody was given: who refuses the token has accepted the client.
        match oauth.refresh(&"none".into()).await {
            Ok(_) | Err(ProviderError::GrantDead(_)) => {}
            Err(ProviderError::Rejected(why) | ProviderError::AccountUnusable(why)) => {
                found.push(DoctorFinding::wrong(
                    kind.name(),
                    format!("it does not accept this installation's credentials: {why}"),
                    "see docs/install.md for how to get them",
                ));
            }
            Err(error) => found.push(DoctorFinding::wrong(
                kind.name(),
                format!("the credentials could not be checked: {error}"),
                "check the addresses in the configuration and this machine's internet connection",
            )),
        }
        if found.is_empty() {
            found.push(DoctorFinding::ok(kind.name(), "can be reached, and accepts the credentials"));
        }
        findings.extend(found);
    }
    findings.push(clock_finding(skew));
    Ok(findings)
}

/// Whether the issuer can be read at which people sign in, if one is set up.
pub(super) async fn issuer(config: &Config, clock: &Clock) -> Option<DoctorFinding> {
    let advice = "check the section [sign_in.oidc]; until it is fixed, people sign in by email";
    let client = match serve::oidc(config, clock) {
        Ok(client) => client?,
        Err(error) => return Some(DoctorFinding::wrong(ISSUER, error.to_string(), advice)),
    };
    Some(match client.discover().await {
        Ok(_) => {
            DoctorFinding::ok(ISSUER, format!("the discovery document of {} can be read", client.issuer()))
        }
        Err(error) => DoctorFinding::wrong(ISSUER, format!("{}: {error}", client.issuer()), advice),
    })
}

struct ProbeResult {
    status: StatusCode,
    /// How much our clock is ahead.
    skew: Option<Duration>,
}

async fn probe(http: &HttpClient, clock: &Clock, url: &Url) -> Result<ProbeResult, ProviderError> {
    let before = clock.now();
    let answer = get(http, url).await?;
    // Between question and answer: where the provider wrote its date.
    let now = before + (clock.now() - before) / 2;
    let date =
        answer.headers.get(DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    Ok(ProbeResult { status: answer.status, skew: date.map(|date| now - date.with_timezone(&Utc)) })
}

async fn get(http: &HttpClient, url: &Url) -> Result<BufferedResponse, ProviderError> {
    let request = http::Request::get(url.as_str()).body(Bytes::new());
    http.send(request.map_err(|_| ProviderError::Rejected("it is no address".to_owned()))?).await
}

/// What an answer to nobody in particular says against a place. Most refuse such a question, and so are there.
fn status_finding(kind: ProviderKind, place: &Url, status: StatusCode) -> Option<DoctorFinding> {
    let host = place.host_str().unwrap_or_default();
    if status.is_server_error() {
        let text = format!("{host} answers {}", status.as_u16());
        return Some(DoctorFinding::warning(
            kind.name(),
            text,
            "try again later; calls are retried automatically",
        ));
    }
    // Said of a tenant that is not known.
    let is_discovery = place.path().ends_with("/.well-known/openid-configuration");
    (is_discovery && status == StatusCode::BAD_REQUEST).then(|| {
        let text = "it does not know the organisation whose accounts may be connected";
        DoctorFinding::wrong(kind.name(), text, format!("check providers.{kind}.tenant"))
    })
}

fn unreachable_finding(kind: ProviderKind, place: &Url, error: &ProviderError) -> DoctorFinding {
    let host = place.host_str().unwrap_or_default();
    let advice = "check the addresses in the configuration and this machine's internet connection";
    DoctorFinding::wrong(kind.name(), format!("{host}: {error}"), advice)
}

fn clock_finding(skew: Option<Duration>) -> DoctorFinding {
    let Some(skew) = skew else {
        return DoctorFinding::ok(CLOCK, "not compared: no provider is set up, or none sent a time");
    };
    let way = if skew > Duration::zero() { "ahead of" } else { "behind" };
    let text = format!("{} seconds {way} a provider's", skew.num_seconds().abs());
    let advice = "let the system set it (NTP): otherwise tokens expire earlier or later than expected";
    match skew.abs() {
        far if far >= CLOCK_WRONG => DoctorFinding::wrong(CLOCK, text, advice),
        far if far >= CLOCK_WARNING => DoctorFinding::warning(CLOCK, text, advice),
        _ => DoctorFinding::ok(CLOCK, "as a provider's"),
    }
}

/// What `/api/health` says, as far as it matters here.
#[derive(Deserialize)]
struct HealthProbe {
    status: String,
    version: String,
}

/// Whether people and providers reach a Concord at the public address.
pub(super) async fn public_url(config: &Config) -> DoctorFinding {
    let url = config.public_url();
    let http = match HttpClient::new(HttpConfig::default()) {
        Ok(http) => http,
        Err(error) => return DoctorFinding::wrong(PUBLIC_URL, error.to_string(), "see the message"),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if let Err(error) = tokio::net::lookup_host((host, port)).await {
        let text = format!("{host} is no name that is known here: {error}");
        return DoctorFinding::wrong(PUBLIC_URL, text, "check PUBLIC_URL (server.public_url) and the DNS");
    }
    let found = match fetch_health(&http, &url).await {
        Ok(Some(health)) => health_finding(&url, &health),
        Ok(None) => DoctorFinding::wrong(
            PUBLIC_URL,
            format!("{url} does not answer as Concord"),
            "check PUBLIC_URL (server.public_url), and where the reverse proxy leads",
        ),
        Err(error) => no_answer_finding(config, &http, &url, &error).await,
    };
    if found.advice.is_some() { found } else { plain_http_finding(&url, config).unwrap_or(found) }
}

/// `None`: something else answers there.
async fn fetch_health(http: &HttpClient, base: &Url) -> Result<Option<HealthProbe>, ProviderError> {
    let mut url = base.clone();
    url.set_path("/api/health");
    Ok(serde_json::from_slice(&get(http, &url).await?.body).ok())
}

fn health_finding(url: &Url, health: &HealthProbe) -> DoctorFinding {
    let HealthProbe { status, version } = health;
    if version != env!("CARGO_PKG_VERSION") {
        let text = format!("at {url} runs version {version}, and this is {}", env!("CARGO_PKG_VERSION"));
        return DoctorFinding::warning(PUBLIC_URL, text, "restart what runs, or use its own program");
    }
    match status.as_str() {
        "ok" => DoctorFinding::ok(PUBLIC_URL, format!("Concord {version} answers at {url}")),
        _ => DoctorFinding::warning(
            PUBLIC_URL,
            format!("Concord answers at {url} and says that it is {status}"),
            "see the other lines",
        ),
    }
}

async fn no_answer_finding(
    config: &Config,
    http: &HttpClient,
    url: &Url,
    error: &ProviderError,
) -> DoctorFinding {
    let error = said_of_address(error);
    let here = config.server.listen.url();
    if here != *url && matches!(fetch_health(http, &here).await, Ok(Some(_))) {
        let text = format!("nothing answers at {url}, but Concord runs at {here}: {error}");
        return DoctorFinding::wrong(PUBLIC_URL, text, "check the reverse proxy, the DNS and the firewall");
    }
    let text = format!("nothing answers at {url}: {error}");
    DoctorFinding::warning(PUBLIC_URL, text, "if Concord is to run now, start it (`concord serve`)")
}

/// Why there is no answer, where nothing is a provider.
fn said_of_address(error: &ProviderError) -> String {
    match error {
        ProviderError::Transient(why) | ProviderError::Rejected(why) => why.clone(),
        other => other.user_message("the public address"),
    }
}

/// What is to be said of an address that works, and goes over http.
fn plain_http_finding(url: &Url, config: &Config) -> Option<DoctorFinding> {
    if url.scheme() == "https" {
        return None;
    }
    let text = if config.server.public_url.is_none() {
        format!("Concord answers at {url}, which only this machine reaches")
    } else {
        format!("Concord answers at {url}, which is not encrypted")
    };
    Some(DoctorFinding::warning(
        PUBLIC_URL,
        text,
        "for more than a trial, put a reverse proxy with TLS before it and set PUBLIC_URL (docs/install.md)",
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::FindingStatus, *};

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        for (seconds, verdict, text) in [
            (0, FindingStatus::Ok, "as a provider's"),
            (-29, FindingStatus::Ok, "as a provider's"),
            (30, FindingStatus::Warning, "30 seconds ahead of a provider's"),
            (-31, FindingStatus::Warning, "31 seconds behind a provider's"),
            (300, FindingStatus::Wrong, "300 seconds ahead of a provider's"),
        ] {
            let found = clock_finding(Some(Duration::seconds(seconds)));
            assert_eq!((found.verdict, found.text.as_str()), (verdict, text));
        }
        assert_eq!(clock_finding(None).verdict, FindingStatus::Ok);
    }

    #[test]
    fn public_address_is_no_provider() {
        for error in [
            ProviderError::Transient("connection refused".to_owned()),
            ProviderError::Rejected("it is no address".to_owned()),
            ProviderError::RateLimited { retry_after: None },
            ProviderError::NotFound,
        ] {
            let text = said_of_address(&error);
            assert!(!text.is_empty() && !text.contains("provider"), "{text}");
        }
    }

    #[test]
    fn only_an_unknown_tenant_and_trouble_are_objections() {
        let [discovery, api] =
            ["https://l.example/acme/v2.0/.well-known/openid-configuration", "https://g.example/"]
                .map(|url| url.parse().unwrap());
        let verdict = |place, status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            status_finding(ProviderKind::Microsoft, place, status).map(|found| found.verdict)
        };
        for status in [200, 302, 401, 404] {
            assert_eq!((verdict(&discovery, status), verdict(&api, status)), (None, None));
        }
        assert_eq!((verdict(&discovery, 400), verdict(&api, 400)), (Some(FindingStatus::Wrong), None));
        assert_eq!(verdict(&api, 503), Some(FindingStatus::Warning));
    }
}
