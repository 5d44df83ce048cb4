/** Whether the numbers are those of the goals (`npm run soak:streams`) instead of those for every day. */
export const isFull = process.env.CRIO_TS_STREAMS === "full";

/** A figure for whoever reads the output. */
export function say(text: string): void {
  process.stdout.write(`   ${text}\n`);
}
