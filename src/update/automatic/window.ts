/** The hours in which a host may be restarted, as an administrator writes them. */
import { SealrootError } from "../../errors/index.ts";

/** The first is Sunday, as in JavaScript. */
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const DAY_MINUTES = 24 * 60;

export interface UpdateWindow {
  /** On which it begins; 0 is Sunday. */
  readonly days: ReadonlySet<number>;
  /** Of the day. */
  readonly startMinutes: number;
  /** 1 to 1440; it may end on the next day. */
  readonly lengthMinutes: number;
}

/** What a clock on the wall shows, in the time zone that the windows are meant in. */
export interface WallClock {
  /** 0 is Sunday. */
  readonly day: number;
  readonly minutes: number;
}

const HINT = "write days and hours, such as Sat,Sun 02:00-05:00 or Mon-Fri 22:00-04:00 or 03:00-04:00";

/**
 * Parses `[DAYS] HH:MM-HH:MM`. Days are names with commas and ranges, as in systemd.time(7); without them the window is
 * there every day. An end that is not after the start is on the next day; equal ones are a whole day.
 *
 * @throws SealrootError `usage`
 */
export function parseWindow(text: string): UpdateWindow {
  const match = /^(?:([A-Za-z,-]+)\s+)?(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$/.exec(text.trim());
  const [, days, ...numbers] = match ?? [];
  const [startHour = 99, startMinute = 99, endHour = 99, endMinute = 99] = numbers.map(Number);
  const startMinutes = startHour * 60 + startMinute;
  const endMinutes = endHour * 60 + endMinute;
  const isTime = startMinute < 60 && endMinute < 60 && startMinutes < DAY_MINUTES && endMinutes <= DAY_MINUTES;
  if (match === null || !isTime) throw badWindow(text);
  const lengthMinutes = endMinutes > startMinutes ? endMinutes - startMinutes : endMinutes + DAY_MINUTES - startMinutes;
  return { days: days === undefined ? new Set(DAYS.keys()) : parseDays(days, text), startMinutes, lengthMinutes };
}

function parseDays(text: string, window: string): ReadonlySet<number> {
  const days = new Set<number>();
  for (const part of text.split(",")) {
    const [first, last = first, ...more] = part.split("-").map(dayNumber);
    if (first === undefined || last === undefined || first < 0 || last < 0 || more.length > 0) throw badWindow(window);
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      days.add(day);
      if (day === last) break;
    }
  }
  return days;
}

/** @returns -1 for what is no day */
function dayNumber(name: string): number {
  return DAYS.findIndex((day) => day.toLowerCase() === name.slice(0, 3).toLowerCase() && isDayName(name));
}

function isDayName(name: string): boolean {
  return /^(?:sun|mon|tue|wed|thu|fri|sat|sunday|monday|tuesday|wednesday|thursday|friday|saturday)$/i.test(name);
}

function badWindow(text: string): SealrootError {
  return new SealrootError("usage", `Cannot read the window "${text}"`, { hint: HINT });
}

/**
 * How long the window has been open.
 * @returns minutes, less than its length; undefined when it is closed
 */
export function minutesInWindow(window: UpdateWindow, clock: WallClock): number | undefined {
  const dayBefore = (clock.day + DAYS.length - 1) % DAYS.length;
  const candidates = [
    { day: clock.day, minutes: clock.minutes - window.startMinutes },
    { day: dayBefore, minutes: clock.minutes + DAY_MINUTES - window.startMinutes },
  ];
  return candidates.find(({ day, minutes }) => window.days.has(day) && minutes >= 0 && minutes < window.lengthMinutes)
    ?.minutes;
}
