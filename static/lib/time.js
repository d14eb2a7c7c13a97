// Times as people say them: "14:05" today, "Tue" this week, a date before that. The exact one is
// always in the element's title and `datetime`.

import { h } from "./dom.js";

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const longWeekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const dateFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dateYearFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const dayFormat = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** `<time>` for an RFC 3339 string, saying `text`, or the hour and minute. */
export function timeElement(iso, text = clock(iso), className = null) {
  return h("time", { datetime: iso, title: exactly(iso), class: className }, text);
}

export function exactly(iso) {
  return fullFormat.format(new Date(iso));
}

export function clock(iso) {
  return clockFormat.format(new Date(iso));
}

/** For a list, where space is short. */
export function brief(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysBetween(date, now);
  if (days <= 0) return clockFormat.format(date);
  if (days === 1) return "Yesterday";
  if (days < 7) return weekdayFormat.format(date);
  return (date.getFullYear() === now.getFullYear() ? dateFormat : dateYearFormat).format(date);
}

/** A moment soon or lately, as part of a sentence: "14:05", "Tue 14:05", "3 Dec, 14:05". */
export function moment(iso, now = new Date()) {
  const date = new Date(iso);
  const days = Math.abs(daysBetween(date, now));
  const time = clockFormat.format(date);
  if (days === 0) return time;
  if (days < 7) return `${weekdayFormat.format(date)} ${time}`;
  const day = date.getFullYear() === now.getFullYear() ? dateFormat : dateYearFormat;
  return `${day.format(date)}, ${time}`;
}

/** For the divider between two days. */
export function dayName(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysBetween(date, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return longWeekdayFormat.format(date);
  return (date.getFullYear() === now.getFullYear() ? dayFormat : dateYearFormat).format(date);
}

/** As one says it: "just now", "5 minutes ago", "yesterday at 14:05", "on 3 Nov". */
export function ago(iso, now = Date.now()) {
  const date = new Date(iso);
  const minutes = Math.floor((now - date.getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 6) return hours === 1 ? "1 hour ago" : `${hours} hours ago`;
  const days = daysBetween(date, new Date(now));
  if (days === 0) return `today at ${clock(iso)}`;
  if (days === 1) return `yesterday at ${clock(iso)}`;
  if (days < 7) return `on ${longWeekdayFormat.format(date)} at ${clock(iso)}`;
  return `on ${brief(iso, new Date(now))}`;
}

/** The local calendar day, to tell whether two times fall on the same one. */
export function dayKey(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

function daysBetween(earlier, later) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(later) - midnight(earlier)) / 86_400_000);
}
