/** A line about what is being done. */
export function say(text: string): void {
  process.stdout.write(`== ${text}\n`);
}

/** Ends the program, saying why. */
export function fail(why: string): never {
  process.stderr.write(`\n./run: ${why}\n`);
  process.exit(1);
}
