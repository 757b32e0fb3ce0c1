//! The plan of the house as data: floors and who may use whom, doors, rooms and the tables that they own.
//!
//! A new top-level module of `src/`, a new room or a new table is entered here, or tidy fails.

/// The floors from the entrance down; code may use its own floor and every floor below.
///
/// Modules on one line share a floor: rooms meet each other through functions. `config` turns text into the limits
/// and locations that the floors below it define, so it lies above them; what lies below takes values, not settings.
pub const FLOORS: &[&[&str]] = &[
    &["main", "lib"],
    &["cli"],
    &["app"],
    &["server"],
    &["config"],
    &["api"],
    &["access"],
    ROOMS,
    &["store"],
    &["environment"],
];

/// The modules that own rules and tables.
pub const ROOMS: &[&str] = &["catalog", "identity", "lifecycle", "scanning", "replication", "jobs"];

/// The modules of `access` that rooms may name although the guard lies above them: the proof that a room demands
/// and its vocabulary. They are leaves: of the house they use only each other and what lies below the rooms.
pub const PROOF_MODULES: &[&str] = &["allowed", "action", "caller", "layer_ticket", "resource"];

/// What `access` passes on from those modules to the rooms.
pub const PROOF_NAMES: &[&str] = &[
    "Allowed",
    "Caller",
    "Credential",
    "Origin",
    "Session",
    "Identity",
    "LayerTicket",
    "Registry",
    "Repository",
    "Resource",
];

/// The faces under `src/api/`; none may use another. Further modules there are shared pieces.
pub const DOORS: &[&str] = &["registry", "ecr", "iam", "sts", "console"];

/// Modules that are one concrete store each; only `app.rs` and `src/store/` itself may name them.
pub const CONCRETE_STORES: &[&[&str]] = &[
    &["store", "db", "sqlite"],
    &["store", "db", "postgres"],
    &["store", "blob", "disk"],
    &["store", "blob", "s3"],
];

/// The members that are pure: no other member, and no input or output, below them.
pub const PURE_CRATES: &[&str] = &["longshore-oci", "longshore-policy", "longshore-aws"];

/// Packages that a pure crate may not reach over any path of normal dependencies.
pub const IMPURE_PACKAGES: &[&str] = &["tokio", "hyper", "sqlx", "rusqlite", "mio", "reqwest", "async-std"];

/// Who may read and write a table, by the beginning of the table's name. The longest match decides.
pub const TABLE_OWNERS: &[(&str, &str)] = &[
    ("repositor", "catalog"),
    ("blob", "catalog"),
    ("upload", "catalog"),
    ("image", "catalog"),
    ("manifest", "catalog"),
    ("tag", "catalog"),
    ("scrub", "catalog"),
    ("account", "identity"),
    ("iam_", "identity"),
    ("lifecycle", "lifecycle"),
    ("job", "jobs"),
    ("migration", "store"),
];
