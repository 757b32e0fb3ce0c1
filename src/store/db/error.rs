//! What can go wrong in the database.

/// What an engine's driver said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the database layer. Rooms wrap it; doors turn it into "internal" or "busy".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two transactions met; repeating the whole transaction may succeed.
    #[error("the transaction conflicts with another one")]
    Conflict(#[source] Cause),
    /// A row does not hold what the schema promises; repeating cannot help.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// A later version of Longshore has written this database.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// The version in the database.
        found: i64,
        /// The newest version that this program can read.
        known: i64,
    },
    /// An earlier version of Longshore has written this database, and it is only to be read.
    #[error(
        "the database has schema version {found}, this program reads version {known}: start its server once"
    )]
    Older {
        /// The version in the database; 0 when it was never set up.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// A migration that was applied is not the one this program carries.
    #[error("migration {version} in the database differs from this program's")]
    Migration {
        /// The number of the migration.
        version: i64,
    },
    /// The engine failed: I/O, network, constraint, syntax.
    #[error("the database failed: {0}")]
    Engine(#[source] Cause),
    /// The volume of the database has no room left; nothing of the transaction was kept.
    #[error("no space is left for the database: {0}")]
    Full(String),
    /// A commit that was shared with other transactions failed; nothing of it was kept.
    #[error("the grouped commit failed: {0}")]
    Group(String),
}

impl Error {
    /// Whether the same transaction may succeed when it is repeated.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Whether it says that what is stored is damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let code = match self {
            Self::Corrupt(_) => return true,
            Self::Engine(cause) => {
                cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code)
            }
            _ => None,
        };
        matches!(code, Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
    }

    /// Whether a statement was refused because a row that it refers to is not there.
    #[must_use]
    pub fn is_missing_reference(&self) -> bool {
        let Self::Engine(cause) = self else { return false };
        if let Some(rusqlite::Error::SqliteFailure(failure, _)) = cause.downcast_ref::<rusqlite::Error>() {
            return failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
        }
        let cause = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        // foreign_key_violation
        cause.and_then(sqlx::error::DatabaseError::code).as_deref() == Some("23503")
    }

    /// Whether a statement named a table that is not there.
    pub(super) fn is_missing_table(&self) -> bool {
        let Self::Engine(cause) = self else { return false };
        if let Some(rusqlite::Error::SqliteFailure(_, Some(message))) =
            cause.downcast_ref::<rusqlite::Error>()
        {
            return message.starts_with("no such table");
        }
        let cause = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        // undefined_table
        cause.and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42P01")
    }

    /// Work on another thread did not come to its end.
    pub(super) fn task(error: tokio::task::JoinError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::Full(error.to_string());
        }
        Self::Engine(error.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL manual, appendix A);
        // a unique violation under SERIALIZABLE may be the visible half of such a conflict, but rooms use
        // ON CONFLICT, so 23505 here is a defect and must not be repeated for ever.
        let code = error.as_database_error().and_then(|database| database.code());
        match code.as_deref() {
            Some("40001" | "40P01") => Self::Conflict(error.into()),
            // disk_full
            Some("53100") => Self::Full(error.to_string()),
            _ => Self::Engine(error.into()),
        }
    }
}
