//! Ends the sockets whose logins are over.
//!
//! A log-out over HTTP is told to all instances by a signal. The command line has only the store
//! (and a signal may be lost), so each instance also asks the store after its sockets' logins.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbound::Ending;
use super::{Hub, now};
use crate::store::{ActiveLogin, Client, LoginEnd, LoginId, StoreError};

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How often it is written down that a login is used. What its owner sees is as old as that.
const NOTE_USE_EVERY: Duration = Duration::from_secs(5 * 60);

/// Looks again and again, as long as the instance runs.
pub async fn watch(hub: Arc<Hub>) {
    let mut noted = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = end_sockets(&hub).await {
            // Others have said so already, and the sockets are looked at again soon.
            tracing::debug!(%error, "cannot look after the logins of the open sockets");
        }
        if noted.elapsed() >= NOTE_USE_EVERY {
            noted = Instant::now();
            let logins: Vec<_> = hub.sessions.all().iter().map(|socket| socket.login).collect();
            if let Err(error) = hub.store.note_uses(&logins, now()).await {
                tracing::debug!(%error, "cannot note that logins are used");
            }
        }
    }
}

/// Notes that a login is used, unless that was noted a moment ago. Nobody waits for it.
pub fn note_use(hub: &Arc<Hub>, login: &ActiveLogin, client: Client) {
    let (at, every) = (now(), NOTE_USE_EVERY.as_millis() as i64);
    if login.last_used_at.is_some_and(|last| at.0 - last.0 < every) {
        return;
    }
    let (hub, login) = (hub.clone(), login.id);
    actix_rt::spawn(async move {
        if let Err(error) = hub.store.note_use(login, at, &client).await {
            tracing::debug!(%error, "cannot note that a login is used");
        }
    });
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
