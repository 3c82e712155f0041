//! What speaks against an address that was typed, each with what to tick if it is meant all the same.

use concord_jobs::channels::doubts::Doubt;

use super::super::pieces::{Choice, capital};

/// What ticks are about: those for another address or platform answer nothing.
pub(super) fn about(platform: &str, address: &str) -> String {
    format!("{platform} {}", address.trim())
}

/// All that speaks against an address.
pub(super) struct Against {
    pub ticks: Vec<Tick>,
    /// The platform that it seems to be of, if that is another one.
    pub platform: Option<Choice>,
}

/// Something that speaks against an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// Which question it is, as the form sends it.
    pub question: &'static str,
    /// What speaks against it, as a sentence.
    reason: String,
    /// What is ticked.
    pub label: String,
    /// What follows from ticking it; may be empty.
    pub help: &'static str,
    pub is_ticked: bool,
}

impl Against {
    /// `doubts` with what was ticked before.
    pub(super) fn of(doubts: &[Doubt], ticked: &[String], resource: &str) -> Self {
        let tick = |doubt: &Doubt| Tick {
            question: doubt.question(),
            reason: format!("{}.", capital(&doubt.to_string())),
            label: label(doubt, resource),
            help: match doubt.told() {
                Some(_) => OTHER_PLATFORM,
                None => "",
            },
            is_ticked: ticked.iter().any(|one| one == doubt.question()),
        };
        let platform = doubts.iter().find_map(Doubt::told);
        let platform = platform.map(|(told, name)| Choice::new(told.as_str(), name, ""));
        Self { ticks: doubts.iter().map(tick).collect(), platform }
    }

    /// The reasons that nobody has answered; `None`: there are none.
    pub(super) fn unanswered(&self) -> Option<String> {
        let open = self.ticks.iter().filter(|tick| !tick.is_ticked);
        let reasons: Vec<&str> = open.map(|tick| tick.reason.as_str()).collect();
        (!reasons.is_empty()).then(|| reasons.join(" "))
    }
}

/// What another platform than the right one means.
pub(in crate::http::pages) const OTHER_PLATFORM: &str = "Each platform tells bookings from closed nights in words of its own; with the wrong one they are mixed up.";

fn label(doubt: &Doubt, resource: &str) -> String {
    match doubt {
        Doubt::ReadFor { .. } => {
            format!("It is for {resource} as well: each booking of it takes both")
        }
        Doubt::ReadAs { .. } => "Read it twice all the same".to_owned(),
        Doubt::SecondListing { .. } => format!("{resource} is sold there by two listings"),
        Doubt::Unread(_) => "Connect it all the same, and try again by itself".to_owned(),
        Doubt::OtherAddress { chosen, .. } | Doubt::OtherAuthor { chosen, .. } => {
            format!("It is {chosen}'s calendar all the same")
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
                Doubt::OtherAddress {
                    told: "vrbo".parse().unwrap(),
                    name: "Vrbo".into(),
                    chosen: "Airbnb".into(),
                },
                Doubt::SecondListing { resource: "Sea View".into(), name: "Airbnb".into() },
            ]
        };
        let asked = |ticked: &[&str]| {
            let ticked: Vec<String> = ticked.iter().map(|one| (*one).to_owned()).collect();
            Against::of(&both(), &ticked, "Sea View").unanswered().unwrap_or_default()
        };
        let first = asked(&[]);
        assert!(
            first.starts_with("This is an address of Vrbo") && first.contains("Airbnb is read for"),
            "{first}"
        );
        assert!(asked(&["platform"]).starts_with("Airbnb is read for"));
        assert!(asked(&["second"]).starts_with("This is an address of Vrbo"));
        assert_eq!(asked(&["platform", "second"]), "");
        assert_ne!(asked(&["yes"]), "");
    }
}
