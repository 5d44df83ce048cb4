import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { errnoOf, Fault } from "../base/index.ts";

/** Whether somebody answers on the socket at this path; a file that is none is in nobody's use. */
export async function isServed(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => {
      if (["ENOENT", "ENOTDIR", "ECONNREFUSED", "ENOTSOCK"].includes(errnoOf(error) ?? "")) resolve(false);
      else reject(error);
    });
  });
}

/** Removes a socket that nobody answers on. Rejects with Fault("exists") when somebody does. */
export async function clearStaleSocket(path: string): Promise<void> {
  if (await isServed(path)) {
    throw new Fault(
      "exists",
      `already existing connection on ${path}: another daemon serves this socket; stop it first`,
    );
  }
  await rm(path, { force: true });
}
