//! The large providers: where they stand, and where a person finds what they ask for.

/// A provider whose address nobody needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaldavPreset {
    pub key: &'static str,
    pub name: &'static str,
    /// Where discovery begins; `None`: each has its own, which the person must give.
    pub address: Option<&'static str>,
    /// What the person writes into the field of the user name.
    pub user: &'static str,
    /// Where the app password comes from.
    pub password: &'static str,
    /// Their domains of mail and of the web, by which an address tells them.
    domains: &'static [&'static str],
}

/// All of them, in the order in which a form offers them.
pub const PRESETS: &[CaldavPreset] = &[
    CaldavPreset {
        key: "icloud",
        name: "iCloud",
        address: Some("https://caldav.icloud.com/"),
        user: "The email address of your Apple Account",
        password: "An app-specific password: account.apple.com, Sign-In and Security, App-Specific Passwords. The \
                   password of the account itself is refused.",
        domains: &["icloud.com", "me.com", "mac.com"],
    },
    CaldavPreset {
        key: "fastmail",
        name: "Fastmail",
        address: Some("https://caldav.fastmail.com/"),
        user: "Your Fastmail address",
        password: "An app password for calendars (CalDAV): Settings, Privacy & Security, Manage app passwords.",
        domains: &["fastmail.com", "fastmail.fm", "messagingengine.com"],
    },
    CaldavPreset {
        key: "nextcloud",
        name: "Nextcloud",
        address: None,
        user: "The user name that you sign in with",
        password: "An app password: Settings, Security, Devices & sessions, Create new app password.",
        domains: &[],
    },
];

/// The provider whose domain it is.
pub(super) fn preset_for_domain(domain: &str) -> Option<&'static CaldavPreset> {
    let belongs =
        |own: &str| domain == own || domain.strip_suffix(own).is_some_and(|rest| rest.ends_with('.'));
    PRESETS.iter().find(|preset| preset.domains.iter().any(|own| belongs(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_tells_its_provider() {
        for (domain, key) in [
            ("icloud.com", Some("icloud")),
            ("caldav.icloud.com", Some("icloud")),
            ("fastmail.fm", Some("fastmail")),
            ("noticloud.com", None),
            ("icloud.com.example", None),
            ("cloud.example.org", None),
        ] {
            assert_eq!(preset_for_domain(domain).map(|preset| preset.key), key, "{domain}");
        }
        for preset in PRESETS {
            assert!(preset.address.is_none_or(|address| address.parse::<url::Url>().is_ok()));
        }
    }
}
