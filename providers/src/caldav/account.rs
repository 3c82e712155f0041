//! Whose account it is, and which calendars it has.

use http::StatusCode;
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    Caldav,
    address::{calendar_id, close, is_kindred},
    errors::{CaldavCallError, unreadable},
    requests,
    session::CaldavSession,
    xml::{DavProperties, DavResponse},
};
use crate::{
    access::AccountAccess,
    error::ProviderError,
    provider::{ProviderAccount, RemoteCalendar},
};

/// The principal of an account, and its mail addresses in lower case.
pub(super) struct CalendarOwner {
    principal: Option<Url>,
    pub(super) mail_addresses: Vec<String>,
}

impl CaldavSession<'_> {
    /// Whose account it is. Servers tell their addresses at the calendar home, at the principal (RFC 6638, 2.4.1), or
    /// not at all; many people sign in with one of them.
    pub(super) async fn owner(&self) -> Result<CalendarOwner, CaldavCallError> {
        let home = self.ask(self.home, requests::principal()).await?;
        let of_home = home.responses.into_iter().next().ok_or_else(|| unreadable("multistatus"))?.found;
        let named = of_home.current_user_principal.and_then(|href| self.home.join(&href).ok());
        let principal = named.filter(|url| is_kindred(self.home, url));
        let mut mail_addresses = of_home.mail_addresses;
        if mail_addresses.is_empty()
            && let Some(principal) = &principal
        {
            mail_addresses = match self.ask(principal, requests::principal()).await {
                Ok(found) => found.responses.into_iter().flat_map(|one| one.found.mail_addresses).collect(),
                // Some let nobody look at principals.
                Err(CaldavCallError::Refused(refusal))
                    if matches!(refusal.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) =>
                {
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
        }
        mail_addresses.extend(Some(self.user.to_owned()).filter(|user| user.contains('@')));
        for address in &mut mail_addresses {
            *address = address.to_lowercase();
        }
        Ok(CalendarOwner { principal, mail_addresses })
    }
}

impl AccountAccess<'_, Caldav> {
    /// The account is its principal: the calendar home may move, and a name to sign in with may change.
    pub(super) async fn read_account(&self) -> Result<ProviderAccount, ProviderError> {
        let session = self.session()?;
        let CalendarOwner { principal, mail_addresses } = session.owner().await?;
        let email = if session.user.contains('@') { None } else { mail_addresses.into_iter().next() };
        let mut subject = principal.unwrap_or_else(|| session.home.clone());
        close(&mut subject);
        Ok(ProviderAccount {
            subject: subject.into(),
            email: email.unwrap_or_else(|| session.user.to_owned()),
        })
    }

    pub(super) async fn list_calendars(&self) -> Result<Vec<RemoteCalendar>, ProviderError> {
        let session = self.session()?;
        let found = session.ask(session.home, requests::calendars()).await?;
        let path = |href: &str| {
            session.home.join(href).ok().map(|mut url| {
                close(&mut url);
                url
            })
        };
        let default =
            found.responses.iter().find_map(|one| one.found.default_calendar.as_deref()).and_then(path);
        let mut calendars = Vec::new();
        let mut is_default = Vec::new();
        for response in &found.responses {
            let Some(url) = path(&response.href).filter(|url| is_kindred(session.home, url)) else {
                continue;
            };
            if supports_events(response) {
                is_default.push(default.as_ref() == Some(&url));
                calendars.push(calendar(session.home, &url, &response.found));
            }
        }
        let first = is_default.iter().position(|default| *default);
        let first = first.or_else(|| calendars.iter().position(|calendar| calendar.writable)).unwrap_or(0);
        if let Some(calendar) = calendars.get_mut(first) {
            calendar.primary = true;
        }
        Ok(calendars)
    }
}

fn supports_events(response: &DavResponse) -> bool {
    let components = &response.found.components;
    response.found.is_calendar
        && components.as_ref().is_none_or(|names| names.iter().any(|name| name == "VEVENT"))
}

fn calendar(home: &Url, url: &Url, found: &DavProperties) -> RemoteCalendar {
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = found.display_name.clone();
    RemoteCalendar {
        external_id: calendar_id(home, url),
        name: name.unwrap_or_else(|| percent_decode_str(last).decode_utf8_lossy().into_owned()),
        colour: found.colour.as_deref().and_then(colour),
        zone: found.zone().map(|zone| zone.name().to_owned()),
        owner: None,
        writable: found.privileges.as_ref().is_none_or(|names| {
            // DAV:write is said by who knows no finer ones; an object is made by "bind" (RFC 3744, 3).
            names.iter().any(|name| matches!(name.as_str(), "all" | "write" | "bind" | "write-content"))
        }),
        primary: false,
    }
}

/// Apple's colours have an alpha: `#rrggbbaa`.
fn colour(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let rgb = digits.get(..6).filter(|rgb| rgb.bytes().all(|octet| octet.is_ascii_hexdigit()))?;
    matches!(digits.len(), 6 | 8).then(|| format!("#{}", rgb.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_loses_its_alpha() {
        for (text, expected) in [
            ("#FF2968FF", Some("#ff2968")),
            ("#ff2968", Some("#ff2968")),
            ("#f29", None),
            ("red", None),
            ("#gg2968", None),
            ("#ééé", None),
        ] {
            assert_eq!(colour(text).as_deref(), expected, "{text}");
        }
    }
}
