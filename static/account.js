// Logging in and signing up. Both are one form, one request, and each refusal shown beside the
// field it is about; the server sets the cookie, so nothing secret is kept here.

import { api } from "./lib/api.js";
import { $ } from "./lib/dom.js";

const ROUTES = { login: "/sessions", signup: "/users" };

const FIELD_OF_CODE = {
  bad_credentials: "password",
  invalid_display_name: "display_name",
  invalid_password: "password",
  invalid_username: "username",
  username_taken: "username",
};

const form = $("form[data-account]");
const button = $("button[type=submit]", form);

form.addEventListener("submit", submit);
form.addEventListener("input", (event) => show(event.target.name, ""));
button.disabled = false;

// A deep link (/#ROOM) survives the way through login and sign-up.
for (const link of document.querySelectorAll("[data-keep-hash]")) link.hash = location.hash;

async function submit(event) {
  event.preventDefault();
  if (button.disabled || !complete()) return;
  button.disabled = true;
  form.setAttribute("aria-busy", "true");
  try {
    await api.post(ROUTES[form.dataset.account], fields());
    location.assign("/" + location.hash);
  } catch (problem) {
    const field = FIELD_OF_CODE[problem.code] ?? "form";
    show("form", "");
    show(field, problem.detail);
    form.elements[field]?.focus();
    button.disabled = false;
    form.removeAttribute("aria-busy");
  }
}

function fields() {
  const given = Object.fromEntries(new FormData(form));
  given.username = given.username.trim();
  if (!given.display_name?.trim()) delete given.display_name;
  return given;
}

/** Only emptiness is checked here; the rules are the server's, and it explains them. */
function complete() {
  const empty = [...form.elements].filter((input) => input.required && !input.value.trim());
  for (const input of empty) show(input.name, "Please fill this in.");
  empty[0]?.focus();
  return empty.length === 0;
}

function show(field, text) {
  const place = $(`[data-error-for="${field}"]`, form);
  if (place) place.textContent = text;
  const input = form.elements[field];
  if (text) input?.setAttribute("aria-invalid", "true");
  else input?.removeAttribute("aria-invalid");
}
