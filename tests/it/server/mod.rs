//! The hall: faces, limits, broken requests, metrics, TLS, the end.

mod bodies;
mod ending;
mod faces;
mod hostile;
mod http_2;
mod keep_alive;
mod limits;
mod multiplexing;
mod operations;
mod overload;
mod refusals;
mod secure;
mod slow_readers;
