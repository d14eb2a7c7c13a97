// One dialog at a time, made when it is asked for and removed when it closes. A dialog is a form with
// one way to go on; what refuses to go on is said inside it, and the dialog stays.

import { h, icon } from "../lib/dom.js";

let opened = 0; // so that each has a title of its own, also one over another

/**
 * Opens a dialog around `content`. `submit()` may be async; the dialog closes when it resolves, and
 * shows the problem's `detail` when it rejects. Without `submitLabel` there is only Close. However
 * it closes, `closed()` is called then.
 */
export function openDialog({
  title,
  content,
  submitLabel = null,
  danger = false,
  submit,
  closed,
  wide = false,
}) {
  const titleId = `dialog-title-${(opened += 1)}`;
  const problem = h("p", { class: "dialog-problem", role: "alert" });
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
    h(
      "header",
      { class: "dialog-head" },
      h("h2", { id: titleId }, title),
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": "Close",
          onclick: () => dialog.close(),
        },
        icon("close"),
      ),
    ),
    h("div", { class: "dialog-body" }, ...content),
    problem,
    submitLabel &&
      h(
        "footer",
        { class: "dialog-foot" },
        h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
        h(
          "button",
          {
            type: "submit",
            class: danger ? "button danger" : "button primary",
            "data-testid": "dialog-submit",
          },
          submitLabel,
        ),
      ),
  );
  const dialog = h(
    "dialog",
    { class: wide ? "dialog wide" : "dialog", "aria-labelledby": titleId },
    form,
  );

  const attempt = async (action) => {
    if (form.getAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    problem.textContent = "";
    try {
      await action();
      dialog.close();
    } catch (error) {
      if (!error.detail) throw error;
      problem.textContent = error.detail;
    } finally {
      form.removeAttribute("aria-busy");
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit) attempt(submit);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { close: () => dialog.close(), attempt };
}

/** Asks before something that cannot be taken back. */
export function confirm({ title, text, submitLabel, submit }) {
  openDialog({ title, content: [h("p", {}, text)], submitLabel, submit, danger: true });
}

/** A labelled text field. */
export function textField(label, attributes, hint = null) {
  const input = h("input", { autocomplete: "off", ...attributes });
  return {
    input,
    field: h(
      "label",
      { class: "field" },
      h("span", {}, label),
      input,
      hint && h("span", { class: "field-hint" }, hint),
    ),
  };
}

/** Choices of which one holds: `[{ value, label, hint }]`. */
export function choiceField(legend, name, choices, chosen) {
  const inputs = choices.map(({ value }) =>
    h("input", { type: "radio", name, value, checked: value === chosen }),
  );
  const field = h(
    "fieldset",
    { class: "choices" },
    h("legend", {}, legend),
    choices.map(({ label, hint }, index) =>
      h(
        "label",
        { class: "choice" },
        inputs[index],
        h("span", {}, h("strong", {}, label), h("span", { class: "field-hint" }, hint)),
      ),
    ),
  );
  return { field, value: () => inputs.find((input) => input.checked)?.value };
}

/** Something that is on or off, and kept as soon as it is switched: `{ label, hint, isOn(), set(on) }`. */
export function switchField({ label, hint = null, isOn, set, testId = null }) {
  const input = h("input", {
    type: "checkbox",
    role: "switch",
    "data-testid": testId,
    checked: isOn(),
    onchange: async () => {
      const wanted = input.checked;
      problem.textContent = "";
      try {
        await set(wanted);
      } catch (error) {
        if (!error.detail) throw error;
        input.checked = !wanted;
        problem.textContent = error.detail;
      }
    },
  });
  const problem = h("span", { class: "field-error", role: "alert" });
  return h(
    "label",
    { class: "switch" },
    h(
      "span",
      {},
      h("strong", {}, label),
      hint && h("span", { class: "field-hint" }, hint),
      problem,
    ),
    input,
  );
}
