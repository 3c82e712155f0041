//! Servers that are not ours: Radicale and Xandikos as processes of their own ([`CaldavServer`]), a person who uses them with
//! an application of their own ([`CaldavUser`]), and a proxy before them that lets calls go wrong on demand or by chance
//! ([`FaultProxy`]), and Dovecot ([`MailboxServer`]). It answers in the place of a server only with the faults that a test asks for.

mod mailbox;
mod object;
mod proxy;
mod server;
mod user;

pub use mailbox::MailboxServer;
pub use object::ObservedObject;
pub use proxy::{FaultProxy, ProxyFault};
pub use server::{CaldavServer, ServerSoftware};
pub use user::CaldavUser;
