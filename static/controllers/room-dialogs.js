// The dialogs about rooms: beginning a conversation, finding a group, inviting, and what an admin
// can change. Each gathers what one request needs, makes it, and lets the models show the outcome.

import { api, path, Problem } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { h } from "../lib/dom.js";
import { choiceField, confirm, openDialog, textField } from "./dialog.js";
import { openAudit, openBans } from "./group-record.js";
import { PeoplePicker } from "./people-picker.js";

const BROWSE_PAUSE_MS = 160;

const VISIBILITIES = [
  { value: "private", label: "Private", hint: "Only people who are invited can see it" },
  { value: "public", label: "Public", hint: "Everybody can find it and join" },
];

export class RoomDialogs {
  #chat;
  #go;

  /** `go(roomId)` opens a room on the page. */
  constructor(chat, go) {
    this.#chat = chat;
    this.#go = go;
  }

  newGroup() {
    const name = textField("Name", {
      "data-testid": "dialog-name",
      maxlength: 80,
      required: true,
      autofocus: true,
    });
    const visibility = choiceField("Who can find it", "visibility", VISIBILITIES, "private");
    const picker = new PeoplePicker(this.#chat);
    openDialog({
      title: "New group",
      content: [
        name.field,
        visibility.field,
        h("p", { class: "field-label" }, "People to invite"),
        picker.content,
      ],
      submitLabel: "Make the group",
      submit: async () => {
        await this.#make({
          kind: "group",
          name: name.input.value.trim(),
          visibility: visibility.value(),
          members: [...picker.picked.keys()],
        });
      },
    });
  }

  newDirect() {
    const dialog = openDialog({
      title: "Message somebody",
      content: [
        new PeoplePicker(this.#chat, { pick: (user) => dialog.attempt(() => this.direct(user.id)) })
          .content,
      ],
    });
  }

  /** Opens the conversation with this person, beginning it if need be. */
  async direct(userId) {
    const known = this.#chat.rooms.directWith(userId);
    if (known) this.#go(known.id);
    else await this.#make({ kind: "direct", members: [userId] });
  }

  browse() {
    const list = h("ul", { class: "groups", "aria-label": "Public groups" });
    const note = h("p", { class: "people-note", "aria-live": "polite" }, "Loading…");
    let timer = 0;
    let asked = 0;
    const load = async (after) => {
      const ask = ++asked;
      try {
        const answer = await api.get("/rooms", {
          scope: "public",
          query: search.value.trim(),
          after,
        });
        if (ask !== asked) return;
        if (!after) list.replaceChildren();
        list.append(...answer.rooms.map((room) => this.#groupToJoin(room, dialog)));
        if (answer.next) list.append(moreButton(() => load(answer.next)));
        note.textContent = list.children.length
          ? ""
          : "No public groups found. You could make the first one.";
      } catch (problem) {
        if (ask === asked) note.textContent = problem.detail;
      }
    };
    const search = h("input", {
      type: "search",
      "data-testid": "dialog-search",
      placeholder: "Find a group",
      autofocus: true,
      autocomplete: "off",
      "aria-label": "Find a public group",
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(() => load(), BROWSE_PAUSE_MS);
      },
    });
    const dialog = openDialog({ title: "Public groups", content: [search, list, note] });
    load();
  }

  invite(room) {
    const { members } = this.#chat;
    const picker = new PeoplePicker(this.#chat, {
      without: (id) => members.room === room.id && members.has(id),
    });
    openDialog({
      title: `Invite people to ${room.name}`,
      content: [picker.content],
      submitLabel: "Invite",
      submit: async () => {
        if (picker.picked.size === 0)
          throw new Problem({ code: "nobody", detail: "Pick somebody." });
        for (const id of [...picker.picked.keys()]) {
          await api.put(path`/rooms/${room.id}/members/${id}`, { role: "member" });
          picker.picked.delete(id); // done; a later refusal is about the rest
        }
      },
    });
  }

  /** `closed()` is called when it is over, whatever came of it. */
  settings(room, closed) {
    const name = textField("Name", {
      "data-testid": "dialog-name",
      maxlength: 80,
      value: room.name,
    });
    const topic = textField(
      "Topic",
      { "data-testid": "dialog-topic", maxlength: 250, value: room.topic ?? "" },
      "What this group is about",
    );
    const visibility = choiceField("Who can find it", "visibility", VISIBILITIES, room.visibility);
    const remove = h(
      "button",
      {
        type: "button",
        class: "button quiet-danger",
        "data-testid": "delete-room",
        onclick: () => {
          dialog.close();
          this.#deleteRoom(room);
        },
      },
      "Delete the group",
    );
    const dialog = openDialog({
      title: "Group settings",
      closed,
      content: [
        name.field,
        topic.field,
        visibility.field,
        this.#records(room, () => dialog),
        remove,
      ],
      submitLabel: "Save",
      submit: async () => {
        const given = {
          name: name.input.value.trim(),
          topic: topic.input.value.trim(),
          visibility: visibility.value(),
        };
        const changes = Object.entries(given).filter(
          ([field, value]) => value !== (room[field] ?? ""),
        );
        if (changes.length === 0) return;
        const answer = await api.patch(path`/rooms/${room.id}`, Object.fromEntries(changes));
        if (answer.room.role) await this.#chat.entered(answer.room);
      },
    });
  }

  /** Asks before somebody has to go; the banned cannot come back by themselves. */
  removeMember(room, member, { ban = false } = {}) {
    const name = member.display_name;
    const place = path`/rooms/${room.id}/members/${member.user_id}`;
    const back = room.visibility === "public" ? " They may join again." : "";
    confirm({
      title: `${ban ? "Ban" : "Remove"} ${name}?`,
      text: ban
        ? `${name} has to leave ${room.name} and cannot come back until an admin lets them in.`
        : `${name} can no longer read or write in ${room.name}.${back}`,
      submitLabel: ban ? "Ban" : "Remove",
      submit: () => api.delete(ban ? `${place}?ban=true` : place),
    });
  }

  /** The ways to what admins can look up; one dialog makes place for the other. */
  #records(room, dialog) {
    const button = (name, label, open) => {
      const onclick = () => {
        dialog().close();
        open(this.#chat, room);
      };
      return h("button", { type: "button", class: "button", "data-testid": name, onclick }, label);
    };
    return h(
      "div",
      { class: "records" },
      button("settings-audit", "Who did what", openAudit),
      button("settings-bans", "Banned people", openBans),
    );
  }

  async join(room) {
    const answer = await api.post(path`/rooms/${room.id}/join`);
    await this.#chat.entered(answer.room);
    this.#go(room.id);
  }

  #deleteRoom(room) {
    confirm({
      title: `Delete ${room.name}?`,
      text: "The group and everything said in it will be gone for everybody. This cannot be undone.",
      submitLabel: "Delete for everybody",
      submit: async () => {
        await api.delete(path`/rooms/${room.id}`);
        this.#chat.left(room.id, `“${room.name}” is deleted.`);
      },
    });
  }

  async #make(body) {
    const { room } = await api.post("/rooms", body);
    await this.#chat.entered(room);
    this.#go(room.id);
  }

  #groupToJoin(room, dialog) {
    const mine = Boolean(this.#chat.rooms.get(room.id));
    const action = mine
      ? () => {
          dialog.close();
          this.#go(room.id);
        }
      : () => dialog.attempt(() => this.join(room));
    return h(
      "li",
      { class: "group", "data-public-room-id": room.id },
      avatar(room.id, room.name, { group: true }),
      h(
        "span",
        { class: "person-names" },
        h("span", {}, room.name),
        h(
          "span",
          { class: "person-username" },
          [people(room.member_count), room.topic].filter(Boolean).join(" · "),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: mine ? "button" : "button primary",
          "data-testid": "join",
          onclick: action,
        },
        mine ? "Open" : "Join",
      ),
    );
  }
}

export function people(count) {
  return count === 1 ? "1 member" : `${count ?? 0} members`;
}

function moreButton(load) {
  const item = h(
    "li",
    { class: "group-more" },
    h(
      "button",
      {
        type: "button",
        class: "button",
        onclick: () => {
          item.remove();
          load();
        },
      },
      "Show more",
    ),
  );
  return item;
}
