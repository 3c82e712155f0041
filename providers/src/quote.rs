//! What a server said, made fit for a log line.

use secrecy::{ExposeSecret, SecretString};

const MAX_CHARS: usize = 300;

/// One line of at most 300 characters, without control characters and without `secrets`: a server may echo what it
/// was sent, and that must not reach a log.
pub(crate) fn quote(text: &str, secrets: &[&SecretString]) -> String {
    let hidden = secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[hidden]"));
    let one_line: String =
        hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect();
    one_line.trim().to_owned()
}

/// What is wrong with JSON from a server. Without serde's text, which quotes it.
pub(crate) fn describe_json_error(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof | Category::Io => "cut short",
        Category::Syntax => "no JSON",
        Category::Data => "of an unknown form",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_secret_is_hidden_and_lines_are_joined() {
        let token = SecretString::from("ya29.abc");
        assert_eq!(quote("bad\r\ntoken ya29.abc!", &[&token]), "bad  token [hidden]!");
    }

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(quote(&"é".repeat(1_000), &[]).chars().count(), MAX_CHARS);
    }

    #[test]
    fn an_empty_secret_hides_nothing() {
        assert_eq!(quote("abc", &[&SecretString::from("")]), "abc");
    }
}
