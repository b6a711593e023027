//! One listing of an application's objects and groups, as it is read.

use std::collections::HashSet;

use serde_json::Value;

use super::element::{self, Item};
use super::{APPLICATION, ITEMS, List, PAGE_SIZE, PAGES, STATUSES};
use crate::api::caller::{Caller, Patience, refusal};
use crate::api::client::{Answer, Call};
use crate::api::pages::{Budget, PASSES, Pass, Pool, Share};
use crate::api::time::seconds;
use crate::api::{ApiError, App, Listing, Wanted};
use crate::clock::Moment;

/// One listing.
pub(super) struct Reading<'a> {
    caller: &'a Caller,
    patience: &'a mut Patience,
    wanted: Wanted<'a>,
    app: &'a App,
    budget: Budget,
    is_cut: bool,
    remarks: Vec<&'static str>,
    /// What could not be read, once however often it was listed.
    unread: HashSet<String>,
    /// Whether a page for people came where a list was due.
    pub(super) met_page: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        caller: &'a Caller,
        patience: &'a mut Patience,
        wanted: Wanted<'a>,
        app: &'a App,
    ) -> Self {
        let budget = Budget::of(STATUSES.len() + wanted.triggers.len());
        let (is_cut, met_page) = (false, false);
        let (remarks, unread) = (Vec::new(), HashSet::new());
        Self { caller, patience, wanted, app, budget, is_cut, remarks, unread, met_page }
    }

    /// Whether `list` can be asked for at all.
    pub(super) async fn look(&mut self, list: List<'_>) -> Result<(), ApiError> {
        let answer = self.ask(list, (1, 1)).await?;
        items(&answer.json("a page in JSON")?, list).map(drop)
    }

    /// Both states into one pool, so that what changes its state while it is read is seen all the same.
    pub(super) async fn singles(&mut self) -> Result<Vec<Item>, ApiError> {
        let mut pool = Pool::default();
        for (status, _) in STATUSES {
            self.read(List::singles(self.app, status), &mut pool).await?;
        }
        Ok(pool.items.into_iter().flatten().collect())
    }

    pub(super) async fn groups(&mut self, kind: &'static str) -> Result<Vec<Item>, ApiError> {
        let mut pool = Pool::default();
        self.read(List::groups(self.app, kind), &mut pool).await?;
        Ok(pool.items.into_iter().flatten().collect())
    }

    /// Adds to what is said of the listing.
    pub(super) fn remark(&mut self, words: &'static str) {
        if !self.remarks.contains(&words) {
            self.remarks.push(words);
        }
    }

    /// Reads `list` to its end, again if it changed meanwhile; what is not wanted is known, too, but not kept.
    async fn read(&mut self, list: List<'_>, pool: &mut Pool<Option<Item>>) -> Result<(), ApiError> {
        let mut share = self.budget.share(PAGES);
        for _ in 0..PASSES {
            let pass = self.pass(list, &mut share, pool).await?;
            if pass.is_settled() || share.is_spent {
                break;
            }
        }
        self.is_cut |= self.budget.take_back(&share);
        Ok(())
    }

    /// Reads `list` once.
    async fn pass(
        &mut self,
        list: List<'_>,
        share: &mut Share,
        pool: &mut Pool<Option<Item>>,
    ) -> Result<Pass, ApiError> {
        share.begin();
        let mut pass = Pass::default();
        for number in 1_usize.. {
            if !share.turn_page() {
                break;
            }
            let answer = self.ask(list, (number, PAGE_SIZE)).await?;
            let page = answer.json("a page in JSON")?;
            let items = items(&page, list)?;
            let untold: Vec<_> = items.iter().filter(|item| !element::is_readable(item)).collect();
            if !untold.is_empty() && untold.len() == items.len() {
                let expected = format!("an `id`, or a `title` and a time, was expected in `{}`", list.name);
                return Err(ApiError::Unexpected(expected));
            }
            self.unread.extend(untold.into_iter().map(element::key));
            if page.get("out_of_retention_period").and_then(Value::as_bool) == Some(true) {
                self.remark("some of that time is longer ago than the tracker keeps what happened");
            }
            let ends = ends(&page, number, items.len());
            let (known, all) = (pool.items.len(), items.len());
            let items = items.iter().map(|item| (element::key(item), element::item(self.wanted, list, item)));
            let may_go_on = pass.take(pool, items.collect(), ends);
            share.read(answer.size(), (pool.items.len().saturating_sub(known), all));
            if !may_go_on {
                break;
            }
        }
        Ok(pass)
    }

    /// A page of `list`.
    async fn ask(&mut self, list: List<'_>, page: (usize, usize)) -> Result<Answer, ApiError> {
        let answer = self.caller.ask_any(&self.call(list, page), self.patience).await?;
        let is_said = matches!(answer.status, 200..300 | 404 | 410);
        self.met_page |= is_said && answer.is_page();
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refusal(&answer, APPLICATION)) }
    }

    /// The page of `list` that has this number, if so many things are on each.
    fn call(&self, list: List<'_>, (number, size): (usize, usize)) -> Call {
        let key = list.app.key();
        let mut url = self.caller.url(&[&["api", "app", &key], list.path].concat());
        {
            let mut query = url.query_pairs_mut();
            query.append_pair(list.filter.0, list.filter.1);
            query.append_pair("date_range_start", &seconds(self.wanted.since));
            if list.are_groups {
                // To the second, and never too early.
                query
                    .append_pair("date_range_end", &seconds(Moment(self.wanted.until.0.saturating_add(999))));
            } else {
                query.append_pair("version", "-1");
            }
            query.append_pair("page", &number.to_string());
            query.append_pair("page_size", &size.to_string());
        }
        Call::get(url, &[])
    }

    /// The newest of `items`.
    pub(super) fn listing(self, items: Vec<Item>) -> Listing {
        let mut found: Vec<_> = items.into_iter().map(|item| item.found).collect();
        found.sort_by_key(|found| found.at);
        let too_many = found.len().saturating_sub(ITEMS);
        found.drain(..too_many);
        let remark = (!self.remarks.is_empty()).then(|| self.remarks.join("; "));
        Listing {
            found,
            is_cut: self.is_cut || too_many > 0,
            unread: self.unread.len(),
            remark,
            ..Listing::default()
        }
    }
}

/// What is on a page of `list`.
fn items<'p>(page: &'p Value, list: List<'_>) -> Result<&'p [Value], ApiError> {
    let items = page.get(list.name).and_then(Value::as_array);
    items.map(Vec::as_slice).ok_or_else(|| {
        let expected = format!("a list as `{}` was expected of {}", list.name, list.path.join("/"));
        ApiError::Unexpected(expected)
    })
}

/// The total that a page gives, and whether it is the last.
pub(super) fn ends(page: &Value, number: usize, count: usize) -> (Option<u64>, bool) {
    let pagination = page.get("pagination").unwrap_or(&Value::Null);
    let figure = |name: &str| page.get(name).or_else(|| pagination.get(name)).and_then(Value::as_u64);
    // A count that is the page's own is no total.
    let total = figure("total_items").or_else(|| figure("item_count").filter(|total| *total != count as u64));
    let is_last = match (figure("total_pages"), pagination.get("has_next_page").and_then(Value::as_bool)) {
        (Some(pages), _) => number as u64 >= pages,
        (None, Some(has_next)) => !has_next,
        (None, None) => count < PAGE_SIZE,
    };
    (total, is_last || count == 0)
}
