//! What the persister writes: batches of the log, and how far they reach, in one transaction.

use std::collections::HashMap;

use serde_json::json;

use super::bulk::{in_lists, insert_rows};
use super::database::{Dialect, Statement, Value, values};
use super::history::HUB_ADMIN;
use super::plan::{RoomPlan, Seat, plan};
use super::words::{self, Text};
use super::{Result, Store, StoreError};
use crate::core::batch::{Batch, Change};
use crate::core::message::Message;
use crate::core::room::{Event, Info, Mentions};
use crate::core::types::{Position, Role, RoomId, Timestamp, UserId};

impl Store {
    /// Writes a batch, if the store has reached just the offset where it starts; otherwise some
    /// other persister was faster, and this is `Fenced`.
    pub async fn write(&self, batch: &Batch) -> Result<()> {
        self.empty_rooms(batch).await?;
        // First of all: it locks the partition until the end, so a slower one waits and is fenced.
        let fence = Statement::new(
            "UPDATE log_offsets SET next_offset = ? WHERE partition_id = ? AND next_offset = ?",
            values![batch.next, batch.partition, batch.from],
        );
        let plans = plan(&batch.changes);
        let wants_numbers = |room: &RoomPlan| {
            let comes_in = |seat: &Seat| matches!(seat, Seat::Taken { .. });
            let is_there = room.created.is_none() && room.deleted.is_none();
            is_there && (!room.messages.is_empty() || room.seats.values().any(comes_in))
        };
        let spoken = plans.iter().filter(|(_, room)| wants_numbers(room));
        let spoken: Vec<RoomId> = spoken.map(|(id, _)| *id).collect();
        let mut writing = Writing {
            dialect: self.db.dialect(),
            statements: vec![fence.expecting(1)],
            // As they are before this batch: whoever writes another one meanwhile, the fence keeps
            // one of the two out.
            numbers: self.next_numbers(&spoken).await,
            rows: Rows::default(),
        };
        for (id, room) in plans {
            writing.room(id, &room)?;
        }
        match self.db.write(writing.finish()).await {
            Ok(_) => Ok(()),
            Err(StoreError::Taken) => {
                Err(StoreError::Broken("a row of this batch is there already".into()))
            }
            Err(error) => Err(error),
        }
    }
}

/// The statements of a batch as they come together: those of single rooms, and rows of all rooms
/// that are inserted together at the end.
struct Writing<'a> {
    dialect: Dialect,
    statements: Vec<Statement>,
    /// The numbers of the next messages of rooms that are there, as far as they are known.
    numbers: HashMap<RoomId, i64>,
    rows: Rows<'a>,
}

#[derive(Default)]
struct Rows<'a> {
    created: Vec<Vec<Value>>,
    moved: Vec<Vec<Value>>,
    seats: Vec<Vec<Value>>,
    markers: Vec<Vec<Value>>,
    bans: Vec<Vec<Value>>,
    mutes: Vec<Vec<Value>>,
    messages: Vec<Vec<Value>>,
    mentions: Vec<Vec<Value>>,
    texts: Vec<Text<'a>>,
    events: Vec<Vec<Value>>,
    buried: Vec<Vec<Value>>,
    /// Rooms that people joined or left, or that changed what they are.
    later: Vec<Statement>,
}

impl<'a> Writing<'a> {
    fn room(&mut self, id: RoomId, room: &RoomPlan<'a>) -> Result<()> {
        let first = match room.created {
            Some(_) => Some(1),
            None => self.numbers.get(&id).copied(),
        };
        let numbers = Numbers { first, room };
        if let Some((at, info)) = room.created {
            self.rows.created.push(created(info, at, &numbers));
        } else if room.deleted.is_none() {
            let row =
                values![id, "group", "", "", "private", room.position, room.last_message, 0, 0];
            let counted = match numbers.of_room() {
                Some((counted, to)) => values![counted, to],
                None => values![-1, -1],
            };
            self.rows.moved.push([row, counted].concat());
        }
        match room.deleted {
            Some(at) => self.bury(id, room, at),
            None => self.members(id, &numbers),
        }
        if let (Some(info), None) = (room.info, room.deleted) {
            let sql = "UPDATE rooms SET name = ?, topic = ?, visibility = ?, search_key = ?
                       WHERE id = ?";
            let Info { name, topic, visibility, .. } = info;
            let visibility = visibility.as_str();
            let params = values![name.as_deref(), topic.as_str(), visibility, search_key(info), id];
            self.rows.later.push(Statement::new(sql, params));
        }
        for (nth, (message, mentions)) in room.messages.iter().enumerate() {
            self.rows.messages.push(values![
                message.id,
                id,
                message.position,
                message.sender.id,
                message.body.as_deref().unwrap_or_default(),
                message.sent_at,
                message.client_id.as_deref(),
                message.reply_to,
                numbers.first.map(|first| first + nth as i64),
            ]);
            self.rows.mentions.extend(mention_rows(message, mentions));
            self.rows.texts.push(text(message));
        }
        for change in &room.events {
            self.rows.events.push(event(change)?);
            self.change_message(change)?;
        }
        Ok(())
    }

