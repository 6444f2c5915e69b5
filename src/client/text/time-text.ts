/** Instants and durations for people: local time; ISO is for --json. */

const two = (n: number): string => String(n).padStart(2, "0");

/** `21:40:12` */
export const clockTime = (at: number): string => {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
};

/** `2026-03-01 21:40:12` */
export const localTime = (at: number): string => {
  const d = new Date(at);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clockTime(at)}`;
};

export const isoTime = (at: number): string => new Date(at).toISOString();

/** `0:07`, `12:30`, `3:05:00` */
export const stopwatch = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};
