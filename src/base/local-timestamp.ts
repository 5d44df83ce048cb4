/** RFC 3339 in local time without its colons, as CRI-O names its dumps: `2026-01-31T120000+0100`. */
export function localTimestamp(now: Date): string {
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const offset = -now.getTimezoneOffset();
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(offset / 60)}${two(offset % 60)}`;
  const date = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${date}T${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}${zone}`;
}
