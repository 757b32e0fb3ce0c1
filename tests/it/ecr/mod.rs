//! The ECR API over the wire.

mod layers;
