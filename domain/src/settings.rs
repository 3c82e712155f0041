//! What may be entered as settings: of resources, of the people who work, of feeds and of businesses.
//!
//! Whoever takes settings in, the API, a page or the command line, has them checked here, which also brings them into
//! the form that is stored: without blanks at the ends.

use chrono_tz::Tz;

use crate::{
    booking::{FieldError, MAX_LINE},
    mail::looks_like_mail_address,
    people::Trade,
};

/// The most units of one resource.
pub const MAX_CAPACITY: u32 = 1000;
/// The most minutes before or after a booking: a week.
pub const MAX_BUFFER: u32 = 7 * 24 * 60;
/// The longest name of a business in addresses.
pub const MAX_SLUG: usize = 63;

/// What a business may choose of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSettings {
    pub name: String,
    /// Where it stands; `None`: in the business's zone.
    pub zone: Option<Tz>,
    /// How many units of it can be booked at one time.
    pub capacity: u32,
    /// Minutes that it is taken before a booking.
    pub buffer_before_minutes: u32,
    /// Minutes that it is taken after a booking.
    pub buffer_after_minutes: u32,
}

impl ResourceSettings {
    /// Brings them into the form that is stored, and adds what is wrong with them.
    pub fn check(&mut self, faults: &mut FieldErrors) {
        self.name = faults.name("name", &self.name);
        faults.within("capacity", self.capacity, 1, MAX_CAPACITY);
        faults.within("buffer_before_minutes", self.buffer_before_minutes, 0, MAX_BUFFER);
        faults.within("buffer_after_minutes", self.buffer_after_minutes, 0, MAX_BUFFER);
    }
}

/// What a business enters of a staff member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffSettings {
    pub name: String,
    pub email: String,
    /// Which bookings suit them.
    pub trade: Trade,
}

impl StaffSettings {
    /// Brings them into the form that is stored, and adds what is wrong with them.
    pub fn check(&mut self, faults: &mut FieldErrors) {
        self.name = faults.name("name", &self.name);
        self.email = match self.email.trim() {
            "" => String::new(),
            email => faults.mail_address("email", email),
        };
    }
}

/// Whether it may be the name of a resource, a person, a feed, a key or a business.
pub fn is_name(text: &str) -> bool {
    let mut faults = FieldErrors::default();
    faults.name("name", text);
    faults.0.is_empty()
}

