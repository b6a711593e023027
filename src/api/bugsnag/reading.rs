//! One listing of a project's errors, as it is read: page after page by the links that the tracker gives.

use serde_json::Value;
use url::Url;

use super::{HEADERS, filter, first_seen, id, last_seen, list_of, text};
use crate::api::caller::{Caller, Patience};
use crate::api::client::{Answer, Call};
use crate::api::pages::{Budget, PASSES, Pass, Pool, Share};
use crate::api::{ApiError, Wanted};

/// At most so many lists are read: what happened, and what is in each of two states.
const LISTS: usize = 3;

/// One listing.
pub(super) struct Reading<'a> {
    caller: &'a Caller,
    patience: &'a mut Patience,
    wanted: Wanted<'a>,
    budget: Budget,
    pool: Pool<Value>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(caller: &'a Caller, patience: &'a mut Patience, wanted: Wanted<'a>) -> Self {
        Self { caller, patience, wanted, budget: Budget::of(LISTS), pool: Pool::default() }
    }

    /// All errors that were read, each once.
    pub(super) fn into_errors(self) -> Vec<Value> {
        self.pool.items
    }

    /// Reads the errors that fit one filter, those seen last first, again if they changed meanwhile; no more than so many
    /// `pages` at a time. Whether there are more.
    pub(super) async fn read(&mut self, name: &str, value: &str, pages: usize) -> Result<bool, ApiError> {
        let mut first = self.caller.url(&["projects", self.wanted.subject, "errors"]);
        {
            let mut query = first.query_pairs_mut();
            query.extend_pairs([("sort", "last_seen"), ("direction", "desc"), ("per_page", "100")]);
            filter(&mut query, name, value);
        }
        let is_bounded = name == "event.since";
        let mut share = self.budget.share(pages);
        for _ in 0..PASSES {
            let pass = self.pass(&first, is_bounded, &mut share).await?;
            if pass.is_settled() || share.is_spent {
                break;
            }
        }
        Ok(self.budget.take_back(&share))
    }

    /// Reads the list that begins with `first` once.
    async fn pass(&mut self, first: &Url, is_bounded: bool, share: &mut Share) -> Result<Pass, ApiError> {
        share.begin();
        let mut pass = Pass::default();
        let mut next = Some(first.clone());
        while let Some(url) = next.take() {
            if !share.turn_page() {
                break;
            }
            let call = Call::get(url.clone(), HEADERS);
            let answer = self.caller.ask(&call, self.patience, "project").await?;
            let errors = list_of(&answer, "errors")?;
            self.check(&errors)?;
            // They come sorted, so that what follows is older still.
            if !(is_bounded && self.is_over(&errors)) {
                next = following(self.caller, &url, &answer)?;
            }
            let total = answer.header("x-total-count").and_then(|total| total.trim().parse().ok());
            let (known, all) = (self.pool.items.len(), errors.len());
            let errors = errors.into_iter().map(|error| (key(&error), error)).collect();
            let may_go_on = pass.take(&mut self.pool, errors, (total, next.is_none()));
            share.read(answer.size(), (self.pool.items.len().saturating_sub(known), all));
            if !may_go_on {
                break;
            }
        }
        Ok(pass)
    }

    /// A page of which nothing says what is asked for is none of this API: it has changed.
    fn check(&self, errors: &[Value]) -> Result<(), ApiError> {
        let objects = || errors.iter().filter_map(Value::as_object);
        let is_wanted = |trigger: &&str| self.wanted.triggers.contains(trigger);
        let expected = if errors.is_empty() {
            return Ok(());
        } else if !objects().any(|error| id(error).is_some()) {
            "an `id`"
        } else if is_wanted(&"firstException") && !objects().any(|error| first_seen(error).is_some()) {
            "a time as `first_seen`"
        } else if is_wanted(&"reopened") && !objects().any(|error| !text(error, "status").is_empty()) {
            "a `status`"
        } else {
            return Ok(());
        };
        Err(ApiError::Unexpected(format!("{expected} was expected in its errors")))
    }

    /// Whether `errors` go further back than is asked for.
    fn is_over(&self, errors: &[Value]) -> bool {
        let mut seen = errors.iter().filter_map(|error| last_seen(error.as_object()?));
        seen.clone().is_sorted_by(|later, earlier| later >= earlier) && seen.any(|at| at < self.wanted.since)
    }
}

/// The next page, if there is one. Credentials go to no other host; a tracker behind a proxy may know itself by another address,
/// of which then only the question counts.
fn following(caller: &Caller, url: &Url, answer: &Answer) -> Result<Option<Url>, ApiError> {
    let Some(next) = answer.every("link").find_map(next_in) else { return Ok(None) };
    let unusable = |why: &str| ApiError::Unexpected(format!("its next page {why}"));
    let next = url.join(next).ok().ok_or_else(|| unusable("has no address"))?;
    let next = if caller.owns(&next) {
        next
    } else if next.has_host() && url.path().ends_with(next.path()) {
        let mut own = url.clone();
        own.set_query(next.query());
        own
    } else {
        return Err(unusable("is on another host"));
    };
    if next == *url { Err(unusable("is the same page again")) } else { Ok(Some(next)) }
}

/// The address of the next page in a `Link` header. An address may have commas and semicolons in it.
fn next_in(header: &str) -> Option<&str> {
    header.split('<').skip(1).find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then(|| address.trim())
    })
}

/// What tells one error of a list from another.
fn key(error: &Value) -> String {
    error.as_object().and_then(id).unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_whatever_is_in_its_address() {
        let cases = [
            (r#"<https://a.example/?page=2>; rel="next""#, Some("https://a.example/?page=2")),
            (r#"<https://a.example/?ids=1,2;3>; rel="next""#, Some("https://a.example/?ids=1,2;3")),
            (
                r#"<https://a.example/1>; rel="prev",<https://a.example/3>;rel=next"#,
                Some("https://a.example/3"),
            ),
            (
                r#"<https://a.example/3>;rel=next, <https://a.example/9>; rel="last""#,
                Some("https://a.example/3"),
            ),
            (r#"< /3?a,b >; title="the, next"; REL="Next last""#, Some("/3?a,b")),
            (r#"<https://a.example/1>; rel="prev""#, None),
            (r#"<https://a.example/1>; title="next""#, None),
            (r#"https://a.example/2; rel="next""#, None),
            ("", None),
            ("<<>>;;==,", None),
        ];
        for (header, expected) in cases {
            assert_eq!(next_in(header), expected, "{header}");
        }
    }
}
