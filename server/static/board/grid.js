// The time line: a row for each day of each channel, all on one 24-hour axis. Only this file knows the calendar part.

import { DAY_S, clock, daysBetween, today, wall, weekday } from "./time.js";

const AXIS = "2024-01-01"; // any day without a change of clocks: rows carry the real days
const NEXT = "2024-01-02";
const SNAP = "00:05";
const SIDE_PX = 104;
const HOURS_SEEN = 14.2;

function stamp(second) {
  return second >= DAY_S ? NEXT + " 00:00:00" : AXIS + " " + new Date(second * 1000).toISOString().slice(11, 19);
}

function secondOf(date) {
  const days = date.getDate() - 1; // the axis begins on the first of a month
  return days * DAY_S + date.getHours() * 3600 + date.getMinutes() * 60 + date.getSeconds();
}

export function rowId(channel, day) {
  return channel + "|" + day;
}

function rowOf(id) {
  const cut = id.lastIndexOf("|");
  return { channel: id.slice(0, cut), day: id.slice(cut + 1) };
}

// Cut a span at midnights: one part for each row it touches, with where the part begins in the whole.
function parts(startsAt, durationS, days) {
  const start = wall(startsAt);
  const found = [];
  for (const day of days) {
    const offset = daysBetween(start.day, day) * DAY_S;
    const from = Math.max(0, start.second - offset);
    const to = Math.min(DAY_S, start.second + durationS - offset);
    if (from < to) found.push({ day, from, to, first: start.second - offset >= 0 });
  }
  return found;
}

export class Grid {
  // `on` has: open(item), empty(place), moved(item, place, revert), resized(item, seconds, revert), dropped(programme, place)
  constructor(element, words, on) {
    this.element = element;
    this.words = words;
    this.on = on;
    this.items = new Map();
    this.calendar = null;
    this.slotWidth = 0; // until it is shown: as fits
    element.addEventListener("dragover", (event) => this.#hover(event));
    element.addEventListener("dragleave", () => this.#tip(null));
    element.addEventListener("drop", (event) => this.#drop(event));
  }

  show(view) {
    this.view = view;
    this.items = new Map(view.items.map((item) => [item.id, item]));
    const resources = this.#rows(view);
    const events = [...this.#windows(view), ...this.#closed(view), ...this.#past(view), ...this.#items(view)];
    if (this.calendar === null) this.#create(resources, events);
    else {
      this.calendar.setOption("resources", resources);
      this.calendar.setOption("events", events);
    }
  }

  zoom(slotWidth) {
    this.slotWidth = slotWidth;
    if (this.calendar) this.calendar.setOption("slotWidth", slotWidth);
  }

  remove() {
    if (this.calendar) window.EventCalendar.destroy(this.calendar);
    this.calendar = null;
    this.element.replaceChildren();
  }

  // Mark the items of these slots.
  warn(slots) {
    for (const inner of this.element.querySelectorAll("[data-item]")) {
      const item = this.items.get(inner.dataset.item);
      const element = inner.closest(".ec-event");
      if (item && element) element.classList.toggle("is-warned", slots.has(item.slot));
    }
  }

  // The element of an item's first part, to give it the focus.
  elementOf(id) {
    const inner = [...this.element.querySelectorAll("[data-item]")].find((one) => one.dataset.item === id);
    return inner ? inner.closest(".ec-event") : null;
  }

  itemOf(element) {
    const inner = element.querySelector("[data-item]");
    return inner ? this.items.get(inner.dataset.item) : undefined;
  }

  placeAt(x, y) {
    const info = this.calendar && this.calendar.dateFromPoint(x, y);
    if (!info || !info.resource || !info.resource.id.includes("|")) return null;
    const snapped = Math.floor(secondOf(info.date) / 300) * 300;
    return { ...rowOf(info.resource.id), second: snapped };
  }

  // Wide enough that the day from eight to ten in the evening is seen at once.
  fit() {
    return Math.max(16, Math.floor((this.element.clientWidth - SIDE_PX) / (2 * HOURS_SEEN)));
  }

  #create(resources, events) {
    this.slotWidth = this.slotWidth || this.fit();
    this.calendar = window.EventCalendar.create(this.element, {
      view: "resourceTimelineDay",
      date: AXIS,
      headerToolbar: { start: "", center: "", end: "" },
      slotDuration: "00:30",
      slotLabelInterval: "01:00",
      slotLabelFormat: (date) => String(date.getHours()).padStart(2, "0") + ":00",
      slotWidth: this.slotWidth,
      snapDuration: SNAP,
      scrollTime: "08:00",
      nowIndicator: false,
      eventResizableFromStart: false,
      eventDurationEditable: true,
      locale: document.documentElement.lang,
      resources,
      events,
      resourceLabelContent: (info) => this.#label(info.resource),
      eventContent: (info) => this.#content(info.event),
      eventClick: (info) => this.#clicked(info.event),
      dateClick: (info) => this.#empty(info),
      eventDrop: (info) => this.#moved(info),
      eventResize: (info) => this.#resized(info),
      eventAllUpdated: () => this.#describe(),
    });
  }

  // --- rows -----------------------------------------------------------------------------------------------------------
  #rows(view) {
    const days = (channel) => view.days.map((day) => ({ id: rowId(channel.id, day), title: day, extendedProps: { day, channel } }));
    if (view.channels.length === 1) return days(view.channels[0]);
    if (view.days.length === 1) {
      return view.channels.map((channel) => ({ ...days(channel)[0], title: channel.name, extendedProps: { channel, named: true } }));
    }
    return view.channels.map((channel) => ({ id: channel.id, title: channel.name, children: days(channel), extendedProps: { channel, named: true } }));
  }

  #label(resource) {
    const label = document.createElement("span");
    label.className = "yb-row";
    const { day, channel, named } = resource.extendedProps;
    if (named) {
      label.textContent = channel.name;
      return { domNodes: [label] };
    }
    const name = document.createElement("b");
    name.textContent = this.words.weekdays[weekday(day)];
    label.append(name, " " + day.slice(5));
    if (day === today().day) label.classList.add("is-today");
    if (this.view.study_days.includes(day)) {
      const mark = document.createElement("i");
      mark.textContent = this.words.study;
      label.append(mark);
    }
    return { domNodes: [label] };
  }

  // --- events ----------------------------------------------------------------------------------------------------------
  #items(view) {
    const warned = new Set(view.warnings.map((warning) => warning.slot));
    return view.items.flatMap((item) =>
      parts(item.starts_at, item.duration_ms / 1000, view.days).map((part) => ({
        id: item.id + "|" + part.day,
        resourceId: rowId(item.channel, part.day),
        start: stamp(part.from),
        end: stamp(part.to),
        title: item.title,
        startEditable: item.editable && part.first,
        durationEditable: item.editable && item.may_cut && part.first,
        classNames: classes(item, warned),
        extendedProps: { item: item.id, first: part.first, from: part.from, room: this.#room(view, item, part) },
      })),
    );
  }

  // How many half hours until the next item of the row begins: a title may run so far, and no further.
  #room(view, item, part) {
    const starts = view.items
      .filter((other) => other.channel === item.channel && other.id !== item.id)
      .map((other) => wall(other.starts_at))
      .filter((at) => at.day === part.day && at.second >= part.to)
      .map((at) => at.second);
    return (Math.min(DAY_S, ...starts) - part.from) / 1800;
  }

