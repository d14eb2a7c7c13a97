//! Ends the sockets whose logins are over.
//!
//! A log-out over HTTP is told to all instances by a signal. The command line has only the store
//! (and a signal may be lost), so each instance also asks the store after its sockets' logins.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use super::outbound::Ending;
use crate::store::{LoginEnd, LoginId, StoreError};

const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Looks again and again, as long as the instance runs.
pub async fn watch(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = end_sockets(&hub).await {
            // Others have said so already, and the sockets are looked at again soon.
            tracing::debug!(%error, "cannot look after the logins of the open sockets");
        }
    }
}

async fn end_sockets(hub: &Hub) -> Result<(), StoreError> {
    let sessions = hub.sessions.all();
    let mut logins: Vec<_> = sessions.iter().map(|session| (session.login, session.user)).collect();
    logins.sort_unstable();
    logins.dedup();
    let ended: HashMap<LoginId, LoginEnd> =
        hub.store.ended_logins(&logins).await?.into_iter().collect();
    for session in sessions {
        match ended.get(&session.login) {
            Some(LoginEnd::LoggedOut) => session.outbound.end(Ending::LoggedOut),
            Some(LoginEnd::Disabled) => session.outbound.end(Ending::Disabled),
            None => {}
        }
    }
    Ok(())
}
