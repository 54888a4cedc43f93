// The shelf beside the board: find a released programme, drag it onto the board or press it to say when.

import { call } from "./http.js";
import { minutes } from "./dialogs.js";
import { wall } from "./time.js";

const WAIT_MS = 250;

export class Library {
  // `on` has: chosen(programme), dragged(programme or null)
  constructor(words, urls, on) {
    this.words = words;
    this.urls = urls;
    this.on = on;
    this.found = [];
    this.asked = 0;
    this.input = document.getElementById("board-search");
    this.section = document.getElementById("board-section");
    this.list = document.getElementById("board-found");
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), WAIT_MS);
    });
    this.section.addEventListener("change", () => this.search());
  }

  async search() {
    const turn = ++this.asked;
    const query = new URLSearchParams({ q: this.input.value });
    if (this.section.value) query.set("section", this.section.value);
    let answer;
    try {
      answer = await call("GET", `${this.urls.library}?${query}`);
    } catch {
      return;
    }
    if (turn !== this.asked) return; // a later search has been answered already
    this.found = answer.items;
    this.list.replaceChildren(...answer.items.map((programme) => this.#line(programme)));
    document.getElementById("board-nothing").hidden = answer.items.length > 0;
  }

  #line(programme) {
    const line = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", draggable: true, className: "yb-shelf-item" });
    button.dataset.programme = programme.programme;
    const title = Object.assign(document.createElement("strong"), { textContent: programme.title });
    const next = programme.next_at ? `${this.words.next} ${wall(programme.next_at).day.slice(5)}` : this.words.never;
    const about = Object.assign(document.createElement("small"), { textContent: `${minutes(programme.duration_ms)} · ${programme.section} · ${next}` });
    button.append(title, about);
    button.addEventListener("click", () => this.on.chosen(programme));
    button.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/plain", programme.title);
      event.dataTransfer.effectAllowed = "copy";
      this.on.dragged(programme);
    });
    button.addEventListener("dragend", () => this.on.dragged(null));
    line.append(button);
    return line;
  }
}
