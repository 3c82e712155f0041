//! `/email_texts`: a business's own words in emails to its customers.

use axum::Json;
use concord_domain::{language::Language, mail::MailKind, mail_text::MailTexts, settings::FieldErrors};
use concord_services::mail_design as service;
use concord_storage::mail_design::{self, BusinessMailTexts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Api,
    problem::ApiResult,
    request::{ApiJson, ApiPath},
    responses::Listing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set))
}

/// A business's own words in emails of one type and language.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EmailTexts)]
struct MailTextsResponse {
    /// Email type.
    kind: MailKind,
    /// Language of the customer.
    language: Language,
    /// In the place of the usual subject; empty: the usual one.
    subject: String,
    /// Below the heading; empty: nothing.
    intro: String,
    /// At the end; empty: nothing.
    closing: String,
}

impl From<BusinessMailTexts> for MailTextsResponse {
    fn from(BusinessMailTexts { kind, language, texts }: BusinessMailTexts) -> Self {
        let MailTexts { subject, intro, closing } = texts;
        Self { kind, language, subject, intro, closing }
    }
}

/// The words to set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmailTextsBody, example = json!({ "intro": "Dear {name}, we look forward to {when}." }))]
struct MailTextsBody {
    /// In the place of the usual subject, of reminders and cancellations; at most 150 characters.
    #[serde(default)]
    #[schema(max_length = 150)]
    subject: String,
    /// Below the heading; at most 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    intro: String,
    /// At the end; at most 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    closing: String,
}

/// List email texts
///
/// All types and languages that have words of the business.
#[utoipa::path(get, path = "/email_texts", tag = "Emails", operation_id = "list_email_texts",
    responses((status = 200, description = "All of them", body = Listing<MailTextsResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<MailTextsResponse>> {
    let design = mail_design::find(&api.context.db, api.business).await?;
    Ok(Json(Listing::complete(design.texts.into_iter().map(MailTextsResponse::from).collect())))
}

/// Set email texts
///
/// For emails of one type (`invitation`, `invitation_update`, `invitation_cancel` or `reminder`) in one language. Texts may have the
/// variables `{name}`, `{title}`, `{when}`, `{place}`, `{reference}` and `{business}`. What is omitted is empty. Emails that are
/// written already stay as they are.
#[utoipa::path(put, path = "/email_texts/{kind}/{language}", tag = "Emails", operation_id = "set_email_texts",
    params(("kind" = MailKind, Path, description = "Email type"), ("language" = Language, Path, description = "Language")),
    request_body = MailTextsBody,
    responses((status = 200, description = "Set", body = MailTextsResponse)))]
async fn set(
    api: Api,
    ApiPath((kind, language)): ApiPath<(MailKind, Language)>,
    ApiJson(body): ApiJson<MailTextsBody>,
) -> ApiResult<MailTextsResponse> {
    let MailTextsBody { subject, intro, closing } = body;
    let mut texts = MailTexts { subject, intro, closing };
    let mut faults = FieldErrors::default();
    texts.check(kind, &mut faults);
    faults.into_result()?;
    service::set_texts(&api.context, &api.change(), (kind, language), &texts).await?;
    Ok(Json(BusinessMailTexts { kind, language, texts }.into()))
}
