//! What is done at the pages of webhooks.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{EventId, WebhookEndpointId},
    webhook::EndpointSettings,
};
use concord_services::webhooks::{self, EndpointChange, EndpointDraft, EndpointError};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    PATH, SecretReveal,
    detail::{self, DeliveriesQuery},
    endpoint_path,
    form::{EndpointForm, refused, user_message},
    list, name,
};
use crate::http::pages::{
    Flash, Manager, PageError, PageForm, PagePath, PageResult, pluralize, render_refused, reveal,
};

pub(super) async fn create(user: Manager, PageForm(typed): PageForm<EndpointForm>) -> PageResult {
    let settings =
        EndpointSettings { description: typed.description.clone(), event_types: typed.event_types() };
    let draft = EndpointDraft { url: typed.url.clone(), settings };
    let context = &user.app.context;
    let mut tx = context.db.begin().await?;
    match webhooks::create(&mut tx, context, &user.change(), draft).await {
        Ok((endpoint, secret)) => {
            let path = endpoint_path(endpoint.id);
            let shown = SecretReveal { secret: secret.expose_secret().to_owned(), is_new: true };
            reveal::commit_and_redirect(tx, &user, &path, &shown).await
        }
        Err(error) => {
            drop(tx);
            render_refused(&user, &list::build_page(&user, refused(typed, error)?).await?)
        }
    }
}

pub(super) async fn update(
    user: Manager,
    PagePath(id): PagePath<WebhookEndpointId>,
    PageForm(typed): PageForm<EndpointForm>,
) -> PageResult {
    let (context, by) = (&user.app.context, user.change());
    let change = EndpointChange {
        url: Some(typed.url.clone()),
        description: Some(typed.description.clone()),
        event_types: Some(typed.event_types()),
    };
    match webhooks::change(context, &by, id, change).await {
        Ok(_) => {
            Ok(user.redirect_with_flash(&endpoint_path(id), &Flash::success("The webhook was changed.")))
        }
        Err(error) => {
            let endpoint = webhooks::find(context, &by, id).await?;
            let form = refused(typed, error)?;
            render_refused(
                &user,
                &detail::build_page(&user, &endpoint, DeliveriesQuery::default(), form).await?,
            )
        }
    }
}

pub(super) async fn rotate(user: Manager, PagePath(id): PagePath<WebhookEndpointId>) -> PageResult {
    let (context, path) = (&user.app.context, endpoint_path(id));
    let mut tx = context.db.begin().await?;
    let (_, secret) = webhooks::rotate(&mut tx, context, &user.change(), id).await?;
    let shown = SecretReveal { secret: secret.expose_secret().to_owned(), is_new: false };
    reveal::commit_and_redirect(tx, &user, &path, &shown).await
}

pub(super) async fn disable(user: Manager, PagePath(id): PagePath<WebhookEndpointId>) -> PageResult {
    webhooks::disable(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success("The webhook was disabled. No more events are sent.");
    Ok(user.redirect_with_flash(&endpoint_path(id), &flash))
}

pub(super) async fn enable(user: Manager, PagePath(id): PagePath<WebhookEndpointId>) -> PageResult {
    webhooks::enable(&user.app.context, &user.change(), id).await?;
    let flash =
        Flash::success("The webhook is active. Events are sent from now on; resend what it missed below.");
    Ok(user.redirect_with_flash(&endpoint_path(id), &flash))
}

pub(super) async fn delete(user: Manager, PagePath(id): PagePath<WebhookEndpointId>) -> PageResult {
    let endpoint = webhooks::find(&user.app.context, &user.change(), id).await?;
    webhooks::delete(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("The webhook “{}” was deleted.", name(&endpoint)));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn test(user: Manager, PagePath(id): PagePath<WebhookEndpointId>) -> PageResult {
    webhooks::test(&user.app.context, &user.change(), id).await?;
    let flash = Flash::information("Sending a test event. How it went appears below in a moment.");
    Ok(user.redirect_with_flash(&endpoint_path(id), &flash))
}

pub(super) async fn resend(
    user: Manager,
    PagePath((id, event)): PagePath<(WebhookEndpointId, EventId)>,
) -> PageResult {
    webhooks::resend(&user.app.context, &user.change(), id, event).await?;
    let path = format!("{}/deliveries/{event}", endpoint_path(id));
    Ok(user.redirect_with_flash(&path, &Flash::information("Sending again. The status appears here.")))
}

/// Since when events are sent again.
#[derive(Deserialize)]
pub(super) struct ResendForm {
    /// So many hours ago.
    hours: u32,
    /// `missed`: what was not delivered; `all`.
    which: String,
}

pub(super) async fn resend_since(
    user: Manager,
    PagePath(id): PagePath<WebhookEndpointId>,
    PageForm(form): PageForm<ResendForm>,
) -> PageResult {
    let since: DateTime<Utc> = user.app.now() - Duration::hours(i64::from(form.hours.min(100_000)));
    let wanted = (since, form.which == "all");
    let sent = match webhooks::resend_since(&user.app.context, &user.change(), id, wanted).await {
        Ok(sent) => sent,
        Err(EndpointError::Invalid(faults)) => {
            let words: Vec<String> = faults.iter().map(user_message).collect();
            return Err(PageError::NotPossible(words.join(" ")));
        }
        Err(EndpointError::Service(error)) => return Err(error.into()),
    };
    let text = match i64::try_from(sent).unwrap_or(i64::MAX) {
        0 => "There was nothing to resend.".to_owned(),
        sent => format!("Sending {} again.", pluralize(sent, "event", "events")),
    };
    Ok(user.redirect_with_flash(&endpoint_path(id), &Flash::information(text)))
}
