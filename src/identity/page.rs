//! Pages of listings: `MaxItems` and `Marker` (iam.md §2.6).
//!
//! A marker is the sort key of the last item, sealed for one listing: account, operation and filters. With a
//! page size of 2, users `a`, `b`, `c` come as `[a, b]` with a marker that says `b`, then `[c]`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::IdentityRoom;
use super::error::Error;
use crate::store::seal::Purpose;

/// Items of a page when the caller says nothing.
const DEFAULT_ITEMS: i64 = 100;

/// Most items of a page.
const MAXIMUM_ITEMS: i64 = 1000;

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// From the answer before; `None` starts at the beginning.
    pub marker: Option<String>,
    /// 1 to 1000; 100 when absent.
    pub max_items: Option<i32>,
}

/// Part of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// The marker of the next part; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

impl PageRequest {
    /// Items of this page.
    pub(super) fn limit(&self) -> i64 {
        self.max_items.map_or(DEFAULT_ITEMS, i64::from).clamp(1, MAXIMUM_ITEMS)
    }
}

/// One listing with its filters: what a marker is good for.
pub(super) struct Listing<'a> {
    room: &'a IdentityRoom,
    about: String,
    request: &'a PageRequest,
}

impl IdentityRoom {
    /// A listing named by its operation, account and filters.
    pub(super) fn listing<'a>(&'a self, about: &[&str], request: &'a PageRequest) -> Listing<'a> {
        Listing { room: self, about: about.join("|"), request }
    }
}

impl Listing<'_> {
    /// The sort key after which the page begins; the empty text begins at the start.
    ///
    /// # Errors
    /// [`Error::InvalidCursor`] for a marker that was not made for this listing.
    pub(super) fn after(&self) -> Result<String, Error> {
        let Some(marker) = &self.request.marker else { return Ok(String::new()) };
        let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| Error::InvalidCursor)?;
        let plain = self.room.sealer.open(Purpose::Cursor, self.about.as_bytes(), &bytes);
        let text = plain.and_then(|plain| std::str::from_utf8(&plain).ok().map(str::to_owned));
        text.ok_or(Error::InvalidCursor)
    }

    /// How many rows to ask for: one more than the page has, to see whether it is the last.
    pub(super) fn rows(&self) -> i64 {
        self.request.limit() + 1
    }

    /// Cuts the rows that begin after [`Self::after`] to a page.
    pub(super) fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Error> {
        let limit = usize::try_from(self.request.limit()).unwrap_or(usize::MAX);
        if items.len() <= limit {
            return Ok(Page { items, next: None });
        }
        items.truncate(limit);
        let last = items.last().map(key).unwrap_or_default();
        let sealed = self.room.sealer.seal(Purpose::Cursor, self.about.as_bytes(), last.as_bytes())?;
        Ok(Page { items, next: Some(URL_SAFE_NO_PAD.encode(sealed)) })
    }

    /// A page of a listing that is short by quota and was read whole; `key` must be unique and give its order.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Error> {
        let after = self.after()?;
        items.sort_by_key(&key);
        if !after.is_empty() {
            items.retain(|item| key(item) > after);
        }
        self.page(items, key)
    }
}
