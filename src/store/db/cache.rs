//! Values in memory, each under the stamp that proves it.
//!
//! Bounded in bytes, not in time: a value is given out for as long as its stamp is the present one. What is not
//! asked for any more goes first, roughly: values lie in a young and an old half, a look-up brings a value back to
//! the young half, and when that is full the old half is dropped and the young one becomes old.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

/// Locks that share the keys, so that two cores seldom wait for each other.
const SHARDS: usize = 16;

/// What an entry costs besides its value: key, stamp, table, and the allocator's share.
const OVERHEAD: usize = 256;

/// A cache of `V` by `K`, valid under `S`; `()` is the stamp of what never changes.
#[derive(Debug)]
pub struct Cache<K, S, V> {
    shards: Vec<Mutex<Shard<K, S, V>>>,
    hasher: RandomState,
    /// Bytes that half a shard may hold.
    half: usize,
}

#[derive(Debug)]
struct Shard<K, S, V> {
    young: HashMap<K, Entry<S, V>, RandomState>,
    old: HashMap<K, Entry<S, V>, RandomState>,
    young_bytes: usize,
}

#[derive(Debug)]
struct Entry<S, V> {
    stamp: S,
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq, S: Copy + PartialEq, V: Clone> Cache<K, S, V> {
    /// A cache that holds at most `bytes`, as its callers measure their values.
    #[must_use]
    pub fn bounded(bytes: usize) -> Self {
        let shard =
            || Mutex::new(Shard { young: HashMap::default(), old: HashMap::default(), young_bytes: 0 });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::default(),
            half: bytes / SHARDS / 2,
        }
    }

    /// The value that was kept under exactly this stamp.
    pub fn get<Q>(&self, key: &Q, stamp: S) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut shard = self.shard(key)?;
        if let Some(entry) = shard.young.get(key) {
            return (entry.stamp == stamp).then(|| entry.value.clone());
        }
        let (key, entry) = shard.old.remove_entry(key)?;
        if entry.stamp != stamp {
            return None;
        }
        let value = entry.value.clone();
        shard.insert(key, entry, self.half);
        Some(value)
    }

    /// Keeps a value of `bytes` that was read after `stamp` was taken; one that is too large for its share of the
    /// cache is not kept.
    pub fn put(&self, key: K, stamp: S, value: V, bytes: usize) {
        let bytes = bytes.saturating_add(OVERHEAD);
        if bytes > self.half {
            return;
        }
        if let Some(mut shard) = self.shard(&key) {
            shard.old.remove(&key);
            shard.insert(key, Entry { stamp, value, bytes }, self.half);
        }
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> Option<MutexGuard<'_, Shard<K, S, V>>> {
        let index = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards.get(index).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        let of = |shard: &Mutex<Shard<K, S, V>>| {
            let shard = shard.lock().unwrap();
            shard.young.values().chain(shard.old.values()).map(|entry| entry.bytes).sum::<usize>()
        };
        self.shards.iter().map(of).sum()
    }
}

impl<K: Hash + Eq, S, V> Shard<K, S, V> {
    fn insert(&mut self, key: K, entry: Entry<S, V>, half: usize) {
        if self.young_bytes.saturating_add(entry.bytes) > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.bytes;
        if let Some(replaced) = self.young.insert(key, entry) {
            self.young_bytes = self.young_bytes.saturating_sub(replaced.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_given_out_under_its_stamp_alone() {
        let cache: Cache<String, u32, &str> = Cache::bounded(1 << 20);
        cache.put("alice".to_owned(), 7, "policies", 8);
        assert_eq!(cache.get("alice", 7), Some("policies"));
        assert_eq!(cache.get("alice", 8), None);
        assert_eq!(cache.get("bob", 7), None);
        cache.put("alice".to_owned(), 8, "others", 6);
        assert_eq!((cache.get("alice", 7), cache.get("alice", 8)), (None, Some("others")));
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let limit = 1 << 20;
        let cache: Cache<u32, (), u32> = Cache::bounded(limit);
        cache.put(u32::MAX, (), 1, 1000);
        for number in 0..10_000 {
            cache.put(number, (), number, 1000);
            assert_eq!(cache.get(&u32::MAX, ()), Some(1), "{number}");
        }
        assert!(cache.bytes() <= limit, "{}", cache.bytes());
        assert!(cache.bytes() >= limit / 4, "{}", cache.bytes());
        assert_eq!(cache.get(&0, ()), None);
        cache.put(0, (), 0, limit);
        assert_eq!(cache.get(&0, ()), None, "too large to be kept");
    }
}
