import { run } from "./run.ts";

/** What a command did. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs crio in this process. The host's configuration is not read: files are those the environment names. */
export async function crio(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  let [out, err] = ["", ""];
  const status = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    columns: 100,
    env: { CONTAINERS_STORAGE_CONF: "/dev/null", CONTAINER_CONFIG: "", CONTAINER_CONFIG_DIR: "", ...env },
  });
  return { status, out, err };
}
