//! A page of history: what the store has, and what only the log has yet, as one.

use std::sync::Arc;

use super::message::Message;
use super::room::Event;
use super::types::Position;
use crate::store::{Page, PageOf};

/// What a room accepted, in order.
pub type Events = Vec<(Position, Arc<Event>)>;

/// Completes a page from the store with what the room accepted after it.
///
/// `tail` holds, in order, every event that the store did not have when it read the page, and
/// maybe some that it had.
pub fn complete(page: Page, mut tail: Events, which: PageOf, limit: usize) -> Page {
    tail.retain(|(position, _)| position.offset() >= page.next);
    let newer = tail.iter().filter_map(|(_, event)| match &**event {
        Event::Message { message, .. } => Some(message.clone()),
        _ => None,
    });
    let mut page = extend(page, newer, which, limit);
    for (_, event) in &tail {
        page.messages.iter_mut().for_each(|message| change(message, event));
    }
    page
}

/// Brings a message up to date with what happened to it, or to what it quotes.
pub fn change(message: &mut Message, event: &Event) {
    match event {
        Event::Edited { message: changed, .. } | Event::Deleted { message: changed, .. } => {
            if changed.id == message.id {
                *message = changed.clone();
            } else if message.reply_to == Some(changed.id) && message.quote.is_some() {
                message.quote = Some(changed.to_quote());
            }
        }
        Event::Reaction { message: id, all, .. } if *id == message.id => {
            message.reactions = all.iter().cloned().map(Into::into).collect();
        }
        _ => {}
    }
}

fn extend(
    mut page: Page,
    newer: impl Iterator<Item = Message>,
    which: PageOf,
    limit: usize,
) -> Page {
    match which {
        PageOf::Newest => {
            page.messages.extend(newer);
            page.has_older |= keep_last(&mut page.messages, limit);
        }
        PageOf::Before(end) => {
            let (before, after): (Vec<_>, Vec<_>) =
                newer.partition(|message| message.position < end);
            page.messages.extend(before);
            page.has_newer |= !after.is_empty();
            page.has_older |= keep_last(&mut page.messages, limit);
        }
        PageOf::After(start) => {
            let (known, newer): (Vec<_>, Vec<_>) =
                newer.partition(|message| message.position <= start);
            page.has_older |= !known.is_empty();
            append(&mut page, newer);
            page.has_newer |= page.messages.len() > limit;
            page.messages.truncate(limit);
        }
        PageOf::Around(middle) => {
            append(&mut page, newer.collect());
            let at = page.messages.partition_point(|message| message.position < middle);
            // Half of it before the middle, and more where there is less after.
            let most = page.messages.len().saturating_sub(limit);
            let skipped = at.saturating_sub(limit / 2).min(most);
            page.messages.drain(..skipped);
            page.has_older |= skipped > 0;
            page.has_newer |= page.messages.len() > limit;
            page.messages.truncate(limit);
        }
    }
    page
}

/// Appends what follows, unless the store has more in between.
fn append(page: &mut Page, newer: Vec<Message>) {
    match page.has_newer {
        true => {}
        false => page.messages.extend(newer),
    }
}

/// Keeps the newest; says whether any had to go.
fn keep_last(messages: &mut Vec<Message>, limit: usize) -> bool {
    let surplus = messages.len().saturating_sub(limit);
    messages.drain(..surplus);
    surplus > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::example;
    use crate::core::room::Mentions;
    use crate::core::types::{Place, UserId};

    fn message(offset: i64) -> Message {
        let place = Place { epoch: 0, partition: 0, offset };
        let body = Some(offset.to_string());
        Message { body, ..example(place.message_id(), place.position()) }
    }

    fn messages(offsets: std::ops::Range<i64>) -> Vec<Message> {
        offsets.map(message).collect()
    }

    /// The page of a history of 0..20 of which the store has 0..`stored`, in one string.
    fn page(which: PageOf, stored: i64, limit: usize) -> String {
        let has = messages(0..stored);
        let bounds = |from: usize, to: usize| Page {
            messages: has[from..to].to_vec(),
            has_older: from > 0,
            has_newer: to < has.len(),
            next: stored,
        };
        let count = has.len();
        let page = match which {
            PageOf::Newest => bounds(count.saturating_sub(limit), count),
            PageOf::Before(end) => {
                let to = (end.offset() as usize).min(count);
                bounds(to.saturating_sub(limit), to)
            }
            PageOf::After(start) => {
                let from = (start.offset() as usize + 1).min(count);
                bounds(from, (from + limit).min(count))
            }
            PageOf::Around(middle) => {
                let at = (middle.offset() as usize).min(count);
                let from = at.saturating_sub(limit / 2).min(count.saturating_sub(limit));
                bounds(from, (from + limit).min(count))
            }
        };
        let said = |message: Message| {
            let (position, mentions) = (message.position, Mentions::default());
            (position, Arc::new(Event::Message { message, mentions }))
        };
        let tail = messages((stored - 3).max(0)..20).into_iter().map(said).collect();
        let page = complete(page, tail, which, limit);
        let offsets: Vec<_> =
            page.messages.iter().map(|m| m.position.offset().to_string()).collect();
        let mark = |more, sign: &str| if more { sign.to_owned() } else { String::new() };
        mark(page.has_older, "<") + &offsets.join(" ") + &mark(page.has_newer, ">")
    }

    #[test]
    fn a_page_shows_what_became_of_its_messages() {
        let page = Page { messages: messages(0..3), has_older: false, has_newer: false, next: 3 };
        let reply = Message {
            reply_to: Some(message(0).id),
            quote: Some(message(0).to_quote()),
            ..message(3)
        };
        let mentions = Mentions::default;
        let edited = Message { body: Some("new".into()), ..message(1) };
        let deleted = message(0).into_deleted();
        let old = Message { body: Some("stale".into()), ..message(2) };
        let events = [
            (2, Event::Edited { message: old, mentions: mentions() }),
            (3, Event::Message { message: reply, mentions: mentions() }),
            (4, Event::Edited { message: edited, mentions: mentions() }),
            (5, Event::Deleted { message: deleted, by: UserId(1) }),
        ];
        let tail = events.map(|(offset, event)| (Position::new(0, offset), Arc::new(event)));
        let page = complete(page, tail.into(), PageOf::Newest, 10);
        let bodies: Vec<_> = page.messages.iter().map(|message| message.body.as_deref()).collect();
        assert_eq!(bodies, [None, Some("new"), Some("2"), Some("3")]);
        assert!(page.messages[3].quote.as_ref().is_some_and(|quote| quote.body.is_none()));
    }

    #[test]
    fn a_page_is_the_same_however_far_the_store_is_behind() {
        let at = |offset| message(offset).position;
        let whole = [
            (PageOf::Newest, "<16 17 18 19"),
            (PageOf::Before(at(18)), "<14 15 16 17>"),
            (PageOf::Before(at(3)), "0 1 2>"),
            (PageOf::After(at(9)), "<10 11 12 13>"),
            (PageOf::After(at(17)), "<18 19"),
            (PageOf::Around(at(10)), "<8 9 10 11>"),
            (PageOf::Around(at(19)), "<16 17 18 19"),
        ];
        for (which, expected) in whole {
            for stored in 0..=20 {
                let page = page(which, stored, 4);
                // With nothing older in the store, "after" cannot know of what lies before.
                let same = page.trim_start_matches('<') == expected.trim_start_matches('<');
                assert!(same, "{which:?} with {stored} stored: {page} instead of {expected}");
            }
        }
    }
}
