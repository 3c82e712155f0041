//! What somebody chooses to be told of by mail.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::DigestSchedule;
use crate::{notice::NoticeKind, settings::FieldErrors, words};

words! {
    /// When somebody is told of a kind of notice.
    NoticeDelivery "When an email is sent." {
        AtOnce = "at_once",
        /// With all else of a day.
        Digest = "digest",
        /// They get no mail of it.
        Off = "off",
    }
}

/// What somebody has chosen. What they have not is as their business has it, and what that has not as Concord does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationChoices {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deliveries: BTreeMap<NoticeKind, NoticeDelivery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestSchedule>,
    /// Whether they want no digests: they turned them off by the link in one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digest_off: bool,
}

impl NotificationChoices {
    /// Adds what is wrong with them.
    pub fn check(&self, faults: &mut FieldErrors) {
        if let Some(digest) = &self.digest {
            digest.check(faults);
        }
    }
}

/// What holds for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationPreferences {
    deliveries: BTreeMap<NoticeKind, NoticeDelivery>,
    pub digest: DigestSchedule,
    /// The zone of the digest's hour.
    pub zone: Tz,
    /// Whether what would be in a digest is not mailed at all.
    pub digest_off: bool,
}

impl NotificationPreferences {
    /// From what a person and their business have chosen; `zone`: that of the business.
    pub fn resolve(own: &NotificationChoices, business: &NotificationChoices, zone: Tz) -> Self {
        let mut deliveries = business.deliveries.clone();
        deliveries.extend(own.deliveries.iter().map(|(kind, delivery)| (*kind, *delivery)));
        let digest = own.digest.clone().or_else(|| business.digest.clone()).unwrap_or_default();
        let zone = digest.zone.unwrap_or(zone);
        Self { deliveries, digest, zone, digest_off: own.digest_off }
    }

    /// As it was chosen.
    pub fn chosen(&self, kind: NoticeKind) -> NoticeDelivery {
        self.deliveries.get(&kind).copied().unwrap_or(NoticeDelivery::AtOnce)
    }

    /// How they are told of that kind.
    pub fn delivery(&self, kind: NoticeKind) -> NoticeDelivery {
        match self.chosen(kind) {
            NoticeDelivery::Digest if self.digest_off => NoticeDelivery::Off,
            chosen => chosen,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::{Berlin, Lisbon};

    use super::*;

    #[test]
    fn own_choice_goes_before_that_of_the_business() {
        let business = NotificationChoices {
            deliveries: [
                (NoticeKind::Conflict, NoticeDelivery::Digest),
                (NoticeKind::Answer, NoticeDelivery::Off),
            ]
            .into(),
            digest: Some(DigestSchedule { hour: 7, ..DigestSchedule::default() }),
            digest_off: false,
        };
        let own = NotificationChoices {
            deliveries: [(NoticeKind::Answer, NoticeDelivery::AtOnce)].into(),
            ..NotificationChoices::default()
        };
        let held = NotificationPreferences::resolve(&own, &business, Lisbon);
        assert_eq!(held.delivery(NoticeKind::Conflict), NoticeDelivery::Digest);
        assert_eq!(held.delivery(NoticeKind::Answer), NoticeDelivery::AtOnce);
        assert_eq!(held.delivery(NoticeKind::Reconnect), NoticeDelivery::AtOnce);
        assert_eq!((held.digest.hour, held.zone), (7, Lisbon));

        let digest = DigestSchedule { zone: Some(Berlin), ..DigestSchedule::default() };
        let own = NotificationChoices { digest: Some(digest), digest_off: true, ..own };
        let held = NotificationPreferences::resolve(&own, &business, Lisbon);
        assert_eq!(held.delivery(NoticeKind::Conflict), NoticeDelivery::Off);
        assert_eq!(held.chosen(NoticeKind::Conflict), NoticeDelivery::Digest);
        assert_eq!(held.delivery(NoticeKind::Answer), NoticeDelivery::AtOnce);
        assert_eq!((held.digest.hour, held.zone), (8, Berlin));
    }

    #[test]
    fn choices_are_kept_as_json() {
        let choices = NotificationChoices {
            deliveries: [(NoticeKind::Conflict, NoticeDelivery::Digest)].into(),
            digest: Some(DigestSchedule { zone: Some(Berlin), ..DigestSchedule::default() }),
            digest_off: true,
        };
        let text = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<NotificationChoices>(&text).unwrap(), choices);
        assert_eq!(
            serde_json::from_str::<NotificationChoices>("{}").unwrap(),
            NotificationChoices::default()
        );
    }
}
