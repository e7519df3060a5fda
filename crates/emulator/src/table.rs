//! Rows of one kind, found by id and walked in order of creation.

use crate::ids::Id;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::marker::PhantomData;

/// What a table needs to know about its rows.
pub(crate) trait Row {
    fn id(&self) -> &Id;
    /// Unix time in milliseconds.
    fn created_at(&self) -> u64;
}

/// Rows by id, and the order `(created_at, id)` over them. A page after a given row costs
/// O(log n + page), however far into the table it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table<T> {
    rows: HashMap<Id, T>,
    order: BTreeSet<(u64, Id)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<T: Row> Table<T> {
    /// Adds a row, or replaces the one with the same id.
    pub(crate) fn insert(&mut self, row: T) {
        let (id, created_at) = (row.id().clone(), row.created_at());
        self.remove(&id);
        self.order.insert((created_at, id.clone()));
        self.rows.insert(id, row);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let row = self.rows.remove(id)?;
        self.order.remove(&(row.created_at(), row.id().clone()));
        Some(row)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id)
    }

    /// A row to change in place. Its id and time of creation must stay as they are.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(id)
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.rows.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Oldest first; reverse it for newest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.order.iter().filter_map(|(_, id)| self.rows.get(id))
    }

    /// The rows created after the given one, oldest first.
    pub(crate) fn after(&self, row: &T) -> impl Iterator<Item = &T> {
        let start = (row.created_at(), row.id().clone());
        self.order
            .range((std::ops::Bound::Excluded(start), std::ops::Bound::Unbounded))
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// The rows created before the given one, newest first.
    pub(crate) fn before(&self, row: &T) -> impl Iterator<Item = &T> {
        let end = (row.created_at(), row.id().clone());
        self.order
            .range(..end)
            .rev()
            .filter_map(|(_, id)| self.rows.get(id))
    }
}

impl<T: Row + Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: Row + Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows<T>(PhantomData<T>);
        impl<'de, T: Row + Deserialize<'de>> Visitor<'de> for Rows<T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Table<T>, A::Error> {
                let mut table = Table::default();
                while let Some(row) = rows.next_element()? {
                    table.insert(row);
                }
                Ok(table)
            }
        }
        deserializer.deserialize_seq(Rows(PhantomData))
    }
}
