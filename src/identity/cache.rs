//! Values that were computed from the rows of one account, exact while its generation stands still.
//!
//! Every change that decides access adds one to `account.generation` in its own transaction. A reader takes the
//! number first and the rows afterwards, so what it keeps is at least as new as the number it keeps it under.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use policy::AccountId;

use super::error::Error;
use super::reader::Reader;
use crate::params;
use crate::store::db::Transaction;

/// More entries than this are not kept: a server with so many principals at work computes some of them again.
const MAXIMUM: usize = 10_000;

/// Values by key, each with the generation that it was computed from.
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Mutex<HashMap<String, (i64, T)>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(HashMap::new()) }
    }
}

impl<T: Clone> Cache<T> {
    /// The value, when it was computed from exactly this generation.
    pub(super) fn get(&self, key: &str, generation: i64) -> Option<T> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(kept, _)| *kept == generation).map(|(_, value)| value.clone())
    }

    /// Keeps a value that was read after `generation` was.
    pub(super) fn put(&self, key: &str, generation: i64, value: T) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAXIMUM && !entries.contains_key(key) {
            entries.clear();
        }
        entries.insert(key.to_owned(), (generation, value));
    }
}

/// The present generation; `None` when there is no such account.
pub(super) async fn generation(reader: &mut impl Reader, account: &AccountId) -> Result<Option<i64>, Error> {
    let row =
        reader.row("SELECT generation FROM account WHERE account = $1", params![account.as_str()]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Marks all that was computed from the account's rows as old, together with the change that makes it so.
pub(super) async fn bump(open: &mut Transaction, account: &AccountId) -> Result<(), Error> {
    open.execute(
        "UPDATE account SET generation = generation + 1 WHERE account = $1",
        params![account.as_str()],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_generation_is_not_given_out() {
        let cache = Cache::default();
        cache.put("alice", 7, "policies");
        assert_eq!(cache.get("alice", 7), Some("policies"));
        assert_eq!(cache.get("alice", 8), None);
        assert_eq!(cache.get("bob", 7), None);
    }

    #[test]
    fn memory_is_bounded() {
        let cache = Cache::default();
        for number in 0..MAXIMUM * 2 {
            cache.put(&number.to_string(), 1, ());
        }
        assert!(cache.entries.lock().unwrap().len() <= MAXIMUM);
    }
}
