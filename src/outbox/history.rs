//! What listings read. Nothing here changes the store.

use crate::name::DestinationName;
use crate::outbox::{Outbox, StoreError};

impl Outbox {
    /// How many deliveries wait for each destination that is not among `known`: they were owed before it left the
    /// configuration, and go out when it comes back.
    pub async fn stranded(&self, known: &[DestinationName]) -> Result<Vec<(String, u64)>, StoreError> {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        self.read(move |connection| {
            let waiting = connection
                .prepare(
                    "SELECT destination, count(*) FROM deliveries WHERE state = 'waiting'
                     GROUP BY destination ORDER BY destination",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<Vec<(String, i64)>, _>>()?;
            let stranded = waiting.into_iter().filter(|(destination, _)| !known.contains(destination));
            Ok(stranded
                .map(|(destination, count)| (destination, u64::try_from(count).unwrap_or(0)))
                .collect())
        })
        .await
    }
}
