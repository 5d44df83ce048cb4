import { Fault } from "../base/index.ts";

/** A resource limit, named as in the OCI spec (`RLIMIT_NOFILE`). "Unlimited" is 2^64 - 1. */
export interface Ulimit {
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

const names: readonly string[] = [
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

const unlimited = 2n ** 64n - 1n;

/** Parses `name=soft[:hard]`; without `hard` both are equal, -1 is unlimited. Throws `Fault("invalid")`. */
export function parseUlimit(text: string): Ulimit {
  const [, name = "", softText, hardText = softText] = /^([^=]*)=(-1|\d{1,19})(?::(-1|\d{1,19}))?$/.exec(text) ?? [];
  if (softText === undefined || hardText === undefined) {
    throw new Fault("invalid", `invalid ulimit argument ${JSON.stringify(text)}: write it as name=soft[:hard]`);
  }
  if (!names.includes(name)) {
    throw new Fault("invalid", `invalid ulimit type ${JSON.stringify(name)}: must be one of ${names.join(", ")}`);
  }
  const [soft, hard] = [limitOf(softText), limitOf(hardText)];
  if (soft > hard) {
    throw new Fault("invalid", `ulimit ${text}: soft limit must be less than or equal to hard limit`);
  }
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function limitOf(text: string): bigint {
  return text === "-1" ? unlimited : BigInt(text);
}
