// The board on a phone: the same days as a list; every item and every day can be tapped.

import { clock, today, wall, weekday } from "./time.js";

export class List {
  constructor(element, words, on) {
    this.element = element;
    this.words = words;
    this.on = on;
  }

  show(view) {
    const now = today().day;
    this.element.replaceChildren(...view.days.map((day) => this.#day(view, day, day === now)));
    this.on.drawn();
  }

  warn() {} // the list of warnings below says it

  elementOf(id) {
    return [...this.element.querySelectorAll("[data-item]")].find((one) => one.dataset.item === id) || null;
  }

  remove() {
    this.element.replaceChildren();
  }

  #day(view, day, isToday) {
    const section = document.createElement("section");
    section.className = "yb-day" + (isToday ? " is-today" : "");
    const head = document.createElement("h2");
    const name = document.createElement("span");
    name.textContent = this.words.weekdays[weekday(day)];
    head.append(name, " " + day.slice(5) + (isToday ? " " + this.words.today : ""));
    if (view.study_days.includes(day)) head.append(Object.assign(document.createElement("em"), { textContent: this.words.study }));
    section.append(head);
    for (const channel of view.channels) {
      if (view.channels.length > 1) section.append(Object.assign(document.createElement("h3"), { textContent: channel.name }));
      section.append(this.#channel(view, channel, day));
    }
    if (view.may_edit) {
      const add = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm yb-add", textContent: "＋ " + this.words.placeHere });
      add.addEventListener("click", () => this.on.empty({ channel: view.channels[0].id, day, second: 19 * 3600 }));
      section.append(add);
    }
    return section;
  }

  #channel(view, channel, day) {
    const list = document.createElement("ol");
    const entries = [
      ...view.windows.filter((w) => w.channel === channel.id && wall(w.starts_at).day === day).map((w) => ({ at: w.starts_at, window: w })),
      ...view.items.filter((i) => i.channel === channel.id && wall(i.starts_at).day === day).map((i) => ({ at: i.starts_at, item: i })),
    ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.window ? -1 : 1));
    for (const entry of entries) list.append(entry.window ? this.#window(entry.window) : this.#item(entry.item));
    if (!entries.length) list.append(Object.assign(document.createElement("li"), { className: "yb-gap", textContent: this.words.nothing }));
    return list;
  }

  #window(opened) {
    const line = document.createElement("li");
    line.className = "yb-window";
    line.textContent = `${this.words.levels[opened.level]}${this.words.window} ${clock(wall(opened.starts_at).second)}–${clock(wall(opened.ends_at).second)}`;
    return line;
  }

  #item(item) {
    const line = document.createElement("li");
    line.className = "yb-item is-" + item.source;
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.item = item.id;
    const time = Object.assign(document.createElement("time"), { textContent: clock(wall(item.starts_at).second) });
    const title = Object.assign(document.createElement("span"), { className: "yb-item-title", textContent: item.title });
    button.append(time, title);
    if (item.required) button.append(Object.assign(document.createElement("em"), { textContent: this.words.required }));
    button.addEventListener("click", () => this.on.open(item));
    line.append(button);
    return line;
  }
}
