import { type Client, crictl, critest } from "../../tests/support/clients.ts";
import { type Counts, failedStep, none } from "./counts.ts";

export interface Clients {
  /** For the tests: where each client is. Without one, what it drives is skipped by name. */
  readonly env: Readonly<Record<string, string>>;
  /** One failure with CI=true and no client: CI has a toolchain, and must not skip in silence. */
  readonly counts: Counts;
}

const builders = { crictl, critest } as const;

/** Builds the real clients that tests drive the daemon with, or takes the ones built before. */
export async function clients(...names: readonly (keyof typeof builders)[]): Promise<Clients> {
  const env: Record<string, string> = {};
  const complaints: string[] = [];
  for (const name of names) {
    const client: Client = await builders[name](() => {});
    if (client.is === "there") env[`CRIO_TS_${name.toUpperCase()}`] = client.path;
    else complaints.push(`${name} cannot be built: ${client.why}\n`);
  }
  if (complaints.length === 0) return { env, counts: none };
  const output = complaints.join("");
  return { env, counts: process.env.CI === "true" ? failedStep(output) : { ...none, output } };
}
