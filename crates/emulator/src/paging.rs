//! Pages of lists: `limit` and `offset`, and the two shapes a list is answered in.

use crate::error::{self, ApiError};
use crate::query::Query;
use serde_json::{Value, json};

const DEFAULT_LIMIT: u64 = 10;
const MAX_LIMIT: u64 = 500;

/// Which rows of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) offset: usize,
}

impl Page {
    pub(crate) fn of(query: &Query) -> Result<Self, ApiError> {
        Self::within(query, MAX_LIMIT)
    }

    /// A page of a list with a limit of its own.
    pub(crate) fn within(query: &Query, max_limit: u64) -> Result<Self, ApiError> {
        let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
        if limit == 0 {
            return Err(error::param_value_invalid("limit", "0"));
        }
        if limit > max_limit {
            return Err(error::param_value_too_large("limit", max_limit));
        }
        let offset = query.number("offset")?.unwrap_or(0);
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
        })
    }

    /// Builds the rows of this page, and counts them all.
    pub(crate) fn take<T>(
        self,
        rows: impl IntoIterator<Item = T>,
        mut view: impl FnMut(T) -> Value,
    ) -> List {
        let mut list = List::default();
        for row in rows {
            if (self.offset..self.offset.saturating_add(self.limit)).contains(&list.total) {
                list.data.push(view(row));
            }
            list.total += 1;
        }
        list
    }
}

/// The rows of one page and the number of rows on all pages.
#[derive(Debug, Default)]
pub(crate) struct List {
    data: Vec<Value>,
    total: usize,
}

impl List {
    /// `{data, total_count}`.
    pub(crate) fn counted(self) -> Value {
        json!({ "data": self.data, "total_count": self.total })
    }

    /// `{<name>, total_count}`.
    pub(crate) fn counted_as(self, name: &str) -> Value {
        json!({ name: self.data, "total_count": self.total })
    }

    /// A bare array, unless the request says `paginated=true`.
    pub(crate) fn bare_unless_paginated(self, query: &Query) -> Result<Value, ApiError> {
        Ok(match query.boolean("paginated")? {
            Some(true) => self.counted(),
            _ => Value::Array(self.data),
        })
    }
}
