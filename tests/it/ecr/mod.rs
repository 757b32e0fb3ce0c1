//! The ECR API over the wire, and what it changes for the other doors. The door's own rules are tested with
//! signed requests in `src/api/ecr/tests`.

mod both_faces;
mod layers;
mod wire;
