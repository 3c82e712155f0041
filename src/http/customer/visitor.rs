//! Who is at the page of a booking, and what they send.

use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use concord_domain::language::Language;
use concord_jobs::invitations::BookingTexts;
use concord_services::customers::{self, CustomerVisit};
use serde::{Deserialize, de::DeserializeOwned};

use super::{CustomerPageError, texts::CustomerTexts};
use crate::{
    app::{
        App,
        admission::{BodyClass, BodySize, CredentialKind},
    },
    http::{accept_language::accept_language, pages::PageError, request_origin::RequestOrigin},
};

/// The most bytes of a form: a wish of 2,000 characters takes up to 24,000 when it is encoded.
pub(super) const MAX_FORM_BYTES: usize = 32 * 1024;

/// Somebody at their page of a booking: the token in the path is known. No body is read before.
pub(super) struct PageVisitor {
    pub(super) app: App,
    pub(super) visit: CustomerVisit,
    token: String,
    /// The booking's, or the browser's, or the business's.
    language: Language,
}

impl FromRequestParts<App> for PageVisitor {
    type Rejection = CustomerPageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, CustomerPageError> {
        let token = Path::<String>::from_request_parts(parts, app).await;
        let Path(token) = token.map_err(|_| CustomerPageError::Gone)?;
        let network = parts.extensions.get::<RequestOrigin>().and_then(RequestOrigin::network);
        let digest = customers::digest(&token);
        let lookup = CustomerVisit::open(&app.context, &digest);
        let found = app.admission.look_up(CredentialKind::Link, network, &digest, lookup).await?;
        let visit = found.ok_or(CustomerPageError::Gone)?;
        let own = visit.subject.booking.draft.customer.language;
        let default = visit.subject.business.invitations.language;
        let language = Language::choose(own, accept_language(&parts.headers), Some(default));
        Ok(Self { app: app.clone(), visit, token, language })
    }
}

/// What was just done, as the address of the page says it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum CompletedAction {
    Answered,
    Moved,
    Cancelled,
    WishSent,
    LinkSent,
}

impl CompletedAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Moved => "moved",
            Self::Cancelled => "cancelled",
            Self::WishSent => "wish_sent",
            Self::LinkSent => "link_sent",
        }
    }
}

impl PageVisitor {
    /// What their pages say.
    pub(super) fn texts(&self) -> CustomerTexts<'_> {
        CustomerTexts { language: self.language, business: &self.visit.subject.business.name }
    }

    /// What those say of the booking.
    pub(super) fn booking_texts(&self) -> BookingTexts<'_> {
        BookingTexts::of(&self.visit.subject).in_language(self.language)
    }

    /// Of their page, without a slash at its end.
    pub(super) fn path(&self) -> String {
        format!("/b/{}", self.token)
    }

    /// Back to the page, which says what was done.
    pub(super) fn redirect(&self, done: CompletedAction) -> Response {
        let to = format!("{}?done={}", self.path(), done.as_str());
        let headers = [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// A form that a visitor sends. Its bytes are counted before they are read.
pub(super) struct CustomerForm<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for CustomerForm<T> {
    type Rejection = CustomerPageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, CustomerPageError> {
        let size = BodySize::of(request.body());
        let _room = app.admission.reserve_body(BodyClass::Forms, size, MAX_FORM_BYTES).await?;
        match Form::from_request(request, app).await {
            Ok(Form(form)) => Ok(Self(form)),
            Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(PageError::TooLarge.into())
            }
            Err(refused) => Err(PageError::Malformed(refused.body_text()).into()),
        }
    }
}
