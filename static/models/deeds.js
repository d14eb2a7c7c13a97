// What somebody did to a group, as a sentence: each entry of the audit, as the server has it.

import { moment } from "../lib/time.js";

const MINUTE_MS = 60_000;

/** "Alice removed Bob". `nameOf(id)` names people; null is somebody whose name is not known yet. */
export function sentence(entry, { me, nameOf }) {
  const who = entry.by === me ? "You" : (nameOf(entry.by) ?? "Somebody");
  const said = `${who} ${deed(entry, whom(entry, me))}`;
  return entry.hub_admin ? `${said}, as a hub admin` : said;
}

function whom({ by, member, message }, me) {
  const person = member ?? message?.sender;
  if (!person) return null;
  const id = person.user_id ?? person.id;
  if (id === me) return by === me ? "yourself" : "you";
  return id === by ? "themselves" : person.display_name;
}

function deed(entry, whom) {
  const describe = DEEDS[entry.action];
  return describe ? describe(entry, whom) : "changed the group";
}

const DEEDS = {
  room_created: ({ info }) => (info?.name ? `made the group “${info.name}”` : "made the group"),

  room_updated: ({ changes = {} }) => {
    const parts = [
      changes.name !== undefined && `renamed the group to “${changes.name}”`,
      changes.topic && `set the topic to “${changes.topic}”`,
      changes.topic === "" && "removed the topic",
      changes.visibility && `made the group ${changes.visibility}`,
    ];
    return list(parts.filter(Boolean)) || "changed the group";
  },

  member_added: ({ by, member }, whom) => {
    const role = member.role === "admin" ? " as an admin" : "";
    return member.user_id === by ? `joined${role}` : `added ${whom}${role}`;
  },

  member_updated: ({ member }, whom) =>
    member.role === "admin" ? `made ${whom} an admin` : `made ${whom} an ordinary member`,

  member_muted: ({ at, member }, whom) =>
    `muted ${whom} for ${span(at, member.muted_until)}, until ${moment(member.muted_until)}`,

  member_unmuted: (_, whom) => `lifted the mute of ${whom}`,

  member_removed: ({ by, member, ban }, whom) => {
    if (member.user_id === by) return "left";
    return `${ban ? "banned" : "removed"} ${whom}`;
  },

  member_banned: (_, whom) => `banned ${whom}`,

  deleted: (_, whom) => `deleted a message of ${whom}`,
};

/** "10 minutes", in the largest unit that fits. */
function span(from, until) {
  const minutes = Math.round((Date.parse(until) - Date.parse(from)) / MINUTE_MS);
  const units = [
    [7 * 24 * 60, "week"],
    [24 * 60, "day"],
    [60, "hour"],
    [1, "minute"],
  ];
  const [size, unit] = units.find(([size]) => minutes >= size && minutes % size === 0) ?? [
    1,
    "minute",
  ];
  const count = Math.max(1, Math.round(minutes / size));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function list(parts) {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
