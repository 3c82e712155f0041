//! Text made safe for HTML, and the frame around every page.

use crate::provider::Provider;
use crate::store::{CalendarRecord, StoredEntry};

/// `text` with the five characters replaced that mean something in HTML, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page around `body`, which is HTML already. `class` is of the body element.
pub(crate) fn document(title: &str, class: &str, body: &str) -> String {
    document_with_head(title, class, "", body)
}

/// As [`document`], with more in its head.
pub(crate) fn document_with_head(title: &str, class: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/assets/sandbox.css\">{head}</head>\
         <body class=\"{class}\">{body}</body></html>",
        escape(title)
    )
}

/// `pairs` as a query, safe in an attribute.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    escape(&url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// The page on which a person sees an entry of a calendar of theirs.
pub(crate) fn entry_address(
    base_url: &str,
    provider: Provider,
    (account, calendar): (&str, &CalendarRecord),
    entry: &StoredEntry,
) -> String {
    let day = entry.start.when.local(calendar.zone).date();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("calendar", &calendar.id)
        .append_pair("week", &day.to_string())
        .append_pair("entry", &entry.id)
        .finish();
    format!("{base_url}/calendar/{}/{}?{query}", provider.as_str(), path_part(account))
}

/// `text` as one part of a path.
pub(crate) fn path_part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_that_means_something_in_html_gets_through() {
        assert_eq!(escape("<b title='x\"'>&"), "&lt;b title=&#39;x&quot;&#39;&gt;&amp;");
    }
}
