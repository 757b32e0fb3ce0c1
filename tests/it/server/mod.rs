//! The hall: faces, limits, broken requests, metrics, TLS, the end.

mod bodies;
mod ending;
mod faces;
mod http_2;
mod hostile;
mod limits;
mod operations;
mod secure;
