//! Paging of the ECR API: `maxResults`, `nextToken` (ecr.md §1.1, §2).

use super::Error;

/// How many entries a page has when the request does not say (ecr.md §2).
const DEFAULT: u32 = 100;

/// The page size of a request; the shape has checked its range.
pub(super) fn size(max_results: Option<i32>) -> u32 {
    size_or(DEFAULT, max_results)
}

/// The page size of a request whose operation has a default of its own.
pub(super) fn size_or(default: u32, max_results: Option<i32>) -> u32 {
    max_results.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(default)
}

/// Refuses `maxResults` and `nextToken` beside a list of names: those come all at once.
///
/// # Errors
/// [`Error::Catalog`] with an InvalidParameter (the text is ours: unverified).
pub(super) fn refuse_with(
    list: &str,
    max_results: Option<i32>,
    next_token: Option<&String>,
) -> Result<(), Error> {
    let member = match (max_results, next_token) {
        (None, None) => return Ok(()),
        (Some(_), _) => "maxResults",
        (None, Some(_)) => "nextToken",
    };
    Err(Error::parameter(member, format!("{member} cannot be used with {list}")))
}
