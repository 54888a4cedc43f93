// Days and times as the board shows them: a listing's day is 00:00–24:00 in Asia/Shanghai, eight hours ahead of UTC.

const SHANGHAI_MS = 8 * 3600 * 1000;
export const DAY_S = 86400;

// {day, second}: the day in Asia/Shanghai and the seconds since its midnight.
export function wall(iso) {
  const at = new Date(Date.parse(iso) + SHANGHAI_MS);
  return { day: at.toISOString().slice(0, 10), second: at.getUTCHours() * 3600 + at.getUTCMinutes() * 60 + at.getUTCSeconds() };
}

// What the API reads as Asia/Shanghai; seconds may reach into the days around.
export function naive(day, second) {
  return new Date(Date.parse(day + "T00:00:00Z") + second * 1000).toISOString().slice(0, 19);
}

export function addDays(day, count) {
  return naive(day, count * DAY_S).slice(0, 10);
}

export function daysBetween(from, to) {
  return Math.round((Date.parse(to + "T00:00:00Z") - Date.parse(from + "T00:00:00Z")) / 86400000);
}

export function today() {
  return wall(new Date().toISOString());
}

// 19:05, with seconds only where there are any.
export function clock(second) {
  const part = (value) => String(value).padStart(2, "0");
  const inDay = ((second % DAY_S) + DAY_S) % DAY_S;
  const text = part(Math.floor(inDay / 3600)) + ":" + part(Math.floor(inDay / 60) % 60);
  return inDay % 60 ? text + ":" + part(inDay % 60) : text;
}

export function seconds(text) {
  const [hours, minutes, rest] = text.split(":").map(Number);
  return hours * 3600 + minutes * 60 + (rest || 0);
}

export function weekday(day) {
  return (new Date(day + "T00:00:00Z").getUTCDay() + 6) % 7;
}

export function monday(day) {
  return addDays(day, -weekday(day));
}
