//! The door as signed requests see it, on every engine: real guard, real rooms, no sockets.

mod creation_templates;
mod door;
mod images;
mod plans;
mod policies;
mod registry;
mod repositories;
mod requests;
mod settings;
mod tags;
mod users;