    /// What became of a message that is there already, or is inserted before these statements.
    fn change_message(&mut self, change: &Change) -> Result<()> {
        let (room, position) = (change.room, change.position);
        let forget_mentions = |message: &Message| {
            let sql = "DELETE FROM mentions WHERE room_id = ? AND position = ?";
            Statement::new(sql, values![room, message.position])
        };
        match &change.event {
            Event::Edited { message, mentions } => {
                let sql = "UPDATE messages SET body = ?, edited_at = ?, changed_position = ?
                           WHERE id = ?";
                let body = message.body.as_deref().unwrap_or_default();
                let params = values![body, message.edited_at, position, message.id];
                self.rows.later.push(Statement::new(sql, params));
                self.rows.later.push(forget_mentions(message));
                let rows = mention_rows(message, mentions);
                self.rows.later.extend(insert_rows(MENTIONS, "", rows));
                self.rows.later.extend(words::add_again(self.dialect, &[text(message)]));
            }
            Event::Deleted { message, .. } => {
                let sql = "UPDATE messages SET body = '', reactions = NULL, reply_to = NULL,
                               deleted_at = ?, changed_position = ? WHERE id = ?";
                let params = values![change.at, position, message.id];
                self.rows.later.push(Statement::new(sql, params));
                self.rows.later.push(forget_mentions(message));
            }
            Event::Reaction { message, all, .. } => {
                let reactions = if all.is_empty() {
                    None
                } else {
                    Some(serde_json::to_string(all).map_err(unwritable)?)
                };
                let sql = "UPDATE messages SET reactions = ?, changed_position = ? WHERE id = ?";
                let params = values![reactions, position, *message];
                self.rows.later.push(Statement::new(sql, params));
            }
            _ => {}
        }
        Ok(())
    }

    /// A room is no more; its row stays, emptied, and the event that says so. Of what there was in
    /// it only what points at its messages is left, for later.
    fn bury(&mut self, id: RoomId, room: &RoomPlan, at: Timestamp) {
        self.rows.buried.push(values![id]);
        let ids = "SELECT id FROM messages WHERE room_id = ?";
        self.statements.extend(words::forget(self.dialect, ids, values![id]));
        for table in ["members", "bans", "mutes", "messages", "events"] {
            let sql = format!("DELETE FROM {table} WHERE room_id = ?");
            self.statements.push(Statement::new(sql, values![id]));
        }
        let sql = "UPDATE rooms SET name = NULL, topic = '', search_key = '', member_count = 0,
                       last_message_id = NULL, position = ?, deleted_at = ? WHERE id = ?";
        self.rows.later.push(Statement::new(sql, values![room.position, at, id]));
    }

    fn members(&mut self, id: RoomId, numbers: &Numbers) {
        let room = numbers.room;
        let mut left = Vec::new();
        for (&user, seat) in &room.seats {
            match seat {
                Seat::Taken { role, joined_at, read } => {
                    let seat = values![id, user, role.as_str(), *joined_at, *read];
                    self.rows.seats.push([seat, numbers.at(*read)].concat());
                }
                Seat::Kept { role, read } => {
                    if let Some(role) = role {
                        let sql = "UPDATE members SET role = ? WHERE room_id = ? AND user_id = ?";
                        let params = values![role.as_str(), id, user];
                        self.statements.push(Statement::new(sql, params));
                    }
                    if let Some((position, at)) = read {
                        let role = role.unwrap_or(Role::Member).as_str();
                        let marker = values![id, user, role, *at, *position];
                        self.rows.markers.push([marker, numbers.at(*position)].concat());
                    }
                }
                Seat::Left => left.push(user),
            }
        }
        self.delete_each("members", id, &left);
        // Deleted even if it is to be inserted: it may be there already.
        let bans: Vec<UserId> = room.bans.keys().copied().collect();
        self.delete_each("bans", id, &bans);
        let banned = room.bans.iter().filter(|(_, banned)| **banned);
        self.rows.bans.extend(banned.map(|(&user, _)| values![id, user]));
        let mutes: Vec<UserId> = room.mutes.keys().copied().collect();
        self.delete_each("mutes", id, &mutes);
        let muted = room.mutes.iter().filter_map(|(&user, until)| Some((user, (*until)?)));
        self.rows.mutes.extend(muted.map(|(user, until)| values![id, user, until]));

        let may_count_anew = |seat: &Seat| !matches!(seat, Seat::Kept { .. });
        if room.created.is_some() || room.seats.values().any(may_count_anew) {
            let sql = "UPDATE rooms SET member_count =
                           (SELECT COUNT(*) FROM members WHERE room_id = ?) WHERE id = ?";
            self.rows.later.push(Statement::new(sql, values![id, id]));
        }
    }

