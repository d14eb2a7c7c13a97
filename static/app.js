// The chat page: makes the models and the controllers and introduces them to each other.

import { Account } from "./controllers/account.js";
import { watchInput } from "./controllers/attention.js";
import { Composer } from "./controllers/composer.js";
import { ContactsView } from "./controllers/contacts.js";
import { Conversation } from "./controllers/conversation.js";
import { MembersPanel } from "./controllers/members-panel.js";
import { Muted } from "./controllers/muted.js";
import { RoomDialogs } from "./controllers/room-dialogs.js";
import { RoomHead } from "./controllers/room-head.js";
import { SearchPanel } from "./controllers/search-panel.js";
import { Sidebar } from "./controllers/sidebar.js";
import { Stage, leave, logOut } from "./controllers/stage.js";
import { Banner, Notices } from "./controllers/status.js";
import { Unsent } from "./controllers/unsent.js";
import { api } from "./lib/api.js";
import { askForPictures, forgetPictures, showPicture } from "./lib/avatar.js";
import { testId } from "./lib/dom.js";
import { SOMEBODY_ELSE, Socket } from "./lib/socket.js";
import { Attention } from "./models/attention.js";
import { Chat } from "./models/chat.js";

const url = new URL("/api/v1/socket", location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";

let socket;
const attention = new Attention(() => socket.command("active").catch(() => {}));
const isAway = () => attention.isAway();
const isMe = ({ id }) => id === document.body.dataset.userId;
const chat = new Chat({
  me: document.body.dataset.userId,
  username: document.body.dataset.username,
  displayName: document.body.dataset.displayName,
  receipts: {
    wanted: document.body.dataset.readReceipts === "true",
    most: Number(document.body.dataset.receiptMembers),
  },
  api,
  makeSocket: (resumeFrom) => (socket = new Socket({ url, resumeFrom, isMe, isLoggedIn, isAway })),
});
askForPictures((id) => chat.people.want(id));
chat.people.on("picture", ({ id, avatar }) => showPicture(id, avatar));
socket.on("state", (state) => {
  // While there was no connection nobody told what changed.
  if (state === "open") chat.people.refresh(forgetPictures());
});
const notices = new Notices();
chat.on("notice", (text) => notices.show(text));
socket.on("ended", (code) => {
  if (code === SOMEBODY_ELSE) return location.reload();
  // Logging out here leads to /login by itself; twice at once would break off the first.
  if (code === 4501 && !chat.loggingOut) location.assign("/login" + location.hash);
});

socket.on("open", (hello) => attention.greeted(hello));
watchInput(attention);

new Banner(socket);
new Sidebar(chat);
const account = new Account(chat, { logOut: () => logOut(chat), leave: () => leave(chat) });
account.addSwitch({
  label: "Read receipts",
  hint: "In direct conversations and small groups others see how far you have read, and you see it of them. Switched off, neither is shown.",
  isOn: () => chat.receipts.wanted,
  set: (on) => chat.switchReceipts(on),
  testId: "receipts-switch",
});
const stage = new Stage(chat);
const dialogs = new RoomDialogs(chat, (roomId) => stage.go(roomId));
new RoomHead(chat, { openSettings: () => dialogs.settings(chat.room) });
const conversation = new Conversation(chat);
new Composer(chat, () => conversation.toBottom());
new Muted(chat);
new MembersPanel(chat, dialogs);
new SearchPanel(chat, {
  api,
  show: (room, message) => {
    conversation.showWhenOpen(room, message);
    stage.go(room);
  },
});
new Unsent(chat);
stage.addView("contacts", new ContactsView(chat, dialogs));
stage.start(dialogs);

const opening = {
  group: () => dialogs.newGroup(),
  direct: () => dialogs.newDirect(),
  browse: () => dialogs.browse(),
};
testId("new-group").addEventListener("click", opening.group);
testId("new-direct").addEventListener("click", opening.direct);
testId("browse-public").addEventListener("click", opening.browse);
testId("mark-all-read").addEventListener("click", () => chat.readEverything());
testId("logout").addEventListener("click", () => logOut(chat));
for (const button of document.querySelectorAll("[data-open]")) {
  button.addEventListener("click", opening[button.dataset.open]);
}

socket.start();

/** Only a plain "no" counts; a server that does not answer has not logged anyone out. */
async function isLoggedIn() {
  try {
    await api.get("/me");
    return true;
  } catch (problem) {
    return problem.status !== 401;
  }
}
