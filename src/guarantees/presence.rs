//! Promise 6: presence equals the live sockets, but for the time that the news may take.

use super::history::{Bounds, End, History, Millis, Sighting, Socket};
use super::verdict::{Promise, Verdict};

pub fn is_that_of_the_sockets(history: &History, verdict: &mut Verdict) {
    for sighting in &history.sightings {
        let theirs = || history.sockets.iter().filter(|socket| socket.user == sighting.user);
        let right = match sighting.online {
            true => theirs().any(|socket| may_be_seen(socket, sighting, &history.bounds)),
            false if is_cut_off(history, sighting) => continue,
            false => !theirs().any(|socket| must_be_seen(socket, sighting, &history.bounds)),
        };
        verdict.case(Promise::Presence, right, || {
            let Sighting { observer, user, at, online, .. } = sighting;
            let is = if *online { "a ghost" } else { "here, but not seen" };
            let sockets: Vec<_> = theirs().collect();
            format!("{observer} at {at} ms: {user} is {is}; the sockets: {sockets:?}")
        });
    }
}

fn is_cut_off(history: &History, sighting: &Sighting) -> bool {
    history.cut_off.iter().any(|(from, to)| *from <= sighting.at && sighting.asked_at <= *to)
}

/// It was open, or ended so lately that the news may be under way.
fn may_be_seen(socket: &Socket, sighting: &Sighting, bounds: &Bounds) -> bool {
    let until = match socket.ended {
        None => Millis::MAX,
        Some((at, End::Orderly)) => at + bounds.ghost,
        Some((at, End::Crash)) => at + bounds.ghost_of_crash,
        Some((at, End::Silence)) => at + bounds.ghost_of_silence,
    };
    socket.begun_at <= sighting.at && sighting.asked_at <= until
}

/// It had been open for long enough, and still was.
fn must_be_seen(socket: &Socket, sighting: &Sighting, bounds: &Bounds) -> bool {
    let still_open = socket.ended.is_none_or(|(at, _)| sighting.at < at);
    let is_news = |opened_at| sighting.asked_at < opened_at + bounds.ghost;
    still_open && !socket.opened_at.is_none_or(is_news)
}
