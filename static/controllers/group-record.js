// What the admins of a group can look up: who did what in it, and who is banned from it.

import { api, path } from "../lib/api.js";
import { avatar } from "../lib/avatar.js";
import { h } from "../lib/dom.js";
import { clock, dayKey, dayName, timeElement } from "../lib/time.js";
import { sentence } from "../models/deeds.js";
import { openDialog } from "./dialog.js";

const PAGE = 50;

/** Who did what, the newest first; older entries are loaded where the list is scrolled to its end. */
export function openAudit(chat, room) {
  const named = { "data-testid": "audit", "aria-label": "Who did what" };
  const list = h("ul", { class: "deeds", tabindex: "0", ...named });
  const end = h("p", { class: "deeds-end", "aria-live": "polite" }, "Loading…");
  const entries = [];
  let state = "more"; // "loading" | "failed" | "done"
  const draw = () => list.replaceChildren(...days(entries, chat));
  const load = async () => {
    if (state !== "more") return;
    state = "loading";
    try {
      const before = entries.at(-1)?.position;
      const page = await api.get(path`/rooms/${room.id}/audit`, { before, limit: PAGE });
      entries.push(...page.entries);
      state = page.has_older ? "more" : "done";
      end.textContent = state === "done" ? "That is everything." : "Loading…";
      draw();
    } catch (problem) {
      state = "failed";
      const again = () => {
        state = "more";
        load();
      };
      const button = h("button", { type: "button", class: "button", onclick: again }, "Try again");
      end.replaceChildren(problem.detail, " ", button);
    }
    // What was loaded may not fill the list: then its end is in sight still.
    if (state === "more") watch();
  };
  const observer = new IntersectionObserver(
    (seen) => seen.some(({ isIntersecting }) => isIntersecting) && load(),
  );
  const watch = () => {
    observer.unobserve(end);
    observer.observe(end);
  };
  const unlisten = chat.people.on("change", draw);
  openDialog({
    title: "Who did what",
    content: [list, end],
    wide: true,
    closed: () => {
      observer.disconnect();
      unlisten();
    },
  });
  watch();
}

/** A list of entries for each day. */
function days(entries, chat) {
  const byDay = new Map();
  for (const entry of entries) {
    const key = dayKey(entry.at);
    if (!byDay.has(key)) byDay.set(key, []);
    byDay.get(key).push(entry);
  }
  return [...byDay.values()].map((ofDay) =>
    h(
      "li",
      {},
      h("h3", { class: "deeds-day" }, dayName(ofDay[0].at)),
      h("ul", {}, ...ofDay.map((entry) => deed(entry, chat))),
    ),
  );
}

function deed(entry, chat) {
  const nameOf = (id) => chat.people.nameOf(id);
  const name = entry.by === chat.me ? chat.displayName : (nameOf(entry.by) ?? "?");
  return h(
    "li",
    { class: "deed", "data-action": entry.action },
    avatar(entry.by, name),
    h("span", { class: "deed-text" }, sentence(entry, { me: chat.me, nameOf })),
    timeElement(entry.at, clock(entry.at)),
  );
}

/** Who is banned, each to be let back in. */
export function openBans(chat, room) {
  const list = h("ul", { class: "people", "data-testid": "bans", "aria-label": "Banned people" });
  const note = h("p", { class: "people-note", "aria-live": "polite" }, "Loading…");
  const dialog = openDialog({ title: "Banned people", content: [list, note] });
  const load = async () => {
    try {
      const { members } = await api.get(path`/rooms/${room.id}/bans`);
      list.replaceChildren(...members.map(row));
      note.textContent = members.length ? "" : "Nobody is banned from this group.";
    } catch (problem) {
      note.textContent = problem.detail;
    }
  };
  const letIn = async (member) => {
    try {
      await api.put(path`/rooms/${room.id}/members/${member.user_id}`, { role: "member" });
      chat.emit("notice", `${member.display_name} is back in “${room.name}”.`);
    } catch (problem) {
      note.textContent = problem.detail;
      return;
    }
    await load();
    if (!list.children.length) dialog.close();
  };
  const row = (member) =>
    h(
      "li",
      { class: "group", "data-user-id": member.user_id },
      avatar(member.user_id, member.display_name),
      h(
        "span",
        { class: "person-names" },
        h("span", {}, member.display_name),
        h("span", { class: "person-username" }, `@${member.username}`),
      ),
      h(
        "button",
        { type: "button", class: "button", "data-testid": "unban", onclick: () => letIn(member) },
        "Let back in",
      ),
    );
  load();
}
