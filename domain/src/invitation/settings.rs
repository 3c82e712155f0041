//! What a business chooses about invitations.

use crate::{language::Language, mail::MailAddress, settings::FieldErrors, words};

words! {
    /// To which bookings customers are invited.
    InvitationMode "Which bookings customers are invited to." {
        /// To none, unless somebody sends an invitation by hand.
        Off = "off",
        /// To those that are agreed on.
        Confirmed = "confirmed",
        /// Also to those that are only asked for.
        Pending = "pending",
    }
}

/// The longest that changes wait for more of them, in minutes.
const MAX_INVITATION_DELAY: u32 = 60;

/// How customers are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationSettings {
    pub mode: InvitationMode,
    /// How many minutes a change waits for others, so that they are sent in one mail.
    pub delay_minutes: u32,
    /// The name that mails to customers come from; empty: that of the business.
    pub sender_name: String,
    /// The address that they come from, where answers of calendars go; empty: that of the installation.
    pub sender_address: String,
    /// Where answers of people go; empty: to the address that they come from.
    pub reply_address: String,
    /// The language of customers who have none of their own.
    pub language: Language,
}

impl Default for InvitationSettings {
    fn default() -> Self {
        Self {
            mode: InvitationMode::Confirmed,
            delay_minutes: 1,
            sender_name: String::new(),
            sender_address: String::new(),
            reply_address: String::new(),
            language: Language::default(),
        }
    }
}

impl InvitationSettings {
    /// Brings them into the form that is stored, and adds what is wrong with them.
    pub fn check(&mut self, faults: &mut FieldErrors) {
        faults.within("invitation_delay_minutes", self.delay_minutes, 0, MAX_INVITATION_DELAY);
        self.sender_name = faults.optional_name("sender_name", &self.sender_name);
        for (field, address) in
            [("sender_address", &mut self.sender_address), ("reply_address", &mut self.reply_address)]
        {
            *address = address.trim().to_owned();
            if address.is_empty() {
                continue;
            }
            match MailAddress::parse(address) {
                Ok(parsed) => parsed.as_str().clone_into(address),
                Err(error) => faults.add(field, error.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(settings: &mut InvitationSettings) -> Vec<&'static str> {
        let mut faults = FieldErrors::default();
        settings.check(&mut faults);
        faults.into_result().err().unwrap_or_default().iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn addresses_are_stored_as_they_stand_in_mails() {
        let mut settings = InvitationSettings {
            sender_name: " Casa ".into(),
            sender_address: " book@b\u{fc}cher.de".into(),
            ..InvitationSettings::default()
        };
        assert!(fields(&mut settings).is_empty());
        assert_eq!(
            (settings.sender_name.as_str(), settings.sender_address.as_str()),
            ("Casa", "book@xn--bcher-kva.de")
        );
    }

    #[test]
    fn every_fault_is_named() {
        let mut settings = InvitationSettings {
            delay_minutes: 61,
            sender_name: "a\nb".into(),
            sender_address: "nobody".into(),
            reply_address: "a@b.de\r\nBcc: c@d.de".into(),
            ..InvitationSettings::default()
        };
        let all = ["invitation_delay_minutes", "sender_name", "sender_address", "reply_address"];
        assert_eq!(fields(&mut settings), all);
    }
}
