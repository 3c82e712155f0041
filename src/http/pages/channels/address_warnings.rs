//! What speaks against an address that was typed, each with what to tick if it is meant all the same.

use concord_services::channels::address_warnings::AddressWarning;

use crate::http::pages::{SelectOption, sentence};

/// What ticks are about: those for another address or platform answer nothing.
pub(super) fn address_fingerprint(platform: &str, address: &str) -> String {
    format!("{platform} {}", address.trim())
}

/// All that speaks against an address.
pub(super) struct AddressWarnings {
    pub ticks: Vec<AddressWarningCheckbox>,
    /// The platform that it seems to be of, if that is another one.
    pub platform: Option<SelectOption>,
}

/// Something that speaks against an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddressWarningCheckbox {
    /// Which question it is, as the form sends it.
    pub question: &'static str,
    /// What speaks against it, as a sentence.
    reason: String,
    pub label: String,
    /// What follows from ticking it; may be empty.
    pub help: &'static str,
    pub is_ticked: bool,
}

impl AddressWarnings {
    /// `warnings` with what was ticked before.
    pub(super) fn from_warnings(warnings: &[AddressWarning], ticked: &[String], resource: &str) -> Self {
        let tick = |warning: &AddressWarning| AddressWarningCheckbox {
            question: warning.question(),
            reason: sentence(warning),
            label: warning_label(warning, resource),
            help: match warning.told() {
                Some(_) => OTHER_PLATFORM,
                None => "",
            },
            is_ticked: ticked.iter().any(|one| one == warning.question()),
        };
        let platform = warnings.iter().find_map(AddressWarning::told);
        let platform = platform.map(|(told, name)| SelectOption::new(told.as_str(), name, ""));
        Self { ticks: warnings.iter().map(tick).collect(), platform }
    }

    /// The reasons that nobody has answered; `None`: there are none.
    pub(super) fn unconfirmed(&self) -> Option<String> {
        let open = self.ticks.iter().filter(|tick| !tick.is_ticked);
        let reasons: Vec<&str> = open.map(|tick| tick.reason.as_str()).collect();
        (!reasons.is_empty()).then(|| reasons.join(" "))
    }
}

/// What another platform than the right one means.
pub(in crate::http::pages) const OTHER_PLATFORM: &str = "Platforms mark reservations and blocked dates differently. With the wrong platform, they can be mixed up.";

fn warning_label(warning: &AddressWarning, resource: &str) -> String {
    match warning {
        AddressWarning::ReadFor { .. } => {
            format!("Use it for {resource} too: each of its bookings blocks both")
        }
        AddressWarning::ReadAs { .. } => "Import it twice anyway".to_owned(),
        AddressWarning::SecondListing { .. } => format!("{resource} has two listings there"),
        AddressWarning::Unread(_) => "Connect it anyway and retry automatically".to_owned(),
        AddressWarning::OtherAddress { chosen, .. } | AddressWarning::OtherAuthor { chosen, .. } => {
            format!("This is {chosen}'s calendar")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_answers_one_question() {
        let both = || {
            vec![
                AddressWarning::OtherAddress {
                    told: "vrbo".parse().unwrap(),
                    name: "Vrbo".into(),
                    chosen: "Airbnb".into(),
                },
                AddressWarning::SecondListing { resource: "Sea View".into(), name: "Airbnb".into() },
            ]
        };
        let asked = |ticked: &[&str]| {
            let ticked: Vec<String> = ticked.iter().map(|one| (*one).to_owned()).collect();
            AddressWarnings::from_warnings(&both(), &ticked, "Sea View").unconfirmed().unwrap_or_default()
        };
        let first = asked(&[]);
        assert!(
            first.starts_with("This is a calendar link from Vrbo")
                && first.contains("Airbnb is already connected to"),
            "{first}"
        );
        assert!(asked(&["platform"]).starts_with("Airbnb is already connected to"));
        assert!(asked(&["second"]).starts_with("This is a calendar link from Vrbo"));
        assert_eq!(asked(&["platform", "second"]), "");
        assert_ne!(asked(&["yes"]), "");
    }
}
