//! What Microsoft's sign-in says when it says no
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
//!
//! `error` is one of a few words, and the same one for very different things; what happened is the `AADSTS` number in
//! `error_description`. That text itself is for developers, and names tenants and applications: people read ours.

use url::Url;

use crate::oauth::{OAuthConfig, OAuthErrorExplanation, OAuthErrorKind};

/// What a refusal means, by the number in its description.
pub(crate) fn explain(config: &OAuthConfig, error: &str, description: &str) -> Option<OAuthErrorExplanation> {
    let said = |verdict, words: &str| Some(OAuthErrorExplanation { verdict, words: words.to_owned() });
    match number(description) {
        Some(65004) => said(OAuthErrorKind::Declined, "access was not granted"),
        // Consent that the person may not give, or has not given.
        Some(65001 | 90008 | 90093 | 90094 | 90095 | 900_941 | 900_981) => Some(OAuthErrorExplanation {
            verdict: OAuthErrorKind::Refused,
            words: format!(
                "your organisation lets its people connect only what an administrator has allowed. Ask your administrator to \
                 open {} and to accept there; then connect again",
                admin_consent_url(config)
            ),
        }),
        Some(50105) => said(
            OAuthErrorKind::Refused,
            "your administrator has to assign you to this application before you can connect; then connect again",
        ),
        Some(50020 | 50178 | 50128 | 50059 | 90002 | 500_208) => said(
            OAuthErrorKind::Refused,
            "this account belongs to an organisation that cannot connect here. Connect again and \
             choose another account; an administrator can allow more organisations (providers.microsoft.tenant)",
        ),
        Some(50034 | 50057) => said(
            OAuthErrorKind::Refused,
            "Microsoft does not know this account, or it is disabled; connect again and choose another one",
        ),
        Some(53000..=53004) => said(
            OAuthErrorKind::Refused,
            "a rule of your organisation does not let you sign in from here; ask your administrator",
        ),
        Some(7_000_215 | 7_000_218) => said(
            OAuthErrorKind::Refused,
            "this installation's client secret for Microsoft is wrong. An administrator must set the secret's \
             value (not its id) as MICROSOFT_GRAPH_CLIENT_SECRET",
        ),
        Some(7_000_222) => said(
            OAuthErrorKind::Refused,
            "this installation's client secret for Microsoft has expired. An administrator must create a new one \
             and set it as MICROSOFT_GRAPH_CLIENT_SECRET",
        ),
        Some(700_016 | 700_038 | 500_011) => said(
            OAuthErrorKind::Refused,
            "Microsoft does not know this installation's application in this organisation. An administrator \
             must check MICROSOFT_GRAPH_CLIENT_ID and the application's supported account types",
        ),
        Some(50011 | 50_194 | 9_002_325) => Some(OAuthErrorExplanation {
            verdict: OAuthErrorKind::Refused,
            words: format!(
                "this installation's application at Microsoft has wrong settings. An administrator \
                 must register exactly {} as a redirect URI of the platform \"Web\"",
                config.redirect_url
            ),
        }),
        // The grant has ended: too old, not used, or a new password. Or the code is no good, or somebody else's.
        Some(70000 | 501_481 | 9_002_313 | 70008 | 70043 | 50173 | 54005 | 700_081 | 700_082 | 700_084) => {
            said(OAuthErrorKind::Dead, "the access that was given has ended; connect again")
        }
        // It holds, but the person has to sign in again, perhaps with a second factor.
        Some(50055 | 50072 | 50074 | 50076 | 50078 | 50079 | 50132 | 50133 | 50158) => {
            said(OAuthErrorKind::SignInAgain, INTERACTION_REQUIRED_MESSAGE)
        }
        _ if matches!(error, "interaction_required" | "login_required") => {
            said(OAuthErrorKind::SignInAgain, INTERACTION_REQUIRED_MESSAGE)
        }
        Some(number) => Some(OAuthErrorExplanation {
            verdict: OAuthErrorKind::Refused,
            words: format!("Microsoft refused it (AADSTS{number}); see the log for details"),
        }),
        None => None,
    }
}

const INTERACTION_REQUIRED_MESSAGE: &str = "Microsoft wants you to sign in again, perhaps with a second step such as a code on your phone; connect again";

