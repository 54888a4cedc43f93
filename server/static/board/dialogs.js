// The board's dialogs. Each shows itself with what it is about and answers with a promise; null means: changed my mind.

import { clock, seconds, wall } from "./time.js";

function byId(id) {
  return document.getElementById(id);
}

// Show a <dialog> until it closes; the value of the button that closed it, or null.
function ask(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue && dialog.returnValue !== "cancel" ? dialog.returnValue : null), { once: true });
    setTimeout(() => dialog.showModal()); // after the key that asked for it, or that key would press the first button
  });
}

function fill(dialog, texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const place of dialog.querySelectorAll(`[data-text="${name}"]`)) {
      place.textContent = text;
      const line = place.closest("[data-line]");
      if (line) line.hidden = !text;
    }
  }
}

function field(dialog, name) {
  return dialog.querySelector(`[name="${name}"]`);
}

export function isOpen() {
  return document.querySelector("dialog[open]") !== null;
}

// Only this time, or the whole series? "once", "series" or null.
export function askScope(item) {
  const dialog = byId("board-scope");
  fill(dialog, { title: item.title });
  return ask(dialog);
}

export function askRemove(item) {
  const dialog = byId("board-remove");
  fill(dialog, { title: item.title });
  for (const part of dialog.querySelectorAll("[data-series]")) part.hidden = !item.rrule;
  for (const part of dialog.querySelectorAll("[data-once]")) part.hidden = Boolean(item.rrule);
  return ask(dialog);
}

// Two people changed one thing: "mine" or "theirs".
export function askWho(name, mine, theirs) {
  const dialog = byId("board-stale");
  fill(dialog, { who: name, mine, theirs });
  return ask(dialog);
}

// The dialog of one item. {deed: "save", ...fields}, {deed: "remove"} or null.
export async function askItem(item, words, channels, explainUrl) {
  const dialog = byId("board-item");
  const start = wall(item.starts_at);
  fill(dialog, {
    title: item.title,
    when: `${start.day} ${clock(start.second)}–${clock(start.second + item.duration_ms / 1000)}`,
    section: item.section,
    series: item.rrule ? words.series : "",
    whose: item.by ? words.whose.replace("%(by)s", item.by).replace("%(level)s", words.levels[item.level] || "").replace("%(place)s", item.region_name) : "",
    changed: item.changed_by && item.changed_by !== item.by ? words.changedBy.replace("%(name)s", item.changed_by) : "",
  });
  dialog.classList.toggle("is-read-only", !item.editable);
  for (const part of dialog.querySelectorAll("[data-editable]")) part.hidden = !item.editable;
  for (const part of dialog.querySelectorAll("[data-series]")) part.hidden = !item.rrule;
  channelsInto(field(dialog, "channel"), channels, item.channel);
  field(dialog, "day").value = start.day;
  field(dialog, "time").value = clock(start.second);
  field(dialog, "required").checked = item.required;
  field(dialog, "premiere").checked = item.premiere;
  field(dialog, "may_cut").checked = item.may_cut;
  field(dialog, "minutes").value = Math.round(item.duration_ms / 600) / 100;
  field(dialog, "minutes").max = Math.ceil(item.programme_ms / 60000);
  field(dialog, "scope").value = "once";
  explain(dialog, explainUrl);
  const deed = await ask(dialog);
  if (deed === null || deed === "remove") return deed && { deed };
  return {
    deed,
    scope: item.rrule ? field(dialog, "scope").value : "series",
    day: field(dialog, "day").value,
    second: seconds(field(dialog, "time").value),
    channel: field(dialog, "channel").value,
    required: field(dialog, "required").checked,
    premiere: field(dialog, "premiere").checked,
    may_cut: field(dialog, "may_cut").checked,
    duration_ms: Math.round(Number(field(dialog, "minutes").value) * 60000),
  };
}

function channelsInto(select, channels, chosen) {
  select.replaceChildren(...channels.map((c) => new Option(c.name, c.id, false, c.id === chosen)));
  select.closest("[data-line]").hidden = channels.length < 2;
}

// Why is it here? The server's words, under the facts.
async function explain(dialog, url) {
  const place = dialog.querySelector("[data-explain]");
  place.replaceChildren();
  if (!url) return;
  try {
    const response = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    place.replaceChildren(...page.body.childNodes);
  } catch {
    // without a line the facts above are all there is
  }
}

