// Choosing a picture of myself: any image that the browser can show, cut to its middle and made small
// here, so that no photo is too large to be sent.

import { api, Problem } from "../lib/api.js";
import { avatar, pictureOf } from "../lib/avatar.js";
import { h } from "../lib/dom.js";

const SIDE = 256; // pixels
const MOST = 60_000; // bytes; the server takes 64 KiB
/** The first that fits and that this browser can make. */
const WAYS = [["image/webp", 0.9], ["image/png"], ["image/jpeg", 0.9], ["image/jpeg", 0.6]];

/** A picture with buttons to choose another and to take it away. `taken(user)` hears of either. */
export function photoField(me, name, taken) {
  const problem = h("p", { class: "field-error", role: "alert" });
  const file = h("input", {
    type: "file",
    accept: "image/*",
    class: "sr-only",
    tabindex: "-1",
    "aria-hidden": "true",
    "data-testid": "account-photo-file",
    onchange: () => file.files[0] && act(() => upload(file.files[0])),
  });
  const choose = h(
    "button",
    {
      type: "button",
      class: "button small",
      "data-testid": "account-photo",
      onclick: () => file.click(),
    },
    "Choose a photo",
  );
  const remove = h(
    "button",
    {
      type: "button",
      class: "button small quiet-danger",
      "data-testid": "account-photo-remove",
      hidden: !pictureOf(me),
      onclick: () => act(() => api.delete("/me/avatar")),
    },
    "Remove",
  );
  const field = h(
    "div",
    { class: "account-face" },
    avatar(me, name, { size: "large" }),
    h("div", { class: "account-photo" }, h("div", {}, choose, remove), problem, file),
  );

  async function act(change) {
    problem.textContent = "";
    field.setAttribute("aria-busy", "true");
    try {
      const { user } = await change();
      taken(user);
      remove.hidden = !user.avatar;
      if (remove.hidden && document.activeElement === document.body) choose.focus();
    } catch (error) {
      if (!error.detail) throw error;
      problem.textContent = error.detail;
    } finally {
      field.removeAttribute("aria-busy");
      file.value = ""; // the same file may be chosen again
    }
  }

  return field;
}

async function upload(file) {
  return api.upload("/me/avatar", await squareOf(file));
}

/** The middle of an image as a small file. */
async function squareOf(file) {
  let image;
  try {
    image = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Problem({ code: "no_image", detail: "This file is no picture that can be shown." });
  }
  for (const [type, quality] of WAYS) {
    const blob = await drawn(image, type, quality);
    if (blob?.type === type && blob.size <= MOST) return blob;
  }
  throw new Problem({ code: "no_image", detail: "This picture cannot be made small enough." });
}

function drawn(image, type, quality) {
  const canvas = h("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d", { alpha: type !== "image/jpeg" });
  if (type === "image/jpeg") {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
  }
  const side = Math.min(image.width, image.height);
  const [left, top] = [(image.width - side) / 2, (image.height - side) / 2];
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, side, side, 0, 0, SIDE, SIDE);
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