/// The number of `AADSTS65001: The user or administrator has not consented ...`.
fn number(description: &str) -> Option<u32> {
    let rest = description.split_once("AADSTS")?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Where an administrator allows the application for everybody in their organisation. They come back to our callback.
fn admin_consent_url(config: &OAuthConfig) -> Url {
    let mut url = config.endpoints.auth_url.clone();
    let path = url.path().trim_end_matches("/oauth2/v2.0/authorize").to_owned();
    let (before, tenant) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
    // An administrator is one of an organisation, whichever it is.
    let tenant = if matches!(tenant, "common" | "consumers") { "organizations" } else { tenant };
    url.set_path(&format!("{before}/{tenant}/adminconsent"));
    url.query_pairs_mut()
        .clear()
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", config.redirect_url.as_str());
    url
}

#[cfg(test)]
mod tests {
    use concord_domain::provider::microsoft::OAUTH;

    use super::*;
    use crate::microsoft::MicrosoftEndpoints;

    fn config(tenant: &str) -> OAuthConfig {
        let config = MicrosoftEndpoints { tenant: tenant.to_owned(), ..MicrosoftEndpoints::default() };
        OAuthConfig {
            client_id: "the-client".to_owned(),
            client_secret: "hush".into(),
            redirect_url: "https://book.example/oauth/calendar/microsoft/callback".parse().unwrap(),
            description: &OAUTH,
            endpoints: config.oauth(),
            explain,
        }
    }

    fn explained(error: &str, description: &str) -> Option<OAuthErrorExplanation> {
        explain(&config("common"), error, description)
    }

    #[test]
    fn each_number_says_who_has_to_do_what() {
        for (error, number, verdict, part) in [
            ("access_denied", 65004, OAuthErrorKind::Declined, "not granted"),
            (
                "access_denied",
                90094,
                OAuthErrorKind::Refused,
                "Ask your administrator to open https://login.",
            ),
            ("invalid_grant", 65001, OAuthErrorKind::Refused, "Ask your administrator"),
            ("invalid_request", 90008, OAuthErrorKind::Refused, "Ask your administrator"),
            ("access_denied", 50020, OAuthErrorKind::Refused, "choose another account"),
            ("access_denied", 50178, OAuthErrorKind::Refused, "choose another account"),
            ("access_denied", 50105, OAuthErrorKind::Refused, "assign you"),
            ("invalid_client", 7_000_215, OAuthErrorKind::Refused, "MICROSOFT_GRAPH_CLIENT_SECRET"),
            ("invalid_client", 7_000_222, OAuthErrorKind::Refused, "expired"),
            ("unauthorized_client", 700_016, OAuthErrorKind::Refused, "MICROSOFT_GRAPH_CLIENT_ID"),
            (
                "invalid_request",
                50011,
                OAuthErrorKind::Refused,
                "https://book.example/oauth/calendar/microsoft/callback",
            ),
            ("invalid_grant", 70008, OAuthErrorKind::Dead, "connect again"),
            ("invalid_grant", 700_082, OAuthErrorKind::Dead, "connect again"),
            ("invalid_grant", 50173, OAuthErrorKind::Dead, "connect again"),
            ("interaction_required", 50076, OAuthErrorKind::SignInAgain, "sign in again"),
            ("invalid_grant", 53003, OAuthErrorKind::Refused, "a rule of your organisation"),
            ("invalid_grant", 50105, OAuthErrorKind::Refused, "assign you"),
            ("server_error", 999, OAuthErrorKind::Refused, "AADSTS999"),
        ] {
            let said =
                explained(error, &format!("AADSTS{number}: Words of Microsoft's. Trace ID: 1-2-3")).unwrap();
            assert_eq!(said.verdict, verdict, "{number}");
            assert!(said.words.contains(part), "{number}: {}", said.words);
            assert!(!said.words.contains("Trace ID"), "{}", said.words);
        }
    }

    #[test]
    fn without_a_number_the_word_counts_or_nothing_does() {
        assert_eq!(explained("interaction_required", "").unwrap().verdict, OAuthErrorKind::SignInAgain);
        for description in ["", "no number", "AADSTS", "AADSTSx", "AADSTS99999999999999"] {
            assert_eq!(explained("access_denied", description), None, "{description:?}");
        }
    }

    #[test]
    fn an_administrator_consents_for_their_own_organisation() {
        for (tenant, expected) in
            [("common", "organizations"), ("organizations", "organizations"), ("contoso.com", "contoso.com")]
        {
            let url = admin_consent_url(&config(tenant));
            assert_eq!(
                url.as_str(),
                format!(
                    "https://login.microsoftonline.com/{expected}/adminconsent?client_id=the-client&redirect_uri=https%3A%2F%2F\
                     book.example%2Foauth%2Fcalendar%2Fmicrosoft%2Fcallback"
                )
            );
        }
    }
}