    fn delete_each(&mut self, table: &str, id: RoomId, users: &[UserId]) {
        self.statements.extend(in_lists(users).map(|(list, users)| {
            let sql = format!("DELETE FROM {table} WHERE room_id = ? AND user_id IN ({list})");
            Statement::new(sql, [values![id], users].concat())
        }));
    }

    fn finish(self) -> Vec<Statement> {
        let Writing { dialect, mut statements, rows, .. } = self;
        let new = |column: &str| dialect.inserted(column);
        let set_new = |columns: &[&str]| {
            let set = columns.iter().map(|column| format!("{column} = {}", new(column)));
            set.collect::<Vec<_>>().join(", ")
        };

        const ROOM: &str = "INSERT INTO rooms (id, kind, topic, search_key, visibility, position, \
             last_message_id, member_count, created_at, counted, counted_to";
        let head = format!("{ROOM}, group_number, name)");
        statements.extend(insert_rows(&head, "", rows.created));
        // These rooms are there, so nothing is inserted: a way to update many rows at once.
        let last = format!("COALESCE({}, rooms.last_message_id)", new("last_message_id"));
        // Below zero is what is not known, or not new.
        let known = |column: &str| {
            let new = new(column);
            format!("{column} = CASE WHEN {new} < 0 THEN rooms.{column} ELSE {new} END")
        };
        let counted = format!("{}, {}", known("counted"), known("counted_to"));
        let set = format!("{}, last_message_id = {last}, {counted}", set_new(&["position"]));
        let tail = dialect.on_conflict("id", &set);
        statements.extend(insert_rows(&format!("{ROOM})"), &tail, rows.moved));

        let head = "INSERT INTO members (room_id, user_id, role, joined_at, read_position, \
             read_number, read_number_at, own_after, read_number_version)";
        let numbers = ["read_number", "read_number_at", "own_after"];
        let set = set_new(&[&["role", "joined_at", "read_position"], &numbers[..]].concat());
        let set = format!("{set}, read_number_version = members.read_version");
        let tail = dialect.on_conflict("room_id, user_id", &set);
        statements.extend(insert_rows(head, &tail, rows.seats));
        // The members are there too.
        let further = dialect.greatest("members.read_position", &new("read_position"));
        let is_further = format!("{} > members.read_position", new("read_position"));
        let moved = |column: &str, to: &str| {
            format!("{column} = CASE WHEN {is_further} THEN {to} ELSE members.{column} END")
        };
        let mut moved: Vec<String> = numbers
            .iter()
            .map(|column| moved(column, &new(column)))
            .chain([moved("read_number_version", "members.read_version")])
            .collect();
        // In MySQL an assignment sees what those before it assigned: the position comes last.
        moved.push(format!("read_position = {further}"));
        let tail = dialect.on_conflict("room_id, user_id", &moved.join(", "));
        statements.extend(insert_rows(head, &tail, rows.markers));

        let head = "INSERT INTO bans (room_id, user_id)";
        statements.extend(insert_rows(head, "", rows.bans));
        let head = "INSERT INTO mutes (room_id, user_id, muted_until)";
        statements.extend(insert_rows(head, "", rows.mutes));
        let head = "INSERT INTO messages
                        (id, room_id, position, sender_id, body, sent_at, client_id, reply_to,
                         number)";
        statements.extend(insert_rows(head, "", rows.messages));
        statements.extend(insert_rows(MENTIONS, "", rows.mentions));
        statements.extend(words::add(dialect, rows.texts));
        let head =
            "INSERT INTO events (room_id, position, type, by_user, at, subject, message_id, data)";
        statements.extend(insert_rows(head, "", rows.events));
        let tail = dialect.on_conflict("room_id", "room_id = burials.room_id");
        statements.extend(insert_rows("INSERT INTO burials (room_id)", &tail, rows.buried));
        statements.extend(rows.later);
        statements
    }
}

