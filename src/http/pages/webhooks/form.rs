//! What is typed of an endpoint.

use concord_domain::{booking::FieldError, webhook::EventType};
use concord_services::webhooks::EndpointError;
use concord_storage::webhook_endpoints::WebhookEndpoint;
use serde::Deserialize;

use crate::http::pages::{Faults, Form, PageError, SelectOption, sentence};

/// An endpoint, as it is typed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointForm {
    pub(super) url: String,
    pub(super) description: String,
    /// Those that are ticked; none: all.
    pub(super) types: Vec<String>,
}

impl From<&WebhookEndpoint> for EndpointForm {
    fn from(endpoint: &WebhookEndpoint) -> Self {
        Self {
            url: endpoint.url.clone(),
            description: endpoint.settings.description.clone(),
            types: endpoint.settings.event_types.iter().map(ToString::to_string).collect(),
        }
    }
}

impl EndpointForm {
    /// Whether some are ticked, and not all are meant.
    pub(super) fn has_types(&self) -> bool {
        !self.types.is_empty()
    }

    /// What is ticked. A type that there is not was typed by nobody.
    pub(super) fn event_types(&self) -> Vec<EventType> {
        self.types.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// What can be ticked: tests are sent by hand.
    pub(super) fn choices(&self) -> Vec<SelectOption> {
        let choices = EventType::ALL.iter().filter(|kind| **kind != EventType::WebhookTest);
        let choice = |kind: &EventType| SelectOption {
            value: kind.to_string(),
            label: kind.summary().to_owned(),
            chosen: self.types.iter().any(|name| *name == kind.as_str()),
        };
        choices.map(choice).collect()
    }
}

/// The form with what is wrong with it; any other error is a page of its own.
pub(super) fn refused(typed: EndpointForm, error: EndpointError) -> Result<Form<EndpointForm>, PageError> {
    match error {
        EndpointError::Invalid(faults) => {
            let told = faults.into_iter().map(|fault| (fault.field, user_message(&fault)));
            Ok(Form::refused(typed, told.collect::<Faults>()))
        }
        EndpointError::Service(error) => Err(error.into()),
    }
}

/// "The URL must begin with https://."
pub(super) fn user_message(fault: &FieldError) -> String {
    let field = match fault.field {
        "url" => "The URL",
        "description" => "The description",
        "since" => "The time",
        other => other,
    };
    sentence(&format!("{field} {}", fault.message))
}
