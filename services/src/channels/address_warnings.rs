//! Why an address is perhaps not meant: what a person or a program is asked before a platform is connected by it.

use concord_domain::platform::{Platform, PlatformId};
use concord_jobs::{Context, channels::poll::FeedReadError};
use concord_providers::feed_address;
use secrecy::{ExposeSecret, SecretString};

/// Why an address is perhaps not meant.
#[derive(Debug, thiserror::Error)]
pub enum AddressWarning {
    /// Its host is another platform's.
    #[error("this is a calendar link from {name}, not from {chosen}")]
    OtherAddress {
        /// The platform that the host tells.
        told: PlatformId,
        /// The name of that platform.
        name: String,
        /// What the one is called that was chosen.
        chosen: String,
    },
    /// The calendar says by its PRODID that another platform wrote it.
    #[error("this calendar was created by {name}, not by {chosen}")]
    OtherAuthor {
        /// The platform that wrote it.
        told: PlatformId,
        /// The name of that platform.
        name: String,
        /// What the one is called that was chosen.
        chosen: String,
    },
    /// It is read for the same resource, as another platform's: each booking would come twice.
    #[error(
        "this link is already imported for {resource} as a calendar of {name}: each booking would be imported twice"
    )]
    ReadAs {
        /// The name of the resource.
        resource: String,
        /// What the platform is called.
        name: String,
    },
    /// It is read for another resource.
    #[error("this link is already imported for {resource}. A listing belongs to one resource")]
    ReadFor {
        /// The name of the resource.
        resource: String,
    },
    /// The platform is read for the resource, by another address.
    #[error(
        "{name} is already connected to {resource}. If its link has changed, update it in that channel's settings"
    )]
    SecondListing {
        /// The name of the resource.
        resource: String,
        /// What the platform is called.
        name: String,
    },
    /// It cannot be read now.
    #[error(transparent)]
    Unread(#[from] FeedReadError),
}

impl AddressWarning {
    /// Whether a program is asked too, which may well connect what cannot be read yet, or two listings of one resource.
    pub fn applies_to_api(&self) -> bool {
        !matches!(self, Self::Unread(_) | Self::SecondListing { .. })
    }

    /// The question that it asks, in a word: to answer one is not to answer another.
    pub fn question(&self) -> &'static str {
        match self {
            Self::OtherAddress { .. } | Self::OtherAuthor { .. } => "platform",
            Self::ReadAs { .. } => "twice",
            Self::ReadFor { .. } => "shared",
            Self::SecondListing { .. } => "second",
            Self::Unread(_) => "unread",
        }
    }

    /// The platform that it is of by all that can be told, with its name, if that is another one.
    pub fn told(&self) -> Option<(&PlatformId, &str)> {
        match self {
            Self::OtherAddress { told, name, .. } | Self::OtherAuthor { told, name, .. } => {
                Some((told, name))
            }
            _ => None,
        }
    }
}

/// What speaks against a calendar's being of the platform that was chosen: its address, or who wrote it.
pub(super) fn another_platform(
    context: &Context,
    chosen: &Platform,
    address: Option<&SecretString>,
    product: &str,
) -> Option<AddressWarning> {
    let by_address = address.and_then(|address| of_another_host(context, chosen, address));
    by_address.or_else(|| another_author(context, chosen, product))
}

/// What its program says of it.
pub(super) fn another_author(context: &Context, chosen: &Platform, product: &str) -> Option<AddressWarning> {
    let told = context.platforms.iter().find(|platform| platform.matches_product(product));
    let told = told.filter(|told| told.id != chosen.id && !chosen.matches_product(product))?;
    Some(AddressWarning::OtherAuthor {
        told: told.id.clone(),
        name: told.name.clone(),
        chosen: chosen.name.clone(),
    })
}

/// What its host says of it.
pub(super) fn of_another_host(
    context: &Context,
    chosen: &Platform,
    address: &SecretString,
) -> Option<AddressWarning> {
    let address = feed_address(address.expose_secret()).ok()?;
    let told = context.platforms.of_address(&address);
    let told = told.filter(|told| told.id != chosen.id && !chosen.recognises(&address))?;
    Some(AddressWarning::OtherAddress {
        told: told.id.clone(),
        name: told.name.clone(),
        chosen: chosen.name.clone(),
    })
}
