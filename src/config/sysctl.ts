import { Fault } from "../base/index.ts";

/** A kernel parameter and its value. */
export interface Sysctl {
  readonly key: string;
  readonly value: string;
}

/** Parses `key=value` without blanks around either. Throws `Fault("invalid")`. */
export function parseSysctl(text: string): Sysctl {
  const [, key, value] = /^([^=\s]+)=(\S(?:.*\S)?)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new Fault("invalid", `invalid default sysctl ${JSON.stringify(text)}: write it as key=value without blanks`);
  }
  return { key, value };
}
