//! Orders to the shim, in a file that both map: they hold from the next call on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::Kind;

const BYTES: usize = 56;

/// What the shim does; the numbers are those of `enum order` in shim.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Nothing,
    /// SIGKILL instead of the call with this number.
    KillBefore(u64),
    /// SIGKILL after the call with this number, before it returns.
    KillAfter(u64),
    /// SIGKILL after one half of a write; for other calls as [`Order::KillAfter`].
    KillHalfWay(u64),
    /// Calls with these numbers fail.
    Fail {
        from: u64,
        to: u64,
        error: i32,
    },
}

/// The file of orders of one server.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    file: File,
}

impl Control {
    pub fn create(path: &Path) -> Control {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        file.set_len(BYTES as u64).unwrap();
        Control { path: path.to_owned(), file }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many calls there were.
    pub fn count(&self) -> u64 {
        self.read(0)
    }

    /// How many calls failed by order since the last order.
    pub fn hits(&self) -> u64 {
        self.read(6)
    }

    /// Gives an order about calls of every kind; numbers count from the next call, which is 1.
    pub fn order(&self, order: Order) {
        self.order_about(order, &Kind::ALL);
    }

    /// The same about calls of some kinds; kills are about every kind.
    pub fn order_about(&self, order: Order, kinds: &[Kind]) {
        let (number, from, to, error) = match order {
            Order::Nothing => (0, 0, 0, 0),
            Order::KillBefore(at) => (1, at, at, 0),
            Order::KillAfter(at) => (2, at, at, 0),
            Order::KillHalfWay(at) => (3, at, at, 0),
            Order::Fail { from, to, error } => (4, from, to, error),
        };
        let kinds = kinds.iter().fold(0, |mask, kind| mask | 1 << (*kind as u64));
        // The order is off while its parts change.
        self.write(1, 0);
        for (index, value) in
            [(0, 0), (2, from), (3, to), (4, u64::try_from(error).unwrap()), (5, kinds), (6, 0)]
        {
            self.write(index, value);
        }
        self.write(1, number);
    }

    fn read(&self, index: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, index * 8).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn write(&self, index: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), index * 8).unwrap();
    }
}
