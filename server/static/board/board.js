// The board: shows several days of a region, takes what people do to the server, and keeps up with what others do.

import { Refusal, call } from "./http.js";
import { Grid } from "./grid.js";
import { Library } from "./library.js";
import { List } from "./list.js";
import * as dialogs from "./dialogs.js";
import { addDays, clock, daysBetween, monday, naive, today, wall, weekday } from "./time.js";

const POLL_MS = 4000;
const SETTLE_MS = 600; // arrow keys are gathered for so long before they go to the server
const CHECK_AFTER_MS = 1200;
const MOST_CHECKED = 31; // days from today that the report reaches
const MOST_WARNINGS = 60;
const NARROW = window.matchMedia("(max-width: 820px)");
const BYDAY = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

class Board {
  constructor(setup) {
    this.setup = setup;
    this.words = setup.words;
    this.region = setup.region;
    this.day = setup.day;
    this.days = setup.days;
    this.view = null;
    this.etag = null;
    this.pending = null;
    this.chain = Promise.resolve();
    const on = {
      open: (item) => this.open(item),
      empty: (place) => this.place(place, null),
      moved: (item, place, revert) => this.moved(item, place, revert),
      resized: (item, seconds, revert) => this.resized(item, seconds, revert),
      dropped: (programme, place) => this.put({ ...place, programme: programme.programme, repeat: "", required: false }, programme.title),
      drawn: () => this.refocus(),
    };
    this.on = on;
    this.shown = null;
    this.library = document.getElementById("board-library") ? new Library(this.words, this.setup.urls, {
      chosen: (programme) => this.place({ channel: this.view.channels[0].id, day: this.#firstOpenDay(), second: 19 * 3600 }, programme),
      dragged: (programme) => {
        if (this.shown instanceof Grid) this.shown.dragging = programme;
      },
    }) : null;
  }

  async start() {
    dialogs.wire();
    this.#wireTools();
    this.#layout();
    NARROW.addEventListener("change", () => {
      this.#layout();
      if (this.view) this.shown.show(this.view);
    });
    await this.load();
    if (this.library) this.library.search();
    setInterval(() => this.poll(), POLL_MS);
  }

  #layout() {
    if (this.shown) this.shown.remove();
    const element = document.getElementById("board-grid");
    this.shown = NARROW.matches ? new List(element, this.words, this.on) : new Grid(element, this.words, this.on);
    element.classList.toggle("is-list", NARROW.matches);
    if (!NARROW.matches) document.getElementById("board-zoom").value = this.shown.fit();
  }

  // --- what is shown --------------------------------------------------------------------------------------------------
  async load() {
    const query = new URLSearchParams({ region: this.region, day: this.day, days: this.days });
    try {
      const answer = await call("GET", `${this.setup.urls.board}?${query}`, undefined, this.etag ? { "If-None-Match": this.etag } : {});
      document.getElementById("board-offline").hidden = true;
      if (answer.notModified) return false;
      const before = this.view;
      this.etag = answer.etag;
      this.view = answer;
      this.shown.show(answer);
      this.#around(answer);
      this.#check(answer);
      this.#mark(before, answer);
      return true;
    } catch (error) {
      if (error instanceof Refusal) this.say(error.message, "error");
      else document.getElementById("board-offline").hidden = false;
      return false;
    }
  }

  async poll() {
    if (document.hidden || this.pending || this.busy) return;
    const before = this.view ? this.view.number : 0;
    if ((await this.load()) && this.view.number !== before) this.announce(this.words.othersChanged);
  }

  // What others changed since is marked for a moment.
  #mark(before, now) {
    if (!before || this.mine) return;
    const old = new Map(before.items.map((item) => [item.id, item.version + item.starts_at]));
    const fresh = now.items.filter((item) => old.get(item.id) !== item.version + item.starts_at);
    setTimeout(() => {
      for (const item of fresh.slice(0, 40)) {
        const element = this.shown.elementOf(item.id);
        if (element) element.classList.add("is-fresh");
      }
    }, 50);
  }

