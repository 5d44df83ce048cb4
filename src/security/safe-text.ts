/** Anything that ends a line or a field, or that a terminal or a log would obey: C0, DEL, C1 (with NEL) and Unicode's separators. */
const controlCharacter = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

export function hasControlCharacter(text: string): boolean {
  return controlCharacter.test(text);
}

/** Text of unknown origin for an error message: as it is when harmless, else quoted; cut when long. */
export function shownText(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return hasControlCharacter(short) ? JSON.stringify(short) : short;
}
