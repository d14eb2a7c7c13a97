// Leaving a group. Its last admin first picks who takes over, in the same dialog: a group with people
// in it is not left without an admin.

import { api, path } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { choiceField, confirm, openDialog } from "./dialog.js";

const SHOWN = 50; // heirs to choose from at once; typing a name finds the others

export async function leaveRoom(chat, room) {
  const leave = async () => {
    await api.post(path`/rooms/${room.id}/leave`);
    chat.left(room.id, `You left “${room.name}”.`);
  };
  let members;
  try {
    ({ members } = await api.get(path`/rooms/${room.id}/members`));
  } catch (problem) {
    return chat.emit("notice", problem.detail);
  }
  const others = members.filter(({ user_id }) => user_id !== chat.me);
  const me = members.find(({ user_id }) => user_id === chat.me);
  const lastAdmin = me?.role === "admin" && others.every(({ role }) => role !== "admin");
  if (lastAdmin && others.length > 0) return handOver(room, others, leave);
  confirm({
    title: `Leave ${room.name}?`,
    text: consequence(room, others),
    submitLabel: "Leave",
    submit: leave,
  });
}

function consequence(room, others) {
  if (room.visibility === "public") return "You can join again whenever you like.";
  if (others.length === 0) return "Nobody else is in it, and nobody can come back to it.";
  return "The group is private: you can only come back if somebody invites you.";
}

/** Those who have been in it longest come first, and the first of them is suggested. */
function handOver(room, others, leave) {
  const heirs = [...others].sort((a, b) => (a.joined_at < b.joined_at ? -1 : 1));
  let heir = heirs[0].user_id;
  const place = h("div", { class: "heirs" });
  const draw = (query) => {
    const fits = ({ display_name, username }) =>
      `${display_name}\n${username}`.toLowerCase().includes(query.trim().toLowerCase());
    const found = heirs.filter((member) => fits(member) || member.user_id === heir);
    const choices = found.slice(0, SHOWN).map(({ user_id, display_name, username }) => ({
      value: user_id,
      label: display_name,
      hint: `@${username}`,
    }));
    const choice = choiceField("Who becomes its admin", "heir", choices, heir);
    choice.field.dataset.testid = "heirs";
    choice.field.addEventListener("change", () => (heir = choice.value()));
    place.replaceChildren(choice.field);
  };
  const search = h("input", {
    type: "search",
    placeholder: "Find a member",
    "aria-label": "Find a member",
    autocomplete: "off",
    oninput: () => draw(search.value),
  });
  draw("");
  openDialog({
    title: `Leave ${room.name}?`,
    content: [
      h("p", {}, "You are its only admin. Pick who takes over; then you leave."),
      heirs.length > 8 && search,
      place,
    ].filter(Boolean),
    submitLabel: "Hand over and leave",
    submit: async () => {
      await api.put(path`/rooms/${room.id}/members/${heir}`, { role: "admin" });
      await leave();
    },
  });
}