/// A room whose new messages have numbers from the first on, if it is known.
struct Numbers<'a> {
    first: Option<i64>,
    room: &'a RoomPlan<'a>,
}

impl Numbers<'_> {
    /// `counted` and `counted_to`, where there are new messages whose numbers are known.
    fn of_room(&self) -> Option<(i64, Position)> {
        let (last, _) = self.room.messages.last()?;
        Some((self.first? + self.room.messages.len() as i64 - 1, last.position))
    }

    /// `read_number`, `read_number_at` and `own_after` of who has read up to a position in this
    /// batch, and the version of a marker that is new.
    fn at(&self, position: Position) -> Vec<Value> {
        let is_read = |(message, _): &(&Message, &Mentions)| message.position <= position;
        let read = self.room.messages.partition_point(is_read) as i64;
        values![self.first.map(|first| first - 1 + read), position, 0, 0]
    }
}

fn created(info: &Info, at: Timestamp, numbers: &Numbers) -> Vec<Value> {
    let room = numbers.room;
    let (counted, counted_to) = numbers.of_room().unwrap_or((0, Position::START));
    let number = match info.id {
        RoomId::Group(number) => Some(number),
        RoomId::Direct(..) => None,
    };
    values![
        info.id,
        info.kind.as_str(),
        info.topic.as_str(),
        search_key(info),
        info.visibility.as_str(),
        room.position,
        room.last_message,
        0,
        at,
        counted,
        counted_to,
        number,
        info.name.as_deref(),
    ]
}

/// What a search for public groups looks in. The line break keeps a query from matching the end
/// of the name and the start of the topic together.
fn search_key(info: &Info) -> String {
    format!("{}\n{}", info.name.as_deref().unwrap_or_default(), info.topic).to_lowercase()
}

const MENTIONS: &str = "INSERT INTO mentions (room_id, user_id, position)";

fn text(message: &Message) -> Text<'_> {
    let Message { id, room_id: room, position, .. } = *message;
    Text { id, room, position, body: message.body.as_deref().unwrap_or_default() }
}

fn mention_rows(message: &Message, mentions: &Mentions) -> Vec<Vec<Value>> {
    let everyone = mentions.all.then_some(UserId(0));
    let users = everyone.iter().chain(&mentions.users);
    users.map(|user| values![message.room_id, *user, message.position]).collect()
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Broken(error.to_string())
}

fn event(change: &Change) -> Result<Vec<Value>> {
    let message = match &change.event {
        Event::Edited { message, .. } | Event::Deleted { message, .. } => Some(message.id),
        Event::Reaction { message, .. } => Some(*message),
        _ => None,
    };
    let (kind, by, subject) = match &change.event {
        Event::RoomCreated { by, .. } => ("room_created", by, None),
        Event::RoomUpdated { by, .. } => ("room_updated", by, None),
        Event::RoomDeleted { by, .. } => ("room_deleted", by, None),
        Event::MemberAdded { member, by, .. } => ("member_added", by, Some(member.person.id)),
        Event::MemberUpdated { member, by } => ("member_updated", by, Some(member.person.id)),
        Event::MemberMuted { member, by, .. } => ("member_muted", by, Some(member.person.id)),
        Event::MemberUnmuted { member, by } => ("member_unmuted", by, Some(member.person.id)),
        Event::MemberRemoved { member, by, .. } => ("member_removed", by, Some(member.person.id)),
        Event::MemberBanned { person, by } => ("member_banned", by, Some(person.id)),
        Event::Message { message, .. } => ("message", &message.sender.id, None),
        Event::Edited { message, .. } => ("edited", &message.sender.id, None),
        Event::Deleted { message, by } => ("deleted", by, Some(message.sender.id)),
        Event::Reaction { user, .. } => ("reaction", user, None),
    };
    let mut data = match &change.event {
        // A replay shows the message as it is by then; its texts are kept in one place only.
        Event::Edited { .. } | Event::Deleted { .. } => json!({}),
        event => serde_json::to_value(event).map_err(unwritable)?,
    };
    if change.hub_admin {
        data[HUB_ADMIN] = json!(true);
    }
    let data = data.to_string();
    Ok(values![change.room, change.position, kind, *by, change.at, subject, message, data])
}
