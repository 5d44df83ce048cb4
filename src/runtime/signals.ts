import { constants } from "node:os";

/** The number of a signal by its name, with or without `SIG`, or by its number; undefined when it is neither. */
export function parseSignal(text: string): number | undefined {
  const word = text.trim().toUpperCase();
  if (/^\d{1,2}$/.test(word)) {
    const number = Number(word);
    return number >= 1 && number <= 64 ? number : undefined;
  }
  return signalNumber(word.startsWith("SIG") ? word : `SIG${word}`);
}

/** The number of a signal by its full name: `SIGTERM`, `SIGRTMIN+3`, `SIGRTMAX-1`. */
export function signalNumber(name: string): number | undefined {
  const realtime = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) {
    const base = realtime[1] === "MIN" ? 34 : 64;
    const number = base + Number(`${realtime[2] ?? "+"}${realtime[3] ?? "0"}`);
    return number >= 34 && number <= 64 ? number : undefined;
  }
  const table: Readonly<Record<string, number>> = constants.signals;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
