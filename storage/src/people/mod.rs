//! Staff, who do the work, and users, who sign in. A user may stand for a staff member.

mod staff;
mod users;

pub use staff::*;
pub use users::*;