  // The whole conflict report of the days shown, once the board stands still: it looks at more than the board does.
  #check(view) {
    const last = addDays(view.day, view.days.length - 1);
    const days = Math.min(MOST_CHECKED, daysBetween(today().day, last) + 1);
    clearTimeout(this.checking);
    if (days < 1) return;
    this.checking = setTimeout(async () => {
      const query = new URLSearchParams({ region: this.region, days, stations: 0 });
      let report;
      try {
        report = await call("GET", `${this.setup.urls.check}?${query}`);
      } catch {
        return; // what the board found itself stays on view
      }
      if (this.view !== view) return;
      const shown = report.findings.filter((one) => one.severity !== "info" && (!one.at || view.days.includes(wall(one.at).day)));
      this.#warn(shown);
      this.shown.warn(new Set(shown.map((one) => one.rule.replace(/^slot:/, ""))));
    }, CHECK_AFTER_MS);
  }

  #warn(warnings) {
    const list = document.getElementById("board-warnings");
    list.replaceChildren(
      ...warnings.slice(0, MOST_WARNINGS).map((warning) =>
        Object.assign(document.createElement("li"), { textContent: warning.text, className: warning.severity === "error" ? "is-error" : "" }),
      ),
    );
    document.getElementById("board-warning-box").hidden = warnings.length === 0;
    document.getElementById("board-warning-count").textContent = warnings.length;
  }

  #around(view) {
    this.#warn(view.warnings);
    document.getElementById("board-closed-key").hidden = view.limits.length === 0;
    const undo = document.getElementById("board-undo");
    if (undo) {
      undo.disabled = !view.undoable;
      undo.title = view.undoable ? `${this.words.undo}：${view.undoable}` : this.words.nothingToUndo;
    }
    const last = addDays(view.day, view.days.length - 1);
    document.getElementById("board-span").textContent = view.days.length > 1 ? `${view.day} — ${last.slice(5)}` : `${view.day} ${this.words.weekdays[weekday(view.day)]}`;
    document.getElementById("board-region-name").textContent = view.region_name;
  }

  refocus() {
    if (!this.focusId || dialogs.isOpen()) return;
    const element = this.shown.elementOf(this.focusId);
    if (element && (document.activeElement === document.body || document.activeElement === null)) element.focus({ preventScroll: true });
  }

  announce(text) {
    const place = document.getElementById("board-said");
    place.textContent = "";
    setTimeout(() => (place.textContent = text), 30);
  }

  say(text, kind = "success") {
    const box = document.getElementById("board-message");
    box.className = `alert alert-${kind === "error" ? "danger" : "success"} yb-toast`;
    box.textContent = text;
    box.hidden = false;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (box.hidden = true), kind === "error" ? 9000 : 4000);
    this.announce(text);
  }

  // --- changing ---------------------------------------------------------------------------------------------------------
  // One change after the other. True when it was done; what was refused is said, and the board shows what is.
  change(done, send) {
    this.chain = this.chain.then(async () => {
      this.busy = true;
      try {
        const answer = await send();
        this.mine = true;
        await this.load();
        this.mine = false;
        if (done) this.say(done);
        return answer === null ? true : answer;
      } catch (error) {
        this.say(error instanceof Refusal ? error.message : this.words.offline, "error");
        this.etag = null;
        await this.load();
        return false;
      } finally {
        this.busy = false;
      }
    });
    return this.chain;
  }

  // Send a change of a slot; when somebody else was quicker, ask whose side stands.
  async #versioned(item, wanted, send) {
    try {
      return await send(item.version);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "stale") throw error;
      const theirs = error.problem.theirs || {};
      const choice = await dialogs.askWho(theirs.changed_by_name || "", wanted, this.#describe(theirs));
      if (choice !== "mine") return null;
      return send(theirs.version);
    }
  }

  #describe(slot) {
    if (slot.removed_at) return this.words.removed;
    if (!slot.starts_at) return "";
    const at = wall(slot.starts_at);
    return `${at.day.slice(5)} ${clock(at.second)}${slot.rrule ? " " + this.words.series : ""}${slot.required ? " " + this.words.required : ""}`;
  }

  url(item) {
    return `${this.setup.urls.slots}/${item.slot}`;
  }

  async moved(item, place, revert) {
    const scope = item.rrule ? await dialogs.askScope(item) : "series";
    if (scope === null) return revert();
    await this.move(item, place, scope);
  }

  move(item, place, scope) {
    this.focusId = item.id;
    const start = wall(item.starts_at);
    const text = `${this.words.weekdays[weekday(place.day)]} ${place.day.slice(5)} ${clock(place.second)}`;
    const shift = daysBetween(start.day, place.day) * 86400 + place.second - start.second;
    return this.change(`${item.title} → ${text}`, () =>
      this.#versioned(item, text, (version) => {
        if (scope === "once" && place.channel === item.channel) {
          return call("POST", `${this.url(item)}/occurrences`, { version, deed: "move", at: item.occurs_at, to: naive(place.day, place.second) });
        }
        const at = scope === "series" && item.rrule ? this.#seriesStart(item, shift) : naive(place.day, place.second);
        return call("PATCH", this.url(item), { version, at, channel: place.channel });
      }),
    );
  }

  // A whole series moves by as much as the one occurrence was moved.
  #seriesStart(item, shift) {
    const first = wall(item.series_starts_at || item.occurs_at);
    return naive(first.day, first.second + shift);
  }

  resized(item, seconds, revert) {
    if (!item.may_cut || seconds * 1000 > item.programme_ms) {
      revert();
      return this.say(this.words.whole, "error");
    }
    this.focusId = item.id;
    return this.change(`${item.title} → ${dialogs.minutes(seconds * 1000)}`, () =>
      this.#versioned(item, dialogs.minutes(seconds * 1000), (version) => call("PATCH", this.url(item), { version, duration_ms: seconds * 1000 })),
    );
  }

  async open(item) {
    this.focusId = item.id;
    const query = new URLSearchParams({ region: this.region, at: item.starts_at, channel: item.channel });
    const wanted = await dialogs.askItem(item, this.words, this.view.channels, this.setup.urls.explain ? `${this.setup.urls.explain}?${query}` : "");
    if (!wanted) return;
    if (wanted.deed === "remove") return this.remove(item);
    const start = wall(item.starts_at);
    const isMoved = wanted.day !== start.day || wanted.second !== start.second || wanted.channel !== item.channel;
    if (isMoved && item.rrule && wanted.scope === "once") return this.move(item, wanted, "once");
    const changes = {};
    if (isMoved) {
      const shift = daysBetween(start.day, wanted.day) * 86400 + wanted.second - start.second;
      changes.at = item.rrule ? this.#seriesStart(item, shift) : naive(wanted.day, wanted.second);
    }
    for (const name of ["channel", "required", "premiere", "may_cut"]) if (wanted[name] !== item[name]) changes[name] = wanted[name];
    if (wanted.may_cut && Math.abs(wanted.duration_ms - item.duration_ms) >= 600) changes.duration_ms = wanted.duration_ms;
    if (!wanted.may_cut && item.may_cut) changes.duration_ms = null;
    if (!Object.keys(changes).length) return;
    await this.change(`${item.title} ${this.words.saved}`, () =>
      this.#versioned(item, `${wanted.day.slice(5)} ${clock(wanted.second)}`, (version) => call("PATCH", this.url(item), { version, ...changes })),
    );
  }

  async remove(item) {
    const choice = await dialogs.askRemove(item);
    if (choice === null) return;
    await this.change(`${item.title} ${this.words.removed}`, () =>
      this.#versioned(item, this.words.removed, (version) =>
        choice === "once" && item.rrule
          ? call("POST", `${this.url(item)}/occurrences`, { version, deed: "skip", at: item.occurs_at })
          : call("DELETE", `${this.url(item)}?version=${version}`),
      ),
    );
  }

  async place(place, programme) {
    if (!this.view.may_edit) return;
    const chosen = await dialogs.askPlace(place, programme, this.library ? this.library.found : [], this.view.channels, this.words);
    if (chosen) await this.put(chosen, programme ? programme.title : "");
  }

  put(chosen, title) {
    const rules = { daily: "FREQ=DAILY", weekly: `FREQ=WEEKLY;BYDAY=${BYDAY[weekday(chosen.day)]}`, monthly: `FREQ=MONTHLY;BYMONTHDAY=${Number(chosen.day.slice(8))}` };
    return this.change(`${title} ${this.words.placedAt} ${chosen.day.slice(5)} ${clock(chosen.second)}`, async () => {
      const slot = await call("POST", this.setup.urls.slots, {
        region: this.region,
        at: naive(chosen.day, chosen.second),
        programme: chosen.programme,
        channel: chosen.channel,
        rrule: rules[chosen.repeat] || null,
        required: chosen.required,
      });
      this.focusId = slot.id;
      return slot;
    });
  }

  #firstOpenDay() {
    const now = today().day;
    return this.view.days.includes(now) ? now : this.view.days[0];
  }

  // --- keys -------------------------------------------------------------------------------------------------------------
  key(event) {
    const element = event.target.closest(".ec-event");
    const item = element && this.shown instanceof Grid ? this.shown.itemOf(element) : null;
    if (!item || !item.editable || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Delete") {
      event.preventDefault();
      return this.remove(item);
    }
    const step = { ArrowLeft: [0, -300], ArrowRight: [0, 300], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#nudge(item, step[0], step[1] * (event.shiftKey ? 6 : 1), element);
  }

  // Gather arrow keys into one change.
  #nudge(item, days, seconds, element) {
    if (!this.pending || this.pending.item.id !== item.id) this.pending = { item, days: 0, seconds: 0 };
    this.pending.days += days;
    this.pending.seconds += seconds;
    const start = wall(item.starts_at);
    const at = naive(addDays(start.day, this.pending.days), start.second + this.pending.seconds);
    const place = { day: at.slice(0, 10), second: (Date.parse(at + "Z") / 1000) % 86400, channel: item.channel };
    const text = `${this.words.weekdays[weekday(place.day)]} ${place.day.slice(5)} ${clock(place.second)}`;
    element.classList.add("is-moving");
    this.announce(text);
    document.getElementById("board-moving").textContent = `${item.title} → ${text}`;
    clearTimeout(this.pending.timer);
    this.pending.timer = setTimeout(async () => {
      this.pending = null;
      document.getElementById("board-moving").textContent = "";
      element.classList.remove("is-moving");
      if (place.day === start.day && place.second === start.second) return;
      await this.moved(item, place, () => element.focus());
    }, SETTLE_MS);
  }

  // --- the tools above ----------------------------------------------------------------------------------------------------
  #wireTools() {
    const on = (id, action) => {
      const element = document.getElementById(id);
      if (element) element.addEventListener("click", action);
    };
    document.getElementById("board-grid").addEventListener("keydown", (event) => this.key(event));
    on("board-before", () => this.go(addDays(this.day, -this.days)));
    on("board-after", () => this.go(addDays(this.day, this.days)));
    on("board-today", () => this.go(this.days === 1 ? today().day : monday(today().day)));
    on("board-week", () => this.span(7));
    on("board-one", () => this.span(1));
    on("board-undo", () => this.undo());
    on("board-copy-button", () => this.copy());
    on("board-templates-button", () => this.templates());
    document.getElementById("board-zoom").addEventListener("input", (event) => {
      if (this.shown instanceof Grid) this.shown.zoom(Number(event.target.value));
    });
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z" && !dialogs.isOpen() && !/INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) {
        event.preventDefault();
        this.undo();
      }
    });
    this.#pressed();
  }

  #pressed() {
    document.getElementById("board-week").setAttribute("aria-pressed", String(this.days === 7));
    document.getElementById("board-one").setAttribute("aria-pressed", String(this.days === 1));
  }

  go(day) {
    this.day = day;
    this.etag = null;
    const query = new URLSearchParams({ region: this.region, day: this.day, days: this.days });
    history.replaceState(null, "", `?${query}`);
    return this.load();
  }

  span(days) {
    this.days = days;
    this.#pressed();
    return this.go(days === 7 ? monday(this.day) : this.view && this.view.days.includes(today().day) ? today().day : this.day);
  }

  undo() {
    return this.change(this.words.undone, () => call("POST", this.setup.urls.undo, { region: this.region, day: this.day }));
  }

  async copy() {
    dialogs.suggestTarget(addDays(this.day, this.days));
    const wanted = await dialogs.askCopy(this.day, this.days);
    if (!wanted) return;
    const placed = await this.change("", () => call("POST", this.setup.urls.copy, { region: this.region, ...wanted }));
    if (placed) await dialogs.report(placed, this.words);
  }

  async templates() {
    let known;
    try {
      known = await call("GET", `${this.setup.urls.templates}?region=${this.region}`);
    } catch (error) {
      return this.say(error.message, "error");
    }
    const wanted = await dialogs.askTemplate(known.items, this.#firstOpenDay(), this.days, this.words);
    if (!wanted) return;
    if (wanted.deed === "keep") {
      const { name, day, days } = wanted;
      return this.change(`${this.words.templateKept}：${name}`, () => call("POST", this.setup.urls.templates, { region: this.region, name, day, days }));
    }
    const url = `${this.setup.urls.templates}/${wanted.id}`;
    if (wanted.deed === "remove") return this.change(this.words.removed, () => call("DELETE", url));
    const placed = await this.change("", () => call("POST", `${url}/apply`, { region: this.region, day: wanted.day }));
    if (placed) await dialogs.report(placed, this.words);
  }
}

const board = new Board(JSON.parse(document.getElementById("board-setup").textContent));
board.start();