// Where a programme goes. `programme` may be null: then it is chosen from `library`.
export async function askPlace(place, programme, library, channels, words) {
  const dialog = byId("board-place");
  fill(dialog, { title: programme ? programme.title : words.placeHere });
  const select = field(dialog, "programme");
  select.closest("[data-line]").hidden = programme !== null;
  select.required = programme === null;
  select.replaceChildren(...(programme ? [programme] : library).map((p) => new Option(`${p.title} · ${minutes(p.duration_ms)}`, p.programme)));
  channelsInto(field(dialog, "channel"), channels, place.channel);
  field(dialog, "day").value = place.day;
  field(dialog, "time").value = clock(place.second);
  field(dialog, "repeat").value = "";
  field(dialog, "required").checked = false;
  if ((await ask(dialog)) === null) return null;
  return {
    programme: select.value,
    channel: field(dialog, "channel").value,
    day: field(dialog, "day").value,
    second: seconds(field(dialog, "time").value),
    repeat: field(dialog, "repeat").value,
    required: field(dialog, "required").checked,
  };
}

export function minutes(ms) {
  return `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
}

export async function askCopy(day, days) {
  const dialog = byId("board-copy");
  field(dialog, "from").value = day;
  field(dialog, "days").value = String(days);
  if ((await ask(dialog)) === null) return null;
  return { day: field(dialog, "from").value, days: Number(field(dialog, "days").value), to: field(dialog, "to").value };
}

export function suggestTarget(value) {
  field(byId("board-copy"), "to").value = value;
}

// Templates: {deed: "apply", id, day}, {deed: "remove", id}, {deed: "keep", name, day, days} or null.
export async function askTemplate(templates, day, days, words) {
  const dialog = byId("board-templates");
  const list = dialog.querySelector("[data-list]");
  field(dialog, "day").value = day;
  field(dialog, "keep_day").value = day;
  field(dialog, "keep_days").value = String(days);
  field(dialog, "name").value = "";
  list.replaceChildren(...templates.map((template) => templateLine(template, words)));
  dialog.querySelector("[data-empty]").hidden = templates.length > 0;
  const deed = await ask(dialog);
  if (deed === null) return null;
  const [what, id] = deed.split(":");
  if (what === "keep") {
    return { deed: what, name: field(dialog, "name").value, day: field(dialog, "keep_day").value, days: Number(field(dialog, "keep_days").value) };
  }
  return { deed: what, id, day: field(dialog, "day").value };
}

function templateLine(template, words) {
  const line = document.createElement("li");
  const name = Object.assign(document.createElement("strong"), { textContent: template.name });
  const about = Object.assign(document.createElement("small"), {
    textContent: words.templateAbout.replace("%(days)s", template.days).replace("%(items)s", template.items).replace("%(by)s", template.by),
  });
  const text = document.createElement("span");
  text.append(name, about);
  line.append(text, button(words.apply, "apply:" + template.id, "btn-primary"));
  if (template.mine) line.append(button(words.remove, "remove:" + template.id, "btn-ghost-danger"));
  return line;
}

function button(text, value, look) {
  return Object.assign(document.createElement("button"), { type: "submit", value, className: "btn btn-sm " + look, textContent: text, formNoValidate: true });
}

// What a copy or a template did, with what could not be placed and why.
export function report(placed, words) {
  const dialog = byId("board-report");
  fill(dialog, { summary: words.placed.replace("%(placed)s", placed.placed).replace("%(already)s", placed.already).replace("%(refused)s", placed.refused.length) });
  const list = dialog.querySelector("[data-list]");
  list.replaceChildren(
    ...placed.refused.map((one) => {
      const at = wall(one.at);
      return Object.assign(document.createElement("li"), { textContent: `${at.day.slice(5)} ${clock(at.second)}《${one.title}》：${one.reason}` });
    }),
  );
  return ask(dialog);
}

export function wire() {
  for (const dialog of document.querySelectorAll("dialog.yb-dialog")) {
    for (const closer of dialog.querySelectorAll("[data-cancel]")) closer.addEventListener("click", () => dialog.close("cancel"));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("cancel");
    });
  }
}
