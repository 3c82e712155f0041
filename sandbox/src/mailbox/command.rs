//! What a mail client says, line by line (RFC 5321, section 4.1.1).

/// A command that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `EHLO`; `HELO`, which gets no list of extensions.
    Hello { extended: bool },
    /// `MAIL FROM:<...>`, with the size that was announced.
    Mail { from: String, size: Option<usize> },
    /// `RCPT TO:<...>`.
    Recipient(String),
    /// `DATA`.
    Data,
    /// `RSET`.
    Reset,
    /// `NOOP`.
    Nothing,
    /// `QUIT`.
    Quit,
    /// `AUTH PLAIN`, with its first answer if it came along.
    AuthPlain(Option<String>),
}

/// What a line is refused with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such command.
    Unknown,
    /// It is known, but not with these words.
    Syntax,
    /// It says something of the mail that we do not know.
    Parameter,
}

/// Reads a line without its end.
pub(super) fn read(line: &str) -> Result<Command, Refusal> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" | "HELO" if rest.is_empty() => Err(Refusal::Syntax),
        "EHLO" => Ok(Command::Hello { extended: true }),
        "HELO" => Ok(Command::Hello { extended: false }),
        "MAIL" => mail(rest),
        "RCPT" => match path_after(rest, "TO:") {
            Some((address, "")) if !address.is_empty() => Ok(Command::Recipient(address)),
            Some((_, parameters)) if !parameters.is_empty() => Err(Refusal::Parameter),
            _ => Err(Refusal::Syntax),
        },
        "DATA" if rest.is_empty() => Ok(Command::Data),
        "RSET" if rest.is_empty() => Ok(Command::Reset),
        "QUIT" if rest.is_empty() => Ok(Command::Quit),
        "DATA" | "RSET" | "QUIT" => Err(Refusal::Syntax),
        "NOOP" => Ok(Command::Nothing),
        "AUTH" => auth(rest),
        _ => Err(Refusal::Unknown),
    }
}

fn mail(rest: &str) -> Result<Command, Refusal> {
    let (from, parameters) = path_after(rest, "FROM:").ok_or(Refusal::Syntax)?;
    let mut size = None;
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => size = Some(value.parse().map_err(|_| Refusal::Syntax)?),
            "BODY" if matches!(value.to_ascii_uppercase().as_str(), "7BIT" | "8BITMIME") => {}
            _ => return Err(Refusal::Parameter),
        }
    }
    Ok(Command::Mail { from, size })
}

fn auth(rest: &str) -> Result<Command, Refusal> {
    let (mechanism, first) = rest.split_once(' ').unwrap_or((rest, ""));
    if !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Err(Refusal::Parameter);
    }
    Ok(Command::AuthPlain((!first.is_empty()).then(|| first.to_owned())))
}

/// The address between the brackets behind `prefix`, and what follows it.
fn path_after<'a>(rest: &'a str, prefix: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let (address, rest) = rest[prefix.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    let plain = address.chars().all(|c| !c.is_control() && !matches!(c, '<' | ' '));
    (plain && (address.is_empty() || address.contains('@'))).then(|| (address.to_owned(), rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_clients_write_them() {
        let mail = |from: &str, size| Ok(Command::Mail { from: from.into(), size });
        for (line, expected) in [
            ("EHLO me.example", Ok(Command::Hello { extended: true })),
            ("helo [127.0.0.1]", Ok(Command::Hello { extended: false })),
            ("EHLO", Err(Refusal::Syntax)),
            ("MAIL FROM:<a@b.example> SIZE=12 BODY=8BITMIME", mail("a@b.example", Some(12))),
            ("mail from: <>", mail("", None)),
            ("MAIL FROM:<a@b.example> SMTPUTF8", Err(Refusal::Parameter)),
            ("MAIL FROM:a@b.example", Err(Refusal::Syntax)),
            ("RCPT TO:<c@d.example>", Ok(Command::Recipient("c@d.example".into()))),
            ("RCPT TO:<>", Err(Refusal::Syntax)),
            ("RCPT TO:<c@d.example> NOTIFY=NEVER", Err(Refusal::Parameter)),
            ("DATA", Ok(Command::Data)),
            ("DATA now", Err(Refusal::Syntax)),
            ("AUTH PLAIN AGEAYg==", Ok(Command::AuthPlain(Some("AGEAYg==".into())))),
            ("AUTH CRAM-MD5", Err(Refusal::Parameter)),
            ("VRFY ana", Err(Refusal::Unknown)),
            ("", Err(Refusal::Unknown)),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }
}
