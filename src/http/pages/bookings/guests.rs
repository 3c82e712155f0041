//! The people who are invited besides the customer, as they are typed into the form.

use concord_domain::booking::Guest;

/// One a line: an address, or a name and then the address in angle brackets, as mail programs write them.
pub(super) fn read_guests(typed: &str) -> Vec<Guest> {
    let guest = |line: &str| match line.strip_suffix('>').and_then(|line| line.rsplit_once('<')) {
        Some((name, email)) => {
            Guest { name: name.trim().trim_matches('"').to_owned(), email: email.trim().to_owned() }
        }
        None => Guest { name: String::new(), email: line.to_owned() },
    };
    typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(guest).collect()
}

/// As they are typed.
pub(super) fn write_guests(guests: &[Guest]) -> String {
    let line = |guest: &Guest| match guest.name.as_str() {
        "" => guest.email.clone(),
        name => format!("{name} <{}>", guest.email),
    };
    guests.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_one_a_line() {
        let guests = read_guests(" Rui Costa <rui@x.example>\r\n\nzoe@x.example\n\"Ana\" <ana@x.example>");
        let named = |name: &str, email: &str| Guest { name: name.to_owned(), email: email.to_owned() };
        let expected =
            [named("Rui Costa", "rui@x.example"), named("", "zoe@x.example"), named("Ana", "ana@x.example")];
        assert_eq!(guests, expected);
        assert_eq!(read_guests(&write_guests(&guests)), guests);
    }
}
