//! What the process before has noted of trackers, and may have ended too soon to tell anybody.

use std::time::Duration;

use crate::api::Api;
use crate::clock::Moment;
use crate::config::Settings;
use crate::herald::Herald;
use crate::notice::Notice;
use crate::outbox::{CatchUpRecord, Outbox, SilenceRecord, StoreError};
use crate::subscription;

/// What was found longer ago than this is no news.
const NEWS: Duration = Duration::from_hours(7 * 24);

/// Has `herald` hear of it again; it leaves out what was told. If the store cannot be asked, it stands in the log only.
pub(super) async fn recover(herald: &mut Herald, outbox: &Outbox, begun: Moment, settings: &Settings) {
    for api in &settings.apis {
        let noted = of_api(outbox, begun, api).await.unwrap_or_default();
        for (notice, since) in noted {
            herald.recall(notice, since).await;
        }
    }
    let silences = outbox.silences().await.unwrap_or_default();
    for SilenceRecord { source, last, usual, said_at } in silences {
        let mut names = settings.sources.iter().map(|source| &source.name);
        let Some(source) = names.find(|name| name.as_str() == source) else { continue };
        let spoken = outbox.spoken(source).await.unwrap_or_default();
        if spoken.first() == Some(&last) {
            herald.recall(Notice::SourceSilent { source: source.clone(), since: last, usual }, said_at).await;
        }
    }
}

/// What was noted of one, each with its moment.
async fn of_api(outbox: &Outbox, begun: Moment, api: &Api) -> Result<Vec<(Notice, Moment)>, StoreError> {
    let mut noted = Vec::new();
    if api.catch_up.is_some() {
        let subjects = api.subjects();
        let records = outbox.catch_ups(&api.source).await?;
        let asked = records.iter().filter(|record| subjects.contains(&record.subject));
        noted.extend(asked.flat_map(|record| of_asking(api, record, begun)));
    }
    if !subscription::apps(api).is_empty() {
        let hooks = outbox.hooks(api.source.as_str()).await?;
        let missed = subscription::missed(api, &hooks).into_iter();
        noted.extend(missed.filter_map(|hook| Some((subscription::gone(api, hook), hook.gone_at?))));
    }
    Ok(noted)
}

fn of_asking(api: &Api, record: &CatchUpRecord, begun: Moment) -> Vec<(Notice, Moment)> {
    let source = &api.source;
    let failing = record.told_at.map(|told_at| {
        (Notice::CatchUpFailing { source: source.clone(), words: record.words.clone() }, told_at)
    });
    let cut_at = record.cut_at.filter(|cut_at| begun.since(*cut_at) < NEWS);
    let found = record.found.filter(|found| begun.since(found.at) < NEWS).map(|found| {
        let (count, missed, since) = (found.count, found.missed, found.since);
        (Notice::CaughtUp { source: source.clone(), count, missed, since, is_cut: false }, found.at)
    });
    let cut = cut_at.map(|cut_at| {
        (
            Notice::CaughtUp { source: source.clone(), count: 0, missed: 0, since: cut_at, is_cut: true },
            cut_at,
        )
    });
    failing.into_iter().chain(found).chain(cut).collect()
}