/// Faults, gathered so that all are told at once.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Adds what is wrong with a field.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// A name: one line, not empty. Returns it as it is stored.
    pub fn name(&mut self, field: &'static str, text: &str) -> String {
        let name = text.trim();
        let length = name.chars().count();
        if name.is_empty() {
            self.add(field, "must not be empty");
        } else if length > MAX_LINE {
            self.add(field, format!("is {length} characters long; at most {MAX_LINE} are allowed"));
        }
        if name.chars().any(char::is_control) {
            self.add(field, "contains a control character or a line break");
        }
        name.to_owned()
    }

    /// A name that may be left out: one line, or empty. Returns it as it is stored.
    pub fn optional_name(&mut self, field: &'static str, text: &str) -> String {
        match text.trim() {
            "" => String::new(),
            name => self.name(field, name),
        }
    }

    /// A mail address. Returns it as it is stored.
    pub fn mail_address(&mut self, field: &'static str, text: &str) -> String {
        let address = text.trim();
        if !looks_like_mail_address(address) {
            self.add(field, "is not a valid email address");
        }
        address.to_owned()
    }

    /// The name of a business in addresses. Returns it as it is stored.
    pub fn slug(&mut self, field: &'static str, text: &str) -> String {
        let slug = text.trim();
        let is_letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if slug.is_empty() || slug.len() > MAX_SLUG {
            self.add(field, format!("must have 1 to {MAX_SLUG} characters"));
        } else if !slug.bytes().all(|byte| is_letter_or_digit(byte) || byte == b'-') {
            self.add(field, "may contain only lowercase letters (a to z), digits and hyphens");
        } else if slug.starts_with('-') || slug.ends_with('-') {
            self.add(field, "must begin and end with a letter or a digit");
        }
        slug.to_owned()
    }

    /// A number within bounds.
    pub fn within(&mut self, field: &'static str, number: u32, least: u32, most: u32) {
        if !(least..=most).contains(&number) {
            self.add(field, format!("must be between {least} and {most}"));
        }
    }

    /// A time zone by its IANA name.
    pub fn zone(&mut self, field: &'static str, name: &str) -> Option<Tz> {
        let zone = name.trim().parse().ok();
        if zone.is_none() {
            self.add(field, "is not a time zone; give an IANA name such as Europe/Lisbon");
        }
        zone
    }

    /// All of them, if there is any.
    pub fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(check: impl FnOnce(&mut FieldErrors)) -> Vec<&'static str> {
        let mut faults = FieldErrors::default();
        check(&mut faults);
        faults.0.iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn names_are_one_line() {
        for good in ["Sea View", " Sea View ", &"ü".repeat(MAX_LINE)] {
            assert!(is_name(good), "{good:?}");
        }
        for bad in ["", "  ", "a\nb", &"x".repeat(MAX_LINE + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn mail_addresses_are_as_long_as_mail_servers_take_them() {
        let of_length = |length: usize| format!("{}@example.org", "x".repeat(length - "@example.org".len()));
        assert!(faults(|it| _ = it.mail_address("email", &format!(" {} ", of_length(254)))).is_empty());
        for bad in ["", "nobody", "not an address", &of_length(255)] {
            assert_eq!(faults(|it| _ = it.mail_address("email", bad)), ["email"], "{bad:?}");
        }
    }

    #[test]
    fn slugs_stand_in_addresses() {
        for good in ["casa-do-mar", "7", &"x".repeat(MAX_SLUG)] {
            assert!(faults(|it| _ = it.slug("slug", good)).is_empty(), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "Bad Slug/../",
            "Casa",
            "casa_azul",
            "casa.azul",
            "-casa",
            "casa-",
            "água",
            &"x".repeat(64),
        ] {
            assert_eq!(faults(|it| _ = it.slug("slug", bad)), ["slug"], "{bad:?}");
        }
    }

    #[test]
    fn zones_are_those_of_iana() {
        assert!(faults(|it| _ = it.zone("zone", "Europe/Lisbon")).is_empty());
        for bad in ["Atlantis/Capital", "", "+01:00", "europe"] {
            assert_eq!(faults(|it| _ = it.zone("zone", bad)), ["zone"], "{bad:?}");
        }
    }

    #[test]
    fn a_resource_is_told_all_its_faults_at_once() {
        let mut settings = ResourceSettings {
            name: " Sea View\n".to_owned(),
            zone: None,
            capacity: MAX_CAPACITY,
            buffer_before_minutes: 0,
            buffer_after_minutes: MAX_BUFFER,
        };
        assert!(faults(|it| settings.check(it)).is_empty());
        assert_eq!(settings.name, "Sea View");
        let mut bad = ResourceSettings {
            name: " ".to_owned(),
            zone: None,
            capacity: 0,
            buffer_before_minutes: MAX_BUFFER + 1,
            buffer_after_minutes: MAX_BUFFER + 1,
        };
        let all = ["name", "capacity", "buffer_before_minutes", "buffer_after_minutes"];
        assert_eq!(faults(|it| bad.check(it)), all);
    }

    #[test]
    fn a_staff_member_needs_a_name_and_no_mail_address() {
        let of = |name: &str, email: &str| StaffSettings {
            name: name.to_owned(),
            email: email.to_owned(),
            trade: Trade::General,
        };
        let mut rui = of(" Rui ", " ");
        assert!(faults(|it| rui.check(it)).is_empty());
        assert_eq!(rui, of("Rui", ""));
        assert_eq!(faults(|it| of("", "nobody").check(it)), ["name", "email"]);
    }
}