  #windows(view) {
    return view.windows.flatMap((window_) =>
      parts(window_.starts_at, (Date.parse(window_.ends_at) - Date.parse(window_.starts_at)) / 1000, view.days).map((part) => ({
        id: "window|" + window_.id + "|" + part.day,
        resourceId: rowId(window_.channel, part.day),
        start: stamp(part.from),
        end: stamp(part.to),
        display: "background",
        classNames: ["yb-open", "is-" + window_.level, window_.mine ? "is-mine" : "is-others"],
        extendedProps: { window: window_ },
      })),
    );
  }

  // Where the airtime rights of who looks do not reach.
  #closed(view) {
    return view.limits.flatMap((limit) =>
      view.days.flatMap((day) =>
        gaps(limit.spans.filter((span) => !span.weekdays.length || span.weekdays.includes(weekday(day)))).map(([from, to]) => ({
          id: `closed|${rowId(limit.channel, day)}|${from}`,
          resourceId: rowId(limit.channel, day),
          start: stamp(from * 60),
          end: stamp(to * 60),
          display: "background",
          classNames: ["yb-closed"],
          extendedProps: {},
        })),
      ),
    );
  }

  #past(view) {
    const now = today();
    const until = (day) => (day < now.day ? DAY_S : day === now.day ? now.second : 0);
    return view.channels.flatMap((channel) =>
      view.days
        .filter((day) => until(day) > 0)
        .map((day) => ({
          id: "past|" + rowId(channel.id, day),
          resourceId: rowId(channel.id, day),
          start: stamp(0),
          end: stamp(until(day)),
          display: "background",
          classNames: ["yb-past"],
          extendedProps: {},
        })),
    );
  }

  #content(event) {
    const { item, window: opened, first, from, room } = event.extendedProps;
    const box = document.createElement("span");
    if (opened) {
      box.className = "yb-open-name";
      box.textContent = this.words.levels[opened.level] + this.words.window + (opened.admits.length ? "：" + opened.admits.join("、") : "");
      return { domNodes: [box] };
    }
    const shown = this.items.get(item);
    if (!shown) return { domNodes: [] };
    box.className = "yb-ev";
    box.dataset.item = item;
    const time = document.createElement("time");
    time.textContent = first === false ? "←" : clock(from ?? wall(shown.starts_at).second);
    const title = document.createElement("span");
    title.textContent = shown.title;
    title.classList.toggle("yb-series", !!shown.rrule);
    if (room) box.style.maxWidth = `calc(var(--ec-slot-width) * ${room.toFixed(3)} - 10px)`;
    box.append(time, title);
    return { domNodes: [box] };
  }

  // What a screen reader says of each item, and what the pointer is told.
  #describe() {
    for (const inner of this.element.querySelectorAll("[data-item]")) {
      const item = this.items.get(inner.dataset.item);
      const element = inner.closest(".ec-event");
      if (!item || !element) continue;
      const start = wall(item.starts_at);
      const end = start.second + item.duration_ms / 1000;
      const said = [
        this.words.weekdays[weekday(start.day)] + " " + start.day.slice(5),
        clock(start.second) + "–" + clock(end),
        item.title,
        item.region_name,
        item.required ? this.words.required : "",
        item.editable ? "" : this.words.readOnly,
      ].filter(Boolean);
      element.setAttribute("aria-label", said.join("，"));
      element.setAttribute("aria-keyshortcuts", item.editable ? "ArrowLeft ArrowRight ArrowUp ArrowDown Enter Delete" : "Enter");
      element.title = said.join(" · ");
    }
    this.on.drawn();
  }

  // --- what people do ---------------------------------------------------------------------------------------------------
  #clicked(event) {
    const item = this.items.get(event.extendedProps.item);
    if (item) this.on.open(item);
  }

  #empty(info) {
    if (!info.resource || !info.resource.id.includes("|")) return;
    this.on.empty({ ...rowOf(info.resource.id), second: Math.floor(secondOf(info.date) / 300) * 300 });
  }

  #moved(info) {
    const item = this.items.get(info.event.extendedProps.item);
    const row = rowOf(String(info.event.resourceIds[0]));
    this.on.moved(item, { ...row, second: secondOf(info.event.start) }, info.revert);
  }

  #resized(info) {
    const item = this.items.get(info.event.extendedProps.item);
    this.on.resized(item, secondOf(info.event.end) - secondOf(info.event.start), info.revert);
  }

  #hover(event) {
    if (!this.dragging) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    this.#tip(this.placeAt(event.clientX, event.clientY), event);
  }

  #drop(event) {
    if (!this.dragging) return;
    event.preventDefault();
    this.#tip(null);
    const place = this.placeAt(event.clientX, event.clientY);
    const programme = this.dragging;
    this.dragging = null;
    if (place) this.on.dropped(programme, place);
  }

  #tip(place, event) {
    this.tip ??= Object.assign(document.createElement("div"), { className: "yb-drop-tip" });
    if (!place) return this.tip.remove();
    this.tip.textContent = this.words.weekdays[weekday(place.day)] + " " + place.day.slice(5) + " " + clock(place.second);
    this.tip.style.left = event.clientX + 14 + "px";
    this.tip.style.top = event.clientY + 14 + "px";
    document.body.append(this.tip);
  }
}

// The minutes of a day that no span covers; a span over midnight ends before it begins.
function gaps(spans) {
  const open = spans
    .flatMap((span) => (span.to_minute > span.from_minute ? [[span.from_minute, span.to_minute]] : [[0, span.to_minute], [span.from_minute, 1440]]))
    .sort((a, b) => a[0] - b[0]);
  const found = [];
  let at = 0;
  for (const [from, to] of open) {
    if (from > at) found.push([at, from]);
    at = Math.max(at, to);
  }
  if (at < 1440) found.push([at, 1440]);
  return found;
}

function classes(item, warned) {
  return [
    "yb-block",
    "is-" + item.source,
    "level-" + (item.level || "none"),
    item.required || item.kind === "study" ? "is-study" : "",
    item.editable ? "is-mine" : "is-fixed",
    item.slot && warned.has(item.slot) ? "is-warned" : "",
  ].filter(Boolean);
}

