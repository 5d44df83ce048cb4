/** Texts with which pods have tried to say more than one thing (attack classes 1 and 3). */

/** What ends a line, a field, a word or a string somewhere: C0 controls, DEL, NEL and Unicode's own line ends. */
export const lineEnds: readonly string[] = [
  "\n",
  "\r",
  "\r\n",
  "\v",
  "\f",
  "\0",
  "\u001b",
  "\u007f",
  "\u0085",
  "\u2028",
  "\u2029",
];

/** What separates, assigns, expands or quotes in some helper's grammar. */
export const separators: readonly string[] = [
  "+",
  "=",
  ",",
  ";",
  ":",
  "%",
  "%s%n",
  "'",
  '"',
  "`",
  "$(x)",
  "\\",
  "|",
  "&",
  " ",
  "\t",
  "#",
  "--x",
];

/** `text` with each of `marks` at its beginning, within and at its end, before `more`. */
export function spoiled(text: string, marks: readonly string[], more = ""): readonly string[] {
  const middle = Math.ceil(text.length / 2);
  return marks.flatMap((mark) => [
    `${mark}${text}`,
    `${text.slice(0, middle)}${mark}${text.slice(middle)}`,
    `${text}${mark}${more}`,
  ]);
}

/** `text` with each of `marks` within, before `more`. */
export function spoiledInside(text: string, marks: readonly string[], more = ""): readonly string[] {
  return marks.map((mark) => `${text.slice(0, 2)}${mark}${more}${text.slice(2)}`);
}

/** A text as a test's name shows it. */
export function shown(text: string): string {
  return text.length > 60 ? `${JSON.stringify(text.slice(0, 60))}… (${text.length})` : JSON.stringify(text);
}
