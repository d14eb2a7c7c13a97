//! Taking the names of somebody who is gone out of what was told of them.
//!
//! Names are no part of the fold: they stand in events for people to read, and nothing is decided
//! by them, so each instance may replace them when it hears of it.

use super::message::{Message, Quote};
use super::room::Event;
use super::types::Person;

/// Puts this person's names in place of those that the event has for the same id. Returns whether
/// it had others.
pub fn rename(event: &mut Event, to: &Person) -> bool {
    match event {
        Event::Message { message, .. }
        | Event::Edited { message, .. }
        | Event::Deleted { message, .. } => rename_in_message(message, to),
        Event::RoomCreated { info, members, .. } => {
            let people = info.people.iter_mut();
            let members = members.iter_mut().map(|member| &mut member.person);
            replace_all(people.chain(members), to)
        }
        Event::RoomUpdated { info, .. } => replace_all(info.people.iter_mut(), to),
        Event::MemberAdded { member, .. }
        | Event::MemberUpdated { member, .. }
        | Event::MemberMuted { member, .. }
        | Event::MemberUnmuted { member, .. }
        | Event::MemberRemoved { member, .. } => replace(&mut member.person, to),
        Event::MemberBanned { person, .. } => replace(person, to),
        Event::Reaction { .. } | Event::RoomDeleted { .. } => false,
    }
}

fn rename_in_message(message: &mut Message, to: &Person) -> bool {
    let quoted = message.quote.as_mut().map(|Quote { sender, .. }| sender);
    replace_all(std::iter::once(&mut message.sender).chain(quoted), to)
}

fn replace_all<'a>(people: impl Iterator<Item = &'a mut Person>, to: &Person) -> bool {
    let mut any = false;
    for person in people {
        any |= replace(person, to);
    }
    any
}

fn replace(person: &mut Person, to: &Person) -> bool {
    let other = person.id == to.id && person != to;
    if other {
        *person = to.clone();
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::example;
    use crate::core::record::Changes;
    use crate::core::room::{Info, Member, Mentions};
    use crate::core::types::*;

    fn person(id: i64) -> Person {
        let name = format!("user{id}");
        Person { id: UserId(id), username: name.clone(), display_name: name }
    }

    #[test]
    fn nothing_that_is_told_names_them() {
        let member =
            |id| Member { person: person(id), role: Role::Member, joined_at: Timestamp(0) };
        let info = Info {
            id: RoomId::Direct(UserId(1), UserId(2)),
            kind: RoomKind::Direct,
            name: None,
            topic: String::new(),
            visibility: Visibility::Private,
            member_count: 2,
            people: vec![person(1), person(2)],
        };
        let sender = person(2);
        let quote = Quote { id: MessageId(0), sender, body: Some("hi".into()), deleted: false };
        let message = Message { quote: Some(quote), ..example(MessageId(1), Position(1)) };
        let by = UserId(2);
        let members = vec![member(1), member(2)];
        let events = [
            Event::Message { message: message.clone(), mentions: Mentions::default() },
            Event::RoomCreated { info: info.clone(), members, by },
            Event::RoomUpdated { info, changes: Changes::default(), by },
            Event::MemberRemoved { member: member(2), ban: false, by },
            Event::MemberBanned { person: person(2), by },
        ];
        for mut event in events {
            assert!(rename(&mut event, &Person::deleted(UserId(2))));
            let told = serde_json::to_string(&event).unwrap();
            assert!(!told.contains("user2") && told.contains("Deleted user"), "{told}");
            assert!(!rename(&mut event, &Person::deleted(UserId(2))), "once is enough");
        }
        let mut other = Event::MemberAdded { member: member(1), muted_until: None, by };
        assert!(!rename(&mut other, &Person::deleted(UserId(2))));
    }
}
