//! Who is there, with which calendars.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use crate::app::SandboxApp;
use crate::clock;
use crate::html::{document, escape, path_part, query};
use crate::provider::Provider;
use crate::store::{ProviderStore, StoredAccount};

pub(super) async fn show(State(app): State<Arc<SandboxApp>>) -> Html<String> {
    let mut body = String::from(
        "<main><p class=\"mark\">Sandbox: simulated external services</p><h1>Sandbox calendars</h1>\
         <p>These people and their calendars exist in this sandbox only. Connect one of them as a “Google” or “Microsoft” account, and \
         see bookings arrive here; add, move and delete entries here as the person would, and see it come back.</p>\
         <p><a href=\"/mailbox\">The mailbox</a> has every mail that was sent. On the <a href=\"/ota\">booking platforms</a> \
         guests book the same houses at Airbnb, Vrbo and Booking.com.</p>",
    );
    let hitting = app.server.faults.list().iter().filter(|fault| fault.count != Some(0)).count();
    if hitting > 0 {
        let faults = if hitting == 1 { "1 fault is".into() } else { format!("{hitting} faults are") };
        let _infallible = write!(
            body,
            "<p class=\"notice wrong\"><b>{faults} active.</b> The provider returns errors on purpose until they are \
             used up or deleted (<code>DELETE /control/faults</code>).</p>"
        );
    }
    for &provider in Provider::ALL {
        let _infallible = write!(body, "<h2>{}</h2><ul class=\"accounts\">", provider.title());
        let store = app.store(provider);
        for account in store.accounts.values() {
            body.push_str(&card(provider, &store, account));
        }
        body.push_str("</ul>");
    }
    body.push_str("</main>");
    Html(document("Sandbox calendars", "home", &body))
}

fn card(provider: Provider, store: &ProviderStore, account: &StoredAccount) -> String {
    let mut calendars = String::new();
    let now = clock::now();
    for (calendar, one) in store.list_of(&account.email) {
        let coming = calendar.entries.values().filter(|entry| {
            !entry.cancelled() && (entry.series.is_some() || entry.end.when.instant(calendar.info.zone) > now)
        });
        let coming = match coming.count() {
            0 => "no upcoming entries".into(),
            count => format!("{count} upcoming"),
        };
        let name = if one.primary { "Own calendar" } else { calendar.info.summary.as_str() };
        let _infallible = write!(
            calendars,
            "<li><a href=\"/calendar/{}/{}?{}\">{}</a> <small>{coming}</small></li>",
            provider.as_str(),
            path_part(&account.email),
            query(&[("calendar", &calendar.info.id)]),
            escape(name),
        );
    }
    format!(
        "<li><h3>{}</h3><p class=\"quiet\">{}, {}</p><ul>{calendars}</ul></li>",
        escape(&account.name),
        escape(&account.email),
        account.zone.name()
    )
}
