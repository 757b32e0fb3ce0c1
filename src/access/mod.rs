//! The guard: who is calling, and may they?
//!
//! A door turns a request into a value of its operation enum, an exhaustive `match` in its `checks.rs` names
//! the [`Check`]s of that operation, and [`Guard::authorize`] alone can turn them into a [`Grant`]. Room
//! functions demand an [`Allowed`] of their action, which only a grant hands out, and act on the resource that
//! it carries, so what was authorised is what is touched.
//!
//! ```text
//! let grant = services.guard.authorize(&caller, checks).await?;          // or a Denied with AWS's sentence
//! let allowed = grant.take::<action::PutImage>()?;                       // fails closed when not checked
//! services.catalog.put_image(&allowed, image).await?;                    // acts on allowed.resource()
//! ```
//!
//! `action`, `allowed`, `caller`, `layer_ticket` and `resource` are leaves: rooms may name them, they name no room.

pub mod action;
mod allowed;
pub mod audit;
mod authenticate;
mod authorize;
mod caller;
mod guard;
mod keys;
mod layer_ticket;
mod password;
mod resource;
#[cfg(test)]
pub(crate) mod testing;

pub use allowed::{Allowed, Check, Grant, NotGranted};
pub use authenticate::{Arrival, BasicError, SignatureError};
pub use authorize::AccessError;
pub use caller::{Caller, Credential, Origin, Session};
pub use guard::Guard;
pub use layer_ticket::{LAYER_TICKET_SECONDS, LayerTicket, TicketError};
pub use resource::{Identity, Registry, Repository, Resource};
