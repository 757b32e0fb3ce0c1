//! The cellar: where names and bytes lie. Knows nothing of repositories, users or HTTP.

pub mod blob;
pub mod db;
pub mod reserve;
pub mod seal;
