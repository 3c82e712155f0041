//! What is asked before something is done with a channel.

use axum::routing::{MethodRouter, get};
use concord_domain::ids::ChannelId;
use concord_jobs::channels::quarantine;
use concord_storage::channels::Channel;

use super::{channel_path, find_channel, platform_name};
use crate::app::App;
use crate::http::pages::{Confirmation, Manager, NavItem, PageError, PagePath, confirm_page};

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) enum ChannelQuestion {
    /// To cancel what is held back.
    Approve,
    RotateFeed,
    Remove,
    RenewWebhooks,
    DisableWebhooks,
}

/// "these 3 bookings", "this booking".
pub(super) fn bookings_phrase(number: usize) -> String {
    match number {
        1 => "this booking".to_owned(),
        many => format!("these {many} bookings"),
    }
}

impl ChannelQuestion {
    /// In words; `waiting`: how many bookings are held back.
    pub(super) fn confirmation(self, channel: &Channel, platform: &str, waiting: usize) -> Confirmation {
        let path = channel_path(channel.id);
        match self {
            Self::Approve => Confirmation {
                cancel_label: "Not yet",
                ..Confirmation::danger(
                    ("release", format!("{path}/release")),
                    format!("Cancel {}?", bookings_phrase(waiting)),
                    format!(
                        "{} cancelled here because {platform}'s calendar no longer shows {}. The nights become \
                         available again here and on other platforms. You can undo this for a week.",
                        if waiting == 1 { "It will be" } else { "They will be" },
                        if waiting == 1 { "it" } else { "them" }
                    ),
                    format!("Cancel {}", bookings_phrase(waiting)),
                )
            },
            Self::RotateFeed => Confirmation {
                is_danger: false,
                ..Confirmation::danger(
                    ("rotate", format!("{path}/rotate")),
                    "Generate a new link?",
                    format!(
                        "The old link stops working immediately. {platform} does not see your availability \
                         until you paste the new one there."
                    ),
                    "Generate link",
                )
            },
            Self::Remove => Confirmation::danger(
                ("remove", format!("{path}/remove")),
                "Remove this channel?",
                format!(
                    "Bookings from {platform} are kept. Syncing stops, and {platform} no longer sees your \
                     availability: it may sell the same nights again."
                ),
                "Remove channel",
            ),
            Self::RenewWebhooks => Confirmation {
                is_danger: false,
                ..Confirmation::danger(
                    ("renew", format!("{path}/webhooks")),
                    "Generate a new URL and key?",
                    "The old URL and key stop working immediately. No reservations arrive until you enter the \
                     new ones at your channel manager.",
                    "Generate new URL and key",
                )
            },
            Self::DisableWebhooks => Confirmation::danger(
                ("forbid", format!("{path}/webhooks/forbid")),
                "Disable webhooks?",
                "New messages from the channel manager are refused. Bookings it already sent are kept.",
                "Disable webhooks",
            ),
        }
    }
}

/// The page that asks it.
pub(super) fn ask(question: ChannelQuestion) -> MethodRouter<App> {
    get(async move |user: Manager, PagePath(id): PagePath<ChannelId>| {
        let channel = find_channel(&user, id).await?;
        let refuse = |text: &str| Err(PageError::NotPossible(text.to_owned()));
        let waiting = match question {
            ChannelQuestion::Approve => quarantine::waiting(&user.app.context, &channel).await?.len(),
            _ => 0,
        };
        match question {
            ChannelQuestion::Approve if waiting == 0 || channel.import_guard.is_none() => {
                return refuse("Nothing is held for review any more.");
            }
            ChannelQuestion::RenewWebhooks if !channel.has_webhook => {
                return refuse("Webhooks are not enabled for this channel.");
            }
            _ => {}
        }
        let question = question.confirmation(&channel, &platform_name(&user.app, &channel.platform), waiting);
        confirm_page(&user, (NavItem::Channels, channel_path(id)), question).await
    })
}
