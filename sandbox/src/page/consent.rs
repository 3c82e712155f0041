//! The parts that the providers' consent pages share.

use std::collections::HashMap;
use std::fmt::Write;

use super::html::escape;
use crate::store::StoredAccount;

/// The accounts to choose from; the one that `hint` names is chosen, or else the first.
pub(crate) fn choices(accounts: &[StoredAccount], hint: &str) -> String {
    let preselected = accounts.iter().position(|one| one.email.eq_ignore_ascii_case(hint)).unwrap_or(0);
    let mut choices = String::new();
    for (index, account) in accounts.iter().enumerate() {
        let (email, name) = (escape(&account.email), escape(&account.name));
        let checked = if index == preselected { " checked" } else { "" };
        let _infallible = write!(
            choices,
            "<label class=\"choice\"><input type=\"radio\" name=\"account\" value=\"{email}\"{checked} required>\
             <span><b>{name}</b><small>{email}</small></span></label>"
        );
    }
    choices
}

/// What the application will be able to do.
pub(crate) fn wants<'a>(says: impl Iterator<Item = &'a str>) -> String {
    says.fold(String::new(), |mut wants, says| {
        let _infallible = write!(wants, "<li>{}</li>", escape(says));
        wants
    })
}

/// The parameters that come back with the decision.
pub(crate) fn hidden(names: &[&str], parameters: &HashMap<String, String>) -> String {
    let mut hidden = String::new();
    for name in names {
        if let Some(value) = parameters.get(*name) {
            let value = escape(value);
            let _infallible = write!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
    }
    hidden
}
