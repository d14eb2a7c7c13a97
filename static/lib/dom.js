// The few things that every controller does with the page. Text goes in as text nodes only, never
// as markup, so nothing that a person wrote can become anything but text.

/** Makes an element: h("p", { class: "hint", onclick }, "text", child). `null` and `false` are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

export function $(selector, root = document) {
  return root.querySelector(selector);
}

export function testId(name, root = document) {
  return root.querySelector(`[data-testid="${name}"]`);
}

/** Focuses the first of these that is on the page and takes it; the others stand in for what is gone. */
export function focusFirst(...elements) {
  const first = elements.find((element) => element?.checkVisibility() && !element.disabled);
  first?.focus({ preventScroll: true });
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Runs `draw` once for any number of calls: at the next frame, or soon when the page is hidden,
 * where frames do not come but the title still has to be right.
 */
export function coalesce(draw) {
  let asked = false;
  const run = () => {
    asked = false;
    draw();
  };
  return () => {
    if (asked) return;
    asked = true;
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  };
}

/** Makes `parent` hold exactly `elements` in this order, touching only what is out of place. */
export function arrange(parent, elements) {
  const wanted = new Set(elements);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const element of elements) {
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}
