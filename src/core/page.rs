//! A page of history: what the store has, and what only the log has yet, as one.

use super::room::Message;
use crate::store::{Page, PageOf};

/// Completes a page from the store with the room's accepted messages after it.
///
/// `tail` holds, in order, every message that the store did not have when it read the page, and
/// maybe some that it had.
pub fn complete(mut page: Page, tail: Vec<Message>, which: PageOf, limit: usize) -> Page {
    let (last, next) = (page.messages.last().map(|message| message.position), page.next);
    let newer = tail.into_iter().filter(move |message| {
        message.position.offset() >= next && last.is_none_or(|last| message.position > last)
    });
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
    use crate::core::types::{Person, Place, RoomId, Timestamp, UserId};

    fn message(offset: i64) -> Message {
        let place = Place { epoch: 0, partition: 0, offset };
        Message {
            id: place.message_id(),
            room_id: RoomId::Group(1),
            position: place.position(),
            sender: Person { id: UserId(1), username: "ann".into(), display_name: "Ann".into() },
            body: Some(offset.to_string()),
            sent_at: Timestamp(0),
            edited_at: None,
            reactions: Vec::new(),
            deleted: false,
            client_id: None,
        }
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
        let page = complete(page, messages((stored - 3).max(0)..20), which, limit);
        let offsets: Vec<_> =
            page.messages.iter().map(|m| m.position.offset().to_string()).collect();
        let mark = |more, sign: &str| if more { sign.to_owned() } else { String::new() };
        mark(page.has_older, "<") + &offsets.join(" ") + &mark(page.has_newer, ">")
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
